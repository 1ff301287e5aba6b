use std::time::Duration;

use crate::store::relationship::Relationship;

/// A name that the schema in force does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownName {
    /// No definition of this name.
    #[error("the schema has no type `{name}`; correct the name or write a schema that defines it")]
    Type {
        /// The type's name.
        name: String,
    },
    /// The type has neither a relation nor a permission of this name.
    #[error("the schema's type `{type_name}` has no relation or permission `{name}`; correct the name")]
    Member {
        /// The type's name.
        type_name: String,
        /// The relation's or permission's name.
        name: String,
    },
    /// The type has a permission of this name where a relation is needed.
    #[error("`{name}` of the schema's type `{type_name}` is a permission; only relations have relationships")]
    NotARelation {
        /// The type's name.
        type_name: String,
        /// The permission's name.
        name: String,
    },
}

/// A revision that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevisionError {
    /// The store has not come to this revision yet.
    #[error("revision {requested} is not reached; the store is at {current}: wait for it, or read at {current}")]
    NotReached {
        /// The revision that was asked for.
        requested: u64,
        /// The store's current one.
        current: u64,
    },
    /// The store no longer keeps this revision.
    #[error("the snapshot at revision {requested} has expired; the oldest kept is {oldest}: read a newer one")]
    SnapshotExpired {
        /// The revision that was asked for.
        requested: u64,
        /// The oldest one that can be read.
        oldest: u64,
    },
}

/// Why a check has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The schema does not have a name in the question.
    #[error(transparent)]
    UnknownName(#[from] UnknownName),
    /// The revision can't be read.
    #[error(transparent)]
    Revision(#[from] RevisionError),
    /// The resource or the subject is a wildcard.
    #[error("`{object}` is a wildcard; ask about one object")]
    Wildcard {
        /// The object.
        object: String,
    },
    /// The answer would depend on its own absence: a relationship leads back into the part that an exclusion takes
    /// away.
    #[error("the relationships behind `{permission}` of `{resource}` form a cycle through an exclusion; remove one")]
    ExclusionCycle {
        /// The resource.
        resource: String,
        /// The permission.
        permission: String,
    },
    /// The check took more steps than the store's limit.
    #[error("the check takes more than {max} steps; flatten the relationships or raise `max_check_steps`")]
    TooComplex {
        /// The most steps.
        max: u64,
    },
}

/// Why relationships can't be listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The schema does not have a name in the filter.
    #[error(transparent)]
    UnknownName(#[from] UnknownName),
    /// The revision can't be read.
    #[error(transparent)]
    Revision(#[from] RevisionError),
}

/// Why a write changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The schema does not have a name in the write.
    #[error(transparent)]
    UnknownName(#[from] UnknownName),
    /// The relation does not take a subject of this kind.
    #[error("the schema does not allow `{relationship}`: its relation takes no such subject")]
    SubjectNotAllowed {
        /// The relationship.
        relationship: Relationship,
    },
    /// A create of a relationship that exists.
    #[error("`{relationship}` exists already; touch it where that is fine")]
    AlreadyExists {
        /// The relationship.
        relationship: Relationship,
    },
    /// A delete of a relationship that does not exist.
    #[error("`{relationship}` does not exist, so it can't be deleted")]
    DoesNotExist {
        /// The relationship.
        relationship: Relationship,
    },
    /// Two updates of one relationship.
    #[error("the write has two updates of `{relationship}`; send one")]
    Duplicate {
        /// The relationship.
        relationship: Relationship,
    },
    /// A precondition does not hold.
    #[error("precondition {index} of the write does not hold; read again, and write only if it still makes sense")]
    PreconditionFailed {
        /// Which one, from 0.
        index: usize,
    },
    /// More updates or preconditions than one write takes.
    #[error("a write of {count} updates and preconditions, and at most {max} are taken; split it")]
    TooLarge {
        /// Updates and preconditions together.
        count: usize,
        /// The most.
        max: usize,
    },
}

/// Why a schema was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteSchemaError {
    /// A relationship exists that the new schema does not allow.
    #[error("the new schema does not allow `{relationship}`, which exists; delete it first")]
    InUse {
        /// One such relationship.
        relationship: Relationship,
    },
}

/// Why a change stream ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The changes after this revision are no longer kept: it was collected before the watch began, or while its
    /// reader was too slow.
    #[error("the changes after revision {after} are no longer kept, only those after {oldest}; read anew, then watch")]
    Lagged {
        /// The last revision that the reader knows.
        after: u64,
        /// The oldest revision that can be resumed from.
        oldest: u64,
    },
    /// The store has not come to the revision to resume from; it may have been replaced.
    #[error("revision {after} is not reached; the store is at {current}: resume from a revision it gave out")]
    NotReached {
        /// The revision to resume from.
        after: u64,
        /// The store's current one.
        current: u64,
    },
}

/// Why a snapshot can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The token breaks the format's rules.
    #[error("malformed revision token: {what}; send the token exactly as the store gave it")]
    Malformed {
        /// Which rule.
        what: &'static str,
    },
    /// The token names a revision of another store.
    #[error("this revision token belongs to another store; drop it and take one from this store's next reply")]
    Foreign,
    /// The revision is further ahead of the store than it waits for.
    #[error("revision {requested} is more than {max_lead} ahead of the store, which is at {current}")]
    TooFarAhead {
        /// The revision that was asked for.
        requested: u64,
        /// The store's current one.
        current: u64,
        /// The longest lead that is waited for.
        max_lead: u64,
    },
    /// The store did not come to the revision in time.
    #[error("revision {requested} was not reached within {waited:?}; the store is at {current}: try again later")]
    Timeout {
        /// The revision that was asked for.
        requested: u64,
        /// The store's current one.
        current: u64,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Too many reads are waiting already.
    #[error("{max} reads are waiting for revisions already; try again later")]
    TooManyWaiters {
        /// The most that wait at once.
        max: usize,
    },
    /// The revision can't be read.
    #[error(transparent)]
    Revision(#[from] RevisionError),
    /// The listing has no answer.
    #[error(transparent)]
    Query(QueryError),
    /// The check has no answer.
    #[error(transparent)]
    Check(CheckError),
}

impl From<QueryError> for ReadError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Revision(error) => Self::Revision(error),
            other => Self::Query(other),
        }
    }
}

impl From<CheckError> for ReadError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Revision(error) => Self::Revision(error),
            other => Self::Check(other),
        }
    }
}
