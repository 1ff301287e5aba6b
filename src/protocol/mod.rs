//! Authorization APIs: how each spells its calls and replies.
//!
//! A [`Protocol`] knows bytes and headers, never services. The layer asks it, in this order: [`claim`](Protocol::claim)
//! a request by its head, [`read`](Protocol::read) the call, say what to [`ask`](Protocol::ask) of the upstream,
//! [`learn`](Protocol::learn) from the reply, [`merge`](Protocol::merge) answers into a reply, and
//! [`reject`](Protocol::reject) in the API's own form. Adding an authorization system means one file here.

mod authzen;
mod digest;
mod gateway;
pub(crate) mod grpc;
mod json;
mod parts;
mod path;
pub mod permify;
mod problem;
mod routes;
pub mod spicedb;
mod stored_response;
#[cfg(test)]
mod testing;
mod tuple;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri};

use crate::cache::{Capabilities, Fingerprint, FingerprintBuilder, ReadAt};
use crate::consistency::Consistency;
use crate::token::{Carriers, Outline, TokenFormat, Zookie};

pub use authzen::AuthZen;
pub use path::InvalidRoute;
pub use permify::Permify;
pub use problem::{Rejection, problem_json};
pub use routes::{CheckRoute, Routes, RoutesBuilder, Verdict, WriteRoute};
pub use spicedb::SpiceDb;
pub use stored_response::StoredResponse;

/// One authorization API.
///
/// Implementations are stateless: everything that a later step needs is in the [`Call`] or in the message.
pub trait Protocol: fmt::Debug + Send + Sync + 'static {
    /// What is true of the store behind this API.
    fn capabilities(&self) -> Capabilities;

    /// How the store's tokens are spelled.
    fn format(&self) -> Arc<dyn TokenFormat>;

    /// Whether this request is one of the API's, judged by its head alone. It is called for every request before any of
    /// it is taken apart: it should allocate nothing.
    fn claim(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Claim;

    /// Reads the call. `message` is the whole body; it is empty for [`Claim::Parts`].
    ///
    /// # Errors
    ///
    /// [`Unreadable`]: what can't be read can't be keyed, so the request is forwarded with its requirement stated, and nothing is kept.
    fn read(&self, route: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable>;

    /// Which of a bulk's questions have to be asked, when those with `Some` in `found` need not be. Indexes into the
    /// call's questions, ascending. By default all that were not found; an API that stops at the first denial needs
    /// fewer.
    fn needed(&self, call: &Call, message: &Bytes, found: &[Option<&StoredResponse>]) -> Vec<usize> {
        let _ = (call, message);
        (0..found.len()).filter(|&index| found[index].is_none()).collect()
    }

    /// The body to forward when only the questions `open` are asked, at `at`, which `zookie` spells where it names a
    /// revision; `None`: the caller's own body will do.
    fn ask(&self, call: &Call, message: &Bytes, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        let _ = (call, message, open, at, zookie);
        None
    }

    /// Whether the API's own messages say what is asked at. Where they don't, the layer puts the token and the wish into
    /// the forwarded head.
    fn states_freshness(&self, route: Route) -> bool {
        let _ = route;
        false
    }

    /// Whether a fresh revision can be asked for by a [`probe`](Self::probe).
    fn can_probe(&self) -> bool {
        false
    }

    /// Turns the head of a request to `route` into one that asks the store for a fresh revision and nothing else, with the
    /// same credentials, and says which call it then is and what its message is. [`learn`](Self::learn) reads the reply.
    /// For stores whose replies to reads name no revision.
    fn probe(&self, route: Route, parts: &mut Parts) -> Option<(Call, Bytes)> {
        let _ = (route, parts);
        None
    }

    /// The request that opens the store's change feed for `tenant`, if the API has one. Its reply is a stream of gRPC
    /// messages, which [`feed_token`](Self::feed_token) reads.
    fn watch(&self, tenant: &str) -> Option<(Parts, Bytes)> {
        let _ = tenant;
        None
    }

    /// The revision that one message of the change feed tells of, as a token.
    fn feed_token(&self, message: &[u8]) -> Option<String> {
        let _ = message;
        None
    }

    /// How long the caller itself is ready to wait, where the API lets it say so.
    fn timeout(&self, route: Route, parts: &HeaderMap) -> Option<Duration> {
        let _ = (route, parts);
        None
    }

    /// What a reply to a call says about the questions `asked`, in their order.
    fn learn(&self, call: &Call, message: &Bytes, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome;

    /// A reply to a bulk from the answers to its questions, `None` where an answer is not needed. `zookie` names the one
    /// revision at which all of them hold, if there is one.
    fn merge(
        &self,
        call: &Call,
        message: &Bytes,
        answers: &[Option<&StoredResponse>],
        zookie: Option<&Zookie>,
    ) -> StoredResponse;

    /// The layer's own failure, in the API's form. By default an `application/problem+json`.
    fn reject(&self, route: Route, parts: &HeaderMap, why: &Rejection) -> Response<Bytes> {
        let _ = (route, parts);
        problem_json(why)
    }

    /// Request headers that the API promises to echo: replies from the cache bear the current caller's.
    fn echoed(&self, route: Route) -> &[HeaderName] {
        let _ = route;
        &[]
    }
}

/// Which of its calls a protocol recognised. Means something to that protocol only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(pub usize);

/// What a protocol says to a request's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Not one of the API's requests, or one that the cache has nothing to do with.
    Pass,
    /// The head says it all: the body is empty, or (for a write) is not looked at.
    Parts(Route),
    /// The body has to be read.
    Body(Route),
    /// A read that is never kept, such as a listing. It is forwarded unmodified, unless a carrier raises its floor: then
    /// its body is read, and its message has to say so.
    Floor(Route),
}

/// What a question's fingerprint begins with, and which parts of the head never belong in it.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    /// The caller's credentials and the endpoint, hashed already. Clone it for each question.
    pub base: FingerprintBuilder,
    /// Where zookies travel.
    pub carriers: &'a Carriers,
    pub(crate) query: Outline,
}

