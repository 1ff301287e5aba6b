use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use crate::schema::Schema;
use crate::schema::tree::{Definition, MemberKind, SubjectForm, TermKind};

/// A permission that consults more than this is not worked out: each examination of an answer looks at all entries.
const MAX_ENTRIES: usize = 256;
/// The most terms and subject types that are read to work out one permission.
const MAX_STEPS: usize = 1 << 16;

/// The rules of one schema.
#[derive(Debug)]
pub(crate) struct Rules {
    schema: Schema,
    reaches: HashMap<Box<str>, HashMap<Box<str>, OnceLock<Option<Arc<Reach>>>>>,
}

/// What the answers of one permission, or relation, depend on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The relations that it consults.
    pub(crate) entries: Box<[Entry]>,
    /// Whether some of them allow relationships that expire. Then the answers change without a change.
    pub(crate) expires: bool,
}

/// A relation that a permission consults.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// The type of the relation.
    pub(crate) kind: Box<str>,
    /// The relation.
    pub(crate) relation: Box<str>,
    /// Whether it is consulted on the checked resource only.
    pub(crate) own: bool,
    /// What it is consulted for.
    pub(crate) role: Role,
    /// Which answers its relationships make.
    pub(crate) sign: Sign,
}

/// What a relation is consulted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    /// For its subjects: those who have the relation have the permission, or lack it.
    Direct,
    /// For what it leads to: an arrow starts at it, so that any subject matters.
    Through,
}

/// Which answers the relationships of a relation make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sign {
    /// More of them can only make more answers "yes".
    Plus,
    /// More of them can only make more answers "no".
    Minus,
    /// They can do both.
    Both,
}

impl Rules {
    pub(crate) fn new(schema: &Schema) -> Self {
        let unknown = |definition: &Definition| {
            let names = definition.members.keys();
            names.map(|name| (name.clone(), OnceLock::new())).collect()
        };
        let definitions = schema.definitions().iter();
        Self {
            reaches: definitions.map(|(kind, d)| (kind.clone(), unknown(d))).collect(),
            schema: schema.clone(),
        }
    }

    /// What a permission or relation depends on. `None` if the schema does not have it, or it consults too much: then any
    /// change may concern it.
    pub(crate) fn reach(&self, kind: &str, permission: &str) -> Option<Arc<Reach>> {
        let reach = self.reaches.get(kind)?.get(permission)?;
        reach
            .get_or_init(|| Search::new(&self.schema).run(kind, permission).map(Arc::new))
            .clone()
    }

    /// Whether relationships of it can have a caveat or expire, so that a touch of one adds or removes it. True where the
    /// schema does not know it.
    pub(crate) fn is_conditional(&self, kind: &str, relation: &str) -> bool {
        match self.schema.member(kind, relation) {
            Some(MemberKind::Relation(allowed)) => allowed.iter().any(|subject| subject.condition.is_some()),
            Some(MemberKind::Permission(_)) | None => true,
        }
    }
}

/// A relation or permission that is consulted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place<'a> {
    kind: &'a str,
    name: &'a str,
    own: bool,
    /// Whether it is behind an even number of exclusions.
    plus: bool,
}

/// Follows a permission through the schema.
struct Search<'a> {
    schema: &'a Schema,
    seen: HashSet<Place<'a>>,
    open: Vec<Place<'a>>,
    entries: BTreeMap<(&'a str, &'a str, bool, Role), Sign>,
    expires: bool,
    steps_left: usize,
}

impl<'a> Search<'a> {
    fn new(schema: &'a Schema) -> Self {
        Self {
            schema,
            seen: HashSet::new(),
            open: Vec::new(),
            entries: BTreeMap::new(),
            expires: false,
            steps_left: MAX_STEPS,
        }
    }

