use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{sleep, timeout};

use crate::revision::VectorClock;
use crate::store::changes::Changes;
use crate::store::error::{CheckError, NodeBehind, QueryError, RevisionError, WriteError};
use crate::store::filter::Filter;
use crate::store::history::Transaction;
use crate::store::node::entry::{Body, Entry};
use crate::store::node::error::NodeWriteError;
use crate::store::node::following::{Arriving, Following, Pause};
use crate::store::node::link::LinkError;
use crate::store::node::shared::Shared;
use crate::store::node::stats::NodeStats;
use crate::store::relationship::{ObjectRef, Relationship, SubjectRef};
use crate::store::schema::Schema;
use crate::store::snapshot::{ReadMode, Replicated, SnapshotReader};
use crate::store::write::{Precondition, Update};
use crate::token::RevisionToken;

/// How many writes the link stores at once.
const BATCH: usize = 256;

/// A store that is one node of a group. See the [module](crate::store::node).
///
/// Its tasks run on the tokio runtime that it was started on, until it is dropped.
pub struct Node {
    shared: Arc<Shared>,
    reader: SnapshotReader,
    tasks: [AbortHandle; 4],
}

/// A write that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Names the write and everything that it saw.
    pub token: RevisionToken,
    /// The clock that the write saw: of what is not in it the write may have been concurrent.
    pub saw: VectorClock,
    /// The number of the write among those of its node.
    pub number: u64,
}

impl Node {
    pub(super) fn running(shared: Arc<Shared>, following: Following, incoming: Arriving) -> Self {
        let spawned = |task: JoinHandle<()>| task.abort_handle();
        let tasks = [
            spawned(tokio::spawn(following.run(incoming))),
            spawned(tokio::spawn(store_writes(Arc::clone(&shared)))),
            spawned(tokio::spawn(store_snapshots(Arc::clone(&shared)))),
            spawned(tokio::spawn(report(Arc::clone(&shared)))),
        ];
        Self {
            reader: SnapshotReader::new(Replicated::new(&shared.replica, None)),
            shared,
            tasks,
        }
    }

    /// The node's id in tokens: its name and the identity of its group, such as `us-west-1@8f3a2c41`.
    pub fn id(&self) -> &str {
        self.shared.replica.node()
    }

    /// Everything that the node has reached: the revision of its newest reads.
    pub fn clock(&self) -> VectorClock {
        let state = self.shared.replica.reading();
        state.nodes.spell(state.clock())
    }

    /// A token that names everything that the node has reached.
    pub fn current_token(&self) -> RevisionToken {
        self.reader.current_token()
    }

    /// A token that names a clock which the node has reached.
    pub fn token(&self, at: &VectorClock) -> RevisionToken {
        let own = self.id();
        let (node, number) = match at.get(own) {
            0 => at.iter().next().unwrap_or((own, 0)),
            number => (own, number),
        };
        RevisionToken::with_vector_clock(node, number, at.iter())
    }

    /// The clock at and above which snapshots can be read here.
    pub fn trim_clock(&self) -> VectorClock {
        let state = self.shared.replica.reading();
        state.nodes.spell(state.trim_clock())
    }

    /// Applies all updates at once. Ends when the link has stored them; the other nodes follow.
    ///
    /// If the returned future is dropped, the write may still be made.
    ///
    /// # Errors
    ///
    /// [`NodeWriteError`].
    pub async fn write(&self, updates: impl IntoIterator<Item = Update>) -> Result<Written, NodeWriteError> {
        self.write_if(updates, &[], None).await
    }

    /// Applies all updates at once, if every precondition holds here. If there is a token, the write waits until the node has
    /// reached it: then the write is later than everything that the token names, on every node.
    ///
    /// # Errors
    ///
    /// [`NodeWriteError`].
    pub async fn write_if(
        &self,
        updates: impl IntoIterator<Item = Update>,
        preconditions: &[Precondition],
        after: Option<&RevisionToken>,
    ) -> Result<Written, NodeWriteError> {
        let max = self.shared.replica.settings().max_updates;
        // One more than the limit is enough to see that there are too many.
        let updates: Arc<[Update]> = updates.into_iter().take(max.saturating_add(1)).collect();
        let count = updates.len().saturating_add(preconditions.len());
        if count > max {
            return Err(WriteError::TooLarge { count, max }.into());
        }
        self.wait_for(after).await?;
        let body = Body::Updates(Arc::clone(&updates));
        let entry = self
            .shared
            .admit(|state, wall, now| state.write(updates, preconditions, wall, now), body)?;
        self.acknowledged(entry).await
    }

