//! Probes: writes that change nothing.

use tower_zookie::protocol::Permify;

use crate::client::SCHEMA;
use crate::server::Server;

pub(crate) async fn rule_08_a_probe_opens_a_window_for_writes_of_others(server: &'static Server) {
    let tenant = server.tenant("probing");
    let permify = Permify::new(server.engine).probe_by_writing(&server.tenant("probes"));
    let (replica, direct) = (
        server.replica_of(&tenant, permify, |builder| builder),
        server.direct(&tenant),
    );
    direct.define(SCHEMA).await;
    let granted = direct.grant("plan", "alice").await;
    let revoked = direct.revoke("plan", "alice").await;
    replica
        .check("plan", "alice", &revoked)
        .await
        .denies()
        .is("fwd=miss; stored");
    replica.check("plan", "alice", &revoked).await.denies().is_hit();
    // If it were asked as the caller sent it, this would be allowed: Permify reads at exactly that token.
    replica.check("plan", "alice", &granted).await.denies().is_hit();
    let asked = replica.asked_at();
    assert!(server.covers(&asked[0], &revoked) && asked[0] != revoked);
    assert_eq!(replica.layer.as_ref().unwrap().stats().probes, 1);
}
