use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::store::changes::Changes;
use crate::store::check::{Evaluation, Question, UNKNOWN_RESOURCE, UNKNOWN_SUBJECT, Unsolved};
use crate::store::error::{CheckError, QueryError, RevisionError, WriteError, WriteSchemaError};
use crate::store::filter::Filter;
use crate::store::history::Transaction;
use crate::store::objects::SubjectKey;
use crate::store::relationship::{ObjectRef, Relationship, SubjectRef};
use crate::store::rules::Symbol;
use crate::store::schema::Schema;
use crate::store::settings::Settings;
use crate::store::state::State;
use crate::store::write::{Precondition, Update};

/// The most revisions that one write collects, so that a write after a long pause is not slow.
const COLLECTED_PER_WRITE: usize = 64;

/// Versioned relationships in memory. See the [module](crate::store).
///
/// Revisions are consecutive numbers; an empty store is at revision 1. Share a store behind an `Arc`. Reads and checks
/// run in parallel. A write waits for the running reads and checks, and they wait for a write; each wait is as short as
/// one such operation. The store works with and without an async runtime.
pub struct Store {
    node_id: String,
    created: Instant,
    settings: Settings,
    state: Arc<RwLock<State>>,
    head: watch::Sender<u64>,
}

impl Store {
    pub(super) fn with_settings(schema: Schema, settings: Settings) -> Self {
        let created = Instant::now();
        let state = State::new(schema, created);
        let head = watch::Sender::new(state.head());
        Self {
            node_id: format!("{:032x}", rand::random::<u128>()),
            created,
            settings,
            state: Arc::new(RwLock::new(state)),
            head,
        }
    }

    /// The identity of this store, chosen at random when it is created. Its revisions are meaningless to another store.
    pub fn node_id(&self) -> &str {
        &self.node_id
    }

    /// The revision of the latest write.
    pub fn current_revision(&self) -> u64 {
        self.reading().head()
    }

    /// The oldest revision that can still be read.
    pub fn oldest_revision(&self) -> u64 {
        self.reading().oldest()
    }

    /// Whether this revision can be read now.
    ///
    /// # Errors
    ///
    /// [`RevisionError`] if it can't.
    pub fn ensure_readable(&self, revision: u64) -> Result<(), RevisionError> {
        self.reading().readable(revision)
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
        let max = self.settings.max_updates;
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
        let revision = {
            let mut state = self.writing();
            let now = Instant::now();
            let revision = state.write(updates, preconditions, now)?;
            self.collect_old(&mut state, now);
            revision
        };
        self.announce(revision);
        Ok(revision)
    }

    /// Replaces the schema, at a new revision. Earlier revisions keep theirs.
    ///
    /// # Errors
    ///
    /// [`WriteSchemaError::InUse`] if a relationship exists that the new schema does not allow. Nothing changes then.
    pub fn write_schema(&self, schema: Schema) -> Result<u64, WriteSchemaError> {
        let revision = {
            let mut state = self.writing();
            let now = Instant::now();
            let revision = state.write_schema(schema, now)?;
            self.collect_old(&mut state, now);
            revision
        };
        self.announce(revision);
        Ok(revision)
    }

    /// The schema in force at a revision.
    ///
    /// # Errors
    ///
    /// [`RevisionError`].
    pub fn schema(&self, revision: u64) -> Result<Arc<Schema>, RevisionError> {
        self.reading().schema_at(revision)
    }

