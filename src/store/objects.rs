use std::collections::{BTreeMap, HashMap};

use crate::store::relationship::{ObjectRef, Relationship};
use crate::store::rules::{Symbol, Symbols};

/// The revisions at which a relationship existed: from `created` until before `deleted`.
#[derive(Clone, Copy, Debug)]
struct Span {
    created: u64,
    deleted: u64,
}

const NOT_DELETED: u64 = u64::MAX;

/// All retained spans of one relationship, oldest first. Almost every relationship has one span, and one span needs no
/// allocation.
#[derive(Debug)]
pub(super) struct History {
    last: Span,
    older: Vec<Span>,
}

impl History {
    fn since(revision: u64) -> Self {
        let last = Span {
            created: revision,
            deleted: NOT_DELETED,
        };
        Self {
            last,
            older: Vec::new(),
        }
    }

    pub(super) fn exists_at(&self, revision: u64) -> bool {
        if revision >= self.last.created {
            return revision < self.last.deleted;
        }
        let index = self.older.partition_point(|span| span.deleted <= revision);
        self.older.get(index).is_some_and(|span| span.created <= revision)
    }

    fn exists(&self) -> bool {
        self.last.deleted == NOT_DELETED
    }
}

/// One subject of a relation. Keys are ordered by relation first, so plain objects come before all usersets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SubjectKey {
    pub(super) relation: Symbol,
    pub(super) object: u32,
}

type Subjects = BTreeMap<SubjectKey, History>;

#[derive(Debug)]
struct Slot {
    object: ObjectRef,
    object_type: Symbol,
    relations: Vec<(Symbol, Subjects)>,
    /// The number of retained relationships with this object as their subject.
    uses: usize,
}

/// All objects that retained relationships name, each with a small number. Numbers of removed objects are reused.
#[derive(Debug, Default)]
pub(super) struct Objects {
    by_ref: HashMap<ObjectRef, u32>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
}

impl Objects {
    pub(super) fn find(&self, object: &ObjectRef) -> Option<u32> {
        self.by_ref.get(object).copied()
    }

    pub(super) fn object_type(&self, object: u32) -> Option<Symbol> {
        Some(self.slot(object)?.object_type)
    }

    /// The subjects of one relation of one resource, at all retained revisions.
    pub(super) fn subjects(&self, object: u32, relation: Symbol) -> Option<&Subjects> {
        let relations = &self.slot(object)?.relations;
        Some(&relations.iter().find(|(name, _)| *name == relation)?.1)
    }

    fn slot(&self, object: u32) -> Option<&Slot> {
        self.slots.get(object as usize)?.as_ref()
    }

    pub(super) fn exists(&self, symbols: &Symbols, relationship: &Relationship) -> bool {
        let history = self
            .locate(symbols, relationship)
            .and_then(|(resource, relation, key)| {
                let subjects = self.subjects(resource, relation)?;
                subjects.get(&key)
            });
        history.is_some_and(History::exists)
    }

    fn locate(&self, symbols: &Symbols, relationship: &Relationship) -> Option<(u32, Symbol, SubjectKey)> {
        let subject = relationship.subject();
        let key = SubjectKey {
            relation: match subject.relation() {
                Some(relation) => symbols.get(relation)?,
                None => Symbol::NONE,
            },
            object: self.find(subject.object_ref())?,
        };
        let relation = symbols.get(relationship.relation())?;
        Some((self.find(relationship.resource())?, relation, key))
    }

    /// Adds a relationship that does not exist. The schema must have its names.
    pub(super) fn create(&mut self, symbols: &Symbols, relationship: &Relationship, revision: u64) {
        let subject = relationship.subject();
        let object = self.take_slot(symbols, subject.object_ref());
        let resource = self.take_slot(symbols, relationship.resource());
        let key = SubjectKey {
            relation: subject.relation().and_then(|r| symbols.get(r)).unwrap_or(Symbol::NONE),
            object,
        };
        let relation = symbols.get(relationship.relation()).unwrap_or(Symbol::NONE);
        let Some(slot) = self.slots.get_mut(resource as usize).and_then(Option::as_mut) else {
            return;
        };
        let index = match slot.relations.iter().position(|(name, _)| *name == relation) {
            Some(index) => index,
            None => {
                slot.relations.push((relation, Subjects::new()));
                slot.relations.len() - 1
            }
        };
        let subjects = &mut slot.relations[index].1;
        if let Some(history) = subjects.get_mut(&key) {
            let next = History::since(revision).last;
            history.older.push(std::mem::replace(&mut history.last, next));
        } else {
            subjects.insert(key, History::since(revision));
            if let Some(slot) = self.slots.get_mut(object as usize).and_then(Option::as_mut) {
                slot.uses += 1;
            }
        }
    }

