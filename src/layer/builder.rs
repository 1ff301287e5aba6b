use std::sync::Arc;
use std::time::Duration;

use http::header::COOKIE;
use http::request::Parts;
use http::{Extensions, HeaderName};

use crate::byte_size::ByteSize;
use crate::cache::{DecisionCache, Settings};
use crate::invalid_setting::InvalidSetting;
use crate::layer::ZookieLayer;
use crate::layer::credentials::{Credential, Credentials, Identity};
use crate::layer::handle::Handle;
use crate::layer::headers::{CONSISTENCY, Overrides};
use crate::layer::schema_ends::SchemaEnds;
use crate::layer::seen::Seen;
use crate::layer::state::{LayerSettings, LayerState, OldTokens};
use crate::objects::{ObjectFloors, Objects};
use crate::protocol::permify::{self, Permify};
use crate::protocol::spicedb::{Engine, SpiceDb};
use crate::protocol::{Protocol, StoredResponse};
use crate::token::{Carriers, Signing, TokenMemo};
use crate::warnings::Warnings;

const DEFAULT_BODY: ByteSize = ByteSize::mebi(4);
const LONGEST_TOKEN: ByteSize = ByteSize::kibi(16);
const LARGEST_MEMO: ByteSize = ByteSize::mebi(1024);
const LONGEST_READ: Duration = Duration::from_secs(24 * 60 * 60);

