//! The permission service: an axum Router on an embedded store. It knows nothing of the layer outside but the extractor
//! [`Asked`](tower_zookie::Asked).

mod authzen;
mod check;
mod fresh;
pub mod ids;
mod metadata;
mod problem;
mod relationships;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use tower_zookie::store::{SnapshotReader, Store};
use tower_zookie::token::RevisionToken;

use self::problem::Problem;

pub use self::metadata::{BaseUrl, NotABaseUrl};

/// How long a read waits for a revision that the store has not reached.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What all handlers share.
#[derive(Clone, Debug)]
pub struct Gateway {
    store: Arc<Store>,
    reader: SnapshotReader,
    quantize: Duration,
    base_url: Option<BaseUrl>,
}

impl Gateway {
    /// A service on this store. Reads that name no revision are rounded to `quantize`, or not at all if that is zero.
    pub fn new(store: Arc<Store>, quantize: Duration) -> Self {
        Self {
            reader: SnapshotReader::with_timeout(Arc::clone(&store), LONGEST_WAIT),
            store,
            quantize,
            base_url: None,
        }
    }

    /// Where callers reach the service, as AuthZEN's metadata say. By default the host that each caller names.
    pub fn base_url(mut self, url: Option<BaseUrl>) -> Self {
        self.base_url = url;
        self
    }

    fn zookie(&self, revision: u64) -> String {
        RevisionToken::new(self.store.node_id(), revision).encode()
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
fn with_zookie(zookie: &str) -> [(HeaderName, HeaderValue); 1] {
    // Base64 always is a header value.
    let value = HeaderValue::from_str(zookie).unwrap_or(HeaderValue::from_static(""));
    [(HeaderName::from_static("zookie"), value)]
}
