//! One run, and the judge of what the honest callers get.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::sleep_until;

use super::callers::Request;
use super::policies::{Kind, Reply};
use super::store::{History, Store};
use crate::policy::Source;
use crate::workload::Terms;
use crate::world::Millis;

/// The answers to the honest callers. Wrong answers are counted in the whole run, the rest after the warm-up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    checks: u64,
    hits: u64,
    coalesced: u64,
    pub(crate) upstream_calls: u64,
    /// The adversary's requests.
    pub(crate) forged: u64,
    /// Answers at a revision that does not cover the caller's floor.
    below_floor: u64,
    /// Answers that are not true at their revision.
    untrue: u64,
    /// Shared answers at a revision that the store never named.
    unnamed: u64,
    /// Answers that lack a write for longer than the bound and the store's own lag together.
    over_age: u64,
    /// Errors.
    unanswered: u64,
}

/// What a policy promises.
#[derive(Clone, Copy)]
struct Judging {
    /// How old an answer may be.
    bound: Millis,
    /// It claims only revisions that the store named. For the oracle they need not be named.
    names: bool,
}

impl Tally {
    pub(crate) fn hit_share(&self) -> f64 {
        self.hits as f64 / self.checks.max(1) as f64
    }

    pub(crate) fn coalesced_share(&self) -> f64 {
        self.coalesced as f64 / self.checks.max(1) as f64
    }

    pub(crate) fn violations(&self) -> u64 {
        self.below_floor + self.untrue + self.unnamed + self.over_age + self.unanswered
    }

    fn judge(&mut self, store: &Store, request: &Request, reply: Option<Reply>, judging: Judging, counts: bool) {
        self.checks += u64::from(counts);
        let Some(Reply { answer, source }) = reply else {
            self.unanswered += 1;
            return;
        };
        let history = &store.history;
        let revision = &answer.revision;
        let shared = source != Source::Asked;
        self.below_floor += u64::from(!request.demand.is_covered(revision));
        self.untrue += u64::from(answer.allowed != history.decision(request.question, revision, Millis::MAX));
        self.unnamed += u64::from(shared && judging.names && !store.has_named(revision));
        self.over_age += u64::from(shared && history.overtaken(revision) < request.at - judging.bound);
        self.hits += u64::from(counts && source == Source::Hit);
        self.coalesced += u64::from(counts && source == Source::Coalesced);
    }
}

/// Runs a policy through the requests, on a clock that stands still while there is something to do.
pub(crate) fn run(
    history: &Arc<History>,
    requests: &[Request],
    counts_from: Millis,
    terms: &Terms,
    kind: Kind,
) -> Tally {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O can be built");
    runtime.block_on(play(history, requests, counts_from, terms, kind))
}

async fn play(history: &Arc<History>, requests: &[Request], counts_from: Millis, terms: &Terms, kind: Kind) -> Tally {
    let store = Arc::new(Store::new(Arc::clone(history), terms.latency));
    let policy = kind.build(terms, &store);
    let tally = Arc::new(Mutex::new(Tally::default()));
    let judging = Judging {
        // The store's own revision of a window may lack what was written since it began.
        bound: 2 * terms.bound(),
        names: kind != Kind::Oracle,
    };
    let mut transactions = history.transactions.iter().peekable();
    let mut calls_before = 0;
    for request in requests {
        while let Some(transaction) = transactions.next_if(|one| one.begins <= request.at) {
            sleep_until(store.instant(transaction.begins)).await;
            store.will_name(transaction);
            Arc::clone(&policy).writes(Arc::clone(&store), transaction);
        }
        sleep_until(store.instant(request.at)).await;
        let counts = request.at >= counts_from;
        if !counts {
            calls_before = store.calls();
        }
        let answering = Arc::clone(&policy).answer(Arc::clone(&store), request.clone());
        let (request, tally, store) = (request.clone(), Arc::clone(&tally), Arc::clone(&store));
        tokio::spawn(async move {
            let reply = answering.await;
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            match request.forgery {
                Some(_) => tally.forged += 1,
                None => tally.judge(&store, &request, reply, judging, counts),
            }
        });
    }
    // Long enough for the last calls.
    tokio::time::sleep(terms.latency * 4 + Duration::from_secs(1)).await;
    let mut tally = *tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.upstream_calls = store.calls() - calls_before;
    let honest = requests
        .iter()
        .filter(|request| request.forgery.is_none() && request.at >= counts_from);
    assert_eq!(tally.checks, honest.count() as u64, "every check is answered");
    tally
}
