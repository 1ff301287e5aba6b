use std::collections::{BTreeMap, HashMap};

use crate::store::clock::{At, Nodes, Stamp};
use crate::store::relationship::{ObjectRef, Relationship};
use crate::store::rules::{Symbol, Symbols};

/// One write to a relationship.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    pub(super) stamp: Stamp,
    pub(super) exists: bool,
}

/// All retained versions of one relationship, in the order in which later ones win. Almost every relationship has one
/// version, and one version needs no allocation.
#[derive(Debug)]
pub(super) struct History {
    last: Version,
    older: Vec<Version>,
}

impl History {
    fn of(version: Version) -> Self {
        Self {
            last: version,
            older: Vec::new(),
        }
    }

    /// Whether it exists for a reader: of the versions that the reader sees the last one decides.
    pub(super) fn exists_at(&self, at: At<'_>) -> bool {
        self.deciding(at).is_some_and(|version| version.exists)
    }

    fn deciding(&self, at: At<'_>) -> Option<Version> {
        let mut newest_first = [&self.last].into_iter().chain(self.older.iter().rev());
        newest_first.find(|version| at.sees(&version.stamp)).copied()
    }

    fn add(&mut self, nodes: &Nodes, version: Version) {
        // A snapshot can have a write of this node that waits for its acknowledgement here.
        if self
            .older
            .iter()
            .chain([&self.last])
            .any(|known| known.stamp == version.stamp)
        {
            return;
        }
        let later = |known: &Version| nodes.order(&known.stamp, &version.stamp).is_gt();
        if !later(&self.last) {
            self.older.push(std::mem::replace(&mut self.last, version));
            return;
        }
        let place = self.older.partition_point(|known| !later(known));
        self.older.insert(place, version);
    }

    /// Drops the versions that no reader at or above `trim` can see. A deletion that everything older has been dropped for
    /// goes too, once no node can write anything with an earlier timestamp: then `settled` sees it.
    fn trim(&mut self, trim: At<'_>, settled: At<'_>) -> Trimmed {
        if self.older.is_empty() && self.last.exists {
            return Trimmed::Done;
        }
        let mut all = self.older.drain(..).chain([self.last]).collect::<Vec<_>>();
        let first = all.iter().rposition(|version| trim.sees(&version.stamp)).unwrap_or(0);
        all.drain(..first);
        let is_deletion = |version: &Version| !version.exists && trim.sees(&version.stamp);
        let mut deletion = all
            .first()
            .filter(|version| is_deletion(version))
            .map(|version| version.stamp);
        if deletion.is_some_and(|stamp| settled.sees(&stamp)) {
            all.remove(0);
            deletion = None;
        }
        let Some(last) = all.pop() else {
            return Trimmed::Gone;
        };
        self.last = last;
        self.older = all;
        deletion.map_or(Trimmed::Done, Trimmed::Unsettled)
    }
}

