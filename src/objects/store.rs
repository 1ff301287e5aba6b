use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::objects::error::ObjectsError;
use crate::objects::key::ObjectKey;
use crate::objects::record::{Record, Update};

/// What a store of objects' tokens will reply.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, ObjectsError>> + Send + 'a>>;

/// A store that remembers the tokens of objects, shared by all replicas.
///
/// It must be linearizable for each key: a look-up that begins after an update has succeeded sees the update. It may keep a
/// record for longer than [`Update::keep`], and never for less. If a clock jumps, records may stay longer, and must not end
/// sooner.
pub trait ObjectTokens: fmt::Debug + Send + Sync + 'static {
    /// What is remembered of each of these objects, in their order. An object without a record has an empty one. The keys
    /// are all different.
    fn look_up<'a>(&'a self, keys: &'a [ObjectKey]) -> Reply<'a, Vec<Record>>;

    /// Changes these records, each by compare-and-set: a record that has changed since it was read is read again, and the
    /// update applied again. The keys are all different. Not atomic for all of them: after an error, some updates may have
    /// been made.
    fn update<'a>(&'a self, updates: &'a [(ObjectKey, Update)]) -> Reply<'a, ()>;

    /// Opens a feed of all changes. It says at least once in `heartbeat` how far it is complete.
    fn follow(&self, heartbeat: Duration) -> Reply<'_, Box<dyn ObjectFeed>>;
}

/// The changes of a store. It begins with everything that the store holds.
pub trait ObjectFeed: fmt::Debug + Send {
    /// Waits for the next changes.
    ///
    /// An error ends the feed: the follower opens another one.
    fn next(&mut self) -> Reply<'_, FeedBatch>;
}

/// Changes that a feed reports.
#[derive(Clone, Debug, Default)]
pub struct FeedBatch {
    /// Records after their change. A record may be reported more than once, and may be newer than the change.
    pub changed: Vec<(ObjectKey, Record)>,
    /// This batch and the earlier ones have every update that had succeeded at this instant. It is an instant of this
    /// process: the store takes it, asks, and reports it when the answer is there. `None`: the feed is not that far.
    pub complete_to: Option<Instant>,
}
