//! The permission service: an axum Router on an embedded store. It knows nothing of the layer outside but the extractor
//! [`Asked`](tower_zookie::Asked).

mod authzen;
mod check;
mod fresh;
pub mod ids;
mod metadata;
mod problem;
mod relationships;

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use tower_zookie::store::SnapshotReader;
use tower_zookie::store::node::NodeStats;
use tower_zookie::token::{RevisionToken, Signing, TokenError, Zookie};

use self::problem::Problem;
use crate::backend::Backend;

pub use self::metadata::{BaseUrl, NotABaseUrl};

/// How long a read or a write waits for a revision that has not arrived.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What all handlers share.
#[derive(Clone, Debug)]
pub struct Gateway {
    backend: Backend,
    reader: SnapshotReader,
    quantize: Duration,
    base_url: Option<BaseUrl>,
    zookies: Zookies,
}

/// How zookies are written.
#[derive(Clone, Debug, Default)]
pub struct Zookies {
    /// Signs them, and reads signed ones.
    pub signing: Option<Signing>,
    /// Writes the compact form.
    pub compact: bool,
}

impl Gateway {
    /// A service on this store or node. Reads that name no revision are rounded to `quantize`, or not at all if that is zero.
    pub fn new(backend: impl Into<Backend>, quantize: Duration) -> Self {
        let backend = backend.into();
        Self {
            reader: SnapshotReader::with_timeout(backend.clone(), LONGEST_WAIT),
            backend,
            quantize,
            base_url: None,
            zookies: Zookies::default(),
        }
    }

    /// Where callers reach the service, as AuthZEN's metadata say. By default the host that each caller names.
    pub fn base_url(mut self, url: Option<BaseUrl>) -> Self {
        self.base_url = url;
        self
    }

    /// How its zookies are written; by default in their JSON form, without signatures.
    pub fn zookies(mut self, zookies: Zookies) -> Self {
        self.zookies = zookies;
        self
    }

    /// How far the node is, if it is one of a group.
    pub fn node_stats(&self) -> Option<NodeStats> {
        self.backend.node_stats()
    }

    /// The zookie of a revision that the store itself chose: only such a one is signed.
    fn zookie_of_named(&self, named: &RevisionToken) -> Result<Zookie, TokenError> {
        let zookie = self.zookie(named)?;
        Ok(match &self.zookies.signing {
            Some(signing) => signing.sign(&zookie),
            None => zookie,
        })
    }

    fn zookie(&self, token: &RevisionToken) -> Result<Zookie, TokenError> {
        let text = match self.zookies.compact {
            true => token.encode_compact(),
            false => token.encode(),
        };
        Zookie::new(&text, text.len())
    }

    /// The token in a zookie, signed or not.
    fn token(&self, zookie: &str) -> Result<RevisionToken, TokenError> {
        match &self.zookies.signing {
            Some(signing) if Signing::is_signed(zookie) => {
                let verified = signing.verify(zookie)?;
                RevisionToken::decode(verified.zookie.as_str())
            }
            _ => RevisionToken::decode(zookie),
        }
    }
}

pub fn router(gateway: Gateway) -> Router {
    Router::new()
        .route("/check", get(check::check))
        .route("/relationships", post(relationships::write))
        .route("/access/v1/evaluation", post(authzen::evaluation))
        .route("/access/v1/evaluations", post(authzen::evaluations))
        .route("/.well-known/authzen-configuration", get(metadata::metadata))
        .fallback(|| async { Problem::not_found("there is no such path here") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(from_fn(echo_request_id))
        .with_state(gateway)
}

/// Echoes the caller's request id in the reply, as AuthZEN demands.
async fn echo_request_id(request: Request, next: Next) -> Response {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    let id = request.headers().get(&REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The header of every reply: the revision that it was evaluated at.
fn with_zookie(zookie: &Zookie) -> [(HeaderName, HeaderValue); 1] {
    [(HeaderName::from_static("zookie"), zookie.to_header_value())]
}
