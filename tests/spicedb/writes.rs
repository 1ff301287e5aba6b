//! The layer learns from writes, and a schema change ends all stored answers.

use prost::Message;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::frame::frame;
use tower_zookie_testing::grpc::{INVALID_ARGUMENT, UNKNOWN};
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{WriteRelationshipsRequest, at_least, check};

use crate::server::Server;

#[tokio::test]
async fn rule_08_the_token_of_a_write_is_named() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    assert!(client.handle().newest_revision().is_some());
    assert_eq!(server.calls().len(), 1);
    client.check(&check("plan", "ada", at_least(&token))).await;
    let calls = server.calls();
    assert_eq!(calls.len(), 1, "no head read");
    assert_eq!(calls[0].consistency, at_least(&token).unwrap().requirement);
}

#[tokio::test]
async fn rule_13_a_schema_change_or_an_import_ends_all_answers() {
    for method in [
        "SchemaService/WriteSchema",
        "PermissionsService/ImportBulkRelationships",
    ] {
        let server = Server::new(Engine::Postgres);
        let client = Client::new(&server, Engine::Postgres);
        let request = check("plan", "ada", None);
        client.check(&request).await;
        assert!(client.check(&request).await.is_hit());
        for status in [INVALID_ARGUMENT, 7, 16] {
            server.state().down = Some(status);
            let rejected = client.call(method, &WriteRelationshipsRequest::default()).await;
            assert_eq!(rejected.status(), status);
            server.state().down = None;
            assert!(
                client.check(&request).await.is_hit(),
                "it was surely not made: {status}"
            );
        }
        client.call(method, &WriteRelationshipsRequest::default()).await;
        assert!(!client.check(&request).await.is_hit(), "{method}");
    }
}

#[tokio::test]
async fn rule_13_a_schema_write_of_unknown_outcome_ends_all() {
    let request = check("plan", "ada", None);
    for status in [1, UNKNOWN, 4, 13, 14] {
        let server = Server::new(Engine::Postgres);
        let client = Client::new(&server, Engine::Postgres);
        client.check(&request).await;
        assert!(client.check(&request).await.is_hit());
        server.state().down = Some(status);
        client
            .call("SchemaService/WriteSchema", &WriteRelationshipsRequest::default())
            .await;
        server.state().down = None;
        assert!(!client.check(&request).await.is_hit(), "{status}");
    }
}

#[tokio::test]
async fn a_write_is_forwarded_unmodified() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres)
        .metadata("grpc-timeout", "3S")
        .metadata("x-request-id", "mine");
    client.set("plan", "ada", true).await;
    let calls = server.calls();
    assert_eq!(calls[0].headers["grpc-timeout"], "3S");
    assert_eq!(calls[0].headers["x-request-id"], "mine");
    assert_eq!(calls[0].method, "WriteRelationships");
    let body = frame(&WriteRelationshipsRequest::default().encode_to_vec());
    let reply = client.send("PermissionsService/WriteRelationships", body.clone()).await;
    assert_eq!(
        reply.trailers.unwrap()["x-request-id"],
        "of-the-leader",
        "whole and unmodified"
    );
    assert_eq!(server.calls()[0].body, body);
}
