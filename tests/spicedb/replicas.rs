//! A SpiceDB that reads from read replicas, whose revisions name nothing.

use std::time::Duration;

use tokio::time::advance;
use tower_zookie::protocol::spicedb::{Engine, SpiceDb};
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{Requirement, ZedToken, at_least, check, exactly};

use crate::server::Server;

fn client(server: &Server) -> Client {
    let protocol = SpiceDb::new(Engine::Postgres).read_replicas();
    Client::with(server, protocol, |builder| builder)
}

#[tokio::test(start_paused = true)]
async fn rule_05_read_replicas_name_no_revision() {
    let server = Server::new(Engine::Postgres);
    let client = client(&server);
    let granted = client.set("plan", "ada", true).await;
    server.quantize();
    server.calls();
    let plain = check("plan", "ada", None);
    assert!(!client.check(&plain).await.is_hit());
    assert!(client.check(&plain).await.is_hit(), "stored by age");
    server.calls();
    for consistency in [at_least(&granted), exactly(&granted)] {
        for _ in 0..2 {
            let reply = client.check(&check("plan", "ada", consistency.clone())).await;
            assert!(reply.has() && !reply.is_hit());
        }
        let calls = server.calls();
        assert_eq!(calls.len(), 2, "each is forwarded, and no head is read");
        let asked = consistency.and_then(|consistency| consistency.requirement);
        assert!(calls.iter().all(|call| call.consistency == asked));
    }
    advance(Duration::from_millis(5501)).await;
    assert!(!client.check(&plain).await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_09_before_read_replicas_a_carriers_token_is_forwarded() {
    let server = Server::new(Engine::Postgres);
    let client = client(&server);
    let granted = client.set("plan", "ada", true).await;
    server.calls();
    let carried = client.metadata("zookie", &granted);
    assert!(carried.check(&check("plan", "ada", None)).await.has());
    let asked = server.calls().pop().and_then(|call| call.consistency);
    assert_eq!(asked, Some(Requirement::AtLeastAsFresh(ZedToken::new(&granted))));
}
