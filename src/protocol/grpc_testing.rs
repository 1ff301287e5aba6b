//! Helpers for the tests of gRPC APIs.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use crate::cache::{Fingerprint, FingerprintBuilder, Keyer, ReadAt};
use crate::protobuf::{write_bytes, write_number};
use crate::protocol::api::Protocol;
use crate::protocol::call::{Claim, Kind, Route, Unreadable};
use crate::protocol::reply::{Reply, ReplyItem, ReplyOutcome};
use crate::protocol::testing::ReadCall;
use crate::protocol::testing::{claimed, parts, read, revision};
use crate::token::Zookie;

pub(in crate::protocol) fn decoded(base64: &str) -> Bytes {
    BASE64_STANDARD.decode(base64).unwrap().into()
}

pub(in crate::protocol) fn base() -> FingerprintBuilder {
    Keyer::random().question("test")
}

pub(in crate::protocol) fn grpc_parts(path: &str, headers: &[(&str, &str)]) -> Parts {
    let mut parts = parts("POST", path, headers);
    let grpc = HeaderValue::from_static("application/grpc");
    parts.headers.entry("content-type").or_insert(grpc);
    parts
}

pub(in crate::protocol) fn route(api: &impl Protocol, path: &str) -> Route {
    match claimed(api, &grpc_parts(path, &[])) {
        Claim::Parts(route) | Claim::Body(route) | Claim::Floor(route) => route,
        Claim::Pass => panic!("{path} passes"),
    }
}

pub(in crate::protocol) fn ask(
    api: &impl Protocol,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    base: &FingerprintBuilder,
) -> Result<ReadCall, Unreadable> {
    read(api, route(api, path), &grpc_parts(path, headers), body, base)
}

pub(in crate::protocol) fn questions(call: &ReadCall) -> &[Fingerprint] {
    match &call.kind {
        Kind::Bulk(questions) => questions,
        kind => panic!("{kind:?} is no bulk"),
    }
}

pub(in crate::protocol) fn framed(message: &[u8]) -> Vec<u8> {
    let mut body = vec![0];
    body.extend_from_slice(&(message.len() as u32).to_be_bytes());
    body.extend_from_slice(message);
    body
}

pub(in crate::protocol) fn bytes(number: u32, value: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    write_bytes(&mut field, number, value);
    field
}

pub(in crate::protocol) fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut field = Vec::new();
    write_number(&mut field, number, value);
    field
}

pub(in crate::protocol) fn zookie(text: &str) -> Zookie {
    Zookie::new(text, 1024).unwrap()
}

/// Every kind of `ReadAt`. The protocol does not read the revision, only its token.
pub(in crate::protocol) fn at_least_ask() -> ReadAt {
    ReadAt::AtLeast(revision(1))
}

pub(in crate::protocol) fn exact_ask() -> ReadAt {
    ReadAt::Exact(revision(1))
}

pub(in crate::protocol) fn as_it_came() -> ReadAt {
    ReadAt::Unmodified(revision(1))
}

pub(in crate::protocol) fn map(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    pairs.collect()
}

/// The outcome of a reply to the questions `asked` with these trailers.
pub(in crate::protocol) fn learn(
    api: &impl Protocol,
    call: &ReadCall,
    request: &[u8],
    asked: &[usize],
    body: &[u8],
    trailers: &[(&str, &str)],
) -> ReplyOutcome {
    let reply = Reply {
        status: StatusCode::OK,
        headers: &map(&[("content-type", "application/grpc")]),
        body: &Bytes::copy_from_slice(body),
        trailers: Some(&map(trailers)),
    };
    api.learn(call.with(&Bytes::copy_from_slice(request)), asked, &reply)
}

/// The outcome of an error, which is in the headers only.
pub(in crate::protocol) fn learn_error(
    api: &impl Protocol,
    call: &ReadCall,
    request: &[u8],
    code: &str,
    message: &str,
) -> ReplyOutcome {
    let reply = Reply {
        status: StatusCode::OK,
        headers: &map(&[
            ("content-type", "application/grpc"),
            ("grpc-status", code),
            ("grpc-message", message),
        ]),
        body: &Bytes::new(),
        trailers: None,
    };
    api.learn(call.with(&Bytes::copy_from_slice(request)), &[0], &reply)
}

/// All of a call's questions.
pub(in crate::protocol) fn all(call: &ReadCall) -> Vec<usize> {
    match &call.kind {
        Kind::Bulk(questions) => (0..questions.len()).collect(),
        _ => vec![0],
    }
}

pub(in crate::protocol) fn answers(learned: ReplyOutcome) -> (Vec<ReplyItem>, Option<String>) {
    match learned {
        ReplyOutcome::Answers { items, token } => (items, token),
        other => panic!("{other:?}"),
    }
}

/// Where a frame's message is changed, to which byte, and where it is cut off.
#[derive(Clone, Debug)]
pub(in crate::protocol) struct Changes {
    bytes: Vec<(prop::sample::Index, u8)>,
    end: prop::sample::Index,
}

impl Changes {
    pub(in crate::protocol) fn few() -> impl Strategy<Value = Self> {
        let bytes = prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..3);
        (bytes, any::<prop::sample::Index>()).prop_map(|(bytes, end)| Self { bytes, end })
    }

    pub(in crate::protocol) fn make(&self, frame: &Bytes) -> Vec<u8> {
        let mut changed = frame.to_vec();
        for (at, byte) in &self.bytes {
            changed[at.index(frame.len())] = *byte;
        }
        changed.truncate(5 + self.end.index(frame.len() - 4));
        framed(&changed[5..])
    }
}

/// Which of up to four questions are asked.
pub(in crate::protocol) fn open() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::btree_set(0_usize..4, 0..4).prop_map(|open| open.into_iter().collect())
}
