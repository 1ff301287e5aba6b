use std::collections::{BTreeMap, HashSet};

use crate::changes::relevance::members::{Consults, Leaf, MemberId, Members, To};

/// A permission that consults more than this is not worked out: each examination of an answer looks at all entries.
const MAX_ENTRIES: usize = 256;
/// The most leaves and subject types that are read to work out one permission.
const MAX_STEPS: usize = 1 << 16;

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

impl Sign {
    /// `plus`: behind an even number of exclusions.
    pub(super) fn of(plus: bool) -> Self {
        if plus { Self::Plus } else { Self::Minus }
    }

    /// Of an arrow. Where all that it leads to must have its target, one more can take the permission away.
    pub(super) fn of_arrow(plus: bool, all: bool) -> Self {
        if all { Self::Both } else { Self::of(plus) }
    }
}

/// A relation or permission that is consulted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Consulted {
    member: MemberId,
    own: bool,
    plus: bool,
}

/// Follows a permission through the schema.
struct Search<'a> {
    members: &'a Members,
    seen: HashSet<Consulted>,
    open: Vec<Consulted>,
    entries: BTreeMap<(MemberId, bool, Role), Sign>,
    expires: bool,
    steps_left: usize,
}

impl Reach {
    /// `None` if it is too much.
    pub(super) fn of(members: &Members, permission: MemberId) -> Option<Self> {
        let mut search = Search {
            members,
            seen: HashSet::new(),
            open: Vec::new(),
            entries: BTreeMap::new(),
            expires: false,
            steps_left: MAX_STEPS,
        };
        search.visit(Consulted {
            member: permission,
            own: true,
            plus: true,
        });
        search.run()?;
        Some(Self {
            entries: search.entries(),
            expires: search.expires,
        })
    }
}

impl Search<'_> {
    fn run(&mut self) -> Option<()> {
        while let Some(consulted) = self.open.pop() {
            match &self.members.get(consulted.member).consults {
                Consults::Permission(leaves) => {
                    for leaf in leaves {
                        self.leaf(consulted, *leaf)?;
                    }
                }
                Consults::Relation(relation) => {
                    self.consult(consulted, Role::Direct, Sign::of(consulted.plus))?;
                    for member in relation.leads_to.iter().filter_map(|leads_to| leads_to.userset) {
                        self.visit(Consulted {
                            member,
                            own: false,
                            plus: consulted.plus,
                        });
                    }
                }
            }
        }
        Some(())
    }

    fn leaf(&mut self, of: Consulted, leaf: Leaf) -> Option<()> {
        self.step(1)?;
        let plus = of.plus == leaf.plus;
        match leaf.to {
            To::Same(member) => self.visit(Consulted { member, plus, ..of }),
            To::Arrow { relation, target, all } => {
                let consulted = Consulted {
                    member: relation,
                    plus,
                    ..of
                };
                self.consult(consulted, Role::Through, Sign::of_arrow(plus, all))?;
                for leads_to in &self.members.relation_of(relation)?.leads_to {
                    if let Some(member) = self.members.find(leads_to.kind, target) {
                        let own = false;
                        self.visit(Consulted { member, own, plus });
                    }
                }
            }
        }
        Some(())
    }

    fn visit(&mut self, consulted: Consulted) {
        if self.seen.insert(consulted) {
            self.open.push(consulted);
        }
    }

    fn step(&mut self, count: usize) -> Option<()> {
        self.steps_left = self.steps_left.checked_sub(count)?;
        Some(())
    }

    fn consult(&mut self, consulted: Consulted, role: Role, sign: Sign) -> Option<()> {
        let relation = self.members.relation_of(consulted.member)?;
        self.step(relation.leads_to.len())?;
        self.expires |= relation.expires;
        let entry = self
            .entries
            .entry((consulted.member, consulted.own, role))
            .or_insert(sign);
        if *entry != sign {
            *entry = Sign::Both;
        }
        (self.entries.len() <= MAX_ENTRIES).then_some(())
    }

    /// The entries, without those that another one includes.
    fn entries(&self) -> Box<[Entry]> {
        let entries = self.entries.iter();
        entries
            .filter(|(key, sign)| !self.is_included(**key, **sign))
            .map(|(&(member, own, role), &sign)| {
                let member = self.members.get(member);
                Entry {
                    kind: self.members.text(member.kind).into(),
                    relation: self.members.text(member.name).into(),
                    own,
                    role,
                    sign,
                }
            })
            .collect()
    }

    fn is_included(&self, (member, own, role): (MemberId, bool, Role), sign: Sign) -> bool {
        let wider = [(false, role), (own, Role::Through), (false, Role::Through)];
        let wider = wider.into_iter().filter(|other| *other != (own, role));
        let mut signs = wider.filter_map(|(own, role)| self.entries.get(&(member, own, role)));
        signs.any(|wider| *wider == sign || *wider == Sign::Both)
    }
}
