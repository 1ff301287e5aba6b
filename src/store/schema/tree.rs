//! The syntax tree of a schema.

use std::collections::BTreeMap;

use crate::store::schema::error::Position;

#[derive(Clone, Debug)]
pub(in crate::store) struct Definition {
    pub(in crate::store) members: BTreeMap<Box<str>, Member>,
}

#[derive(Clone, Debug)]
pub(in crate::store) struct Member {
    pub(super) at: Position,
    pub(in crate::store) kind: MemberKind,
}

#[derive(Clone, Debug)]
pub(in crate::store) enum MemberKind {
    Relation(Vec<AllowedSubject>),
    Permission(Expression),
}

#[derive(Clone, Debug)]
pub(in crate::store) struct AllowedSubject {
    pub(super) at: Position,
    pub(in crate::store) type_name: Box<str>,
    pub(in crate::store) form: SubjectForm,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum SubjectForm {
    Object,
    Userset(Box<str>),
    Wildcard,
}

/// The terms of an expression. They refer to each other by index, so that dropping or evaluating a long expression does
/// not recurse.
#[derive(Clone, Debug)]
pub(in crate::store) struct Expression {
    pub(in crate::store) terms: Vec<Term>,
    pub(in crate::store) root: u32,
}

#[derive(Clone, Debug)]
pub(in crate::store) struct Term {
    pub(super) at: Position,
    pub(in crate::store) kind: TermKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum TermKind {
    Nil,
    Reference(Box<str>),
    Arrow { relation: Box<str>, target: Box<str> },
    Union(Vec<u32>),
    Intersection(Vec<u32>),
    Exclusion(u32, u32),
}
