//! Every recorded call, sent twice through a layer that has seen all writes before it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use tokio::time::advance;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::wire::spicedb::{
    ConsistencyLevel, consistency, in_canonical_spelling, is_check, questions, tokens, without_consistency,
};
use tower_zookie_testing::wire::table::Then;
use tower_zookie_testing::wire::{Call, Case, Reply, Session, is_grpc, texts};

use crate::table::RECORDINGS;

/// More than the age bound, and less than the time to live.
const PAST_THE_BOUND: Duration = Duration::from_secs(6);

async fn each_case(mut test: impl AsyncFnMut(Case<Engine>, Session<Engine>)) {
    for case in Case::all(RECORDINGS) {
        let session = case.session().await;
        test(case, session).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstreams_reply_reaches_its_caller_unmodified() {
    each_case(async |case, session| {
        let before = session.upstream.calls();
        let reply = session.send(&case.call.request).await;
        let asked = session.asked(before);
        if case.then == Then::Rejected {
            assert_eq!(asked.len(), 2, "head, and once more");
            assert_rejected(&reply);
            return;
        }
        // A consistency is forwarded in one spelling, which may be that of another recorded call.
        let last = session.upstream.asked().pop().unwrap();
        let same =
            case.then == Then::Stored && is_same_check(&last.request, &in_canonical_spelling(&case.call.request));
        assert!(
            same || asked.last().unwrap() == &case.call.case,
            "asked as it was sent: {asked:?}"
        );
        assert_eq!(asked.len(), 1 + usize::from(case.then == Then::StoredAtHead));
        let recorded = &last.call.unwrap().response;
        assert_eq!(recorded.body(), case.call.response.body());
        let added = reply.assert_is(recorded, case.then);
        if case.then == Then::Passes {
            assert_eq!(added.zookie, None);
        }
        if matches!(case.then, Then::Stored | Then::StoredForOthers | Then::Write) {
            assert_eq!(added.zookie, tokens(&case.call).pop());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_is_a_hit_or_asked_again() {
    each_case(async |case, session| {
        let entries = session.layer.handle().stats().entries;
        session.send(&case.call.request).await;
        let before = session.upstream.calls();
        let again = session.send(&case.call.request).await;
        let asked = session.asked(before).len();
        match case.then {
            Then::Stored => {
                assert_eq!(asked, 0);
                is_from_memory(&again, &case.call, None);
            }
            Then::StoredAtHead | Then::Rejected => {
                assert_eq!(asked, 2);
                assert!(!again.is_hit());
            }
            _ => {
                assert_eq!(asked, 1);
                assert!(!again.is_hit());
            }
        }
        if let Then::NotStored(_, said) = case.then {
            let detail = format!("{said}\"");
            assert!(again.cache_status().ends_with(&detail), "{}", again.cache_status());
        }
        let stored = !matches!(case.then, Then::NotStored(..) | Then::Write | Then::Passes);
        assert_eq!(session.layer.handle().stats().entries > entries, stored);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_weaker_consistency_is_served_if_the_reply_was_stored() {
    each_case(async |case, session| {
        if !is_check(&case.call) || case.then.is_unreadable() {
            return;
        }
        session.send(&case.call.request).await;
        let before = session.upstream.calls();
        let mut weaker = without_consistency(&case.call.request);
        weaker
            .headers_mut()
            .insert("x-request-id", HeaderValue::from_static("of-the-caller"));
        let reply = session.try_send(&weaker).await;
        match case.then {
            Then::Stored | Then::StoredForOthers => {
                assert!(session.asked(before).is_empty());
                is_from_memory(&reply.unwrap(), &case.call, Some("of-the-caller"));
            }
            Then::StoredAtHead | Then::Rejected => {
                assert!(session.asked(before).is_empty());
                let at_head = session.upstream.asked()[before - 2].call.clone().unwrap();
                assert_eq!(consistency(&at_head.request), ConsistencyLevel::Full);
                is_from_memory(&reply.unwrap(), &at_head, Some("of-the-caller"));
            }
            _ => {
                assert!(!session.asked(before).is_empty());
                assert!(reply.is_err() || !reply.unwrap().is_hit());
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_04_only_exact_reads_use_a_reply_over_the_bound() {
    let mut tried = 0;
    each_case(async |case, session| {
        let exact = is_check(&case.call)
            && case.then == Then::Stored
            && matches!(consistency(&case.call.request), ConsistencyLevel::Exact(_));
        if !exact {
            return;
        }
        session.send(&case.call.request).await;
        advance(PAST_THE_BOUND).await;
        let before = session.upstream.calls();
        is_from_memory(&session.send(&case.call.request).await, &case.call, None);
        assert!(session.asked(before).is_empty());
        let others = session.try_send(&without_consistency(&case.call.request)).await;
        assert!(others.is_err() || !others.unwrap().is_hit());
        tried += 1;
    })
    .await;
    assert_eq!(tried, 4);
}

/// Whether two checks have the same question and consistency.
fn is_same_check(a: &Request<Bytes>, b: &Request<Bytes>) -> bool {
    consistency(a) == consistency(b) && questions(a) == questions(b)
}

/// Asserts that the caller learns that the store is behind, and not what it answered.
fn assert_rejected(reply: &Reply) {
    assert_eq!(reply.headers["grpc-status"], "14");
    assert!(reply.body.is_empty());
    assert!(reply.cache_status().contains("rejected"), "{}", reply.cache_status());
    assert_eq!(reply.header("zookie"), None);
}

/// Asserts that a reply contains what is stored of the recorded one and nothing else, except the caller's own request
/// id over HTTP.
fn is_from_memory(reply: &Reply, call: &Call, request_id: Option<&str>) {
    let token = tokens(call).pop();
    reply.assert_is_from_memory(&call.response, token.as_deref(), &["x-request-id"]);
    if is_grpc(call.request.uri().path()) {
        let trailers = reply.trailers.as_ref().unwrap();
        let expected = [
            ("grpc-status", call.response.trailer("grpc-status").unwrap()),
            ("grpc-message", call.response.trailer("grpc-message").unwrap()),
            ("io.spicedb.respmeta.dispatchedoperationscount", "0"),
            ("io.spicedb.respmeta.cachedoperationscount", "1"),
        ];
        assert_eq!(texts(trailers, &[]), expected.into());
        assert_eq!(reply.header("x-request-id"), None);
    } else {
        assert_eq!(reply.trailers, None);
        assert_eq!(reply.header("x-request-id"), request_id);
    }
}
