//! What the settings and the engines change.

use std::time::Duration;

use tokio::time::sleep;
use tower_zookie::OldTokens;
use tower_zookie::protocol::permify::{Engine, Permify};
use tower_zookie_testing::frame::unframed;
use tower_zookie_testing::grpc::{INVALID_ARGUMENT, OK, OUT_OF_RANGE};
use tower_zookie_testing::permify::Client;
use tower_zookie_testing::permify::messages::PermissionBulkCheckRequest;

use crate::api::{bulk, check, lookup};
use crate::server::Server;

const OLDEST: Duration = Duration::from_secs(60);

/// A client that has known one token for too long, and another one for a shorter time.
async fn with_an_old_token(server: &Server, old_tokens: OldTokens) -> (Client, String, String) {
    let api = Permify::new(Engine::Postgres);
    let client = Client::with(server, api, |builder| {
        builder.oldest_token(OLDEST, old_tokens).forward_bad_tokens(true)
    });
    let old = client.set("plan", "ada", true).await;
    sleep(OLDEST + Duration::from_secs(1)).await;
    let young = client.set("plan", "ada", false).await;
    server.calls();
    (client, old, young)
}

#[tokio::test(start_paused = true)]
async fn old_tokens_are_rejected() {
    let server = Server::new(Engine::Postgres);
    let (client, old, young) = with_an_old_token(&server, OldTokens::Reject).await;
    let exact = client.metadata("zookie-consistency", "at-exact-snapshot");
    let in_header = client.metadata("zookie", &old);
    for reply in [
        client.check(&check("plan", "ada", &old)).await,
        exact.check(&check("plan", "ada", &old)).await,
        in_header.check(&check("plan", "ada", &young)).await,
        client
            .metadata("zookie", "garbage!")
            .check(&check("plan", "ada", &old))
            .await,
        client.bulk(&bulk(&[("plan", "ada")], &old)).await,
        client.call("Permission/LookupEntity", &lookup("ada", &old)).await,
    ] {
        assert_eq!(reply.status(), OUT_OF_RANGE);
        assert!(!reply.header("grpc-message").unwrap().contains(&*old));
    }
    assert!(server.calls().is_empty());
    assert!(!client.check(&check("plan", "ada", &young)).await.allowed());
}

#[tokio::test(start_paused = true)]
async fn old_tokens_are_asked_at_head() {
    let server = Server::new(Engine::Postgres);
    let (client, old, _) = with_an_old_token(&server, OldTokens::AskAtHead).await;
    let reply = client.check(&check("plan", "ada", &old)).await;
    assert!(!reply.allowed() && !reply.is_hit());
    client.call("Permission/LookupEntity", &lookup("ada", &old)).await;
    assert_eq!(server.asked(), ["", ""]);
    let exact = client.metadata("zookie-consistency", "at-exact-snapshot");
    let rejected = exact.check(&check("plan", "ada", &old)).await;
    assert_eq!((rejected.status(), server.calls().len()), (OUT_OF_RANGE, 0));
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_service_can_require_a_token_for_checks() {
    let server = Server::new(Engine::Postgres);
    let api = Permify::new(Engine::Postgres);
    let client = Client::with(&server, api, |builder| builder.require_token(true));
    let token = client.set("plan", "ada", true).await;
    let head = client.metadata("zookie-consistency", "fully-consistent");
    let none = check("plan", "ada", "");
    assert_eq!(client.check(&none).await.status(), INVALID_ARGUMENT);
    assert_eq!(
        client.bulk(&bulk(&[("plan", "ada")], "")).await.status(),
        INVALID_ARGUMENT
    );
    assert!(head.check(&none).await.allowed());
    assert!(client.check(&check("plan", "ada", &token)).await.allowed());
    assert!(client.metadata("zookie", &token).check(&none).await.allowed());
    let listed = client.call("Permission/LookupEntity", &lookup("ada", "")).await;
    assert_eq!(listed.status(), OK);
}

#[tokio::test(start_paused = true)]
async fn rule_02_in_memory_exact_answers_are_not_stored() {
    let server = Server::new(Engine::Memory);
    let client = Client::new(&server, Engine::Memory);
    let token = client.set("plan", "ada", true).await;
    let exact = client.metadata("zookie-consistency", "at-exact-snapshot");
    for _ in 0..2 {
        assert!(!exact.check(&check("plan", "ada", &token)).await.is_stored());
    }
    let items = [("plan", "ada"), ("plan", "bob")];
    client.bulk(&bulk(&items[..1], &token)).await;
    assert!(
        client.bulk(&bulk(&items[..1], &token)).await.is_hit(),
        "one item is one snapshot"
    );
    server.calls();
    for _ in 0..2 {
        assert_eq!(client.bulk(&bulk(&items, &token)).await.decisions(), [true, false]);
        let calls = server.calls();
        let asked: PermissionBulkCheckRequest = unframed(&calls[0].body);
        assert_eq!((calls.len(), asked.items.len()), (1, 2));
    }
    let request = check("plan", "ada", &token);
    assert!(client.check(&request).await.is_stored() && client.check(&request).await.is_hit());
}
