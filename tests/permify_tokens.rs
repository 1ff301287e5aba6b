//! Every snap token that a real Permify issued or accepted, in the recordings of `tests/wire/permify`.

use std::collections::BTreeSet;

use serde_json::Value;
use tower_zookie::revision::{PermifySnapshot, Revision};
use tower_zookie::token::permify::{Engine, SnapTokens};
use tower_zookie::token::{TokenErrorKind, TokenFormat};
use tower_zookie_testing::frame::{messages, text};
use tower_zookie_testing::wire::{Call, Recording};

/// The recordings, their engines, and how many tokens they hold.
const RECORDINGS: [(&str, Engine, usize); 4] = [
    ("permify/grpc-memory", Engine::Memory, 50),
    ("permify/grpc-postgres", Engine::Postgres, 66),
    ("permify/http-memory", Engine::Memory, 11),
    ("permify/http-postgres", Engine::Postgres, 11),
];

/// Texts in a token's place that are not tokens.
const NO_TOKENS: [&str; 3] = ["not a token", "nope!", "noop"];

/// The text at the end of a path of fields, in every message of a gRPC body.
fn texts(body: &[u8], path: &[u64]) -> Vec<String> {
    messages(body)
        .into_iter()
        .filter_map(|message| text(message, path))
        .collect()
}

/// The tokens of a call: those in the request, and those in the reply.
fn places(call: &Call) -> [Vec<String>; 2] {
    let (request, response) = (call.request.body(), call.response.body());
    let path = call.request.uri().path();
    let mut found = match path.split('/').nth(1).unwrap() {
        "base.v1.Permission" => [texts(request, &[2, 2]), vec![]],
        "base.v1.Data" => [vec![], texts(&response, &[1])],
        "base.v1.Watch" => [texts(request, &[2]), texts(&response, &[1, 1])],
        "v1" => [request, &response].map(|body| members(&serde_json::from_slice(body).unwrap_or_default())),
        _ => [vec![], vec![]],
    };
    for texts in &mut found {
        texts.retain(|text| !text.is_empty());
    }
    found
}

/// The snap tokens of a JSON value, in both spellings.
fn members(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(members).collect(),
        Value::Object(values) => values
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if ["snap_token", "snapToken"].contains(&&**name) => vec![text.clone()],
                _ => members(value),
            })
            .collect(),
        _ => vec![],
    }
}

fn tokens(call: &Call) -> impl Iterator<Item = String> {
    let texts = places(call).into_iter().flatten();
    texts.filter(|text| !NO_TOKENS.contains(&&**text))
}

fn decode(engine: Engine, text: &str) -> Revision {
    let revision = SnapTokens::new(engine).decode(text);
    revision.unwrap_or_else(|error| panic!("{engine:?} {text}: {error}"))
}

fn snapshot(revision: &Revision) -> &PermifySnapshot {
    revision.point().unwrap()
}

/// The tokens in the replies to writes, except those of concurrent writes.
fn replied(recording: &Recording) -> impl Iterator<Item = String> {
    let writes = recording
        .calls
        .iter()
        .filter(|call| !["parallel-write", "watch"].contains(&&*call.case));
    let replied = writes.flat_map(|call| places(call)[1].clone());
    replied.filter(|text| !NO_TOKENS.contains(&&**text))
}

#[test]
fn every_recorded_token_reads_back_unmodified() {
    for (name, engine, expected) in RECORDINGS {
        let recording = Recording::load(name);
        let tokens: Vec<String> = recording.calls.iter().flat_map(|call| tokens(call)).collect();
        for text in &tokens {
            let revision = decode(engine, text);
            let written = SnapTokens::new(engine).encode(&revision).unwrap();
            assert_eq!(written.as_str(), text, "{name}");
        }
        assert_eq!(tokens.len(), expected, "{name}");
    }
}

#[test]
fn other_recorded_texts_are_not_tokens() {
    let mut seen = BTreeSet::new();
    for (name, engine, _) in RECORDINGS {
        for text in Recording::load(name)
            .calls
            .iter()
            .flat_map(|call| places(call))
            .flatten()
        {
            if let Err(error) = SnapTokens::new(engine).decode(&text) {
                assert!(matches!(error.kind(), TokenErrorKind::Malformed(_)), "{text}: {error}");
                seen.insert(text);
            }
        }
    }
    assert_eq!(seen, NO_TOKENS.map(str::to_owned).into());
}

#[test]
fn rule_01_sequential_writes_ascend() {
    for (name, engine, _) in RECORDINGS {
        let revisions: Vec<_> = replied(&Recording::load(name))
            .map(|text| decode(engine, &text))
            .collect();
        assert!(revisions.len() >= 3, "{name}");
        assert!(revisions.is_sorted_by(|before, after| before < after), "{name}");
        assert!(revisions.is_sorted_by(|before, after| after.settles(before)), "{name}");
    }
}

#[test]
fn the_watch_reports_every_write_in_legacy_tokens() {
    let recording = Recording::load("permify/grpc-postgres");
    let xid = |text: &String| snapshot(&decode(Engine::Postgres, text)).xid();
    let [start, reported] = places(recording.call("watch"));
    let reported: Vec<_> = reported.iter().map(|text| decode(Engine::Postgres, text)).collect();
    assert!(reported.iter().all(|revision| snapshot(revision).xmin().is_none()));

    let writes = recording.calls.iter().filter(|call| call.case != "watch");
    let written: BTreeSet<u64> = writes
        .flat_map(|call| places(call)[1].iter().map(xid).collect::<Vec<_>>())
        .collect();
    let later = written.into_iter().filter(|write| *write > xid(&start[0]));
    let order: Vec<u64> = reported.iter().map(|revision| snapshot(revision).xid()).collect();
    assert_eq!(later.collect::<BTreeSet<_>>(), order.iter().copied().collect());
    // In the order of the commits, which is not that of the numbers.
    assert!(!order.is_sorted());
}

#[test]
fn a_token_of_the_other_engine_is_never_a_snapshot() {
    for (name, engine, _) in RECORDINGS {
        let recording = Recording::load(name);
        for text in recording.calls.iter().flat_map(|call| tokens(call)) {
            match engine {
                // On PostgreSQL any eight bytes are a legacy token, which covers nothing.
                Engine::Memory => assert_eq!(snapshot(&decode(Engine::Postgres, &text)).xmin(), None),
                _ if snapshot(&decode(engine, &text)).xmin().is_none() => {}
                _ => assert!(SnapTokens::new(Engine::Memory).decode(&text).is_err()),
            }
        }
    }
}