    /// Ends a relationship that exists.
    pub(super) fn delete(&mut self, symbols: &Symbols, relationship: &Relationship, revision: u64) {
        if let Some((resource, relation, key)) = self.locate(symbols, relationship)
            && let Some(history) = self.history_mut(resource, relation, key)
        {
            history.last.deleted = revision;
        }
    }

    fn history_mut(&mut self, resource: u32, relation: Symbol, key: SubjectKey) -> Option<&mut History> {
        let slot = self.slots.get_mut(resource as usize)?.as_mut()?;
        let subjects = &mut slot.relations.iter_mut().find(|(name, _)| *name == relation)?.1;
        subjects.get_mut(&key)
    }

    /// Removes the spans of a relationship that ended at or before `floor`.
    pub(super) fn forget(&mut self, symbols: &Symbols, relationship: &Relationship, floor: u64) {
        let Some((resource, relation, key)) = self.locate(symbols, relationship) else {
            return;
        };
        let Some(history) = self.history_mut(resource, relation, key) else {
            return;
        };
        history.older.retain(|span| span.deleted > floor);
        if history.last.deleted > floor {
            return;
        }
        if let Some(slot) = self.slots.get_mut(resource as usize).and_then(Option::as_mut)
            && let Some(index) = slot.relations.iter().position(|(name, _)| *name == relation)
        {
            slot.relations[index].1.remove(&key);
            if slot.relations[index].1.is_empty() {
                slot.relations.swap_remove(index);
            }
        }
        if let Some(slot) = self.slots.get_mut(key.object as usize).and_then(Option::as_mut) {
            slot.uses -= 1;
        }
        self.release(resource);
        self.release(key.object);
    }

    fn take_slot(&mut self, symbols: &Symbols, object: &ObjectRef) -> u32 {
        if let Some(number) = self.find(object) {
            return number;
        }
        let slot = Some(Slot {
            object: object.clone(),
            object_type: symbols.get(object.object_type()).unwrap_or(Symbol::NONE),
            relations: Vec::new(),
            uses: 0,
        });
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = slot;
                number
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        self.by_ref.insert(object.clone(), number);
        number
    }

    fn release(&mut self, number: u32) {
        let unused = |slot: &Slot| slot.uses == 0 && slot.relations.is_empty();
        if self.slot(number).is_some_and(unused)
            && let Some(slot) = self.slots[number as usize].take()
        {
            self.by_ref.remove(&slot.object);
            self.free.push(number);
        }
    }

    /// All relationships in a scope at a revision.
    pub(super) fn relationships<'a>(
        &'a self,
        symbols: &'a Symbols,
        of: Scope,
        revision: u64,
    ) -> impl Iterator<Item = Relationship> + 'a {
        let range = match of {
            Scope::Resource(number) => number as usize..number as usize + 1,
            Scope::Type(_) | Scope::All => 0..self.slots.len(),
        };
        let slots = self.slots.get(range).into_iter().flatten().flatten();
        slots
            .filter(move |slot| !matches!(of, Scope::Type(expected) if expected != slot.object_type))
            .flat_map(|slot| slot.relations.iter().map(move |relation| (slot, relation)))
            .flat_map(move |(slot, (relation, subjects))| {
                let existing = subjects.iter().filter(move |(_, history)| history.exists_at(revision));
                existing.filter_map(move |(key, _)| {
                    let subject = self.slot(key.object)?.object.clone();
                    let relation = symbols.name(*relation)?.clone();
                    let userset = symbols.name(key.relation).cloned();
                    Some(Relationship::from_parts(
                        slot.object.clone(),
                        relation,
                        subject,
                        userset,
                    ))
                })
            })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_ref.len()
    }

    #[cfg(test)]
    pub(super) fn spans(&self) -> usize {
        let relations = self.slots.iter().flatten().flat_map(|slot| &slot.relations);
        let histories = relations.flat_map(|(_, subjects)| subjects.values());
        histories.map(|history| 1 + history.older.len()).sum()
    }
}

/// The resources to list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope {
    Resource(u32),
    Type(Symbol),
    All,
}
