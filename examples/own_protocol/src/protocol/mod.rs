//! The protocol: how the API spells its calls and replies.

mod reply;
mod request;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};
use tower_zookie::cache::{Capabilities, ReadAt, ReadMode};
use tower_zookie::changes::Question;
use tower_zookie::protocol::{
    Call, Claim, Key, Kind, Protocol, Received, Reply, ReplyOutcome, Route, StoredResponse, Unreadable,
};
use tower_zookie::token::{CounterTokens, TokenFormat, Zookie};

const CHECK: Route = Route(0);
const CHECK_ALL: Route = Route(1);
const WRITE: Route = Route(2);

/// The API of this crate.
#[derive(Clone, Debug)]
pub struct OwnProtocol {
    tokens: Arc<dyn TokenFormat>,
}

impl OwnProtocol {
    /// The API before one store. Its tokens are the numbers of revisions.
    pub fn new() -> Self {
        Self {
            tokens: Arc::new(tokens()),
        }
    }
}

pub(crate) fn tokens() -> CounterTokens {
    CounterTokens::new("own-protocol")
}

impl Default for OwnProtocol {
    fn default() -> Self {
        Self::new()
    }
}

impl Protocol for OwnProtocol {
    /// Replies name revisions, a revision's answers never change, writes are in one order, and a read answers at head
    /// unless it is exact.
    fn capabilities(&self) -> Capabilities {
        Capabilities::versioned().read_mode(ReadMode::Current)
    }

    fn format(&self) -> Arc<dyn TokenFormat> {
        Arc::clone(&self.tokens)
    }

    fn claim(&self, method: &Method, uri: &Uri, _: &HeaderMap) -> Claim {
        match (method, uri.path()) {
            (&Method::POST, "/v1/check") => Claim::Body(CHECK),
            (&Method::POST, "/v1/check-all") => Claim::Body(CHECK_ALL),
            (&Method::POST, "/v1/grants") => Claim::Parts(WRITE),
            _ => Claim::Pass,
        }
    }

    fn read(&self, route: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable> {
        match route {
            WRITE => Ok(Call::new(Kind::write())),
            _ => request::read(route == CHECK_ALL, parts, message, &key),
        }
    }

    fn questions(&self, received: Received<'_>, _: &Parts, each: &mut dyn FnMut(Option<Question>)) {
        request::questions(received, each);
    }

    fn restate(&self, route: Route, stored: &StoredResponse, zookie: &Zookie) -> Option<StoredResponse> {
        match route {
            CHECK => reply::restated(stored, zookie).ok(),
            // The revision of a bulk's answers stands beside them.
            _ => Some(stored.clone()),
        }
    }

    fn ask(&self, received: Received<'_>, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        request::forwarded(received, open, at, zookie).ok()
    }

    fn states_freshness(&self, route: Route) -> bool {
        route != WRITE
    }

    fn learn(&self, received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
        let read = match (received.route, reply.status) {
            (CHECK | CHECK_ALL, StatusCode::CONFLICT) => return ReplyOutcome::RevisionRejected,
            (CHECK, StatusCode::OK) => reply::one(reply),
            (CHECK_ALL, StatusCode::OK) => reply::several(reply, asked.len()),
            (WRITE, StatusCode::OK) => reply::written(reply),
            (WRITE, status) if status.is_client_error() => return ReplyOutcome::NotWritten,
            _ => return ReplyOutcome::Nothing,
        };
        read.unwrap_or(ReplyOutcome::Nothing)
    }

    fn merge(&self, _: Received<'_>, answers: &[Option<&StoredResponse>], zookie: Option<&Zookie>) -> StoredResponse {
        reply::merged(answers, zookie)
    }
}
