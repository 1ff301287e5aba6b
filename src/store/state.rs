use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use crate::revision::VectorClock;
use crate::store::change::Change;
use crate::store::clock::{At, Clock, NodeIndex, Nodes, OWN, Stamp};
use crate::store::error::{Behind, NodeBehind, QueryError, RevisionError, UnknownName, WriteError, WriteSchemaError};
use crate::store::filter::Filter;
use crate::store::objects::{Objects, Scope, Trimmed, Version};
use crate::store::relationship::{ObjectRef, Relationship, SubjectRef};
use crate::store::rules::{Allowed, Form, Rules, Symbols};
use crate::store::schema::Schema;
use crate::store::write::{Operation, Precondition, Update};

/// A schema and the write that put it in force.
#[derive(Debug)]
struct SchemaVersion {
    stamp: Stamp,
    schema: Arc<Schema>,
    rules: Arc<Rules>,
}

/// One write.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) at: Instant,
    pub(super) stamp: Stamp,
    /// The clock with it; of a write that is not acknowledged yet, the clock that it saw.
    pub(super) clock: Clock,
    pub(super) what: What,
}

/// What a write did.
#[derive(Clone, Debug)]
pub(super) enum What {
    Updates(Arc<[Update]>),
    Schema,
    /// A snapshot of other nodes' writes was taken over.
    Everything,
}

/// The first write of a store: its schema loses to every schema that is written.
const FIRST: Stamp = Stamp {
    time: 0,
    number: 1,
    node: OWN,
};

/// The data that the store's lock protects.
#[derive(Debug)]
pub(super) struct State {
    pub(super) symbols: Symbols,
    pub(super) objects: Objects,
    pub(super) nodes: Nodes,
    /// Whether other nodes can write, too.
    grouped: bool,
    /// The newest write of each node that this store has heard of.
    known: Clock,
    /// In the order in which later ones win.
    schemas: Vec<SchemaVersion>,
    /// One commit per revision, from the oldest retained one to the current one. It is never empty.
    log: VecDeque<Commit>,
    /// The revision of the oldest commit: its place in the order in which this store learned of all writes.
    oldest: u64,
    /// What readers see now.
    clock: Clock,
    /// Writes of this store that are not acknowledged yet, and that no reader sees.
    pending: VecDeque<Commit>,
    /// The latest timestamp of all writes.
    time: u64,
    /// Of each other node what all of its writes that are still to come have seen.
    seen_by: Vec<Clock>,
    /// Deletions that another node may not have seen, although the revisions before them were collected.
    unsettled: VecDeque<(Stamp, Relationship)>,
    /// The revision that the first readers saw.
    served_from: u64,
}

impl State {
    /// A state without a schema and without relationships, at revision 0.
    pub(super) fn new(node: Arc<str>, grouped: bool, now: Instant) -> Self {
        let stamp = Stamp {
            time: 0,
            number: 0,
            node: OWN,
        };
        let first = Commit {
            at: now,
            stamp,
            clock: Clock::default(),
            what: What::Everything,
        };
        Self {
            symbols: Symbols::default(),
            objects: Objects::default(),
            nodes: Nodes::new(node),
            grouped,
            known: Clock::default(),
            schemas: Vec::new(),
            log: VecDeque::from([first]),
            oldest: 0,
            clock: Clock::default(),
            pending: VecDeque::new(),
            time: 0,
            seen_by: Vec::new(),
            unsettled: VecDeque::new(),
            served_from: 0,
        }
    }

    /// Makes the schema that a store is created with its first revision. There is nothing before it.
    pub(super) fn start(&mut self, schema: Schema, now: Instant) {
        let stamp = FIRST;
        let rules = Rules::new(&schema, &mut self.symbols);
        self.install(schema, rules, stamp);
        self.show(stamp, What::Schema, now);
        self.collect(self.head(), usize::MAX);
    }

