//! The layer before this service: which paths are checks and writes, and what the store can do.

use std::time::Duration;

use tower_zookie::ZookieLayer;
use tower_zookie::cache::{Capabilities, ReadMode};
use tower_zookie::consistency::{Staleness, Window};
use tower_zookie::protocol::{AuthZen, CheckRoute, Routes, Verdict, WriteRoute};
use tower_zookie::token::InferaDb;

use crate::AnyError;

/// The two APIs of the service.
pub type Api = (AuthZen, Routes);

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub window: Duration,
    pub staleness: Staleness,
}

impl Settings {
    fn window(&self) -> Window {
        Window::new(self.window, self.staleness)
    }

    /// The age that no answer of the layer exceeds.
    pub fn bound(&self) -> Duration {
        self.window().bound()
    }
}

pub fn build(settings: Settings) -> Result<ZookieLayer<Api>, AnyError> {
    let capabilities = Capabilities {
        // With a token this service answers at its store's current revision, never at just the token's.
        read_mode: ReadMode::Current,
        ..Capabilities::versioned()
    };
    let tokens = InferaDb::new("gateway");
    let routes = Routes::builder(tokens.clone())
        .check(CheckRoute::get("/check").verdict(Verdict::json("allowed")))
        .write(WriteRoute::post("/relationships"))
        .capabilities(capabilities)
        .build()?;
    let layer = ZookieLayer::builder((AuthZen::new(tokens).capabilities(capabilities), routes))
        .window(settings.window, settings.staleness)
        .build()?;
    Ok(layer)
}
