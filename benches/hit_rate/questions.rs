//! Which question each popularity rank stands for.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tower_zookie::store::{History, ObjectRef, SubjectRef};

use crate::AnyError;
use crate::asked::Asked;

/// One question for each of so many ranks, always the same.
///
/// Half of them ask about a user that has, had or will have a relationship with the resource, the others about any
/// user.
pub(crate) fn questions(history: &History, schema: &str, ranks: u32) -> Result<Vec<Asked>, AnyError> {
    let names = names(schema);
    let relationships = || {
        let updates = history.transactions.iter().flat_map(|transaction| &transaction.updates);
        updates.map(|update| &update.relationship)
    };
    let people: Vec<(&ObjectRef, &SubjectRef)> = relationships()
        .filter(|made| made.subject().relation().is_none() && !made.subject().is_wildcard())
        .map(|made| (made.resource(), made.subject()))
        .collect();
    let subjects: Vec<&SubjectRef> = people
        .iter()
        .map(|(_, subject)| *subject)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    // A member of a team is also related to what the team is related to.
    let mut around: BTreeMap<&ObjectRef, BTreeSet<&ObjectRef>> = BTreeMap::new();
    for made in relationships() {
        if made.subject().relation().is_some() {
            around
                .entry(made.subject().object_ref())
                .or_default()
                .insert(made.resource());
        }
    }
    let around: BTreeMap<&ObjectRef, Vec<&ObjectRef>> = around
        .into_iter()
        .map(|(object, set)| (object, set.into_iter().collect()))
        .collect();

    let one = |rank: u32| {
        let mut dice = StdRng::seed_from_u64(rank.into());
        let (object, insider) = *people.choose(&mut dice)?;
        let wider = around.get(object).filter(|_| dice.random());
        let resource = match wider {
            Some(resources) => *resources.choose(&mut dice)?,
            None => object,
        };
        let subject = if dice.random() {
            insider
        } else {
            *subjects.choose(&mut dice)?
        };
        let permission = names.get(resource.object_type())?.choose(&mut dice)?;
        Some(Asked {
            resource: resource.clone(),
            permission: permission.clone(),
            subject: subject.clone(),
        })
    };
    (0..ranks)
        .map(one)
        .collect::<Option<_>>()
        .ok_or_else(|| "the history has no relationship of a person".into())
}

/// The relations and permissions of each definition.
fn names(schema: &str) -> BTreeMap<String, Vec<String>> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut definition = "";
    for line in schema.lines() {
        let mut words = line.split([' ', ':', '{', '}', '=']).filter(|word| !word.is_empty());
        match (words.next(), words.next()) {
            (Some("definition"), Some(name)) => definition = name,
            (Some("relation" | "permission"), Some(name)) => {
                names.entry(definition.to_owned()).or_default().push(name.to_owned());
            }
            _ => {}
        }
    }
    names
}
