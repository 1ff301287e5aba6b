//! One true reason for each miss, the same wherever it is said.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::time::advance;
use tower_zookie::cache::{Miss, NotStored};
use tower_zookie::{ByteSize, OldTokens};
use tower_zookie_testing::log::Log;
use tower_zookie_testing::scripted::{Client, Sent, Trouble, Upstream};
use tracing::Level;

/// Sends a request, and says why it was a miss: in `Cache-Status`, in the statistics and in the debug event.
async fn why(client: &Client, sent: Sent<tower_zookie_testing::scripted::Both>) -> String {
    let log = Log::capture(Level::DEBUG);
    let before = client.layer.handle().stats().misses;
    let reply = sent.send().await;
    let after = client.layer.handle().stats().misses;
    let counted: Vec<Miss> = after
        .iter()
        .filter_map(|(miss, count)| (count > before.of(miss)).then_some(miss))
        .collect();
    let [miss] = counted[..] else {
        panic!("not one reason: {counted:?}, {}", reply.cache_status());
    };
    let said = reply.cache_status();
    assert!(said.contains(&format!("detail=\"{miss}: ")), "{said}");
    let events = log.lines();
    let events: Vec<_> = events
        .iter()
        .filter(|line| line.contains("the cache has no answer"))
        .collect();
    assert!(events[0].contains(&format!("reason=\"{miss}\"")), "{events:?}");
    miss.name().to_owned()
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_question_is_new_only_once() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    assert_eq!(why(&client, client.check("a")).await, "first");
    assert!(client.check("a").send().await.is_hit());
    assert_eq!(why(&client, client.check("b")).await, "first");
}

#[tokio::test(start_paused = true)]
async fn rule_17_an_answer_for_another_credential_is_named() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let alice = |resource| client.check(resource).header("authorization", "Bearer alice");
    let bob = |resource| client.check(resource).header("authorization", "Bearer bob");
    assert_eq!(why(&client, alice("a")).await, "first");
    assert_eq!(why(&client, bob("a")).await, "other_credential");
    assert!(bob("a").send().await.is_hit());
    assert_eq!(why(&client, client.check("a")).await, "other_credential", "it has none");
    assert_eq!(why(&client, client.check("b")).await, "first");
    client.layer.handle().purge();
    assert_eq!(
        why(&client, alice("b")).await,
        "first",
        "no caller asked this with a credential"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_17_what_became_of_the_last_answer_is_named() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.max_reply_body(ByteSize::bytes(200)));
    upstream.trouble(Trouble::Status(StatusCode::INTERNAL_SERVER_ERROR));
    assert_eq!(why(&client, client.check("a")).await, "first");
    upstream.trouble(None);
    upstream.send_zookies(false);
    assert_eq!(why(&client, client.check("a")).await, "error_status");
    upstream.send_zookies(true);
    upstream.extra_header("cache-control", "no-store");
    assert_eq!(why(&client, client.check("a")).await, "no_token");
    upstream.extra_header("cache-control", "max-age=60");
    upstream.pad(400);
    assert_eq!(why(&client, client.check("a")).await, "no_store");
    upstream.pad(0);
    assert_eq!(why(&client, client.check("a")).await, "too_large");
    assert!(client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_17_an_unreadable_token_of_the_service_is_named() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.send_zookies(false);
    upstream.extra_header("zookie", "no token of this system");
    assert_eq!(why(&client, client.check("a")).await, "first");
    assert_eq!(why(&client, client.check("a")).await, "unreadable_token");
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_missing_verdict_is_named() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.trouble(Trouble::Status(StatusCode::OK));
    assert_eq!(why(&client, client.check("a")).await, "first");
    upstream.trouble(None);
    assert_eq!(why(&client, client.check("a")).await, "no_verdict");
}

