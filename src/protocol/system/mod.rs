//! Authorization systems that Protocol Buffers define, over gRPC and through a grpc-gateway.
//!
//! A [`System`] is a table of operations and what they mean. [`Over`] offers it over one [`Wire`]; a pair of these
//! offers it over both.

mod answer;
mod feed;
mod learn;
mod objects;
mod questions;
mod read;
mod state;
mod tuple;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, Uri};

use crate::cache::{Capabilities, ReadAt};
use crate::changes::{self, Verdict};
use crate::consistency::Consistency;
use crate::protocol::api::Protocol;
use crate::protocol::call::{Call, Claim, Endpoint, Key, Kind, Probe, Received, Route, Unreadable};
use crate::protocol::feed::{FeedProtocol, FeedWire};
use crate::protocol::kit::grpc::Code;
use crate::protocol::object::Object;
use crate::protocol::operation::{Does, Field, Operation};
use crate::protocol::problem::Rejection;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::protocol::system::read::Reading;
use crate::protocol::system::state::State;
use crate::protocol::wire::{Edit, Ended, Gateway, Grpc, Put, Question, Reader, Wire};
use crate::token::{TokenFormat, Zookie};

pub(super) use self::feed::{Asked, Followed};
pub(super) use questions::Asks;

/// What one authorization system means, for all its wires.
pub(super) trait System: Followed + Clone + fmt::Debug + Send + Sync + 'static {
    /// Its name, which keeps its questions apart from those of other systems.
    const NAME: &'static str;

    const OPERATIONS: &'static [Operation];

    /// The path over HTTP before the paths of the operations. `{…}` at its end is any one segment.
    const BASE: &'static str;

    /// The most items of a bulk that the server accepts.
    const MAX_ITEMS: usize;

    /// How to ask for the subjects of a relation.
    const RELATED: Related;

    /// Where a question names what it asks.
    const ASKS: Asks;

    /// Request headers that the server repeats in its replies over HTTP.
    fn echoed() -> &'static [HeaderName] {
        &[]
    }

    fn capabilities(&self) -> Capabilities;

    fn format(&self) -> Arc<dyn TokenFormat>;

    /// How old the answer of a default read can be.
    fn store_staleness(&self) -> Duration;

    /// Whether a request with metadata of this name asks for more than the answer.
    fn asks_for_more(metadata: &str) -> bool {
        let _ = metadata;
        false
    }

    /// Whether the server rejected the revision of a request: it has expired, is not reached yet, or belongs to another
    /// store.
    fn rejects_revision(code: Code, message: &[u8]) -> bool {
        let _ = (code, message);
        false
    }

    /// Whether this is the text in place of a token in the reply to a write that changed nothing.
    fn is_nothing_written(token: &str) -> bool {
        let _ = token;
        false
    }

    /// Whether an item's verdict, an index of its names, may be given to other callers.
    fn shares_item(verdict: usize) -> bool {
        let _ = verdict;
        true
    }

    /// What a verdict, an index of its names, says.
    fn verdict(verdict: usize) -> Verdict;

    /// Adds the system's own trailers to a gRPC reply from the cache.
    fn add_trailers(trailers: &mut HeaderMap) {
        let _ = trailers;
    }

    /// The answer to an item that the upstream did not answer, in the API's own form.
    fn unanswered<W: Wire>(item: Put<'_>) -> Bytes;

    /// A call in `parts` that only asks for a fresh revision: its operation and its body.
    fn probe<W: Wire>(&self, parts: &mut Parts) -> Option<(usize, Bytes)> {
        let _ = parts;
        None
    }

    /// Whether there is such a call.
    fn can_probe(&self) -> bool {
        false
    }
}

/// How to ask for the subjects of an object's relation.
pub(super) struct Related {
    /// The path of the operation over HTTP.
    pub(super) path: &'static str,
    /// The fields of its request: the tenant, what has to be there though it is empty, the object, and the relation.
    pub(super) tenant: Option<Field>,
    pub(super) empty: Option<Field>,
    pub(super) object: Field,
    pub(super) names: &'static [Field; 2],
    pub(super) relation: Field,
    /// Where its reply names the subjects, and whatever else it may have.
    pub(super) reply: &'static [Field],
}

/// A system over one wire.
pub(super) struct Over<S, W> {
    pub(super) system: S,
    wire: PhantomData<fn() -> W>,
}

/// A system over gRPC and through its gateway.
pub(super) type BothWires<S> = (Over<S, Grpc>, Over<S, Gateway>);

/// Offers a system over both wires.
pub(super) fn over_both<S: System>(system: S) -> BothWires<S> {
    (Over::new(system.clone()), Over::new(system))
}

