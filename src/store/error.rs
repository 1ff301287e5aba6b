use std::fmt;
use std::time::Duration;

use crate::store::relationship::{Relationship, shorten};
use crate::token::InvalidToken;

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

/// A node that has not reached a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeBehind {
    /// The id of the node whose writes are missing.
    pub node: String,
    /// The number of the write that is needed.
    pub requested: u64,
    /// The newest write of the node that has arrived.
    pub reached: u64,
}

/// Whose writes are missing: one node at least.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind(Vec<NodeBehind>);

impl Behind {
    pub(super) fn new(nodes: Vec<NodeBehind>) -> Self {
        Self(nodes)
    }

    /// The nodes.
    pub fn nodes(&self) -> &[NodeBehind] {
        &self.0
    }
}

/// At most four of them, because a client's token can name many.
impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        for (index, behind) in self.0.iter().take(SHOWN).enumerate() {
            let NodeBehind {
                node,
                requested,
                reached,
            } = behind;
            let comma = if index == 0 { "" } else { ", " };
            write!(
                f,
                "{comma}{requested} of node `{}` (it has {reached})",
                shorten(node).escape_debug()
            )?;
        }
        match self.0.len().checked_sub(SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and of {more} more nodes"),
        }
    }
}

/// A revision that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevisionError {
    /// The store has not reached this revision yet.
    #[error("the store has not reached revision {behind}; wait for it, or read at the current revision")]
    NotReached {
        /// Whose writes are missing.
        behind: Behind,
    },
    /// The store has dropped this revision.
    #[error("the snapshot at revision {requested} of node `{node}` has expired; read at revision {oldest} or newer")]
    SnapshotExpired {
        /// The node, of several one.
        node: String,
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
    /// The store has no number or timestamp left.
    #[error("the store has no revision left for another write; start a new store")]
    Exhausted,
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
    /// The store has no number or timestamp left.
    #[error("the store has no revision left for another write; start a new store")]
    Exhausted,
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
    #[error("malformed revision token: {0}; send the token exactly as the store returned it")]
    Malformed(#[source] InvalidToken),
    /// The token names a revision of another store.
    #[error("the revision token belongs to another store; use a token of this store instead")]
    Foreign,
    /// The revision is too far ahead of everything that the store has heard of, so that it does not wait for it.
    #[error(
        "revision {requested} of node `{}` is more than {max_lead} ahead of {known}, the newest that the store has heard of; \
         use a token of this store", shorten(node).escape_debug()
    )]
    TooFarAhead {
        /// The node, of several one.
        node: String,
        /// The requested revision.
        requested: u64,
        /// The newest revision of that node that the store has heard of.
        known: u64,
        /// The longest lead for which a read waits.
        max_lead: u64,
    },
    /// The store did not reach the revision in time.
    #[error("the store did not reach revision {behind} within {waited:?}; try again later")]
    Timeout {
        /// Whose writes are missing.
        behind: Behind,
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
