//! The server that is tested with, and what all tests need of it.

use std::env;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spicedb_examples::{Bearer, engine, fully_consistent, minimize_latency};
use tokio::time::sleep;
use tonic::Code;
use tonic::transport::Endpoint;
use tower_zookie::protocol::SpiceDb;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::ZedTokens;
use tower_zookie::{ZookieLayer, ZookieLayerBuilder};

use crate::client::{Client, Question};
use crate::schema;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

const ENDPOINT: &str = "SPICEDB_ENDPOINT";
const KEY: &str = "SPICEDB_KEY";
const ENGINE: &str = "SPICEDB_ENGINE";

#[derive(Debug)]
pub(crate) struct Server {
    endpoint: Endpoint,
    pub(crate) bearer: Bearer,
    pub(crate) engine: Engine,
    /// In every object's id, so no run sees another run's relationships.
    run: String,
}

impl Server {
    pub(crate) fn is_named() -> bool {
        env::var_os(ENDPOINT).is_some()
    }

    /// The server, once it has the schema of these tests.
    pub(crate) fn prepared() -> Result<&'static Self, AnyError> {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        let prepare = || {
            let server = Self::from_environment()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(server.prepare())?;
            Ok(server)
        };
        let prepared = SERVER.get_or_init(|| prepare().map_err(|error: AnyError| error.to_string()));
        prepared.as_ref().map_err(|error| error.as_str().into())
    }

    fn from_environment() -> Result<Self, AnyError> {
        let named = |name| env::var(name).map_err(|_| format!("set {name}"));
        Ok(Self {
            endpoint: Endpoint::from_shared(named(ENDPOINT)?)?,
            bearer: Bearer::new(&named(KEY)?)?,
            engine: engine(&env::var(ENGINE).unwrap_or_else(|_| "postgres".to_owned()))?,
            run: SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().to_string(),
        })
    }

    async fn prepare(&self) -> Result<(), AnyError> {
        let mut direct = self.direct();
        schema::define(&mut direct.schema).await?;
        // The server's quantized revision can be one from before the schema.
        let question = Question::new(&self.object("repo:any"), "pull", &self.object("user:any"));
        direct.check(&question, fully_consistent()).await?;
        loop {
            match direct.check(&question, minimize_latency()).await {
                Err(status) if status.code() == Code::FailedPrecondition => sleep(Duration::from_millis(200)).await,
                other => return Ok(other.map(drop)?),
            }
        }
    }

    /// This run's object of these tests' schema, or its userset: `user:alice` becomes `zookie_live/user:alice-RUN`.
    pub(crate) fn object(&self, text: &str) -> String {
        let run = &self.run;
        match text.split_once('#') {
            None => format!("{}{text}-{run}", schema::PREFIX),
            Some((object, relation)) => format!("{}{object}-{run}#{relation}", schema::PREFIX),
        }
    }

    /// May this run's subject do that to this run's resource?
    pub(crate) fn question(&self, resource: &str, permission: &str, subject: &str) -> Question {
        Question::new(&self.object(resource), permission, &self.object(subject))
    }

    /// `resource#relation@subject`, of this run.
    pub(crate) fn relationship(&self, text: &str) -> String {
        let (resource, rest) = text.split_once('#').unwrap();
        let (relation, subject) = rest.split_once('@').unwrap();
        format!("{}#{relation}@{}", self.object(resource), self.object(subject))
    }

    /// A client without the layer.
    pub(crate) fn direct(&self) -> Client {
        Client::direct(&self.endpoint, self.bearer.clone())
    }

    /// A client with a layer of its own, as another replica of a service has.
    pub(crate) fn replica(&self) -> Client {
        self.replica_with(|settings| settings)
    }

    pub(crate) fn replica_with(
        &self,
        settings: impl FnOnce(ZookieLayerBuilder<SpiceDb>) -> ZookieLayerBuilder<SpiceDb>,
    ) -> Client {
        let layer = settings(ZookieLayer::builder(SpiceDb::new(self.engine)))
            .build()
            .unwrap();
        Client::layered(&self.endpoint, self.bearer.clone(), &layer)
    }

    /// Whether this engine answers at a revision the same whenever it is asked.
    pub(crate) fn repeats(&self) -> bool {
        !matches!(self.engine, Engine::Memory | Engine::MySql)
    }

    pub(crate) fn tokens(&self) -> ZedTokens {
        ZedTokens::new(self.engine)
    }

    /// Whether a revision is at or after another.
    pub(crate) fn covers(&self, at: &str, floor: &str) -> bool {
        self.tokens().decode(at).unwrap() >= self.tokens().decode(floor).unwrap()
    }
}
