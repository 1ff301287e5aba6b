use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, Uri};

use crate::cache::{Capabilities, DefaultRead, ReadAt, ReadMode};
use crate::changes::Question;
use crate::protocol::api::Protocol;
use crate::protocol::call::{Call, Claim, Endpoint, Key, Probe, Received, Route, Unreadable};
use crate::protocol::feed::{FeedProtocol, FeedWire};
use crate::protocol::object::Object;
use crate::protocol::problem::Rejection;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::token::{TokenFormat, Zookie};

/// Two APIs in front of one store: the first one that claims a request handles it. Both must use the same token format.
impl<A: Protocol, B: Protocol> Protocol for (A, B) {
    fn capabilities(&self) -> Capabilities {
        let (a, b) = (self.0.capabilities(), self.1.capabilities());
        // What holds for both APIs.
        Capabilities {
            names_revisions: a.names_revisions && b.names_revisions,
            reads_repeat: a.reads_repeat && b.reads_repeat,
            writes_include_earlier: a.writes_include_earlier && b.writes_include_earlier,
            head_may_trail_reads: a.head_may_trail_reads || b.head_may_trail_reads,
            read_mode: match (a.read_mode, b.read_mode) {
                (ReadMode::Exactly, _) | (_, ReadMode::Exactly) => ReadMode::Exactly,
                (ReadMode::Current, ReadMode::Current) => ReadMode::Current,
                _ => ReadMode::AtLeast,
            },
            default_read: match (a.default_read, b.default_read) {
                (DefaultRead::InWindow, DefaultRead::InWindow) => DefaultRead::InWindow,
                _ => DefaultRead::AtHead,
            },
        }
    }

    fn has_checks(&self) -> bool {
        self.0.has_checks() || self.1.has_checks()
    }

    fn format(&self) -> Arc<dyn TokenFormat> {
        self.0.format()
    }

