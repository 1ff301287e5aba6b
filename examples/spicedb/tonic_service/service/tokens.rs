//! The store's revisions as ZedTokens.

use spicedb_examples::v1::ZedToken;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::{HybridTime, Revision, StoreId};
use tower_zookie::store::Store;
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::ZedTokens;

use super::problem::Problem;

/// The engine whose revisions are like this store's: one number, issued at commit, that orders all writes, and exact
/// reads that give the same answer whenever they are asked.
pub(crate) const ENGINE: Engine = Engine::Spanner;

/// Reads and writes this store's tokens.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    format: ZedTokens,
    store: StoreId,
}

/// What a token names.
pub(super) enum Named {
    Revision(u64),
    OfAnotherStore,
}

impl Tokens {
    pub(super) fn new(store: &Store) -> Self {
        // As SpiceDB: a token contains the beginning of its datastore's identity.
        let prefix = &store.node_id()[..8];
        Self {
            format: ZedTokens::new(ENGINE),
            store: StoreId::new(["spicedb", "spanner", prefix]),
        }
    }

    pub(super) fn encode(&self, revision: u64) -> Result<ZedToken, Problem> {
        let time = i64::try_from(revision).map(|nanos| HybridTime { nanos, logical: 0 });
        let token = time
            .ok()
            .and_then(|time| self.format.encode(&Revision::new(self.store.clone(), time)));
        let token = token.ok_or_else(|| Problem::internal(&"the revision has no token"))?;
        Ok(ZedToken {
            token: token.as_str().to_owned(),
        })
    }

    pub(super) fn decode(&self, text: &str) -> Result<Named, Problem> {
        let revision = self.format.decode(text)?;
        if *revision.store() != self.store {
            return Ok(Named::OfAnotherStore);
        }
        let nanos = revision.point::<HybridTime>().map(|time| time.nanos);
        match nanos.and_then(|nanos| u64::try_from(nanos).ok()) {
            Some(number) => Ok(Named::Revision(number)),
            None => Err(Problem::invalid(&"the ZedToken's revision is below 0")),
        }
    }
}
