//! The other caches that one can put around a tower service, each set up as its own documentation says for keeping the
//! replies of a GET in memory.
//!
//! They do not know tokens. They store replies by URI and for a time: a stored reply, or one that others wait for, goes
//! to every caller, whatever revision that caller's token demands. The caller is not in their keys either: a reply to
//! one credential is also served to the others. Those with a configurable key can use token and credential as the key,
//! and then share nothing between tokens.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http_cache::{MokaCache, MokaManager};
use http_cache_tower::{HttpCacheLayer, HttpCacheService};
use http_cache_tower_server::{QueryKeyer, ServerCacheLayer, ServerCacheService};
use tower::{Layer, Service};
use tower_http_cache::backend::memory::InMemoryBackend;
use tower_http_cache::layer::{CacheLayer, CacheService};

/// The `Cache-Control` of the inner service's replies: longer than any bench takes, and `public`, because otherwise two
/// of these caches rightly store nothing for a request with `Authorization`.
pub const CACHE_CONTROL: &str = "public, max-age=3600";
/// The same for those that have a setting for it.
const LIFESPAN: Duration = Duration::from_secs(3600);
/// In replies: more than any bench asks for.
const CAPACITY: u64 = 1_000_000;

/// `http-cache-tower`: the cache of an HTTP client, by the rules of RFC 9111.
///
/// - Key: the method and the whole URI, which has to be absolute.
/// - Demands: freshness in the reply's headers, and the reply's permission to store it if the request had `Authorization`.
/// - Coalescing: none, every concurrent miss calls. A caller that gives up takes its upstream call along.
/// - A hit is deserialised from bytes and runs the whole of the HTTP rules.
pub fn http_cache_tower<S>(inner: S) -> HttpCacheService<S, MokaManager> {
    HttpCacheLayer::new(moka_manager()).layer(inner)
}

/// `http-cache-tower-server`: the same author's cache for a server's own replies.
///
/// - Key: the method and the URI. The default is the path alone, which would answer one check with another's reply, so
///   this is its keyer for requests with a query.
/// - Demands: as above. It stores the replies of every method whose headers allow it.
/// - Coalescing: none, and giving up is as above. A reply is stored by a task of its own, after it was returned.
pub fn http_cache_tower_server<S>(inner: S) -> ServerCacheService<S, MokaManager, QueryKeyer> {
    ServerCacheLayer::with_keyer(moka_manager(), QueryKeyer).layer(inner)
}

fn moka_manager() -> MokaManager {
    MokaManager::new(MokaCache::new(CAPACITY))
}

/// `tower-http-cache`: time to live, and protection from stampedes.
///
/// - Key: the path and the query. A custom key sees no more than the method and the URI, so a token in a header can't be
///   made part of it.
/// - Demands: reply bodies that are `Sync`, which axum's are not; a status that it stores, and no `no-store`, `no-cache` or `private`, in request or reply.
/// - Coalescing: whoever comes first has the key's lock, and the others wait for it. One that gives up takes its upstream
///   call along, and then all who waited call.
pub fn tower_http_cache<S>(inner: S) -> CacheService<S, InMemoryBackend> {
    CacheLayer::builder(InMemoryBackend::new(CAPACITY))
        .ttl(LIFESPAN)
        .build()
        .layer(inner)
}

/// `axum-response-cache`: time to live, around a route of axum.
///
/// - Key: the method and the URI, of *every* method: a repeated write would be answered from memory. It belongs around GET
///   routes only.
/// - Demands: a 2xx status. It looks at no header of either side.
/// - Coalescing: none. The inner service's `call` is made on hits too; its future is dropped unpolled then.
/// - One mutex around all entries, without a bound but time.
pub fn axum_response_cache<S>(
    inner: S,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static> + Clone + Send + Sync,
{
    axum_response_cache::CacheLayer::with_lifespan(LIFESPAN).layer(inner)
}
