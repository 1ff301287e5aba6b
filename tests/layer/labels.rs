//! What a client's token can't make the layer assume.

use std::time::Duration;

use http::StatusCode;
use tokio::time::advance;
use tower_zookie_testing::scripted::{Client, Upstream, z};

#[tokio::test(start_paused = true)]
async fn rule_08_a_forged_token_is_neither_stored_nor_claimed() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    for _ in 0..3 {
        let reply = client.check("a").zookie(1000).send().await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{reply:?}");
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(reply.header("zookie"), None);
    }
    assert_eq!(upstream.last().header("zookie-consistency"), Some("fully-consistent"));
    let reply = client.check("a").send().await;
    assert_eq!((reply.is_hit(), reply.revision()), (true, 1));
    let newest = client.layer.handle().newest_revision().unwrap();
    assert_eq!(newest.as_str(), z(1));
}

#[tokio::test(start_paused = true)]
async fn rule_08_another_replicas_write_costs_one_head_read() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let revision = upstream.grant("a");
    let reply = client.check("a").zookie(revision).send().await;
    assert_eq!((reply.allowed(), reply.revision()), (true, 2));
    assert_eq!(upstream.last().header("zookie-consistency"), Some("fully-consistent"));
    assert!(client.check("a").zookie(revision).send().await.is_hit());
    let reply = client.check("b").zookie(revision).send().await;
    assert_eq!(reply.outcome(), "fwd=miss; stored");
    assert_eq!(upstream.last().header("zookie"), Some(&*z(2)));
    assert_eq!(upstream.last().header("zookie-consistency"), Some("at-least-as-fresh"));
}

#[tokio::test(start_paused = true)]
async fn rule_05_another_store_drops_everything_known() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    client.check("b").send().await;
    upstream.become_store("n2");
    advance(Duration::from_secs(6)).await;
    let reply = client.check("a").send().await;
    assert!(!reply.outcome().contains("; stored"), "{}", reply.outcome());
    assert!(client.check("a").send().await.outcome().contains("; stored"));
    assert!(!client.check("b").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_05_replies_that_should_name_a_revision_are_not_stored() {
    let upstream = Upstream::new();
    upstream.send_zookies(false);
    let client = Client::new(&upstream);
    for _ in 0..2 {
        let reply = client.check("a").send().await;
        assert_eq!(reply.outcome(), "fwd=miss");
        assert_eq!(reply.header("zookie"), None);
    }
}
