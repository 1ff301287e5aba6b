//! Lookups: never stored, and answered no lower than the tokens in their carriers.

use std::sync::Arc;

use http::HeaderValue;
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::wire::permify::{token, with_token};
use tower_zookie_testing::wire::{Call, Recording, Session};

use crate::table::RECORDINGS;

const LOOKUPS: [&str; 4] = [
    "lookup-entity",
    "lookup-subject",
    "subject-permission",
    "http-lookup-entity",
];

/// Each recorded lookup, with another token that is newer than its own.
fn lookups() -> impl Iterator<Item = (Recording, Engine, Arc<Call>, String)> {
    RECORDINGS.into_iter().flat_map(|(name, engine, _)| {
        let recording = Recording::load(name);
        let newer = if name.contains("grpc") {
            "data-write-again"
        } else {
            "http-delete"
        };
        let newer = tower_zookie_testing::wire::permify::written(recording.call(newer)).unwrap();
        let calls = recording
            .calls
            .clone()
            .into_iter()
            .filter(|call| LOOKUPS.contains(&&*call.case));
        calls.map(move |call| (recording.clone(), engine, call, newer.clone()))
    })
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_carrier_raises_a_lookups_floor() {
    for (recording, engine, call, _) in lookups() {
        let own = token(&call.request).unwrap();
        let tokenless = with_token(&call.request, None);
        for (name, value) in [("zookie", own.clone()), ("cookie", format!("zookie={own}"))] {
            let mut carried = tokenless.clone();
            carried
                .headers_mut()
                .insert(name, HeaderValue::from_str(&value).unwrap());

            let session = Session::before(&recording, engine, &call).await;
            let before = session.upstream.calls();
            let reply = session.send(&carried).await;
            let asked = &session.upstream.asked()[before..];
            assert_eq!(token(&asked[0].request), Some(own.clone()), "{} by {name}", call.case);
            assert!(!asked[0].request.headers().contains_key(name));
            assert_eq!(reply.body, call.response.body());
            assert_eq!(reply.trailers, call.response.trailers);
            assert!(reply.cache_status().ends_with("\"a read that is never stored\""));

            // A token that was not named: head includes it, and asking at the token would make the answer older.
            let recording = recording.clone().and("head", tokenless.clone(), call.response.clone());
            let session = Session::new(&recording, engine);
            session.send(&carried).await;
            assert_eq!(token(&session.upstream.asked()[0].request), None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_lookup_is_asked_at_the_higher_of_two_tokens() {
    for (recording, engine, call, newer) in lookups() {
        let own = token(&call.request).unwrap();
        let higher = with_token(&call.request, Some(&newer));
        let recording = recording.and("higher", higher.clone(), call.response.clone());
        for (request, header) in [(&call.request, &newer), (&higher, &own)] {
            let mut request = request.clone();
            request
                .headers_mut()
                .insert("zookie", HeaderValue::from_str(header).unwrap());
            let session = Session::before(&recording, engine, &call).await;
            let before = session.upstream.calls();
            session.send(&request).await;
            assert_eq!(
                token(&session.upstream.asked()[before].request),
                Some(newer.clone()),
                "{}",
                call.case
            );
        }
    }
}

/// A token in the message is Permify's own: it is forwarded unmodified, though a newer one covers it.
#[tokio::test(start_paused = true)]
async fn a_lookup_at_a_token_is_forwarded_unmodified() {
    for (recording, engine, call, newer) in lookups() {
        let session = Session::new(&recording, engine);
        session.see(&recording, &newer).await;
        let before = session.upstream.calls();
        session.send(&call.request).await;
        assert_eq!(session.upstream.asked()[before].request.body(), call.request.body());
    }
}
