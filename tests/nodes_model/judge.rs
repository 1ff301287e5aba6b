//! Compares all that was observed with the history.

use std::collections::HashMap;
use std::sync::PoisonError;

use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::{Body, Entry};
use tower_zookie::store::{Filter, Operation};

use crate::client::covers;
use crate::history::{History, names};
use crate::world::{Acknowledged, Answer, Said, World};

/// The errors that are shown of a run.
const SHOWN: usize = 5;

pub(crate) fn judge(world: &World) -> Result<(), String> {
    let record = world.record.lock().unwrap_or_else(PoisonError::into_inner);
    let mut observed = world.observed();
    let history = &record.history;
    let mut broken = std::mem::take(&mut observed.broken);
    broken.extend(record.broken.iter().cloned());
    broken.extend(entries(history));
    broken.extend(
        observed
            .writes
            .iter()
            .filter_map(|write| acknowledged(history, write).err()),
    );
    broken.extend(
        observed
            .answers
            .iter()
            .filter_map(|answer| answered(history, answer).err()),
    );
    broken.extend(snapshots(history, &record.snapshots));
    broken.extend(converged(world, history));
    if !broken.is_empty() {
        let count = broken.len();
        broken.truncate(SHOWN);
        return Err(format!("{count} errors: {broken:#?}"));
    }
    let notes = &mut observed.notes;
    notes.extend(std::iter::repeat_n(
        "history: entry".to_owned(),
        history.entries().count(),
    ));
    notes.extend(std::iter::repeat_n(
        "start from a snapshot".to_owned(),
        record.started_from_snapshots,
    ));
    for (one, other) in history.concurrent() {
        notes.push("history: concurrent writes of one relationship".to_owned());
        if one.time == other.time && one.exists != other.exists {
            notes.push("history: a tie that the node's id decides".to_owned());
        }
        let later = if one.rank() > other.rank() { one } else { other };
        if one.exists != other.exists && !later.exists {
            notes.push("history: a deletion that wins over a concurrent write".to_owned());
        }
    }
    Ok(())
}

/// Every entry follows its node's previous one, and is later than everything that it saw. What it creates did not exist for
/// it, and what it deletes did.
fn entries(history: &History) -> Vec<String> {
    let mut latest: HashMap<(&str, u64), u64> = HashMap::new();
    for entry in history.entries() {
        let before = latest
            .get(&(&*entry.node, entry.number - 1))
            .copied()
            .unwrap_or_default();
        latest.insert((&entry.node, entry.number), entry.time.max(before));
    }
    let mut broken = Vec::new();
    for entry in history.entries() {
        if entry.saw.get(&entry.node) != entry.number - 1 {
            broken.push(format!("it does not follow the one before: {entry:?}"));
        }
        // Everything is later than the schema that a node was started with.
        let is_later = |time: u64| time < entry.time || matches!(entry.body, Body::Joined(_));
        for (node, number) in entry.saw.iter() {
            match latest.get(&(node, number)) {
                None => broken.push(format!("it saw what is not stored: {entry:?}")),
                Some(time) if !is_later(*time) => broken.push(format!("it is not later than what it saw: {entry:?}")),
                Some(_) => {}
            }
        }
        broken.extend(conditions(history, entry));
    }
    broken
}

fn conditions(history: &History, entry: &Entry) -> Vec<String> {
    let Body::Updates(updates) = &entry.body else {
        return Vec::new();
    };
    let broken = updates.iter().filter(|update| {
        let existed = history.exists(&update.relationship.to_string(), &entry.saw);
        match update.operation {
            Operation::Create => existed,
            Operation::Delete => !existed,
            Operation::Touch => false,
        }
    });
    broken
        .map(|update| format!("{update:?} was not possible: {entry:?}"))
        .collect()
}

/// An acknowledged write is stored, and is later than everything that its token names.
fn acknowledged(history: &History, write: &Acknowledged) -> Result<(), String> {
    let entry = history.get(&write.node, write.number);
    let entry = entry.ok_or_else(|| format!("an acknowledged write is lost: {write:?}"))?;
    let Body::Updates(updates) = &entry.body else {
        return Err(format!("{entry:?} is not {write:?}"));
    };
    let written = updates.iter().map(|update| {
        let verb = match update.operation {
            Operation::Touch => "touch",
            Operation::Create => "create",
            Operation::Delete => "delete",
        };
        (verb, update.relationship.to_string())
    });
    if !written.eq(write.updates.iter().cloned()) {
        return Err(format!("{entry:?} is not {write:?}"));
    }
    if write.saw.as_ref().is_some_and(|saw| *saw != entry.saw) {
        return Err(format!("the reply names another clock than {entry:?}: {write:?}"));
    }
    let Some(after) = &write.after else {
        return Ok(());
    };
    if !covers(&entry.saw, after) {
        return Err(format!("{entry:?} did not see {after:?}"));
    }
    let wins = |other: &Entry| (other.time, &other.node) > (entry.time, &entry.node);
    match history.below(after).find(|other| wins(other)) {
        Some(winner) => Err(format!("{entry:?} loses to {winner:?}, which its token names")),
        None => Ok(()),
    }
}

/// An answer names what is stored, and what it says is true there.
fn answered(history: &History, answer: &Answer) -> Result<(), String> {
    let Answer { at, said, is_named, by } = answer;
    let broken = |what: &str| Err(format!("{by}: {what}, {said:?} at {at:?}"));
    if !history.has_all(at) {
        return broken("it names what is not stored");
    }
    if *is_named && !history.is_closed(at) {
        return broken("it names a write without what the write saw");
    }
    let is_true = match said {
        Said::Has(doc, found) => history.read(&format!("doc:{doc}#"), at).iter().eq(found),
        Said::MayView { doc, user, allowed } => history.may_view(*doc, *user, at) == *allowed,
    };
    if is_true { Ok(()) } else { broken("it is not true") }
}

fn snapshots(history: &History, snapshots: &[tower_zookie::store::node::Snapshot]) -> Vec<String> {
    let broken = snapshots.iter().filter(|snapshot| {
        let existing = snapshot.relationships.iter().filter(|version| version.exists);
        let existing: std::collections::BTreeSet<_> =
            existing.map(|version| version.relationship.to_string()).collect();
        existing != history.read("", &snapshot.clock)
    });
    broken
        .map(|snapshot| format!("a stored snapshot is wrong: {snapshot:?}"))
        .collect()
}

/// All nodes have everything, and say the same.
fn converged(world: &World, history: &History) -> Vec<String> {
    let ends: VectorClock = history.ends();
    let mut broken = Vec::new();
    for site in &world.sites {
        let Some(running) = site.running() else {
            broken.push(format!("{} does not run at the end", site.name));
            continue;
        };
        let clock = running.node.clock();
        if clock != ends {
            broken.push(format!("{} is at {clock:?} and not at {ends:?}", site.name));
            continue;
        }
        for kind in ["doc", "team"] {
            let found = running
                .reader
                .read_current(&Filter::of_type(kind))
                .map(|found| names(&found));
            let expected = history.read(&format!("{kind}:"), &ends);
            if found.as_ref().ok() != Some(&expected) {
                broken.push(format!("{} ends with {found:?} and not {expected:?}", site.name));
            }
        }
    }
    broken
}
