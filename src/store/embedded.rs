use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::changes::Changes;
use crate::store::clock::At;
use crate::store::error::{CheckError, QueryError, RevisionError, WriteError, WriteSchemaError};
use crate::store::filter::Filter;
use crate::store::history::Transaction;
use crate::store::relationship::{ObjectRef, Relationship, SubjectRef};
use crate::store::replica::Replica;
use crate::store::schema::Schema;
use crate::store::settings::Settings;
use crate::store::state::Commit;
use crate::store::write::{Precondition, Update};

/// Versioned relationships in memory. See the [module](crate::store).
///
/// Revisions are consecutive numbers; an empty store is at revision 1. Share a store behind an `Arc`. Reads and checks
/// run in parallel. A write waits for the running reads and checks, and they wait for a write; each wait is as short as
/// one such operation. The store works with and without an async runtime.
pub struct Store {
    replica: Arc<Replica>,
}

impl Store {
    pub(super) fn with_settings(schema: Schema, settings: Settings) -> Self {
        let node = format!("{:032x}", rand::random::<u128>()).into();
        let replica = Replica::new(node, None, settings);
        replica.change(|state| state.start(schema, Instant::now()));
        Self {
            replica: Arc::new(replica),
        }
    }

    /// The identity of this store, chosen at random when it is created. Its revisions are meaningless to another store.
    pub fn node_id(&self) -> &str {
        self.replica.node()
    }

    /// The revision of the latest write.
    pub fn current_revision(&self) -> u64 {
        self.replica.current_revision()
    }

    /// The oldest revision that can still be read.
    pub fn oldest_revision(&self) -> u64 {
        self.replica.reading().oldest()
    }

    /// Whether this revision can be read now.
    ///
    /// # Errors
    ///
    /// [`RevisionError`] if it can't.
    pub fn ensure_readable(&self, revision: u64) -> Result<(), RevisionError> {
        self.replica.reading().readable(At(&[revision]))
    }

    /// Applies all updates at once, at a new revision.
    ///
    /// # Errors
    ///
    /// [`WriteError`]. Nothing changes then.
    pub fn write(&self, updates: impl IntoIterator<Item = Update>) -> Result<u64, WriteError> {
        self.write_if(updates, &[])
    }

    /// Applies all updates at once, at a new revision, if every precondition holds at the previous revision.
    ///
    /// A precondition without a resource id scans all resources of its type.
    ///
    /// # Errors
    ///
    /// [`WriteError`]. Nothing changes then.
    pub fn write_if(
        &self,
        updates: impl IntoIterator<Item = Update>,
        preconditions: &[Precondition],
    ) -> Result<u64, WriteError> {
        let max = self.replica.settings().max_updates;
        // One more than the limit is enough to see that there are too many.
        let updates: Vec<Update> = updates.into_iter().take(max.saturating_add(1)).collect();
        let count = updates.len().saturating_add(preconditions.len());
        if count > max {
            return Err(WriteError::TooLarge { count, max });
        }
        self.apply(updates, preconditions)
    }

    /// Applies a recorded transaction at a new revision, however many updates it has: `max_updates` is for callers.
    ///
    /// # Errors
    ///
    /// [`WriteError`]. Nothing changes then.
    pub fn load(&self, transaction: Transaction) -> Result<u64, WriteError> {
        self.apply(transaction.updates, &[])
    }

    fn apply(&self, updates: Vec<Update>, preconditions: &[Precondition]) -> Result<u64, WriteError> {
        let now = Instant::now();
        self.replica.change(|state| {
            let Commit { stamp, .. } = state.write(updates.into(), preconditions, 0, now)?;
            let revision = stamp.number;
            state.acknowledge(revision, now);
            self.replica.collect_old(state, now);
            Ok(revision)
        })
    }

    /// Replaces the schema, at a new revision. Earlier revisions keep theirs.
    ///
    /// # Errors
    ///
    /// [`WriteSchemaError::InUse`] if a relationship exists that the new schema does not allow. Nothing changes then.
    pub fn write_schema(&self, schema: Schema) -> Result<u64, WriteSchemaError> {
        let now = Instant::now();
        self.replica.change(|state| {
            let Commit { stamp, .. } = state.write_schema(schema, 0, now)?;
            let revision = stamp.number;
            state.acknowledge(revision, now);
            self.replica.collect_old(state, now);
            Ok(revision)
        })
    }

    /// The schema in force at a revision.
    ///
    /// # Errors
    ///
    /// [`RevisionError`].
    pub fn schema(&self, revision: u64) -> Result<Arc<Schema>, RevisionError> {
        self.replica.reading().schema_at(At(&[revision]))
    }

    /// Whether `subject` has the permission (or relation) to `resource` at a revision.
    ///
    /// A subject can be a userset: it has the permissions that relationships give to it by name, and it is a member of
    /// itself. Relationships can have cycles and any depth.
    ///
    /// # Errors
    ///
    /// [`CheckError`].
    pub fn check(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        revision: u64,
    ) -> Result<bool, CheckError> {
        self.replica.check(resource, permission, subject, At(&[revision]))
    }

    /// The relationships of a filter that exist at a revision, in order.
    ///
    /// A filter without a resource id scans all resources of its type.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub fn read(&self, filter: &Filter, revision: u64) -> Result<Vec<Relationship>, QueryError> {
        self.replica.reading().read(filter, At(&[revision]))
    }

    /// At most `limit` of the relationships of a filter that exist at a revision, in any order.
    pub(crate) fn read_some(
        &self,
        filter: &Filter,
        revision: u64,
        limit: usize,
    ) -> Result<Vec<Relationship>, QueryError> {
        self.replica.reading().read_some(filter, At(&[revision]), limit)
    }

    /// The changes after the revision `after`, and every later change as it happens. See [`Changes`].
    pub fn watch(&self, after: u64) -> Changes {
        self.replica.watch(after)
    }

    /// Drops every revision before `oldest`, except the current one.
    pub fn garbage_collect(&self, oldest: u64) {
        self.replica.change(|state| state.collect(oldest, usize::MAX));
    }

    /// The revision for reads that do not need the freshest data: the newest one committed at or before the start of
    /// the current window (or the oldest retained revision, if that is newer). All reads in one window get the same
    /// revision, and can share answers.
    ///
    /// Windows have the length `interval` and start when the store is created. With an interval of zero this is the
    /// current revision.
    pub fn quantized_revision(&self, interval: Duration) -> u64 {
        self.replica.quantized_revision(interval)
    }

    pub(super) fn replica(&self) -> &Arc<Replica> {
        &self.replica
    }

    #[cfg(test)]
    pub(super) fn reading(&self) -> std::sync::RwLockReadGuard<'_, crate::store::state::State> {
        self.replica.reading()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("node_id", &self.node_id())
            .field("settings", self.replica.settings())
            .finish_non_exhaustive()
    }
}
