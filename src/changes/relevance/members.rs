use std::collections::HashMap;

use crate::schema::Schema;
use crate::schema::tree::{AllowedSubject, Expression, MemberKind, SubjectForm, TermKind};

/// The number of a relation or permission of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct MemberId(u32);

/// The number of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(u32);

/// A schema's relations and permissions by number, with what each of them consults.
#[derive(Debug, Default)]
pub(super) struct Members {
    names: HashMap<Box<str>, Name>,
    texts: Vec<Box<str>>,
    /// By the type's name and their own.
    ids: HashMap<(Name, Name), MemberId>,
    members: Vec<Member>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) kind: Name,
    pub(super) name: Name,
    pub(super) consults: Consults,
}

#[derive(Debug)]
pub(super) enum Consults {
    Relation(Relation),
    /// The leaves of its expression.
    Permission(Box<[Leaf]>),
}

#[derive(Debug)]
pub(super) struct Relation {
    pub(super) leads_to: Box<[LeadsTo]>,
    /// Its relationships can have a caveat or expire.
    pub(super) is_conditional: bool,
    /// Its relationships can expire.
    pub(super) expires: bool,
    /// Some arrow starts at it.
    pub(super) has_arrow: bool,
}

/// The objects, or usersets, that a relation can lead to. A wildcard leads nowhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeadsTo {
    pub(super) kind: Name,
    pub(super) userset: Option<MemberId>,
}

/// A leaf of a permission's expression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    /// It is behind an even number of exclusions.
    pub(super) plus: bool,
    pub(super) to: To,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum To {
    /// Of the same object.
    Same(MemberId),
    /// Of the objects that a relation of the object leads to.
    Arrow {
        relation: MemberId,
        target: Name,
        /// All of them must have the target, so that one more can take the permission away.
        all: bool,
    },
}

impl Members {
    pub(super) fn new(schema: &Schema) -> Self {
        let mut members = Self::default();
        for (kind, definition) in schema.definitions() {
            let kind = members.intern(kind);
            for name in definition.members.keys() {
                let name = members.intern(name);
                let id = MemberId(members.ids.len() as u32);
                members.ids.insert((kind, name), id);
            }
        }
        for (kind, definition) in schema.definitions() {
            let kind = members.intern(kind);
            for (name, member) in &definition.members {
                let name = members.intern(name);
                let consults = match &member.kind {
                    MemberKind::Relation(allowed) => Consults::Relation(members.relation(allowed)),
                    MemberKind::Permission(expression) => Consults::Permission(members.leaves(kind, expression)),
                };
                members.members.push(Member { kind, name, consults });
            }
        }
        members.mark_arrows();
        members
    }

    fn relation(&mut self, allowed: &[AllowedSubject]) -> Relation {
        let mut leads_to = Vec::new();
        for subject in allowed {
            let kind = self.intern(&subject.type_name);
            match &subject.form {
                SubjectForm::Object => leads_to.push(LeadsTo { kind, userset: None }),
                SubjectForm::Userset(name) => {
                    let name = self.intern(name);
                    let userset = self.ids.get(&(kind, name)).copied();
                    leads_to.push(LeadsTo { kind, userset });
                }
                SubjectForm::Wildcard => {}
            }
        }
        Relation {
            leads_to: leads_to.into(),
            is_conditional: allowed.iter().any(|subject| subject.condition.is_some()),
            expires: allowed
                .iter()
                .any(|subject| subject.condition.is_some_and(|c| c.expires)),
            has_arrow: false,
        }
    }

    fn leaves(&mut self, kind: Name, expression: &Expression) -> Box<[Leaf]> {
        let mut leaves = Vec::new();
        let mut open = vec![(expression.root, true)];
        while let Some((term, plus)) = open.pop() {
            match &expression.terms[term as usize].kind {
                // Whether an object is the subject does not change.
                TermKind::Nil | TermKind::Oneself => {}
                TermKind::Reference(name) => {
                    let name = self.intern(name);
                    let to = self.ids.get(&(kind, name)).map(|id| To::Same(*id));
                    leaves.extend(to.map(|to| Leaf { plus, to }));
                }
                TermKind::Arrow { relation, target, all } => {
                    let (relation, target, all) = (self.intern(relation), self.intern(target), *all);
                    let relation = self.ids.get(&(kind, relation)).copied();
                    leaves.extend(relation.map(|relation| Leaf {
                        plus,
                        to: To::Arrow { relation, target, all },
                    }));
                }
                TermKind::Union(operands) | TermKind::Intersection(operands) => {
                    open.extend(operands.iter().map(|operand| (*operand, plus)));
                }
                TermKind::Exclusion(left, right) => open.extend([(*left, plus), (*right, !plus)]),
            }
        }
        leaves.into()
    }

    fn mark_arrows(&mut self) {
        let mut starts = Vec::new();
        for member in &self.members {
            if let Consults::Permission(leaves) = &member.consults {
                starts.extend(leaves.iter().filter_map(|leaf| match leaf.to {
                    To::Arrow { relation, .. } => Some(relation),
                    To::Same(_) => None,
                }));
            }
        }
        for MemberId(start) in starts {
            if let Some(Consults::Relation(relation)) = self.members.get_mut(start as usize).map(|m| &mut m.consults) {
                relation.has_arrow = true;
            }
        }
    }

    fn intern(&mut self, text: &str) -> Name {
        if let Some(name) = self.names.get(text) {
            return *name;
        }
        let name = Name(self.texts.len() as u32);
        self.names.insert(text.into(), name);
        self.texts.push(text.into());
        name
    }

    /// The number of a name that the schema has.
    pub(super) fn name(&self, text: &str) -> Option<Name> {
        self.names.get(text).copied()
    }

    pub(super) fn text(&self, Name(name): Name) -> &str {
        &self.texts[name as usize]
    }

    /// The relation or permission `name` of the type `kind`.
    pub(super) fn find(&self, kind: Name, name: Name) -> Option<MemberId> {
        self.ids.get(&(kind, name)).copied()
    }

    pub(super) fn find_named(&self, kind: &str, name: &str) -> Option<MemberId> {
        self.find(self.name(kind)?, self.name(name)?)
    }

    pub(super) fn get(&self, MemberId(id): MemberId) -> &Member {
        &self.members[id as usize]
    }

    pub(super) fn relation_of(&self, id: MemberId) -> Option<&Relation> {
        match &self.get(id).consults {
            Consults::Relation(relation) => Some(relation),
            Consults::Permission(_) => None,
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        (0..).map(MemberId).zip(&self.members)
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }
}

impl MemberId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}
