//! SpiceDB's HTTP gateway: the same API in proto3 JSON, as grpc-gateway reads and writes it.
//!
//! The gateway reads the path, the first JSON value of the body whatever its content type is, the headers
//! `Authorization` and `X-Request-Id`, and all headers with the prefix `Grpc-Metadata-` as metadata. It ignores the
//! query.

mod consistency;
mod endpoint;
mod expiry;
mod question;
mod reply;
mod request;
mod rewrite;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Method, Uri};

use self::consistency::Stated;
use self::endpoint::{Endpoint, What};
use self::rewrite::Outline;
use crate::cache::ReadAt;
use crate::protocol::call::{Call, Claim, Key, Kind, Received, Route, Unreadable};
use crate::protocol::gateway::Error;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::spicedb::consistency::MessageConsistency;
use crate::protocol::spicedb::rejected::rejects_revision;
use crate::token::Zookie;

pub(super) use self::reply::merge;
pub(super) use crate::protocol::gateway::{reject, timeout};

pub(super) fn claim(method: &Method, uri: &Uri) -> Claim {
    if *method != Method::POST {
        return Claim::Pass;
    }
    let Some((route, endpoint)) = endpoint::find(uri.path()) else {
        return Claim::Pass;
    };
    match endpoint.what {
        What::Check | What::Bulk => Claim::Body(route),
        What::Write { .. } => Claim::Parts(route),
        What::Read { stream: false, .. } | What::ReadAtHead { .. } => Claim::Body(route),
        What::Read { stream: true, .. } => Claim::Floor(route),
    }
}

pub(super) fn read(route: Route, parts: &Parts, message: &Bytes, key: &Key<'_>) -> Result<Call, Unreadable> {
    let endpoint = Endpoint::of(route).ok_or(Unreadable("the request is not a known call of the gateway"))?;
    let (kind, stated) = match endpoint.what {
        What::Write { schema, token } => {
            // Only an import has a reply without a token, and an import is a stream of the client.
            let stream = token.is_none();
            return Ok(Call::new(Kind::Write { schema, stream }));
        }
        What::Check | What::Bulk if request::asks_for_more(&parts.headers) => {
            request::never_stored(parts, message, false)?
        }
        What::Check => request::check(message, &request::prefix(parts, key)?)?,
        What::Bulk => request::bulk(message, &request::prefix(parts, key)?)?,
        What::ReadAtHead { .. } => (Kind::NEVER_STORED, Some(Stated::AT_HEAD)),
        What::Read { stream, .. } => request::never_stored(parts, message, stream)?,
    };
    let (consistency, token) = stated.map_or((None, None), |stated| (Some(stated.consistency), stated.token));
    Ok(Call {
        consistency,
        token,
        ..Call::new(kind)
    })
}

pub(super) fn ask(received: Received<'_>, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
    let stated = MessageConsistency::of(at, zookie);
    let consistency = (!stated.is_stated_by(received.call)).then(|| consistency::spell(&stated));
    let open = match &received.call.kind {
        Kind::Write { .. } => return None,
        Kind::Bulk(questions) if !open.is_empty() && open.len() < questions.len() => Some(open),
        _ => None,
    };
    if consistency.is_none() && open.is_none() {
        return None;
    }
    Outline::of(received.message)?.rewritten(received.message, consistency.as_deref(), open)
}

pub(super) fn learn(received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
    let Some(endpoint) = Endpoint::of(received.route) else {
        return ReplyOutcome::Nothing;
    };
    let rejects = |error: Error| rejects_revision(error.code, error.message.as_bytes());
    let learned = match endpoint.what {
        What::Write { schema, token } => return reply::write(reply, schema, token),
        _ if Error::of(reply).is_some_and(rejects) => return ReplyOutcome::RevisionRejected,
        What::ReadAtHead { token } => reply::listing(reply, token),
        What::Read { token, .. } => token.and_then(|token| reply::listing(reply, token)),
        What::Check | What::Bulk if received.call.kind == Kind::NEVER_STORED => {
            reply::listing(reply, reply::CHECKED_AT)
        }
        What::Check => reply::check(reply, SystemTime::now()),
        What::Bulk => reply::bulk(reply, received.message, asked),
    };
    learned.unwrap_or(ReplyOutcome::Nothing)
}

pub(super) fn echoed() -> &'static [HeaderName] {
    static REQUEST_ID: [HeaderName; 1] = [HeaderName::from_static("x-request-id")];
    &REQUEST_ID
}