    /// Begins the log of a node. Its schema loses to every schema that was written.
    pub(super) fn join_group(&mut self, schema: Schema, now: Instant) -> &Commit {
        let stamp = FIRST;
        let rules = Rules::new(&schema, &mut self.symbols);
        self.install(schema, rules, stamp);
        self.pend(stamp, What::Schema, now)
    }

    /// The current revision.
    pub(super) fn head(&self) -> u64 {
        self.oldest + self.log.len() as u64 - 1
    }

    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }

    pub(super) fn clock(&self) -> At<'_> {
        self.clock.at()
    }

    /// The clock at and above which snapshots can be read.
    pub(super) fn trim_clock(&self) -> At<'_> {
        self.log.front().map_or(At(&[]), |oldest| oldest.clock.at())
    }

    /// The latest timestamp of all writes.
    pub(super) fn time(&self) -> u64 {
        self.time
    }

    /// What of a clock this store has not reached.
    pub(super) fn behind(&self, at: At<'_>) -> Option<Behind> {
        let wanted = (0..).zip(at.0);
        let behind = wanted.filter_map(|(node, requested)| {
            let reached = self.clock.of(node);
            (reached < *requested).then(|| NodeBehind {
                node: self.nodes.name(node).to_string(),
                requested: *requested,
                reached,
            })
        });
        let behind: Vec<NodeBehind> = behind.collect();
        (!behind.is_empty()).then_some(Behind::new(behind))
    }

    pub(super) fn readable(&self, at: At<'_>) -> Result<(), RevisionError> {
        if !self.clock().covers(at) {
            let behind = self.behind(at).unwrap_or_default();
            return Err(RevisionError::NotReached { behind });
        }
        let trim = self.trim_clock();
        let expired = (0..).zip(trim.0).find(|(node, oldest)| at.of(*node) < **oldest);
        match expired {
            None => Ok(()),
            Some((node, oldest)) => Err(RevisionError::SnapshotExpired {
                requested: at.of(node),
                oldest: *oldest,
                node: self.nodes.name(node).to_string(),
            }),
        }
    }

    fn version_at(&self, at: At<'_>) -> Option<&SchemaVersion> {
        let mut newest_first = self.schemas.iter().rev();
        newest_first.find(|version| at.sees(&version.stamp))
    }

    pub(super) fn rules_at(&self, at: At<'_>) -> Result<Arc<Rules>, RevisionError> {
        self.readable(at)?;
        Ok(self
            .version_at(at)
            .map(|version| Arc::clone(&version.rules))
            .unwrap_or_default())
    }

    pub(super) fn schema_at(&self, at: At<'_>) -> Result<Arc<Schema>, RevisionError> {
        self.readable(at)?;
        let schema = self.version_at(at).map(|version| Arc::clone(&version.schema));
        Ok(schema.unwrap_or_default())
    }

    /// The commit of a retained revision.
    pub(super) fn commit(&self, revision: u64) -> Option<&Commit> {
        self.log.get(usize::try_from(revision.checked_sub(self.oldest)?).ok()?)
    }

    pub(super) fn change(&self, revision: u64) -> Option<Change> {
        let what = &self.commit(revision)?.what;
        Some(match what {
            What::Updates(updates) => Change::new(revision, Arc::clone(updates), false),
            What::Schema | What::Everything => Change::new(revision, Arc::new([]), true),
        })
    }

    /// The retained revision at which the store had just this clock.
    pub(super) fn revision_of(&self, clock: At<'_>) -> Option<u64> {
        let index = self.log.partition_point(|commit| !commit.clock.at().covers(clock));
        let commit = self.log.get(index)?;
        clock.covers(commit.clock.at()).then_some(self.oldest + index as u64)
    }

    /// From now on there are readers. What was read before is no news for them, even if it was read just now.
    pub(super) fn begin_to_serve(&mut self) {
        self.served_from = self.head();
    }

    pub(super) fn served_from(&self) -> u64 {
        self.served_from
    }

    /// The newest retained revision committed at or before `instant`, or the oldest retained one.
    pub(super) fn revision_at(&self, instant: Instant) -> u64 {
        let committed = self.log.partition_point(|commit| commit.at <= instant) as u64;
        self.oldest + committed.saturating_sub(1)
    }

    /// The newest write of each node that this store has heard of.
    pub(super) fn known(&self) -> At<'_> {
        self.known.at()
    }

    /// Takes note of writes that exist.
    pub(super) fn hear_of(&mut self, at: At<'_>) {
        self.known.join(at);
    }

    /// What a new write of this store sees: also its own writes that are not acknowledged yet.
    fn for_writes(&self) -> Clock {
        let mut clock = self.clock.clone();
        clock.set(OWN, u64::MAX);
        clock
    }

    /// The stamp of the next write of this store, of whose clock it is `wall` now.
    fn next_stamp(&self, wall: u64) -> Option<Stamp> {
        let written = self.clock.of(OWN).checked_add(self.pending.len() as u64)?;
        Some(Stamp {
            time: self.time.checked_add(1)?.max(wall),
            number: written.checked_add(1).filter(|number| *number < u64::MAX)?,
            node: OWN,
        })
    }

    /// Writes relationships. Readers see them after [`Self::acknowledge`].
    pub(super) fn write(
        &mut self,
        updates: Arc<[Update]>,
        preconditions: &[Precondition],
        wall: u64,
        now: Instant,
    ) -> Result<&Commit, WriteError> {
        let sees = self.for_writes();
        let rules = self
            .version_at(sees.at())
            .map(|version| Arc::clone(&version.rules))
            .unwrap_or_default();
        let mut seen = HashSet::with_capacity(updates.len());
        for Update {
            operation,
            relationship,
        } in &*updates
        {
            let allowed = is_allowed(&rules, &self.symbols, relationship, *operation)?;
            let relationship = || relationship.clone();
            if !allowed {
                let relationship = relationship();
                return Err(WriteError::SubjectNotAllowed { relationship });
            }
            if !seen.insert(relationship()) {
                let relationship = relationship();
                return Err(WriteError::Duplicate { relationship });
            }
        }
        for (index, precondition) in preconditions.iter().enumerate() {
            let found = self
                .matching(&rules, precondition.filter(), sees.at())?
                .next()
                .is_some();
            if found != precondition.wants_match() {
                return Err(WriteError::PreconditionFailed { index });
            }
        }
        for update in &*updates {
            let relationship = &update.relationship;
            match (
                update.operation,
                self.objects.exists_at(&self.symbols, relationship, sees.at()),
            ) {
                (Operation::Create, true) => {
                    let relationship = relationship.clone();
                    return Err(WriteError::AlreadyExists { relationship });
                }
                (Operation::Delete, false) => {
                    let relationship = relationship.clone();
                    return Err(WriteError::DoesNotExist { relationship });
                }
                _ => {}
            }
        }
        let stamp = self.next_stamp(wall).ok_or(WriteError::Exhausted)?;
        self.update(&updates, stamp, sees.at());
        Ok(self.pend(stamp, What::Updates(updates), now))
    }

    pub(super) fn write_schema(
        &mut self,
        schema: Schema,
        wall: u64,
        now: Instant,
    ) -> Result<&Commit, WriteSchemaError> {
        let rules = Rules::new(&schema, &mut self.symbols);
        let sees = self.for_writes();
        let existing = self.objects.relationships(&self.symbols, Scope::All, sees.at());
        for relationship in existing {
            if !is_allowed(&rules, &self.symbols, &relationship, Operation::Touch).unwrap_or(false) {
                return Err(WriteSchemaError::InUse { relationship });
            }
        }
        let stamp = self.next_stamp(wall).ok_or(WriteSchemaError::Exhausted)?;
        self.install(schema, rules, stamp);
        Ok(self.pend(stamp, What::Schema, now))
    }

    fn pend(&mut self, stamp: Stamp, what: What, at: Instant) -> &Commit {
        self.time = self.time.max(stamp.time);
        let mut saw = self.clock.clone();
        saw.set(OWN, stamp.number - 1);
        self.pending.push_back(Commit {
            at,
            stamp,
            clock: saw,
            what,
        });
        &self.pending[self.pending.len() - 1]
    }

    /// Shows the writes of this store up to this number to readers.
    pub(super) fn acknowledge(&mut self, number: u64, now: Instant) {
        let acknowledged = self.pending.partition_point(|commit| commit.stamp.number <= number);
        for commit in self.pending.drain(..acknowledged).collect::<Vec<_>>() {
            self.show(commit.stamp, commit.what, now);
        }
    }

    fn show(&mut self, stamp: Stamp, what: What, at: Instant) {
        self.known.raise(stamp.node, stamp.number);
        self.clock.set(stamp.node, stamp.number);
        self.log.push_back(Commit {
            at,
            stamp,
            clock: self.clock.clone(),
            what,
        });
    }

    /// Applies what another node wrote, or what this one wrote before it was started again. It is its node's next write, and
    /// everything that it saw was applied.
    pub(super) fn apply(&mut self, stamp: Stamp, saw: At<'_>, written: Written<'_>, now: Instant) {
        self.known.join(saw);
        let mut seen = Clock::from(saw);
        seen.set(stamp.node, stamp.number);
        self.note_seen(stamp.node, &seen);
        self.time = self.time.max(stamp.time);
        let what = match written {
            Written::Updates(updates) => {
                self.update(updates, stamp, At(&[]));
                What::Updates(Arc::clone(updates))
            }
            Written::Schema(schema) => {
                let rules = Rules::new(&schema, &mut self.symbols);
                self.install(schema, rules, stamp);
                What::Schema
            }
        };
        self.show(stamp, what, now);
    }

    /// `sees` is what the writer sees.
    fn update(&mut self, updates: &[Update], stamp: Stamp, sees: At<'_>) {
        for Update {
            operation,
            relationship,
        } in updates
        {
            let exists = *operation != Operation::Delete;
            // Where there may be concurrent writes, a touch of what exists says that it is to exist from now on.
            if !self.grouped && exists && self.objects.exists_at(&self.symbols, relationship, sees) {
                continue;
            }
            let version = Version { stamp, exists };
            self.objects.add(&mut self.symbols, &self.nodes, relationship, version);
        }
    }

    fn install(&mut self, schema: Schema, rules: Rules, stamp: Stamp) {
        let later = |known: &SchemaVersion| self.nodes.order(&known.stamp, &stamp).is_gt();
        let place = self.schemas.partition_point(|known| !later(known));
        let version = SchemaVersion {
            stamp,
            schema: Arc::new(schema),
            rules: Arc::new(rules),
        };
        self.schemas.insert(place, version);
    }

    pub(super) fn read(&self, filter: &Filter, at: At<'_>) -> Result<Vec<Relationship>, QueryError> {
        let mut found = self.read_some(filter, at, usize::MAX)?;
        found.sort_unstable();
        Ok(found)
    }

    pub(super) fn read_some(&self, filter: &Filter, at: At<'_>, limit: usize) -> Result<Vec<Relationship>, QueryError> {
        let rules = self.rules_at(at)?;
        Ok(self.matching(&rules, filter, at)?.take(limit).collect())
    }

    /// Whether relationships can exist that the schema in force does not allow: another node wrote them before it knew of the
    /// schema. They do not count.
    pub(super) fn may_hold_foreign(&self) -> bool {
        self.grouped
    }

    /// A name that the schema does not have is an error, because a filter with a typo would never match anything.
    fn matching<'a>(
        &'a self,
        rules: &'a Rules,
        filter: &'a Filter,
        at: At<'a>,
    ) -> Result<impl Iterator<Item = Relationship> + 'a, UnknownName> {
        let resource_type = rules.known_type(&self.symbols, &filter.resource_type)?;
        if let Some(relation) = &filter.relation {
            rules.known_relation(&self.symbols, &filter.resource_type, relation)?;
        }
        if let Some(subject) = &filter.subject {
            rules.known_type(&self.symbols, &subject.subject_type)?;
            if let Some(Some(relation)) = &subject.relation {
                rules.known_member(&self.symbols, &subject.subject_type, relation)?;
            }
        }
        let scope = match &filter.id {
            None => Some(Scope::Type(resource_type)),
            Some(id) => ObjectRef::new(&filter.resource_type, id)
                .ok()
                .and_then(|resource| self.objects.find(&resource))
                .map(Scope::Resource),
        };
        let all = scope.map(|scope| self.objects.relationships(&self.symbols, scope, at));
        let counts = move |relationship: &Relationship| {
            !self.may_hold_foreign()
                || is_allowed(rules, &self.symbols, relationship, Operation::Touch).unwrap_or(false)
        };
        Ok(all
            .into_iter()
            .flatten()
            .filter(move |relationship| filter.matches(relationship) && counts(relationship)))
    }

    /// Drops the revisions before `retain_from`, at most `limit` of them.
    pub(super) fn collect(&mut self, retain_from: u64, limit: usize) {
        let retain_from = retain_from.min(self.head());
        let settled = self.settled();
        for _ in 0..limit {
            if self.oldest >= retain_from {
                break;
            }
            self.log.pop_front();
            self.oldest += 1;
            let Some(commit) = self.log.front() else { break };
            let (trim, what) = (commit.clock.clone(), commit.what.clone());
            if let What::Updates(updates) = what {
                for update in &*updates {
                    self.trim(&update.relationship, trim.at(), settled.at());
                }
            }
        }
        let trim = Clock::from(self.trim_clock());
        let seen = self.schemas.iter().rposition(|version| trim.at().sees(&version.stamp));
        self.schemas.drain(..seen.unwrap_or(0));
    }

    fn trim(&mut self, relationship: &Relationship, trim: At<'_>, settled: At<'_>) {
        if let Trimmed::Unsettled(stamp) = self.objects.trim(&self.symbols, relationship, trim, settled) {
            self.unsettled.push_back((stamp, relationship.clone()));
        }
    }

    /// What all writes have seen that are still to come, of any node.
    fn settled(&self) -> Clock {
        let mut settled = Clock::from(self.seen_by_own());
        for node in 1..self.nodes.len() {
            match self.seen_by.get(node) {
                Some(seen) => settled.meet(seen.at()),
                None => settled.meet(At(&[])),
            }
        }
        settled
    }

    /// What all writes of this store have seen that are not acknowledged yet.
    pub(super) fn seen_by_own(&self) -> At<'_> {
        self.pending.front().unwrap_or(&self.log[self.log.len() - 1]).clock.at()
    }

    /// Takes note of what all writes of a node have seen that are still to come.
    fn note_seen(&mut self, node: NodeIndex, seen: &Clock) {
        let index = usize::from(node);
        if self.seen_by.len() <= index {
            self.seen_by.resize_with(index + 1, Clock::default);
        }
        self.seen_by[index].join(seen.at());
    }

    /// Takes note of what another node has reached, and forgets deletions that every node has seen.
    pub(super) fn note_reached(&mut self, node: NodeIndex, reached: &Clock) {
        self.known.join(reached.at());
        // The node's own writes up to there have to be here: they may have seen less.
        if self.clock.of(node) < reached.of(node) {
            return;
        }
        self.note_seen(node, reached);
        if self.unsettled.is_empty() {
            return;
        }
        let (trim, settled) = (Clock::from(self.trim_clock()), self.settled());
        for (stamp, relationship) in std::mem::take(&mut self.unsettled) {
            if settled.at().sees(&stamp) {
                self.trim(&relationship, trim.at(), settled.at());
            } else {
                self.unsettled.push_back((stamp, relationship));
            }
        }
    }

    /// How many writes of this store are not acknowledged yet.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The write of this store with this number, if it is not acknowledged yet.
    pub(super) fn pending_write(&self, number: u64) -> Option<&Commit> {
        self.pending.iter().find(|commit| commit.stamp.number == number)
    }

    /// How many deletions are kept because another node may not have seen them.
    pub(super) fn unsettled(&self) -> usize {
        self.unsettled.len()
    }

    /// Whether a deletion has to be remembered.
    pub(super) fn is_unsettled(&self, stamp: &Stamp) -> bool {
        !self.settled().at().sees(stamp)
    }

    /// The numbers of a clock whose nodes are all known.
    pub(super) fn numbers_of(&self, clock: &VectorClock) -> Result<Clock, RevisionError> {
        let mut numbers = Clock::default();
        let mut unknown = Vec::new();
        for (node, requested) in clock.iter() {
            match self.nodes.find(node) {
                Some(index) => numbers.set(index, requested),
                None => unknown.push(NodeBehind {
                    node: node.to_owned(),
                    requested,
                    reached: 0,
                }),
            }
        }
        if unknown.is_empty() {
            return Ok(numbers);
        }
        let behind = Behind::new(unknown);
        Err(RevisionError::NotReached { behind })
    }

    /// All schemas, in the order in which later ones win.
    pub(super) fn schemas(&self) -> impl Iterator<Item = (&Stamp, &Schema)> {
        self.schemas.iter().map(|version| (&version.stamp, &*version.schema))
    }

    /// Takes over what another node had at a clock. Up to this clock nothing else counts: what the snapshot lacks was deleted,
    /// even if this store has not seen the deletion. What is later stays.
    pub(super) fn take_over(&mut self, taken: Taken, now: Instant) {
        let Taken {
            clock,
            time,
            schemas,
            relationships,
        } = taken;
        for (stamp, schema) in schemas {
            if !self.schemas.iter().any(|known| known.stamp == stamp) {
                let rules = Rules::new(&schema, &mut self.symbols);
                self.install(schema, rules, stamp);
            }
        }
        let later = self.objects.all(&self.symbols);
        let later: Vec<_> = later.filter(|(_, version)| !clock.at().sees(&version.stamp)).collect();
        self.objects = Objects::default();
        self.unsettled.clear();
        for (relationship, version) in relationships.into_iter().chain(later) {
            self.objects.add(&mut self.symbols, &self.nodes, &relationship, version);
            if !version.exists {
                self.unsettled.push_back((version.stamp, relationship));
            }
        }
        self.time = self.time.max(time);
        self.clock.join(clock.at());
        self.known.join(clock.at());
        self.acknowledge(self.clock.of(OWN), now);
        // What the snapshot lacks can't be read: it is the oldest revision now.
        self.oldest = self.head() + 1;
        self.log.clear();
        self.log.push_back(Commit {
            at: now,
            stamp: Stamp {
                time,
                number: self.clock.of(OWN),
                node: OWN,
            },
            clock: self.clock.clone(),
            what: What::Everything,
        });
    }
}

