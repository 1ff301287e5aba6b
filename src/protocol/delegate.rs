/// Implements [`Protocol`](crate::protocol::Protocol) for a type by another protocol that it holds.
macro_rules! delegate {
    ([$($bounds:tt)*] $type:ty, $api:ident => $to:expr) => {
        const _: () = {
            use std::sync::Arc;
            use std::time::Duration;

            use bytes::Bytes;
            use http::request::Parts;
            use http::{HeaderMap, HeaderName, Method, Response, Uri};

            use $crate::cache::{Capabilities, ReadAt};
            use $crate::changes::Question;
            use $crate::protocol::api::Protocol;
            use $crate::protocol::call::{Call, Claim, Endpoint, Key, Probe, Received, Route, Unreadable};
            use $crate::protocol::feed::{FeedProtocol, FeedWire};
            use $crate::protocol::object::Object;
            use $crate::protocol::problem::Rejection;
            use $crate::protocol::reply::{Reply, ReplyOutcome};
            use $crate::protocol::stored_response::StoredResponse;
            use $crate::token::{TokenFormat, Zookie};

            impl<$($bounds)*> Protocol for $type {
                fn capabilities(&self) -> Capabilities {
                    let $api = self;
                    $to.capabilities()
                }

                fn has_checks(&self) -> bool {
                    let $api = self;
                    $to.has_checks()
                }

                fn format(&self) -> Arc<dyn TokenFormat> {
                    let $api = self;
                    $to.format()
                }

                fn claim(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Claim {
                    let $api = self;
                    $to.claim(method, uri, headers)
                }

                fn endpoints(&self) -> Vec<Endpoint> {
                    let $api = self;
                    $to.endpoints()
                }

                fn read(&self, route: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable> {
                    let $api = self;
                    $to.read(route, parts, message, key)
                }

                fn needed(&self, received: Received<'_>, found: &[Option<&StoredResponse>]) -> Vec<usize> {
                    let $api = self;
                    $to.needed(received, found)
                }

                fn ask(&self, received: Received<'_>, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
                    let $api = self;
                    $to.ask(received, open, at, zookie)
                }

                fn states_freshness(&self, route: Route) -> bool {
                    let $api = self;
                    $to.states_freshness(route)
                }

                fn has_objects(&self) -> bool {
                    let $api = self;
                    $to.has_objects()
                }

                fn store_staleness(&self) -> Option<Duration> {
                    let $api = self;
                    $to.store_staleness()
                }

                fn names_touched(&self, route: Route) -> bool {
                    let $api = self;
                    $to.names_touched(route)
                }

                fn objects(
                    &self,
                    received: Received<'_>,
                    parts: &Parts,
                    each: &mut dyn FnMut(Object<'_>),
                ) -> Result<(), Unreadable> {
                    let $api = self;
                    $to.objects(received, parts, each)
                }

                fn questions(&self, received: Received<'_>, parts: &Parts, each: &mut dyn FnMut(Option<Question>)) {
                    let $api = self;
                    $to.questions(received, parts, each)
                }

                fn restate(&self, route: Route, stored: &StoredResponse, zookie: &Zookie) -> Option<StoredResponse> {
                    let $api = self;
                    $to.restate(route, stored, zookie)
                }

                fn related(&self, route: Route, parts: &mut Parts, object: &Object<'_>, relation: &str) -> Option<Probe> {
                    let $api = self;
                    $to.related(route, parts, object, relation)
                }

                fn subjects(
                    &self,
                    received: Received<'_>,
                    parts: &Parts,
                    reply: &Reply<'_>,
                    each: &mut dyn FnMut(Object<'_>),
                ) -> Option<Option<String>> {
                    let $api = self;
                    $to.subjects(received, parts, reply, each)
                }

                fn head_read(&self, route: Route, parts: &mut Parts) -> Option<Probe> {
                    let $api = self;
                    $to.head_read(route, parts)
                }

                fn can_probe(&self) -> bool {
                    let $api = self;
                    $to.can_probe()
                }

                fn probe(&self, route: Route, parts: &mut Parts) -> Option<Probe> {
                    let $api = self;
                    $to.probe(route, parts)
                }

                fn feed(&self, wire: FeedWire) -> Option<&dyn FeedProtocol> {
                    let $api = self;
                    $to.feed(wire)
                }

                fn timeout(&self, route: Route, parts: &HeaderMap) -> Option<Duration> {
                    let $api = self;
                    $to.timeout(route, parts)
                }

                fn learn(&self, received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
                    let $api = self;
                    $to.learn(received, asked, reply)
                }

                fn merge(
                    &self,
                    received: Received<'_>,
                    answers: &[Option<&StoredResponse>],
                    zookie: Option<&Zookie>,
                ) -> StoredResponse {
                    let $api = self;
                    $to.merge(received, answers, zookie)
                }

                fn reject(&self, route: Route, parts: &HeaderMap, why: &Rejection) -> Response<Bytes> {
                    let $api = self;
                    $to.reject(route, parts, why)
                }

                fn echoed(&self, route: Route) -> &[HeaderName] {
                    let $api = self;
                    $to.echoed(route)
                }
            }
        };
    };
}

delegate!([P: Protocol + ?Sized] Arc<P>, api => **api);

pub(super) use delegate;