    /// Writes a recorded transaction, however many updates it has: `max_updates` is for callers.
    ///
    /// # Errors
    ///
    /// [`NodeWriteError`].
    pub async fn load(&self, transaction: Transaction) -> Result<Written, NodeWriteError> {
        let updates: Arc<[Update]> = transaction.updates.into();
        self.apply(updates, &[]).await
    }

    async fn apply(&self, updates: Arc<[Update]>, preconditions: &[Precondition]) -> Result<Written, NodeWriteError> {
        let body = Body::Updates(Arc::clone(&updates));
        let entry = self
            .shared
            .admit(|state, wall, now| state.write(updates, preconditions, wall, now), body)?;
        self.acknowledged(entry).await
    }

    /// Replaces the schema, on every node. Of concurrent schemas the later one wins; relationships that the schema in force
    /// does not allow do not count.
    ///
    /// # Errors
    ///
    /// [`NodeWriteError`].
    pub async fn write_schema(&self, schema: Schema, after: Option<&RevisionToken>) -> Result<Written, NodeWriteError> {
        self.wait_for(after).await?;
        let body = Body::Schema(schema.source().into());
        let entry = self
            .shared
            .admit(|state, wall, now| state.write_schema(schema, wall, now), body)?;
        self.acknowledged(entry).await
    }

    async fn wait_for(&self, after: Option<&RevisionToken>) -> Result<(), NodeWriteError> {
        if let Some(token) = after {
            let reached = self.reader.wait_for(token, ReadMode::AtLeast).await;
            reached.map_err(NodeWriteError::Token)?;
        }
        Ok(())
    }

    async fn acknowledged(&self, entry: Entry) -> Result<Written, NodeWriteError> {
        let waited = self.shared.write_timeout;
        let acknowledged = timeout(waited, self.shared.acknowledged(entry.number)).await;
        acknowledged.map_err(|_| NodeWriteError::Unacknowledged { waited })??;
        let Entry { node, number, saw, .. } = entry;
        let others = saw.iter().filter(|(other, _)| **other != *node);
        let clock = others.chain([(&*node, number)]);
        Ok(Written {
            token: RevisionToken::with_vector_clock(&*node, number, clock),
            number,
            saw,
        })
    }

    /// [`Store::check`](crate::store::Store::check), at exactly a clock.
    ///
    /// # Errors
    ///
    /// [`CheckError`].
    pub fn check(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        at: &VectorClock,
    ) -> Result<bool, CheckError> {
        let replica = &self.shared.replica;
        let clock = replica.reading().numbers_of(at)?;
        replica.check(resource, permission, subject, clock.at())
    }

