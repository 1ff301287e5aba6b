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
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use self::consistency::Stated;
use self::method::{Does, METHODS};
use self::reply::CHECKED_AT;
use crate::protocol::call::{Call, Claim, Key, Kind, Received, Route, Unreadable};
use crate::protocol::grpc::{Question, Status, Values, message};
use crate::protocol::reply::{Reply, ReplyOutcome};

pub(super) use self::bulk::merge;
pub(super) use self::forward::ask;
pub(super) use crate::protocol::grpc::{reject, timeout};

pub(super) fn claim(method: &Method, uri: &Uri, headers: &HeaderMap) -> Claim {
    let Some((route, does)) = METHODS.called(method, uri, headers) else {
        return Claim::Pass;
    };
    match does {
        Does::Check | Does::Bulk | Does::ReadAtHead { .. } | Does::Read { token: Some(_), .. } => Claim::Body(route),
        Does::Write { .. } => Claim::Parts(route),
        Does::Read { token: None, .. } => Claim::Floor(route),
    }
}

pub(super) fn read(route: Route, parts: &Parts, body: &Bytes, key: &Key<'_>) -> Result<Call, Unreadable> {
    let method = METHODS
        .of(route)
        .ok_or(Unreadable("the request is not a known call of the API"))?;
    let question = || Question::new("spicedb", route, parts, key);
    let values = Values::new(&key.base);
    let (kind, stated) = match method.does {
        Does::Write { schema, token } => {
            // Only an import has a reply without a token, and an import is a stream of the client.
            let stream = token.is_none();
            return Ok(Call::new(Kind::Write { schema, stream }));
        }
        Does::Check | Does::Bulk if request::asks_for_more(parts) => {
            request::never_stored(message(body)?, None, false)?
        }
        Does::Check => request::check(message(body)?, question()?, &values)?,
        Does::Bulk => request::bulk(message(body)?, question()?, &values)?,
        Does::ReadAtHead { .. } => (Kind::NEVER_STORED, Stated::AT_HEAD),
        Does::Read { pages, token } => request::never_stored(message(body)?, pages, token.is_none())?,
    };
    Ok(Call {
        consistency: stated.consistency,
        token: stated.token.map(|token| body.slice_ref(token)),
        ..Call::new(kind)
    })
}

pub(super) fn learn(received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
    let (Some(method), Some(status)) = (METHODS.of(received.route), Status::of(reply)) else {
        return ReplyOutcome::Nothing;
    };
    let learned = match method.does {
        Does::Write { schema, token } => return reply::written(&status, reply, schema, token),
        _ if reply::rejects_revision(&status) => return ReplyOutcome::RevisionRejected,
        Does::Read { token, .. } => reply::read_at(&status, reply, token),
        Does::ReadAtHead { token } => reply::read_at(&status, reply, Some(token)),
        Does::Check | Does::Bulk if received.call.kind == Kind::NEVER_STORED => {
            reply::read_at(&status, reply, Some(CHECKED_AT))
        }
        Does::Check => check::learn(&status, reply, SystemTime::now()),
        Does::Bulk => bulk::learn(&status, reply, received.message, asked),
    };
    learned.unwrap_or(ReplyOutcome::Nothing)
}
