//! The recorded change feed, followed.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use tokio::time::{Instant, timeout};
use tower_zookie::changes::ChangeFeed;
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::frame::{frame, framed, messages};
use tower_zookie_testing::permify::messages::WatchRequest;
use tower_zookie_testing::wire::permify::{token, with_body, with_token, written};
use tower_zookie_testing::wire::{Call, Recording, Session};

use crate::exact::exactly;

/// The recording, with the watch as the layer opens it: from now on, not from a token. The feed reports the writes
/// from `data-write-again` on.
fn recorded(name: &str, feed: impl FnOnce(&Call) -> Vec<u8>) -> Recording {
    let recording = Recording::load(name);
    let watch = recording.call("watch").clone();
    let opened = WatchRequest {
        tenant_id: "acme".to_owned(),
        ..WatchRequest::default()
    };
    let opened = with_body(&watch.request, framed(&opened));
    let reported = watch.response.with_body(feed(&watch).into());
    recording.and("feed", opened, reported)
}

fn whole(watch: &Call) -> Vec<u8> {
    watch.response.body().to_vec()
}

fn feed(session: &Session<Engine>) -> impl ChangeFeed {
    let feed = session
        .layer
        .handle()
        .feed::<_, Full<Bytes>, _>(session.upstream.clone());
    feed.unwrap().tenant("acme")
}

/// Follows the feed until it ends.
async fn follow(session: &Session<Engine>) {
    let watching = session.layer.handle();
    let before = session.upstream.calls();
    let followed = watching.follow(feed(session));
    assert!(timeout(Duration::from_millis(400), followed).await.is_err());
    assert_eq!(session.asked(before), ["feed"]);
}

/// Checks at the tokens of writes that the feed reports.
const NAMED: [&str; 4] = [
    "enemy-check-granted",
    "enemy-check-at-grant",
    "enemy-check-at-revocation",
    "enemy-check-new-content",
];

#[tokio::test(start_paused = true)]
async fn rule_08_the_change_feed_names_the_tokens_it_reports() {
    let recording = recorded("permify/grpc-postgres", whole);
    // Also a write before the feed begins: the reported tokens cover it.
    for case in NAMED.into_iter().chain(["check-allowed", "check-older-token"]) {
        let call = recording.call(case);
        let exact = exactly(&call.request);
        let session = Session::new(&recording, Engine::Postgres);
        for _ in 0..2 {
            session.upstream.skip_to(call.n);
            let reply = session.send(&exact).await;
            assert!(!reply.is_hit() && !reply.cache_status().contains("; stored"));
        }
        follow(&session).await;
        session.upstream.skip_to(call.n);
        let first = session.send(&exact).await;
        assert!(
            first.cache_status().contains("; stored"),
            "{case}: {}",
            first.cache_status()
        );
        let again = session.send(&exact).await;
        assert!(again.is_hit() && again.body == first.body, "{case}");
    }
}

/// The writes that the feed reports may be old.
#[tokio::test(start_paused = true)]
async fn rule_04_the_change_feed_opens_no_window() {
    let recording = recorded("permify/grpc-postgres", whole);
    // Every token that the feed reports covers the last one's token.
    for case in NAMED.into_iter().chain(["check-allowed"]) {
        let call = recording.call(case);
        let session = Session::new(&recording, Engine::Postgres);
        follow(&session).await;
        session.send(&exactly(&call.request)).await;
        for _ in 0..2 {
            let before = session.upstream.calls();
            let reply = session.send(&call.request).await;
            assert_eq!(session.upstream.asked()[before].request.body(), call.request.body());
            assert!(!reply.is_hit() && !reply.cache_status().contains("; stored"), "{case}");
        }
    }
}

/// A token covers what had ended when it was reported, so the feed names the concurrent writes as far as it has come.
#[tokio::test(start_paused = true)]
async fn rule_08_the_change_feed_names_only_what_it_reported() {
    let until = |nth: usize| {
        recorded("permify/grpc-postgres", move |watch| {
            let body = watch.response.body();
            let reported = messages(&body)
                .into_iter()
                .take(nth)
                .flat_map(|message| frame(message).to_vec());
            reported.collect()
        })
    };
    // The number of messages up to the write's own.
    for (case, needed) in [
        ("check-allowed", 1),
        ("enemy-check-at-grant", 3),
        ("enemy-check-at-revocation", 4),
        ("enemy-check-new-content", 5),
    ] {
        for reported in needed - 1..needed + 1 {
            let recording = until(reported);
            let call = recording.call(case);
            let session = Session::new(&recording, Engine::Postgres);
            follow(&session).await;
            let reply = session.send(&exactly(&call.request)).await;
            let stored = reply.cache_status().contains("; stored");
            assert_eq!(stored, reported == needed, "{case} after {reported} messages");
        }
    }
}

/// Permify reports a write once all writes before it have ended, so one that is out of the order of numbers names them
/// all.
#[tokio::test(start_paused = true)]
async fn rule_08_the_change_feed_names_every_concurrent_write() {
    let recording = recorded("permify/grpc-postgres", whole);
    let check = recording.call("check-allowed").clone();
    let writes = recording.calls.iter().filter(|call| call.case == "parallel-write");
    let tokens: Vec<_> = writes.map(|call| written(call).unwrap()).collect();
    assert_eq!(tokens.len(), 8);
    for token_of_one in &tokens {
        let request = with_token(&check.request, Some(token_of_one));
        let recording = recording.clone().and("at one", request.clone(), check.response.clone());
        let session = Session::new(&recording, Engine::Postgres);
        session.send(&exactly(&request)).await;
        assert_eq!(session.layer.handle().stats().entries, 0);
        follow(&session).await;
        session.send(&exactly(&request)).await;
        assert!(session.send(&exactly(&request)).await.is_hit());
        assert_eq!(token(&session.upstream.asked()[0].request).as_ref(), Some(token_of_one));
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_ends_reopens_after_pauses_that_grow() {
    for (name, engine) in [
        // In memory it is empty, and ends at once.
        ("permify/grpc-memory", Engine::Memory),
        ("permify/grpc-postgres", Engine::Postgres),
    ] {
        let recording = recorded(name, whole);
        let session = Session::new(&recording, engine);
        let began = Instant::now();
        let watching = session.layer.handle();
        let followed = watching.follow(feed(&session));
        assert!(timeout(Duration::from_millis(7_600), followed).await.is_err());
        let opened = session.upstream.asked();
        let opened: Vec<_> = opened.iter().map(|asked| (asked.at - began).as_millis()).collect();
        assert_eq!(opened, [0, 500, 1_500, 3_500, 7_500], "{name}");
        assert!(session.layer.handle().newest_revision().is_some() == (engine == Engine::Postgres));
    }
}
