//! The change feed of one tenant, from which the layer learns what others write.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use tower::ServiceExt;
use tower_zookie::Handle;
use tower_zookie::protocol::Protocol;

use super::origin::Origin;
use super::upstream::{Forward, RequestBody};

/// Whose changes are watched.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    pub tenants: Vec<String>,
    /// The `authorization` of the watch calls.
    pub authorization: Option<HeaderValue>,
}

#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) layer: Handle<Arc<dyn Protocol>>,
    pub(super) upstream: Forward,
    pub(super) origin: Origin,
    pub(super) tenant: String,
    pub(super) authorization: Option<HeaderValue>,
}

impl Feed {
    /// Goes on until it is dropped.
    pub(super) async fn follow(self) {
        let Self {
            layer,
            upstream,
            origin,
            tenant,
            authorization,
        } = self;
        // A protocol knows paths alone: neither the upstream's address nor credentials.
        let service = upstream.map_request(move |mut request: Request<RequestBody>| {
            *request.uri_mut() = origin.uri(request.uri()).unwrap_or_default();
            if let Some(authorization) = &authorization {
                request.headers_mut().insert(AUTHORIZATION, authorization.clone());
            }
            request
        });
        match layer.feed(service) {
            Ok(feed) => match layer.follow(feed.tenant(tenant)).await {},
            Err(error) => tracing::warn!(%error, "nothing is watched"),
        }
    }
}
