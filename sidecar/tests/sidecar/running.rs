//! A sidecar that runs.

use std::net::SocketAddr;

use clap::Parser;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower_zookie_sidecar::args::Args;
use tower_zookie_sidecar::proxy::admin::At;
use tower_zookie_sidecar::proxy::{Config, Sidecar};

pub(crate) struct Running {
    /// Where it listens, in the order of its upstreams: gRPC, HTTP.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<std::io::Result<()>>,
}

const ANY: &str = "127.0.0.1:0";

/// The command line of a sidecar on any free ports, with some arguments more. Its answers outlive a slow test.
pub(crate) fn args(more: &[&str]) -> Args {
    let defaults = [
        ("--listen", ANY),
        ("--http-listen", ANY),
        ("--admin", ANY),
        ("--engine", "postgres"),
        ("--window", "1h"),
        ("--time-to-live", "2h"),
    ];
    let defaults = defaults.into_iter().filter(|(name, _)| !more.contains(name));
    let defaults = defaults.flat_map(|(name, value)| [name, value]);
    Args::parse_from(
        ["zookie-sidecar"]
            .into_iter()
            .chain(defaults)
            .chain(more.iter().copied()),
    )
}

impl Running {
    /// It asks no question at the start, which upstreams of tests would count.
    pub(crate) async fn with(more: &[&str]) -> Self {
        let mut config = args(more).config().unwrap();
        config.question = None;
        Self::of(config).await
    }

    pub(crate) async fn of(config: Config) -> Self {
        let sidecar = Sidecar::bind(config).await.unwrap();
        let addresses = sidecar.routes().iter().map(|route| route.listen).collect();
        let admin = match sidecar.admin() {
            Some(At::Tcp(address)) => address,
            // It can't be asked there.
            Some(At::Unix(_)) | None => ANY.parse().unwrap(),
        };
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(sidecar.run(async { drop(stopped.await) }));
        Self {
            addresses,
            admin,
            stop: Some(stop),
            ended,
        }
    }

    pub(crate) async fn before(grpc: SocketAddr) -> Self {
        Self::with(&["--upstream", &format!("http://{grpc}")]).await
    }

    pub(crate) async fn before_http(http: SocketAddr) -> Self {
        Self::with(&["--http-upstream", &format!("http://{http}")]).await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Makes it stop, and does not wait until it has.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    pub(crate) async fn ended(self) {
        self.ended.await.unwrap().unwrap();
    }
}
