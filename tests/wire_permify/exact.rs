//! Callers that turn the rewriting off: they are asked at exactly their own tokens.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use tokio::time::advance;
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::wire::permify::{token, with_token};
use tower_zookie_testing::wire::table::Then;
use tower_zookie_testing::wire::{Case, Recording, Session};

use crate::table::RECORDINGS;

/// More than the age bound, and less than the time to live.
const PAST_THE_BOUND: Duration = Duration::from_secs(6);

/// Checks by the latest schema, which the window ends.
const LATEST: [&str; 2] = ["check-token-no-version", "check-latest-schema"];

pub(crate) fn exactly(request: &Request<Bytes>) -> Request<Bytes> {
    let mut request = request.clone();
    let consistency = HeaderValue::from_static("at-exact-snapshot");
    request.headers_mut().insert("zookie-consistency", consistency);
    request
}

/// Each check that is stored whole at a token, in each recording.
fn checks() -> impl Iterator<Item = Case<Engine>> {
    Case::all(RECORDINGS).filter(|case| case.then == Then::Stored && token(&case.call.request).is_some())
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_repeatable_exact_read_is_stored_unmodified() {
    for case in checks() {
        let (call, session) = (&case.call, case.session().await);
        let exact = exactly(&call.request);
        let before = session.upstream.calls();
        let first = session.send(&exact).await;
        assert_eq!(first.body, call.response.body());
        let asked = &session.upstream.asked()[before..];
        assert_eq!(asked[0].request.body(), call.request.body());
        assert!(!asked[0].request.headers().contains_key("zookie-consistency"));

        let again = session.send(&exact).await;
        if case.engine == Engine::Memory {
            assert_eq!(session.upstream.calls(), before + 2);
            let said = "detail=\"exact: no answer of this exact snapshot is stored\"";
            assert!(again.cache_status().ends_with(said), "{}", again.cache_status());
            assert_eq!(session.layer.handle().stats().entries, 0);
            continue;
        }
        assert!(again.is_hit(), "{}", again.cache_status());
        assert_eq!(again.body, call.response.body());
        assert_eq!(again.trailers, call.response.trailers);

        // However old the answer is, except for an answer that may belong to another schema by now.
        advance(PAST_THE_BOUND).await;
        let later = session.send(&exact).await;
        assert_eq!(later.is_hit(), !LATEST.contains(&&*call.case));
        assert!(!session.send(&call.request).await.is_hit(), "too old for others");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_02_an_exact_read_at_an_unknown_token_is_not_stored() {
    for case in checks() {
        let (call, session) = (&case.call, Session::new(&case.recording, case.engine));
        for asked in 1..3 {
            assert!(!session.send(&exactly(&call.request)).await.is_hit());
            assert_eq!(session.upstream.calls(), asked);
        }
        assert_eq!(session.layer.handle().stats().entries, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_newer_token_does_not_move_an_exact_read() {
    let recording = Recording::load("permify/grpc-postgres");
    let older = recording.call("check-older-token");
    let newer = recording.call("check-newer-token");
    let session = Session::new(&recording, Engine::Postgres);
    // The window's own revision, so a request at least as fresh as the older one is asked at it.
    for call in [newer, older] {
        session.see(&recording, &token(&call.request).unwrap()).await;
    }
    let before = session.upstream.calls();
    let at_least = session.send(&older.request).await;
    assert_eq!(session.asked(before), ["check-newer-token"]);
    assert_eq!(at_least.body, newer.response.body());
    assert_eq!(at_least.header("zookie"), token(&newer.request).as_deref());

    let exact = session.send(&exactly(&older.request)).await;
    assert_eq!(session.asked(before), ["check-newer-token", "check-older-token"]);
    assert_eq!(exact.body, older.response.body());
    assert_ne!(exact.body, at_least.body);
    for _ in 0..2 {
        assert_eq!(session.send(&exactly(&older.request)).await.body, older.response.body());
        assert_eq!(session.send(&older.request).await.body, newer.response.body());
    }
    assert_eq!(session.upstream.calls(), before + 2);
}

#[tokio::test(start_paused = true)]
async fn rule_02_an_exact_read_without_a_token_is_rejected() {
    for (name, engine, case) in [
        ("permify/grpc-postgres", Engine::Postgres, "check-allowed"),
        ("permify/http-postgres", Engine::Postgres, "http-check-allowed"),
    ] {
        let recording = Recording::load(name);
        let session = Session::new(&recording, engine);
        let call = recording.call(case);
        let reply = session.send(&exactly(&with_token(&call.request, None))).await;
        assert!(reply.cache_status().contains("rejected"), "{}", reply.cache_status());
        assert_eq!(session.upstream.calls(), 0);
    }
}
