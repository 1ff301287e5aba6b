//! Writes through the layer.

use std::time::Duration;

use spicedb_examples::v1::{
    DeleteRelationshipsRequest, ImportBulkRelationshipsRequest, ReadSchemaRequest, RelationshipFilter,
    WriteSchemaRequest,
};
use spicedb_examples::{at_least_as_fresh, fully_consistent, object, relationship};

use tokio::time::Instant;
use tower_zookie::cache::Miss;

use crate::schema::PREFIX;
use crate::server::Server;

pub(crate) async fn rule_08_written_tokens_are_named(server: &'static Server) {
    let mut replica = server.replica();
    let question = server.question("team:named", "member", "user:named");
    let written = replica
        .touch(&[&server.relationship("team:named#direct@user:named")])
        .await;
    replica
        .check(&question, at_least_as_fresh(&written))
        .await
        .unwrap()
        .says("yes")
        .is_forwarded();
    replica
        .check(&question, at_least_as_fresh(&written))
        .await
        .unwrap()
        .says("yes")
        .is_hit();

    let filter = RelationshipFilter {
        resource_type: format!("{PREFIX}team"),
        optional_resource_id: object(&server.object("team:named")).unwrap().object_id,
        ..RelationshipFilter::default()
    };
    let request = DeleteRelationshipsRequest {
        relationship_filter: Some(filter),
        ..DeleteRelationshipsRequest::default()
    };
    let deleted = replica.permissions.delete_relationships(request).await.unwrap();
    let deleted = deleted.into_inner().deleted_at.unwrap();
    replica
        .check(&question, at_least_as_fresh(&deleted))
        .await
        .unwrap()
        .says("no")
        .is_forwarded();
    replica
        .check(&question, at_least_as_fresh(&deleted))
        .await
        .unwrap()
        .says("no")
        .is_hit();
}

pub(crate) async fn rule_13_schema_writes_end_all_answers(server: &'static Server) {
    let mut replica = server.replica();
    let question = server.question("team:redefined", "member", "user:redefined");
    let written = replica
        .touch(&[&server.relationship("team:redefined#direct@user:redefined")])
        .await;
    for _ in 0..2 {
        replica
            .check(&question, at_least_as_fresh(&written))
            .await
            .unwrap()
            .says("yes");
    }
    replica
        .check(&question, at_least_as_fresh(&written))
        .await
        .unwrap()
        .is_hit();
    let schema = replica
        .schema
        .read_schema(ReadSchemaRequest {})
        .await
        .unwrap()
        .into_inner()
        .schema_text;
    replica
        .check(&question, at_least_as_fresh(&written))
        .await
        .unwrap()
        .is_hit();
    replica
        .schema
        .write_schema(WriteSchemaRequest { schema })
        .await
        .unwrap();
    replica
        .check(&question, at_least_as_fresh(&written))
        .await
        .unwrap()
        .says("yes")
        .is_forwarded();
}

/// An import's reply has no token, so it is unknown which answers it made stale.
pub(crate) async fn rule_13_imports_end_all_answers(server: &'static Server) {
    let mut replica = server.replica();
    let question = server.question("team:imported", "member", "user:imported");
    let written = replica
        .touch(&[&server.relationship("team:imported#direct@user:other")])
        .await;
    for _ in 0..2 {
        replica
            .check(&question, at_least_as_fresh(&written))
            .await
            .unwrap()
            .says("no");
    }
    let import = ImportBulkRelationshipsRequest {
        relationships: vec![relationship(&server.relationship("team:imported#direct@user:imported")).unwrap()],
    };
    let reply = replica
        .permissions
        .import_bulk_relationships(tokio_stream::once(import))
        .await
        .unwrap();
    assert_eq!(reply.into_inner().num_loaded, 1);
    replica
        .check(&question, at_least_as_fresh(&written))
        .await
        .unwrap()
        .is_forwarded();
}

/// A server that gets several head reads at once gives all of them the first one's head. So a head may be below a write
/// that was acknowledged shortly before. This does not mean that the store was restored.
pub(crate) async fn a_late_head_does_not_end_all_answers(server: &'static Server) {
    let mut replica = server.replica();
    let question = server.question("team:late", "member", "user:late");
    let relationship = server.relationship("team:late#direct@user:late");
    let end = Instant::now() + Duration::from_secs(5);
    let direct = server.direct();
    let crowd: Vec<_> = (0..64)
        .map(|_| {
            let (mut permissions, question) = (direct.permissions.clone(), question.clone());
            tokio::spawn(async move {
                while Instant::now() < end {
                    permissions
                        .check_permission(question.at(fully_consistent()))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    let mut late = 0;
    while Instant::now() < end {
        let written = replica.touch(&[&relationship]).await;
        let head = replica.check(&question, fully_consistent()).await.unwrap();
        late += usize::from(!server.covers(&head.at.token, &written.token));
        replica.check(&question, at_least_as_fresh(&written)).await.unwrap();
    }
    for asker in crowd {
        asker.await.unwrap();
    }
    let epochs = replica.layer.as_ref().unwrap().stats().misses.of(Miss::Epoch);
    assert_eq!(epochs, 0, "{late} heads were late");
}
