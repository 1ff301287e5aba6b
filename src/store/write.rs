use crate::store::filter::Filter;
use crate::store::relationship::Relationship;

/// What an [`Update`] does to its relationship.
///
/// Who follows a store's changes has to handle each of these, so a match without a wildcard is right: a new operation is a
/// breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Makes it exist, whether or not it exists already.
    Touch,
    /// Creates it; an error if it exists already.
    Create,
    /// Deletes it; an error if it does not exist.
    Delete,
}

/// One change to one relationship.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Update {
    /// The operation.
    pub operation: Operation,
    /// The relationship.
    pub relationship: Relationship,
}

impl Update {
    /// Does this to the relationship.
    pub fn new(operation: Operation, relationship: Relationship) -> Self {
        Self {
            operation,
            relationship,
        }
    }

    /// Makes the relationship exist, whether or not it does.
    pub fn touch(relationship: Relationship) -> Self {
        Self::new(Operation::Touch, relationship)
    }

    /// Creates the relationship, which must not exist.
    pub fn create(relationship: Relationship) -> Self {
        Self::new(Operation::Create, relationship)
    }

    /// Deletes the relationship, which must exist.
    pub fn delete(relationship: Relationship) -> Self {
        Self::new(Operation::Delete, relationship)
    }
}

/// A condition that must hold at the revision before a write, or the write fails.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precondition {
    /// At least one such relationship exists.
    MustMatch(Filter),
    /// No such relationship exists.
    MustNotMatch(Filter),
}

impl Precondition {
    pub(super) fn filter(&self) -> &Filter {
        match self {
            Self::MustMatch(filter) | Self::MustNotMatch(filter) => filter,
        }
    }

    pub(super) fn wants_match(&self) -> bool {
        matches!(self, Self::MustMatch(_))
    }
}
