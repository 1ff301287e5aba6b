use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

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

/// Grants with all their versions. Revision 1 is empty, and each write makes the next one.
#[derive(Debug, Default)]
pub struct Store(Mutex<Vec<(Grant, bool)>>);

impl Store {
    /// Allows or denies from now on, and returns the revision.
    pub fn write(&self, grant: Grant, allowed: bool) -> u64 {
        let mut writes = self.writes();
        writes.push((grant, allowed));
        revision(writes.len())
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn revision(writes: usize) -> u64 {
    writes as u64 + 1
}
