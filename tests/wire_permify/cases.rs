//! Every recorded call, sent twice through a layer that has seen the write of the call's token.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::time::advance;
use tower_zookie::protocol::permify::Engine;

use crate::common::wire::table::Then;
use crate::common::wire::{Call, Recording, Reply, is_grpc, texts};
use crate::message::{token, written};
use crate::session::Session;
use crate::table::RECORDINGS;

/// One row of the table, about to be tried.
struct Case {
    recording: Recording,
    engine: Engine,
    call: Arc<Call>,
    session: Session,
    then: Then,
}

async fn each_case(mut test: impl AsyncFnMut(Case)) {
    for (recorded, engine, table) in RECORDINGS {
        let recording = Recording::load(recorded);
        assert_eq!(recording.calls.len(), table.len());
        for (call, row) in recording.calls.iter().zip(table) {
            let then = row.on(engine);
            assert_eq!(call.case, row.0, "{recorded}");
            println!("{recorded}: {}, {then:?}", call.case);
            let session = Session::before(&recording, engine, call).await;
            test(Case {
                recording: recording.clone(),
                engine,
                call: Arc::clone(call),
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
        let (call, recorded) = (&case.call, &case.call.response);
        let before = case.session.upstream.calls();
        let reply = case.session.send(&call.request).await;
        let asked = &case.session.upstream.asked()[before..];
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].request.body(), call.request.body(), "asked unmodified");
        assert_eq!(reply.status, recorded.status);
        assert_eq!(reply.body, recorded.body());
        assert_eq!(reply.trailers, recorded.trailers);
        assert_eq!(reply.broken, recorded.reset.is_some());

        let mut headers = reply.headers;
        if case.then == Then::Write {
            assert_eq!(headers.remove("set-cookie").is_some(), written(call).is_some());
        }
        let ours = ["cache-status", "cache-control", "zookie"].map(|name| headers.remove(name));
        assert_eq!(headers, recorded.headers);
        assert_eq!(ours[0].is_some(), case.then != Then::Passes);
        assert_eq!(ours[1].is_some(), !matches!(case.then, Then::Passes | Then::Write));
        // The reply to a check has no token itself, so it holds at the token that was asked.
        let token = match case.then {
            Then::Stored | Then::InPart(_) => token(&call.request),
            Then::Write => written(call),
            _ => None,
        };
        assert_eq!(ours[2].as_ref().map(|token| token.to_str().unwrap()), token.as_deref());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_is_a_hit_or_asked_again() {
    each_case(async |case: Case| {
        case.session.send(&case.call.request).await;
        let before = case.session.upstream.calls();
        let again = case.session.send(&case.call.request).await;
        let asked = case.session.asked(before);
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
            let detail = format!("detail=\"{said}\"");
            assert!(again.cache_status().ends_with(&detail), "{}", again.cache_status());
        }
        let stored = matches!(case.then, Then::Stored | Then::StoredByAge | Then::InPart(_));
        assert_eq!(case.session.layer.handle().stats().entries > 0, stored);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_an_unknown_token_is_unmodified_and_not_stored() {
    each_case(async |case: Case| {
        if !matches!(case.then, Then::Stored | Then::InPart(_)) || token(&case.call.request).is_none() {
            return;
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
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_answer_is_as_old_as_the_write_it_asked_at() {
    each_case(async |case: Case| {
        if case.then != Then::Stored {
            return;
        }
        // The write was seen at once.
        advance(Duration::from_millis(4900)).await;
        case.session.send(&case.call.request).await;
        assert!(case.session.send(&case.call.request).await.is_hit());
        advance(Duration::from_millis(601)).await;
        let before = case.session.upstream.calls();
        let reply = case.session.send(&case.call.request).await;
        assert_eq!(case.session.asked(before).len(), 1);
        assert!(!reply.cache_status().contains("; stored"), "{}", reply.cache_status());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn tokenless_answers_serve_only_minimize_latency() {
    each_case(async |case: Case| {
        if case.then != Then::StoredByAge {
            return;
        }
        let mut content = case.call.request.clone();
        let consistency = HeaderValue::from_static("minimize-latency");
        content.headers_mut().insert("zookie-consistency", consistency);
        case.session.send(&case.call.request).await;
        is_from_memory(&case.session.send(&content).await, &case.call);

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
    assert!(reply.is_hit(), "{}", reply.cache_status());
    assert_eq!(reply.status, call.response.status);
    assert_eq!(reply.body, call.response.body());
    assert_eq!(reply.trailers, call.response.trailers);
    assert_eq!(reply.trailers.is_some(), is_grpc(call.request.uri().path()));
    assert!(!reply.broken);
    let token = token(&call.request);
    let mut expected = vec![
        ("cache-control", "no-store"),
        ("cache-status", "tower-zookie; hit"),
        ("content-type", call.response.headers["content-type"].to_str().unwrap()),
    ];
    expected.extend(token.iter().map(|token| ("zookie", &**token)));
    assert_eq!(texts(&reply.headers, &[]), expected.into_iter().collect());
}
