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
    /// The store has not reached this revision yet.
    #[error("revision {requested} is not reached; the store is at {current}; wait for it, or read at {current}")]
    NotReached {
        /// The requested revision.
        requested: u64,
        /// The store's current revision.
        current: u64,
    },
    /// The store has dropped this revision.
    #[error("the snapshot at revision {requested} has expired; read at revision {oldest} or newer")]
    SnapshotExpired {
        /// The requested revision.
        requested: u64,
        /// The oldest readable revision.
        oldest: u64,
    },
}

/// Why a check has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The question has a name that the schema does not have.
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
    /// The answer would depend on its own absence: a relationship leads back into the right side of an exclusion.
    #[error(
        "the relationships of `{permission}` on `{resource}` form a cycle through an exclusion; remove one of them"
    )]
    ExclusionCycle {
        /// The resource.
        resource: String,
        /// The permission.
        permission: String,
    },
    /// The check took more steps than the store's limit.
    #[error("the check takes more than {max} steps; flatten the relationships or raise `max_check_steps`")]
    TooComplex {
        /// The limit.
        max: u64,
    },
}

/// Why relationships can't be listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The filter has a name that the schema does not have.
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
    /// The write has a name that the schema does not have.
    #[error(transparent)]
    UnknownName(#[from] UnknownName),
    /// The relation does not allow a subject of this kind.
    #[error("the schema does not allow `{relationship}`; use a subject that its relation allows, or change the schema")]
    SubjectNotAllowed {
        /// The relationship.
        relationship: Relationship,
    },
    /// A create of a relationship that exists.
    #[error("`{relationship}` exists already; use a touch to ignore that")]
    AlreadyExists {
        /// The relationship.
        relationship: Relationship,
    },
    /// A delete of a relationship that does not exist.
    #[error("`{relationship}` does not exist; leave it out of the write")]
    DoesNotExist {
        /// The relationship.
        relationship: Relationship,
    },
    /// Two updates of one relationship.
    #[error("the write has two updates of `{relationship}`; send only one")]
    Duplicate {
        /// The relationship.
        relationship: Relationship,
    },
    /// A precondition does not hold.
    #[error("precondition {index} of the write does not hold; read again, then decide whether to write")]
    PreconditionFailed {
        /// Its index, from 0.
        index: usize,
    },
    /// The write has more updates and preconditions than the limit.
    #[error("the write has {count} updates and preconditions, more than the limit of {max}; split it")]
    TooLarge {
        /// The number of updates and preconditions.
        count: usize,
        /// The limit.
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
    /// The store has dropped changes after this revision: it was collected before the watch began, or while the reader
    /// was too slow.
    #[error(
        "the store has dropped changes after revision {after}, and has only those after {oldest}; read everything again, then watch"
    )]
    Lagged {
        /// The last revision that the reader knows.
        after: u64,
        /// The oldest revision that can be resumed from.
        oldest: u64,
    },
    /// The store has not reached the revision to resume from. It may be a new store.
    #[error(
        "revision {after} is not reached; the store is at {current}; resume from a revision that this store returned"
    )]
    NotReached {
        /// The revision to resume from.
        after: u64,
        /// The store's current revision.
        current: u64,
    },
}

/// Why a snapshot can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The token breaks the format's rules.
    #[error("malformed revision token: {what}; send the token exactly as the store returned it")]
    Malformed {
        /// Which rule.
        what: &'static str,
    },
    /// The token names a revision of another store.
    #[error("the revision token belongs to another store; use a token of this store instead")]
    Foreign,
    /// The revision is too far ahead of the store to wait for it.
    #[error(
        "revision {requested} is more than {max_lead} ahead of the store, which is at {current}; use a token of this store"
    )]
    TooFarAhead {
        /// The requested revision.
        requested: u64,
        /// The store's current revision.
        current: u64,
        /// The longest lead for which a read waits.
        max_lead: u64,
    },
    /// The store did not reach the revision in time.
    #[error("the store did not reach revision {requested} within {waited:?}; it is at {current}; try again later")]
    Timeout {
        /// The requested revision.
        requested: u64,
        /// The store's current revision.
        current: u64,
        /// How long the read waited.
        waited: Duration,
    },
    /// Too many reads are waiting already.
    #[error("{max} reads already wait for revisions; try again later")]
    TooManyWaiters {
        /// The limit of waiting reads.
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
