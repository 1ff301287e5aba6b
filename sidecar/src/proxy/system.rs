//! The authorization system upstream.

use std::sync::Arc;

use http::Uri;
use tower_zookie::protocol::{Permify, Protocol, SpiceDb, permify, spicedb};

/// Which system is upstream, and what has to be known of it.
#[derive(Clone, Debug)]
pub enum System {
    SpiceDb(SpiceDb),
    Permify(Permify),
}

impl System {
    pub(super) fn protocol(&self) -> Arc<dyn Protocol> {
        match self {
            Self::SpiceDb(protocol) => Arc::new(protocol.clone()),
            Self::Permify(protocol) => Arc::new(protocol.clone()),
        }
    }

    /// As `--system` has it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::SpiceDb(_) => "spicedb",
            Self::Permify(_) => "permify",
        }
    }

    pub(super) fn other(&self) -> Self {
        match self {
            Self::SpiceDb(_) => Self::Permify(Permify::new(permify::Engine::Memory)),
            Self::Permify(_) => Self::SpiceDb(SpiceDb::new(spicedb::Engine::Opaque)),
        }
    }

    /// An operation without parameters that changes nothing: its path over gRPC, and over HTTP.
    pub(super) fn question(&self) -> (&'static str, &'static str) {
        match self {
            Self::SpiceDb(_) => ("/authzed.api.v1.SchemaService/ReadSchema", "/v1/schema/read"),
            Self::Permify(_) => ("/base.v1.Tenancy/List", "/v1/tenants/list"),
        }
    }

    /// What to ask its HTTP API for to see whether it serves. SpiceDB's says only that it is there.
    pub(super) fn health(&self) -> Uri {
        Uri::from_static(match self {
            Self::SpiceDb(_) => "/",
            Self::Permify(_) => "/healthz",
        })
    }
}
