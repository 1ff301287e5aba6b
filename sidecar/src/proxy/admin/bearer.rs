//! The token that operators show.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

const SHORTEST: usize = 16;

/// A secret that a request shows as `Authorization: Bearer …`.
#[derive(Clone)]
pub struct Bearer(Arc<str>);

/// A secret that can't be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    #[error("has fewer than 16 characters; use a longer token")]
    TooShort,
    #[error("has characters that a header can't carry; use visible ASCII without spaces")]
    NotAscii,
}

impl Bearer {
    pub fn new(secret: &str) -> Result<Self, BadToken> {
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            Err(BadToken::NotAscii)
        } else if secret.len() < SHORTEST {
            Err(BadToken::TooShort)
        } else {
            Ok(Self(secret.into()))
        }
    }

    /// How long it takes says nothing about the secret except its length.
    fn is_shown(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let secret = shown.and_then(|shown| {
            let (scheme, secret) = shown.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
        });
        secret.is_some_and(|secret| bool::from(secret.as_bytes().ct_eq(self.0.as_bytes())))
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

/// Lets requests through that show the secret, if there is one. A browser must not purge or switch anything for a page of
/// another origin: it sends `Origin` with each POST.
pub(super) async fn check(State(bearer): State<Option<Bearer>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if bearer.is_some_and(|bearer| !bearer.is_shown(headers)) {
        let challenge = [(WWW_AUTHENTICATE, "Bearer")];
        let why = "send the token of --admin-token-env as `Authorization: Bearer TOKEN`\n";
        return (StatusCode::UNAUTHORIZED, challenge, why).into_response();
    }
    if request.method() != Method::GET && headers.contains_key(ORIGIN) {
        return (StatusCode::FORBIDDEN, "not from a browser's page\n").into_response();
    }
    next.run(request).await
}
