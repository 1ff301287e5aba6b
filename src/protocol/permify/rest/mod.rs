//! Permify's REST gateway: the same API in proto3 JSON, as grpc-gateway reads and writes it.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts as Head;
use http::{HeaderMap, Method, Response, Uri};

use super::super::{Call, Claim, Kept, Key, Learned, Refusal, Reply, Route, Unreadable, problem_json};
use crate::cache::Ask;
use crate::token::Zookie;

pub(super) fn claim(_: &Method, _: &Uri) -> Claim {
    Claim::Pass
}

pub(super) fn read(_: Route, _: &Head, _: &Bytes, _: &Key<'_>) -> Result<Call, Unreadable> {
    Err(Unreadable("not one of Permify's calls"))
}

pub(super) fn ask(_: &Call, _: &Bytes, _: &[usize], _: &Ask, _: Option<&Zookie>) -> Option<Bytes> {
    None
}

pub(super) fn patience(_: &HeaderMap) -> Option<Duration> {
    None
}

pub(super) fn learn(_: &Call, _: &Bytes, _: &[usize], _: &Reply<'_>) -> Learned {
    Learned::Nothing
}

pub(super) fn merge(answers: &[Option<&Kept>]) -> Kept {
    answers.iter().flatten().next().map(|kept| Kept::clone(kept)).unwrap()
}

pub(super) fn refuse(why: &Refusal) -> Response<Bytes> {
    problem_json(why)
}
