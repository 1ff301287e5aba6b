//! Stored answers for fully consistent requests.

use tower_zookie::protocol::SpiceDb;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{check, full};

use crate::server::Server;

fn client(server: &Server, engine: Engine) -> Client {
    Client::with(server, SpiceDb::new(engine), |builder| {
        builder.cache(|cache| cache.prove_at_head(true).background_reads(false))
    })
}

fn methods(server: &Server) -> Vec<String> {
    server.calls().into_iter().map(|call| call.method).collect()
}

#[tokio::test(start_paused = true)]
async fn rule_03_a_stored_answer_is_used_if_a_later_head_shows_it_true() {
    let server = Server::new(Engine::Postgres);
    let client = client(&server, Engine::Postgres);
    client.set("plan", "ada", true).await;
    assert!(client.check(&check("plan", "ada", full())).await.has());
    server.calls();
    let reply = client.check(&check("plan", "ada", full())).await;
    assert!(reply.has());
    assert_eq!(methods(&server), ["ReadSchema"]);

    // The head has moved on, and nothing says that the answer is still true.
    server.set("plan", "ada", false);
    let reply = client.check(&check("plan", "ada", full())).await;
    assert!(!reply.has());
    assert_eq!(methods(&server), ["ReadSchema", "CheckPermission"]);
}

#[tokio::test(start_paused = true)]
async fn rule_03_requests_that_come_at_once_share_a_head_read() {
    let server = Server::new(Engine::Postgres);
    let client = client(&server, Engine::Postgres);
    for user in ["ada", "bob", "eve"] {
        client.check(&check("plan", user, full())).await;
    }
    server.calls();
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|user| check("plan", user, full()));
    let replies = tokio::join!(
        client.check(&ada),
        client.check(&bob),
        client.check(&eve),
        client.check(&ada)
    );
    assert!(!replies.0.has() && !replies.1.has() && !replies.2.has() && !replies.3.has());
    assert_eq!(methods(&server), ["ReadSchema"]);
}

#[tokio::test(start_paused = true)]
async fn rule_03_without_a_stored_answer_no_head_is_read() {
    let server = Server::new(Engine::Postgres);
    let client = client(&server, Engine::Postgres);
    client.check(&check("plan", "ada", full())).await;
    assert_eq!(methods(&server), ["CheckPermission"]);
}

#[tokio::test(start_paused = true)]
async fn rule_03_where_reads_do_not_repeat_nothing_is_proven() {
    for engine in [Engine::Memory, Engine::MySql] {
        let server = Server::new(engine);
        let client = client(&server, engine);
        for _ in 0..2 {
            client.check(&check("plan", "ada", full())).await;
        }
        assert_eq!(methods(&server), ["CheckPermission", "CheckPermission"], "{engine:?}");
    }
}