    fn run(mut self, kind: &str, name: &str) -> Option<Reach> {
        let (kind, definition) = self.schema.definitions().get_key_value(kind)?;
        let (name, _) = definition.members.get_key_value(name)?;
        self.visit(Place {
            kind,
            name,
            own: true,
            plus: true,
        });
        while let Some(place) = self.open.pop() {
            match self.schema.member(place.kind, place.name)? {
                MemberKind::Relation(_) => {
                    for (kind, userset) in self.consult(place, Role::Direct, sign(place.plus))? {
                        if let Some(name) = userset {
                            let own = false;
                            self.visit(Place {
                                kind,
                                name,
                                own,
                                ..place
                            });
                        }
                    }
                }
                MemberKind::Permission(expression) => {
                    let mut terms = vec![(expression.root, place.plus)];
                    while let Some((term, plus)) = terms.pop() {
                        self.step(1)?;
                        self.term(
                            &expression.terms.get(term as usize)?.kind,
                            Place { plus, ..place },
                            &mut terms,
                        )?;
                    }
                }
            }
            if self.entries.len() > MAX_ENTRIES {
                return None;
            }
        }
        Some(Reach {
            entries: self.entries(),
            expires: self.expires,
        })
    }

    fn step(&mut self, count: usize) -> Option<()> {
        self.steps_left = self.steps_left.checked_sub(count)?;
        Some(())
    }

    fn visit(&mut self, place: Place<'a>) {
        if self.seen.insert(place) {
            self.open.push(place);
        }
    }

    /// A term of a permission of `place`, whose sign is that of the term.
    fn term(&mut self, term: &'a TermKind, place: Place<'a>, terms: &mut Vec<(u32, bool)>) -> Option<()> {
        match term {
            // Whether the object is the subject does not change.
            TermKind::Nil | TermKind::Oneself => {}
            TermKind::Reference(name) => self.visit(Place { name, ..place }),
            TermKind::Arrow { relation, target, all } => {
                // Where all that the relation leads to must have the target, one more can take the permission away.
                let sign = if *all { Sign::Both } else { sign(place.plus) };
                let relation = Place {
                    name: relation,
                    ..place
                };
                for (kind, _) in self.consult(relation, Role::Through, sign)? {
                    if self.schema.member(kind, target).is_some() {
                        let (name, own) = (&**target, false);
                        self.visit(Place {
                            kind,
                            name,
                            own,
                            ..place
                        });
                    }
                }
            }
            TermKind::Union(operands) | TermKind::Intersection(operands) => {
                self.step(operands.len())?;
                terms.extend(operands.iter().map(|operand| (*operand, place.plus)));
            }
            TermKind::Exclusion(left, right) => terms.extend([(*left, place.plus), (*right, !place.plus)]),
        }
        Some(())
    }

    /// Adds the entry of a relation. Returns the types that it leads to, with the relation or permission where it allows
    /// usersets.
    fn consult(&mut self, relation: Place<'a>, role: Role, sign: Sign) -> Option<Vec<(&'a str, Option<&'a str>)>> {
        let MemberKind::Relation(allowed) = self.schema.member(relation.kind, relation.name)? else {
            return None;
        };
        self.step(1 + allowed.len())?;
        self.expires |= allowed
            .iter()
            .any(|subject| subject.condition.is_some_and(|c| c.expires));
        let key = (relation.kind, relation.name, relation.own, role);
        let entry = self.entries.entry(key).or_insert(sign);
        if *entry != sign {
            *entry = Sign::Both;
        }
        let led_to = allowed.iter().filter_map(|subject| match &subject.form {
            SubjectForm::Object => Some((&*subject.type_name, None)),
            SubjectForm::Userset(name) => Some((&*subject.type_name, Some(&**name))),
            SubjectForm::Wildcard => None,
        });
        Some(led_to.collect())
    }

    /// The entries, without those that another one includes.
    fn entries(&self) -> Box<[Entry]> {
        let is_included = |(kind, relation, own, role): (&str, &str, bool, Role), sign: Sign| {
            [(false, Role::Through), (false, Role::Direct), (own, Role::Through)]
                .into_iter()
                .filter(|(_, wider)| *wider == role || *wider == Role::Through)
                .filter(|wider| *wider != (own, role))
                .filter_map(|(own, role)| self.entries.get(&(kind, relation, own, role)))
                .any(|wider| *wider == sign || *wider == Sign::Both)
        };
        let entries = self.entries.iter();
        entries
            .filter(|(key, sign)| !is_included(**key, **sign))
            .map(|(&(kind, relation, own, role), &sign)| Entry {
                kind: kind.into(),
                relation: relation.into(),
                own,
                role,
                sign,
            })
            .collect()
    }
}

fn sign(plus: bool) -> Sign {
    if plus { Sign::Plus } else { Sign::Minus }
}
