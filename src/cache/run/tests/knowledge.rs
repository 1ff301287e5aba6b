//! Tokens that this process has not met, and a store that answers at any revision that a request names, as SpiceDB on PostgreSQL does.

use std::time::Duration;

use tokio::time::{advance, sleep};

use super::*;
use crate::revision::PostgresSnapshot;

/// A store at head 7 whose default reads are at 3. It believes every floor that a request names.
#[derive(Clone)]
struct Gullible {
    calls: Arc<Mutex<Vec<(Purpose, ReadAt)>>>,
    head: Revision,
    quantized: Revision,
}

impl Default for Gullible {
    fn default() -> Self {
        Self {
            calls: Arc::default(),
            head: at(7),
            quantized: at(3),
        }
    }
}

impl Fetch<bool> for Gullible {
    type Own = ();

    async fn ask(self, turn: Turn<bool>) -> Replied<bool, ()> {
        turn.begin();
        sleep(Duration::from_millis(5)).await;
        self.calls.lock().unwrap().push((turn.purpose, turn.ask.clone()));
        let revision = match turn.ask {
            ReadAt::Any => self.quantized,
            ReadAt::Head => self.head,
            ReadAt::Exact(asked) => asked,
            ReadAt::AtLeast(asked) | ReadAt::Unmodified(asked) => match self.quantized > asked {
                true => self.quantized,
                false => asked,
            },
        };
        answered(1, Some(revision))
    }
}

impl Gullible {
    async fn check(
        &self,
        cache: &DecisionCache<bool>,
        question: &Questions,
        freshness: &Freshness,
    ) -> Outcome<bool, ()> {
        cache.run(question, demand(freshness), &mut self.clone()).await
    }

    fn calls(&self) -> Vec<ReadAt> {
        let calls = std::mem::take(&mut *self.calls.lock().unwrap());
        calls.into_iter().map(|(_, ask)| ask).collect()
    }
}

fn question(name: &str) -> Questions {
    thread_local!(static KEYER: Keyer = Keyer::random());
    let question = KEYER.with(|keyer| keyer.question("test").text(Part::Resource, name).finish());
    Questions::one(question, 0)
}

fn finds(cache: &DecisionCache<bool>, question: &Questions, freshness: &Freshness) -> bool {
    cache.find(question.flight, freshness, Instant::now()).is_ok()
}

