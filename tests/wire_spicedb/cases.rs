//! Every recorded call, sent twice through a layer that has seen all writes before it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use tokio::time::advance;

use crate::common::wire::table::Then;
use crate::common::wire::{Call, Recording, Reply, is_grpc, texts};
use crate::message::{
    ConsistencyLevel, consistency, in_canonical_spelling, is_check, questions, tokens, without_consistency,
};
use crate::session::Session;
use crate::table::RECORDINGS;

/// More than the age bound, and less than the time to live.
const PAST_THE_BOUND: Duration = Duration::from_secs(6);

/// One row of the table, about to be tried.
struct Case {
    name: &'static str,
    call: Arc<Call>,
    session: Session,
    then: Then,
    /// How many answers were stored before.
    entries: u64,
}

async fn each_case(mut test: impl AsyncFnMut(Case)) {
    for (recorded, engine, table) in RECORDINGS {
        let recording = Recording::load(recorded);
        assert_eq!(recording.calls.len(), table.len());
        for (call, row) in recording.calls.iter().zip(table) {
            let (name, then) = (row.0, row.on(engine));
            assert_eq!(call.case, name, "{recorded}");
            println!("{recorded}: {name}, {then:?}");
            let session = Session::before(&recording, engine, call.n).await;
            let call = Arc::clone(call);
            let entries = session.layer.handle().stats().entries;
            test(Case {
                entries,
                name,
                call,
                session,
                then,
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstreams_reply_reaches_its_caller_unmodified() {
    each_case(async |case: Case| {
        let before = case.session.upstream.calls();
        let reply = case.session.send(&case.call.request).await;
        let asked = case.session.asked(before);
        if case.then == Then::Rejected {
            assert_eq!(asked.len(), 2, "head, and once more");
            assert_rejected(&reply);
            return;
        }
        // A consistency is forwarded in one spelling, which may be that of another recorded call.
        let last = case.session.upstream.asked().pop().unwrap();
        let same =
            case.then == Then::Stored && is_same_check(&last.request, &in_canonical_spelling(&case.call.request));
        assert!(
            same || asked.last().unwrap() == case.name,
            "asked as it was sent: {asked:?}"
        );
        assert_eq!(asked.len(), 1 + usize::from(case.then == Then::StoredAtHead));
        let recorded = &last.call.unwrap().response;
        assert_eq!(recorded.body(), case.call.response.body());
        assert_eq!(reply.status, recorded.status);
        assert_eq!(reply.body, recorded.body());
        assert_eq!(reply.trailers, recorded.trailers);
        assert_eq!(reply.broken, recorded.reset.is_some());
        let mut headers = reply.headers;
        if case.then == Then::Write {
            headers.remove("set-cookie");
        }
        let ours = ["cache-status", "cache-control", "zookie"].map(|name| headers.remove(name));
        assert_eq!(headers, recorded.headers);
        match case.then {
            Then::Passes => assert_eq!(ours, [None, None, None]),
            _ => assert!(ours[0].is_some()),
        }
        assert_eq!(ours[1].is_some(), !matches!(case.then, Then::Passes | Then::Write));
        if matches!(case.then, Then::Stored | Then::StoredForOthers | Then::Write) {
            let token = tokens(&case.call).pop();
            assert_eq!(ours[2].as_ref().map(|token| token.to_str().unwrap()), token.as_deref());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_is_a_hit_or_asked_again() {
    each_case(async |case: Case| {
        case.session.send(&case.call.request).await;
        let before = case.session.upstream.calls();
        let again = case.session.send(&case.call.request).await;
        let asked = case.session.asked(before).len();
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
            let detail = format!("detail=\"{said}\"");
            assert!(again.cache_status().ends_with(&detail), "{}", again.cache_status());
        }
        let stored = !matches!(case.then, Then::NotStored(..) | Then::Write | Then::Passes);
        assert_eq!(case.session.layer.handle().stats().entries > case.entries, stored);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_weaker_consistency_is_served_if_the_reply_was_stored() {
    each_case(async |case: Case| {
        if !is_check(&case.call) || case.then.is_unreadable() {
            return;
        }
        case.session.send(&case.call.request).await;
        let before = case.session.upstream.calls();
        let mut weaker = without_consistency(&case.call.request);
        weaker
            .headers_mut()
            .insert("x-request-id", HeaderValue::from_static("of-the-caller"));
        let reply = case.session.try_send(&weaker).await;
        match case.then {
            Then::Stored | Then::StoredForOthers => {
                assert!(case.session.asked(before).is_empty());
                is_from_memory(&reply.unwrap(), &case.call, Some("of-the-caller"));
            }
            Then::StoredAtHead | Then::Rejected => {
                assert!(case.session.asked(before).is_empty());
                let at_head = case.session.upstream.asked()[before - 2].call.clone().unwrap();
                assert_eq!(consistency(&at_head.request), ConsistencyLevel::Full);
                is_from_memory(&reply.unwrap(), &at_head, Some("of-the-caller"));
            }
            _ => {
                assert!(!case.session.asked(before).is_empty());
                assert!(reply.is_err() || !reply.unwrap().is_hit());
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_04_only_exact_reads_use_a_reply_over_the_bound() {
    let mut tried = 0;
    each_case(async |case: Case| {
        let exact = is_check(&case.call)
            && case.then == Then::Stored
            && matches!(consistency(&case.call.request), ConsistencyLevel::Exact(_));
        if !exact {
            return;
        }
        case.session.send(&case.call.request).await;
        advance(PAST_THE_BOUND).await;
        let before = case.session.upstream.calls();
        is_from_memory(&case.session.send(&case.call.request).await, &case.call, None);
        assert!(case.session.asked(before).is_empty());
        let others = case.session.try_send(&without_consistency(&case.call.request)).await;
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
    assert!(reply.is_hit(), "{}", reply.cache_status());
    assert_eq!(reply.status, call.response.status);
    assert_eq!(reply.body, call.response.body());
    assert!(!reply.broken);
    let token = tokens(call).pop().unwrap();
    let expected = [
        ("cache-control", "no-store"),
        ("cache-status", "tower-zookie; hit"),
        ("content-type", call.response.headers["content-type"].to_str().unwrap()),
        ("zookie", &token),
    ];
    assert_eq!(texts(&reply.headers, &["x-request-id"]), expected.into());
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
