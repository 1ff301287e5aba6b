use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderName};

use crate::cache::{ByteSize, DecisionCache, InvalidSetting, Settings};
use crate::consistency::{Staleness, Window};
use crate::layer::ZookieLayer;
use crate::layer::credentials::{Credential, Credentials};
use crate::layer::handle::Handle;
use crate::layer::headers::Overrides;
use crate::layer::schema_ends::SchemaEnds;
use crate::layer::state::{LayerSettings, LayerState, OldTokens};
use crate::protocol::Protocol;
use crate::protocol::permify::{self, Permify};
use crate::protocol::spicedb::{Engine, SpiceDb};
use crate::token::{Carriers, TokenMemo};

const LONGEST_TOKEN: usize = 16 << 10;

/// Builds a [`ZookieLayer`]. Each method says its default and its limits; [`build`](Self::build) checks them.
#[derive(Debug)]
#[must_use]
pub struct ZookieLayerBuilder<P> {
    protocol: P,
    cache: Settings,
    carriers: Carriers,
    credentials: Credentials,
    key_headers: Vec<HeaderName>,
    layer: LayerSettings,
    max_token_len: usize,
    token_memo: ByteSize,
    token_age: Option<Duration>,
}

impl<P: Protocol> ZookieLayer<P> {
    /// A layer before a store that speaks this API; `(A, B)` for one that speaks two.
    pub fn builder(protocol: P) -> ZookieLayerBuilder<P> {
        ZookieLayerBuilder::new(protocol)
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

impl<P: Protocol> ZookieLayerBuilder<P> {
    fn new(protocol: P) -> Self {
        Self {
            protocol,
            cache: Settings::default(),
            carriers: Carriers::default(),
            credentials: Credentials::default(),
            key_headers: Vec::new(),
            layer: LayerSettings {
                max_request_body: 4 << 20,
                max_reply_body: 4 << 20,
                read_timeout: Duration::from_secs(10),
                require_token: false,
                forward_bad_tokens: false,
                mix_revisions: false,
                old_tokens: OldTokens::default(),
            },
            max_token_len: 4 << 10,
            token_memo: ByteSize::mebi(16),
            token_age: None,
        }
    }

    /// The quantization interval and by how much an answer may outlive it: see [`Window`].
    ///
    /// By default 5 s and 10 %, so no answer is older than 5.5 s. Where between 5 s and 5.5 s an answer ends is jittered by
    /// question. The interval is from 1 ms to one day; a staleness over 100 % counts as 100 %.
    pub fn window(mut self, interval: Duration, staleness: Staleness) -> Self {
        self.cache = self.cache.window(Window::new(interval, staleness));
        self
    }

    /// How many bytes all entries may take.
    ///
    /// By default 64 MiB, keys and bookkeeping included; one eighth is for exact answers. At least 64 KiB.
    pub fn capacity(mut self, capacity: ByteSize) -> Self {
        self.cache = self.cache.capacity(capacity);
        self
    }

    /// All settings of the cache at once: times to live, flights, probes. Replaces `window` and `capacity` too.
    ///
    /// By default [`Settings::default()`].
    pub fn cache(mut self, settings: Settings) -> Self {
        self.cache = settings;
        self
    }

    /// Where zookies travel.
    ///
    /// By default the header (and gRPC metadata) `zookie`, the cookie `zookie`, and the query parameters `zookie` and `token`. At
    /// most 8 tokens of a request are read.
    pub fn carriers(mut self, carriers: Carriers) -> Self {
        self.carriers = carriers;
        self
    }

    /// More headers that distinguish callers, beside `Authorization`, `Proxy-Authorization` and the cookies.
    ///
    /// By default no more headers.
    pub fn credential_headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.credentials.headers.extend(headers);
        self
    }

    /// More headers that the answer depends on: requests with other values share no answers. By default no more headers.
    ///
    /// `X-Original-URL`, `X-Rewrite-URL`, `X-HTTP-Method-Override`, `X-HTTP-Method` and `X-Method-Override` make some
    /// servers take a request for another one than the layer has read. A request with one of them is forwarded unmodified, and
    /// its answer is not stored, unless the header is named here or by [`credential_headers`](Self::credential_headers).
    /// Name it only if the service ignores it, or does not take it for another path or method.
    pub fn key_headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.key_headers.extend(headers);
        self
    }

