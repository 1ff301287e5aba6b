//! Permify's change feed.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::client::SCHEMA;
use crate::server::Server;

const A_WHILE: Duration = Duration::from_secs(30);

pub(crate) async fn rule_08_the_change_feed_names_writes_of_others(server: &'static Server) {
    let tenant = server.tenant("watched");
    let (watching, deaf) = (server.replica(&tenant), server.replica(&tenant));
    let direct = server.direct(&tenant);
    direct.define(SCHEMA).await;
    // The feed of a tenant without data never sends anything.
    direct.grant("other", "alice").await;
    let layer = watching.layer.clone().unwrap();
    let (channel, watched) = (watching.channel.clone(), tenant.clone());
    let feed = layer.feed(channel).unwrap().tenant(watched);
    let feed = tokio::spawn(async move { layer.follow(feed).await });

    let token = direct.grant("plan", "alice").await;
    let stored = async {
        // There is no signal that the feed is open, and it does not report what is written before.
        while !watching.check_exactly("plan", "alice", &token).await.allows().hit() {
            direct.grant("later", "alice").await;
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(A_WHILE, stored).await.unwrap();
    feed.abort();
    for _ in 0..3 {
        let answer = deaf.check_exactly("plan", "alice", &token).await;
        answer.allows().is_forwarded();
    }
}