#[tokio::test(start_paused = true)]
async fn rule_17_an_ended_answer_says_how_it_ended() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    upstream.grant("b");
    assert_eq!(why(&client, client.check("a").zookie(2)).await, "floor");
    advance(Duration::from_secs(6)).await;
    assert_eq!(why(&client, client.check("a")).await, "age");
    advance(Duration::from_secs(61)).await;
    assert_eq!(why(&client, client.check("a")).await, "expired");
    client.layer.handle().purge();
    assert_eq!(why(&client, client.check("a")).await, "epoch");
}

#[tokio::test(start_paused = true)]
async fn rule_17_an_evicted_answer_is_named() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| {
        builder.cache(|cache| cache.capacity(ByteSize::kibi(64)))
    });
    for nth in 0..400 {
        client.check(&nth.to_string()).send().await;
    }
    let handle = client.layer.handle();
    assert!(handle.stats().entries < 300);
    for nth in 0..400 {
        client.check(&nth.to_string()).send().await;
    }
    let misses = handle.stats().misses;
    assert_eq!(misses.of(Miss::First), 400);
    assert!(misses.of(Miss::Evicted) > 100, "{misses:?}");
    assert_eq!(misses.total(), misses.of(Miss::First) + misses.of(Miss::Evicted));
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_read_at_head_names_its_own_cause() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let check = || client.check("a");
    assert_eq!(why(&client, check().consistency("fully-consistent")).await, "full");
    assert_eq!(
        why(&client, check().header("cache-control", "no-cache")).await,
        "no_cache"
    );
    let cookie = check().header("cookie", "zookie=no-token");
    assert_eq!(why(&client, cookie).await, "cookie");
    let exact = check().zookie(1).consistency("at-exact-snapshot");
    assert!(exact.send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_token_that_is_too_old_is_named() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| {
        builder.oldest_token(Duration::from_secs(60), OldTokens::AskAtHead)
    });
    client.check("a").send().await;
    upstream.grant("b");
    client.check("b").consistency("fully-consistent").send().await;
    advance(Duration::from_secs(120)).await;
    client.check("c").consistency("fully-consistent").send().await;
    upstream.grant("c");
    client.check("c").consistency("fully-consistent").send().await;
    assert_eq!(why(&client, client.check("a").zookie(1)).await, "old_token");
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_bulk_whose_answers_are_apart_says_so() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let ask = |id: &str| {
        let resource = json!({ "type": "doc", "id": id });
        let body =
            json!({ "subject": { "type": "user", "id": "u" }, "action": { "name": "read" }, "resource": resource });
        client.post("/access/v1/evaluation", &body).send()
    };
    ask("a").await;
    upstream.grant("x");
    client.check("b").consistency("fully-consistent").send().await;
    advance(Duration::from_secs(3)).await;
    let reply = client.bulk(&["a", "b"], None).send().await;
    assert!(!reply.is_hit());
    let misses = client.layer.handle().stats().misses;
    assert_eq!(
        misses.total(),
        misses.of(Miss::First) + misses.of(Miss::Full),
        "{misses:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_15_without_memory_the_reason_is_absent() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| {
        builder.cache(|cache| cache.miss_memory(ByteSize::bytes(0)))
    });
    assert_eq!(why(&client, client.check("a")).await, "absent");
    upstream.trouble(Trouble::Error);
    drop(client.check("b").try_send().await);
    upstream.trouble(None);
    assert_eq!(why(&client, client.check("b")).await, "absent");
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_named() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.trouble(Trouble::Error);
    drop(client.check("a").try_send().await);
    upstream.trouble(None);
    assert_eq!(why(&client, client.check("a")).await, NotStored::ErrorStatus.name());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_spans_a_purge_is_named() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.hold();
    let asking = client.check("a").spawn();
    tokio::task::yield_now().await;
    client.layer.handle().purge();
    upstream.release();
    asking.await.unwrap().unwrap();
    assert_eq!(why(&client, client.check("a")).await, NotStored::Replaced.name());
}
