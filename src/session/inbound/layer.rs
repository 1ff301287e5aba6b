use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use crate::session::inbound::service::SessionService;
use crate::session::inbound::settings::Settings;

/// Takes the tokens of your service's callers into a [`Session`](crate::session::Session), and returns what the session has
/// become.
///
/// The session is in the request's extensions, and is [current](crate::session::Session::current) while the inner service's
/// future and body are polled. When the inner service has answered, all tokens of the session are put into the response's
/// header, and into a cookie where [`set_cookies`](crate::session::SessionLayerBuilder::set_cookies) says so. A token that is learned after
/// that reaches only a body that ends with trailers, as gRPC's do.
///
/// A token in a header or the query that can't be read: the request is rejected, with 400 or `INVALID_ARGUMENT`. One in a
/// cookie, which a browser sends by itself: every call of the session is fully consistent, and the cookie is replaced. A
/// request that says `zookie-consistency: fully-consistent` makes every call of its session fully consistent too. The other
/// consistencies concern your service itself.
///
/// All tokens of a layer have one format. A service in front of two authorization systems has two layers, with carriers of
/// their own; the inner one is the current session, and the other one can be put into a request's extensions.
#[derive(Clone)]
pub struct SessionLayer(Arc<Settings>);

impl SessionLayer {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self(settings)
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(inner, Arc::clone(&self.0))
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionLayer").field(&self.0).finish()
    }
}