    /// The schema in force at the current revision, and that revision.
    pub(crate) fn current_schema(&self) -> Result<(Arc<Schema>, u64), RevisionError> {
        let state = self.reading();
        let head = state.head();
        Ok((state.schema_at(head)?, head))
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
        for object in [resource, subject.object_ref()] {
            if object.is_wildcard() {
                let object = object.to_string();
                return Err(CheckError::Wildcard { object });
            }
        }
        let state = self.reading();
        let rules = state.rules_at(revision)?;
        let symbols = &state.symbols;
        let resource_type = rules.known_type(symbols, resource.object_type())?;
        let (permission_symbol, _) = rules.known_member(symbols, resource.object_type(), permission)?;
        let subject_object = subject.object_ref();
        rules.known_type(symbols, subject_object.object_type())?;
        let relation = match subject.relation() {
            Some(relation) => rules.known_member(symbols, subject_object.object_type(), relation)?.0,
            None => Symbol::NONE,
        };
        let resource_number = state.objects.find(resource).unwrap_or(UNKNOWN_RESOURCE);
        let subject_number = match state.objects.find(subject_object) {
            Some(number) => number,
            None if subject_object == resource => resource_number,
            None => UNKNOWN_SUBJECT,
        };
        let wildcard = match subject.relation() {
            Some(_) => None,
            None => state.objects.find(&subject_object.wildcard_of()),
        };
        let question = Question {
            resource: resource_number,
            resource_type,
            permission: permission_symbol,
            subject: SubjectKey {
                relation,
                object: subject_number,
            },
            wildcard: wildcard.map(|object| SubjectKey { relation, object }),
        };
        let max = self.settings.max_check_steps;
        Evaluation::new(&state, rules, revision, question, max)
            .solve()
            .map_err(|unsolved| match unsolved {
                Unsolved::TooManySteps => CheckError::TooComplex { max },
                Unsolved::ExclusionCycle => CheckError::ExclusionCycle {
                    resource: resource.to_string(),
                    permission: permission.to_owned(),
                },
            })
    }

    /// The relationships of a filter that exist at a revision, in order.
    ///
    /// A filter without a resource id scans all resources of its type.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub fn read(&self, filter: &Filter, revision: u64) -> Result<Vec<Relationship>, QueryError> {
        self.reading().read(filter, revision)
    }

    /// At most `limit` of the relationships of a filter that exist at a revision, in any order.
    pub(crate) fn read_some(
        &self,
        filter: &Filter,
        revision: u64,
        limit: usize,
    ) -> Result<Vec<Relationship>, QueryError> {
        self.reading().read_some(filter, revision, limit)
    }

    /// The changes after the revision `after`, and every later change as it happens. See [`Changes`].
    pub fn watch(&self, after: u64) -> Changes {
        Changes::new(self.state.clone(), self.head.subscribe(), after)
    }

    /// Drops every revision before `oldest`, except the current one.
    pub fn garbage_collect(&self, oldest: u64) {
        self.writing().collect(oldest, usize::MAX);
    }

    /// The revision for reads that do not need the freshest data: the newest one committed at or before the start of
    /// the current window (or the oldest retained revision, if that is newer). All reads in one window get the same
    /// revision, and can share answers.
    ///
    /// Windows have the length `interval` and start when the store is created. With an interval of zero this is the
    /// current revision.
    pub fn quantized_revision(&self, interval: Duration) -> u64 {
        let state = self.reading();
        if interval.is_zero() {
            return state.head();
        }
        let now = Instant::now();
        let into_window = now.duration_since(self.created).as_nanos() % interval.as_nanos();
        let into_window = Duration::from_nanos(u64::try_from(into_window).unwrap_or(u64::MAX));
        state.revision_at(now.checked_sub(into_window).unwrap_or(self.created))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    fn collect_old(&self, state: &mut State, now: Instant) {
        let by_count = (state.head() + 1).saturating_sub(self.settings.max_revisions);
        let by_age = match now.checked_sub(self.settings.gc_window) {
            Some(instant) => state.revision_at(instant),
            None => 0,
        };
        state.collect(by_count.max(by_age), COLLECTED_PER_WRITE);
    }

    /// Wakes the tasks that wait for a revision. Two writers may call this in either order.
    fn announce(&self, revision: u64) {
        self.head.send_if_modified(|head| {
            let newer = revision > *head;
            if newer {
                *head = revision;
            }
            newer
        });
    }

    // It is safe to ignore poisoning: nothing between a write's first and last change can panic.
    pub(super) fn reading(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("node_id", &self.node_id)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
