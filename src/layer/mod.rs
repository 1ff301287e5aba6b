//! The tower layer.
//!
//! A request goes through these files in this order: `service` (is it ours, has its body arrived?), `decide` (what does it
//! ask, and is there an answer?), `wanted` (how fresh must it be?), `credentials` (who asks?); on a hit `reply`; on a
//! miss `miss` or `bulk`, `patient` as long as their caller is, which `ask` until the floor is covered, each time through
//! `forward`, and through `probe` where a protocol has one; what is never kept through `read`, what the cache has nothing to
//! do with through `around`, a background read through `refresh`, and writes through `write`, `outliving` their callers.

mod around;
mod ask;
mod asked;
mod body;
mod builder;
mod bulk;
mod cache_status;
mod credentials;
mod decide;
mod forward;
mod future;
mod handle;
mod headers;
mod keeping;
mod miss;
mod outliving;
mod patient;
mod probe;
mod read;
mod refresh;
mod reply;
mod service;
mod shared;
mod unknown;
mod wanted;
mod watch;
mod write;

use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use crate::protocol::Protocol;
use crate::protocol::permify::{self, Permify};
use crate::protocol::spicedb::{Engine, SpiceDb};

pub use asked::Asked;
pub use body::{Replay, RequestBody, ZookieBody};
pub use builder::ZookieLayerBuilder;
pub use credentials::Credential;
pub use future::ResponseFuture;
pub use handle::Handle;
pub use service::ZookieService;
pub use shared::OldTokens;
pub use watch::NoChangeFeed;

/// Puts a cache of decisions before an authorization service, or before a client of one.
///
/// Cloning a layer, and layering several services with it, shares one cache: one layer an upstream.
///
/// ```
/// use std::time::Duration;
/// use tower_zookie::cache::ByteSize;
/// use tower_zookie::consistency::Staleness;
/// use tower_zookie::protocol::AuthZen;
/// use tower_zookie::token::InferaDb;
/// use tower_zookie::ZookieLayer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = ZookieLayer::builder(AuthZen::new(InferaDb::new("example")))
///     .window(Duration::from_secs(5), Staleness::percent(10))
///     .capacity(ByteSize::mebi(256))
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
    /// A layer before a store that speaks this API; `(A, B)` for one that speaks two.
    pub fn builder(protocol: P) -> ZookieLayerBuilder<P> {
        ZookieLayerBuilder::new(protocol)
    }

    /// The layer seen from outside.
    pub fn handle(&self) -> Handle<P> {
        self.handle.clone()
    }
}

impl ZookieLayer<SpiceDb> {
    /// A layer before a SpiceDB on this datastore engine, with all defaults: before the channel of a generated client, or
    /// around a server.
    ///
    /// ```
    /// use tower::ServiceBuilder;
    /// use tower_zookie::ZookieLayer;
    /// use tower_zookie::protocol::spicedb::Engine;
    /// # fn wrap(channel: tonic::transport::Channel) -> impl Sized {
    ///
    /// let zookie = ZookieLayer::spicedb(Engine::Postgres);
    /// let channel = ServiceBuilder::new().layer(zookie).service(channel);
    /// // PermissionsServiceClient::new(channel)
    /// # channel
    /// # }
    /// ```
    pub fn spicedb(engine: Engine) -> Self {
        Self::builder(SpiceDb::new(engine)).assemble()
    }
}

impl ZookieLayer<Permify> {
    /// A layer before a Permify on this database engine, with all defaults: before the channel of a generated client, or
    /// before the server.
    ///
    /// ```
    /// use tower::ServiceBuilder;
    /// use tower_zookie::ZookieLayer;
    /// use tower_zookie::protocol::permify::Engine;
    /// # fn wrap(channel: tonic::transport::Channel) -> impl Sized {
    ///
    /// let zookie = ZookieLayer::permify(Engine::Postgres);
    /// let channel = ServiceBuilder::new().layer(zookie).service(channel);
    /// // PermissionClient::new(channel)
    /// # channel
    /// # }
    /// ```
    pub fn permify(engine: permify::Engine) -> Self {
        Self::builder(Permify::new(engine)).assemble()
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
