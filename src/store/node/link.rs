use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;

use crate::revision::VectorClock;
use crate::store::node::entry::{Entry, Snapshot};

/// What a [`Link`] will reply.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, LinkError>> + Send + 'a>>;

/// Carries the logs of a group's nodes to each other, and stores them.
///
/// Each node has a log of its own, which only this node appends to. A link delivers the entries of one node in their order;
/// it may deliver them more than once, and those of different nodes in any order.
pub trait Link: fmt::Debug + Send + Sync + 'static {
    /// The identity of the group whose logs these are, chosen at random when the logs are created. It becomes a part of the
    /// nodes' ids, so that tokens of another group are recognised.
    fn group(&self) -> &str;

    /// The largest entry that the link can carry, as JSON, in bytes. By default entries can have any size.
    fn max_entry_size(&self) -> usize {
        usize::MAX
    }

    /// Reads the logs of all nodes after a clock, those of `node` included, and then every later entry.
    ///
    /// # Errors
    ///
    /// [`LinkError::Unavailable`]; it is tried again. [`LinkError::Taken`] if another process has begun to write as this node
    /// since this process has.
    fn open<'a>(&'a self, node: &'a str, after: &'a VectorClock) -> Pending<'a, Opened>;

    /// Appends entries to the log of the node that wrote them. When this returns, they are not lost even if the node and the
    /// link's server are killed. Entries that the log already has are not appended again.
    ///
    /// The first entry of a log tells the other nodes of one more node, which has not seen what they are about to forget. So when
    /// such an append has returned, every other node gets this entry before any entry or report that is sent later.
    ///
    /// # Errors
    ///
    /// [`LinkError::Taken`] if another process has appended to this log: this process must write nothing more.
    /// [`LinkError::TooLarge`] if an entry is larger than the link can carry. After [`LinkError::Unavailable`] the entries may
    /// or may not be in the log; the same call is tried again until it succeeds.
    fn append<'a>(&'a self, entries: &'a [Entry]) -> Pending<'a, ()>;

    /// Tells the other nodes what this node has reached. It may be lost.
    ///
    /// # Errors
    ///
    /// [`LinkError::Unavailable`]; it is not tried again.
    fn report<'a>(&'a self, node: &'a str, reached: &'a VectorClock) -> Pending<'a, ()>;

    /// Stores a snapshot for nodes that start later, and drops the entries that it includes from the logs. A snapshot whose
    /// clock is not at or above that of the stored one is ignored.
    ///
    /// # Errors
    ///
    /// [`LinkError::Unavailable`]; the logs still have everything then.
    fn store_snapshot<'a>(&'a self, snapshot: &'a Snapshot) -> Pending<'a, ()>;
}

/// Logs that are being read.
#[non_exhaustive]
pub struct Opened {
    /// The stored snapshot, if the logs no longer have every entry after the clock that was asked for.
    pub snapshot: Option<Snapshot>,
    /// The ends of the logs of all nodes. They must include every entry that was stored before the call: a node that starts
    /// reads up to these before it writes, so that its writes are later than everything that was written before. A link that
    /// can't learn the ends of a log is unavailable.
    pub ends: VectorClock,
    /// What comes from the nodes. It ends with an error, and is then opened again.
    pub incoming: Pin<Box<dyn Stream<Item = Result<Incoming, LinkError>> + Send>>,
}

impl Opened {
    /// Logs that still have every entry.
    pub fn new(ends: VectorClock, incoming: impl Stream<Item = Result<Incoming, LinkError>> + Send + 'static) -> Self {
        Self {
            snapshot: None,
            ends,
            incoming: Box::pin(incoming),
        }
    }

    /// The logs begin after this snapshot.
    #[must_use]
    pub fn after_snapshot(mut self, snapshot: Option<Snapshot>) -> Self {
        self.snapshot = snapshot;
        self
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("ends", &self.ends)
            .field("from_snapshot", &self.snapshot.is_some())
            .finish_non_exhaustive()
    }
}

/// What comes from a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Incoming {
    /// An entry of its log.
    Entry(Entry),
    /// What it has reached.
    Reached {
        /// The node's id.
        node: Arc<str>,
        /// Its clock.
        clock: VectorClock,
    },
}

/// Why a link failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The logs can't be reached now.
    #[error("the logs of the group can't be reached")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// Another process writes as the same node.
    #[error("another process writes as this node; give each process a node name of its own")]
    Taken,
    /// An entry is larger than the link can carry. No entry of the call was appended, and trying it again does not help.
    #[error("entry {number} has {size} bytes as JSON, and this link carries at most {limit}")]
    TooLarge {
        /// The number of the entry.
        number: u64,
        /// Its size as JSON, in bytes.
        size: usize,
        /// The largest size, in bytes.
        limit: usize,
    },
}

impl LinkError {
    /// The cause as text, for a log.
    pub(super) fn source_text(&self) -> Option<String> {
        self.source().map(ToString::to_string)
    }

    /// The logs can't be reached now, because of this.
    pub fn unavailable(why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(why.into())
    }
}
