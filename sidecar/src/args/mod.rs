//! The command line.

mod admin;
mod callers;
mod command;
pub mod memory;
mod objects;
mod signing;
mod system;
pub mod token;
mod units;

use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use examples_common::{address, duration, percent};
use http::HeaderValue;
use tower_zookie::ByteSize;
use tower_zookie::OldTokens;
use tower_zookie::consistency::Staleness;
use tower_zookie::token::Signing;

use self::callers::ForCallers;
pub use self::command::unknown_variables;
use self::memory::Memory;
use self::objects::ForObjects;
use self::signing::ForSigning;
use self::system::{Engine, ForFeeds, ForPermify, ForSpiceDb, Name, from_environment};
use self::units::{kibibytes, mebibytes, timeout};
use crate::proxy::admin::{Address, Admin, BadToken, Bearer};
use crate::proxy::layer::Settings;
use crate::proxy::origin::{Origin, OriginError};
use crate::proxy::pool::Limits;
use crate::proxy::speaks::Speaks;
use crate::proxy::system::System;
use crate::proxy::tls::Identity;
use crate::proxy::{Config, FirstQuestion, Route};

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50061);
const HTTP_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8453);

/// The options.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which system is upstream.
    #[arg(long, value_enum, default_value_t = Name::SpiceDb)]
    system: Name,
    /// Its gRPC API, such as http://127.0.0.1:50051 (SpiceDB) or http://127.0.0.1:3478 (Permify).
    #[arg(long, value_name = "URL", required_unless_present = "http_upstream")]
    upstream: Option<String>,
    /// Where to serve gRPC. Here and in the other addresses, a name stands for the first of its addresses that this machine
    /// has, IPv4 before IPv6.
    #[arg(long, default_value_t = LISTEN, value_parser = address)]
    listen: SocketAddr,
    /// Its HTTP gateway, such as http://127.0.0.1:8443 (SpiceDB) or http://127.0.0.1:3476 (Permify).
    #[arg(long, value_name = "URL")]
    http_upstream: Option<String>,
    /// Where to serve HTTP.
    #[arg(long, default_value_t = HTTP_LISTEN, value_parser = address)]
    http_listen: SocketAddr,
    /// Where to serve operators: an address, unix:PATH for a Unix socket, or off.
    #[arg(long, default_value = "127.0.0.1:9091", value_parser = admin::address)]
    admin: Address,
    /// The environment variable that holds the token which operators have to show, as `Authorization: Bearer TOKEN`, except
    /// for /healthz and /readyz.
    #[arg(long, value_name = "NAME")]
    admin_token_env: Option<String>,
    /// How lines are logged, to the standard error.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// SpiceDB's --datastore-engine, or Permify's --database-engine (memory or postgres): a token does not name it.
    #[arg(long, value_enum)]
    engine: Engine,

    /// The certificate chain to show to callers, as PEM; without it, callers are served without TLS.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Whom to trust where the upstream is https, as PEM; without it, whom the system trusts.
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,
    /// How long connecting to the upstream may take.
    #[arg(long, default_value = "2s", value_parser = timeout)]
    connect_timeout: Duration,
    /// How many connections to the upstream's gRPC API there may be for unary calls, and as many for streams. Each carries up
    /// to 100 calls at a time, or as many as the upstream takes.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    max_upstream_connections: u16,
    /// The largest headers and trailers of a call, in KiB, in both directions.
    #[arg(long, value_name = "KIB", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(16..=16384))]
    max_headers: u32,
    /// How long calls under way may go on after Ctrl-C or SIGTERM.
    #[arg(long, default_value = "10s", value_parser = duration)]
    drain: Duration,

    /// For how long callers share one revision: SpiceDB's --datastore-revision-quantization-interval.
    #[arg(long, default_value = "5s", value_parser = duration)]
    window: Duration,
    /// By how many percent an answer may outlive the window, such as `10` or `10%`.
    #[arg(long, default_value = "10%", value_parser = percent)]
    staleness: u8,
    /// When an answer ends in any case: no shorter than the window, and no longer than an expired relationship may still count.
    #[arg(long, default_value = "60s", value_parser = duration)]
    time_to_live: Duration,
    /// How much memory all answers may take, in MiB: no more than the cgroup's limit, or the machine's memory.
    #[arg(long, default_value_t = 64, value_parser = mebibytes)]
    capacity: u32,
    /// The largest request and the largest reply that is looked at, in KiB; larger ones are only forwarded.
    #[arg(long, default_value_t = 4096, value_parser = kibibytes)]
    max_body: u32,
    /// Let the reply to a bulk check mix answers of several revisions.
    #[arg(long)]
    mix_revisions: bool,
    /// Reject checks that have no token, unless they are fully consistent.
    #[arg(long)]
    require_token: bool,
    /// Reject tokens that are older: choose less than Permify's --database-garbage-collection-window, past which it
    /// silently denies.
    #[arg(long, value_name = "AGE", value_parser = duration)]
    oldest_token: Option<Duration>,
    /// Ask at head where a check has an older token, instead of rejecting it.
    #[arg(long, requires = "oldest_token")]
    ask_old_tokens_at_head: bool,
    #[command(flatten)]
    signing: ForSigning,
    #[command(flatten)]
    objects: ForObjects,
    #[command(flatten)]
    callers: ForCallers,
    /// The environment variable that holds the `authorization`, such as `Bearer KEY`, of the one question that the sidecar asks
    /// when it starts, to log whether the upstream is what --system and --engine say. Without it, it asks without a credential.
    #[arg(long, value_name = "NAME")]
    probe_authorization_env: Option<String>,
    #[command(flatten)]
    feeds: ForFeeds,
    #[command(flatten)]
    spicedb: ForSpiceDb,
    #[command(flatten)]
    permify: ForPermify,
}

