//! SpiceDB's gRPC API, package `authzed.api.v1`.

mod bulk;
mod check;
mod consistency;
mod forward;
mod method;
mod reply;
mod request;
#[cfg(test)]
mod tests;
mod tuple;

use std::time::SystemTime;

use bytes::Bytes;
use http::Method as HttpMethod;
use http::request::Parts as Head;

use self::method::{Does, Method};
use super::super::grpc::{Status, content_type, message};
use super::super::{Call, Claim, Key, Kind, Learned, Reply, Route, Unreadable};

pub(super) use self::bulk::merge;
pub(super) use self::forward::{ask, probe};
pub(super) use super::super::grpc::{patience, refuse};

pub(super) fn claim(head: &Head) -> Claim {
    if head.method != HttpMethod::POST || content_type(&head.headers).is_none() {
        return Claim::Pass;
    }
    match Method::called(head.uri.path()) {
        Some((route, method)) => match method.does {
            Does::Check | Does::Bulk => Claim::Body(route),
            Does::Write { .. } => Claim::Head(route),
            Does::Read { .. } => Claim::Floor(route),
        },
        None => Claim::Pass,
    }
}

pub(super) fn read(route: Route, head: &Head, body: &Bytes, key: &Key<'_>) -> Result<Call, Unreadable> {
    let method = Method::of(route).ok_or(Unreadable("not one of the API's calls"))?;
    let (kind, stated) = match method.does {
        Does::Write { schema, .. } => return Ok(Call::new(route, Kind::Write { schema })),
        Does::Check => request::check(message(body)?, &request::prefix(method, head, key)?)?,
        Does::Bulk => request::bulk(message(body)?, request::prefix(method, head, key)?)?,
        Does::Read { pages, .. } => (Kind::Read, request::listing(message(body)?, pages)?),
    };
    Ok(Call {
        route,
        kind,
        consistency: stated.wish,
        token: stated.token.map(|token| body.slice_ref(token)),
    })
}

pub(super) fn learn(call: &Call, body: &Bytes, asked: &[usize], reply: &Reply<'_>) -> Learned {
    let (Some(method), Some(status)) = (Method::of(call.route), Status::of(reply)) else {
        return Learned::Nothing;
    };
    let learned = match method.does {
        Does::Write { schema, token } => return reply::written(&status, reply, schema, token),
        _ if reply::refuses_revision(&status) => return Learned::RevisionRefused,
        Does::Check => check::learn(&status, reply, SystemTime::now()),
        Does::Bulk => bulk::learn(&status, reply, body, asked),
        Does::Read { token, .. } => reply::read_at(&status, reply, token),
    };
    learned.unwrap_or(Learned::Nothing)
}
