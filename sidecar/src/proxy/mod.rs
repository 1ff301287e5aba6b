//! The sidecar: an authorization system's two APIs, each forwarded through one layer, and a port for operators.
//!
//! A request goes through these files in this order: `serve` (a connection), `front` (the layer), `upstream` (on to the
//! system, by a connection from `connect`); its reply comes back through `ending`, or is a `failure`. What others write
//! comes in by the `feed`.

pub mod admin;
pub mod connect;
mod ending;
mod failure;
pub mod feed;
mod front;
mod greeting;
mod hop;
pub mod layer;
mod limits;
mod mixups;
pub mod objects;
pub mod origin;
pub mod pool;
mod question;
mod ready;
mod serve;
mod silent;
pub mod speaks;
pub mod system;
pub mod tls;
mod unary;
pub mod upstream;
pub mod warnings;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::Layer as _;
use tower_zookie::InvalidSetting;

use self::admin::{Address, Admin, At, Bearer, Explains, Readiness};
use self::connect::connector;
use self::feed::{Feed, Followed};
use self::front::Front;
use self::mixups::MixUps;
use self::objects::{Objects, ObjectsSetupError};
use self::origin::Origin;
use self::pool::Limits;
use self::question::Question;
use self::ready::Probe;
use self::serve::Port;
use self::silent::Silent;
use self::speaks::Speaks;
use self::tls::{Identity, TlsError, Trusted};
use self::upstream::{Forward, Upstream};

/// How long operators' own requests may go on when everything else has ended.
const ADMIN_DRAIN: Duration = Duration::from_secs(1);

/// How the sidecar is set up.
#[derive(Clone, Debug)]
pub struct Config {
    pub layer: layer::Settings,
    pub objects: Option<Objects>,
    pub routes: Vec<Route>,
    pub followed: Followed,
    /// What is asked at the start.
    pub question: Option<FirstQuestion>,
    pub admin: Admin,
    pub identity: Option<Identity>,
    pub upstream_ca: Option<PathBuf>,
    pub connect_timeout: Duration,
    pub upstream_limits: Limits,
    /// How long calls under way may go on once the sidecar stops.
    pub drain: Duration,
}

/// The one question that is asked at the start, of each upstream.
#[derive(Clone, Debug)]
pub struct FirstQuestion {
    pub authorization: Option<HeaderValue>,
}

/// What comes in at one port, and where it goes.
#[derive(Clone, Debug)]
pub struct Route {
    pub speaks: Speaks,
    pub listen: SocketAddr,
    pub upstream: Origin,
}

