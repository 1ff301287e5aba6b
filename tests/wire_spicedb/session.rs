//! A layer before a recorded SpiceDB.

use std::time::Duration;

use tokio::time::advance;
use tower_zookie::ZookieLayer;
use tower_zookie::protocol::SpiceDb;
use tower_zookie::protocol::spicedb::Engine;

use crate::common::wire::{self, Recording};
use crate::message::{is_write, token, tokens};

pub(crate) type Session = wire::Session<SpiceDb>;

/// Longer than the layer's minimum time between watermarks, and short enough that two are within a window.
const APART: Duration = Duration::from_millis(700);

/// A default read whose question no other call asks.
const DEFAULT_READ: [&str; 2] = ["check-unknown-field", "http-check-unknown-field"];

impl Session {
    pub(crate) fn new(recording: &Recording, engine: Engine) -> Self {
        Self::through(ZookieLayer::spicedb(engine), recording)
    }

    /// A session through which all writes before a call have gone, and before a call with a token a default read,
    /// because writes alone do not show how fresh a memory engine is.
    ///
    /// The write of the call's own token is apart from the others, so that the layer asks at that very token.
    pub(crate) async fn before(recording: &Recording, engine: Engine, n: usize) -> Self {
        let session = Self::new(recording, engine);
        let wished = token(&recording.calls[n].request);
        for write in recording.calls.iter().filter(|call| call.n < n && is_write(call)) {
            let named = wished.is_some() && tokens(write).pop() == wished;
            if named {
                advance(APART).await;
            }
            session.upstream.skip_to(write.n);
            session.send(&write.request).await;
            if named {
                advance(APART).await;
            }
        }
        let mut default_reads = recording
            .calls
            .iter()
            .filter(|call| DEFAULT_READ.contains(&&*call.case));
        if wished.is_some()
            && let Some(read) = default_reads.next()
        {
            session.send(&read.request).await;
        }
        session.upstream.skip_to(n);
        session
    }
}
