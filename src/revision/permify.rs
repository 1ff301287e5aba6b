use std::cmp::Ordering;

use super::Point;

/// The snapshot of one of Permify's writes on PostgreSQL: which transactions a read at its token may see.
///
/// A read sees the write itself, and of all others what is below `xmax` and was not in progress. Permify raises `xmax` to
/// one past the write's own transaction, so that transactions which had not ended when the snapshot was taken count as
/// visible: what a read at a token sees can change until they all have ended, and one write's number being above
/// another's says nothing. So a snapshot is at or after another only if all up to the other's transaction had ended
/// when it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PermifySnapshot {
    xid: u64,
    seen: Option<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Seen {
    xmin: u64,
    xmax: u64,
    in_progress: Box<[u64]>,
}

/// Why numbers are no [`PermifySnapshot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSnapToken {
    /// Not `xmin <= xid < xmax`.
    #[error("the write's transaction lies outside of its own snapshot; use the token as Permify gave it")]
    WriteOutside,
}

impl PermifySnapshot {
    /// A token from before Permify wrote snapshots into them.
    pub fn legacy(xid: u64) -> Self {
        Self { xid, seen: None }
    }
}

impl PartialOrd for PermifySnapshot {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl Point for PermifySnapshot {
    fn join(&self, other: &Self) -> Option<Self> {
        (self == other).then(|| self.clone())
    }
}
