use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderName, Request, Response};
use tower_service::Service;

use crate::session::current::Session;
use crate::session::outbound::body::PropagateBody;
use crate::session::outbound::channel::Channel;
use crate::session::outbound::future::{PropagateFuture, UnderWay};
use crate::session::outbound::request::demand;

/// The service that [`PropagateLayer`](crate::session::PropagateLayer) makes.
#[derive(Clone)]
pub struct PropagateService<S> {
    inner: S,
    header: HeaderName,
    /// Tokens go out with signatures.
    signed: bool,
    /// Shared by all clones.
    channel: Arc<Channel>,
}

impl<S> PropagateService<S> {
    pub(super) fn new(inner: S, header: HeaderName, signed: bool) -> Self {
        Self {
            inner,
            header,
            signed,
            channel: Arc::default(),
        }
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

impl<S: fmt::Debug> fmt::Debug for PropagateService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PropagateService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for PropagateService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<PropagateBody<R>>;
    type Error = S::Error;
    type Future = PropagateFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let stated = request.extensions().get::<Session>().cloned();
        let under_way = stated.or_else(Session::current).map(|session| {
            let known = self.channel.known();
            demand(&session, &known, request.headers_mut(), &self.header, self.signed);
            UnderWay {
                session,
                header: self.header.clone(),
                method: request.method().clone(),
                channel: Arc::clone(&self.channel),
            }
        });
        PropagateFuture::new(self.inner.call(request), under_way)
    }
}
