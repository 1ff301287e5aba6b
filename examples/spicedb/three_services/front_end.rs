//! The front end. It calls the service of documents over HTTP, and knows of no tokens.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, Request, Response, StatusCode};
use axum::routing::{get, post};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt};
use tower_zookie::session::PropagateLayer;

use crate::AnyError;

/// The service of documents, seen from here.
#[derive(Clone)]
struct Documents {
    address: SocketAddr,
    client: BoxCloneSyncService<Request<Body>, Response<Body>, AnyError>,
}

/// `GET /may-read/DOCUMENT/USER` and `POST /share/DOCUMENT/USER`.
pub(crate) fn router(address: SocketAddr, with_layers: bool) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let client = if with_layers {
        let propagating = PropagateLayer::new().layer(client).map_err(AnyError::from);
        BoxCloneSyncService::new(propagating.map_response(|reply| reply.map(Body::new)))
    } else {
        let plain = client.map_err(AnyError::from);
        BoxCloneSyncService::new(plain.map_response(|reply| reply.map(Body::new)))
    };
    Router::new()
        .route("/may-read/{document}/{user}", get(may_read))
        .route("/share/{document}/{user}", post(share))
        .with_state(Documents { address, client })
}

async fn may_read(
    State(documents): State<Documents>,
    Path((document, user)): Path<(String, String)>,
) -> Result<Body, StatusCode> {
    documents.call(Method::GET, &document, &user).await
}

async fn share(
    State(documents): State<Documents>,
    Path((document, user)): Path<(String, String)>,
) -> Result<Body, StatusCode> {
    documents.call(Method::PUT, &document, &user).await
}

impl Documents {
    async fn call(self, method: Method, document: &str, user: &str) -> Result<Body, StatusCode> {
        let uri = format!("http://{}/documents/{document}/readers/{user}", self.address);
        let request = Request::builder().method(method).uri(uri).body(Body::empty());
        let request = request.map_err(|_| StatusCode::BAD_REQUEST)?;
        match self.client.oneshot(request).await {
            Ok(reply) if reply.status().is_success() => Ok(reply.into_body()),
            _ => Err(StatusCode::BAD_GATEWAY),
        }
    }
}
