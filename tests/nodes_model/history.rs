//! What all nodes have stored, as their links saw it, and an independent reading of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::{Body, Entry};
use tower_zookie::store::{Operation, Relationship};

/// The entries of all logs, by node and number.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: BTreeMap<(Arc<str>, u64), Entry>,
    /// The versions of each relationship.
    versions: BTreeMap<String, Vec<Version>>,
}

/// What one entry says of one relationship.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) node: Arc<str>,
    pub(crate) number: u64,
    pub(crate) time: u64,
    pub(crate) exists: bool,
}

impl Version {
    /// Of two versions the one with the greater rank wins.
    pub(crate) fn rank(&self) -> (u64, &str) {
        (self.time, &self.node)
    }
}

impl History {
    /// Adds an entry that is stored.
    ///
    /// # Errors
    ///
    /// If another entry is stored under the same number.
    pub(crate) fn add(&mut self, entry: &Entry) -> Result<(), String> {
        let key = (entry.node.clone(), entry.number);
        if let Some(known) = self.entries.get(&key) {
            let same = known == entry;
            return if same {
                Ok(())
            } else {
                Err(format!("two entries of one number: {known:?} and {entry:?}"))
            };
        }
        if let Body::Updates(updates) = &entry.body {
            for update in updates.iter() {
                self.versions
                    .entry(update.relationship.to_string())
                    .or_default()
                    .push(Version {
                        node: entry.node.clone(),
                        number: entry.number,
                        time: entry.time,
                        exists: update.operation != Operation::Delete,
                    });
            }
        }
        self.entries.insert(key, entry.clone());
        Ok(())
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(crate) fn get(&self, node: &str, number: u64) -> Option<&Entry> {
        self.entries.get(&(node.into(), number))
    }

    /// The last entries of all logs.
    pub(crate) fn ends(&self) -> VectorClock {
        self.entries
            .keys()
            .map(|(node, number)| (Arc::clone(node), *number))
            .collect()
    }

    /// The entries at or below a clock.
    pub(crate) fn below(&self, clock: &VectorClock) -> impl Iterator<Item = &Entry> {
        self.entries().filter(|entry| clock.get(&entry.node) >= entry.number)
    }

    /// Whether the relationship exists at a clock: the version with the greatest rank at or below it decides.
    pub(crate) fn exists(&self, relationship: &str, clock: &VectorClock) -> bool {
        let versions = self.versions.get(relationship).into_iter().flatten();
        let below = versions.filter(|version| clock.get(&version.node) >= version.number);
        below
            .max_by_key(|version| version.rank())
            .is_some_and(|version| version.exists)
    }

    /// The relationships at a clock that begin with this text.
    pub(crate) fn read(&self, prefix: &str, clock: &VectorClock) -> BTreeSet<String> {
        let named = self.versions.keys().filter(|name| name.starts_with(prefix));
        named.filter(|name| self.exists(name, clock)).cloned().collect()
    }

    /// Whether a user may view a document at a clock.
    pub(crate) fn may_view(&self, doc: u8, user: u8, clock: &VectorClock) -> bool {
        let exists = |relationship: String| self.exists(&relationship, clock);
        let reads = exists(format!("doc:{doc}#reader@user:{user}"))
            || exists(format!("doc:{doc}#reader@team:0#member")) && exists(format!("team:0#member@user:{user}"));
        reads && !exists(format!("doc:{doc}#banned@user:{user}"))
    }

    /// Whether every entry at or below the clock is stored.
    pub(crate) fn has_all(&self, clock: &VectorClock) -> bool {
        let ends = self.ends();
        *clock <= ends
    }

    /// Whether a clock that includes an entry includes what the entry's node had seen.
    pub(crate) fn is_closed(&self, clock: &VectorClock) -> bool {
        self.below(clock).all(|entry| entry.saw <= *clock)
    }

    /// Pairs of entries that wrote one relationship, neither of which had seen the other.
    pub(crate) fn concurrent(&self) -> impl Iterator<Item = (&Version, &Version)> {
        let saw = |one: &Version, other: &Version| {
            let entry = self.get(&one.node, one.number);
            entry.is_some_and(|entry| entry.saw.get(&other.node) >= other.number)
        };
        self.versions.values().flat_map(move |versions| {
            let pairs = versions
                .iter()
                .enumerate()
                .flat_map(|(at, one)| versions[..at].iter().map(move |other| (one, other)));
            pairs.filter(move |(one, other)| one.node != other.node && !saw(one, other) && !saw(other, one))
        })
    }
}

pub(crate) fn names(relationships: &[Relationship]) -> BTreeSet<String> {
    relationships.iter().map(ToString::to_string).collect()
}
