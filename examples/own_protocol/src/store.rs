use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use tokio::sync::broadcast::{self, Receiver, Sender};

/// How many writes a reader of the log may be behind. One that is further behind has to read the log again.
const LONGEST_LAG: usize = 1024;

/// May this subject do this to that resource?
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Who.
    pub subject: String,
    /// Does what.
    pub action: String,
    /// To what.
    pub resource: String,
}

/// A write: what it allowed or denied, and the revision that it made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The revision.
    pub revision: u64,
    /// What was written.
    pub grant: Grant,
    /// Whether it is allowed from now on.
    pub allowed: bool,
}

/// Grants with all their versions. Revision 1 is empty, and each write makes the next one.
#[derive(Debug)]
pub struct Store {
    writes: Mutex<Vec<(Grant, bool)>>,
    log: Sender<Written>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            writes: Mutex::default(),
            log: broadcast::channel(LONGEST_LAG).0,
        }
    }
}

impl Store {
    /// Allows or denies from now on, and returns the revision.
    pub fn write(&self, grant: Grant, allowed: bool) -> u64 {
        let mut writes = self.writes();
        writes.push((grant.clone(), allowed));
        let revision = revision(writes.len());
        // There may be no reader of the log.
        let _ = self.log.send(Written {
            revision,
            grant,
            allowed,
        });
        revision
    }

    /// The writes after a revision, or after the newest one: that revision, those made before now, and all later ones. `None`
    /// if the store has not reached the revision.
    pub fn writes_after(&self, revision: Option<u64>) -> Option<(u64, Vec<Written>, Receiver<Written>)> {
        // No write comes in between.
        let writes = self.writes();
        let after = revision.unwrap_or(self::revision(writes.len()));
        let numbered = (2..).zip(writes.get(usize::try_from(after).ok()?.checked_sub(1)?..)?);
        let past = numbered.map(|(number, (grant, allowed))| Written {
            revision: after - 1 + number,
            grant: grant.clone(),
            allowed: *allowed,
        });
        Some((after, past.collect(), self.log.subscribe()))
    }

    /// The newest revision.
    pub fn head(&self) -> u64 {
        revision(self.writes().len())
    }

    /// The answers at one revision.
    pub fn check(&self, questions: &[Grant], at: u64) -> Vec<bool> {
        let writes = self.writes();
        let seen = |nth: usize| revision(nth + 1) <= at;
        let last = |question: &Grant| {
            let mut writes = writes.iter().enumerate().rev();
            writes.find(|(nth, (grant, _))| seen(*nth) && grant == question)
        };
        questions
            .iter()
            .map(|question| last(question).is_some_and(|(_, (_, allowed))| *allowed))
            .collect()
    }

    fn writes(&self) -> MutexGuard<'_, Vec<(Grant, bool)>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn revision(writes: usize) -> u64 {
    writes as u64 + 1
}
