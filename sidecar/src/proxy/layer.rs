//! The layer before the upstream.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::header::AUTHORIZATION;
use tower_zookie::consistency::Staleness;
use tower_zookie::objects::Objects;
use tower_zookie::protocol::Protocol;
use tower_zookie::token::Signing;
use tower_zookie::{ByteSize, InvalidSetting, OldTokens, ZookieLayer};

use super::system::System;

/// Which API the upstream speaks is known only when the sidecar starts.
pub type Layer = ZookieLayer<Arc<dyn Protocol>>;

/// What can be set of the layer.
#[derive(Clone, Debug)]
pub struct Settings {
    pub system: System,
    pub window: Duration,
    pub staleness: Staleness,
    pub time_to_live: Duration,
    pub feeds: ForCache,
    pub capacity: ByteSize,
    /// For requests and for replies.
    pub max_body: ByteSize,
    pub mix_revisions: bool,
    pub require_token: bool,
    pub callers: Callers,
    pub oldest_token: Option<(Duration, OldTokens)>,
    pub signing: Option<Signing>,
}

/// What can be set of the cache where a change feed is followed, or a head is read.
#[derive(Clone, Copy, Debug)]
pub struct ForCache {
    pub followed_time_to_live: Duration,
    pub structure: usize,
    pub change_memory: ByteSize,
    pub prove_at_head: bool,
}

/// Which callers share answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callers {
    /// Those with the same credential.
    ByCredential,
    /// All.
    Share,
    /// Those that a proxy in front names alike in this header.
    Named(HeaderName),
}

/// One layer for both of the system's APIs: they have one cache and one trust.
pub fn build(settings: &Settings, objects: Option<Objects>) -> Result<Layer, InvalidSetting> {
    let builder = ZookieLayer::builder(settings.system.protocol())
        .cache(|cache| {
            cache
                .window(settings.window, settings.staleness)
                .time_to_live(settings.time_to_live)
                .followed_time_to_live(settings.feeds.followed_time_to_live)
                .structure(settings.feeds.structure)
                .change_memory(settings.feeds.change_memory)
                .prove_at_head(settings.feeds.prove_at_head)
                .capacity(settings.capacity)
        })
        .max_request_body(settings.max_body)
        .max_reply_body(settings.max_body)
        .mix_revisions(settings.mix_revisions)
        .require_token(settings.require_token);
    let builder = match settings.callers.clone() {
        Callers::ByCredential => builder,
        Callers::Share => builder.callers_share(true),
        Callers::Named(name) => builder.identity_instead_of([AUTHORIZATION], move |request, identity| {
            let values = request.headers.get_all(&name).into_iter();
            values.for_each(|value| identity.identify(value.as_bytes()));
        }),
    };
    let builder = match objects {
        Some(objects) => builder.objects(objects),
        None => builder,
    };
    let builder = match settings.signing.clone() {
        Some(signing) => builder.signing(signing),
        None => builder,
    };
    match settings.oldest_token {
        Some((age, older)) => builder.oldest_token(age, older).build(),
        None => builder.build(),
    }
}
