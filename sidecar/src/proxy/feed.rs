//! The change feeds that the layer follows.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use tower::ServiceExt;
use tower_zookie::Handle;
use tower_zookie::changes::ChangeFeed as _;
use tower_zookie::protocol::{FeedWire, Protocol};

use super::origin::Origin;
use super::speaks::Speaks;
use super::upstream::{Forward, RequestBody};

/// Whose changes are followed.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    /// An empty name is that of a system without tenants.
    pub tenants: Vec<String>,
    /// The `authorization` of the feed's calls.
    pub authorization: Option<HeaderValue>,
}

#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) layer: Handle<Arc<dyn Protocol>>,
    pub(super) upstream: Forward,
    pub(super) origin: Origin,
    pub(super) speaks: Speaks,
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
            speaks,
            tenant,
            authorization,
        } = self;
        // A protocol knows paths alone, and not the upstream's address.
        let service = upstream.map_request(move |mut request: Request<RequestBody>| {
            *request.uri_mut() = origin.uri(request.uri()).unwrap_or_default();
            request
        });
        let feed = match layer.feed(service) {
            Ok(feed) => feed.tenant(tenant.clone()).wire(wire(speaks)),
            Err(error) => return tracing::warn!(%error, "no change feed is followed"),
        };
        let feed = match authorization {
            Some(authorization) => feed.header(AUTHORIZATION, authorization),
            None => feed,
        };
        match feed.is_complete() {
            true => tracing::info!("the change feed is followed: an answer stays true until a change concerns it"),
            false => tracing::info!(
                tenant,
                "the change feed is followed, and by this --system and --engine it is not complete: it names revisions and \
                 ends answers, but no answer stays true for longer"
            ),
        }
        match layer.follow(feed).await {}
    }
}

fn wire(speaks: Speaks) -> FeedWire {
    match speaks {
        Speaks::Grpc => FeedWire::Grpc,
        Speaks::Http => FeedWire::Http,
    }
}
