//! The layer before this service: which paths are checks and writes, and what the store can do.

use std::time::Duration;

use tower_zookie::ZookieLayer;
use tower_zookie::cache::{self, Capabilities, ReadMode};
use tower_zookie::changes::Question;
use tower_zookie::consistency::Staleness;
use tower_zookie::protocol::{AuthZen, CheckRoute, ObjectAt, Routes, TextAt, Verdict, WriteRoute};
use tower_zookie::token::{InferaDb, Signing};

use crate::AnyError;
use crate::backend::Backend;
use crate::service::Zookies;
use crate::service::ids::stored;

/// The limits of a time to live.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The two APIs of the service.
pub type Api = (AuthZen, Routes);

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub window: Duration,
    pub staleness: Staleness,
}

impl Settings {
    /// Nothing here changes with the clock, so that the window alone ends an answer.
    fn of_cache(&self, cache: cache::Settings) -> cache::Settings {
        let twice = self.window.saturating_mul(2);
        cache
            .window(self.window, self.staleness)
            .time_to_live(twice.clamp(SHORTEST, LONGEST))
    }

    /// The age that no answer of the layer exceeds.
    pub fn bound(&self) -> Duration {
        self.of_cache(cache::Settings::default()).age_bound()
    }
}

/// The layer before a store that no other process writes to.
pub fn build(settings: Settings) -> Result<ZookieLayer<Api>, AnyError> {
    before(settings, capabilities(), InferaDb::new("gateway"), None)
}

/// The layer before this store or node.
pub fn build_for(backend: &Backend, settings: Settings, zookies: &Zookies) -> Result<ZookieLayer<Api>, AnyError> {
    let capabilities = match backend {
        Backend::Store(_) => capabilities(),
        // A write here does not include what was acknowledged elsewhere and has not arrived.
        Backend::Node(_) => capabilities().writes_include_earlier(false),
    };
    let tokens = backend.tokens().compact(zookies.compact);
    before(settings, capabilities, tokens, zookies.signing.clone())
}

/// With a token this service answers at its store's current revision, never at just the token's.
fn capabilities() -> Capabilities {
    Capabilities::versioned().read_mode(ReadMode::Current)
}

fn before(
    settings: Settings,
    capabilities: Capabilities,
    tokens: InferaDb,
    signing: Option<Signing>,
) -> Result<ZookieLayer<Api>, AnyError> {
    let check = CheckRoute::get("/check")
        .asks(
            ObjectAt::query("resource"),
            TextAt::query("permission"),
            ObjectAt::query("subject"),
        )
        .verdict(Verdict::json("allowed"))
        .reply_token("zookie");
    let routes = Routes::builder(tokens.clone())
        .check(check)
        .write(WriteRoute::post("/relationships"))
        .capabilities(capabilities)
        .build()?;
    let authzen = AuthZen::new(tokens).capabilities(capabilities).asks(as_stored);
    let layer = ZookieLayer::builder((authzen, routes)).cache(|cache| settings.of_cache(cache));
    let layer = match signing {
        Some(signing) => layer.signing(signing),
        None => layer,
    };
    Ok(layer.build()?)
}

/// Follows the change feed until the runtime ends, so that answers stay true until a change concerns them.
pub fn follow(layer: &ZookieLayer<Api>, backend: impl Into<Backend>) {
    let (handle, feed) = (layer.handle(), backend.into().feed());
    tokio::spawn(async move { handle.follow(feed).await });
}

/// The feed has the ids that the store has.
fn as_stored(mut question: Question) -> Option<Question> {
    for object in [&mut question.resource, &mut question.subject.object] {
        object.id = stored(&object.id).into();
    }
    Some(question)
}
