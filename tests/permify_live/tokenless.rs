//! Checks without a token.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tower_zookie::consistency::Staleness;
use tower_zookie::protocol::Permify;

use crate::client::SCHEMA;
use crate::server::Server;

const A_WHILE: Duration = Duration::from_secs(20);

pub(crate) async fn reads_without_a_token_are_head(server: &'static Server) {
    let tenant = server.tenant("head");
    let (replica, direct) = (server.replica(&tenant), server.direct(&tenant));
    direct.define(SCHEMA).await;
    direct.grant("other", "alice").await;
    for _ in 0..2 {
        replica.check("plan", "alice", "").await.denies().is("fwd=request");
        direct.grant("plan", "alice").await;
        replica.check("plan", "alice", "").await.allows().is("fwd=request");
        direct.revoke("plan", "alice").await;
    }
    assert_eq!(replica.asked_at(), [""; 4]);
}

pub(crate) async fn rule_04_windowed_reads_are_no_older_than_the_window(server: &'static Server) {
    let tenant = server.tenant("windowed");
    let windowed = |window| {
        let permify = Permify::new(server.engine).window_reads_without_token();
        server.replica_of(&tenant, permify, |builder| {
            builder.cache(|cache| cache.window(window, Staleness::percent(10)).time_to_live(2 * window))
        })
    };
    let short = Duration::from_millis(500);
    let (slow, quick) = (windowed(Duration::from_secs(3600)), windowed(short));
    let direct = server.direct(&tenant);
    direct.define(SCHEMA).await;
    direct.grant("other", "alice").await;
    for replica in [&slow, &quick] {
        replica.check("plan", "alice", "").await.denies().is("fwd=miss; stored");
    }
    direct.grant("plan", "alice").await;
    slow.check("plan", "alice", "").await.denies().is_hit();
    // The write went around the layer.
    let seen = async {
        while quick.check("plan", "alice", "").await.allowed == [false] {
            sleep(short / 10).await;
        }
    };
    timeout(A_WHILE, seen).await.unwrap();
    // A token demands more.
    let token = slow.grant("third", "alice").await;
    slow.check("plan", "alice", &token).await.allows();
    slow.check("plan", "alice", "").await.allows().is_hit();
}
