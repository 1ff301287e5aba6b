//! Permify's gRPC API, package `base.v1`.

use bytes::Bytes;
use http::request::Parts as Head;
use http::{HeaderMap, Method, Uri};

use super::super::{Call, Claim, Kept, Key, Learned, Reply, Route, Unreadable};
use crate::cache::Ask;
use crate::token::Zookie;

pub(super) fn claim(_: &Method, _: &Uri, _: &HeaderMap) -> Claim {
    Claim::Pass
}

pub(super) fn read(_: Route, _: &Head, _: &Bytes, _: &Key<'_>) -> Result<Call, Unreadable> {
    Err(Unreadable("not one of Permify's calls"))
}

pub(super) fn ask(_: &Call, _: &Bytes, _: &[usize], _: &Ask, _: Option<&Zookie>) -> Option<Bytes> {
    None
}

/// Opens the change feed of a tenant.
pub(super) fn watch(_: &str) -> Option<(Head, Bytes)> {
    None
}

/// The token in one message of the change feed.
pub(super) fn told(_: &[u8]) -> Option<&str> {
    None
}

pub(super) fn learn(_: &Call, _: &Bytes, _: &[usize], _: &Reply<'_>) -> Learned {
    Learned::Nothing
}

pub(super) fn merge(answers: &[Option<&Kept>]) -> Kept {
    answers.iter().flatten().next().map(|kept| Kept::clone(kept)).unwrap()
}
