use http::HeaderName;
use tower_layer::Layer;

use crate::invalid_setting::InvalidSetting;
use crate::session::outbound::service::PropagateService;
use crate::token::Carriers;

/// Adds the tokens of the [`Session`](crate::session::Session) to what an outbound client or channel sends, and takes the
/// tokens of replies into the session.
///
/// It goes around any `Service<http::Request<B>>`: a hyper-util client, a tonic channel, another tower stack. The session is
/// the one in the request's extensions, otherwise the [current](crate::session::Session::current) one; without a session,
/// requests and replies pass unchanged. A call that must not be held to the session's tokens gets a new session in its
/// request's extensions.
///
/// Tokens travel in one header, which over gRPC is metadata. They are joined with those that the request has. The layer never
/// weakens what a request demands, and leaves a request alone that says `zookie-consistency: at-exact-snapshot`. With a
/// [`ZookieLayer`](crate::ZookieLayer) below, the tokens reach the message, and the token in a reply's message reaches the
/// session. SpiceDB and Permify themselves do not look at the header.
///
/// **Writes.** Only a write's reply gives the session's caller a new cookie. A reply is that to a write if a `ZookieLayer`
/// below or a [`SessionLayer`](crate::session::SessionLayer) behind says so. If neither is there, every method that is not
/// safe counts as a write, and so does every gRPC call.
///
/// **Stores.** A client that calls one store gets only that store's tokens: the store that the last reply named. If a session
/// has only tokens of other stores, the call is fully consistent. A service behind a `SessionLayer` may use several stores and
/// gets all tokens.
#[derive(Clone, Debug)]
pub struct PropagateLayer {
    header: HeaderName,
    signed: bool,
}

impl PropagateLayer {
    /// A layer whose tokens travel in the header `zookie`.
    pub fn new() -> Self {
        Self {
            header: HeaderName::from_static("zookie"),
            signed: false,
        }
    }

    /// Whether tokens go out with the signatures of the session: to a service, or through a
    /// [`ZookieLayer`](crate::ZookieLayer), that has the same key. Any other one can't read them.
    ///
    /// By default they go out without.
    #[must_use]
    pub fn signed(mut self, signed: bool) -> Self {
        self.signed = signed;
        self
    }

    /// A layer whose tokens travel in the first header of these carriers.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] if they have no header.
    pub fn with_carriers(carriers: &Carriers) -> Result<Self, InvalidSetting> {
        match carriers.first_header() {
            Some(header) => Ok(Self {
                header: header.clone(),
                signed: false,
            }),
            None => {
                let problem = "have no header, in which tokens would go out; add a `Carrier::Header`";
                Err(InvalidSetting::new("carriers", problem))
            }
        }
    }
}

impl Default for PropagateLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for PropagateLayer {
    type Service = PropagateService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PropagateService::new(inner, self.header.clone(), self.signed)
    }
}
