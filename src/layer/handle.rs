use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;

use crate::cache::Stats;
use crate::changes::{ChangeFeed, Notice};
use crate::layer::explanation::Explanation;
use crate::layer::state::LayerState;
use crate::protocol::Protocol;
use crate::token::Zookie;

/// A running layer, seen from outside: what it has done, what it knows of the store, and how to empty it.
///
/// Clones, and the layer's own clones, share everything.
///
/// ```
/// use tower_zookie::ZookieLayer;
/// use tower_zookie::protocol::spicedb::Engine;
///
/// let layer = ZookieLayer::spicedb(Engine::Postgres);
/// let handle = layer.handle();
/// let stats = handle.stats();
/// println!("{} hits, {} misses", stats.hits, stats.misses.total());
/// handle.purge(); // after a restore from a backup
/// ```
#[derive(Debug)]
pub struct Handle<P>(pub(super) Arc<LayerState<P>>);

impl<P> Clone for Handle<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Protocol> Handle<P> {
    /// What the layer has done since it was built.
    pub fn stats(&self) -> Stats {
        let warnings = self.0.warnings.counts();
        Stats {
            warnings,
            objects: self.0.objects.as_ref().map(|objects| objects.stats()),
            ..self.0.cache.stats()
        }
    }

    /// Gives a warning of a program around the layer, which so has the same place in [`Stats::warnings`] and the same rhythm as
    /// the layer's own: it is counted under `name` each time, and `log` runs at most once a minute.
    ///
    /// ```
    /// # use tower_zookie::ZookieLayer;
    /// # use tower_zookie::protocol::spicedb::Engine;
    /// # let handle = ZookieLayer::spicedb(Engine::Postgres).handle();
    /// handle.warn("old_certificate", || eprintln!("the certificate ends tomorrow; replace the file of `--cert`"));
    /// assert_eq!(handle.stats().warnings["old_certificate"], 1);
    /// ```
    pub fn warn(&self, name: &'static str, log: impl FnOnce()) {
        self.0.warnings.give(name, log);
    }

    /// Says what the layer would do with a request, and why. Nothing is asked, counted or noted.
    ///
    /// What is stored for a caller shows only with this caller's own credentials, because they are part of the key.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use http::Request;
    /// # use tower_zookie::ZookieLayer;
    /// # use tower_zookie::protocol::spicedb::Engine;
    /// # let handle = ZookieLayer::spicedb(Engine::Postgres).handle();
    /// let request = Request::post("/v1/permissions/checks").body(Bytes::new()).unwrap();
    /// let explanation = handle.explain(&request);
    /// assert_eq!(explanation.operation, None);
    /// assert_eq!(explanation.would, "pass untouched: it matches no route");
    /// ```
    pub fn explain(&self, request: &Request<Bytes>) -> Explanation {
        self.0.explain(request)
    }

    /// Names the warnings that a program may give with [`warn`](Self::warn), so that each is counted, with 0, from the start.
    pub fn expect_warnings(&self, names: &[&'static str]) {
        self.0.warnings.expect(names);
    }

    /// Follows a change feed of the store behind the layer, so that answers stay true until a change concerns them. Goes on
    /// until it is dropped: see [`DecisionCache::follow`](crate::cache::DecisionCache::follow).
    ///
    /// What is wrong is logged, and counted in [`Stats::warnings`]: `feed_ended`, `feed_lost`, `feed_schema`, `foreign_feed`.
    pub async fn follow<F: ChangeFeed>(&self, feed: F) -> Infallible {
        let notify = |notice: Notice| self.0.warnings.give(notice.warning().name(), || notice.log());
        self.0.cache.follow_and_notify(feed, &notify).await
    }

    /// Drops every answer and everything known about the store, as after a restore from a backup.
    pub fn purge(&self) {
        self.0.cache.purge();
    }

    /// Switches the cache off, or on again, without a restart.
    ///
    /// While it is off (pass-through is on), no answer comes from memory and none is stored. Every request that the protocol
    /// recognises is forwarded with its requirement stated, a reply below the request's tokens is an error, and requests that
    /// the layer would reject are still rejected. Writes and change feeds still teach what is known about the store.
    ///
    /// Either way the stored answers are dropped, so nothing from before the switch is served after it. What is known about
    /// the store stays. If the store was restored in the meantime, call [`purge`](Self::purge) too.
    pub fn set_pass_through(&self, on: bool) {
        self.0.cache.set_pass_through(on);
    }

    /// Whether every request is forwarded now: see [`set_pass_through`](Self::set_pass_through).
    pub fn is_pass_through(&self) -> bool {
        self.0.cache.passes_through()
    }

    /// The newest revision that the store itself named, as a token, if there is a single newest.
    pub fn newest_revision(&self) -> Option<Zookie> {
        let revision = self.0.cache.newest_revision()?;
        self.0.memo.format().encode(&revision)
    }
}
