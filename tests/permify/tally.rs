//! What occurred in a run, so that a run which shows nothing fails.

use std::collections::BTreeMap;
use std::sync::Mutex;

pub(crate) const ADVERSARY: &str = "adversary: all requests";
pub(crate) const HONEST: &str = "honest: all requests";

#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<String, usize>>);

impl Tally {
    pub(crate) fn add(&self, note: impl Into<String>) {
        *self.0.lock().unwrap().entry(note.into()).or_default() += 1;
    }

    pub(crate) fn count(&self, note: &str) -> usize {
        self.0.lock().unwrap().get(note).copied().unwrap_or_default()
    }
}
