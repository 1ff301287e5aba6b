//! Checks at exactly one snapshot.

use crate::client::{Client, SCHEMA};
use crate::server::Server;

/// Writes unrelated data until a token settles this one.
async fn settle(server: &Server, replica: &Client, token: &str) {
    for nth in 0..50 {
        let later = replica.grant(&format!("later-{nth}"), "nobody").await;
        if server.settles(&later, token) {
            return;
        }
    }
    panic!("the server is too busy")
}

pub(crate) async fn rule_02_a_settled_snapshot_is_stored(server: &'static Server) {
    let replica = server.replica(&server.tenant("settled"));
    replica.define(SCHEMA).await;
    let token = replica.grant("plan", "alice").await;
    settle(server, &replica, &token).await;
    replica
        .check_exactly("plan", "alice", &token)
        .await
        .allows()
        .is("stored");
    assert_eq!(replica.asked_at(), [&*token]);
    replica.check_exactly("plan", "alice", &token).await.allows().is_hit();
}

pub(crate) async fn rule_02_an_old_snapshot_gives_its_old_answer(server: &'static Server) {
    let replica = server.replica(&server.tenant("snapshots"));
    replica.define(SCHEMA).await;
    let granted = replica.grant("plan", "alice").await;
    let revoked = replica.revoke("plan", "alice").await;
    settle(server, &replica, &granted).await;
    settle(server, &replica, &revoked).await;
    for hit in [false, true] {
        let before = replica.check_exactly("plan", "alice", &granted).await;
        assert_eq!(before.allows().hit(), hit, "{}", before.status);
        let after = replica.check_exactly("plan", "alice", &revoked).await;
        assert_eq!(after.denies().hit(), hit, "{}", after.status);
    }
    assert_eq!(replica.asked_at(), [&*granted, &*revoked]);
    // It answers only callers that ask for exactly this snapshot.
    replica.check("plan", "alice", &revoked).await.denies();
}