/// Builds a [`ZookieLayer`]. Each method says its default and its limits; [`build`](Self::build) checks them.
///
/// ```
/// use std::time::Duration;
/// use tower_zookie::consistency::Staleness;
/// use tower_zookie::protocol::AuthZen;
/// use tower_zookie::token::InferaDb;
/// use tower_zookie::{ByteSize, ZookieLayer};
///
/// # fn main() -> Result<(), tower_zookie::InvalidSetting> {
/// let builder = ZookieLayer::builder(AuthZen::new(InferaDb::new("example")))
///     .cache(|cache| cache.window(Duration::from_secs(2), Staleness::percent(20)).capacity(ByteSize::mebi(256)))
///     .max_request_body(ByteSize::kibi(64))
///     .require_token(true);
/// let layer = builder.build()?;
/// # let _ = layer;
///
/// let too_long = ZookieLayer::builder(AuthZen::new(InferaDb::new("example"))).max_token_len(ByteSize::mebi(1));
/// let error = too_long.build().unwrap_err();
/// assert_eq!(error.setting(), "max_token_len");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct ZookieLayerBuilder<P> {
    protocol: P,
    cache: Settings,
    carriers: Carriers,
    credentials: Credentials,
    key_headers: Vec<HeaderName>,
    layer: LayerSettings,
    max_token_len: ByteSize,
    token_memo: ByteSize,
    token_age: Option<Duration>,
    objects: Option<Objects>,
    signing: Option<Signing>,
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
                max_request_body: DEFAULT_BODY.as_len(),
                max_reply_body: DEFAULT_BODY.as_len(),
                read_timeout: Duration::from_secs(10),
                require_token: false,
                forward_bad_tokens: false,
                mix_revisions: false,
                old_tokens: OldTokens::default(),
            },
            max_token_len: ByteSize::kibi(4),
            token_memo: ByteSize::mebi(16),
            token_age: None,
            objects: None,
            signing: None,
        }
    }

    /// Changes the settings of the cache: the window and so the greatest age of an answer, the capacity, times to live,
    /// flights, probes. What an earlier call has set stays, unless `change` sets it again.
    ///
    /// By default [`Settings::default()`]. The methods of [`Settings`] say each default and its limits.
    ///
    /// ```
    /// # use tower_zookie::{ByteSize, ZookieLayer, protocol::spicedb::{Engine, SpiceDb}};
    /// # use tower_zookie::consistency::Staleness;
    /// # use std::time::Duration;
    /// let layer = ZookieLayer::builder(SpiceDb::new(Engine::Postgres))
    ///     .cache(|cache| cache.window(Duration::from_secs(2), Staleness::percent(20)).capacity(ByteSize::mebi(256)))
    ///     .build()?;
    /// # let _ = layer;
    /// # Ok::<(), tower_zookie::InvalidSetting>(())
    /// ```
    pub fn cache(mut self, change: impl FnOnce(Settings) -> Settings) -> Self {
        self.cache = change(self.cache);
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

    /// Who the caller is, instead of the headers `instead_of`: what an authenticating layer outside has verified. So callers
    /// whose JWT is issued anew keep their answers. By default there is no such identity.
    ///
    /// It takes the place of `Authorization`, `Proxy-Authorization`, `Cookie` (all cookies), or of one of the
    /// [`credential_headers`](Self::credential_headers), as `instead_of` says. All other credentials still distinguish
    /// callers. **A request in which the extractor finds nothing, or only empty bytes, shares with no identity**: its
    /// credentials are in the key, as without this setting.
    ///
    /// Callers with the same identity share answers, so it has to say everything that the answer depends on: with a claim
    /// such as a tenant or a scope, call [`identify`](Credential::identify) for each of them. The caps for one credential
    /// count identities. Whoever can state an identity gets its answers from memory, without a call to the service that
    /// might have rejected the credential: take it only from a layer outside that has verified it, or from a header that a
    /// proxy in front sets and removes from what callers send. If the credential ends, say so by
    /// [`ends_at`](Credential::ends_at): an answer ends with the credential under which it was given, also for others.
    ///
    /// ```
    /// # use tower_zookie::{ZookieLayer, protocol::AuthZen, token::InferaDb};
    /// use http::header::AUTHORIZATION;
    ///
    /// /// What the layer outside has verified.
    /// #[derive(Clone)]
    /// struct Claims {
    ///     tenant: String,
    ///     subject: String,
    /// }
    /// # fn builder() -> tower_zookie::ZookieLayerBuilder<AuthZen> {
    /// # ZookieLayer::builder(AuthZen::new(InferaDb::new("example")))
    /// .identity_instead_of([AUTHORIZATION], |request, identity| {
    ///     if let Some(Claims { tenant, subject }) = request.extensions.get() {
    ///         identity.identify(tenant.as_bytes());
    ///         identity.identify(subject.as_bytes());
    ///     }
    /// })
    /// # }
    /// ```
    pub fn identity_instead_of(
        mut self,
        instead_of: impl IntoIterator<Item = HeaderName>,
        extractor: impl Fn(&Parts, &mut Credential<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.credentials.identity = Some(Identity {
            instead_of: instead_of.into_iter().collect(),
            extractor: Arc::new(extractor),
        });
        self
    }

    /// Callers share answers: the answer depends on the question alone, whoever asks. `Authorization`, `Proxy-Authorization`
    /// and the cookies are then not in the key.
    ///
    /// **Authentication must happen outside the layer**: a caller with a wrong credential, or without any, gets answers from
    /// memory. What the service behind the layer says of a credential is never stored, and is for its caller only. The caps
    /// for one credential still count each credential for itself.
    ///
    /// Off by default. It contradicts [`credential_headers`](Self::credential_headers), [`credentials`](Self::credentials)
    /// and [`identity_instead_of`](Self::identity_instead_of); [`key_headers`](Self::key_headers) stay in the key.
    pub fn callers_share(mut self, share: bool) -> Self {
        self.credentials.callers_share = share;
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
    /// By default a token may have any age. The age may not be less than [`Settings::age_bound`].
    pub fn oldest_token(mut self, age: Duration, older: OldTokens) -> Self {
        self.token_age = Some(age);
        self.layer.old_tokens = older;
        self
    }

    /// Remembers tokens per object, so that callers without tokens read what was written: see [`objects`](crate::objects).
    ///
    /// By default nothing is remembered.
    pub fn objects(mut self, objects: Objects) -> Self {
        self.objects = Some(objects);
        self
    }

    /// Signs the tokens in the headers and cookies of replies, and verifies those of requests, so that replicas with the same
    /// key trust each other's: a token with a right signature counts as named, and needs no head read and no probe. See
    /// `docs/tokens.md`.
    ///
    /// Only tokens that the store named are signed. Those in messages are the service's own and stay as they are. Requests with
    /// unsigned tokens are accepted as without this setting. What goes to the service has no signature: it is taken off tokens
    /// in headers, cookies, queries and in messages that the protocol reads. Another layer before the same store has to have
    /// the key too, because it can't read signed tokens without.
    ///
    /// By default nothing is signed, and a signed token is rejected.
    pub fn signing(mut self, signing: Signing) -> Self {
        self.signing = Some(signing);
        self
    }

    /// The largest request body that is read. A larger one is forwarded unread.
    ///
    /// By default 4 MiB, as gRPC's own limit. At least 1 byte.
    pub fn max_request_body(mut self, size: ByteSize) -> Self {
        self.layer.max_request_body = size.as_len();
        self
    }

    /// The largest reply body that is stored. A larger one streams to its caller.
    ///
    /// By default 4 MiB. At least 1 byte.
    pub fn max_reply_body(mut self, size: ByteSize) -> Self {
        self.layer.max_reply_body = size.as_len();
        self
    }

    /// How long a request's body may take to arrive.
    ///
    /// By default 10 s. More than 0, at most one day.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.layer.read_timeout = timeout;
        self
    }

    /// The longest token that is read.
    ///
    /// By default 4 KiB. From 1 byte to 16 KiB.
    pub fn max_token_len(mut self, len: ByteSize) -> Self {
        self.max_token_len = len;
        self
    }

    /// How much memory the parsed tokens that the layer remembers may take. It is shared out among the threads that can run
    /// at once.
    ///
    /// By default 16 MiB. At most 1 GiB; with 0 bytes every token is parsed each time.
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
        let objects = self.validate_objects()?;
        Ok(self.assemble_with(objects))
    }

    fn validate_objects(&self) -> Result<Option<ObjectFloors>, InvalidSetting> {
        let Some(objects) = &self.objects else { return Ok(None) };
        if !self.protocol.has_objects() {
            let problem = "is set, but the protocol does not tell which objects its checks concern, so each would be fully \
                           consistent; declare where the objects stand, or leave `objects` out";
            return Err(InvalidSetting::new("objects", problem));
        }
        let valid = objects.validate(self.cache.age_bound(), self.protocol.store_staleness())?;
        Ok(Some(ObjectFloors::new(objects.clone(), valid, self.protocol.format())))
    }

    fn validate(&self) -> Result<(), InvalidSetting> {
        let Self {
            protocol,
            cache,
            carriers,
            layer,
            max_token_len,
            token_memo,
            token_age,
            signing,
            ..
        } = self;
        if !protocol.has_checks() {
            let problem =
                "has no check route, so nothing would be answered from the cache; declare one, with `.check(…)`";
            return Err(InvalidSetting::new("protocol", problem));
        }
        protocol.format().validate()?;
        cache.validate()?;
        carriers.validate()?;
        if let Some(signing) = signing {
            signing.validate()?;
        }
        self.credentials.validate()?;
        self.validate_headers()?;
        if let Some(age) = token_age.filter(|age| *age < cache.age_bound()) {
            let bound = cache.age_bound();
            let problem = format!(
                "has an age of {age:?}, less than {bound:?}, the greatest age of an answer; choose {bound:?} or more, or a shorter window"
            );
            return Err(InvalidSetting::new("oldest_token", problem));
        }
        let no_body = "is 0 bytes, so nothing could be answered from the cache; set it to 1 byte or more";
        for (setting, is_valid, problem) in [
            ("max_request_body", layer.max_request_body > 0, no_body),
            ("max_reply_body", layer.max_reply_body > 0, no_body),
            (
                "read_timeout",
                !layer.read_timeout.is_zero() && layer.read_timeout <= LONGEST_READ,
                "is 0 or longer than one day; choose a duration in between",
            ),
            (
                "max_token_len",
                (ByteSize::bytes(1)..=LONGEST_TOKEN).contains(max_token_len),
                "is not between 1 byte and 16 KiB; choose a length in between",
            ),
            (
                "token_memo",
                *token_memo <= LARGEST_MEMO,
                "is more than 1 GiB; choose a smaller size",
            ),
        ] {
            if !is_valid {
                return Err(InvalidSetting::new(setting, problem));
            }
        }
        Ok(())
    }

    /// A header of the key in which zookies travel would give each token answers of its own.
    fn validate_headers(&self) -> Result<(), InvalidSetting> {
        for (setting, names) in [
            ("credential_headers", &self.credentials.headers),
            ("key_headers", &self.key_headers),
        ] {
            for name in names {
                let why = match name {
                    _ if *name == COOKIE => "whose cookies are in the key anyway, except the zookie's",
                    _ if *name == CONSISTENCY => "which says how fresh an answer must be",
                    _ if self.carriers.is_header_carrier(name) => "in which zookies travel",
                    _ => continue,
                };
                let problem = format!(
                    "names the header `{name}`, {why}; leave it out, so that requests with other tokens share answers"
                );
                return Err(InvalidSetting::new(setting, problem));
            }
        }
        Ok(())
    }

    /// The layer, of settings that are known to make sense.
    fn assemble(self) -> ZookieLayer<P> {
        self.assemble_with(None)
    }

    fn assemble_with(self, objects: Option<ObjectFloors>) -> ZookieLayer<P> {
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
            objects: _,
            signing,
        } = self;
        let cache = Settings { token_age, ..cache };
        let protocol = Arc::new(protocol);
        let restating = (Arc::clone(&protocol), protocol.format());
        let cache = DecisionCache::valid(
            cache,
            protocol.capabilities(),
            move |stored: &StoredResponse, revision| {
                let (protocol, format) = &restating;
                protocol.restate(stored.route?, stored, &format.encode(revision)?)
            },
        );
        let memo = TokenMemo::new(protocol.format(), max_token_len.as_len(), token_memo.as_len()).with_signing(signing);
        let state = LayerState {
            protocol,
            key_prefix: cache.keyer().question("http"),
            schema_ends: SchemaEnds::new(cache.clone()),
            warnings: Warnings::default(),
            seen: Seen::default(),
            objects: objects.map(Arc::new),
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
