//! Which schema an answer is based on, and what else is part of its question.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use prost::Message;
use tokio::time::advance;
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::frame::{field, messages};
use tower_zookie_testing::permify::messages::{Context, Kind, data};
use tower_zookie_testing::wire::permify::{is_allowed, with_body, with_field};
use tower_zookie_testing::wire::{Call, Recording, Session};

use crate::exact::exactly;
use crate::table::RECORDINGS;

/// The field of a check with its context.
const CONTEXT: u64 = 6;

fn over_grpc() -> impl Iterator<Item = (Recording, Engine)> {
    let grpc = RECORDINGS.into_iter().filter(|(name, ..)| name.contains("grpc"));
    grpc.map(|(name, engine, _)| (Recording::load(name), engine))
}

async fn is_served_as_recorded(session: &Session<Engine>, call: &Call) {
    let reply = session.send(&call.request).await;
    assert!(reply.is_hit(), "{}: {}", call.case, reply.cache_status());
    assert_eq!(reply.body, call.response.body(), "{}", call.case);
}

#[tokio::test(start_paused = true)]
async fn rule_10_the_old_schema_and_the_new_one_share_no_answer() {
    for (recording, engine) in over_grpc() {
        let [old, new, latest] =
            ["check-old-schema", "check-new-schema", "check-latest-schema"].map(|case| recording.call(case));
        assert!(!is_allowed(&old.response.body()) && is_allowed(&new.response.body()));
        for calls in [[old, new, latest], [latest, new, old], [new, old, latest]] {
            let session = Session::before(&recording, engine, old).await;
            for (asked, call) in calls.iter().enumerate() {
                let before = session.upstream.calls();
                assert_eq!(session.send(&call.request).await.body, call.response.body());
                assert_eq!(session.asked(before), [&*call.case], "{asked} were stored before");
            }
            for call in calls {
                is_served_as_recorded(&session, call).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_schema_write_ends_answers_by_the_latest_schema() {
    for (recording, engine) in over_grpc() {
        let latest = recording.call("check-latest-schema");
        let exact_is_stored = engine == Engine::Postgres;
        for write in ["schema-write-2", "schema-write-invalid", "schema-write"] {
            for (request, stored) in [
                (latest.request.clone(), true),
                (exactly(&latest.request), exact_is_stored),
            ] {
                let session = Session::before(&recording, engine, latest).await;
                session.send(&request).await;
                assert_eq!(session.send(&request).await.is_hit(), stored);
                session.send(&recording.call(write).request).await;
                let before = session.upstream.calls();
                let reply = session.send(&request).await;
                assert_eq!(session.asked(before), ["check-latest-schema"], "{write}");
                let again = reply.cache_status().contains("; stored");
                assert_eq!(again, stored, "a named revision stays named");
            }
        }
        let session = Session::before(&recording, engine, latest).await;
        session.send(&latest.request).await;
        // In memory an empty write has no token, and nothing was written.
        for other in ["data-write-unknown", "data-write-empty", "tenant-create"] {
            session.send(&recording.call(other).request).await;
            is_served_as_recorded(&session, latest).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_unpinned_answer_ends_with_the_window() {
    let recording = Recording::load("permify/grpc-postgres");
    let [latest, pinned] = ["check-latest-schema", "check-new-schema"].map(|case| recording.call(case));
    for (call, outlives) in [(latest, false), (pinned, true)] {
        let session = Session::before(&recording, Engine::Postgres, call).await;
        let exact = exactly(&call.request);
        session.send(&exact).await;
        advance(Duration::from_millis(5499)).await;
        assert!(session.send(&exact).await.is_hit());
        advance(Duration::from_millis(2)).await;
        assert_eq!(session.send(&exact).await.is_hit(), outlives, "{}", call.case);
    }
}

/// A context with this data under one name.
fn with_data(request: &Request<Bytes>, name: &str, value: Kind) -> Request<Bytes> {
    let context = Context {
        data: data(&[(name, value)]),
        ..Context::default()
    };
    with_field(request, CONTEXT, &[&context.encode_to_vec()])
}

fn number(number: f64) -> Kind {
    Kind::NumberValue(number)
}

fn text(text: &str) -> Kind {
    Kind::StringValue(text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_number_and_its_text_differ() {
    for (recording, engine) in over_grpc() {
        // Any answer will do: the test is about which question it is served to.
        let reply = &recording.call("check-context-unused").response;
        let asked = |name, value| with_data(&recording.call("check-context-unused").request, name, value);
        let rule = recording.call("check-rule-allowed");
        assert_eq!(
            with_data(&rule.request, "floor", number(3.0)).body(),
            rule.request.body()
        );
        let contexts = [
            ("number", asked("a", number(1.0))),
            ("text", asked("a", text("1"))),
            ("other name", asked("b", number(1.0))),
            ("no data", with_field(&rule.request, CONTEXT, &[&[]])),
            (
                "no context",
                with_field(&recording.call("check-context-unused").request, CONTEXT, &[]),
            ),
        ];
        let recording = contexts.iter().fold(recording.clone(), |recording, (case, request)| {
            recording.and(case, request.clone(), reply.clone())
        });
        for (case, stored) in &contexts {
            for (other, request) in &contexts {
                let session = Session::before(&recording, engine, recording.call("check-allowed")).await;
                session.send(stored).await;
                assert_eq!(
                    session.send(request).await.is_hit(),
                    case == other,
                    "{other} after {case}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_10_contextual_tuples_are_part_of_the_question() {
    for (recording, engine) in over_grpc() {
        for case in [
            "check-contextual-tuple",
            "check-context-unused",
            "check-rule-allowed",
            "check-rule-denied",
        ] {
            let call = recording.call(case);
            let without = with_field(&call.request, CONTEXT, &[]);
            let recorded = recording.calls.iter().any(|call| call.request.body() == without.body());
            let recording = match recorded {
                true => recording.clone(),
                false => recording.clone().and("without", without.clone(), call.response.clone()),
            };
            for [stored, other] in [[&call.request, &without], [&without, &call.request]] {
                let session = Session::before(&recording, engine, call).await;
                session.send(stored).await;
                assert!(!session.send(other).await.is_hit(), "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_10_one_contextual_tuple_is_not_another() {
    for (recording, engine) in over_grpc() {
        let call = recording.call("check-contextual-tuple").clone();
        let context = field(messages(call.request.body())[0], CONTEXT).unwrap();
        let mut other = context.to_vec();
        // The last byte of the subject's name.
        *other.last_mut().unwrap() += 1;
        let request = with_field(&call.request, CONTEXT, &[&other]);
        let recording = recording.and("other", request.clone(), call.response.clone());
        for [stored, asked] in [[&call.request, &request], [&request, &call.request]] {
            let session = Session::before(&recording, engine, &call).await;
            session.send(stored).await;
            assert!(session.send(stored).await.is_hit());
            assert!(!session.send(asked).await.is_hit());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_10_over_rest_a_number_and_its_text_differ() {
    for (name, engine, _) in RECORDINGS.into_iter().filter(|(name, ..)| name.contains("http")) {
        let recording = Recording::load(name);
        let call = recording.call("http-check-context").clone();
        let with_floor = |floor: &str| {
            let body = std::str::from_utf8(call.request.body()).unwrap();
            let changed = body.replace(r#""floor": 3"#, &format!(r#""floor": {floor}"#));
            with_body(&call.request, changed.into())
        };
        assert_eq!(with_floor("3").body(), call.request.body());
        let text = with_floor(r#""3""#);
        let recording = recording.and("text", text.clone(), call.response.clone());
        for [stored, other] in [[&call.request, &text], [&text, &call.request]] {
            let session = Session::before(&recording, engine, &call).await;
            session.send(stored).await;
            assert!(session.send(stored).await.is_hit());
            assert!(!session.send(other).await.is_hit(), "{name}");
        }
    }
}
