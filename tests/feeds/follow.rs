//! How a feed is opened, ends, and goes on.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tokio::time::{Instant, timeout};
use tower_zookie::Warning;
use tower_zookie::changes::{ChangeFeed, Event};
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::frame::{frame, unframed};
use tower_zookie_testing::log::Log;
use tracing::Level;

use crate::messages::{WatchRequest, checkpoint, schema, seen, token, touched, zed};
use crate::server::{READ_SCHEMA, REFLECT, Server, WATCH, next, opened, told};

const OK: Bytes = Bytes::from_static(&[0; 5]);

/// The texts of errors never have these words.
fn assert_discreet(text: &str) {
    for secret in ["secret", "Gg", "ada"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_does_not_open_says_why() {
    let refused = r#"{"error":{"code":16,"message":"secret"}}"#;
    for (status, body, words) in [
        (StatusCode::UNAUTHORIZED, "secret", "answered with 401 Unauthorized"),
        (StatusCode::BAD_GATEWAY, refused, "answered with 502 Bad Gateway"),
    ] {
        let server = Server::default();
        let (_, feed) = server.feed(Engine::Postgres);
        server.refuse(READ_SCHEMA, status, body);
        let (is_lost, text) = told(&feed.open(None).await.unwrap_err());
        assert!(!is_lost && text.contains(words), "{text}");
        assert_discreet(&text);
    }
    for (code, words, lost) in [
        ("7", "status 7, PermissionDenied", false),
        ("9", "status 9, FailedPrecondition", false),
        ("8", "status 8, ResourceExhausted", false),
        ("14", "status 14, Unavailable", false),
        // The cursor was collected, or is of another datastore.
        ("11", "status 11, OutOfRange", true),
        ("3", "status 3, InvalidArgument", true),
        ("99", "without a status", false),
    ] {
        for streams in [false, true] {
            let server = Server::default();
            let (_, feed) = server.feed(Engine::Postgres);
            server.reply(READ_SCHEMA, &schema(&seen(10, &[])));
            match streams {
                false => server.fail(WATCH, code),
                true => server.stream(WATCH).trailers(code),
            }
            let mut opened = opened(&feed).await;
            let (is_lost, text) = told(&next(&mut opened).await.unwrap_err());
            assert!(text.contains(words), "{text}");
            assert_eq!(is_lost, lost, "{text}");
            assert_discreet(&text);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_ends_with_the_first_error() {
    for (end, words) in [
        (0, "the connection was lost"),
        (1, "the reply ended within a message"),
        (2, "the upstream ended it"),
        (3, "without a status"),
    ] {
        let server = Server::default();
        let (_, feed) = server.feed(Engine::Postgres);
        server.reply(READ_SCHEMA, &schema(&seen(10, &[])));
        server.reply(REFLECT, &OK);
        let watch = server.stream(WATCH);
        let mut opened = opened(&feed).await;
        watch.data(checkpoint(&seen(11, &[])));
        next(&mut opened).await.unwrap();
        match end {
            0 => watch.break_off(),
            1 => {
                watch.data(touched("a", &seen(12, &[])).slice(..9));
                watch.trailers("0");
            }
            2 => watch.trailers("0"),
            _ => drop(watch),
        }
        let (is_lost, text) = told(&next(&mut opened).await.unwrap_err());
        assert!(!is_lost && text.ends_with(words), "{text}");
        let ended = std::future::poll_fn(|cx| opened.events.as_mut().poll_next(cx)).await;
        assert!(ended.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_has_the_credentials_of_the_feed() {
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    let feed = feed.header(header::AUTHORIZATION, HeaderValue::from_static("Bearer feed"));
    server.reply(READ_SCHEMA, &schema(&seen(10, &[])));
    server.reply(REFLECT, &OK);
    server.stream(WATCH).data(checkpoint(&seen(11, &[])));
    let mut opened = opened(&feed).await;
    next(&mut opened).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    for request in asked {
        assert_eq!(request.headers()["authorization"], "Bearer feed", "{}", request.uri());
        assert_eq!(request.headers()["content-type"], "application/grpc");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_feed_goes_on_only_where_the_store_still_has_every_change() {
    for (code, lost) in [("11", true), ("3", true), ("14", false)] {
        let server = Server::default();
        let (_, feed) = server.feed(Engine::Postgres);
        let frontier = seen(20, &[15]);
        server.reply(READ_SCHEMA, &schema(&seen(30, &[])));
        let watch = server.stream(WATCH);
        let mut opened = feed.open(Some(&frontier)).await.unwrap();
        assert_eq!(opened.start, frontier);
        // SpiceDB on PostgreSQL reports what it still has, as if it were all.
        watch.data([touched("late", &seen(31, &[])), checkpoint(&seen(31, &[]))].concat());
        server.fail(REFLECT, code);
        let (is_lost, text) = told(&next(&mut opened).await.unwrap_err());
        assert_eq!(is_lost, lost, "{text}");
        let asked = server.asked();
        let request: WatchRequest = unframed(asked[1].body());
        assert_eq!(request.optional_start_cursor, zed(&frontier));
        assert_eq!(asked[2].uri().path(), REFLECT);
        let exactly = token(&frontier);
        let body = asked[2].body();
        assert!(body.windows(exactly.len()).any(|part| part == exactly.as_bytes()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_is_resumed_is_examined_once() {
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    server.reply(READ_SCHEMA, &schema(&seen(30, &[])));
    server.reply(REFLECT, &OK);
    let watch = server.stream(WATCH);
    let mut opened = feed.open(Some(&seen(20, &[15]))).await.unwrap();
    assert_eq!(opened.schema.take().unwrap().at, seen(30, &[]));
    for xmax in 31..34 {
        watch.data(checkpoint(&seen(xmax, &[])));
        assert_eq!(
            next(&mut opened).await.unwrap(),
            Event::Checkpoint { at: seen(xmax, &[]) }
        );
    }
    assert_eq!(server.paths(), [READ_SCHEMA, WATCH, REFLECT]);
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_store_that_went_back_loses_the_feed() {
    // The second lacks only one transaction.
    for head in [seen(19, &[]), seen(30, &[16])] {
        let server = Server::default();
        let (_, feed) = server.feed(Engine::Postgres);
        server.reply(READ_SCHEMA, &schema(&head));
        let (is_lost, text) = told(&feed.open(Some(&seen(20, &[15]))).await.unwrap_err());
        assert!(is_lost && text.contains("restore"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_feed_is_opened_again_at_the_join_of_its_checkpoints() {
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    for head in [seen(10, &[]), seen(14, &[])] {
        server.reply(READ_SCHEMA, &schema(&head));
        server.reply(REFLECT, &OK);
    }
    let (first, second) = (server.stream(WATCH), server.stream(WATCH));
    let mut opened = opened(&feed).await;
    // A feed on PostgreSQL alternates between checkpoints that lack each other's transaction.
    for lacks in [11, 12] {
        first.data(checkpoint(&seen(14, &[lacks])));
        next(&mut opened).await.unwrap();
    }
    server.asked();
    let began = Instant::now();
    second.data(checkpoint(&seen(15, &[])));
    assert_eq!(
        next(&mut opened).await.unwrap(),
        Event::Checkpoint { at: seen(15, &[]) }
    );
    assert_eq!(began.elapsed(), Duration::from_secs(30));
    assert!(!first.is_read());
    let asked = server.asked();
    assert_eq!(asked[0].uri().path(), READ_SCHEMA);
    let request: WatchRequest = unframed(asked[1].body());
    assert_eq!(request.optional_start_cursor, zed(&seen(14, &[])));
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_store_that_does_not_answer_is_an_error() {
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    let began = Instant::now();
    let (is_lost, text) = told(&feed.open(None).await.unwrap_err());
    assert!(!is_lost && text.contains("within half a minute"), "{text}");
    server.reply(READ_SCHEMA, &schema(&seen(10, &[])));
    let mut opened = opened(&feed).await;
    let (_, text) = told(&next(&mut opened).await.unwrap_err());
    assert!(text.contains("within half a minute"), "{text}");
    // The first schema, the silent feed, and the schema that shows whether the store is there.
    assert_eq!(began.elapsed(), Duration::from_secs(90));
}

#[tokio::test(start_paused = true)]
async fn another_store_loses_the_feed() {
    let other = frame(&tower_zookie_testing::frame::written(
        2,
        &tower_zookie_testing::frame::written(1, b"GhgKDENBRVFBaG9CQUE9PRIINjM0OWFhZjI="),
    ));
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    server.reply(READ_SCHEMA, &schema(&seen(10, &[])));
    server.stream(WATCH).data(other);
    let mut opened = opened(&feed).await;
    let (is_lost, text) = told(&next(&mut opened).await.unwrap_err());
    assert!(is_lost && text.contains("replaced"), "{text}");
}

/// SpiceDB's tokens have the schema's hash where it reads the schema from its new tables.
fn with_hash() -> Bytes {
    let token = "GmYKGENJYURBeUNGZ3dNb3FLQ0FqSXJxNWZVWRIINDJlMDQ4NmUaQDZkN2U5MjBlNGE4MGYyOGVkYmU5MTZiNjcwMDc2NjlmMDJmMDJkZD\
                 g5YzQ2MjUwZTQ0ZTlmODgwNWJlYmYzNTE=";
    let read_at = tower_zookie_testing::frame::written(1, token.as_bytes());
    frame(&tower_zookie_testing::frame::written(2, &read_at))
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_feed_that_does_not_report_the_schema_promises_nothing() {
    let server = Server::default();
    let (handle, feed) = server.feed(Engine::Postgres);
    server.reply(READ_SCHEMA, &with_hash());
    server.reply(REFLECT, &OK);
    let watch = server.stream(WATCH);
    let log = Log::capture(Level::WARN);
    let mut opened = opened(&feed).await;
    assert!(log.only().contains("`--experimental-schema-mode`"), "{}", log.only());
    assert_eq!(handle.stats().warnings[Warning::FeedWithoutSchema.name()], 1);
    let token = "GmYKGENJZURBeUNHZ3dNb3lKREowNUhxNWZVWRIINDJlMDQ4NmUaQDZkN2U5MjBlNGE4MGYyOGVkYmU5MTZiNjcwMDc2NjlmMDJmMDJkZD\
                 g5YzQ2MjUwZTQ0ZTlmODgwNWJlYmYzNTE=";
    let through = tower_zookie_testing::frame::written(2, &tower_zookie_testing::frame::written(1, token.as_bytes()));
    let is_checkpoint = tower_zookie_testing::frame::written_number(5, 1);
    watch.data(frame(&[through, is_checkpoint].concat()));
    let silent = timeout(Duration::from_secs(20), next(&mut opened)).await;
    assert!(silent.is_err(), "{silent:?}");
}
