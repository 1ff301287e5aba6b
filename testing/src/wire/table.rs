//! What a cache may do with recorded calls.

use crate::sample::Sample;

/// What happens to a recorded reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Stored: the same call is served from memory, and so is the question without a consistency.
    Stored,
    /// Stored: the question without a consistency is served from memory. The same call is asked again, because it reads
    /// head.
    StoredForOthers,
    /// Stored at its snapshot: only the same call is served from memory.
    StoredAtItsSnapshot,
    /// Stored by age alone: a caller that accepts any answer is served from memory. The same call is asked again,
    /// because it reads head.
    StoredByAge,
    /// Not stored, for this reason. The second text is the detail of `Cache-Status`.
    NotStored(&'static str, &'static str),
    /// A bulk of which some items are stored, and which is never served whole, for this reason.
    InPart(&'static str),
    /// At a token that head lacks, where head may trail reads: after a read at head it is asked as it was sent. Only
    /// the answer at head is stored, for others.
    StoredAtHead,
    /// At a token that head lacks even when it is read once more: rejected. The answer at head is stored for others.
    Rejected,
    /// A write: forwarded unmodified, and its token is learned.
    Write,
    /// Not claimed by the cache.
    Passes,
}

use Then::NotStored;

/// A case, and what happens to it in memory and on PostgreSQL.
#[derive(Debug)]
pub struct Row(pub &'static str, pub Then, pub Then);

impl Row {
    pub fn on(&self, engine: impl Sample) -> Then {
        if engine.is_memory() { self.1 } else { self.2 }
    }
}

pub const UNREADABLE: &str = "what can't be read can't be keyed";

impl Then {
    pub fn is_unreadable(self) -> bool {
        matches!(self, NotStored(UNREADABLE, _))
    }
}

pub const fn unreadable(said: &'static str) -> Then {
    NotStored(UNREADABLE, said)
}

pub const fn row(case: &'static str, then: Then) -> Row {
    Row(case, then, then)
}
