//! At which revision a request is to be evaluated.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tower_zookie::Asked;
use tower_zookie::consistency::Consistency;
use tower_zookie::revision::VectorClock;
use tower_zookie::store::ReadMode;
use tower_zookie::token::{Carriers, RevisionToken, TokenError, Zookie};

use super::Gateway;
use super::problem::Problem;

/// How fresh the answer has to be.
///
/// The layer states it in one [`Asked`]. If the layer forwarded the request unmodified, or there is no layer, the
/// request is read here: its tokens still are floors.
#[derive(Debug)]
pub(crate) struct Fresh(Result<Requested, Problem>);

#[derive(Debug)]
struct Requested {
    consistency: Option<Consistency>,
    tokens: Vec<RevisionToken>,
}

impl FromRequestParts<Gateway> for Fresh {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Infallible> {
        let requested = match parts.extensions.get::<Asked>() {
            Some(asked) => Requested::asked(asked),
            None => Requested::read(parts, gateway),
        };
        Ok(Self(requested))
    }
}

impl Requested {
    fn asked(asked: &Asked) -> Result<Self, Problem> {
        let tokens = asked.zookie.iter().map(|zookie| RevisionToken::decode(zookie.as_str()));
        Ok(Self {
            consistency: Some(asked.consistency),
            tokens: tokens.collect::<Result<_, _>>()?,
        })
    }

    fn read(parts: &Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let consistency = match parts.headers.get("zookie-consistency") {
            None => None,
            Some(value) => {
                let text = value.to_str().unwrap_or_default();
                Some(text.parse::<Consistency>()?)
            }
        };
        let mut tokens = Vec::new();
        let mut malformed = None;
        Carriers::default().visit(&parts.headers, &parts.uri, |_, text| {
            match text.and_then(|text| gateway.token(text)) {
                Ok(token) => tokens.push(token),
                Err(error) => malformed = Some(error),
            }
        })?;
        match malformed {
            Some(error) => Err(error.into()),
            None => Ok(Self { consistency, tokens }),
        }
    }
}

/// The revision that a request is evaluated at.
#[derive(Debug)]
pub(crate) struct At {
    pub(crate) clock: VectorClock,
    /// The store chose it. An exact snapshot is the caller's choice: it may never have been the current one.
    pub(crate) named: bool,
}

impl At {
    /// The zookie of a reply.
    pub(crate) fn zookie(&self, gateway: &Gateway) -> Result<Zookie, TokenError> {
        let token = gateway.backend.token(&self.clock);
        match self.named {
            true => gateway.zookie_of_named(&token),
            false => gateway.zookie(&token),
        }
    }
}

impl Fresh {
    /// The revision to evaluate at, once the store has reached it.
    pub(crate) async fn revision(self, gateway: &Gateway) -> Result<At, Problem> {
        let Requested { consistency, tokens } = self.0?;
        if consistency == Some(Consistency::AtExactSnapshot) {
            let [token] = &*tokens else {
                return Err(Problem::bad_request("at-exact-snapshot needs exactly one zookie"));
            };
            let clock = gateway.reader.wait_for(token, ReadMode::Exact).await?;
            return Ok(At { clock, named: false });
        }
        wait_for(gateway, &tokens).await?;
        let any_will_do = tokens.is_empty() && matches!(consistency, None | Some(Consistency::MinimizeLatency));
        let clock = match any_will_do {
            true => gateway.backend.quantized(gateway.quantize),
            false => gateway.backend.current(),
        };
        Ok(At { clock, named: true })
    }

    /// Waits until the store has reached the tokens of a write, so that the write is later than all that its writer saw.
    pub(crate) async fn reached(self, gateway: &Gateway) -> Result<(), Problem> {
        wait_for(gateway, &self.0?.tokens).await
    }
}

async fn wait_for(gateway: &Gateway, tokens: &[RevisionToken]) -> Result<(), Problem> {
    for token in tokens {
        gateway.reader.wait_for(token, ReadMode::AtLeast).await?;
    }
    Ok(())
}
