//! A part of a recorded history: the changes of some relationships, in their order, and the others unchanged.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use tower_zookie::store::{History, Operation, Relationship, Transaction, Update};

/// Which shares of the relationships change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changing {
    /// Of those that lead on: members that are groups, groups with rights, parents.
    pub(crate) groups: f64,
    /// Of the others: those of single users.
    pub(crate) people: f64,
}

/// The writes of a history that change groups: at least one of their relationships leads on to others.
pub(crate) struct Groups {
    types: HashSet<String>,
}

impl Groups {
    pub(crate) fn of(history: &History) -> Self {
        let updates = history.transactions.iter().flat_map(|transaction| &transaction.updates);
        let types = updates.map(|update| update.relationship.resource().object_type().to_owned());
        Self { types: types.collect() }
    }

    /// Whether the relationship leads on: its subject is a userset, or has relationships of its own.
    fn has(&self, relationship: &Relationship) -> bool {
        let subject = relationship.subject();
        subject.relation().is_some() || self.types.contains(subject.object_ref().object_type())
    }

    pub(crate) fn are_touched_by(&self, transaction: &Transaction) -> bool {
        let updates = &transaction.updates;
        updates.iter().any(|update| self.has(&update.relationship))
    }
}

/// The history in which only this part of the relationships changes. The others have their last state from the first write
/// on, and writes without any change are left out.
pub(crate) fn part(history: &History, changing: Changing) -> History {
    let groups = Groups::of(history);
    let changes = |relationship: &Relationship| {
        let share = if groups.has(relationship) {
            changing.groups
        } else {
            changing.people
        };
        chance(relationship) < share
    };
    let mut part = history.clone();
    let mut last = BTreeMap::new();
    for transaction in &mut part.transactions {
        transaction.updates.retain(|update| {
            let stays = changes(&update.relationship);
            if !stays {
                last.insert(update.relationship.clone(), update.operation);
            }
            stays
        });
    }
    part.transactions.retain(|transaction| !transaction.updates.is_empty());
    let unchanged = last
        .into_iter()
        .filter(|(_, operation)| *operation != Operation::Delete);
    if let Some(first) = part.transactions.first_mut() {
        first
            .updates
            .extend(unchanged.map(|(relationship, _)| Update::touch(relationship)));
    }
    part
}

/// A number from 0 to 1 that depends on the relationship alone.
fn chance(relationship: &Relationship) -> f64 {
    let mut hasher = DefaultHasher::new();
    relationship.to_string().hash(&mut hasher);
    hasher.finish() as f64 / u64::MAX as f64
}
