use crate::store::filter::Filter;
use crate::store::relationship::Relationship;

/// What an [`Update`] does to its relationship.
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
pub struct Update {
    /// The operation.
    pub operation: Operation,
    /// The relationship.
    pub relationship: Relationship,
}

impl Update {
    /// Makes the relationship exist, whether or not it does.
    pub fn touch(relationship: Relationship) -> Self {
        let operation = Operation::Touch;
        Self {
            operation,
            relationship,
        }
    }

    /// Creates the relationship, which must not exist.
    pub fn create(relationship: Relationship) -> Self {
        let operation = Operation::Create;
        Self {
            operation,
            relationship,
        }
    }

    /// Deletes the relationship, which must exist.
    pub fn delete(relationship: Relationship) -> Self {
        let operation = Operation::Delete;
        Self {
            operation,
            relationship,
        }
    }
}

/// A condition that must hold at the revision before a write, or the write fails.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
