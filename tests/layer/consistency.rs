//! How fresh a caller wants its answer.

use std::time::Duration;

use http::StatusCode;
use tokio::time::advance;
use tower_zookie_testing::scripted::{Client, Upstream, z};

#[tokio::test(start_paused = true)]
async fn rule_02_exact_needs_exactly_one_explicit_token() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let exact = || client.check("a").consistency("at-exact-snapshot");
    let two = client.get(&format!("/check?resource=a&token={}", z(1)));
    for request in [
        exact(),
        exact().cookie(1),
        two.zookie(1).consistency("at-exact-snapshot"),
    ] {
        let reply = request.send().await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert_eq!(reply.json()["type"], "urn:tower-zookie:exact-needs-one-zookie");
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_cookie_does_not_move_an_exact_read() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.grant("a");
    assert!(client.check("a").send().await.allowed());
    for status in ["fwd=request; stored", "hit"] {
        let reply = client
            .check("a")
            .zookie(1)
            .cookie(2)
            .consistency("at-exact-snapshot")
            .send()
            .await;
        assert_eq!((reply.allowed(), reply.revision(), reply.outcome()), (false, 1, status));
    }
    let seen = upstream.last();
    assert_eq!(seen.header("zookie-consistency"), Some("at-exact-snapshot"));
    assert_eq!(seen.header("zookie"), Some(&*z(1)));
    assert!(
        client.check("a").send().await.allowed(),
        "an exact answer never replaces the newest"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_03_full_never_takes_an_entry() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    upstream.grant("a");
    let full = [
        client.check("a").consistency("fully-consistent"),
        client.check("a").header("cache-control", "no-cache"),
        client.check("a").header("cache-control", "max-age=0, No-Cache"),
        client
            .check("a")
            .header("cache-control", "no-cache")
            .consistency("minimize-latency"),
    ];
    for (nth, request) in full.into_iter().enumerate() {
        let reply = request.send().await;
        assert_eq!((reply.allowed(), reply.outcome()), (true, "fwd=request; stored"));
        assert_eq!(upstream.calls(), nth + 2);
        assert_eq!(upstream.last().header("zookie-consistency"), Some("fully-consistent"));
    }
    assert!(client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_01_full_still_covers_the_floor() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let reply = client.check("a").zookie(5).consistency("fully-consistent").send().await;
    assert_eq!(
        reply.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "the upstream has not reached it: {reply:?}"
    );
    for _ in 1..5 {
        upstream.grant("a");
    }
    advance(Duration::from_secs(1)).await;
    let reply = client.check("a").zookie(5).consistency("fully-consistent").send().await;
    assert_eq!((reply.status, reply.revision()), (StatusCode::OK, 5));
}

#[tokio::test(start_paused = true)]
async fn rule_04_bounded_staleness_counts_from_full_reads() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let bounded = || client.check("a").consistency("bounded-staleness=2s");
    client.check("a").send().await;
    assert!(
        !bounded().send().await.is_hit(),
        "it is unknown how old the upstream's choice was"
    );
    assert_eq!(upstream.last().header("zookie-consistency"), Some("fully-consistent"));
    advance(Duration::from_secs(2)).await;
    assert!(bounded().send().await.is_hit());
    advance(Duration::from_millis(1)).await;
    assert_eq!(bounded().send().await.outcome(), "fwd=stale; stored");
}

#[tokio::test(start_paused = true)]
async fn rule_04_no_answer_is_older_than_the_bound() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    advance(Duration::from_millis(5501)).await;
    let reply = client.check("a").zookie(1).send().await;
    assert_eq!(reply.outcome(), "fwd=stale; stored");
    assert!(reply.cache_status().contains("too old"), "{}", reply.cache_status());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_consistency_is_rejected_with_advice() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let twice = client
        .check("a")
        .consistency("fully-consistent")
        .consistency("minimize-latency");
    for request in [
        client.check("a").consistency("fresh"),
        client.check("a").consistency(""),
        twice,
    ] {
        let reply = request.send().await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("at-least-as-fresh"), "{detail}");
    }
    assert_eq!(upstream.calls(), 0);
}
