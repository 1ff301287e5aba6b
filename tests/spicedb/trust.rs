//! What a client's token can't do, and what another replica's can.

use std::time::Duration;

use tokio::time::advance;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::{PostgresSnapshot, Revision, StoreId};
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::ZedTokens;

use crate::api::{Requirement, at_least, check, exactly, full};
use crate::client::Client;
use crate::server::{Called, OK, Server};

fn is_probe(call: &Called) -> bool {
    call.method == "CheckBulkPermissions"
        && call.items == 0
        && call.consistency == Some(Requirement::FullyConsistent(true))
}

#[tokio::test]
async fn rule_08_a_probe_proves_a_write_of_another_replica() {
    for engine in [Engine::Postgres, Engine::CockroachDb, Engine::MySql] {
        let server = Server::new(engine);
        let client = Client::new(&server, engine).metadata("x-request-id", "of-the-caller");
        let token = server.set("plan", "ada", true);
        let request = check("plan", "ada", at_least(&token));
        let first = client.check(&request).await;
        assert!(first.has() && first.at() == token);
        let calls = server.calls();
        assert!(calls.len() == 2 && is_probe(&calls[0]), "{calls:?}");
        assert_eq!(calls[0].headers["authorization"], "Bearer example-key");
        assert!(!calls[0].headers.contains_key("x-request-id"));
        assert_eq!(
            calls[1].consistency,
            Some(Requirement::AtLeastAsFresh(crate::api::zed_token(&token)))
        );
        assert_eq!(client.check(&request).await.is_hit(), engine != Engine::MySql);
        assert_eq!(client.layer.handle().stats().probes, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_forged_floor_makes_nothing_fresh() {
    for engine in [Engine::Postgres, Engine::CockroachDb, Engine::MySql, Engine::Memory] {
        let server = Server::new(engine);
        let client = Client::new(&server, engine);
        server.set("plan", "mallory", true);
        let forged = server.token(5000);
        let echoed = client.check(&check("plan", "mallory", at_least(&forged))).await;
        assert!(echoed.has() && echoed.checked().checked_at.unwrap().token == forged);
        let revoked = server.set("plan", "mallory", false);
        advance(Duration::from_millis(200)).await;
        let judged = client.check(&check("plan", "mallory", at_least(&revoked))).await;
        assert!(!judged.has() && !judged.is_hit(), "{engine:?}");
        let judged = client.check(&check("plan", "mallory", at_least(&forged))).await;
        assert!(!judged.has() && !judged.is_hit(), "not even for the forger");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_forged_exact_snapshot_makes_nothing_fresh() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    client.check(&check("plan", "mallory", full())).await;
    // It sees a transaction that nobody has begun, and lacks one that everybody sees: the server can't tell.
    let concurrent = {
        let store = StoreId::new(["spicedb", "postgres", "6349aaf2"]);
        let snapshot = PostgresSnapshot::new(900, 5000, [900]).unwrap();
        let revision = Revision::new(store, snapshot);
        ZedTokens::new(Engine::Postgres)
            .encode(&revision)
            .unwrap()
            .as_str()
            .to_owned()
    };
    for forged in [concurrent, server.token(5000)] {
        server.set("plan", "mallory", true);
        server.calls();
        for _ in 0..2 {
            let reply = client.check(&check("plan", "mallory", exactly(&forged))).await;
            assert!(reply.status() == OK && reply.has() && !reply.is_hit());
            advance(Duration::from_millis(200)).await;
        }
        let revoked = server.set("plan", "mallory", false);
        for consistency in [at_least(&revoked), exactly(&forged), at_least(&forged)] {
            let reply = client.check(&check("plan", "mallory", consistency)).await;
            assert!(!reply.has() && !reply.is_hit());
        }
    }
}

#[tokio::test]
async fn rule_08_a_probe_proves_another_replicas_snapshot() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let granted = server.set("plan", "ada", true);
    server.set("plan", "ada", false);
    let request = check("plan", "ada", exactly(&granted));
    let (first, second) = (client.check(&request).await, client.check(&request).await);
    assert!(first.has() && !first.is_hit() && second.has() && second.is_hit());
    let calls = server.calls();
    assert!(calls.len() == 2 && is_probe(&calls[0]), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_hundred_forged_floors_do_not_cost_a_hundred_probes() {
    let server = Server::new(Engine::Postgres);
    server.state().latency = Duration::from_millis(5);
    let client = Client::new(&server, Engine::Postgres);
    let forged = (0..100).map(|n| {
        let (client, token) = (client.clone(), server.token(5000 + n));
        tokio::spawn(async move { client.check(&check("plan", "mallory", at_least(&token))).await })
    });
    for reply in forged.collect::<Vec<_>>() {
        assert_eq!(reply.await.unwrap().status(), OK);
    }
    let calls = server.calls();
    assert_eq!(
        (calls.iter().filter(|call| is_probe(call)).count(), calls.len()),
        (1, 101)
    );
    assert_eq!(client.layer.handle().stats().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_token_of_another_datastore_is_the_upstreams_to_judge() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    client.set("plan", "ada", true).await;
    let foreign = server.token_of(5000, "anothers");
    for _ in 0..3 {
        let reply = client.check(&check("plan", "ada", at_least(&foreign))).await;
        assert!(reply.has() && !reply.is_hit(), "answered at head, and kept by nobody");
        assert_eq!(reply.at(), server.token(1001));
        advance(Duration::from_millis(200)).await;
    }
    let refused = client
        .metadata("zookie", &foreign)
        .check(&check("plan", "ada", None))
        .await;
    assert_eq!(
        refused.cache_status(),
        "tower-zookie; detail=\"refused: zookie-foreign\""
    );
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_replaced_or_restored_datastore_begins_an_epoch() {
    for restored in [false, true] {
        let server = Server::new(Engine::Postgres);
        let client = Client::new(&server, Engine::Postgres);
        server.jump(2000);
        let token = client.set("plan", "ada", true).await;
        assert!(client.check(&check("plan", "ada", at_least(&token))).await.has());
        assert!(client.check(&check("plan", "ada", None)).await.is_hit());
        // Longer than a head may be late.
        advance(Duration::from_millis(500)).await;
        {
            server.restore(1500);
            if !restored {
                server.state().prefix = "anothers".to_owned();
            }
        }
        client.check(&check("plan", "somebody", full())).await;
        let reply = client.check(&check("plan", "ada", None)).await;
        assert!(!reply.is_hit() && !reply.has(), "restored: {restored}");
    }
}
