//! The syntax tree of a schema.

use std::collections::BTreeMap;

use crate::schema::error::Position;

#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) members: BTreeMap<Box<str>, Member>,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) at: Position,
    pub(crate) kind: MemberKind,
}

#[derive(Clone, Debug)]
pub(crate) enum MemberKind {
    Relation(Vec<AllowedSubject>),
    Permission(Expression),
}

#[derive(Clone, Debug)]
pub(crate) struct AllowedSubject {
    pub(crate) at: Position,
    pub(crate) type_name: Box<str>,
    pub(crate) form: SubjectForm,
    /// What relationships with the subject have besides.
    pub(crate) condition: Option<Condition>,
}

/// A caveat, an expiry or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) expires: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SubjectForm {
    Object,
    Userset(Box<str>),
    Wildcard,
}

/// The terms of an expression. They refer to each other by index, so that dropping or evaluating a long expression does
/// not recurse.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) terms: Vec<Term>,
    pub(crate) root: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) at: Position,
    pub(crate) kind: TermKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TermKind {
    Nil,
    /// `self`: the object itself, as a subject.
    Oneself,
    Reference(Box<str>),
    Arrow {
        relation: Box<str>,
        target: Box<str>,
        /// Every object that the relation names must have the target, and there must be one.
        all: bool,
    },
    Union(Vec<u32>),
    Intersection(Vec<u32>),
    Exclusion(u32, u32),
}
