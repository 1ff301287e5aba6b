use std::sync::Arc;

use http::HeaderName;

use crate::invalid_setting::InvalidSetting;
use crate::session::current::memo;
use crate::session::floors::MOST_TOKENS;
use crate::session::inbound::layer::SessionLayer;
use crate::session::inbound::settings::Settings;
use crate::token::{Carrier, Carriers, Signing, TokenFormat};

/// Builds a [`SessionLayer`].
///
/// ```
/// use tower_zookie::session::SessionLayer;
/// use tower_zookie::token::spicedb::{Engine, ZedTokens};
///
/// let layer = SessionLayer::builder(ZedTokens::new(Engine::Postgres)).set_cookies(true).build()?;
/// # let _ = layer;
/// # Ok::<(), tower_zookie::InvalidSetting>(())
/// ```
#[derive(Debug)]
pub struct SessionLayerBuilder<F> {
    format: F,
    carriers: Option<Carriers>,
    set_cookies: bool,
    signing: Option<Signing>,
}

impl SessionLayer {
    /// A layer for tokens of this format.
    pub fn builder<F: TokenFormat>(format: F) -> SessionLayerBuilder<F> {
        SessionLayerBuilder {
            format,
            carriers: None,
            set_cookies: false,
            signing: None,
        }
    }
}

impl<F: TokenFormat> SessionLayerBuilder<F> {
    /// Sets the places where callers send their tokens, and, of headers and cookies, where they find them in responses.
    ///
    /// By default the header `zookie` and the cookie `zookie`. A query parameter is no place unless you name it: parameters
    /// such as `token` often mean something else.
    #[must_use]
    pub fn carriers(mut self, carriers: Carriers) -> Self {
        self.carriers = Some(carriers);
        self
    }

    /// Whether responses set the cookie: those whose token a write has raised, and those to requests that had no token, or
    /// none that is of use. Other responses set none, so that parallel reads do not take it back.
    ///
    /// By default they set none. The cookie is `HttpOnly`; [`Carriers::secure`],
    /// [`Carriers::same_site`] and [`Carriers::max_age`] set its other attributes.
    #[must_use]
    pub fn set_cookies(mut self, set: bool) -> Self {
        self.set_cookies = set;
        self
    }

    /// Signs the tokens in responses, and verifies those of callers. A token is signed that came with a right signature, from
    /// the caller or in a reply, and one that [`Session::absorb_written`](crate::session::Session::absorb_written) took. So the
    /// [`ZookieLayer`](crate::ZookieLayer) below a [`PropagateLayer`](crate::session::PropagateLayer) has to have the key too.
    ///
    /// By default nothing is signed, and a signed token is rejected.
    #[must_use]
    pub fn signing(mut self, signing: Signing) -> Self {
        self.signing = Some(signing);
        self
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] names the setting that makes no sense.
    pub fn build(self) -> Result<SessionLayer, InvalidSetting> {
        let carriers = self.carriers.map_or_else(header_and_cookie, Ok)?;
        carriers.validate()?;
        self.format.validate()?;
        if let Some(signing) = &self.signing {
            signing.validate()?;
        }
        if self.set_cookies && !carriers.have_cookie() {
            let problem = "is on, but zookies travel in no cookie; add a `Carrier::Cookie` to the carriers";
            return Err(InvalidSetting::new("set_cookies", problem));
        }
        if carriers.most_tokens() < MOST_TOKENS {
            let problem =
                "is less than 8, the number of tokens that a session may return; leave it at 8, or set it to more";
            return Err(InvalidSetting::new("max_tokens", problem));
        }
        if carriers.places().is_empty() {
            let problem = "have no place, so no token would be found; name a header or a cookie";
            return Err(InvalidSetting::new("carriers", problem));
        }
        Ok(SessionLayer::new(Arc::new(Settings {
            memo: memo(self.format, self.signing),
            carriers,
            set_cookies: self.set_cookies,
        })))
    }
}

fn header_and_cookie() -> Result<Carriers, InvalidSetting> {
    let places = [
        Carrier::Header(HeaderName::from_static("zookie")),
        Carrier::Cookie("zookie".to_owned()),
    ];
    Carriers::new(places).map_err(|error| InvalidSetting::new("carriers", error.to_string()))
}
