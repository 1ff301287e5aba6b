//! Reads that are never stored: forwarded, no lower than their floors.

use prost::Message;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::frame::frame;
use tower_zookie_testing::grpc::UNAVAILABLE;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{
    Consistency, ExpandPermissionTreeResponse, LookupResourcesRequest, Requirement, ZedToken, at_least, exactly, full,
    user,
};

use crate::server::Server;

fn lookup(consistency: Option<Consistency>) -> LookupResourcesRequest {
    LookupResourcesRequest {
        consistency,
        resource_object_type: "document".to_owned(),
        permission: "view".to_owned(),
        subject: user("ada"),
        optional_limit: 0,
        ..LookupResourcesRequest::default()
    }
}

const LISTING: &str = "PermissionsService/LookupResources";
const EXPANSION: &str = "PermissionsService/ExpandPermissionTree";

#[tokio::test]
async fn reads_without_tokens_are_forwarded_byte_for_byte() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    server.calls();
    for method in [LISTING, EXPANSION] {
        for consistency in [None, at_least(&token), exactly(&token), full()] {
            let body = frame(&lookup(consistency).encode_to_vec());
            let reply = client.metadata("grpc-timeout", "9S").send(method, body.clone()).await;
            assert!(reply.cache_status().starts_with("tower-zookie; fwd=bypass"));
            let calls = server.calls();
            assert_eq!((calls.len(), &calls[0].body), (1, &body));
            assert_eq!(calls[0].headers["grpc-timeout"], "9S");
        }
    }
}

#[tokio::test]
async fn rule_01_a_carrier_raises_a_reads_floor() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let older = client.set("plan", "ada", true).await;
    let newer = client.set("plan", "ada", true).await;
    server.calls();
    let session = client.metadata("zookie", &newer);
    for method in [LISTING, EXPANSION] {
        for consistency in [None, at_least(&older), at_least(&newer)] {
            session.call(method, &lookup(consistency)).await;
            let asked = server.calls().remove(0).consistency;
            assert_eq!(asked, Some(Requirement::AtLeastAsFresh(ZedToken::new(&newer))));
        }
        session.call(method, &lookup(full())).await;
        assert_eq!(
            server.calls().remove(0).consistency,
            Some(Requirement::FullyConsistent(true))
        );
        let at_head = client.metadata("zookie-consistency", "fully-consistent");
        at_head.call(method, &lookup(at_least(&older))).await;
        assert_eq!(
            server.calls().remove(0).consistency,
            Some(Requirement::FullyConsistent(true))
        );
    }
}

#[tokio::test]
async fn rule_11_pages_are_forwarded_unmodified() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    server.calls();
    let page = LookupResourcesRequest {
        optional_limit: 10,
        ..lookup(None)
    };
    let body = frame(&page.encode_to_vec());
    client.metadata("zookie", &token).send(LISTING, body.clone()).await;
    assert_eq!(server.calls()[0].body, body);
}

#[tokio::test]
async fn a_reply_of_one_message_has_its_token() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    server.quantize();
    assert_eq!(
        client.call(EXPANSION, &lookup(None)).await.header("zookie"),
        Some(&*token)
    );
    assert_eq!(
        client.call(LISTING, &lookup(None)).await.header("zookie"),
        None,
        "a stream's is in it"
    );
}

#[tokio::test]
async fn rule_06_a_session_does_not_go_back_when_a_head_is_late() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    server.share_head(1);
    let token = client.set("plan", "ada", true).await;
    let session = client.metadata("cookie", &format!("zookie={}", token.replace('=', "%3D")));
    let reply = session.call(EXPANSION, &lookup(full())).await;
    // It is asked once more or rejected, but the answer is never below what the caller knows.
    match reply.status() {
        UNAVAILABLE => assert_eq!(reply.header("zookie"), None),
        _ => {
            let at = reply
                .message::<ExpandPermissionTreeResponse>()
                .expanded_at
                .unwrap()
                .token;
            assert!(server.point(&at) >= server.point(&token));
            assert_eq!(reply.header("zookie"), Some(&*at), "the store's own word");
        }
    }
    if let Some(cookie) = reply.header("set-cookie") {
        assert!(cookie.contains(&token.replace('=', "%3D")), "{cookie}");
    }
}

#[tokio::test]
async fn the_schema_is_read_at_head_unmodified() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    server.calls();
    for session in [client.clone(), client.metadata("zookie", &token)] {
        let reply = session.send("SchemaService/ReadSchema", frame(b"")).await;
        assert_eq!(reply.header("zookie"), Some(&*token));
        assert!(reply.cache_status().starts_with("tower-zookie; fwd=bypass"));
        assert_eq!(server.calls()[0].body, frame(b""));
    }
}

#[tokio::test]
async fn unclaimed_calls_pass_unmodified() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    for method in ["WatchService/Watch", "PermissionsService/Nope", "NopeService/Nope"] {
        let reply = client.send(method, frame(b"whatever")).await;
        assert_eq!(reply.header("cache-status"), None);
        assert_eq!(reply.status(), 12);
    }
}