impl<'a> Key<'a> {
    /// What the keys of a request to `uri` begin with.
    pub fn new(base: FingerprintBuilder, carriers: &'a Carriers, uri: &Uri) -> Self {
        Self {
            base,
            carriers,
            query: carriers.outline(uri),
        }
    }
}

/// One call of the API.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which call it is.
    pub route: Route,
    /// What it asks.
    pub kind: Kind,
    /// The wish that the message itself states.
    pub consistency: Option<Consistency>,
    /// The token that the message itself bears, UTF-8 or not.
    pub token: Option<Bytes>,
    /// It leaves a part of its questions, such as the schema's version, to whatever is the latest. The answers then end
    /// with the window, whatever revision they hold at.
    pub unpinned: bool,
}

impl Call {
    /// A call whose message says nothing of tokens and wishes.
    pub fn new(route: Route, kind: Kind) -> Self {
        Self {
            route,
            kind,
            consistency: None,
            token: None,
            unpinned: false,
        }
    }
}

/// What a call asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One question.
    Check(Fingerprint),
    /// Several questions with one reply.
    Bulk(Vec<Fingerprint>),
    /// A change of relationships or schema: forwarded unmodified.
    Write {
        /// It changes the schema, so that every answer may change even where its reply never comes.
        schema: bool,
        /// The client sends a stream, which ends with the client. The reply to any other write is waited for also when
        /// the caller has left.
        stream: bool,
    },
    /// A read that is never kept, but answered no lower than its floor.
    Read {
        /// Its reply is a stream, which is handed on unread.
        stream: bool,
    },
    /// One page of a listing. It goes by the revision in its cursor, and the cursor demands that nothing else of the
    /// request has changed, so it is forwarded unmodified even where a carrier demands a floor.
    Page,
}

