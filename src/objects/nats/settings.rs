use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;

use crate::invalid_setting::InvalidSetting;
use crate::nats::{Connecting, Problem, Servers, check_name, check_replicas};
use crate::objects::error::ObjectsError;
use crate::objects::nats::link::Link;
use crate::objects::nats::schedule::Schedule;
use crate::objects::nats::{NatsObjects, bucket};

const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Settings of a [`NatsObjects`].
#[derive(Clone)]
#[must_use]
pub struct NatsObjectsBuilder {
    connecting: Connecting,
    bucket: String,
    create_bucket: bool,
    replicas: usize,
    clean_every: Duration,
}

impl NatsObjectsBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            connecting: Connecting::new(url),
            bucket: "zookie_objects".into(),
            create_bucket: true,
            replicas: 1,
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
        self.connecting.credentials_file = Some(path.into());
        self
    }

    /// A PEM file with the certificates that the servers' own certificates must come from, instead of those of the operating
    /// system. With it, TLS is required.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.connecting.ca_file = Some(path.into());
        self
    }

    /// How long one look-up or one update may take, with all its retries. The layer has limits of its own.
    ///
    /// By default 2 s. At least 10 ms, at most one hour.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.connecting.timeout = timeout;
        self
    }

    /// How long connecting to one server may take.
    ///
    /// By default 5 s. At least 10 ms, at most one hour.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connecting.connect_timeout = timeout;
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
        let servers = self.validate().map_err(Problem::from)?;
        let client = self.connecting.connect(&servers, |options| options).await?;
        let timeout = self.connecting.timeout;
        let context = ContextBuilder::new().timeout(timeout).build(client);
        let info = bucket::open(&context, &self.bucket, self.create_bucket.then_some(self.replicas)).await?;
        let schedule = Schedule::new(self.clean_every, info.created.to_string());
        let link = Link::new(context, &self.bucket, timeout, schedule).await?;
        // Whether the user may write is seen now, and not at the first write.
        link.beat().await?;
        Ok(NatsObjects(Arc::new(link)))
    }

    fn validate(&self) -> Result<Servers, InvalidSetting> {
        let servers = self.connecting.validate()?;
        check_name("bucket", &self.bucket)?;
        check_replicas(self.replicas)?;
        if !(Duration::from_secs(1)..=LONGEST_PAUSE).contains(&self.clean_every) {
            let problem = "is shorter than 1 s or longer than one day; choose a duration in between";
            return Err(InvalidSetting::new("clean_every", problem));
        }
        Ok(servers)
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