impl<S, W> Over<S, W> {
    fn new(system: S) -> Self {
        Self {
            system,
            wire: PhantomData,
        }
    }
}

impl<S: Clone, W> Clone for Over<S, W> {
    fn clone(&self) -> Self {
        Self::new(self.system.clone())
    }
}

impl<S: fmt::Debug, W> fmt::Debug for Over<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.system.fmt(f)
    }
}

const UNKNOWN: Unreadable = Unreadable("the request is not a known call of the API");

fn operation<S: System>(Route(index): Route) -> Option<&'static Operation> {
    S::OPERATIONS.get(index)
}

impl<S: System, W: Wire> Protocol for Over<S, W> {
    fn capabilities(&self) -> Capabilities {
        self.system.capabilities()
    }

    fn format(&self) -> Arc<dyn TokenFormat> {
        self.system.format()
    }

    fn claim(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Claim {
        let Some(index) = W::called(S::OPERATIONS, S::BASE, method, uri, headers) else {
            return Claim::Pass;
        };
        match S::OPERATIONS[index].does {
            Does::Check | Does::Bulk | Does::Read | Does::ReadStream | Does::ReadAtHead => Claim::Body(Route(index)),
            Does::Write | Does::WriteSchema | Does::Import => Claim::Parts(Route(index)),
            Does::List => Claim::Floor(Route(index)),
            Does::Watch => Claim::Pass,
        }
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let claimed = S::OPERATIONS.iter().enumerate();
        let claimed = claimed.filter(|(_, operation)| operation.does != Does::Watch);
        claimed
            .map(|(index, operation)| {
                let (method, path) = W::endpoint(operation, S::BASE);
                Endpoint::new(Route(index), method, path)
            })
            .collect()
    }

    fn read(&self, route: Route, parts: &Parts, body: &Bytes, key: Key<'_>) -> Result<Call, Unreadable> {
        let operation = operation::<S>(route).ok_or(UNKNOWN)?;
        match operation.does {
            Does::Write => return Ok(Call::new(Kind::write())),
            Does::WriteSchema => return Ok(Call::new(Kind::schema_write())),
            Does::Import => return Ok(Call::new(Kind::write().streamed())),
            Does::ReadAtHead => {
                return Ok(Call {
                    consistency: Some(Consistency::FullyConsistent),
                    ..Call::new(Kind::read())
                });
            }
            Does::Check | Does::Bulk | Does::Read | Does::ReadStream | Does::List | Does::Watch => {}
        }
        let question = match operation.does {
            Does::Check | Does::Bulk if !W::metadata(&parts.headers).any(S::asks_for_more) => {
                Some(W::Question::new(S::NAME, route, parts, &key)?)
            }
            _ => None,
        };
        W::check_headers(&parts.headers)?;
        let reading = Reading::<W>::of(operation, question, W::request(body)?, S::MAX_ITEMS)?;
        Ok(reading.call(operation, body))
    }

    fn ask(&self, received: Received<'_>, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        let operation = operation::<S>(received.route)?;
        let items = match &received.call.kind {
            Kind::Write { .. } | Kind::Page => return None,
            Kind::Bulk(questions) if !open.is_empty() && open.len() < questions.len() => {
                Some((operation.items()?, open))
            }
            Kind::Bulk(_) | Kind::Check(_) | Kind::Read { .. } => None,
        };
        match operation.place() {
            None => W::rewrite(received.message, None, items),
            Some(place) => State::of(received.call, at, zookie, place).rewrite::<W>(received.message, items),
        }
    }

    fn states_freshness(&self, _: Route) -> bool {
        true
    }

    fn has_objects(&self) -> bool {
        true
    }

    fn store_staleness(&self) -> Option<Duration> {
        Some(self.system.store_staleness())
    }

    fn names_touched(&self, route: Route) -> bool {
        operation::<S>(route).is_some_and(|operation| operation.does == Does::Write && !operation.objects.is_empty())
    }

    fn objects(
        &self,
        received: Received<'_>,
        parts: &Parts,
        each: &mut dyn FnMut(Object<'_>),
    ) -> Result<(), Unreadable> {
        let operation = operation::<S>(received.route).ok_or(UNKNOWN)?;
        let tenant = W::tenant(S::BASE, &parts.uri);
        objects::objects::<W>(operation, &tenant, received.message, each)
    }

    fn questions(&self, received: Received<'_>, parts: &Parts, each: &mut dyn FnMut(Option<changes::Question>)) {
        if let Some(operation) = operation::<S>(received.route) {
            questions::questions::<S, W>(operation, received, parts, each);
        }
    }

    /// The item of a bulk has no token of its own.
    fn restate(&self, route: Route, stored: &StoredResponse, zookie: &Zookie) -> Option<StoredResponse> {
        let operation = operation::<S>(route)?;
        let body = match (operation.does, operation.reply_token()) {
            (Does::Check, Some((field, token))) => {
                let text = Put::Text(zookie.as_str());
                let inner = token.map(|token| [(token, text)]);
                let edit = Edit {
                    within: None,
                    field,
                    value: inner.as_ref().map_or(text, |inner| Put::Message(inner)),
                    is_stated: false,
                };
                W::rewrite(&stored.body, Some(&edit), None)?
            }
            _ => stored.body.clone(),
        };
        Some(StoredResponse {
            body,
            zookie: Some(zookie.clone()),
            ..stored.clone()
        })
    }

    fn related(&self, _: Route, parts: &mut Parts, object: &Object<'_>, relation: &str) -> Option<Probe> {
        let index = objects::related::<S>()?;
        let message = objects::ask_related::<S, W>(parts, index, object, relation)?;
        Some(Probe::new(Route(index), Call::new(Kind::read()), message))
    }

    fn subjects(
        &self,
        received: Received<'_>,
        parts: &Parts,
        reply: &Reply<'_>,
        each: &mut dyn FnMut(Object<'_>),
    ) -> Option<Option<String>> {
        let operation = operation::<S>(received.route)?;
        let tenant = objects::tenant_of::<W>(operation, S::BASE, parts, received.message)?;
        let Ended::Succeeded(Some((_, message))) = W::ended(reply) else {
            return None;
        };
        objects::subjects::<W>(&tenant, message, S::RELATED.reply, each).ok()?;
        Some(learn::token_in::<W>(operation, message))
    }

    fn head_read(&self, route: Route, parts: &mut Parts) -> Option<Probe> {
        let reads_head =
            |operation: &Operation| operation.does == Does::ReadAtHead && operation.reply_token().is_some();
        let Some(index) = S::OPERATIONS.iter().position(reads_head) else {
            return self.probe(route, parts);
        };
        let message = W::call_instead(parts, &S::OPERATIONS[index], S::BASE, None, &[])?;
        Some(Probe::new(Route(index), Call::new(Kind::read()), message))
    }

    fn can_probe(&self) -> bool {
        self.system.can_probe()
    }

    fn probe(&self, _: Route, parts: &mut Parts) -> Option<Probe> {
        let (index, message) = self.system.probe::<W>(parts)?;
        Some(Probe::new(Route(index), Call::new(Kind::write()), message))
    }

    fn feed(&self, wire: FeedWire) -> Option<&dyn FeedProtocol> {
        let is_followed = wire == W::FEED && (S::THROUGH_GATEWAY || wire != FeedWire::Http);
        is_followed.then_some(self)
    }

    fn timeout(&self, _: Route, headers: &HeaderMap) -> Option<Duration> {
        W::timeout(headers)
    }

    fn learn(&self, received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
        match operation::<S>(received.route) {
            Some(operation) => learn::outcome::<S, W>(operation, received, asked, reply),
            None => ReplyOutcome::Nothing,
        }
    }

    fn merge(
        &self,
        received: Received<'_>,
        answers: &[Option<&StoredResponse>],
        zookie: Option<&Zookie>,
    ) -> StoredResponse {
        let bulk = operation::<S>(received.route).and_then(|operation| Some((operation, operation.results()?)));
        let Some((operation, results)) = bulk else {
            return StoredResponse::unanswered();
        };
        let missing = |index: usize| {
            let items = learn::items::<W>(operation, received.message).unwrap_or_default();
            let item = items.into_iter().nth(index).and_then(|mut item| item.raw().ok());
            S::unanswered::<W>(item.map_or(Put::Nothing, Put::Raw))
        };
        let text = zookie.map_or(Put::Nothing, |zookie| Put::Text(zookie.as_str()));
        match operation.reply_token() {
            None => W::merge(None, results, answers, &missing, S::add_trailers),
            Some((field, None)) => W::merge(Some((field, text)), results, answers, &missing, S::add_trailers),
            Some((field, Some(token))) => {
                let token = [(token, text)];
                let token = if zookie.is_some() {
                    Put::Message(&token)
                } else {
                    Put::Nothing
                };
                W::merge(Some((field, token)), results, answers, &missing, S::add_trailers)
            }
        }
    }

    fn reject(&self, _: Route, _: &HeaderMap, why: &Rejection) -> Response<Bytes> {
        W::reject(why)
    }

    fn echoed(&self, _: Route) -> &[HeaderName] {
        if W::ECHOES { S::echoed() } else { &[] }
    }
}