#[tokio::test(start_paused = true)]
async fn rule_08_an_unknown_token_costs_a_head_read_of_its_question() {
    let (cache, store) = (cache(Capabilities::versioned()), Gullible::default());
    let floor = Freshness::at_least(at(5));
    let outcome = store.check(&cache, &question("a"), &floor).await;
    assert!(matches!(outcome, Ok(Fetched::Own { landed: Some(landed), .. }) if landed.stored));
    assert_eq!(store.calls(), [ReadAt::Head]);
    assert!(finds(&cache, &question("a"), &Freshness::at_least(at(7))));
    let _ = store.check(&cache, &question("b"), &Freshness::at_least(at(6))).await;
    assert_eq!(store.calls(), [ReadAt::AtLeast(at(7))], "the head's revision covers it");
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_store_that_has_not_reached_the_floor_is_behind() {
    let (cache, store) = (cache(Capabilities::versioned()), Gullible::default());
    let outcome = store
        .check(&cache, &question("a"), &Freshness::at_least(at(1000)))
        .await;
    assert!(matches!(outcome, Err(Failure::Behind(replied)) if replied == at(7)));
    assert_eq!(store.calls(), [ReadAt::Head, ReadAt::Head], "a head is read once more");
    assert!(!finds(&cache, &question("a"), &Freshness::at_least(at(1000))));
}

#[tokio::test(start_paused = true)]
async fn rule_15_unknown_token_head_reads_are_limited_by_credential() {
    let settings = Settings::default().max_head_reads(2);
    let cache = DecisionCache::<bool>::new(settings, Capabilities::versioned()).unwrap();
    let store = Gullible::default();
    let ask = |credential: u64, floor: u64| {
        let questions = Questions::one(question("a").flight, credential);
        let (cache, store) = (cache.clone(), store.clone());
        async move { store.check(&cache, &questions, &Freshness::at_least(at(floor))).await }
    };
    for floor in 1000..1002 {
        assert!(matches!(ask(1, floor).await, Err(Failure::Behind(_))));
    }
    store.calls();
    let outcome = ask(1, 1002).await;
    assert!(matches!(outcome, Ok(Fetched::Own { landed: Some(landed), .. }) if !landed.stored && !landed.shared));
    assert_eq!(store.calls(), [ReadAt::Unmodified(at(1002))]);
    assert!(
        matches!(ask(2, 1003).await, Err(Failure::Behind(_))),
        "another credential has its own"
    );
}

/// A snapshot that sees all below `xmax` except `without`.
fn snapshot(xmax: u64, without: &[u64]) -> Revision {
    let xmin = without.first().copied().unwrap_or(xmax);
    let point = PostgresSnapshot::new(xmin, xmax, without.iter().copied()).unwrap();
    Revision::new(StoreId::new(["test"]), point)
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_settled_but_unnamed_snapshot_is_not_shared() {
    let cache = cache(Capabilities::versioned());
    let store = Gullible {
        head: snapshot(9150, &[]),
        quantized: snapshot(8000, &[]),
        ..Gullible::default()
    };
    let _ = store.check(&cache, &question("a"), &Freshness::Full).await;
    advance(Duration::from_millis(10)).await;
    store.calls();
    // Everything but one transaction: the head covers it.
    let forged = snapshot(9149, &[8812]);
    assert!(cache.knowledge().has_passed(&forged) && !cache.knowledge().is_named(&forged));
    let _ = store
        .check(&cache, &question("b"), &Freshness::at_least(forged.clone()))
        .await;
    assert_eq!(store.calls(), [ReadAt::AtLeast(snapshot(9150, &[]))]);

    let exactly = Freshness::Exact(forged.clone());
    let _ = store.check(&cache, &question("c"), &exactly).await;
    assert!(finds(&cache, &question("c"), &exactly), "the snapshot repeats");
    assert!(!finds(&cache, &question("c"), &Freshness::any()));
    assert!(!finds(&cache, &question("c"), &Freshness::at_least(forged)));
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_echoed_revision_is_as_old_as_its_watermark() {
    let cache = cache(Capabilities::versioned());
    let store = Gullible {
        head: snapshot(20, &[]),
        quantized: snapshot(10, &[]),
        ..Gullible::default()
    };
    let _ = store.check(&cache, &question("a"), &Freshness::any()).await;
    advance(Duration::from_secs(4)).await;
    let floor = Freshness::at_least(snapshot(10, &[]));
    let _ = store.check(&cache, &question("b"), &floor).await;
    assert!(finds(&cache, &question("b"), &floor));
    // The store's reply repeated the request's revision, so the answer is as old as the default read.
    let found = cache.find(question("b").flight, &floor, Instant::now()).unwrap();
    assert!(found.age(Instant::now()) >= Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_unchanged_store_renews_its_answers() {
    let (cache, store) = (cache(Capabilities::versioned()), Gullible::default());
    let _ = store.check(&cache, &question("a"), &Freshness::any()).await;
    for _ in 0..5 {
        advance(Duration::from_secs(4)).await;
        let _ = store.check(&cache, &question("b"), &Freshness::Full).await;
        let _ = store.check(&cache, &question("b"), &Freshness::any()).await;
        let _ = store
            .check(&cache, &question(&store.calls().len().to_string()), &Freshness::any())
            .await;
        assert!(finds(&cache, &question("a"), &Freshness::any()));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_12_a_renewed_answer_ends_with_its_time_to_live() {
    let (cache, store) = (cache(Capabilities::versioned()), Gullible::default());
    let _ = store.check(&cache, &question("a"), &Freshness::any()).await;
    for n in 0..30 {
        advance(Duration::from_secs(2)).await;
        let _ = store
            .check(&cache, &question(&format!("other {n}")), &Freshness::any())
            .await;
        let age = Duration::from_millis(2005) * (n + 1);
        assert_eq!(
            finds(&cache, &question("a"), &Freshness::any()),
            age < Duration::from_secs(60),
            "after {age:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_unrepeatable_reads_renew_nothing() {
    let (cache, store) = (cache(Capabilities::unknown()), Gullible::default());
    let _ = store.check(&cache, &question("a"), &Freshness::any()).await;
    advance(Duration::from_secs(4)).await;
    let _ = store.check(&cache, &question("b"), &Freshness::any()).await;
    assert!(finds(&cache, &question("a"), &Freshness::any()));
    advance(Duration::from_secs(2)).await;
    assert!(!finds(&cache, &question("a"), &Freshness::any()));
    assert!(finds(&cache, &question("b"), &Freshness::any()));
}

#[tokio::test(start_paused = true)]
async fn rule_04_background_reads_keep_a_quiet_store_fresh() {
    let cache = cache(Capabilities::versioned());
    let store = Gullible {
        head: snapshot(10, &[]),
        quantized: snapshot(10, &[]),
        ..Gullible::default()
    };
    let floor = Freshness::at_least(snapshot(10, &[]));
    let mut hits = 0;
    for _ in 0..100 {
        match finds(&cache, &question("a"), &floor) {
            true => hits += 1,
            false => drop(store.check(&cache, &question("a"), &floor).await),
        }
        advance(Duration::from_millis(500)).await;
    }
    assert!(hits > 80, "only {hits} hits");
}

#[tokio::test(start_paused = true)]
async fn rule_02_unrepeatable_exact_answers_are_never_served() {
    let (cache, store) = (cache(Capabilities::unknown()), Gullible::default());
    let _ = store.check(&cache, &question("a"), &Freshness::at_least(at(7))).await;
    assert!(finds(&cache, &question("a"), &Freshness::at_least(at(7))));
    assert!(!finds(&cache, &question("a"), &Freshness::Exact(at(7))));
}
