//! Permify's REST gateway: the same API in proto3 JSON, as grpc-gateway reads and writes it.
//!
//! The gateway reads the path, the first JSON value of the body whatever its content type is, and all headers with the
//! prefix `Grpc-Metadata-` as metadata. It ignores the query, and a `tenant_id` in the body.
//!
//! Fields have two spellings, and not every build reads both. The newest build ignores `snapToken` and `schemaVersion`
//! as unknown members, and so answers at head and by the latest schema.

mod endpoint;
mod probe;
mod reply;
mod request;
mod rewrite;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Uri};

use self::endpoint::{Endpoint, What};
use self::rewrite::Outline;
use crate::cache::ReadAt;
use crate::protocol::call::{Call, Claim, Key, Kind, Received, Route, Unreadable};
use crate::protocol::permify::snap_token;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::token::Zookie;

pub(super) use self::probe::probe;
pub(super) use self::reply::merge;
pub(super) use crate::protocol::gateway::{reject, timeout};

pub(super) fn claim(method: &Method, uri: &Uri) -> Claim {
    match endpoint::find(method, uri.path()) {
        None => Claim::Pass,
        Some((route, endpoint)) if endpoint.is_write() => Claim::Parts(route),
        Some((route, _)) => Claim::Body(route),
    }
}

pub(super) fn read(route: Route, parts: &Parts, message: &Bytes, key: &Key<'_>) -> Result<Call, Unreadable> {
    let endpoint = Endpoint::of(route).ok_or(Unreadable("the request is not a known call of the gateway"))?;
    let (kind, stated) = match endpoint.what {
        What::Write => {
            return Ok(Call::new(Kind::Write {
                schema: false,
                stream: false,
            }));
        }
        What::Schema => {
            return Ok(Call::new(Kind::Write {
                schema: true,
                stream: false,
            }));
        }
        What::Check | What::Expand => request::check(message, &request::prefix(parts, key)?, key)?,
        What::Bulk => request::bulk(message, &request::prefix(parts, key)?, key)?,
        What::Read { stream } => request::never_stored(parts, message, stream, key)?,
    };
    Ok(Call {
        token: stated.token,
        unpinned: stated.unpinned,
        ..Call::new(kind)
    })
}

pub(super) fn ask(received: Received<'_>, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
    let open = match &received.call.kind {
        Kind::Write { .. } | Kind::Page => return None,
        Kind::Bulk(questions) if !open.is_empty() && open.len() < questions.len() => Some(open),
        _ => None,
    };
    let zookie = snap_token::asked(received.call, at, zookie);
    let is_stated = snap_token::is_stated_by(zookie, received.call);
    if is_stated && zookie.is_none() && open.is_none() {
        return None;
    }
    Outline::of(received.message)?.rewritten(received.message, zookie, is_stated, open)
}

pub(super) fn learn(received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
    let what = Endpoint::of(received.route).map(|endpoint| &endpoint.what);
    let learned = match (what, &received.call.kind) {
        (Some(What::Write), _) => Some(reply::write(reply)),
        (Some(What::Schema), _) => Some(reply::schema(reply)),
        (Some(What::Check), Kind::Check(_)) => reply::check(reply),
        (Some(What::Expand), Kind::Check(_)) => reply::expand(reply),
        (Some(What::Bulk), Kind::Bulk(_)) => reply::bulk(reply, asked.len()),
        _ => None,
    };
    learned.unwrap_or(ReplyOutcome::Nothing)
}
