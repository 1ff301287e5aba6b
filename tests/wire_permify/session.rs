//! A layer before a recorded Permify.

use tower_zookie::ZookieLayer;
use tower_zookie::protocol::Permify;
use tower_zookie::protocol::permify::Engine;

use crate::common::wire::{self, Call, Recording};
use crate::message::{token, written};

pub(crate) type Session = wire::Session<Permify>;

impl Session {
    pub(crate) fn new(recording: &Recording, engine: Engine) -> Self {
        Self::through(ZookieLayer::permify(engine), recording)
    }

    /// A session whose reads without a token may be as old as the window allows.
    pub(crate) fn windowed(recording: &Recording, engine: Engine) -> Self {
        let permify = Permify::new(engine).window_reads_without_token();
        Self::through(ZookieLayer::builder(permify).build().unwrap(), recording)
    }

    /// A session that has seen only the write of a call's token: the layer asks at exactly that token.
    pub(crate) async fn before(recording: &Recording, engine: Engine, call: &Call) -> Self {
        let session = Self::new(recording, engine);
        if let Some(token) = token(&call.request) {
            session.see(recording, &token).await;
        }
        session.upstream.skip_to(call.n);
        session
    }

    /// Lets the write of this token go through, if one was recorded.
    pub(crate) async fn see(&self, recording: &Recording, token: &str) {
        let mut writes = recording.calls.iter();
        if let Some(write) = writes.find(|call| written(call).as_deref() == Some(token)) {
            self.upstream.skip_to(write.n);
            self.send(&write.request).await;
        }
    }
}
