use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::Event;
use async_nats::jetstream::context::ContextBuilder;
use tokio::sync::watch;

use crate::invalid_setting::InvalidSetting;
use crate::nats::{Connecting, Problem, Servers, check_name, check_replicas};
use crate::store::node::nats::NatsLink;
use crate::store::node::nats::error::NatsError;
use crate::store::node::nats::group::Group;
use crate::store::node::nats::logs;
use crate::store::node::nats::names::Subjects;

/// Settings of a [`NatsLink`].
#[derive(Clone)]
#[must_use]
pub struct NatsLinkBuilder {
    connecting: Connecting,
    stream: String,
    create_stream: bool,
    replicas: usize,
}

impl NatsLinkBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            connecting: Connecting::new(url),
            stream: "zookie_nodes".into(),
            create_stream: true,
            replicas: 1,
        }
    }

    /// The name of the stream: at most 200 letters, digits, `-` and `_`. All nodes of a group have the same.
    ///
    /// By default `zookie_nodes`. Groups that share a NATS server need different names.
    pub fn stream(mut self, name: impl Into<String>) -> Self {
        self.stream = name.into();
        self
    }

    /// Whether the stream is created if it is not there. By default it is.
    pub fn create_stream(mut self, create: bool) -> Self {
        self.create_stream = create;
        self
    }

    /// On how many servers a stream is kept that this creates: 1 to 5. A stream that is there already stays as it is.
    ///
    /// By default 1. In a cluster of three or more servers choose 3, so that the loss of one server loses no entry.
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

    /// How long one request to the server may take, and how long a call waits for a connection.
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

    /// Connects, and opens or creates the stream.
    ///
    /// # Errors
    ///
    /// A setting makes no sense, no server can be reached, or the stream is set up so that entries could be lost. The message
    /// names the setting, and has no credentials.
    pub async fn connect(self) -> Result<NatsLink, NatsError> {
        let servers = self.validate().map_err(Problem::from)?;
        let (lost, losses) = watch::channel(0);
        let connecting = self.connecting.connect(&servers, |options| {
            let lost = Arc::new(lost);
            options.event_callback(move |event| {
                if matches!(event, Event::Disconnected | Event::Closed) {
                    lost.send_modify(|losses| *losses += 1);
                }
                std::future::ready(())
            })
        });
        let client = connecting.await?;
        let timeout = self.connecting.timeout;
        let context = ContextBuilder::new().timeout(timeout).build(client);
        let (id, config) = logs::open(&context, &self.stream, self.create_stream.then_some(self.replicas)).await?;
        let stream = context.get_stream_no_info(&self.stream).await;
        let stream = stream.map_err(|error| Problem::new("NATS: `stream` is refused").with_source(error))?;
        Ok(NatsLink(Arc::new(Group {
            subjects: Subjects::new(&self.stream, &id),
            id,
            stream_name: self.stream,
            context,
            stream,
            losses,
            timeout,
            max_message_size: usize::try_from(config.max_message_size).ok().filter(|size| *size > 0),
            writer: format!("{:016x}", rand::random::<u64>()),
            tails: Mutex::new(HashMap::new()),
        })))
    }

    fn validate(&self) -> Result<Servers, InvalidSetting> {
        let servers = self.connecting.validate()?;
        check_name("stream", &self.stream)?;
        check_replicas(self.replicas)?;
        Ok(servers)
    }
}

/// Shows no credentials.
impl fmt::Debug for NatsLinkBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsLinkBuilder")
            .field("stream", &self.stream)
            .field("create_stream", &self.create_stream)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}
