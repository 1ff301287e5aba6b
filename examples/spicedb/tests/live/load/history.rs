//! The recorded history, and what is asked about it.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tower_zookie::store::{History, Operation, Schema, Store, Transaction, Update};

use crate::client::Question;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data");
const SEQUENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/orm-busy-1m.u32.zst");

/// Few enough that most are asked again before their answers are too old.
const QUESTIONS: u32 = 500;

/// What exists before the load, and the transactions that are written during it.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) schema: Schema,
    pub(super) before: Vec<Update>,
    pub(super) rest: Vec<Transaction>,
    pub(super) questions: Questions,
}

/// A popularity sequence, and the question of each rank in it.
#[derive(Debug)]
pub(super) struct Questions {
    sequence: Vec<u32>,
    by_rank: Vec<Question>,
}

impl Recorded {
    /// The history, of which the last `rest` transactions are still to be written.
    pub(super) fn open(rest: usize) -> Self {
        let history = History::open(FOLDER).unwrap();
        let mut transactions = history.transactions;
        let rest = transactions.split_off(transactions.len() - rest);
        let mut exist = BTreeSet::new();
        for update in transactions.iter().flat_map(|transaction| &transaction.updates) {
            match update.operation {
                Operation::Delete => exist.remove(&update.relationship),
                _ => exist.insert(update.relationship.clone()),
            };
        }
        let before: Vec<_> = exist.into_iter().map(Update::touch).collect();
        let updates = before
            .iter()
            .chain(rest.iter().flat_map(|transaction| &transaction.updates));
        let questions = Questions::about(&history.schema, updates);
        Self {
            schema: history.schema,
            before,
            rest,
            questions,
        }
    }

    /// The same history in a store of our own, at revision 2 before the load.
    pub(super) fn model(&self) -> Store {
        let store = Store::builder()
            .max_updates(usize::MAX)
            .build(self.schema.clone())
            .unwrap();
        store.write(self.before.iter().cloned()).unwrap();
        store
    }
}

impl Questions {
    fn about<'a>(schema: &Schema, updates: impl Iterator<Item = &'a Update>) -> Self {
        let packed = std::fs::read(SEQUENCE).unwrap();
        let bytes = zstd::decode_all(&*packed).unwrap();
        let ranks = bytes
            .chunks_exact(4)
            .map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        let sequence: Vec<u32> = ranks.collect();

        let mut related: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut subjects = BTreeSet::new();
        for relationship in updates.map(|update| &update.relationship) {
            let (resource, subject) = (relationship.resource().to_string(), relationship.subject());
            related
                .entry(subject.object_ref().to_string())
                .or_default()
                .insert(resource);
            if subject.relation().is_none() && subject.object_ref().object_type() == "user" {
                subjects.insert(subject.to_string());
            }
        }
        let related: BTreeMap<_, Vec<_>> = related
            .into_iter()
            .map(|(key, set)| (key, set.into_iter().collect()))
            .collect();
        let subjects: Vec<_> = subjects.into_iter().collect();
        let names = [
            "member",
            "direct",
            "lead",
            "manage",
            "push",
            "pull",
            "triage",
            "administer",
            "approve",
            "writer",
        ];

        // Half of the questions are about a user that has, had or will have a relationship with the resource.
        let question = |rank: u32| {
            let mut random = StdRng::seed_from_u64(rank.into());
            let insider = subjects.choose(&mut random).unwrap();
            let mut resource = related[insider].choose(&mut random).unwrap();
            while let Some(further) = related.get(resource).filter(|_| random.random_bool(0.5)) {
                resource = further.choose(&mut random).unwrap();
            }
            let subject = if random.random_bool(0.5) {
                insider
            } else {
                subjects.choose(&mut random).unwrap()
            };
            let known = resource.split(':').next().unwrap();
            let names: Vec<_> = names.iter().filter(|name| knows(schema, known, name)).collect();
            Question::new(resource, names.choose(&mut random).unwrap(), subject)
        };
        Self {
            sequence,
            by_rank: (0..QUESTIONS).map(question).collect(),
        }
    }

    /// The question that is asked as the `index`th.
    pub(super) fn next(&self, index: usize) -> &Question {
        &self.by_rank[(self.sequence[index % self.sequence.len()] % QUESTIONS) as usize]
    }
}

fn knows(schema: &Schema, type_name: &str, name: &str) -> bool {
    schema.has_relation(type_name, name) || schema.has_permission(type_name, name)
}
