//! InferaDB's revision tokens.

mod compact;
mod read;
mod revision_token;
#[cfg(test)]
mod tests;

use crate::byte_size::ByteSize;
use crate::invalid_setting::InvalidSetting;
use crate::revision::{Revision, StoreId, VectorClock};
use crate::token::error::TokenError;
use crate::token::format::{TokenFormat, at_least_a_byte};
use crate::token::zookie::Zookie;

pub use revision_token::{InvalidToken, RevisionToken};

/// InferaDB's [`RevisionToken`] as a [`TokenFormat`]. Its revisions are [`VectorClock`]s.
///
/// ```
/// use tower_zookie::token::{InferaDb, RevisionToken, TokenFormat};
///
/// let format = InferaDb::cluster("production");
/// let older = format.decode(&RevisionToken::new("node1", 1).encode())?;
/// let newer = format.decode(&RevisionToken::with_vector_clock("node2", 1, [("node1", 1), ("node2", 1)]).encode())?;
/// assert!(newer > older);
/// # Ok::<(), tower_zookie::token::TokenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct InferaDb {
    scope: Scope,
    max_len: usize,
    max_nodes: usize,
    compact: bool,
}

#[derive(Clone, Debug)]
enum Scope {
    Node { name: String },
    Cluster { store: StoreId },
}

impl InferaDb {
    /// Tokens of nodes that do not replicate to each other: every node id is a separate store, and tokens of different
    /// nodes never compare. `name` identifies this deployment.
    pub fn new(name: impl Into<String>) -> Self {
        Self::of(Scope::Node { name: name.into() })
    }

    /// Tokens of one replicated cluster: its nodes share one store, and their vector clocks order its revisions. `name`
    /// identifies this cluster.
    pub fn cluster(name: impl AsRef<str>) -> Self {
        Self::of(Scope::Cluster {
            store: StoreId::new(["inferadb", name.as_ref()]),
        })
    }

    fn of(scope: Scope) -> Self {
        Self {
            scope,
            max_len: read::DEFAULT_MAX_LEN,
            max_nodes: read::DEFAULT_MAX_NODES,
            compact: false,
        }
    }

    /// Sets the limit of a token's length.
    ///
    /// By default 4 KiB. At least 1 byte; [`build`](crate::ZookieLayerBuilder::build) checks it.
    #[must_use]
    pub fn max_len(mut self, len: ByteSize) -> Self {
        self.max_len = len.as_len();
        self
    }

    /// Sets the limit of entries in a vector clock.
    ///
    /// By default 100, and at least 1. With names of ordinary length, as many fit into a token of the default length.
    #[must_use]
    pub fn max_nodes(mut self, nodes: usize) -> Self {
        self.max_nodes = nodes;
        self
    }

    /// The revision of a clock of one cluster.
    #[cfg(feature = "store")]
    pub(crate) fn revision(&self, clock: VectorClock) -> Revision {
        let store = self.store_of(clock.iter().next().map_or("", |(node, _)| node));
        Revision::new(store, clock)
    }

    /// Whether tokens are written in the [compact](RevisionToken::encode_compact) form. Both forms are read, whatever is set.
    ///
    /// By default they are written in the JSON form, which InferaDB's own document describes.
    #[must_use]
    pub fn compact(mut self, compact: bool) -> Self {
        self.compact = compact;
        self
    }

    fn store_of(&self, node_id: &str) -> StoreId {
        match &self.scope {
            Scope::Node { name } => StoreId::new(["inferadb", name, node_id]),
            Scope::Cluster { store } => store.clone(),
        }
    }
}

impl TokenFormat for InferaDb {
    fn decode(&self, text: &str) -> Result<Revision, TokenError> {
        let token = read::token(text, self.max_len, self.max_nodes)?;
        let store = self.store_of(&token.node_id);
        let clock: VectorClock = token.vector_clock.into_iter().collect();
        Ok(Revision::new(store, clock))
    }

    fn validate(&self) -> Result<(), InvalidSetting> {
        at_least_a_byte(self.max_len)?;
        if self.max_nodes == 0 {
            let problem = "is 0, so every token would be rejected; set it to 1 or more";
            return Err(InvalidSetting::new("max_nodes", problem));
        }
        Ok(())
    }

    /// The token's node is the one with the greatest entry among the nodes of this store. If several have it, the token
    /// has the first of them in alphabetical order.
    fn encode(&self, revision: &Revision) -> Option<Zookie> {
        let clock: &VectorClock = revision.point()?;
        if clock.len() > self.max_nodes {
            return None;
        }
        let (node_id, own) = clock
            .iter()
            .filter(|(node, _)| !node.is_empty() && self.store_of(node) == *revision.store())
            .max_by(|(a, m), (b, n)| m.cmp(n).then(b.cmp(a)))?;
        let token = RevisionToken::with_vector_clock(node_id, own, clock.iter());
        let text = match self.compact {
            true => token.encode_compact(),
            false => token.encode(),
        };
        Zookie::new(&text, self.max_len).ok()
    }
}
