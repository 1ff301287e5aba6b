use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::protocol::kit::grpc;
use crate::protocol::problem_json;
use crate::session::inbound::body::SessionBody;
use crate::session::inbound::future::SessionFuture;
use crate::session::inbound::settings::Settings;

/// The service that [`SessionLayer`](crate::session::SessionLayer) makes.
#[derive(Clone)]
pub struct SessionService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> SessionService<S> {
    pub(super) fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
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

impl<S: fmt::Debug> fmt::Debug for SessionService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for SessionService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<SessionBody<R>>;
    type Error = S::Error;
    type Future = SessionFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.settings.session(request.headers(), request.uri()) {
            Ok(session) => {
                let method = request.method().clone();
                request.extensions_mut().insert(session.clone());
                let future = session.enter(|| self.inner.call(request));
                SessionFuture::inner(future, session, method, Arc::clone(&self.settings))
            }
            Err(why) => {
                tracing::debug!(reason = why.name(), "rejected a request");
                SessionFuture::rejected(match grpc::is_grpc(request.headers()) {
                    true => grpc::reject(&why),
                    false => problem_json(&why),
                })
            }
        }
    }
}
