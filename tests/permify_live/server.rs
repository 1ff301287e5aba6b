//! The server that is tested with.

use std::env;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tonic::transport::Endpoint;
use tower_zookie::consistency::Staleness;
use tower_zookie::protocol::Permify;
use tower_zookie::protocol::permify::Engine;
use tower_zookie::revision::Revision;
use tower_zookie::token::TokenFormat;
use tower_zookie::token::permify::SnapTokens;
use tower_zookie::{ZookieLayer, ZookieLayerBuilder};

use crate::client::Client;

const ENGINE: &str = "PERMIFY_ENGINE";

/// No test takes this long, so no test reaches the end of its window.
const WINDOW: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Api {
    Grpc,
    Rest,
}

impl Api {
    /// The environment variable that names it.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Grpc => "PERMIFY_ENDPOINT",
            Self::Rest => "PERMIFY_HTTP_ENDPOINT",
        }
    }

    pub(crate) fn is_named(self) -> bool {
        env::var_os(self.variable()).is_some()
    }

    pub(crate) fn url(self) -> String {
        env::var(self.variable()).unwrap()
    }
}

pub(crate) fn is_postgres() -> bool {
    env::var_os(ENGINE).is_none_or(|engine| engine == "postgres")
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) engine: Engine,
    /// In every tenant's name, so no run sees another run's data.
    run: u128,
}

impl Server {
    pub(crate) fn named() -> Result<&'static Self, String> {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        let find = || {
            let engine = match env::var(ENGINE).as_deref() {
                Ok("postgres") | Err(_) => Engine::Postgres,
                Ok("memory") => Engine::Memory,
                Ok(_) => return Err(format!("{ENGINE} is neither memory nor postgres")),
            };
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let run = since.as_millis();
            Ok(Self { engine, run })
        };
        SERVER.get_or_init(find).as_ref().map_err(Clone::clone)
    }

    /// A tenant of this run.
    pub(crate) fn tenant(&self, name: &str) -> String {
        format!("zookie-live-{name}-{}", self.run)
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(Api::Grpc.url()).unwrap()
    }

    /// A client without the layer.
    pub(crate) fn direct(&self, tenant: &str) -> Client {
        Client::direct(&self.endpoint(), tenant)
    }

    /// A client with a layer, and with it a cache, of its own.
    pub(crate) fn replica(&self, tenant: &str) -> Client {
        self.replica_with(tenant, |builder| builder)
    }

    pub(crate) fn replica_with(
        &self,
        tenant: &str,
        set: impl FnOnce(ZookieLayerBuilder<Permify>) -> ZookieLayerBuilder<Permify>,
    ) -> Client {
        self.replica_of(tenant, Permify::new(self.engine), set)
    }

    pub(crate) fn replica_of(
        &self,
        tenant: &str,
        permify: Permify,
        set: impl FnOnce(ZookieLayerBuilder<Permify>) -> ZookieLayerBuilder<Permify>,
    ) -> Client {
        Client::layered(&self.endpoint(), tenant, &set(Self::builder(permify)).build().unwrap())
    }

    pub(crate) fn builder(permify: Permify) -> ZookieLayerBuilder<Permify> {
        ZookieLayer::builder(permify)
            .cache(|cache| cache.window(WINDOW, Staleness::percent(10)).time_to_live(2 * WINDOW))
    }

    fn revision(&self, token: &str) -> Revision {
        SnapTokens::new(self.engine).decode(token).unwrap()
    }

    /// Whether a read at a token surely includes all that a read at the other one includes.
    pub(crate) fn covers(&self, token: &str, other: &str) -> bool {
        self.revision(token) >= self.revision(other)
    }

    /// Whether a read at the other token sees the same each time, once this one is known.
    pub(crate) fn settles(&self, token: &str, other: &str) -> bool {
        self.revision(token).settles(&self.revision(other))
    }
}
