//! Writes are forwarded, and the layer learns from their replies.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceExt};
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::{ByteSize, ZookieLayer};
use tower_zookie_testing::scripted::{Both, Client, NODE, Sent, Trouble, Upstream, z};

fn grant(client: &Client, resource: &str) -> Sent<Both> {
    client.post("/relationships", &json!({ "grant": resource }))
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_writer_reads_its_write() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    assert!(!client.check("a").send().await.allowed());
    let written = grant(&client, "a").header("x-request-id", "7").send().await;
    assert_eq!((written.revision(), written.outcome()), (2, "fwd=method"));
    assert_eq!(written.json()["zookie"], z(2));
    assert_eq!(written.header("cache-control"), None);
    assert_eq!(upstream.last().header("x-request-id"), Some("7"));
    let reply = client.check("a").zookie(written.revision()).send().await;
    assert_eq!((reply.allowed(), reply.outcome()), (true, "fwd=stale; stored"));
    assert_eq!(
        upstream.last().header("zookie-consistency"),
        Some("at-least-as-fresh"),
        "no probe is needed"
    );
}

#[tokio::test(start_paused = true)]
async fn conditional_and_signed_writes_are_learned_from() {
    for name in ["if-match", "signature", "content-digest", "content-encoding"] {
        let upstream = Upstream::new();
        let client = Client::new(&upstream);
        client.check("a").send().await;
        let written = grant(&client, "a").header(name, "\"x\"").send().await;
        assert_eq!((written.outcome(), written.revision()), ("fwd=method", 2), "{name}");
        assert_eq!(client.layer.handle().newest_revision().unwrap().as_str(), z(2));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_rejected_write_teaches_nothing() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let reply = client.post("/relationships", &json!({})).send().await;
    assert_eq!((reply.status, reply.header("zookie")), (StatusCode::BAD_REQUEST, None));
    assert_eq!(reply.header("set-cookie"), None);
    upstream.trouble(Trouble::Status(StatusCode::FORBIDDEN));
    client.request("PUT", "/schema", "").send().await;
    upstream.trouble(None);
    assert!(client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_schema_write_ends_all_stored_answers() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let reply = client.request("PUT", "/schema", "…").send().await;
    assert_eq!((reply.status, reply.revision()), (StatusCode::OK, 2));
    let reply = client.check("a").send().await;
    assert_eq!(reply.outcome(), "fwd=stale; stored");
    assert!(reply.cache_status().contains("schema"), "{}", reply.cache_status());
    assert!(client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_schema_write_of_unknown_outcome_ends_all() {
    for outcome in 0..4 {
        let upstream = Upstream::new();
        let client = Client::new(&upstream);
        client.check("a").send().await;
        let write = client.request("PUT", "/schema", "…");
        match outcome {
            0 => {
                upstream.hold();
                assert!(
                    tokio::time::timeout(Duration::from_secs(1), write.send())
                        .await
                        .is_err()
                );
                upstream.release();
                settle().await;
            }
            1 => {
                upstream.trouble(Trouble::Error);
                assert!(write.try_send().await.is_err());
            }
            2 => {
                upstream.trouble(Trouble::Panic);
                assert!(write.spawn().await.is_err());
            }
            _ => {
                upstream.trouble(Trouble::Status(StatusCode::GATEWAY_TIMEOUT));
                write.send().await;
            }
        }
        upstream.trouble(None);
        assert!(!client.check("a").send().await.is_hit(), "outcome {outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_relationship_write_empties_nothing() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    upstream.hold();
    let write = grant(&client, "a").send();
    assert!(tokio::time::timeout(Duration::from_secs(1), write).await.is_err());
    upstream.release();
    assert!(client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_write_with_an_unreadable_token_ends_all() {
    let upstream = Upstream::new();
    upstream.pad(1000);
    let client = Client::with(&upstream, |builder| builder.max_reply_body(ByteSize::bytes(500)));
    upstream.pad(0);
    client.check("a").send().await;
    upstream.pad(1000);
    let written = grant(&client, "a").send().await;
    assert_eq!(written.json()["zookie"], z(2), "over the limit, and yet whole");
    assert_eq!(written.header("zookie"), None);
    upstream.pad(0);
    assert!(client.check("a").send().await.allowed());
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_write_with_an_overlong_token_ends_nothing() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.max_token_len(ByteSize::bytes(128)));
    client.check("a").send().await;
    upstream.become_store(&"n".repeat(100));
    let written = grant(&client, "a").send().await;
    assert_eq!(written.status, StatusCode::OK);
    assert!(written.json()["zookie"].as_str().unwrap().len() > 128);
    upstream.become_store(NODE);
    assert!(client.check("a").send().await.is_hit());
    client.request("PUT", "/schema", "…").send().await;
    assert!(!client.check("a").send().await.is_hit(), "a schema's write ends all");
}

/// Lets the layer's own tasks run.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// Sends a write whose caller hangs up before its reply comes.
async fn hang_up(upstream: &Upstream, write: Sent<Both>) {
    upstream.hold();
    assert!(timeout(Duration::from_secs(1), write.send()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn rule_01_an_abandoned_write_is_learned_from() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    hang_up(&upstream, grant(&client, "a")).await;
    upstream.release();
    settle().await;
    assert_eq!(client.layer.handle().newest_revision().unwrap().as_str(), z(2));
}

#[tokio::test(start_paused = true)]
async fn rule_13_an_abandoned_schema_write_ends_all_if_it_was_made() {
    let forbidden = Trouble::Status(StatusCode::FORBIDDEN);
    let lost = Trouble::Status(StatusCode::GATEWAY_TIMEOUT);
    for (trouble, ends) in [(None, true), (Some(forbidden), false), (Some(lost), true)] {
        let upstream = Upstream::new();
        let client = Client::new(&upstream);
        client.check("a").send().await;
        hang_up(&upstream, client.request("PUT", "/schema", "…")).await;
        assert!(client.check("a").send().await.is_hit(), "nothing is known yet");
        upstream.trouble(trouble.clone());
        upstream.release();
        settle().await;
        upstream.trouble(None);
        assert_eq!(!client.check("a").send().await.is_hit(), ends, "{trouble:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_15_the_wait_for_a_writes_outcome_is_bounded() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| {
        builder.cache(|cache| cache.flight_timeout(Duration::from_secs(3)))
    });
    hang_up(&upstream, client.request("PUT", "/schema", "…")).await;
    sleep(Duration::from_secs(4)).await;
    upstream.release();
    settle().await;
    assert_eq!(upstream.head(), 1, "the call was given up");
}

#[tokio::test(start_paused = true)]
async fn rule_15_waits_for_writes_count_as_flights() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.cache(|cache| cache.max_flights(10, 1)));
    for name in ["alice", "alice", "bob"] {
        hang_up(&upstream, grant(&client, "a").header("authorization", name)).await;
    }
    upstream.release();
    settle().await;
    assert_eq!(upstream.head(), 3, "alice's second write ended with its caller");
    hang_up(&upstream, grant(&client, "a").header("authorization", "alice")).await;
    upstream.release();
    settle().await;
    assert_eq!(upstream.head(), 4, "the seats were given back");
}

#[tokio::test(start_paused = true)]
async fn rule_13_unknown_schema_writes_end_all_once_a_window() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let lost = || async {
        upstream.trouble(Trouble::Status(StatusCode::GATEWAY_TIMEOUT));
        client.request("PUT", "/schema", "…").send().await;
        upstream.trouble(None);
    };
    client.check("a").send().await;
    lost().await;
    assert!(!client.check("a").send().await.is_hit(), "the first ends all at once");
    for _ in 0..10 {
        lost().await;
    }
    assert!(
        client.check("a").send().await.is_hit(),
        "the others wait for the window's end"
    );
    sleep(Duration::from_secs(3)).await;
    client.check("b").send().await;
    sleep(Duration::from_millis(1990)).await;
    assert!(client.check("b").send().await.is_hit());
    sleep(Duration::from_millis(20)).await;
    assert!(!client.check("b").send().await.is_hit(), "once for all of them");
    sleep(Duration::from_secs(4)).await;
    assert!(client.check("b").send().await.is_hit(), "and not again");
}

/// Signals when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_ends_with_its_caller() {
    for (path, outlives) in [
        ("/v1/relationships/write", true),
        ("/v1/relationships/importbulk", false),
        ("/v1/experimental/relationships/bulkimport", false),
    ] {
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&dropped);
        let inner = tower::service_fn(move |_: Request<Full<Bytes>>| {
            let dropped = Dropped(Arc::clone(&flag));
            async move {
                let _dropped = dropped;
                std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await
            }
        });
        let service = ZookieLayer::spicedb(Engine::Postgres).layer(inner);
        let request = Request::post(path).body(Full::default()).unwrap();
        let write = timeout(Duration::from_secs(1), service.oneshot(request));
        assert!(write.await.is_err());
        assert_eq!(!dropped.load(Ordering::SeqCst), outlives, "{path}");
    }
}
