//! SpiceDB: its gRPC API and its HTTP gateway.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts as Head;

use super::{Call, Claim, Kept, Key, Learned, Protocol, Reply, Route, Unreadable};
use crate::cache::Abilities;
use crate::token::spicedb::ZedTokens;
use crate::token::{TokenFormat, Zookie};

pub use crate::token::spicedb::Engine;

/// SpiceDB's API `authzed.api.v1`, over gRPC and through the HTTP gateway.
#[derive(Clone, Debug)]
pub struct SpiceDb {
    engine: Engine,
    format: Arc<ZedTokens>,
}

impl SpiceDb {
    /// A SpiceDB on this datastore engine.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            format: Arc::new(ZedTokens::new(engine)),
        }
    }
}

impl Protocol for SpiceDb {
    fn abilities(&self) -> Abilities {
        Abilities {
            bears_revision: true,
            repeatable_exact: matches!(self.engine, Engine::Postgres | Engine::CockroachDb | Engine::Spanner),
            quantizes: true,
            newest_head: self.engine != Engine::Memory,
            probe: true,
        }
    }

    fn format(&self) -> Arc<dyn TokenFormat> {
        self.format.clone()
    }

    fn claim(&self, _: &Head) -> Claim {
        Claim::Pass
    }

    fn read(&self, _: Route, _: &Head, _: &Bytes, _: Key<'_>) -> Result<Call, Unreadable> {
        Err(Unreadable("not yet"))
    }

    fn learn(&self, _: &Call, _: &Bytes, _: &[usize], _: &Reply<'_>) -> Learned {
        Learned::Nothing
    }

    fn merge(&self, _: &Call, _: &Bytes, _: &[Option<&Kept>], _: Option<&Zookie>) -> Kept {
        Kept::new(http::StatusCode::OK, http::HeaderValue::from_static(""), Bytes::new())
    }
}
