//! A layer before a recorded SpiceDB.

use tower_zookie::ZookieLayer;
use tower_zookie::protocol::SpiceDb;
use tower_zookie::protocol::spicedb::Engine;

use crate::common::wire::{self, Call, Recording};

pub(crate) type Session = wire::Session<SpiceDb>;

impl Session {
    pub(crate) fn new(recording: &Recording, engine: Engine) -> Self {
        Self::through(ZookieLayer::spicedb(engine), recording)
    }

    /// A session through which all writes before a call have gone.
    pub(crate) async fn before(recording: &Recording, engine: Engine, n: usize) -> Self {
        let session = Self::new(recording, engine);
        for write in recording.calls.iter().filter(|call| call.n < n && is_write(call)) {
            session.upstream.skip_to(write.n);
            session.send(&write.request).await;
        }
        session.upstream.skip_to(n);
        session
    }
}

pub(crate) fn is_write(call: &Call) -> bool {
    let path = call.request.uri().path();
    [
        "/WriteSchema",
        "/WriteRelationships",
        "/DeleteRelationships",
        "/ImportBulkRelationships",
    ]
    .iter()
    .any(|method| path.ends_with(method))
        || [
            "/v1/relationships/write",
            "/v1/relationships/delete",
            "/v1/schema/write",
        ]
        .contains(&path)
}
