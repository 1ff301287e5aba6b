use spicedb_examples::v1::{
    CheckBulkPermissionsRequest, CheckBulkPermissionsRequestItem, Consistency, ReadRelationshipsRequest,
    RelationshipFilter, WriteSchemaRequest, ZedToken,
};
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh, check, minimize_latency};
use tonic::Code;
use tower_zookie::store::{Schema, Store};

use super::{Answer, Client, SCHEMA, ada_reads};

fn token(text: &str) -> ZedToken {
    ZedToken { token: text.to_owned() }
}

#[tokio::test]
async fn rule_11_questions_without_an_answer_are_rejected_each_time() {
    let mut client = Client::new().await;
    let checks = [
        ("no_such_type:plan", "read", "user:ada", Code::FailedPrecondition),
        ("doc:plan", "no_such_permission", "user:ada", Code::FailedPrecondition),
        ("doc:plan", "read", "no_such_type:ada", Code::FailedPrecondition),
        ("doc:plan", "read", "user:not allowed!", Code::InvalidArgument),
        ("doc:*", "read", "user:ada", Code::InvalidArgument),
    ];
    for (resource, permission, subject, code) in checks {
        for _ in 0..2 {
            let request = check(resource, permission, subject, minimize_latency()).unwrap();
            let status = client.permissions.check_permission(request).await.unwrap_err();
            assert_eq!(status.code(), code, "{status}");
            let cache_status = status.metadata().get("cache-status").unwrap().to_str().unwrap();
            assert!(
                !cache_status.contains("; stored") && !cache_status.contains("hit"),
                "{cache_status}"
            );
        }
    }
    let mut request = ada_reads(minimize_latency());
    request.resource = None;
    let status = client.permissions.check_permission(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let status = client
        .permissions
        .check_permission(ada_reads(Consistency::default()))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let bulk = CheckBulkPermissionsRequest {
        items: vec![CheckBulkPermissionsRequestItem::default(); 10_001],
        ..CheckBulkPermissionsRequest::default()
    };
    let status = client.permissions.check_bulk_permissions(bulk).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let schema = "definition".to_owned();
    let status = client
        .schema
        .write_schema(WriteSchemaRequest { schema })
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let read = ReadRelationshipsRequest {
        relationship_filter: Some(RelationshipFilter::default()),
        ..ReadRelationshipsRequest::default()
    };
    let status = client.permissions.read_relationships(read).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn rule_09_tokens_are_judged_as_spicedb_judges_them() {
    let mut client = Client::new().await;
    client.touch(&["doc:plan#reader@user:ada"]).await;
    for malformed in ["abc", "", "CAIaAwoBMA", "GgMKAS0="] {
        for consistency in [at_least_as_fresh, at_exact_snapshot] {
            let status = client
                .permissions
                .check_permission(ada_reads(consistency(&token(malformed))))
                .await
                .unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{malformed:?}: {status}");
        }
    }
    // Of another datastore: for "at least" its newest answer is as good as any.
    let foreign = token("Gg4KAjQyEghzb21ldW5pcQ==");
    for _ in 0..2 {
        assert_eq!(
            client.ada_reads(at_least_as_fresh(&foreign)).await.said(),
            ("yes", false)
        );
        let status = client
            .permissions
            .check_permission(ada_reads(at_exact_snapshot(&foreign)))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn rule_02_a_collected_snapshot_is_out_of_range() {
    let store = Store::builder()
        .max_revisions(2)
        .build(Schema::parse(SCHEMA).unwrap())
        .unwrap();
    let mut client = Client::of(store).await;
    let first = client.touch(&["doc:plan#reader@user:ada"]).await;
    assert_eq!(client.ada_reads(at_exact_snapshot(&first)).await.said(), ("yes", false));
    for _ in 0..3 {
        client.delete(&["doc:plan#reader@user:ada"]).await;
        client.touch(&["doc:plan#reader@user:bob"]).await;
    }
    // What was answered at it still holds there.
    assert_eq!(client.ada_reads(at_exact_snapshot(&first)).await.said(), ("yes", true));
    for _ in 0..2 {
        let request = check("doc:plan", "read", "user:bob", at_exact_snapshot(&first)).unwrap();
        let status = client.permissions.check_permission(request).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{status}");
    }
    // It is young enough for a caller without a requirement. A question that is not stored is read at a snapshot that
    // still exists.
    assert_eq!(client.ada_reads(at_least_as_fresh(&first)).await.said(), ("yes", true));
    let request = check("doc:plan", "read", "user:bob", at_least_as_fresh(&first)).unwrap();
    let reply = client.permissions.check_permission(request).await.unwrap();
    assert_eq!(Answer::of(reply).said(), ("yes", false));
}

#[tokio::test]
async fn rule_08_a_revision_ahead_of_the_store_is_rejected() {
    let (mut ahead, mut behind) = (Client::new().await, Client::new().await);
    let mut last = ahead.touch(&["doc:plan#reader@user:ada"]).await;
    for _ in 0..3 {
        last = ahead.touch(&["doc:plan#reader@user:bob"]).await;
    }
    behind.touch(&["doc:plan#reader@user:ada"]).await;
    // The same revision of the other's store.
    let reached = ahead.ada_reads(at_least_as_fresh(&last)).await;
    assert_eq!(reached.at, last);
    let unreached = forge(&behind.touch(&["doc:plan#reader@user:eve"]).await, &last);
    // Head shows that the store is behind. The service itself judges a snapshot.
    for (consistency, code) in [
        (at_least_as_fresh as fn(&ZedToken) -> _, Code::Unavailable),
        (at_exact_snapshot, Code::OutOfRange),
    ] {
        let status = behind
            .permissions
            .check_permission(ada_reads(consistency(&unreached)))
            .await
            .unwrap_err();
        assert_eq!(status.code(), code, "{status}");
    }
}

/// The revision of `other` as one of the store of `own`.
fn forge(own: &ZedToken, other: &ZedToken) -> ZedToken {
    use tower_zookie::revision::{HybridTime, Revision};
    use tower_zookie::token::TokenFormat;
    use tower_zookie::token::spicedb::ZedTokens;

    let format = ZedTokens::new(crate::service::ENGINE);
    let (own, other) = (format.decode(&own.token).unwrap(), format.decode(&other.token).unwrap());
    let point = *other.point::<HybridTime>().unwrap();
    token(
        format
            .encode(&Revision::new(own.store().clone(), point))
            .unwrap()
            .as_str(),
    )
}
