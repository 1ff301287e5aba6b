//! What the layer counts.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_zookie::ByteSize;
use tower_zookie::cache::Stats;
use tower_zookie_testing::scripted::{Client, Trouble, Upstream, z};

fn stats(client: &Client) -> Stats {
    client.layer.handle().stats()
}

#[tokio::test(start_paused = true)]
async fn tokens_are_counted_by_carrier() {
    let client = Client::new(&Upstream::new());
    let query = z(1).replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
    for _ in 0..2 {
        client.check("a").zookie(1).send().await;
    }
    let grpc = client
        .check("a")
        .zookie(1)
        .header("content-type", "application/grpc+proto");
    grpc.send().await;
    client.check("a").cookie(1).cookie(1).send().await;
    client.get(&format!("/check?resource=a&zookie={query}")).send().await;
    client
        .post("/allow", &json!({ "resource": "a", "at": z(1) }))
        .send()
        .await;
    let tokens = stats(&client).tokens;
    assert_eq!(
        (
            tokens.header,
            tokens.metadata,
            tokens.cookie,
            tokens.query,
            tokens.message
        ),
        (2, 1, 2, 1, 1)
    );
    assert_eq!(stats(&client).tokens_refused, Default::default());
}

#[tokio::test(start_paused = true)]
async fn refused_tokens_are_counted_by_reason() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.max_token_len(ByteSize::bytes(64)));
    client.check("a").header("zookie", "?").send().await;
    client.check("a").header("cookie", "zookie=?").send().await;
    client
        .post("/allow", &json!({ "resource": "a", "at": "?" }))
        .send()
        .await;
    client.check("a").header("zookie", &"A".repeat(65)).send().await;
    client
        .check("a")
        .header("zookie", &vec![z(1); 9].join(","))
        .send()
        .await;
    let refused = stats(&client).tokens_refused;
    assert_eq!(
        (refused.malformed, refused.too_long, refused.too_many_tokens),
        (3, 1, 1),
        "{refused:?}"
    );
    let client = Client::new(&upstream);
    upstream.become_store("other");
    client.check("a").send().await;
    let foreign = client.check("b").zookie(1).send().await;
    assert_eq!(foreign.status, StatusCode::BAD_REQUEST, "{foreign:?}");
    let refused = stats(&client).tokens_refused;
    assert_eq!(refused.foreign, 1, "{refused:?} {foreign:?}");
}

#[tokio::test(start_paused = true)]
async fn requests_of_no_api_are_counted_as_passed() {
    let client = Client::new(&Upstream::new());
    client.get("/elsewhere").send().await;
    client.check("a").send().await;
    let stats = stats(&client);
    assert_eq!((stats.passed, stats.bypassed, stats.misses.total()), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn upstream_calls_are_timed_and_their_errors_counted() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    client.post("/relationships", &json!({ "grant": "a" })).send().await;
    assert_eq!(stats(&client).upstream.latency_micros.count(), 2);
    upstream.trouble(Trouble::Status(StatusCode::SERVICE_UNAVAILABLE));
    client.check("b").send().await;
    client.post("/relationships", &json!({ "grant": "a" })).send().await;
    client.layer.handle().set_pass_through(true);
    client.check("c").send().await;
    upstream.trouble(Trouble::Error);
    assert!(client.check("c").try_send().await.is_err());
    let upstream = stats(&client).upstream;
    assert_eq!(upstream.latency_micros.count(), 5);
    assert_eq!((upstream.errors["503"], upstream.errors["no_reply"]), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn flights_under_way_are_counted() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.hold();
    let asking = [
        client.check("a").spawn(),
        client.check("a").spawn(),
        client.check("b").spawn(),
    ];
    while upstream.calls() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stats(&client).flights, 2);
    tokio::time::advance(Duration::from_millis(3)).await;
    upstream.release();
    for asking in asking {
        asking.await.unwrap().unwrap();
    }
    let stats = stats(&client);
    assert_eq!(stats.flights, 0);
    assert_eq!(stats.upstream.latency_micros.sum(), 6000);
}

#[tokio::test(start_paused = true)]
async fn evictions_and_the_capacity_are_counted() {
    let upstream = Upstream::new();
    upstream.pad(20_000);
    let client = Client::with(&upstream, |builder| {
        builder.cache(|cache| cache.capacity(ByteSize::kibi(64)))
    });
    for n in 0..20 {
        client.check(&format!("r{n}")).send().await;
        // It counts what it has evicted once its own bookkeeping has run.
        stats(&client);
    }
    let stats = stats(&client);
    assert_eq!(stats.capacity, 64 << 10);
    assert_eq!(stats.evictions + stats.entries, 20, "{stats:?}");
    assert!(stats.evictions > 15);
}
