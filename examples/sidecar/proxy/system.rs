//! The authorization system upstream.

use std::sync::Arc;

use http::Uri;
use tower_zookie::protocol::Protocol;
use tower_zookie::protocol::permify::{self, Permify};
use tower_zookie::protocol::spicedb::{self, SpiceDb};

/// Which system is upstream, and what has to be known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    SpiceDb(spicedb::Engine),
    Permify {
        engine: permify::Engine,
        /// Reads without a snap token are as old as the window allows, instead of at head.
        untold_in_window: bool,
    },
}

impl System {
    pub(super) fn protocol(self) -> Arc<dyn Protocol> {
        match self {
            Self::SpiceDb(engine) => Arc::new(SpiceDb::new(engine)),
            Self::Permify {
                engine,
                untold_in_window: false,
            } => Arc::new(Permify::new(engine)),
            Self::Permify {
                engine,
                untold_in_window: true,
            } => Arc::new(Permify::new(engine).window_reads_without_token()),
        }
    }

    /// What to ask its HTTP API for to see whether it serves. SpiceDB's says only that it is there.
    pub(super) fn health(self) -> Uri {
        Uri::from_static(match self {
            Self::SpiceDb(_) => "/",
            Self::Permify { .. } => "/healthz",
        })
    }
}