    /// The relationships of a filter that exist at exactly a clock, in order.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub fn read(&self, filter: &Filter, at: &VectorClock) -> Result<Vec<Relationship>, QueryError> {
        let state = self.shared.replica.reading();
        let clock = state.numbers_of(at)?;
        state.read(filter, clock.at())
    }

    /// The schema in force at a clock.
    ///
    /// # Errors
    ///
    /// [`RevisionError`].
    pub fn schema(&self, at: &VectorClock) -> Result<Arc<Schema>, RevisionError> {
        let state = self.shared.replica.reading();
        let clock = state.numbers_of(at)?;
        state.schema_at(clock.at())
    }

    /// The clock for reads that do not need the freshest data: what the node had reached at the start of the current window.
    /// See [`Store::quantized_revision`](crate::store::Store::quantized_revision).
    pub fn quantized_clock(&self, interval: Duration) -> VectorClock {
        let replica = &self.shared.replica;
        let revision = replica.quantized_revision(interval);
        let state = replica.reading();
        let clock = state.commit(revision).map_or(state.clock(), |commit| commit.clock.at());
        state.nodes.spell(clock)
    }

    /// How far a token lies behind this node: for each node the number of its writes that are here and not in the token.
    pub fn lag(&self, token: &RevisionToken) -> Vec<(Arc<str>, u64)> {
        let state = self.shared.replica.reading();
        let seen = state.numbers(token);
        (0..)
            .zip(state.clock().0)
            .map(|(node, reached)| {
                (
                    Arc::clone(state.nodes.name(node)),
                    reached.saturating_sub(seen.of(node)),
                )
            })
            .collect()
    }

    /// What of a token the node has not reached.
    pub fn missing(&self, token: &RevisionToken) -> Vec<NodeBehind> {
        self.shared.replica.reading().missing(token).nodes().to_vec()
    }

    /// What the node has, and how far it is.
    pub fn stats(&self) -> NodeStats {
        let taken = *self.shared.taken.borrow();
        NodeStats::of(&self.shared.replica, taken)
    }

    /// The changes of the node, its own and those that arrive, in the order in which its readers see them.
    pub(crate) fn watch(&self, after: u64) -> Changes {
        self.shared.replica.watch(after)
    }

    /// The place of a clock that the node had, in the order of its changes.
    pub(crate) fn revision_of(&self, clock: &VectorClock) -> Option<u64> {
        let state = self.shared.replica.reading();
        let numbers = state.numbers_of(clock).ok()?;
        state.revision_of(numbers.at())
    }

    pub(crate) fn current_revision(&self) -> u64 {
        self.shared.replica.current_revision()
    }

    /// The clock at a place in the order of the node's changes.
    pub(crate) fn clock_at(&self, revision: u64) -> Option<VectorClock> {
        let state = self.shared.replica.reading();
        Some(state.nodes.spell(state.commit(revision)?.clock.at()))
    }

    pub(crate) fn read_some(
        &self,
        filter: &Filter,
        at: &VectorClock,
        limit: usize,
    ) -> Result<Vec<Relationship>, QueryError> {
        let state = self.shared.replica.reading();
        let clock = state.numbers_of(at)?;
        state.read_some(filter, clock.at(), limit)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// The node hears of other nodes' writes as long as its reader exists.
impl From<Arc<Node>> for Replicated {
    fn from(node: Arc<Node>) -> Self {
        let replica = Arc::clone(&node.shared.replica);
        Self::new(&replica, Some(node))
    }
}

/// Lets the link store the node's writes, in order.
async fn store_writes(shared: Arc<Shared>) {
    let mut snapshots = 0;
    loop {
        let batch = shared.unstored(BATCH);
        let Some(last) = batch.last().map(|entry| entry.number) else {
            shared.written.notified().await;
            continue;
        };
        let mut pause = Pause::new();
        while let Err(error) = shared.link.append(&batch).await {
            if matches!(error, LinkError::Taken) {
                return shared.take_over_by_another();
            }
            if pause.is_first() {
                tracing::warn!(%error, source = error.source_text(), "writes wait until the link can store them");
            }
            pause.wait().await;
        }
        shared.stored(last);
        // The node whose write completes another part of the logs stores the snapshot.
        let writes: u64 = {
            let state = shared.replica.reading();
            let all = state.clock().0.iter();
            all.fold(0, |sum, number| sum.saturating_add(*number))
        };
        let due = writes / shared.snapshot_every;
        if due > snapshots {
            snapshots = due;
            shared.snapshot_due.notify_one();
        }
    }
}

/// Stores snapshots beside the writes, which do not wait for them.
async fn store_snapshots(shared: Arc<Shared>) {
    loop {
        shared.snapshot_due.notified().await;
        let snapshot = shared.snapshot();
        if let Err(error) = shared.link.store_snapshot(&snapshot).await {
            tracing::warn!(%error, source = error.source_text(), "no snapshot was stored, so that the logs stay long");
        }
    }
}

/// Tells the other nodes what this one has reached.
async fn report(shared: Arc<Shared>) {
    loop {
        sleep(shared.report_every).await;
        let (node, reached) = {
            let state = shared.replica.reading();
            (Arc::clone(state.nodes.own()), state.nodes.spell(state.seen_by_own()))
        };
        if let Err(error) = shared.link.report(&node, &reached).await {
            tracing::debug!(%error, "the other nodes do not hear what this one has reached");
        }
    }
}
