//! Which writes can change a decision. So not every question has to be evaluated at every revision.

use std::collections::{BTreeSet, HashMap, HashSet};

use tower_zookie::store::{History, ObjectRef};

use crate::asked::Asked;

/// The revisions that matter, by what a question names.
pub(crate) struct Relevant {
    /// Revisions that write relationships between objects, for each resource that can reach them.
    structure: HashMap<ObjectRef, BTreeSet<u64>>,
    /// Revisions that write a relationship of a subject.
    personal: HashMap<ObjectRef, BTreeSet<u64>>,
}

impl Relevant {
    /// The first transaction makes revision 2.
    pub(crate) fn new(history: &History) -> Self {
        let updates = || {
            let numbered = history.transactions.iter().zip(2_u64..);
            numbered.flat_map(|(transaction, revision)| {
                let relationships = transaction.updates.iter().map(|update| &update.relationship);
                relationships.map(move |relationship| (relationship, revision))
            })
        };
        let resources: HashSet<&ObjectRef> = updates().map(|(relationship, _)| relationship.resource()).collect();
        let mut leads_to: HashMap<&ObjectRef, HashSet<&ObjectRef>> = HashMap::new();
        let mut written: HashMap<&ObjectRef, BTreeSet<u64>> = HashMap::new();
        let mut personal: HashMap<ObjectRef, BTreeSet<u64>> = HashMap::new();
        for (relationship, revision) in updates() {
            let (resource, subject) = (relationship.resource(), relationship.subject().object_ref());
            if resources.contains(subject) || subject.is_wildcard() {
                leads_to.entry(resource).or_default().insert(subject);
                written.entry(resource).or_default().insert(revision);
            } else {
                personal.entry(subject.clone()).or_default().insert(revision);
            }
        }
        let structure = resources.iter().map(|resource| {
            let (mut reached, mut next) = (HashSet::from([*resource]), vec![*resource]);
            while let Some(object) = next.pop() {
                let further = leads_to.get(object).into_iter().flatten().copied();
                next.extend(further.filter(|object| reached.insert(object)));
            }
            let revisions = reached.iter().filter_map(|object| written.get(object));
            ((*resource).clone(), revisions.flatten().copied().collect())
        });
        Self {
            structure: structure.collect(),
            personal,
        }
    }

    /// The revisions that can change the decision, ascending.
    pub(crate) fn to(&self, asked: &Asked) -> BTreeSet<u64> {
        let structure = self.structure.get(&asked.resource);
        let personal = self.personal.get(asked.subject.object_ref());
        structure.into_iter().chain(personal).flatten().copied().collect()
    }
}
