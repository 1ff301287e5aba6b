use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::{ConnectErrorKind, ConnectOptions};

use crate::invalid_setting::InvalidSetting;
use crate::objects::error::ObjectsError;
use crate::objects::nats::link::Link;
use crate::objects::nats::schedule::Schedule;
use crate::objects::nats::servers::Servers;
use crate::objects::nats::{NatsObjects, bucket, tls};

const LONGEST_BUCKET: usize = 200;
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60 * 60);
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
/// A connection that is dead is noticed after about two of these.
const PING_EVERY: Duration = Duration::from_secs(5);

/// Settings of a [`NatsObjects`].
#[derive(Clone)]
#[must_use]
pub struct NatsObjectsBuilder {
    url: String,
    bucket: String,
    create_bucket: bool,
    replicas: usize,
    credentials_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    timeout: Duration,
    connect_timeout: Duration,
    clean_every: Duration,
}

impl NatsObjectsBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            bucket: "zookie_objects".into(),
            create_bucket: true,
            replicas: 1,
            credentials_file: None,
            ca_file: None,
            timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(5),
            clean_every: Duration::from_secs(60),
        }
    }

    /// The name of the bucket: at most 200 letters, digits, `-` and `_`. Its stream has the name `KV_<bucket>`.
    ///
    /// By default `zookie_objects`. Deployments that share a NATS server and do not share an authorization system need
    /// different names.
    pub fn bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = bucket.into();
        self
    }

    /// Whether the bucket is created if it is not there. By default it is.
    pub fn create_bucket(mut self, create: bool) -> Self {
        self.create_bucket = create;
        self
    }

    /// On how many servers a bucket is kept that this creates: 1 to 5. A bucket that is there already stays as it is.
    ///
    /// By default 1. In a cluster of three or more servers choose 3, so that the loss of one server loses no record.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// A file with the user's JWT and seed (`.creds`), instead of credentials in the URL.
    pub fn credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.credentials_file = Some(path.into());
        self
    }

    /// A PEM file with the certificates that the servers' own certificates must come from, instead of those of the operating
    /// system. With it, TLS is required.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// How long one look-up or one update may take, with all its retries. The layer has limits of its own.
    ///
    /// By default 2 s. At least 10 ms, at most one hour.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long connecting to one server may take.
    ///
    /// By default 5 s. At least 10 ms, at most one hour.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How often records that have expired are removed, at most. It happens in the background, after an update.
    ///
    /// By default once a minute. At least 1 s, at most one day.
    pub fn clean_every(mut self, pause: Duration) -> Self {
        self.clean_every = pause;
        self
    }

    /// Connects, and opens or creates the bucket.
    ///
    /// # Errors
    ///
    /// A setting makes no sense, no server can be reached, or the bucket is set up so that records could be lost. The message
    /// names the setting, and has no credentials.
    pub async fn connect(self) -> Result<NatsObjects, ObjectsError> {
        let servers = self.validate().map_err(|invalid| {
            let what = format!("NATS: `{}` {}", invalid.setting(), invalid.problem());
            ObjectsError::new(what).with_source(invalid)
        })?;
        let client = self
            .options(&servers)
            .await?
            .connect(servers.addresses.clone())
            .await
            .map_err(|error| {
                let problem = match error.kind() {
                    ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                        "the server refuses the credentials; check those in `url`, or `credentials_file`"
                    }
                    ConnectErrorKind::Tls => "TLS failed; check `ca_file`",
                    ConnectErrorKind::Dns => "a host in `url` is not known",
                    _ => "no server can be reached; check `url`, and for TLS `ca_file`",
                };
                ObjectsError::new(format!("NATS: {problem}")).with_source(error)
            })?;
        let context = ContextBuilder::new().timeout(self.timeout).build(client);
        let info = bucket::open(&context, &self.bucket, self.create_bucket.then_some(self.replicas)).await?;
        let schedule = Schedule::new(self.clean_every, info.created.to_string());
        let link = Link::new(context, &self.bucket, self.timeout, schedule).await?;
        // Whether the user may write is seen now, and not at the first write.
        link.beat().await?;
        Ok(NatsObjects(Arc::new(link)))
    }

    fn validate(&self) -> Result<Servers, InvalidSetting> {
        let servers = Servers::parse(&self.url)?;
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=LONGEST_BUCKET).contains(&self.bucket.len()) || !self.bucket.bytes().all(is_name_byte) {
            let problem = "is no name of a bucket; choose 1 to 200 letters, digits, `-` and `_`";
            return Err(InvalidSetting::new("bucket", problem));
        }
        if !(1..=5).contains(&self.replicas) {
            return Err(InvalidSetting::new(
                "replicas",
                "is not 1 to 5, which is what NATS allows",
            ));
        }
        if servers.has_login() && self.credentials_file.is_some() {
            let problem = "is set beside credentials in `url`; leave one of them out";
            return Err(InvalidSetting::new("credentials_file", problem));
        }
        let shortest = Duration::from_millis(10);
        for (setting, duration) in [("timeout", self.timeout), ("connect_timeout", self.connect_timeout)] {
            if !(shortest..=LONGEST_TIMEOUT).contains(&duration) {
                let problem = "is shorter than 10 ms or longer than one hour; choose a duration in between";
                return Err(InvalidSetting::new(setting, problem));
            }
        }
        if !(Duration::from_secs(1)..=LONGEST_PAUSE).contains(&self.clean_every) {
            let problem = "is shorter than 1 s or longer than one day; choose a duration in between";
            return Err(InvalidSetting::new("clean_every", problem));
        }
        Ok(servers)
    }

    async fn options(&self, servers: &Servers) -> Result<ConnectOptions, ObjectsError> {
        let mut options = servers
            .log_in(ConnectOptions::new())
            .name("tower-zookie")
            .connection_timeout(self.connect_timeout)
            .request_timeout(Some(self.timeout))
            .ping_interval(PING_EVERY)
            .require_tls(servers.tls || self.ca_file.is_some())
            .tls_client_config(tls::config(self.ca_file.as_deref()).await?);
        if let Some(path) = &self.credentials_file {
            options = options.credentials_file(path).await.map_err(|error| {
                ObjectsError::new("NATS: `credentials_file` can't be read; it must have a JWT and a seed")
                    .with_source(error)
            })?;
        }
        Ok(options)
    }
}

/// Shows no credentials.
impl fmt::Debug for NatsObjectsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsObjectsBuilder")
            .field("bucket", &self.bucket)
            .field("create_bucket", &self.create_bucket)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}
