use std::collections::HashMap;
use std::sync::Arc;

use crate::schema::tree::{AllowedSubject, MemberKind, SubjectForm, Term, TermKind};
use crate::store::error::UnknownName;
use crate::store::schema::Schema;

/// A type's or relation's name as a number. Only schemas, and relationships that other nodes wrote under theirs, add names,
/// so there are few.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Symbol(u32);

impl Symbol {
    /// In a subject: the object itself, not a userset. It sorts before every relation.
    pub(super) const NONE: Self = Self(0);
}

#[derive(Debug, Default)]
pub(super) struct Symbols {
    by_name: HashMap<Arc<str>, Symbol>,
    names: Vec<Arc<str>>,
}

impl Symbols {
    pub(super) fn get(&self, name: &str) -> Option<Symbol> {
        self.by_name.get(name).copied()
    }

    pub(super) fn name(&self, symbol: Symbol) -> Option<&Arc<str>> {
        self.names.get((symbol.0 as usize).checked_sub(1)?)
    }

    pub(super) fn intern(&mut self, name: &str) -> Symbol {
        if let Some(symbol) = self.get(name) {
            return symbol;
        }
        let name: Arc<str> = name.into();
        self.names.push(name.clone());
        let symbol = Symbol(self.names.len() as u32);
        self.by_name.insert(name, symbol);
        symbol
    }
}

/// A schema with symbols for names. Checks evaluate this form.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// By the type's symbol; each sorted by the member's.
    types: Vec<Option<Vec<(Symbol, Rule)>>>,
}

#[derive(Debug)]
pub(super) enum Rule {
    Relation(Vec<Allowed>),
    Permission(Permission),
}

#[derive(Debug)]
pub(super) struct Permission {
    pub(super) terms: Vec<Op>,
    pub(super) root: u32,
}

#[derive(Debug)]
pub(super) enum Op {
    Nil,
    Reference(Symbol),
    Arrow { relation: Symbol, target: Symbol },
    Union(Vec<u32>),
    Intersection(Vec<u32>),
    Exclusion(u32, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    pub(super) subject_type: Symbol,
    pub(super) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Object,
    Userset(Symbol),
    Wildcard,
}

impl Rules {
    pub(super) fn new(schema: &Schema, symbols: &mut Symbols) -> Self {
        let mut types = Vec::new();
        for (type_name, definition) in schema.read().definitions() {
            let mut members: Vec<_> = definition
                .members
                .iter()
                .map(|(name, member)| (symbols.intern(name), rule(&member.kind, symbols)))
                .collect();
            members.sort_by_key(|(symbol, _)| *symbol);
            let index = symbols.intern(type_name).0 as usize;
            if types.len() <= index {
                types.resize_with(index + 1, || None);
            }
            types[index] = Some(members);
        }
        Self { types }
    }

    pub(super) fn has_type(&self, object_type: Symbol) -> bool {
        self.members(object_type).is_some()
    }

    pub(super) fn rule(&self, object_type: Symbol, name: Symbol) -> Option<&Rule> {
        let members = self.members(object_type)?;
        let index = members.binary_search_by_key(&name, |(symbol, _)| *symbol).ok()?;
        Some(&members[index].1)
    }

    fn members(&self, object_type: Symbol) -> Option<&Vec<(Symbol, Rule)>> {
        self.types.get(object_type.0 as usize)?.as_ref()
    }

    pub(super) fn known_type(&self, symbols: &Symbols, name: &str) -> Result<Symbol, UnknownName> {
        let symbol = symbols.get(name).filter(|symbol| self.has_type(*symbol));
        symbol.ok_or_else(|| UnknownName::Type { name: name.to_owned() })
    }

    pub(super) fn known_member(
        &self,
        symbols: &Symbols,
        type_name: &str,
        name: &str,
    ) -> Result<(Symbol, &Rule), UnknownName> {
        let object_type = self.known_type(symbols, type_name)?;
        let found = symbols.get(name).and_then(|s| Some((s, self.rule(object_type, s)?)));
        found.ok_or_else(|| UnknownName::Member {
            type_name: type_name.to_owned(),
            name: name.to_owned(),
        })
    }

    pub(super) fn known_relation(
        &self,
        symbols: &Symbols,
        type_name: &str,
        name: &str,
    ) -> Result<(Symbol, &[Allowed]), UnknownName> {
        match self.known_member(symbols, type_name, name)? {
            (symbol, Rule::Relation(allowed)) => Ok((symbol, allowed)),
            (_, Rule::Permission(_)) => Err(UnknownName::NotARelation {
                type_name: type_name.to_owned(),
                name: name.to_owned(),
            }),
        }
    }
}

fn rule(kind: &MemberKind, symbols: &mut Symbols) -> Rule {
    match kind {
        MemberKind::Relation(allowed) => {
            let mut compile = |subject: &AllowedSubject| Allowed {
                subject_type: symbols.intern(&subject.type_name),
                form: match &subject.form {
                    SubjectForm::Object => Form::Object,
                    SubjectForm::Userset(relation) => Form::Userset(symbols.intern(relation)),
                    SubjectForm::Wildcard => Form::Wildcard,
                },
            };
            Rule::Relation(allowed.iter().map(&mut compile).collect())
        }
        MemberKind::Permission(expression) => {
            let mut compile = |term: &Term| match &term.kind {
                // The store's part of the language does not have `self`, nor `.all`.
                TermKind::Nil | TermKind::Oneself => Op::Nil,
                TermKind::Reference(name) => Op::Reference(symbols.intern(name)),
                TermKind::Arrow { relation, target, .. } => Op::Arrow {
                    relation: symbols.intern(relation),
                    target: symbols.intern(target),
                },
                TermKind::Union(operands) => Op::Union(operands.clone()),
                TermKind::Intersection(operands) => Op::Intersection(operands.clone()),
                TermKind::Exclusion(base, subtracted) => Op::Exclusion(*base, *subtracted),
            };
            Rule::Permission(Permission {
                terms: expression.terms.iter().map(&mut compile).collect(),
                root: expression.root,
            })
        }
    }
}
