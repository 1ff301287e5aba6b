//! Random histories on paused time, and what occurred in them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Builder;

/// Runs a future to its end, on time that passes only while it waits.
pub fn paused<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

/// Tests random inputs, each on paused time. A failure is reported under `name`, with its smallest input.
pub fn each<S: Strategy>(
    name: &str,
    cases: u32,
    inputs: &S,
    test: impl AsyncFn(S::Value) -> Result<(), TestCaseError>,
) {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(inputs, |input| paused(test(input)));
    outcome.unwrap_or_else(|failure| panic!("{name}: {failure}"));
}

/// What occurred in a run, and how often, so that a run which shows nothing fails.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<String, usize>>);

impl Tally {
    pub fn add(&self, note: impl Into<String>) {
        *self.0.lock().unwrap().entry(note.into()).or_default() += 1;
    }

    pub fn count(&self, note: &str) -> usize {
        self.0.lock().unwrap().get(note).copied().unwrap_or_default()
    }

    /// Fails if one of these never occurred.
    pub fn assert_all(&self, notes: impl IntoIterator<Item = String>) {
        let never: Vec<_> = notes.into_iter().filter(|note| self.count(note) == 0).collect();
        assert!(
            never.is_empty(),
            "these never occurred, so the run shows nothing about them: {never:?}"
        );
    }
}