/// What another node wrote.
#[derive(Debug)]
pub(super) enum Written<'a> {
    Updates(&'a Arc<[Update]>),
    Schema(Schema),
}

/// What another node had at a clock.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) clock: Clock,
    pub(super) time: u64,
    pub(super) schemas: Vec<(Stamp, Schema)>,
    pub(super) relationships: Vec<(Relationship, Version)>,
}

/// Whether the relation allows this subject. A delete needs only valid names.
fn is_allowed(
    rules: &Rules,
    symbols: &Symbols,
    relationship: &Relationship,
    operation: Operation,
) -> Result<bool, UnknownName> {
    let resource_type = relationship.resource().object_type();
    let (_, allowed) = rules.known_relation(symbols, resource_type, relationship.relation())?;
    let this = kind_of(rules, symbols, relationship.subject())?;
    Ok(operation == Operation::Delete || allowed.contains(&this))
}

fn kind_of(rules: &Rules, symbols: &Symbols, subject: &SubjectRef) -> Result<Allowed, UnknownName> {
    let type_name = subject.object_ref().object_type();
    let form = match subject.relation() {
        Some(relation) => Form::Userset(rules.known_member(symbols, type_name, relation)?.0),
        None if subject.is_wildcard() => Form::Wildcard,
        None => Form::Object,
    };
    let subject_type = rules.known_type(symbols, type_name)?;
    Ok(Allowed { subject_type, form })
}