/// What is left of a relationship's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trimmed {
    Gone,
    Done,
    /// It begins with a deletion that another node may not have seen.
    Unsettled(Stamp),
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

    pub(super) fn is_wildcard(&self, object: u32) -> bool {
        self.slot(object).is_some_and(|slot| slot.object.is_wildcard())
    }

    /// The subjects of one relation of one resource, at all retained revisions.
    pub(super) fn subjects(&self, object: u32, relation: Symbol) -> Option<&Subjects> {
        let relations = &self.slot(object)?.relations;
        Some(&relations.iter().find(|(name, _)| *name == relation)?.1)
    }

    fn slot(&self, object: u32) -> Option<&Slot> {
        self.slots.get(object as usize)?.as_ref()
    }

    pub(super) fn exists_at(&self, symbols: &Symbols, relationship: &Relationship, at: At<'_>) -> bool {
        let history = self
            .locate(symbols, relationship)
            .and_then(|(resource, relation, key)| {
                let subjects = self.subjects(resource, relation)?;
                subjects.get(&key)
            });
        history.is_some_and(|history| history.exists_at(at))
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

    /// Adds a version of a relationship.
    pub(super) fn add(&mut self, symbols: &mut Symbols, nodes: &Nodes, relationship: &Relationship, version: Version) {
        let subject = relationship.subject();
        let object = self.take_slot(symbols, subject.object_ref());
        let resource = self.take_slot(symbols, relationship.resource());
        let key = SubjectKey {
            relation: subject.relation().map_or(Symbol::NONE, |name| symbols.intern(name)),
            object,
        };
        let relation = symbols.intern(relationship.relation());
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
            history.add(nodes, version);
        } else {
            subjects.insert(key, History::of(version));
            if let Some(slot) = self.slots.get_mut(object as usize).and_then(Option::as_mut) {
                slot.uses += 1;
            }
        }
    }

    fn history_mut(&mut self, resource: u32, relation: Symbol, key: SubjectKey) -> Option<&mut History> {
        let slot = self.slots.get_mut(resource as usize)?.as_mut()?;
        let subjects = &mut slot.relations.iter_mut().find(|(name, _)| *name == relation)?.1;
        subjects.get_mut(&key)
    }

    /// Trims the history of a relationship: see [`History::trim`].
    pub(super) fn trim(
        &mut self,
        symbols: &Symbols,
        relationship: &Relationship,
        trim: At<'_>,
        settled: At<'_>,
    ) -> Trimmed {
        let Some((resource, relation, key)) = self.locate(symbols, relationship) else {
            return Trimmed::Gone;
        };
        let Some(history) = self.history_mut(resource, relation, key) else {
            return Trimmed::Gone;
        };
        let trimmed = history.trim(trim, settled);
        if trimmed != Trimmed::Gone {
            return trimmed;
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
        trimmed
    }

    fn take_slot(&mut self, symbols: &mut Symbols, object: &ObjectRef) -> u32 {
        if let Some(number) = self.find(object) {
            return number;
        }
        let slot = Some(Slot {
            object: object.clone(),
            object_type: symbols.intern(object.object_type()),
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

    /// All relationships in a scope that a reader sees.
    pub(super) fn relationships<'a>(
        &'a self,
        symbols: &'a Symbols,
        of: Scope,
        at: At<'a>,
    ) -> impl Iterator<Item = Relationship> + 'a {
        self.histories(symbols, of, move |history| history.exists_at(at))
            .map(|(relationship, _)| relationship)
    }

    /// For every relationship the version that decides for a reader.
    pub(super) fn deciding<'a>(
        &'a self,
        symbols: &'a Symbols,
        at: At<'a>,
    ) -> impl Iterator<Item = (Relationship, Version)> + 'a {
        self.histories(symbols, Scope::All, |_| true)
            .filter_map(move |(relationship, history)| Some((relationship, history.deciding(at)?)))
    }

    /// All versions of all relationships.
    pub(super) fn all<'a>(&'a self, symbols: &'a Symbols) -> impl Iterator<Item = (Relationship, Version)> + 'a {
        let histories = self.histories(symbols, Scope::All, |_| true);
        histories.flat_map(|(relationship, history)| {
            let versions = history.older.iter().chain([&history.last]);
            versions.map(move |version| (relationship.clone(), *version))
        })
    }

    fn histories<'a>(
        &'a self,
        symbols: &'a Symbols,
        of: Scope,
        wanted: impl Fn(&History) -> bool + Copy + 'a,
    ) -> impl Iterator<Item = (Relationship, &'a History)> + 'a {
        let range = match of {
            Scope::Resource(number) => number as usize..number as usize + 1,
            Scope::Type(_) | Scope::All => 0..self.slots.len(),
        };
        let slots = self.slots.get(range).into_iter().flatten().flatten();
        slots
            .filter(move |slot| !matches!(of, Scope::Type(expected) if expected != slot.object_type))
            .flat_map(|slot| slot.relations.iter().map(move |relation| (slot, relation)))
            .flat_map(move |(slot, (relation, subjects))| {
                subjects
                    .iter()
                    .filter(move |(_, history)| wanted(history))
                    .filter_map(move |(key, history)| {
                        let subject = self.slot(key.object)?.object.clone();
                        let relation = symbols.name(*relation)?.clone();
                        let userset = symbols.name(key.relation).cloned();
                        let made = Relationship::from_parts(slot.object.clone(), relation, subject, userset);
                        Some((made, history))
                    })
            })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_ref.len()
    }

    #[cfg(test)]
    pub(super) fn versions(&self) -> usize {
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
