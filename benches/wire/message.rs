//! What the layer asks in addition to checks, and the store's revisions as ZedTokens.

use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::{HybridTime, Revision, StoreId};
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::ZedTokens;
use tower_zookie_testing::spicedb::messages::ZedToken;

pub(crate) const SERVICE: &str = "authzed.api.v1.PermissionsService";
pub(crate) const BULK: &str = "/authzed.api.v1.PermissionsService/CheckBulkPermissions";

/// The engine whose revisions are like the embedded store's: one number that orders all writes.
pub(crate) const ENGINE: Engine = Engine::Spanner;

/// Reads and writes one store's tokens.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    format: ZedTokens,
    store: StoreId,
}

impl Tokens {
    pub(crate) fn new(node: &str) -> Self {
        Self {
            format: ZedTokens::new(ENGINE),
            // SpiceDB's tokens contain the beginning of their datastore's identity.
            store: StoreId::new(["spicedb", "spanner", &node[..8]]),
        }
    }

    pub(crate) fn encode(&self, revision: u64) -> Option<ZedToken> {
        let nanos = i64::try_from(revision).ok()?;
        let revision = Revision::new(self.store.clone(), HybridTime { nanos, logical: 0 });
        let token = self.format.encode(&revision)?.as_str().to_owned();
        Some(ZedToken { token })
    }

    pub(crate) fn decode(&self, token: &ZedToken) -> Option<u64> {
        let revision = self.format.decode(&token.token).ok()?;
        if *revision.store() != self.store {
            return None;
        }
        u64::try_from(revision.point::<HybridTime>()?.nanos).ok()
    }
}
