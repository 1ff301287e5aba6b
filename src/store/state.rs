use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use crate::store::change::Change;
use crate::store::error::{QueryError, RevisionError, UnknownName, WriteError, WriteSchemaError};
use crate::store::filter::Filter;
use crate::store::objects::{Objects, Scope};
use crate::store::relationship::{ObjectRef, Relationship, SubjectRef};
use crate::store::rules::{Allowed, Form, Rules, Symbols};
use crate::store::schema::Schema;
use crate::store::write::{Operation, Precondition, Update};

/// A schema and the revision from which it is in force.
#[derive(Debug)]
struct SchemaVersion {
    since: u64,
    schema: Arc<Schema>,
    rules: Arc<Rules>,
}

#[derive(Debug)]
pub(super) struct Commit {
    pub(super) at: Instant,
    pub(super) change: Change,
}

/// The data that the store's lock protects.
#[derive(Debug)]
pub(super) struct State {
    pub(super) symbols: Symbols,
    pub(super) objects: Objects,
    schemas: VecDeque<SchemaVersion>,
    /// One commit per revision, from the oldest retained one to the current one. It is never empty.
    log: VecDeque<Commit>,
    oldest: u64,
}

impl State {
    pub(super) fn new(schema: Schema, now: Instant) -> Self {
        let mut state = Self {
            symbols: Symbols::default(),
            objects: Objects::default(),
            schemas: VecDeque::new(),
            log: VecDeque::new(),
            oldest: 1,
        };
        let rules = Rules::new(&schema, &mut state.symbols);
        state.install(schema, rules, now);
        state
    }

    pub(super) fn head(&self) -> u64 {
        self.oldest + self.log.len() as u64 - 1
    }

    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }

    pub(super) fn readable(&self, revision: u64) -> Result<(), RevisionError> {
        let (requested, current, oldest) = (revision, self.head(), self.oldest);
        if requested > current {
            Err(RevisionError::NotReached { requested, current })
        } else if requested < oldest {
            Err(RevisionError::SnapshotExpired { requested, oldest })
        } else {
            Ok(())
        }
    }

    fn version_at(&self, revision: u64) -> Result<&SchemaVersion, RevisionError> {
        self.readable(revision)?;
        let mut newest_first = self.schemas.iter().rev();
        newest_first
            .find(|version| version.since <= revision)
            .ok_or(RevisionError::SnapshotExpired {
                requested: revision,
                oldest: self.oldest,
            })
    }

    pub(super) fn rules_at(&self, revision: u64) -> Result<&Arc<Rules>, RevisionError> {
        Ok(&self.version_at(revision)?.rules)
    }

    pub(super) fn schema_at(&self, revision: u64) -> Result<Arc<Schema>, RevisionError> {
        Ok(self.version_at(revision)?.schema.clone())
    }

    /// The commit of a retained revision.
    pub(super) fn commit(&self, revision: u64) -> Option<&Commit> {
        self.log.get(revision.checked_sub(self.oldest)? as usize)
    }

    /// The newest retained revision committed at or before `instant`, or the oldest retained one.
    pub(super) fn revision_at(&self, instant: Instant) -> u64 {
        let committed = self.log.partition_point(|commit| commit.at <= instant) as u64;
        self.oldest + committed.saturating_sub(1)
    }

    pub(super) fn write(
        &mut self,
        updates: Vec<Update>,
        preconditions: &[Precondition],
        now: Instant,
    ) -> Result<u64, WriteError> {
        let rules = match self.schemas.back() {
            Some(version) => version.rules.clone(),
            None => Arc::new(Rules::default()),
        };
        let mut seen = HashSet::with_capacity(updates.len());
        for Update {
            operation,
            relationship,
        } in &updates
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
                .matching(&rules, precondition.filter(), self.head())?
                .next()
                .is_some();
            if found != precondition.wants_match() {
                return Err(WriteError::PreconditionFailed { index });
            }
        }
        for update in &updates {
            let relationship = &update.relationship;
            match (update.operation, self.objects.exists(&self.symbols, relationship)) {
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

        let revision = self.head() + 1;
        for update in &updates {
            let relationship = &update.relationship;
            match update.operation {
                Operation::Delete => self.objects.delete(&self.symbols, relationship, revision),
                Operation::Touch if self.objects.exists(&self.symbols, relationship) => {}
                Operation::Touch | Operation::Create => self.objects.create(&self.symbols, relationship, revision),
            }
        }
        self.log.push_back(Commit {
            at: now,
            change: Change::new(revision, updates.into(), false),
        });
        Ok(revision)
    }

    pub(super) fn write_schema(&mut self, schema: Schema, now: Instant) -> Result<u64, WriteSchemaError> {
        let rules = Rules::new(&schema, &mut self.symbols);
        let existing = self.objects.relationships(&self.symbols, Scope::All, self.head());
        for relationship in existing {
            if !is_allowed(&rules, &self.symbols, &relationship, Operation::Touch).unwrap_or(false) {
                return Err(WriteSchemaError::InUse { relationship });
            }
        }
        Ok(self.install(schema, rules, now))
    }

    fn install(&mut self, schema: Schema, rules: Rules, now: Instant) -> u64 {
        let revision = self.head() + 1;
        self.schemas.push_back(SchemaVersion {
            since: revision,
            schema: Arc::new(schema),
            rules: Arc::new(rules),
        });
        self.log.push_back(Commit {
            at: now,
            change: Change::new(revision, Arc::new([]), true),
        });
        revision
    }

    pub(super) fn read(&self, filter: &Filter, revision: u64) -> Result<Vec<Relationship>, QueryError> {
        let mut found = self.read_some(filter, revision, usize::MAX)?;
        found.sort_unstable();
        Ok(found)
    }

    pub(super) fn read_some(
        &self,
        filter: &Filter,
        revision: u64,
        limit: usize,
    ) -> Result<Vec<Relationship>, QueryError> {
        let rules = self.rules_at(revision)?;
        Ok(self.matching(rules, filter, revision)?.take(limit).collect())
    }

    /// A name that the schema does not have is an error, because a filter with a typo would never match anything.
    fn matching<'a>(
        &'a self,
        rules: &Rules,
        filter: &'a Filter,
        revision: u64,
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
        let all = scope.map(|scope| self.objects.relationships(&self.symbols, scope, revision));
        Ok(all
            .into_iter()
            .flatten()
            .filter(|relationship| filter.matches(relationship)))
    }

    /// Drops the revisions before `retain_from`, at most `limit` of them.
    pub(super) fn collect(&mut self, retain_from: u64, limit: usize) {
        let retain_from = retain_from.min(self.head());
        for _ in 0..limit {
            if self.oldest >= retain_from {
                break;
            }
            self.log.pop_front();
            self.oldest += 1;
            let Some(commit) = self.log.front() else { break };
            for update in commit.change.updates() {
                if update.operation == Operation::Delete {
                    self.objects.forget(&self.symbols, &update.relationship, self.oldest);
                }
            }
        }
        while self.schemas.get(1).is_some_and(|next| next.since <= self.oldest) {
            self.schemas.pop_front();
        }
    }
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
