use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions};

use crate::invalid_setting::InvalidSetting;
use crate::nats::problem::Problem;
use crate::nats::servers::Servers;
use crate::nats::tls;

const LONGEST_NAME: usize = 200;
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// A connection that is dead is noticed after about two of these.
const PING_EVERY: Duration = Duration::from_secs(5);

/// How a client connects.
#[derive(Clone)]
pub(crate) struct Connecting {
    pub(crate) url: String,
    pub(crate) credentials_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
    /// How long one request may take.
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
}

impl Connecting {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            credentials_file: None,
            ca_file: None,
            timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(5),
        }
    }

    pub(crate) fn validate(&self) -> Result<Servers, InvalidSetting> {
        let servers = Servers::parse(&self.url)?;
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
        Ok(servers)
    }

    /// Connects to one of the servers. `more` sets further options.
    pub(crate) async fn connect(
        &self,
        servers: &Servers,
        more: impl FnOnce(ConnectOptions) -> ConnectOptions,
    ) -> Result<Client, Problem> {
        let options = more(self.options(servers).await?);
        options.connect(servers.addresses.clone()).await.map_err(|error| {
            let problem = match error.kind() {
                ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                    "the server refuses the credentials; check those in `url`, or `credentials_file`"
                }
                ConnectErrorKind::Tls => "TLS failed; check `ca_file`",
                ConnectErrorKind::Dns => "a host in `url` is not known",
                _ => "no server can be reached; check `url`, and for TLS `ca_file`",
            };
            Problem::new(format!("NATS: {problem}")).with_source(error)
        })
    }

    async fn options(&self, servers: &Servers) -> Result<ConnectOptions, Problem> {
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
                Problem::new("NATS: `credentials_file` can't be read; it must have a JWT and a seed").with_source(error)
            })?;
        }
        Ok(options)
    }
}

/// Shows no credentials.
impl fmt::Debug for Connecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting")
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

/// Whether JetStream can call something by this name.
pub(crate) fn check_name(setting: &'static str, name: &str) -> Result<(), InvalidSetting> {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(is_name_byte) {
        let problem = format!("is no name of a {setting}; choose 1 to 200 letters, digits, `-` and `_`");
        return Err(InvalidSetting::new(setting, problem));
    }
    Ok(())
}

pub(crate) fn check_replicas(replicas: usize) -> Result<(), InvalidSetting> {
    if (1..=5).contains(&replicas) {
        return Ok(());
    }
    Err(InvalidSetting::new(
        "replicas",
        "is not 1 to 5, which is what NATS allows",
    ))
}