    fn claim(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Claim {
        match self.0.claim(method, uri, headers) {
            Claim::Pass => match self.1.claim(method, uri, headers) {
                Claim::Pass => Claim::Pass,
                Claim::Parts(route) => Claim::Parts(Side::B(route).route()),
                Claim::Body(route) => Claim::Body(Side::B(route).route()),
                Claim::Floor(route) => Claim::Floor(Side::B(route).route()),
            },
            Claim::Parts(route) => Claim::Parts(Side::A(route).route()),
            Claim::Body(route) => Claim::Body(Side::A(route).route()),
            Claim::Floor(route) => Claim::Floor(Side::A(route).route()),
        }
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let on = |side: fn(Route) -> Side, endpoint: Endpoint| Endpoint {
            route: side(endpoint.route).route(),
            ..endpoint
        };
        let (a, b) = (self.0.endpoints(), self.1.endpoints());
        a.into_iter()
            .map(|endpoint| on(Side::A, endpoint))
            .chain(b.into_iter().map(|endpoint| on(Side::B, endpoint)))
            .collect()
    }

    fn read(&self, route: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable> {
        match side(route) {
            Side::A(route) => self.0.read(route, parts, message, key),
            Side::B(route) => self.1.read(route, parts, message, key),
        }
    }

    fn needed(&self, received: Received<'_>, found: &[Option<&StoredResponse>]) -> Vec<usize> {
        match side(received.route) {
            Side::A(route) => self.0.needed(received.on(route), found),
            Side::B(route) => self.1.needed(received.on(route), found),
        }
    }

    fn ask(&self, received: Received<'_>, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        match side(received.route) {
            Side::A(route) => self.0.ask(received.on(route), open, at, zookie),
            Side::B(route) => self.1.ask(received.on(route), open, at, zookie),
        }
    }

    fn states_freshness(&self, route: Route) -> bool {
        match side(route) {
            Side::A(route) => self.0.states_freshness(route),
            Side::B(route) => self.1.states_freshness(route),
        }
    }

    fn has_objects(&self) -> bool {
        self.0.has_objects() && self.1.has_objects()
    }

    fn store_staleness(&self) -> Option<Duration> {
        Some(self.0.store_staleness()?.max(self.1.store_staleness()?))
    }

    fn names_touched(&self, route: Route) -> bool {
        match side(route) {
            Side::A(route) => self.0.names_touched(route),
            Side::B(route) => self.1.names_touched(route),
        }
    }

    fn objects(
        &self,
        received: Received<'_>,
        parts: &Parts,
        each: &mut dyn FnMut(Object<'_>),
    ) -> Result<(), Unreadable> {
        match side(received.route) {
            Side::A(route) => self.0.objects(received.on(route), parts, each),
            Side::B(route) => self.1.objects(received.on(route), parts, each),
        }
    }

    fn questions(&self, received: Received<'_>, parts: &Parts, each: &mut dyn FnMut(Option<Question>)) {
        match side(received.route) {
            Side::A(route) => self.0.questions(received.on(route), parts, each),
            Side::B(route) => self.1.questions(received.on(route), parts, each),
        }
    }

    fn restate(&self, route: Route, stored: &StoredResponse, zookie: &Zookie) -> Option<StoredResponse> {
        match side(route) {
            Side::A(route) => self.0.restate(route, stored, zookie),
            Side::B(route) => self.1.restate(route, stored, zookie),
        }
    }

    fn related(&self, route: Route, parts: &mut Parts, object: &Object<'_>, relation: &str) -> Option<Probe> {
        match side(route) {
            Side::A(route) => {
                let probe = self.0.related(route, parts, object, relation)?;
                let route = Side::A(probe.route).route();
                Some(Probe { route, ..probe })
            }
            Side::B(route) => {
                let probe = self.1.related(route, parts, object, relation)?;
                let route = Side::B(probe.route).route();
                Some(Probe { route, ..probe })
            }
        }
    }

    fn subjects(
        &self,
        received: Received<'_>,
        parts: &Parts,
        reply: &Reply<'_>,
        each: &mut dyn FnMut(Object<'_>),
    ) -> Option<Option<String>> {
        match side(received.route) {
            Side::A(route) => self.0.subjects(received.on(route), parts, reply, each),
            Side::B(route) => self.1.subjects(received.on(route), parts, reply, each),
        }
    }

    fn head_read(&self, route: Route, parts: &mut Parts) -> Option<Probe> {
        match side(route) {
            Side::A(route) => {
                let probe = self.0.head_read(route, parts)?;
                let route = Side::A(probe.route).route();
                Some(Probe { route, ..probe })
            }
            Side::B(route) => {
                let probe = self.1.head_read(route, parts)?;
                let route = Side::B(probe.route).route();
                Some(Probe { route, ..probe })
            }
        }
    }

    fn can_probe(&self) -> bool {
        self.0.can_probe() && self.1.can_probe()
    }

    fn probe(&self, route: Route, parts: &mut Parts) -> Option<Probe> {
        match side(route) {
            Side::A(route) => {
                let probe = self.0.probe(route, parts)?;
                let route = Side::A(probe.route).route();
                Some(Probe { route, ..probe })
            }
            Side::B(route) => {
                let probe = self.1.probe(route, parts)?;
                let route = Side::B(probe.route).route();
                Some(Probe { route, ..probe })
            }
        }
    }

    fn feed(&self, wire: FeedWire) -> Option<&dyn FeedProtocol> {
        self.0.feed(wire).or_else(|| self.1.feed(wire))
    }

    fn timeout(&self, route: Route, parts: &HeaderMap) -> Option<Duration> {
        match side(route) {
            Side::A(route) => self.0.timeout(route, parts),
            Side::B(route) => self.1.timeout(route, parts),
        }
    }

    fn learn(&self, received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
        match side(received.route) {
            Side::A(route) => self.0.learn(received.on(route), asked, reply),
            Side::B(route) => self.1.learn(received.on(route), asked, reply),
        }
    }

    fn merge(
        &self,
        received: Received<'_>,
        answers: &[Option<&StoredResponse>],
        zookie: Option<&Zookie>,
    ) -> StoredResponse {
        match side(received.route) {
            Side::A(route) => self.0.merge(received.on(route), answers, zookie),
            Side::B(route) => self.1.merge(received.on(route), answers, zookie),
        }
    }

    fn reject(&self, route: Route, parts: &HeaderMap, why: &Rejection) -> Response<Bytes> {
        match side(route) {
            Side::A(route) => self.0.reject(route, parts, why),
            Side::B(route) => self.1.reject(route, parts, why),
        }
    }

    fn echoed(&self, route: Route) -> &[HeaderName] {
        match side(route) {
            Side::A(route) => self.0.echoed(route),
            Side::B(route) => self.1.echoed(route),
        }
    }
}

/// The API of a route, in the route's lowest bit.
enum Side {
    A(Route),
    B(Route),
}

fn side(Route(route): Route) -> Side {
    if route & 1 == 0 {
        Side::A(Route(route >> 1))
    } else {
        Side::B(Route(route >> 1))
    }
}

impl Side {
    fn route(self) -> Route {
        match self {
            Self::A(Route(route)) => Route(route << 1),
            Self::B(Route(route)) => Route(route << 1 | 1),
        }
    }
}

impl Received<'_> {
    fn on(self, route: Route) -> Self {
        Self { route, ..self }
    }
}
