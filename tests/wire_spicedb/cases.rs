//! Every recorded call, sent twice through a layer through which all writes before it have gone.

use std::sync::Arc;

use http::HeaderValue;

use crate::common::wire::table::Then;
use crate::common::wire::{Call, Recording, Reply, is_grpc, texts};
use crate::message::{is_check, tokens, unwished};
use crate::session::Session;
use crate::table::RECORDINGS;

/// One row of the table, about to be tried.
struct Case {
    name: &'static str,
    call: Arc<Call>,
    session: Session,
    then: Then,
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
            test(Case {
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
async fn a_reply_of_the_upstream_reaches_its_caller_as_it_came() {
    each_case(async |case: Case| {
        let before = case.session.upstream.calls();
        let reply = case.session.send(&case.call.request).await;
        let asked = case.session.asked(before);
        assert_eq!(asked.last().unwrap(), case.name, "asked as it came");
        let recorded = &case.call.response;
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
        if matches!(
            case.then,
            Then::Kept | Then::KeptForOthers | Then::KeptAtItsSnapshot | Then::Write
        ) {
            let token = tokens(&case.call).pop();
            assert_eq!(ours[2].as_ref().map(|token| token.to_str().unwrap()), token.as_deref());
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_same_call_again_is_served_from_memory_or_asked_again() {
    each_case(async |case: Case| {
        case.session.send(&case.call.request).await;
        let before = case.session.upstream.calls();
        let again = case.session.send(&case.call.request).await;
        let asked = case.session.asked(before).len();
        match case.then {
            Then::Kept | Then::KeptAtItsSnapshot => {
                assert_eq!(asked, 0);
                is_from_memory(&again, &case.call, None);
            }
            _ => {
                assert_eq!(asked, 1);
                assert!(!again.is_hit());
            }
        }
        if let Then::NotKept(_, said) = case.then {
            let detail = format!("detail=\"{said}\"");
            assert!(again.cache_status().ends_with(&detail), "{}", again.cache_status());
        }
        let kept = !matches!(case.then, Then::NotKept(..) | Then::Write | Then::Passes);
        assert_eq!(case.session.layer.handle().stats().entries > 0, kept);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_weaker_wish_is_served_from_memory_if_the_reply_was_kept() {
    each_case(async |case: Case| {
        if !is_check(&case.call) || case.then.is_unreadable() {
            return;
        }
        case.session.send(&case.call.request).await;
        let before = case.session.upstream.calls();
        let mut weaker = unwished(&case.call.request);
        weaker
            .headers_mut()
            .insert("x-request-id", HeaderValue::from_static("of-the-caller"));
        let reply = case.session.try_send(&weaker).await;
        match case.then {
            Then::Kept | Then::KeptForOthers => {
                assert!(case.session.asked(before).is_empty());
                is_from_memory(&reply.unwrap(), &case.call, Some("of-the-caller"));
            }
            _ => {
                assert!(!case.session.asked(before).is_empty());
                assert!(reply.is_err() || !reply.unwrap().is_hit());
            }
        }
    })
    .await;
}

/// That a reply holds what is kept of the recorded one and nothing else, but over HTTP the caller's own request id.
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
