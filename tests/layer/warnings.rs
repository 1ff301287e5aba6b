//! What the layer warns of: each case with its log line and its count.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::time::{advance, timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_zookie::protocol::{CheckRoute, Permify, Routes, SpiceDb, Verdict, permify, spicedb};
use tower_zookie::token::InferaDb;
use tower_zookie::{Handle, Warning, ZookieLayer};
use tower_zookie_testing::log::Log;
use tower_zookie_testing::scripted::{Client, Trouble, Upstream, capabilities};
use tower_zookie_testing::wire::permify as permify_wire;
use tower_zookie_testing::wire::spicedb::{is_check, token, tokens};
use tower_zookie_testing::wire::{Recording, Replay};
use tracing::Level;

/// The only warning is this one, given so many times and logged once, in these words.
fn only<P: tower_zookie::protocol::Protocol>(
    log: &Log,
    handle: &Handle<P>,
    warning: Warning,
    times: u64,
    words: &[&str],
) {
    let line = log.only();
    assert!(line.contains("WARN"), "{line}");
    for word in words {
        assert!(line.contains(word), "{word} is not in {line}");
    }
    for (name, count) in handle.stats().warnings {
        let expected = if name == warning.name() { times } else { 0 };
        assert_eq!(count, expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_wrong_engine_is_named_with_the_right_one() {
    for (name, engine, right) in [
        ("spicedb/grpc-postgres", spicedb::Engine::Memory, "SpiceDB's `postgres`"),
        ("spicedb/grpc-memory", spicedb::Engine::Postgres, "SpiceDB's `memory`"),
        (
            "spicedb/http-postgres",
            spicedb::Engine::CockroachDb,
            "SpiceDB's `postgres`",
        ),
    ] {
        let log = Log::capture(Level::WARN);
        let recording = Recording::load(name);
        let layer = ZookieLayer::builder(SpiceDb::new(engine)).build().unwrap();
        let service = layer.layer(Replay::new(&recording));
        let check = recording
            .calls
            .iter()
            .find(|call| is_check(call) && token(&call.request).is_none() && !tokens(call).is_empty())
            .unwrap();
        for _ in 0..2 {
            let reply = service
                .clone()
                .oneshot(check.request.clone().map(Full::new))
                .await
                .unwrap();
            drop(reply.into_body().collect().await);
        }
        assert_eq!(log.lines().len(), 1, "{name}: {}", check.case);
        only(&log, &layer.handle(), Warning::OtherEngine, 2, &["`engine`", right]);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_17_another_system_is_named() {
    let upstream = Upstream::new();
    let log = Log::capture(Level::WARN);
    let client = Client::of(&upstream, ZookieLayer::builder(Permify::new(permify::Engine::Postgres)));
    let check = || client.request("POST", "/authzed.api.v1.PermissionsService/CheckPermission", "");
    for _ in 0..8 {
        check().header("content-type", "application/grpc").send().await;
    }
    let words = ["system=\"SpiceDB\"", "--system", "/authzed.api.v1.PermissionsService/"];
    only(&log, &client.layer.handle(), Warning::OtherSystem, 4, &words);
}

#[tokio::test(start_paused = true)]
async fn rule_17_routes_that_never_match_are_named() {
    for (uri, words) in [
        ("/check/", ["closest=\"GET /check\"", "`/` at its end"]),
        ("/api/v2/check", ["example=\"GET /{…}/{…}/check\"", "nested router"]),
        ("/Check", ["closest=\"GET /check\"", "upper and lower case"]),
    ] {
        let upstream = Upstream::new();
        let log = Log::capture(Level::WARN);
        let client = Client::new(&upstream);
        client.get(uri).send().await;
        only(&log, &client.layer.handle(), Warning::NoRoute, 1, &words);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_route_with_a_prefix_inside_a_nested_router_is_named() {
    let upstream = Upstream::new();
    let log = Log::capture(Level::WARN);
    let routes = Routes::builder(InferaDb::new("test"))
        .capabilities(capabilities())
        .check(CheckRoute::get("/api/check/{document}").verdict(Verdict::json("allowed")));
    let client = Client::of(&upstream, ZookieLayer::builder(routes.build().unwrap()));
    client.get("/check/alices-diary").send().await;
    let words = [
        "example=\"GET /check/{…}\"",
        "closest=\"GET /api/check/{document}\"",
        "stands inside of a nested router",
    ];
    only(&log, &client.layer.handle(), Warning::NoRoute, 1, &words);
}

#[tokio::test(start_paused = true)]
async fn rule_17_many_requests_that_are_like_no_route_are_named_without_their_ids() {
    let upstream = Upstream::new();
    let log = Log::capture(Level::WARN);
    let client = Client::new(&upstream);
    for _ in 0..128 {
        client.get("/users/alice").send().await;
    }
    let words = ["example=\"GET /{…}/{…}\"", "requests=128", "declared="];
    only(&log, &client.layer.handle(), Warning::NoRoute, 1, &words);
    client.check("a").send().await;
    for _ in 0..256 {
        client.get("/users/alice").send().await;
    }
    assert_eq!(
        client.layer.handle().stats().warnings["no_route"],
        1,
        "a route has matched"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_service_without_tokens_is_named() {
    let upstream = Upstream::new();
    upstream.send_zookies(false);
    let log = Log::capture(Level::WARN);
    let client = Client::new(&upstream);
    client.check("a").send().await;
    client.check("b").send().await;
    only(
        &log,
        &client.layer.handle(),
        Warning::NoToken,
        2,
        &["header=zookie", "`reply_token`", "`capabilities`"],
    );
}

#[tokio::test(start_paused = true)]
async fn rule_17_an_unreadable_token_of_the_service_is_named_without_its_text() {
    let upstream = Upstream::new();
    upstream.send_zookies(false);
    upstream.extra_header("zookie", "!secret!");
    let log = Log::capture(Level::WARN);
    let client = Client::new(&upstream);
    client.check("a").send().await;
    only(
        &log,
        &client.layer.handle(),
        Warning::UnreadableToken,
        1,
        &["token format", "`max_token_len`"],
    );
    assert!(!log.only().contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn rule_17_verdicts_that_are_never_found_are_named() {
    let upstream = Upstream::new();
    upstream.trouble(Trouble::Status(StatusCode::OK));
    let log = Log::capture(Level::WARN);
    let client = Client::new(&upstream);
    client.check("a").send().await;
    only(
        &log,
        &client.layer.handle(),
        Warning::NoVerdict,
        1,
        &["`Verdict::json`"],
    );
    upstream.trouble(None);
    client.check("a").send().await;
    upstream.trouble(Trouble::Status(StatusCode::OK));
    client.check("b").send().await;
    assert_eq!(
        client.layer.handle().stats().warnings["no_verdict"],
        1,
        "one had a verdict"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_17_permifys_checks_without_a_token_are_named_with_the_setting() {
    let recording = Recording::load("permify/http-postgres");
    let log = Log::capture(Level::WARN);
    let layer = ZookieLayer::permify(permify::Engine::Postgres);
    let upstream = service_fn(|_: Request<Full<Bytes>>| async {
        let body = Full::from(json!({ "can": "CHECK_RESULT_ALLOWED", "metadata": {} }).to_string());
        let reply = Response::builder()
            .header("content-type", "application/json")
            .body(body);
        Ok::<_, std::convert::Infallible>(reply.unwrap())
    });
    let check = recording
        .calls
        .iter()
        .find(|call| permify_wire::is_check(call))
        .unwrap();
    let without = permify_wire::with_token(&check.request, None);
    for _ in 0..32 {
        drop(layer.layer(upstream).oneshot(without.clone().map(Full::new)).await);
    }
    only(
        &log,
        &layer.handle(),
        Warning::ChecksWithoutToken,
        1,
        &["`window_reads_without_token`", "checks=32"],
    );
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_part_of_the_key_that_changes_with_each_request_is_named() {
    let evaluation = |request: &str| {
        json!({
            "subject": { "type": "user", "id": "alice" }, "action": { "name": "read" },
            "resource": { "type": "doc", "id": "plan" }, "context": { "trace": request },
        })
    };
    for (words, header, times) in [
        (
            ["what=\"header\"", "name=\"accept\"", "`key_headers`"],
            Some("accept"),
            8,
        ),
        (
            ["what=\"credential\"", "name=\"authorization\"", "`identity_instead_of`"],
            Some("authorization"),
            1,
        ),
        (
            ["what=\"cookie\"", "name=\"sid\"", "`identity_instead_of`"],
            Some("cookie"),
            1,
        ),
        (
            ["what=\"member of the context\"", "name=\"trace\"", "leave it out"],
            None,
            8,
        ),
    ] {
        let upstream = Upstream::new();
        let log = Log::capture(Level::WARN);
        let client = Client::new(&upstream);
        for nth in 0..65 {
            let value = format!("value-{nth}");
            let sent = match header {
                None => client.post("/access/v1/evaluation", &evaluation(&value)),
                Some("cookie") => client.check("a").header("cookie", &format!("sid={value}")),
                Some(name) => client.check("a").header(name, &value),
            };
            sent.send().await;
        }
        only(&log, &client.layer.handle(), Warning::ChangingKey, times, &words);
        assert!(!log.only().contains("value-"), "no value is logged");
    }
}

#[tokio::test(start_paused = true)]
async fn users_that_come_again_are_no_changing_key() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    for document in 0..20 {
        for user in 0..12 {
            let sent = client.check(&document.to_string());
            sent.header("authorization", &format!("Bearer {user}")).send().await;
        }
    }
    assert_eq!(client.layer.handle().stats().warnings["changing_key"], 0);
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_reply_below_what_was_asked_is_named() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let log = Log::capture(Level::WARN);
    let reply = client.check("b").zookie(9).send().await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    only(&log, &client.layer.handle(), Warning::Behind, 1, &["`read_replicas`"]);
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_change_feed_that_ends_is_named_with_its_status() {
    for (headers, word) in [
        (Response::builder().status(401), "401 Unauthorized"),
        (
            Response::builder()
                .header("grpc-status", "7")
                .header("grpc-message", "secret"),
            "status 7, PermissionDenied",
        ),
        (Response::builder(), "without a status"),
    ] {
        let log = Log::capture(Level::WARN);
        let reply = Arc::new(Mutex::new(Some(headers.body(Full::<Bytes>::default()).unwrap())));
        let feed = service_fn(move |_: Request<Full<Bytes>>| {
            let reply = reply.lock().unwrap().take();
            async move {
                match reply {
                    Some(reply) => Ok::<_, std::convert::Infallible>(reply),
                    None => std::future::pending().await,
                }
            }
        });
        let handle = ZookieLayer::permify(permify::Engine::Postgres).handle();
        let feed = handle.feed(feed).unwrap().tenant("t1");
        assert!(timeout(Duration::from_secs(5), handle.follow(feed)).await.is_err());
        only(&log, &handle, Warning::FeedEnded, 1, &[word, "credentials"]);
        assert!(!log.only().contains("secret"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_warning_is_logged_again_after_a_minute() {
    let upstream = Upstream::new();
    upstream.send_zookies(false);
    let log = Log::capture(Level::WARN);
    let client = Client::new(&upstream);
    for (seconds, lines) in [(0, 1), (59, 1), (1, 2)] {
        advance(Duration::from_secs(seconds)).await;
        client.check("a").send().await;
        assert_eq!(log.lines().len(), lines);
    }
}

#[tokio::test(start_paused = true)]
async fn checks_without_a_token_beside_others_are_no_fault() {
    let recording = Recording::load("permify/http-postgres");
    let layer = ZookieLayer::permify(permify::Engine::Postgres);
    let upstream = service_fn(|_: Request<Full<Bytes>>| async {
        let body = Full::from(json!({ "can": "CHECK_RESULT_ALLOWED", "metadata": {} }).to_string());
        let reply = Response::builder()
            .header("content-type", "application/json")
            .body(body);
        Ok::<_, std::convert::Infallible>(reply.unwrap())
    });
    let mut calls = recording.calls.iter();
    let with = calls.find(|call| permify_wire::is_check(call) && permify_wire::token(&call.request).is_some());
    let with = with.unwrap().request.clone();
    let without = permify_wire::with_token(&with, None);
    drop(layer.layer(upstream).oneshot(with.map(Full::new)).await);
    for _ in 0..64 {
        drop(layer.layer(upstream).oneshot(without.clone().map(Full::new)).await);
    }
    assert_eq!(layer.handle().stats().warnings["checks_without_token"], 0);
}
