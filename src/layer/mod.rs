//! The tower layer.
//!
//! A request goes through these folders in this order, and imports go the same way:
//!
//! - `service` claims it and reads its body, and `future` takes each next step;
//! - `request` says what it is and what its answer must satisfy, and answers it from the cache or names the next step;
//! - `upstream` calls the inner service;
//! - `response` makes the reply.
//!
//! Below them are what they share: `pending` (a request under way and its requirement), `state` (what all clones of a layer
//! share), `headers`, `credentials`, `refused`, `body`, and `inner` (the bound on the inner service).

mod asked;
mod body;
mod builder;
mod changing;
mod credentials;
mod explanation;
mod feed;
mod future;
mod handle;
mod headers;
mod inner;
mod pending;
mod refused;
mod remembered;
mod request;
mod response;
mod schema_ends;
mod seen;
mod service;
mod signed;
mod state;
mod upstream;

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use crate::protocol::Protocol;

pub use asked::Asked;
pub use body::{Replay, RequestBody, ZookieBody};
pub use builder::ZookieLayerBuilder;
pub use credentials::Credential;
pub use explanation::{ExplainedQuestion, Explanation, KeyPart, StoredAnswer};
pub use feed::{ApiFeed, NoChangeFeed};
pub use future::ResponseFuture;
pub use handle::Handle;
pub use service::ZookieService;
pub use state::OldTokens;

/// Puts a cache of decisions before an authorization service, or before a client of one.
///
/// Cloning a layer, and layering several services with it, shares one cache: one layer an upstream.
///
/// ```
/// use std::time::Duration;
/// use tower_zookie::consistency::Staleness;
/// use tower_zookie::protocol::AuthZen;
/// use tower_zookie::token::InferaDb;
/// use tower_zookie::{ByteSize, ZookieLayer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = ZookieLayer::builder(AuthZen::new(InferaDb::new("example")))
///     .cache(|cache| cache.window(Duration::from_secs(5), Staleness::percent(10)).capacity(ByteSize::mebi(256)))
///     .build()?;
/// let handle = layer.handle();
/// # let _ = handle.stats();
/// # Ok(())
/// # }
/// ```
pub struct ZookieLayer<P> {
    handle: Handle<P>,
}

impl<P: Protocol> ZookieLayer<P> {
    /// The layer seen from outside.
    pub fn handle(&self) -> Handle<P> {
        self.handle.clone()
    }
}

impl<P> Clone for ZookieLayer<P> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
        }
    }
}

impl<P> fmt::Debug for ZookieLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZookieLayer").finish_non_exhaustive()
    }
}

impl<S, P> Layer<S> for ZookieLayer<P> {
    type Service = ZookieService<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        ZookieService::new(inner, Arc::clone(&self.handle.0))
    }
}
