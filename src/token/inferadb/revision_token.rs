use std::cmp::Ordering;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::revision::compare_clocks;

/// InferaDB's revision token: a node, its revision, and the revision of every node that it knew then.
///
/// As text it is JSON in standard, padded base64, or the shorter [compact form](Self::encode_compact). The order of the
/// clock's entries in JSON is not fixed, so one token has several spellings. Compare tokens, never their text.
///
/// Tokens are ordered by their vector clocks, like [`VectorClock`](crate::revision::VectorClock): over the union of the
/// nodes, where a missing entry is 0. The order is partial: of two tokens, it is possible that neither is after the
/// other. `==` compares the fields.
///
/// ```
/// use tower_zookie::token::RevisionToken;
///
/// let written = RevisionToken::new("node1", 42);
/// let text = written.encode();
/// assert_eq!(text, "eyJub2RlX2lkIjoibm9kZTEiLCJyZXZpc2lvbiI6NDIsInZlY3Rvcl9jbG9jayI6eyJub2RlMSI6NDJ9fQ==");
/// assert_eq!(RevisionToken::decode(&text)?, written);
///
/// let elsewhere = RevisionToken::new("node2", 15);
/// assert!(written.is_concurrent_with(&elsewhere));
/// assert!(written.merge(&elsewhere).is_after(&written));
/// # Ok::<(), tower_zookie::token::TokenError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct RevisionToken {
    /// The node that generated the token.
    pub node_id: String,
    /// The revision at that node, from 1.
    pub revision: u64,
    /// The revision of every node that this node knew, including its own.
    pub vector_clock: BTreeMap<String, u64>,
}

/// Which of InferaDB's five rules a [`RevisionToken`] breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// The node id is empty.
    #[error("the node id is empty")]
    EmptyNodeId,
    /// The revision is 0.
    #[error("the revision is 0, and revisions count from 1")]
    ZeroRevision,
    /// The vector clock is empty.
    #[error("the vector clock is empty")]
    EmptyClock,
    /// The vector clock has no entry of the token's own node.
    #[error("the vector clock has no entry of the token's own node")]
    MissingEntry,
    /// The token's revision is not the entry of its own node in the vector clock.
    #[error("the vector clock's entry of the token's own node is not its revision")]
    EntryMismatch,
}

impl RevisionToken {
    /// The token of `revision` at a node that knows no other node.
    pub fn new(node_id: impl Into<String>, revision: u64) -> Self {
        let node_id = node_id.into();
        Self {
            vector_clock: BTreeMap::from([(node_id.clone(), revision)]),
            node_id,
            revision,
        }
    }

    /// The token of `revision` at a node that knows other nodes. The clock can be a `HashMap<String, u64>`.
    ///
    /// This function checks nothing: see [`validate`](Self::validate).
    pub fn with_vector_clock<K: Into<String>>(
        node_id: impl Into<String>,
        revision: u64,
        vector_clock: impl IntoIterator<Item = (K, u64)>,
    ) -> Self {
        Self {
            node_id: node_id.into(),
            revision,
            vector_clock: vector_clock
                .into_iter()
                .map(|(node, count)| (node.into(), count))
                .collect(),
        }
    }

    /// The token as text: compact JSON in standard, padded base64, the clock ascending by node.
    pub fn encode(&self) -> String {
        // Serializing strings and numbers into memory can't fail.
        STANDARD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Checks the token against InferaDB's five rules.
    ///
    /// # Errors
    ///
    /// The first [`InvalidToken`] rule that it breaks.
    pub fn validate(&self) -> Result<(), InvalidToken> {
        if self.node_id.is_empty() {
            return Err(InvalidToken::EmptyNodeId);
        }
        if self.revision == 0 {
            return Err(InvalidToken::ZeroRevision);
        }
        if self.vector_clock.is_empty() {
            return Err(InvalidToken::EmptyClock);
        }
        match self.vector_clock.get(&self.node_id) {
            None => Err(InvalidToken::MissingEntry),
            Some(entry) if *entry != self.revision => Err(InvalidToken::EntryMismatch),
            Some(_) => Ok(()),
        }
    }

    /// Whether this token knows all that `other` knows, and more.
    pub fn is_after(&self, other: &Self) -> bool {
        self.compare(other) == Some(Ordering::Greater)
    }

    /// Whether `other` knows all that this token knows, and more.
    pub fn is_before(&self, other: &Self) -> bool {
        self.compare(other) == Some(Ordering::Less)
    }

    /// Whether each token knows something that the other does not. Tokens with equal clocks are not concurrent.
    pub fn is_concurrent_with(&self, other: &Self) -> bool {
        self.compare(other).is_none()
    }

    /// How far `behind` lies behind this token, by node: for each node of this token's clock, the difference of the entries, and
    /// 0 where `behind` is not behind.
    ///
    /// ```
    /// use tower_zookie::token::RevisionToken;
    ///
    /// let current = RevisionToken::with_vector_clock("west", 42, [("east", 38), ("west", 42)]);
    /// let lag = current.lag(&RevisionToken::with_vector_clock("west", 40, [("east", 39), ("west", 40)]));
    /// assert_eq!(lag.into_iter().collect::<Vec<_>>(), [("east", 0), ("west", 2)]);
    /// ```
    pub fn lag<'a>(&'a self, behind: &Self) -> BTreeMap<&'a str, u64> {
        let entry = |node: &str| behind.vector_clock.get(node).copied().unwrap_or_default();
        entries(&self.vector_clock)
            .map(|(node, count)| (node, count.saturating_sub(entry(node))))
            .collect()
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        compare_clocks(entries(&self.vector_clock), entries(&other.vector_clock))
    }

    /// The least token at or after both: the greater entry of either clock, node by node.
    ///
    /// Its node id is the first of the two in alphabetical order, and its revision is that node's entry. So merging is
    /// commutative, associative and idempotent, and two valid tokens merge into a valid token.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let mut vector_clock = self.vector_clock.clone();
        for (node, count) in &other.vector_clock {
            let entry = vector_clock.entry(node.clone()).or_default();
            *entry = (*entry).max(*count);
        }
        let node_id = (&self.node_id).min(&other.node_id).clone();
        Self {
            revision: vector_clock.get(&node_id).copied().unwrap_or_default(),
            node_id,
            vector_clock,
        }
    }
}

fn entries(clock: &BTreeMap<String, u64>) -> impl Iterator<Item = (&str, u64)> {
    clock.iter().map(|(node, count)| (node.as_str(), *count))
}
