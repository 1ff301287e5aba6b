//! The recorded relationships, and the questions about them.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tower_zookie::store::{History, ObjectRef, Store, SubjectRef};

use crate::AnyError;

/// One check, and what the store says to it.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) resource: ObjectRef,
    pub(crate) permission: &'static str,
    pub(crate) subject: ObjectRef,
    pub(crate) allowed: bool,
}

/// The popularity sequence, and the question of each rank in it.
#[derive(Debug)]
pub(crate) struct Questions {
    pub(crate) sequence: Vec<u32>,
    pub(crate) by_rank: Vec<Question>,
    /// The newest revision.
    pub(crate) head: u64,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data")
}

/// A store with the whole history.
pub(crate) fn store() -> Result<Store, AnyError> {
    fill(History::open(folder())?)
}

fn fill(history: History) -> Result<Store, AnyError> {
    let store = Store::new(history.schema);
    for transaction in history.transactions {
        store.write(transaction.updates)?;
    }
    Ok(store)
}

impl Questions {
    pub(crate) fn load() -> Result<Self, AnyError> {
        let history = History::open(folder())?;
        let mut related = Vec::new();
        for update in history.transactions.iter().flat_map(|transaction| &transaction.updates) {
            let (resource, subject) = (update.relationship.resource(), update.relationship.subject());
            if subject.object_ref().object_type() == "user" && !subject.is_wildcard() {
                related.push((resource.clone(), subject.object_ref().clone()));
            }
        }
        let users: BTreeSet<String> = related.iter().map(|(_, user)| user.to_string()).collect();
        let users: Vec<ObjectRef> = users.iter().map(|user| user.parse()).collect::<Result<_, _>>()?;
        let repos: BTreeSet<String> = history
            .transactions
            .iter()
            .flat_map(|transaction| &transaction.updates)
            .map(|update| update.relationship.resource())
            .filter(|resource| resource.object_type() == "repo")
            .map(ToString::to_string)
            .collect();
        let repos: Vec<ObjectRef> = repos.iter().map(|repo| repo.parse()).collect::<Result<_, _>>()?;

        let store = fill(history)?;
        let head = store.current_revision();
        let sequence = sequence()?;
        let ranks = sequence.iter().max().map_or(0, |max| max + 1);
        let draw = |random: &mut StdRng| -> Result<Question, AnyError> {
            let (resource, user) = related.choose(random).ok_or("no relationships")?;
            // Repositories get their permissions through teams, so few relationships name both a repository and a user.
            let repo = if random.random() { repos.choose(random) } else { None };
            let resource = repo.unwrap_or(resource).clone();
            let other = if random.random() { users.choose(random) } else { None };
            let subject = other.unwrap_or(user).clone();
            let permission = permissions(resource.object_type())
                .choose(random)
                .ok_or("a resource of an unknown type")?;
            let allowed = store.check(&resource, permission, &SubjectRef::object(subject.clone()), head)?;
            Ok(Question {
                resource,
                permission,
                subject,
                allowed,
            })
        };
        // No two ranks ask the same, or a row of misses would have hits.
        let (mut random, mut drawn) = (StdRng::seed_from_u64(0), HashSet::new());
        let mut ask = || loop {
            let question = draw(&mut random)?;
            let Question {
                resource,
                permission,
                subject,
                ..
            } = &question;
            if drawn.insert(format!("{resource}#{permission}@{subject}")) {
                return Ok::<_, AnyError>(question);
            }
        };
        let by_rank = (0..ranks).map(|_| ask()).collect::<Result<_, _>>()?;
        Ok(Self {
            sequence,
            by_rank,
            head,
        })
    }
}

/// What the schema lets one ask about a type.
fn permissions(object_type: &str) -> &'static [&'static str] {
    match object_type {
        "repo" => &["administer", "push", "triage", "pull", "approve"],
        "team" => &["member", "manage"],
        "org" => &["admin", "member"],
        _ => &[],
    }
}

fn sequence() -> Result<Vec<u32>, AnyError> {
    let packed = std::fs::read(folder().join("orm-busy-1m.u32.zst"))?;
    let bytes = zstd::decode_all(&*packed)?;
    let numbers = bytes
        .chunks_exact(4)
        .map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    Ok(numbers.collect())
}
