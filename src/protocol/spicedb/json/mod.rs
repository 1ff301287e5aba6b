//! SpiceDB's HTTP gateway.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts as Head;
use http::{HeaderMap, Response};

use super::super::{Call, Claim, Kept, Key, Learned, Refusal, Reply, Route, Unreadable, problem_json};
use crate::cache::Ask;
use crate::token::Zookie;

pub(super) fn claim(_: &Head) -> Claim {
    Claim::Pass
}

pub(super) fn read(_: Route, _: &Head, _: &Bytes, _: &Key<'_>) -> Result<Call, Unreadable> {
    Err(Unreadable("not one of the API's calls"))
}

pub(super) fn ask(_: &Call, _: &Bytes, _: &[usize], _: &Ask, _: Option<&Zookie>) -> Option<Bytes> {
    None
}

pub(super) fn probe(_: &mut Head) -> Option<(Call, Bytes)> {
    None
}

pub(super) fn patience(_: &HeaderMap) -> Option<Duration> {
    None
}

pub(super) fn learn(_: &Call, _: &Bytes, _: &[usize], _: &Reply<'_>) -> Learned {
    Learned::Nothing
}

pub(super) fn merge(_: &Call, _: &Bytes, _: &[Option<&Kept>], _: Option<&Zookie>) -> Kept {
    Kept::new(http::StatusCode::OK, http::HeaderValue::from_static(""), Bytes::new())
}

pub(super) fn refuse(why: &Refusal) -> Response<Bytes> {
    problem_json(why)
}