    /// Finds the caller in the request's extensions: a TLS peer, or what an authenticating layer outside has left there. By
    /// default the layer does not look at the extensions.
    ///
    /// ```
    /// # use tower_zookie::{ZookieLayer, protocol::AuthZen, token::InferaDb};
    /// struct Peer(String);
    /// # fn builder() -> tower_zookie::ZookieLayerBuilder<AuthZen> {
    /// # ZookieLayer::builder(AuthZen::new(InferaDb::new("example")))
    /// .credentials(|extensions, credential| {
    ///     if let Some(Peer(name)) = extensions.get() {
    ///         credential.identify(name.as_bytes());
    ///     }
    /// })
    /// # }
    /// ```
    pub fn credentials(mut self, extractor: impl Fn(&Extensions, &mut Credential<'_>) + Send + Sync + 'static) -> Self {
        self.credentials.extractor = Some(Arc::new(extractor));
        self
    }

    /// Rejects checks without a token, unless they are fully consistent: a token that was stripped on the way must not
    /// silently lower the freshness. A message that can't be read here, such as one over
    /// [`max_request_body`](Self::max_request_body), counts as one without a token.
    ///
    /// Off by default.
    pub fn require_token(mut self, require: bool) -> Self {
        self.layer.require_token = require;
        self
    }

    /// Forwards requests with a token that can't be read, for the upstream to judge, instead of rejecting them. Their
    /// replies are not stored.
    ///
    /// Off by default: the layer rejects such requests.
    pub fn forward_bad_tokens(mut self, forward: bool) -> Self {
        self.layer.forward_bad_tokens = forward;
        self
    }

    /// Lets a bulk's reply mix answers of several revisions, for users who treat the items independently.
    ///
    /// Off by default: a bulk's reply is one snapshot. If a reply mixes revisions, its `Cache-Status` says so.
    pub fn mix_revisions(mut self, mix: bool) -> Self {
        self.layer.mix_revisions = mix;
        self
    }

    /// The greatest age of a token that the store is asked at, and what becomes of an older one. For stores whose garbage
    /// collection makes old snapshots answer wrong instead of failing, as Permify's does: choose less than its window.
    ///
    /// A token does not say how old it is. It is known to be too old once a revision that covers it was named longer ago
    /// than this: not at once when the process starts.
    ///
    /// By default a token may have any age. The age may not be less than the age bound of [`window`](Self::window).
    pub fn oldest_token(mut self, age: Duration, older: OldTokens) -> Self {
        self.token_age = Some(age);
        self.layer.old_tokens = older;
        self
    }

    /// The largest request body that is read, in bytes. A larger one is forwarded unread.
    ///
    /// By default 4 MiB, as gRPC's own limit. At least 1.
    pub fn max_request_body(mut self, bytes: usize) -> Self {
        self.layer.max_request_body = bytes;
        self
    }

    /// The largest reply body that is stored, in bytes. A larger one streams to its caller.
    ///
    /// By default 4 MiB. At least 1.
    pub fn max_reply_body(mut self, bytes: usize) -> Self {
        self.layer.max_reply_body = bytes;
        self
    }

    /// How long a request's body may take to arrive.
    ///
    /// By default 10 s. More than 0.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.layer.read_timeout = timeout;
        self
    }

    /// The longest token that is read, in bytes.
    ///
    /// By default 4 KiB. From 1 byte to 16 KiB.
    pub fn max_token_len(mut self, bytes: usize) -> Self {
        self.max_token_len = bytes;
        self
    }

    /// How many bytes the memory of parsed tokens may take. It is shared out among the threads that can run at once.
    ///
    /// By default 16 MiB.
    pub fn token_memo(mut self, size: ByteSize) -> Self {
        self.token_memo = size;
        self
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] names the setting that makes no sense.
    pub fn build(self) -> Result<ZookieLayer<P>, InvalidSetting> {
        self.validate()?;
        Ok(self.assemble())
    }

    fn validate(&self) -> Result<(), InvalidSetting> {
        let Self {
            cache,
            layer,
            max_token_len,
            token_age,
            ..
        } = self;
        for (setting, bytes) in [
            ("max_request_body", layer.max_request_body),
            ("max_reply_body", layer.max_reply_body),
        ] {
            if bytes == 0 {
                return Err(InvalidSetting::new(
                    setting,
                    "is 0: nothing could be answered from the cache",
                ));
            }
        }
        if layer.read_timeout.is_zero() {
            return Err(InvalidSetting::new("read_timeout", "is 0: no body arrives that fast"));
        }
        if token_age.is_some_and(|age| age < cache.window.bound()) {
            return Err(InvalidSetting::new(
                "oldest_token",
                "is less than an answer's greatest age",
            ));
        }
        if *max_token_len == 0 || *max_token_len > LONGEST_TOKEN {
            return Err(InvalidSetting::new("max_token_len", "is not between 1 byte and 16 KiB"));
        }
        cache.validate()
    }

    /// The layer, of settings that are known to make sense.
    fn assemble(self) -> ZookieLayer<P> {
        let Self {
            protocol,
            cache,
            carriers,
            credentials,
            key_headers,
            layer,
            max_token_len,
            token_memo,
            token_age,
        } = self;
        let cache = Settings { token_age, ..cache };
        let cache = DecisionCache::valid(cache, protocol.capabilities());
        let memo = TokenMemo::new(protocol.format(), max_token_len, token_memo.get());
        let state = LayerState {
            protocol,
            key_prefix: cache.keyer().question("http"),
            schema_ends: SchemaEnds::new(cache.clone()),
            cache,
            memo,
            carriers,
            overrides: Overrides::all_but(|name| key_headers.contains(name) || credentials.headers.contains(name)),
            credentials,
            key_headers,
            settings: layer,
        };
        ZookieLayer {
            handle: Handle(Arc::new(state)),
        }
    }
}
