//! Calls that only ask how far the store has come.

use std::future::poll_fn;

use http::Request;
use http::request::Parts;

use crate::consistency::Consistency;
use crate::layer::body::{Read, Replay, RequestBody};
use crate::layer::headers::strip_overrides;
use crate::layer::inner::Upstream;
use crate::layer::state::LayerState;
use crate::layer::upstream::forward::strip_own_call;
use crate::layer::upstream::reply::{read_reply, whole};
use crate::layer::upstream::timed::Timed;
use crate::protocol::{Probe, Protocol, Received, ReplyOutcome, Route};
use crate::revision::Revision;

impl<P: Protocol> LayerState<P> {
    /// The request that reads the head of the store, with the credentials of a request to `route`. Its reply goes to no
    /// caller.
    pub(super) fn head_read<B: RequestBody>(&self, route: Route, parts: &Parts) -> Option<(Probe, Request<B>)> {
        self.head_request(parts, |parts| self.protocol.head_read(route, parts))
    }

    /// The same by a probe, which asks for nothing else.
    pub(super) fn head_probe<B: RequestBody>(&self, route: Route, parts: &Parts) -> Option<(Probe, Request<B>)> {
        self.head_request(parts, |parts| self.protocol.probe(route, parts))
    }

    fn head_request<B: RequestBody>(
        &self,
        parts: &Parts,
        turn: impl FnOnce(&mut Parts) -> Option<Probe>,
    ) -> Option<(Probe, Request<B>)> {
        let mut parts = parts.clone();
        strip_own_call(&mut parts.headers);
        strip_overrides(&mut parts.headers);
        let probe = turn(&mut parts)?;
        self.state_requirement(&mut parts, probe.route, Consistency::FullyConsistent, None)?;
        let body = B::replay(Replay::whole(probe.message.clone(), None));
        Some((probe, Request::from_parts(parts, body)))
    }
}

/// Sends such a request. `None`: the reply names no revision. `begin` runs just before the call.
pub(super) async fn ask_revision<S, P, B>(
    state: &LayerState<P>,
    inner: &mut S,
    (probe, request): (Probe, Request<B>),
    begin: impl FnOnce(),
) -> Option<Revision>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    poll_fn(|cx| inner.poll_ready(cx)).await.ok()?;
    begin();
    let timed = Timed::begin(&state.cache);
    let Ok(reply) = inner.call(request).await else {
        timed.failed();
        return None;
    };
    let (parts, body) = reply.into_parts();
    let Read::Whole {
        message: body,
        trailers,
        ..
    } = read_reply(body, state.settings.max_reply_body).await
    else {
        timed.replied(&parts, None);
        return None;
    };
    timed.replied(&parts, trailers.as_ref());
    let reply = whole(&parts, &body, trailers.as_ref());
    let received = Received::new(probe.route, &probe.call, &probe.message);
    let (ReplyOutcome::Answers { token, .. } | ReplyOutcome::Wrote { token, .. }) =
        state.protocol.learn(received, &[], &reply)
    else {
        tracing::debug!("a reply that was to name the head names no revision");
        return None;
    };
    let token = state.reply_token(&parts.headers, token.as_deref())?;
    Some(token.revision.clone())
}
