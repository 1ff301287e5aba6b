//! Writes through the layer.

use spicedb_examples::v1::{
    DeleteRelationshipsRequest, ImportBulkRelationshipsRequest, ReadSchemaRequest, RelationshipFilter,
    WriteSchemaRequest,
};
use spicedb_examples::{at_least_as_fresh, object, relationship};

use crate::schema::PREFIX;
use crate::server::Server;

pub(crate) async fn rule_08_written_tokens_are_trusted(server: &'static Server) {
    let mut replica = server.replica();
    let question = server.question("team:trusted", "member", "user:trusted");
    let written = replica
        .touch(&[&server.relationship("team:trusted#direct@user:trusted")])
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
        optional_resource_id: object(&server.object("team:trusted")).unwrap().object_id,
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
    assert_eq!(replica.below.probes(), 0);
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

/// An import's reply bears no token, so nobody could say what it made stale.
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
