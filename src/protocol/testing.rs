//! Helpers for the tests of protocols.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::cache::{Fingerprint, FingerprintBuilder};
use crate::protobuf::{write_bytes, write_number};
use crate::protocol::api::Protocol;
use crate::protocol::call::{Call, Claim, Key, Kind, Received, Route, Unreadable};
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::revision::{Counter, Revision, StoreId};
use crate::token::{Carriers, TokenError, TokenErrorKind, TokenFormat, Zookie};

/// Tokens that are decimal numbers.
#[derive(Debug)]
pub(super) struct Numbers;

impl TokenFormat for Numbers {
    fn decode(&self, text: &str) -> Result<Revision, TokenError> {
        let number = text.parse().map_err(|_| TokenErrorKind::Malformed("not a number"))?;
        Ok(revision(number))
    }

    fn encode(&self, revision: &Revision) -> Option<Zookie> {
        let Counter(number) = revision.point()?;
        Zookie::new(&number.to_string(), 20).ok()
    }
}

pub(super) fn revision(number: u64) -> Revision {
    Revision::new(StoreId::new(["numbers"]), Counter(number))
}

pub(super) fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let request = Request::builder().method(method).uri(uri);
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

pub(super) fn claimed(protocol: &impl Protocol, parts: &Parts) -> Claim {
    protocol.claim(&parts.method, &parts.uri, &parts.headers)
}

/// A call that was read, and its route.
#[derive(Clone, Debug)]
pub(super) struct ReadCall {
    pub(super) route: Route,
    pub(super) kind: Kind,
    pub(super) token: Option<Bytes>,
    call: Call,
}

impl ReadCall {
    pub(super) fn new(route: Route, kind: Kind) -> Self {
        Self::of(route, Call::new(kind))
    }

    pub(super) fn of(route: Route, call: Call) -> Self {
        Self {
            route,
            kind: call.kind.clone(),
            token: call.token.clone(),
            call,
        }
    }

    pub(super) fn with<'a>(&'a self, message: &'a Bytes) -> Received<'a> {
        Received::new(self.route, &self.call, message)
    }
}

pub(super) fn read(
    protocol: &impl Protocol,
    route: Route,
    parts: &Parts,
    body: &[u8],
    base: &FingerprintBuilder,
) -> Result<ReadCall, Unreadable> {
    let carriers = Carriers::default();
    let key = Key::new(base.clone(), &carriers, &parts.uri);
    let call = protocol.read(route, parts, &Bytes::copy_from_slice(body), key)?;
    Ok(ReadCall::of(route, call))
}

pub(super) fn question(call: &ReadCall) -> Fingerprint {
    match call.kind {
        Kind::Check(question) => question,
        _ => panic!("{call:?} is no check"),
    }
}

pub(super) fn learn(
    protocol: &impl Protocol,
    call: &ReadCall,
    message: &[u8],
    asked: &[usize],
    reply: (u16, &str),
) -> ReplyOutcome {
    let headers = HeaderMap::new();
    let body = Bytes::copy_from_slice(reply.1.as_bytes());
    let reply = Reply {
        status: StatusCode::from_u16(reply.0).unwrap(),
        headers: &headers,
        body: &body,
        trailers: None,
    };
    protocol.learn(call.with(&Bytes::copy_from_slice(message)), asked, &reply)
}

/// JSON values from a few leaves, so that two values are often equal.
pub(super) fn json() -> impl Strategy<Value = Value> {
    let leaves = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "1.0",
        "\"\"",
        "\"1\"",
        "\"null\"",
        "\"ä\\\"\\n\"",
    ];
    let leaf = prop::sample::select(leaves.to_vec()).prop_map(|text| serde_json::from_str(text).unwrap());
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]{0,2}", inner, 0..3).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// One of the many JSON texts of a value.
pub(super) fn spell(value: &Value, seed: u64) -> String {
    let mut text = String::new();
    spell_into(value, &mut StdRng::seed_from_u64(seed), &mut text);
    text
}

fn spell_into(value: &Value, rng: &mut StdRng, text: &mut String) {
    space(rng, text);
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.shuffle(rng);
            text.push('{');
            for (nth, (name, value)) in members.into_iter().enumerate() {
                if nth > 0 {
                    text.push(',');
                }
                spell_into(&Value::from(name.as_str()), rng, text);
                text.push(':');
                spell_into(value, rng, text);
            }
            text.push('}');
        }
        Value::Array(elements) => {
            text.push('[');
            for (nth, element) in elements.iter().enumerate() {
                if nth > 0 {
                    text.push(',');
                }
                spell_into(element, rng, text);
            }
            space(rng, text);
            text.push(']');
        }
        Value::String(string) => {
            text.push('"');
            for char in string.chars() {
                if rng.random_bool(0.2) || matches!(char, '"' | '\\' | '\0'..' ') {
                    text.push_str(&format!("\\u{:04x}", u32::from(char)));
                } else {
                    text.push(char);
                }
            }
            text.push('"');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
    space(rng, text);
}

fn space(rng: &mut StdRng, text: &mut String) {
    while rng.random_bool(0.2) {
        text.push([' ', '\n', '\t', '\r'][rng.random_range(0..4)]);
    }
}

/// Text that is nearly JSON.
pub(super) fn nearly_json() -> impl Strategy<Value = String> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u00",
        "\\ud800",
        "-",
        ".",
        "0",
        "12",
        "e",
        "E+",
        "true",
        "null",
        " ",
        "\"a\"",
        "\"decision\":",
        "\"evaluations\":[",
        "\"context\":",
        "{\"error\":1}",
        "\u{1}",
        "ä",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..14).prop_map(|pieces| pieces.concat())
}

/// One of the many spellings of a JSON object as a `google.protobuf.Struct`.
pub(super) fn structure(members: &serde_json::Map<String, Value>, rng: &mut StdRng) -> Vec<u8> {
    let mut members: Vec<_> = members.iter().collect();
    members.shuffle(rng);
    let mut message = Vec::new();
    for (name, value) in members {
        let mut fields = [Vec::new(), Vec::new()];
        write_bytes(&mut fields[0], 1, name.as_bytes());
        write_bytes(&mut fields[1], 2, &struct_value(value, rng));
        fields.shuffle(rng);
        // A message may leave out an empty name.
        let left_out = name.is_empty() && rng.random_bool(0.5);
        let entry = fields.iter().filter(|field| !left_out || field[0] != 0x0a);
        write_bytes(&mut message, 1, &entry.flatten().copied().collect::<Vec<_>>());
    }
    message
}

fn struct_value(value: &Value, rng: &mut StdRng) -> Vec<u8> {
    let mut message = Vec::new();
    match value {
        Value::Null => write_number(&mut message, 1, 0),
        Value::Number(number) => {
            message.push(0x11);
            message.extend_from_slice(&number.as_f64().unwrap().to_le_bytes());
        }
        Value::String(text) => write_bytes(&mut message, 3, text.as_bytes()),
        Value::Bool(flag) => write_number(&mut message, 4, u64::from(*flag)),
        Value::Object(members) => write_bytes(&mut message, 5, &structure(members, rng)),
        Value::Array(elements) => {
            let mut list = Vec::new();
            for element in elements {
                write_bytes(&mut list, 1, &struct_value(element, rng));
            }
            write_bytes(&mut message, 6, &list);
        }
    }
    message
}
