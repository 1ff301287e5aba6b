//! Floors that nobody has proven, before a store that can be asked for its head alone.

use std::time::Duration;

use tokio::time::{advance, sleep};

use super::*;
use crate::revision::Revision;

/// A store at head 7 that takes whatever floor it is told for what it says, as SpiceDB on PostgreSQL does.
#[derive(Clone, Default)]
struct Gullible {
    calls: Arc<Mutex<Vec<(Purpose, ReadAt)>>>,
    probes_fail: bool,
}

impl Gullible {
    async fn answer(self, turn: Turn) -> Upstream<bool> {
        turn.begin();
        sleep(Duration::from_millis(5)).await;
        self.calls.lock().unwrap().push((turn.purpose, turn.ask.clone()));
        if turn.purpose == Purpose::Probe {
            return if self.probes_fail {
                Upstream::Failed
            } else {
                Upstream::Answered {
                    items: vec![],
                    revision: Some(at(7)),
                }
            };
        }
        let revision = match turn.ask {
            ReadAt::Any => at(3),
            ReadAt::Head => at(7),
            ReadAt::AtLeast(told) | ReadAt::Exact(told) | ReadAt::Unmodified(told) => told,
        };
        Upstream::Answered {
            items: vec![item(true)],
            revision: Some(revision),
        }
    }

    async fn ask(&self, cache: &DecisionCache<bool>, question: &Questions, floor: Revision) -> Outcome<bool> {
        let store = self.clone();
        let freshness = Freshness::at_least(floor);
        let upstream = move |turn| store.clone().answer(turn);
        cache.run(question, &freshness, Instant::now(), upstream).await
    }

    fn calls(&self) -> Vec<(Purpose, ReadAt)> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

const ABILITIES: Capabilities = Capabilities {
    quantizes: true,
    ..Capabilities::versioned()
};

fn question() -> Questions {
    Questions::one(two_questions().each[0], 0).with_probes(true)
}

fn is_kept(cache: &DecisionCache<bool>, question: &Questions, floor: u64) -> bool {
    cache
        .find(question.flight, &Freshness::at_least(at(floor)), Instant::now())
        .is_ok()
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_probe_proves_another_replicas_write() {
    let (cache, question, store) = (cache(ABILITIES), question(), Gullible::default());
    let outcome = store.ask(&cache, &question, at(5)).await;
    assert!(matches!(outcome, Outcome::Asked(Some(landed)) if landed.stored));
    let at_its_own_floor = (Purpose::Answer, ReadAt::AtLeast(at(5)));
    assert_eq!(store.calls(), [(Purpose::Probe, ReadAt::Head), at_its_own_floor]);
    assert!(is_kept(&cache, &question, 5) && !is_kept(&cache, &question, 6));
    assert_eq!((cache.stats().probes, cache.stats().upstream_calls), (1, 2));
    advance(Duration::from_secs(60)).await;
    store.ask(&cache, &question, at(6)).await;
    assert_eq!(
        store.calls(),
        [(Purpose::Answer, ReadAt::AtLeast(at(6)))],
        "the head covers it"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_hundred_forged_floors_cost_one_probe_and_keep_nothing() {
    let (cache, question, store) = (cache(ABILITIES), question(), Gullible::default());
    let forged = (0..100).map(|n| {
        let (cache, question, store) = (cache.clone(), question.clone(), store.clone());
        tokio::spawn(async move { store.ask(&cache, &question, at(1000 + n)).await })
    });
    for outcome in forged.collect::<Vec<_>>() {
        assert!(matches!(outcome.await.unwrap(), Outcome::Asked(Some(landed)) if !landed.stored && !landed.shared));
    }
    let calls = store.calls();
    assert_eq!(calls[0], (Purpose::Probe, ReadAt::Head));
    assert!(calls[1..].iter().all(|(_, ask)| matches!(ask, ReadAt::Unmodified(_))));
    assert_eq!((calls.len(), cache.stats().probes), (101, 1));
    assert!(!is_kept(&cache, &question, 0));
    assert_eq!(cache.trusted_revision(), Some(at(7)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_failed_probe_proves_nothing() {
    let (cache, question) = (cache(ABILITIES), question());
    let store = Gullible {
        probes_fail: true,
        ..Gullible::default()
    };
    store.ask(&cache, &question, at(5)).await;
    assert_eq!(
        store.calls(),
        [
            (Purpose::Probe, ReadAt::Head),
            (Purpose::Answer, ReadAt::Unmodified(at(5)))
        ]
    );
    assert!(!is_kept(&cache, &question, 0) && cache.trusted_revision().is_none());
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_probe_goes_on_when_the_caller_that_began_it_leaves() {
    let (cache, question, store) = (cache(ABILITIES), question(), Gullible::default());
    let spawn = || {
        let (cache, question, store) = (cache.clone(), question.clone(), store.clone());
        tokio::spawn(async move { store.ask(&cache, &question, at(5)).await })
    };
    let (first, second) = (spawn(), spawn());
    sleep(Duration::from_millis(1)).await;
    first.abort();
    assert!(matches!(second.await.unwrap(), Outcome::Asked(Some(landed)) if landed.stored));
    assert_eq!(cache.stats().probes, 1);
}

#[tokio::test(start_paused = true)]
async fn rule_02_exact_answers_that_are_not_repeatable_are_never_served() {
    let unrepeatable = Capabilities {
        reads_repeat: false,
        ..Capabilities::versioned()
    };
    let (cache, question, store) = (cache(unrepeatable), question(), Gullible::default());
    store.ask(&cache, &question, at(5)).await;
    assert!(is_kept(&cache, &question, 5));
    let exactly = Freshness::Exact(at(5));
    assert!(cache.find(question.flight, &exactly, Instant::now()).is_err());
}
