//! One run of one policy, and the judge of its answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::sleep_until;

use crate::policy::{Policy, Reply, Source};
use crate::upstream::Upstream;
use crate::workload::{Check, Terms, Workload};
use crate::world::World;

/// The result of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// All checks. Violations and stale answers are counted among these.
    pub(crate) judged: u64,
    /// Those after the warm-up. Hits, coalesced answers, upstream calls and ages are counted among these.
    pub(crate) checks: u64,
    pub(crate) hits: u64,
    pub(crate) coalesced: u64,
    pub(crate) upstream_calls: u64,
    age_sum: f64,
    /// Answers evaluated below their floor whose decision differs from the one at the floor; and answers that are not
    /// true at the revision that they claim.
    pub(crate) violations: u64,
    /// Answers evaluated below their floor.
    pub(crate) below_floor: u64,
    /// Answers older than the bound.
    pub(crate) over_age: u64,
}

impl Tally {
    fn share(self, part: u64) -> f64 {
        part as f64 / self.checks.max(1) as f64
    }

    pub(crate) fn hit_share(self) -> f64 {
        self.share(self.hits)
    }

    pub(crate) fn coalesced_share(self) -> f64 {
        self.share(self.coalesced)
    }

    /// The share of answers that needed no upstream call of their own.
    pub(crate) fn saved_share(self) -> f64 {
        self.share(self.hits + self.coalesced)
    }

    /// In seconds, at the arrival of the check. An answer at head has no age.
    pub(crate) fn mean_age(self) -> f64 {
        self.age_sum / 1e3 / self.checks.max(1) as f64
    }

    pub(crate) fn stale(self) -> u64 {
        self.below_floor + self.over_age
    }

    /// Judges a reply by the history. An answer is as old as the first write that it does not know of, whatever age its
    /// policy assumes.
    fn judge(&mut self, world: &World, check: &Check, reply: &Reply, bound: i64, counts: bool) {
        let answer = reply.answer;
        let age = world
            .overtaken(answer.revision)
            .map_or(0, |overtaken| (check.at - overtaken).max(0));
        let true_there = answer.allowed == world.decision(check.question, answer.revision);
        let below = check.floor.filter(|floor| answer.revision < *floor);
        let another = below.is_some_and(|floor| answer.allowed != world.decision(check.question, floor));
        self.judged += 1;
        self.violations += u64::from(another || !true_there);
        self.below_floor += u64::from(below.is_some());
        self.over_age += u64::from(age > bound);
        if counts {
            self.checks += 1;
            self.hits += u64::from(reply.source == Source::Hit);
            self.coalesced += u64::from(reply.source == Source::Coalesced);
            self.age_sum += age as f64;
        }
    }
}

/// Runs a policy through a workload, on a clock that stands still while there is something to do.
pub(crate) fn simulate(workload: &Workload, terms: &Terms, policy: impl FnOnce() -> Arc<dyn Policy>) -> Tally {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O can be built");
    runtime.block_on(run(workload, terms, policy))
}

async fn run(workload: &Workload, terms: &Terms, policy: impl FnOnce() -> Arc<dyn Policy>) -> Tally {
    let policy = policy();
    let upstream = Arc::new(Upstream::new(workload.world.clone(), terms.latency));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let bound = terms.bound();
    let mut writes = workload.world.writes_after(0).peekable();
    let mut calls_before = 0;
    for check in &workload.checks {
        while let Some((at, revision)) = writes.next_if(|(at, _)| *at <= check.at) {
            sleep_until(upstream.instant(at)).await;
            policy.wrote(revision);
        }
        sleep_until(upstream.instant(check.at)).await;
        let counts = check.at >= workload.counts_from;
        if !counts {
            calls_before = upstream.calls();
        }
        let answering = Arc::clone(&policy).check(Arc::clone(&upstream), *check);
        let (check, tally, upstream) = (*check, Arc::clone(&tally), Arc::clone(&upstream));
        tokio::spawn(async move {
            let reply = answering.await;
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.judge(&upstream.world, &check, &reply, bound, counts);
        });
    }
    // Long enough for the last calls.
    tokio::time::sleep(terms.latency * 4 + Duration::from_secs(1)).await;
    let mut tally = *tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.upstream_calls = upstream.calls() - calls_before;
    let expected = workload
        .checks
        .iter()
        .filter(|check| check.at >= workload.counts_from)
        .count();
    assert_eq!(tally.checks, expected as u64, "every check is answered");
    tally
}
