//! The cost of another replica's tokens, and the effect of a store with another identity or another history.

use std::time::Duration;

use tokio::time::advance;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{Requirement, at_least, check, exactly, full};

use crate::server::Server;

#[tokio::test]
async fn rule_08_a_head_read_makes_another_replicas_write_known() {
    for engine in [Engine::Postgres, Engine::CockroachDb, Engine::MySql] {
        let server = Server::new(engine);
        let client = Client::new(&server, engine).metadata("x-request-id", "of-the-caller");
        let token = server.set("plan", "ada", true);
        let request = check("plan", "ada", at_least(&token));
        let first = client.check(&request).await;
        assert!(first.has() && server.point(&first.at()) >= server.point(&token));
        let calls = server.calls();
        assert_eq!(calls.len(), 1, "the question itself, and nothing before it: {calls:?}");
        assert_eq!(calls[0].method, "CheckPermission");
        assert_eq!(calls[0].consistency, Some(Requirement::FullyConsistent(true)));
        assert_eq!(calls[0].headers["authorization"], "Bearer example-key");
        assert_eq!(client.check(&request).await.is_hit(), engine != Engine::MySql);
        // A caller with another question needs no head read any more.
        client.check(&check("map", "ada", at_least(&token))).await;
        let full = Some(Requirement::FullyConsistent(true));
        assert!(server.calls().iter().all(|call| call.consistency != full), "{engine:?}");
    }
}

#[tokio::test]
async fn rule_02_a_settled_snapshot_is_stored_for_exact_reads() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let granted = server.set("plan", "ada", true);
    server.set("plan", "ada", false);
    // A head that covers the snapshot.
    client.check(&check("plan", "somebody", full())).await;
    server.calls();
    let request = check("plan", "ada", exactly(&granted));
    let (first, second) = (client.check(&request).await, client.check(&request).await);
    assert!(first.has() && !first.is_hit() && second.has() && second.is_hit());
    assert_eq!(server.calls().len(), 1);
    assert!(!client.check(&check("plan", "ada", None)).await.is_hit());
}

#[tokio::test]
async fn rule_02_an_unsettled_snapshot_is_asked_each_time() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let granted = server.set("plan", "ada", true);
    let request = check("plan", "ada", exactly(&granted));
    for _ in 0..2 {
        assert!(!client.check(&request).await.is_hit());
        let calls = server.calls();
        assert_eq!(calls.len(), 1, "and nothing else: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_another_datastores_token_is_judged_upstream() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    client.set("plan", "ada", true).await;
    let foreign = server.token_of(5000, "anothers");
    for _ in 0..3 {
        let reply = client.check(&check("plan", "ada", at_least(&foreign))).await;
        assert!(reply.has() && !reply.is_hit(), "answered at head, and not stored");
        assert_eq!(reply.at(), server.token(1001));
        advance(Duration::from_millis(200)).await;
    }
    let rejected = client
        .metadata("zookie", &foreign)
        .check(&check("plan", "ada", None))
        .await;
    assert_eq!(
        rejected.cache_status(),
        "tower-zookie; detail=\"rejected: zookie-foreign\""
    );
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_replaced_datastore_begins_an_epoch() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    server.jump(2000);
    let token = client.set("plan", "ada", true).await;
    assert!(client.check(&check("plan", "ada", at_least(&token))).await.has());
    assert!(client.check(&check("plan", "ada", None)).await.is_hit());
    advance(Duration::from_millis(500)).await;
    server.restore(1500);
    server.state().prefix = "anothers".to_owned();
    client.check(&check("plan", "somebody", full())).await;
    let reply = client.check(&check("plan", "ada", None)).await;
    assert!(!reply.is_hit() && !reply.has());
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_restored_datastore_begins_an_epoch() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    server.jump(2000);
    let token = client.set("plan", "ada", true).await;
    assert!(client.check(&check("plan", "ada", at_least(&token))).await.has());
    advance(Duration::from_millis(500)).await;
    server.restore(1500);
    // A head may be late, but not for more than five seconds.
    client.check(&check("plan", "somebody", full())).await;
    advance(Duration::from_millis(5100)).await;
    client.check(&check("plan", "somebody", full())).await;
    let reply = client.check(&check("plan", "ada", None)).await;
    assert!(!reply.is_hit() && !reply.has());
    assert!(
        client.check(&check("plan", "ada", None)).await.is_hit(),
        "its present answer is stored"
    );
}
