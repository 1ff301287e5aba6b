use std::collections::BTreeMap;

use super::{TokenError, TokenFormat, Zookie};
use crate::revision::Revision;

/// InferaDB's revision token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionToken {
    /// Node that generated the token.
    pub node_id: String,
    /// Revision number at that node.
    pub revision: u64,
    /// Vector clock.
    pub vector_clock: BTreeMap<String, u64>,
}

impl RevisionToken {
    /// The token of one node at a revision, with a clock of that one entry.
    pub fn new(node: impl Into<String>, revision: u64) -> Self {
        let node_id = node.into();
        let vector_clock = BTreeMap::from([(node_id.clone(), revision)]);
        Self {
            node_id,
            revision,
            vector_clock,
        }
    }
}

/// The format.
#[derive(Clone, Debug)]
pub struct InferaDb {}

impl TokenFormat for InferaDb {
    fn decode(&self, _text: &str) -> Result<Revision, TokenError> {
        Err(TokenError::malformed("not written yet"))
    }

    fn encode(&self, _revision: &Revision) -> Option<Zookie> {
        None
    }
}