/// How lines are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// An argument that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BadArgument {
    #[error("{flag} can't be used")]
    Url { flag: &'static str, source: OriginError },
    #[error("'--engine {engine}' can't be used with '--system permify' [possible values: memory, postgres]")]
    NotPermifys { engine: String },
    #[error("'{flag}' can't be used with '--system spicedb': leave it out, or say '--system permify'")]
    OtherSystem { flag: &'static str },
    #[error("'--follow-tenant' can't be used with '--engine memory': Permify in memory reports no changes")]
    NoFeed,
    #[error("'--follow' needs '--follow-tenant TENANT' with '--system permify': its change feed is that of one tenant")]
    NoTenant,
    #[error("'--follow-authorization-env' needs '--follow', or with '--system permify' '--follow-tenant TENANT'")]
    NoFollowing,
    #[error("'{flag}' can't be used with '--system permify': leave it out, or say '--system spicedb'")]
    NotSpiceDbs { flag: &'static str },
    #[error("'--capacity {capacity}' is more than the {memory}; choose fewer MiB")]
    Capacity { capacity: u32, memory: Memory },
    #[error("the environment variable {name} of '{flag}' is not set, or no header's value")]
    Authorization { flag: &'static str, name: String },
    #[error("the environment variable {name} of '--admin-token-env' is not set")]
    NoAdminToken { name: String },
    #[error("the environment variable {name} of '--admin-token-env' {source}")]
    AdminToken { name: String, source: BadToken },
    #[error("the environment variable {name} of '--signing-key-env' {source}")]
    SigningKeys {
        name: String,
        source: examples_common::BadKeys,
    },
    #[error(
        "'--objects-mode followed' can't be used with '--objects memory', which no other sidecar writes to: leave it out"
    )]
    NothingToFollow,
    #[error("'--admin-token-env' can't be used with '--admin off': leave it out")]
    NoAdmin,
}

impl Args {
    /// The ports that are set and serve nothing, each with the option that it lacks. A deployment may set all ports, so this
    /// is no error.
    pub fn idle_ports(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let grpc = self.upstream.is_none() && self.listen != LISTEN;
        let http = self.http_upstream.is_none() && self.http_listen != HTTP_LISTEN;
        let grpc = grpc.then_some(("--listen", "--upstream"));
        grpc.into_iter()
            .chain(http.then_some(("--http-listen", "--http-upstream")))
    }

    pub fn config(self) -> Result<Config, BadArgument> {
        check_capacity(self.capacity, Memory::stated_below(Path::new("/")))?;
        let objects = self.objects.clone().objects()?;
        let signing = self.signing.signing()?;
        let system = self.system.of_engine(self.engine, self.spicedb, &self.permify)?;
        Ok(Config {
            layer: self.layer(system, signing),
            objects,
            followed: self.feeds.followed(self.system, &self.permify)?,
            question: Some(FirstQuestion {
                authorization: self.probe_authorization()?,
            }),
            routes: self.routes()?,
            admin: self.admin()?,
            identity: self
                .tls_cert
                .zip(self.tls_key)
                .map(|(cert, key)| Identity { cert, key }),
            upstream_ca: self.upstream_ca,
            connect_timeout: self.connect_timeout,
            upstream_limits: Limits {
                connections: usize::from(self.max_upstream_connections),
                headers: self.max_headers << 10,
            },
            drain: self.drain,
        })
    }

    pub fn log_format(&self) -> LogFormat {
        self.log_format
    }

    fn admin(&self) -> Result<Admin, BadArgument> {
        let bearer = match &self.admin_token_env {
            Some(_) if self.admin == Address::Off => return Err(BadArgument::NoAdmin),
            Some(name) => Some(admin_token(name)?),
            None => None,
        };
        Ok(Admin {
            address: self.admin.clone(),
            bearer,
        })
    }

    fn probe_authorization(&self) -> Result<Option<HeaderValue>, BadArgument> {
        let name = self.probe_authorization_env.as_deref();
        name.map(|name| from_environment("--probe-authorization-env", name))
            .transpose()
    }

    fn layer(&self, system: System, signing: Option<Signing>) -> Settings {
        let older = match self.ask_old_tokens_at_head {
            true => OldTokens::AskAtHead,
            false => OldTokens::Reject,
        };
        Settings {
            system,
            window: self.window,
            staleness: Staleness::percent(self.staleness),
            time_to_live: self.time_to_live,
            capacity: ByteSize::mebi(self.capacity),
            max_body: ByteSize::kibi(self.max_body),
            mix_revisions: self.mix_revisions,
            require_token: self.require_token,
            callers: self.callers.callers(),
            oldest_token: self.oldest_token.map(|age| (age, older)),
            signing,
            feeds: self.feeds.cache(),
        }
    }

    fn routes(&self) -> Result<Vec<Route>, BadArgument> {
        let given = [
            ("--upstream", &self.upstream, Speaks::Grpc, self.listen),
            ("--http-upstream", &self.http_upstream, Speaks::Http, self.http_listen),
        ];
        let mut routes = Vec::new();
        for (flag, url, speaks, listen) in given {
            let Some(url) = url else { continue };
            let upstream: Origin = url.parse().map_err(|source| BadArgument::Url { flag, source })?;
            routes.push(Route {
                speaks,
                listen,
                upstream,
            });
        }
        Ok(routes)
    }
}

/// Answers that the process can't hold would end it, not make room.
pub fn check_capacity(capacity: u32, memory: Option<Memory>) -> Result<(), BadArgument> {
    match memory {
        Some(memory) if u64::from(capacity) << 20 > memory.bytes => Err(BadArgument::Capacity { capacity, memory }),
        _ => Ok(()),
    }
}

fn admin_token(name: &str) -> Result<Bearer, BadArgument> {
    let name = name.to_owned();
    match env::var(&name) {
        Ok(secret) => Bearer::new(&secret).map_err(|source| BadArgument::AdminToken { name, source }),
        Err(_) => Err(BadArgument::NoAdminToken { name }),
    }
}
