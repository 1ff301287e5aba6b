use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, Uri};

use crate::cache::{Capabilities, ReadAt};
use crate::protocol::call::{Call, Claim, Key, Route, Unreadable};
use crate::protocol::problem::{Rejection, problem_json};
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::token::{TokenFormat, Zookie};

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
