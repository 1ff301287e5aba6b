//! What the inner service receives.

use tower_zookie::Asked;
use tower_zookie::consistency::Consistency;
use tower_zookie_testing::scripted::{Client, Upstream, z};

#[tokio::test(start_paused = true)]
async fn a_shared_call_has_no_headers_of_one_caller() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("other").send().await;
    let token = z(1).replace('=', "%3D");
    client
        .get(&format!("/check?zookie={token}&resource=a&token={token}"))
        .zookie(1)
        .header("cookie", &format!("a=1; zookie={}; b=2", z(1)))
        .header("authorization", "Bearer alice")
        .consistency("at-least-as-fresh")
        .header("x-request-id", "7")
        .header("x-correlation-id", "7")
        .header("traceparent", "t")
        .header("tracestate", "t")
        .header("baggage", "b")
        .header("grpc-timeout", "1S")
        .header("accept", "application/json")
        .send()
        .await;
    let seen = upstream.last();
    assert_eq!(seen.uri, "/check?resource=a");
    assert_eq!(seen.header("zookie"), Some(&*z(1)));
    assert_eq!(seen.headers.get_all("zookie").iter().count(), 1);
    assert_eq!(seen.header("zookie-consistency"), Some("at-least-as-fresh"));
    assert_eq!(seen.header("cookie"), Some("a=1; b=2"));
    assert_eq!(seen.header("authorization"), Some("Bearer alice"));
    assert_eq!(seen.header("accept"), Some("application/json"));
    for name in [
        "x-request-id",
        "x-correlation-id",
        "traceparent",
        "tracestate",
        "baggage",
        "grpc-timeout",
    ] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    let asked = Asked::new(Consistency::AtLeastAsFresh, seen.asked.clone().unwrap().zookie);
    assert_eq!(seen.asked.as_ref(), Some(&asked));
    assert_eq!(asked.zookie.unwrap().as_str(), z(1));
}

#[tokio::test(start_paused = true)]
async fn a_read_without_a_token_asks_for_the_weakest_consistency() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").consistency("minimize-latency").send().await;
    let seen = upstream.last();
    assert_eq!((seen.header("zookie"), seen.header("zookie-consistency")), (None, None));
    assert_eq!(seen.asked, Some(Asked::default()));
}

#[tokio::test(start_paused = true)]
async fn a_miss_whose_floor_the_window_covers_asks_at_the_window() {
    let upstream = Upstream::new();
    upstream.grant("x");
    let client = Client::new(&upstream);
    client.check("other").send().await;
    upstream.grant("y");
    client.check("a").zookie(1).send().await;
    assert_eq!(
        upstream.last().header("zookie"),
        Some(&*z(2)),
        "the first revision of the window"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unshared_call_has_its_callers_request_id() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.cache(|cache| cache.max_head_reads(0)));
    let reply = client.check("a").zookie(9).header("x-request-id", "7").send().await;
    assert_eq!(reply.outcome(), "fwd=miss");
    assert_eq!(upstream.last().header("x-request-id"), Some("7"));
}
