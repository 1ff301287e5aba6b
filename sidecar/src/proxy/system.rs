//! The authorization system upstream.

use std::sync::Arc;

use http::Uri;
use tower_zookie::protocol::{Permify, Protocol, SpiceDb};

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

    /// What to ask its HTTP API for to see whether it serves. SpiceDB's says only that it is there.
    pub(super) fn health(&self) -> Uri {
        Uri::from_static(match self {
            Self::SpiceDb(_) => "/",
            Self::Permify(_) => "/healthz",
        })
    }
}
