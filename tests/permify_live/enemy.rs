//! The New Enemy problem.

use crate::client::SCHEMA;
use crate::server::Server;

pub(crate) async fn rule_01_a_revocation_is_seen_with_its_token_at_once(server: &'static Server) {
    let replica = server.replica(&server.tenant("revoked"));
    replica.define(SCHEMA).await;
    let granted = replica.grant("plan", "alice").await;
    for _ in 0..2 {
        replica.check("plan", "alice", &granted).await.allows();
    }
    replica.check("plan", "alice", &granted).await.is_hit();

    let revoked = replica.revoke("plan", "alice").await;
    replica.check("plan", "alice", &revoked).await.denies().is_forwarded();
    replica.check("plan", "alice", &revoked).await.denies().is_hit();
    // A caller with an older token gets the same answer, where the newer token surely covers the older one.
    if server.covers(&revoked, &granted) {
        replica.check("plan", "alice", &granted).await.denies().is_hit();
    }
}

/// One replica writes and revokes. The other one has stored the answer from before.
pub(crate) async fn rule_01_another_replicas_revocation_is_seen(server: &'static Server) {
    let tenant = server.tenant("enemy");
    let (writer, other) = (server.replica(&tenant), server.replica(&tenant));
    writer.define(SCHEMA).await;
    writer.grant("plan", "alice").await;
    let own = other.grant("other", "bob").await;
    other.check("plan", "alice", &own).await.allows();
    other.check("plan", "alice", &own).await.allows().is_hit();

    let revoked = writer.revoke("plan", "alice").await;
    let content = writer.grant("plan", "carol").await;
    for replica in [&writer, &other] {
        for token in [&revoked, &content] {
            for _ in 0..3 {
                replica.check("plan", "alice", token).await.denies();
            }
        }
    }
    writer.check("plan", "alice", &content).await.is_hit();
    // It has learned no more than before, and its own token demands no more.
    other.check("plan", "alice", &own).await.allows().is_hit();
    other
        .check("plan", "alice", &other.grant("other", "carol").await)
        .await
        .denies();
}
