use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use tower_service::Service;

use crate::layer::body::{Reader, RequestBody, ZookieBody};
use crate::layer::future::ResponseFuture;
use crate::layer::inner::Upstream;
use crate::layer::state::LayerState;
use crate::layer::upstream::NEVER_STORED;
use crate::protocol::{Claim, Protocol};

/// The service that [`ZookieLayer`](crate::ZookieLayer) makes.
///
/// It is always ready: hits are served while the inner service is saturated or down. Requests that need the inner service
/// await its readiness themselves, so backpressure does not reach the caller: put limits and load shedding below the
/// layer, where they work on what is left after the hits.
pub struct ZookieService<S, P> {
    inner: S,
    state: Arc<LayerState<P>>,
}

impl<S, P> ZookieService<S, P> {
    pub(super) fn new(inner: S, state: Arc<LayerState<P>>) -> Self {
        Self { inner, state }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, without the layer.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, P> Clone for ZookieService<S, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            state: Arc::clone(&self.state),
        }
    }
}

impl<S: fmt::Debug, P> fmt::Debug for ZookieService<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZookieService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, P, B> Service<Request<B>> for ZookieService<S, P>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    type Response = Response<ZookieBody<S::ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, P, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { inner, state } = self;
        state.begin_to_follow();
        let claim = state.protocol.claim(request.method(), request.uri(), request.headers());
        let (route, has_message) = match claim {
            Claim::Pass => {
                state.note_passed(request.method(), request.uri(), request.headers());
                return ResponseFuture::forward(inner, state.unwrapped(request), None);
            }
            Claim::Parts(route) => (route, state.objects.is_some() && state.protocol.names_touched(route)),
            Claim::Body(route) | Claim::Floor(route) => (route, true),
        };
        state.seen.route.set();
        let (parts, body) = request.into_parts();
        let unread = matches!(claim, Claim::Floor(_)) && state.objects.is_none() && !state.verifies();
        if unread && !state.raises_floor(&parts) {
            state.cache.counters().bypassed();
            return ResponseFuture::forward(inner, Request::from_parts(parts, body), Some(NEVER_STORED));
        }
        if !has_message {
            let step = state.classify_by_parts(route, parts, body);
            return ResponseFuture::take(step, state, inner);
        }
        let mut reader = Reader::new(body, state.settings.max_request_body);
        match reader.poll_read(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => ResponseFuture::take(state.classify(route, parts, read), state, inner),
            Poll::Pending => ResponseFuture::reading(Arc::clone(state), inner.clone(), route, parts, reader),
        }
    }
}
