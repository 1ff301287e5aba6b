use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::{Read, Reader, RequestBody, ZookieBody};
use super::decide::Step;
use super::future::ResponseFuture;
use super::read::NEVER_KEPT;
use super::shared::Shared;
use super::{around, bulk, miss, patient, read, refresh, write};
use crate::protocol::{Claim, Protocol};

/// The service that [`ZookieLayer`](super::ZookieLayer) makes.
///
/// It is always ready: hits are served while the inner service is saturated or down. Requests that need the inner service
/// await its readiness themselves, so backpressure does not reach the caller: put limits and load shedding below the
/// layer, where they work on what is left after the hits.
pub struct ZookieService<S, P> {
    inner: S,
    shared: Arc<Shared<P>>,
}

impl<S, P> ZookieService<S, P> {
    pub(super) fn new(inner: S, shared: Arc<Shared<P>>) -> Self {
        Self { inner, shared }
    }
}

impl<S: Clone, P> Clone for ZookieService<S, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
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

impl<S, P, B, R> Service<Request<B>> for ZookieService<S, P>
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
    P: Protocol,
{
    type Response = Response<ZookieBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, P, B, R>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let claim = self
            .shared
            .protocol
            .claim(request.method(), request.uri(), request.headers());
        match claim {
            Claim::Pass => self.forward(request, None),
            Claim::Floor(_) if !self.shared.raises_floor(request.headers(), request.uri()) => {
                self.forward(request, Some(NEVER_KEPT))
            }
            Claim::Parts(route) => {
                let (head, body) = request.into_parts();
                let step = self.shared.decide_by_head(route, head, body);
                self.take(step)
            }
            Claim::Body(route) | Claim::Floor(route) => {
                let (head, body) = request.into_parts();
                let mut reader = Reader::new(body, self.shared.settings.max_request_body);
                match reader.poll_read(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(read) => {
                        let step = self.shared.decide_by_body(route, head, read);
                        self.take(step)
                    }
                    Poll::Pending => ResponseFuture::reading(self.clone(), route, head, reader),
                }
            }
        }
    }
}

impl<S, P> ZookieService<S, P> {
    pub(super) fn shared(&self) -> &Arc<Shared<P>> {
        &self.shared
    }

    pub(super) fn take<B, R>(&mut self, step: Step<B>) -> ResponseFuture<S, P, B, R>
    where
        S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
        B: RequestBody,
        R: Body<Data = Bytes, Error: Send> + Send + 'static,
        P: Protocol,
    {
        match step {
            Step::Reply(reply) => {
                let (parts, (data, trailers)) = reply.into_parts();
                ResponseFuture::ready(Response::from_parts(parts, ZookieBody::stored(data, trailers)))
            }
            Step::Refresh(reply, asking) => {
                refresh::begin(&self.shared, self.inner.clone(), *asking);
                let (parts, (data, trailers)) = reply.into_parts();
                ResponseFuture::ready(Response::from_parts(parts, ZookieBody::stored(data, trailers)))
            }
            Step::Bypass(request, why) => self.forward(request, Some(why)),
            Step::Around(request, around) => ResponseFuture::boxed(around::forward(
                Arc::clone(&self.shared),
                self.inner.clone(),
                request,
                around,
            )),
            Step::Write(request, writing, caller) => ResponseFuture::boxed(write::forward(
                Arc::clone(&self.shared),
                self.inner.clone(),
                request,
                writing,
                caller,
            )),
            Step::Read(asking, why) => {
                ResponseFuture::boxed(read::forward(Arc::clone(&self.shared), self.inner.clone(), asking, why))
            }
            Step::Check(asking, why) => {
                let asking = Arc::new(*asking);
                let reply = miss::fetch(Arc::clone(&self.shared), self.inner.clone(), Arc::clone(&asking), why);
                ResponseFuture::boxed(patient::wait(Arc::clone(&self.shared), asking, reply))
            }
            Step::Bulk(asking, served) => {
                let asking = Arc::new(*asking);
                let reply = bulk::fetch(
                    Arc::clone(&self.shared),
                    self.inner.clone(),
                    Arc::clone(&asking),
                    served,
                );
                ResponseFuture::boxed(patient::wait(Arc::clone(&self.shared), asking, reply))
            }
        }
    }

    /// Forwards a request unmodified. The inner service is not cloned when it is ready.
    fn forward<B, R>(&mut self, request: Request<B>, bypass: Option<&'static str>) -> ResponseFuture<S, P, B, R>
    where
        S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
        B: RequestBody,
        R: Body<Data = Bytes, Error: Send> + Send + 'static,
        P: Protocol,
    {
        if bypass.is_some() {
            self.shared.cache.counters().bypassed();
        }
        match self.inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => ResponseFuture::forwarded(self.inner.call(request), bypass),
            Poll::Ready(Err(error)) => ResponseFuture::failed(error),
            Poll::Pending => {
                // The one that was polled keeps its place in the queue; the fresh clone serves the next caller.
                let fresh = self.inner.clone();
                let polled = std::mem::replace(&mut self.inner, fresh);
                ResponseFuture::waiting(polled, request, bypass)
            }
        }
    }
}

pub(super) type Stored = (Bytes, Option<http::HeaderMap>);

pub(super) fn unread_body<B: RequestBody>(read: Read<B>) -> B {
    match read {
        Read::Whole { message, trailers } => B::replay(super::body::Replay::whole(message, trailers)),
        Read::Unread(replay) => replay.into_body(),
    }
}
