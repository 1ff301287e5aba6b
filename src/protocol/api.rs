use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, Uri};

use crate::cache::{Capabilities, ReadAt};
use crate::changes::Question;
use crate::protocol::call::{Call, Claim, Endpoint, Key, Probe, Received, Route, Unreadable};
use crate::protocol::feed::{FeedProtocol, FeedWire};
use crate::protocol::object::Object;
use crate::protocol::problem::{Rejection, problem_json};
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::token::{TokenFormat, Zookie};

/// One authorization API.
///
/// [`kit`](crate::protocol::kit) has a guide, "How to write a protocol", with a complete example.
///
/// Implementations are stateless: everything that a later step needs is in the [`Call`] or in the message.
pub trait Protocol: fmt::Debug + Send + Sync + 'static {
    /// What holds for the store behind this API.
    fn capabilities(&self) -> Capabilities;

    /// Whether the API has any checks. Without one nothing would be answered from the cache, so
    /// [`build`](crate::ZookieLayerBuilder::build) rejects the protocol.
    fn has_checks(&self) -> bool {
        true
    }

    /// How the store's tokens are spelled.
    fn format(&self) -> Arc<dyn TokenFormat>;

    /// Whether this request belongs to the API, judged by its method, URI and headers alone. The layer calls this for
    /// every request, so an implementation should not allocate.
    fn claim(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Claim;

    /// The calls that the protocol claims, for the sake of warnings and explanations: where no request matches a route, the
    /// layer names the one that is closest.
    fn endpoints(&self) -> Vec<Endpoint> {
        Vec::new()
    }

    /// Reads the call. `message` is the whole body; it is empty for [`Claim::Parts`].
    ///
    /// # Errors
    ///
    /// [`Unreadable`]: what the protocol can't read has no key. The layer then forwards the request with its
    /// requirement stated, and stores nothing.
    fn read(&self, route: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable>;

    /// Which of a bulk's questions the upstream has to answer, given the answers `found` in the cache: indexes into the
    /// call's questions, ascending. By default these are all questions without an answer. An API that stops at the
    /// first denial needs fewer.
    fn needed(&self, received: Received<'_>, found: &[Option<&StoredResponse>]) -> Vec<usize> {
        let _ = received;
        (0..found.len()).filter(|&index| found[index].is_none()).collect()
    }

    /// The body to forward when the layer asks only the questions `open`, at `at`. `zookie` spells the revision that
    /// `at` names, if it names one. `None` means that the caller's own body can be forwarded.
    fn ask(&self, received: Received<'_>, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        let _ = (received, open, at, zookie);
        None
    }

    /// Whether the API's own messages state the freshness. Where they don't, the layer puts the token and the
    /// consistency into the forwarded headers.
    fn states_freshness(&self, route: Route) -> bool {
        let _ = route;
        false
    }

    /// Whether [`objects`](Self::objects) can tell which objects the API's checks concern. Without it the layer can't
    /// [remember tokens per object](crate::objects).
    fn has_objects(&self) -> bool {
        false
    }

    /// How old the answer of a default read can be, by the system's own defaults: for
    /// [`store_staleness`](crate::objects::Objects::store_staleness). `None` if that has to be set.
    fn store_staleness(&self) -> Option<Duration> {
        None
    }

    /// Whether a call to `route` is a write whose body names the objects that it touches. The layer then reads the body of a
    /// write that the protocol claims by its parts alone, if it remembers tokens per object.
    fn names_touched(&self, route: Route) -> bool {
        let _ = route;
        false
    }

    /// Calls `each` with the objects that a call names. For a check these are its resource and its subject, for a listing
    /// also the types that it lists, and for a write every object that it touches, resources and subjects.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if there may be others. A write then counts for all objects, and a check is fully consistent.
    fn objects(
        &self,
        received: Received<'_>,
        parts: &Parts,
        each: &mut dyn FnMut(Object<'_>),
    ) -> Result<(), Unreadable> {
        let _ = (received, parts, each);
        Err(Unreadable(
            "the protocol does not tell which objects a message concerns",
        ))
    }

    /// Calls `each` with what each of a call's questions asks, by names and in their order, so that changes of the store can be
    /// told apart from those that do not concern them. `None` for a question that can't be told: every change concerns it.
    fn questions(&self, received: Received<'_>, parts: &Parts, each: &mut dyn FnMut(Option<Question>)) {
        let _ = (received, parts, each);
    }

    /// The stored answer to a question of `route`, said of the revision that `zookie` names, where it is known to be true as
    /// well. `None` if it can't be said: then the answer is served for its own revision alone.
    fn restate(&self, route: Route, stored: &StoredResponse, zookie: &Zookie) -> Option<StoredResponse> {
        let _ = (route, stored, zookie);
        None
    }

    /// Turns the parts of a request into those of one with the same credentials that asks for the subjects of an object's
    /// relation. [`subjects`](Self::subjects) reads the reply. `None` if the API can't be asked for them.
    fn related(&self, route: Route, parts: &mut Parts, object: &Object<'_>, relation: &str) -> Option<Probe> {
        let _ = (route, parts, object, relation);
        None
    }

    /// Calls `each` with the subjects that the reply to a [`related`](Self::related) request names, and returns the reply's
    /// token, if it has one. `None` if the reply can't be read, or the relation has other subjects than plain objects.
    fn subjects(
        &self,
        received: Received<'_>,
        parts: &Parts,
        reply: &Reply<'_>,
        each: &mut dyn FnMut(Object<'_>),
    ) -> Option<Option<String>> {
        let _ = (received, parts, reply, each);
        None
    }

    /// Turns the parts of a request to `route` into those of a request with the same credentials whose reply names the head
    /// of the store. [`learn`](Self::learn) reads the reply.
    fn head_read(&self, route: Route, parts: &mut Parts) -> Option<Probe> {
        self.probe(route, parts)
    }

    /// Whether a [`probe`](Self::probe) can ask the store for a fresh revision.
    fn can_probe(&self) -> bool {
        false
    }

    /// Turns the parts of a request to `route` into those of a probe: a request with the same credentials that only
    /// asks the store for a fresh revision. [`learn`](Self::learn) reads the reply. Stores whose replies to reads name no revision need this.
    fn probe(&self, route: Route, parts: &mut Parts) -> Option<Probe> {
        let _ = (route, parts);
        None
    }

    /// How the API reports the store's changes over this wire, if it does.
    fn feed(&self, wire: FeedWire) -> Option<&dyn FeedProtocol> {
        let _ = wire;
        None
    }

    /// The caller's own timeout, where the API has one.
    fn timeout(&self, route: Route, parts: &HeaderMap) -> Option<Duration> {
        let _ = (route, parts);
        None
    }

    /// What a reply to a call says about the questions `asked`, in their order.
    fn learn(&self, received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome;

    /// Makes the reply to a bulk from the answers to its questions; an answer that is not needed is `None`. `zookie`
    /// names the one revision at which all answers hold, if there is one.
    fn merge(
        &self,
        received: Received<'_>,
        answers: &[Option<&StoredResponse>],
        zookie: Option<&Zookie>,
    ) -> StoredResponse;

    /// The layer's rejection, in the API's form. By default an `application/problem+json`.
    fn reject(&self, route: Route, parts: &HeaderMap, why: &Rejection) -> Response<Bytes> {
        let _ = (route, parts);
        problem_json(why)
    }

    /// Request headers that the API echoes in its replies. A reply from the cache has those of the current caller.
    fn echoed(&self, route: Route) -> &[HeaderName] {
        let _ = route;
        &[]
    }
}
