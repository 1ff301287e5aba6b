//! Permify's gRPC API, package `base.v1`.

mod bulk;
mod check;
mod forward;
mod method;
mod probe;
mod request;
#[cfg(test)]
mod tests;
mod watch;
mod write;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use self::method::{Answer, Does, METHODS};
use crate::protocol::call::{Call, Claim, Key, Kind, Received, Route, Unreadable};
use crate::protocol::grpc::{Question, Status, message};
use crate::protocol::reply::{Reply, ReplyOutcome};

pub(super) use self::bulk::merge;
pub(super) use self::forward::ask;
pub(super) use self::probe::probe;
pub(super) use self::watch::{feed_token, watch};
pub(super) use crate::protocol::grpc::{reject, timeout};

pub(super) fn claim(method: &Method, uri: &Uri, headers: &HeaderMap) -> Claim {
    match METHODS.called(method, uri, headers) {
        Some((route, Does::ReadAt { .. } | Does::Read { .. })) => Claim::Body(route),
        Some((route, Does::Write { .. })) => Claim::Parts(route),
        None => Claim::Pass,
    }
}

pub(super) fn read(route: Route, parts: &Parts, body: &Bytes, key: &Key<'_>) -> Result<Call, Unreadable> {
    let method = METHODS
        .of(route)
        .ok_or(Unreadable("the request is not a known call of the API"))?;
    let (kind, stated) = match method.does {
        Does::Write { schema } => return Ok(Call::new(Kind::Write { schema, stream: false })),
        Does::Read { stream, token, cursor } => request::never_stored(message(body)?, stream, token, cursor)?,
        Does::ReadAt { answer, context } => {
            let question = Question::new("permify", route, parts, key)?;
            request::stored(message(body)?, question, key, answer, context)?
        }
    };
    Ok(Call {
        token: stated.token.map(|token| body.slice_ref(token)),
        unpinned: stated.unpinned,
        ..Call::new(kind)
    })
}

pub(super) fn learn(received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
    let (Some(method), Some(status)) = (METHODS.of(received.route), Status::of(reply)) else {
        return ReplyOutcome::Nothing;
    };
    let learned = match method.does {
        Does::Write { schema } => return write::learn(&status, reply, schema),
        Does::Read { .. } => None,
        Does::ReadAt { .. } if received.call.kind == Kind::NEVER_STORED => None,
        Does::ReadAt { answer, .. } => match answer {
            Answer::Verdict => check::learn(&status, reply, check::is_verdict),
            Answer::Tree => check::learn(&status, reply, check::is_tree),
            Answer::Verdicts => bulk::learn(&status, reply, asked),
        },
    };
    learned.unwrap_or(ReplyOutcome::Nothing)
}
