use http::{HeaderMap, Response};
use http_body::Body;

use crate::layer::body::{StoredBody, ZookieBody};
use crate::layer::pending::Pending;
use crate::layer::refused::refusal_of;
use crate::layer::response::mark::mark_rejected;
use crate::layer::state::LayerState;
use crate::protocol::{Protocol, Rejection, Route};
use crate::warnings::Warning;

impl<P: Protocol> LayerState<P> {
    /// The layer's own error reply to a request with these headers.
    pub(in crate::layer) fn reject(&self, route: Route, headers: &HeaderMap, why: &Rejection) -> Response<StoredBody> {
        self.cache.counters().rejected();
        if let Some(why) = refusal_of(why) {
            self.cache.counters().token_refused(why);
        }
        tracing::debug!(reason = why.name(), "rejected a request");
        if *why == Rejection::Behind {
            self.warnings.give(Warning::Behind.name(), || {
                tracing::warn!(
                    "the service answered at an older revision than it was asked for, so the caller gets an error; if it reads \
                     from replicas of its database, set `read_replicas`; if several stores share its address, give each a layer \
                     of its own"
                );
            });
        }
        let mut response = self.protocol.reject(route, headers, why);
        self.echo(route, headers, response.headers_mut());
        mark_rejected(response.headers_mut(), why.name());
        response.map(|data| StoredBody { data, trailers: None })
    }

    /// The layer's own error reply to a pending request.
    pub(in crate::layer) fn reject_pending<R: Body>(
        &self,
        pending: &Pending,
        why: &Rejection,
    ) -> Response<ZookieBody<R>> {
        self.reject(pending.route, &pending.parts.headers, why).map(Into::into)
    }

    /// Copies the headers that the API promises to echo from a request to a reply.
    pub(in crate::layer) fn echo(&self, route: Route, request: &HeaderMap, reply: &mut HeaderMap) {
        for name in self.protocol.echoed(route) {
            if let Some(value) = request.get(name) {
                reply.insert(name.clone(), value.clone());
            }
        }
    }
}