impl Kind {
    /// How many questions the call asks.
    pub(crate) fn questions(&self) -> usize {
        match self {
            Self::Check(_) => 1,
            Self::Bulk(questions) => questions.len(),
            Self::Write { .. } | Self::Read { .. } | Self::Page => 0,
        }
    }
}

/// Why a request that a protocol claimed can't be answered from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

/// A reply of the upstream, read whole.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a Bytes,
    /// Its trailers.
    pub trailers: Option<&'a HeaderMap>,
}

/// What a reply says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReplyOutcome {
    /// Nothing that may be kept.
    Nothing,
    /// Answers, in the order of the questions asked; fewer where the API stopped early.
    Answers {
        /// The answers.
        items: Vec<ReplyItem>,
        /// The token that the message bears. One in the carrier header needs no mention.
        token: Option<String>,
    },
    /// A write was made.
    Wrote {
        /// The token that the message bears. One in the carrier header needs no mention.
        token: Option<String>,
        /// The schema changed, so that every answer may have.
        schema: bool,
    },
    /// The upstream would not answer at the revision that it was told: expired, not reached, foreign.
    RevisionRejected,
    /// The write was surely not made.
    NotWritten,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct ReplyItem {
    /// What to reply to this question.
    pub kept: StoredResponse,
    /// Whether the verdict is one that others may be given. An item's error, for one, is not.
    pub keep: bool,
    /// When the upstream says that the answer ends, counted from now.
    pub expires_in: Option<Duration>,
}

impl ReplyItem {
    /// A verdict.
    pub fn verdict(kept: StoredResponse) -> Self {
        Self {
            kept,
            keep: true,
            expires_in: None,
        }
    }

    /// Something to reply to this caller only.
    pub fn not_to_keep(kept: StoredResponse) -> Self {
        Self {
            kept,
            keep: false,
            expires_in: None,
        }
    }
}

impl<P: Protocol + ?Sized> Protocol for Arc<P> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn format(&self) -> Arc<dyn TokenFormat> {
        (**self).format()
    }

    fn claim(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Claim {
        (**self).claim(method, uri, headers)
    }

    fn read(&self, route: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable> {
        (**self).read(route, parts, message, key)
    }

    fn needed(&self, call: &Call, message: &Bytes, found: &[Option<&StoredResponse>]) -> Vec<usize> {
        (**self).needed(call, message, found)
    }

    fn ask(&self, call: &Call, message: &Bytes, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        (**self).ask(call, message, open, at, zookie)
    }

    fn states_freshness(&self, route: Route) -> bool {
        (**self).states_freshness(route)
    }

    fn can_probe(&self) -> bool {
        (**self).can_probe()
    }

    fn probe(&self, route: Route, parts: &mut Parts) -> Option<(Call, Bytes)> {
        (**self).probe(route, parts)
    }

    fn watch(&self, tenant: &str) -> Option<(Parts, Bytes)> {
        (**self).watch(tenant)
    }

    fn feed_token(&self, message: &[u8]) -> Option<String> {
        (**self).feed_token(message)
    }

    fn timeout(&self, route: Route, parts: &HeaderMap) -> Option<Duration> {
        (**self).timeout(route, parts)
    }

    fn learn(&self, call: &Call, message: &Bytes, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
        (**self).learn(call, message, asked, reply)
    }

    fn merge(
        &self,
        call: &Call,
        message: &Bytes,
        answers: &[Option<&StoredResponse>],
        zookie: Option<&Zookie>,
    ) -> StoredResponse {
        (**self).merge(call, message, answers, zookie)
    }

    fn reject(&self, route: Route, parts: &HeaderMap, why: &Rejection) -> Response<Bytes> {
        (**self).reject(route, parts, why)
    }

    fn echoed(&self, route: Route) -> &[HeaderName] {
        (**self).echoed(route)
    }
}