/// Why the sidecar can't start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("'--{}' {}", objects::flag(.0.setting()), .0.problem())]
    Layer(InvalidSetting),
    #[error(transparent)]
    Objects(#[from] ObjectsSetupError),
    #[error("TLS can't be used as configured")]
    Tls(#[from] TlsError),
    #[error("--upstream-ca is given, but no upstream is https")]
    NeedlessAuthorities,
    #[error("{address} is both where to listen and the upstream: requests would go round in circles")]
    Circle { address: SocketAddr },
    #[error("can't listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("can't serve operators on {address}")]
    Admin { address: Address, source: io::Error },
}

/// A sidecar whose ports are open.
pub struct Sidecar {
    ports: Vec<(TcpListener, Port)>,
    bound: Vec<Route>,
    admin: admin::Port,
    bearer: Option<Bearer>,
    layer: layer::Layer,
    probes: Vec<Probe>,
    feeds: Vec<Feed>,
    questions: Vec<Question>,
    drain: Duration,
}

impl Sidecar {
    pub async fn bind(config: Config) -> Result<Self, SetupError> {
        let objects = match &config.objects {
            Some(objects) => Some(objects.settings(objects.connect().await?)),
            None => None,
        };
        let layer = layer::build(&config.layer, objects).map_err(SetupError::Layer)?;
        if config.upstream_ca.is_some() && !config.routes.iter().any(|route| route.upstream.is_tls()) {
            return Err(SetupError::NeedlessAuthorities);
        }
        let (mut ports, mut bound, mut probes) = (Vec::new(), Vec::new(), Vec::new());
        let (mut feeds, mut questions) = (Vec::new(), Vec::new());
        for route in &config.routes {
            let upstream = config.upstream(route)?;
            let tls = config
                .identity
                .as_ref()
                .map(|identity| identity.acceptor(alpn(route.speaks)));
            let listener = listen(route.listen).await?;
            let listen = local_address(&listener, route.listen)?;
            if route.upstream.is_at(listen) {
                return Err(SetupError::Circle { address: listen });
            }
            let route = Route {
                listen,
                ..route.clone()
            };
            bound.push(route.clone());
            probes.push(Probe::of(&upstream, &config.layer.system.health()));
            let forward = upstream.forward();
            // The gRPC API is the first of the routes.
            if feeds.is_empty() {
                feeds = config.feeds(&layer, &forward, &upstream);
            }
            let mix_ups = Arc::new(MixUps {
                layer: layer.handle(),
                route,
            });
            questions.extend(config.question.clone().map(|question| Question {
                layer: layer.handle(),
                system: config.layer.system.clone(),
                upstream: forward.clone(),
                origin: upstream.origin.clone(),
                speaks: upstream.speaks,
                authorization: question.authorization,
                mix_ups: Arc::clone(&mix_ups),
            }));
            let front = Front {
                service: layer.layer(forward),
                origin: upstream.origin,
                mix_ups,
            };
            ports.push((listener, Port::new(tls.transpose()?, front, config.upstream_limits)));
        }
        let admin = admin::Port::open(&config.admin.address).await;
        let admin = admin.map_err(|source| SetupError::Admin {
            address: config.admin.address.clone(),
            source,
        })?;
        if config.admin.is_open_to_others() {
            layer.handle().warn(warnings::OPEN_ADMIN_PORT, || {
                tracing::warn!(
                    "other machines can reach the port for operators without a token, and so purge the cache or switch it \
                     off; set `--admin-token-env`, or let `--admin` be an address of this machine alone"
                );
            });
        }
        let drain = config.drain;
        Ok(Self {
            ports,
            bound,
            admin,
            bearer: config.admin.bearer,
            layer,
            probes,
            feeds,
            questions,
            drain,
        })
    }

    /// Where it listens and forwards to.
    pub fn routes(&self) -> &[Route] {
        &self.bound
    }

    /// Where operators ask. `None`: nowhere.
    pub fn admin(&self) -> Option<At> {
        self.admin.at()
    }

    /// Serves until `stop`, and then as long as calls are under way, within the bound.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let (running, serving) = watch::channel(());
        let mut ports = JoinSet::new();
        let silent = Silent::default();
        for (listener, port) in self.ports {
            ports.spawn(port.serve(listener, silent.clone(), serving.clone(), self.drain));
        }
        let mut feeds = JoinSet::new();
        for feed in self.feeds {
            feeds.spawn(feed.follow());
        }
        let mut questions = JoinSet::new();
        for question in self.questions {
            questions.spawn(question.ask());
        }
        let (asked, asking) = tokio::sync::oneshot::channel::<()>();
        let layer = self.layer.handle();
        let readiness = Readiness {
            layer: layer.clone(),
            probes: self.probes,
            feeds: feeds.len() as u64,
            serving,
        };
        let origins = self.bound.iter().map(|route| (route.speaks, route.upstream.clone()));
        let explains = Explains {
            layer: layer.clone(),
            origins: origins.collect(),
        };
        let router = admin::router(&layer, readiness, explains, self.bearer);
        let mut admin = tokio::spawn(self.admin.serve(router, asking));

        tokio::select! {
            () = stop => {}
            ended = &mut admin => return ended?,
        }
        drop(running);
        ports.join_all().await;
        drop(asked);
        match timeout(ADMIN_DRAIN, &mut admin).await {
            Ok(ended) => ended?,
            Err(_) => {
                admin.abort();
                Ok(())
            }
        }
    }
}

impl Config {
    fn feeds(&self, layer: &layer::Layer, forward: &Forward, upstream: &Upstream) -> Vec<Feed> {
        let feed = |tenant: &String| Feed {
            layer: layer.handle(),
            upstream: forward.clone(),
            origin: upstream.origin.clone(),
            speaks: upstream.speaks,
            tenant: tenant.clone(),
            authorization: self.followed.authorization.clone(),
        };
        self.followed.tenants.iter().map(feed).collect()
    }

    fn upstream(&self, route: &Route) -> Result<Upstream, TlsError> {
        let trusted = match &self.upstream_ca {
            _ if !route.upstream.is_tls() => Trusted::Nothing,
            Some(path) => Trusted::File(path),
            None => Trusted::System,
        };
        Ok(Upstream {
            origin: route.upstream.clone(),
            speaks: route.speaks,
            connector: connector(tls::client(trusted)?, self.connect_timeout, route.speaks),
            limits: self.upstream_limits,
        })
    }
}

fn alpn(speaks: Speaks) -> &'static [&'static [u8]] {
    match speaks {
        Speaks::Grpc => &[b"h2"],
        Speaks::Http => &[b"h2", b"http/1.1"],
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, SetupError> {
    let listening = TcpListener::bind(address).await;
    listening.map_err(|source| SetupError::Listen { address, source })
}

fn local_address(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, SetupError> {
    let local = listener.local_addr();
    local.map_err(|source| SetupError::Listen { address, source })
}
