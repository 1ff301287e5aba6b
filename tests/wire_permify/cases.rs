//! Every recorded call, sent twice through a layer that has seen the write of the call's token.

use std::time::Duration;

use http::HeaderValue;
use tokio::time::advance;
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::wire::permify::{token, written};
use tower_zookie_testing::wire::table::Then;
use tower_zookie_testing::wire::{Call, Case, Reply, Session, is_grpc};

use crate::table::RECORDINGS;

async fn each_case(mut test: impl AsyncFnMut(Case<Engine>, Session<Engine>)) {
    for case in Case::all(RECORDINGS) {
        let session = case.session().await;
        test(case, session).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstreams_reply_reaches_its_caller_unmodified() {
    each_case(async |case, session| {
        let call = &case.call;
        let before = session.upstream.calls();
        let reply = session.send(&call.request).await;
        let asked = &session.upstream.asked()[before..];
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].request.body(), call.request.body(), "asked unmodified");
        let added = reply.assert_is(&call.response, case.then);
        assert_eq!(added.set_cookie, case.then == Then::Write && written(call).is_some());
        // The reply to a check has no token itself, so it holds at the token that was asked.
        let token = match case.then {
            Then::Stored | Then::InPart(_) => token(&call.request),
            Then::Write => written(call),
            _ => None,
        };
        assert_eq!(added.zookie, token);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_is_a_hit_or_asked_again() {
    each_case(async |case, session| {
        session.send(&case.call.request).await;
        let before = session.upstream.calls();
        let again = session.send(&case.call.request).await;
        let asked = session.asked(before);
        match case.then {
            Then::Stored => {
                assert!(asked.is_empty());
                is_from_memory(&again, &case.call);
            }
            _ => {
                assert_eq!(asked.last().unwrap(), &case.call.case);
                assert!(!again.is_hit());
            }
        }
        if let Then::NotStored(_, said) = case.then {
            let detail = format!("{said}\"");
            assert!(again.cache_status().ends_with(&detail), "{}", again.cache_status());
        }
        let stored = matches!(case.then, Then::Stored | Then::StoredByAge | Then::InPart(_));
        assert_eq!(session.layer.handle().stats().entries > 0, stored);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_an_unknown_token_is_unmodified_and_not_stored() {
    for case in Case::all(RECORDINGS) {
        if !matches!(case.then, Then::Stored | Then::InPart(_)) || token(&case.call.request).is_none() {
            continue;
        }
        let session = Session::new(&case.recording, case.engine);
        session.upstream.skip_to(case.call.n);
        for _ in 0..2 {
            let before = session.upstream.calls();
            let reply = session.send(&case.call.request).await;
            let asked = &session.upstream.asked()[before..];
            assert_eq!(asked.len(), 1);
            assert_eq!(asked[0].request.body(), case.call.request.body());
            assert!(!reply.is_hit() && !reply.cache_status().contains("; stored"));
        }
        assert_eq!(session.layer.handle().stats().entries, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_answer_is_as_old_as_the_write_it_asked_at() {
    each_case(async |case, session| {
        if case.then != Then::Stored {
            return;
        }
        // The write was seen at once.
        advance(Duration::from_millis(4900)).await;
        session.send(&case.call.request).await;
        assert!(session.send(&case.call.request).await.is_hit());
        advance(Duration::from_millis(601)).await;
        let before = session.upstream.calls();
        let reply = session.send(&case.call.request).await;
        assert_eq!(session.asked(before).len(), 1);
        assert!(!reply.cache_status().contains("; stored"), "{}", reply.cache_status());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn tokenless_answers_serve_only_minimize_latency() {
    each_case(async |case, session| {
        if case.then != Then::StoredByAge {
            return;
        }
        let mut content = case.call.request.clone();
        let consistency = HeaderValue::from_static("minimize-latency");
        content.headers_mut().insert("zookie-consistency", consistency);
        session.send(&case.call.request).await;
        is_from_memory(&session.send(&content).await, &case.call);

        let windowed = Session::windowed(&case.recording, case.engine);
        windowed.upstream.skip_to(case.call.n);
        let first = windowed.send(&case.call.request).await;
        assert_eq!(first.body, case.call.response.body());
        assert_eq!(windowed.upstream.asked()[0].request.body(), case.call.request.body());
        is_from_memory(&windowed.send(&case.call.request).await, &case.call);
        advance(Duration::from_millis(5501)).await;
        assert!(!windowed.send(&case.call.request).await.is_hit());
    })
    .await;
}

/// Asserts that a reply contains what is stored of the recorded one and nothing else.
fn is_from_memory(reply: &Reply, call: &Call) {
    reply.assert_is_from_memory(&call.response, token(&call.request).as_deref(), &[]);
    assert_eq!(reply.trailers, call.response.trailers);
    assert_eq!(reply.trailers.is_some(), is_grpc(call.request.uri().path()));
}
