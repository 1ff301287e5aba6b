//! The whole question is in the key.

use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{
    CheckBulkPermissionsRequest, CheckBulkPermissionsRequestItem, CheckPermissionRequest, Kind, SubjectReference,
    check, context, document, object, user,
};

use crate::server::Server;

/// Requests that differ in one thing each.
fn different() -> Vec<CheckPermissionRequest> {
    let usual = check("plan", "ada", None);
    let subject = |relation: &str| {
        Some(SubjectReference {
            optional_relation: relation.to_owned(),
            ..user("ada").unwrap()
        })
    };
    let with = |context| CheckPermissionRequest {
        context,
        ..check("plan", "ada", None)
    };
    vec![
        check("plan", "ada", None),
        check("plans", "ada", None),
        check("plan", "bob", None),
        CheckPermissionRequest {
            permission: "edit".to_owned(),
            ..usual.clone()
        },
        CheckPermissionRequest {
            resource: object("folder", "plan"),
            ..usual.clone()
        },
        CheckPermissionRequest {
            subject: subject("member"),
            ..usual
        },
        with(context(&[("n", Kind::NumberValue(1.0))])),
        with(context(&[("n", Kind::StringValue("1".into()))])),
        with(context(&[("n", Kind::BoolValue(true))])),
        with(context(&[("m", Kind::NumberValue(1.0))])),
        with(context(&[("n", Kind::NumberValue(1.0)), ("m", Kind::NumberValue(1.0))])),
    ]
}

#[tokio::test]
async fn rule_10_requests_that_differ_anywhere_share_nothing() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    for request in different() {
        assert!(!client.check(&request).await.is_hit(), "{request:?}");
    }
    let folder = CheckPermissionRequest {
        resource: object("folder", "plan"),
        ..check("plan", "ada", None)
    };
    for request in different().into_iter().filter(|request| *request != folder) {
        assert!(client.check(&request).await.is_hit(), "{request:?}");
    }
}

#[tokio::test]
async fn rule_10_callers_with_other_credentials_share_nothing() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let request = check("plan", "ada", None);
    client.check(&request).await;
    for (name, value) in [("authorization", "Bearer another-key"), ("cookie", "session=1")] {
        let another = client.metadata(name, value);
        assert!(!another.check(&request).await.is_hit(), "{name}");
        assert!(another.check(&request).await.is_hit(), "{name}");
    }
    assert!(client.metadata("user-agent", "another").check(&request).await.is_hit());
}

#[tokio::test]
async fn rule_10_endpoints_share_nothing() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let one = CheckBulkPermissionsRequest {
        items: vec![CheckBulkPermissionsRequestItem {
            resource: document("plan"),
            permission: "view".to_owned(),
            subject: user("ada"),
            context: None,
        }],
        ..CheckBulkPermissionsRequest::default()
    };
    client.check(&check("plan", "ada", None)).await;
    assert!(!client.bulk(&one).await.is_hit());
    let experimental = client.call("ExperimentalService/BulkCheckPermission", &one).await;
    assert!(!experimental.is_hit());
    assert!(client.bulk(&one).await.is_hit());
    assert!(
        client
            .call("ExperimentalService/BulkCheckPermission", &one)
            .await
            .is_hit()
    );
}
