mod exactly;
mod knowledge;

use std::sync::Mutex;

use tokio::sync::mpsc;

use super::*;
use crate::cache::fetch::About;
use crate::cache::{Capabilities, Fingerprint, Item, Keyer, NotStored, Part, Replied, Settings, Turn};
use crate::revision::{Counter, StoreId};

fn at(n: u64) -> Revision {
    Revision::new(StoreId::new(["test"]), Counter(n))
}

fn item(value: bool) -> Item<bool> {
    Item {
        value,
        not_stored: None,
        expires_in: None,
        about: About::default(),
    }
}

/// What a request of this freshness demands that arrives now.
fn demand(freshness: &Freshness) -> Demand<'_> {
    Demand::of(freshness, Instant::now())
}

/// An upstream that is a closure.
#[derive(Clone)]
struct Asks<F>(F);

impl<F, Fut> Fetch<bool> for Asks<F>
where
    F: FnMut(Turn<bool>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Replied<bool, ()>> + Send + 'static,
{
    type Own = ();

    fn ask(mut self, turn: Turn<bool>) -> impl Future<Output = Replied<bool, ()>> + Send + 'static {
        (self.0)(turn)
    }
}

fn answered(items: usize, revision: Option<Revision>) -> Replied<bool, ()> {
    Replied::Answered {
        own: (),
        items: (0..items).map(|_| item(true)).collect(),
        revision: revision.ok_or(NotStored::NoToken),
    }
}

fn two_questions() -> Questions {
    let keyer = Keyer::random();
    let each = ["a", "b"].map(|name| keyer.question("test").text(Part::Resource, name).finish());
    Questions::several(each.into(), keyer.all(&each, b""), 0)
}

fn first_of(questions: &Questions) -> Fingerprint {
    questions.each()[0]
}

/// Runs `callers` at once; the upstream answers its calls in order with as many items as `replies` says, at `revision`.
async fn run_together(
    cache: &DecisionCache<bool>,
    questions: &Questions,
    callers: usize,
    replies: Vec<usize>,
) -> Vec<Fetched<bool, ()>> {
    let replies = Arc::new(Mutex::new(replies.into_iter()));
    let mut tasks = Vec::new();
    let (calls, mut called) = mpsc::unbounded_channel();
    for _ in 0..callers {
        let (cache, questions, replies, calls) = (cache.clone(), questions.clone(), replies.clone(), calls.clone());
        tasks.push(tokio::spawn(async move {
            let upstream = move |turn: Turn<bool>| {
                let (replies, calls) = (replies.clone(), calls.clone());
                async move {
                    turn.begin();
                    calls.send(()).unwrap();
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                    let items = replies.lock().unwrap().next().expect("a call too many");
                    answered(items, Some(at(5)))
                }
            };
            let outcome = cache
                .run(&questions, demand(&Freshness::any()), &mut Asks(upstream))
                .await;
            outcome.expect("every call is answered")
        }));
    }
    drop(calls);
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    let mut count = 0;
    while called.recv().await.is_some() {
        count += 1;
    }
    assert_eq!(count, cache.stats().upstream_calls);
    outcomes
}

fn cache(capabilities: Capabilities) -> DecisionCache<bool> {
    DecisionCache::new(Settings::default(), capabilities).unwrap()
}

fn answers(fetched: &Fetched<bool, ()>) -> usize {
    fetched.landed().expect("an answer").len()
}

#[tokio::test(start_paused = true)]
async fn rule_07_bulks_are_shared_like_single_checks() {
    let (cache, questions) = (cache(Capabilities::versioned()), two_questions());
    let outcomes = run_together(&cache, &questions, 3, vec![2]).await;
    assert!(outcomes.iter().all(|outcome| answers(outcome) == 2));
    assert_eq!(cache.stats().coalesced, 4);
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_reply_that_stopped_early_is_not_shared() {
    let (cache, questions) = (cache(Capabilities::versioned()), two_questions());
    let outcomes = run_together(&cache, &questions, 2, vec![1, 2]).await;
    assert_eq!(outcomes.iter().map(answers).collect::<Vec<_>>(), [1, 2]);
    assert!(matches!(outcomes[1], Fetched::Own { .. }));
}

#[tokio::test(start_paused = true)]
async fn rule_16_a_second_lookup_merges_only_one_snapshot() {
    let questions = two_questions();
    let unrepeatable = Capabilities {
        reads_repeat: false,
        ..Capabilities::versioned()
    };
    for (capabilities, revisions, merged) in [
        (Capabilities::versioned(), [Some(5), Some(5)], true),
        (Capabilities::versioned(), [Some(5), Some(6)], false),
        (unrepeatable, [Some(5), Some(5)], false),
        (Capabilities::unversioned(), [None, None], false),
    ] {
        let cache = cache(capabilities);
        for (question, revision) in questions.each().iter().zip(revisions) {
            let answer = move |turn: Turn<bool>| async move {
                turn.begin();
                answered(1, revision.map(at))
            };
            let one = Questions::one(*question, 0);
            let _ = cache.run(&one, demand(&Freshness::any()), &mut Asks(answer)).await;
        }
        let found = cache.look_again(&questions, &Freshness::any(), Instant::now());
        assert_eq!(found.is_some(), merged, "{capabilities:?} {revisions:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_age_counts_from_when_the_upstream_call_begins() {
    let (cache, questions) = (cache(Capabilities::versioned()), two_questions());
    let one = Questions::one(first_of(&questions), 0);
    let slow_to_begin = |turn: Turn<bool>| async move {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        turn.begin();
        answered(1, Some(at(5)))
    };
    let _ = cache
        .run(&one, demand(&Freshness::any()), &mut Asks(slow_to_begin))
        .await;
    let found = cache.find(one.flight, &Freshness::any(), Instant::now()).unwrap();
    assert_eq!(found.age(Instant::now()), std::time::Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_answer_whose_call_never_began_is_not_stored() {
    let (cache, questions) = (cache(Capabilities::versioned()), two_questions());
    let one = Questions::one(first_of(&questions), 0);
    let never_begins = |_: Turn<bool>| async { answered(1, Some(at(5))) };
    let outcome = cache
        .run(&one, demand(&Freshness::any()), &mut Asks(never_begins))
        .await;
    assert!(matches!(outcome, Ok(Fetched::Own { landed: None, .. })));
    assert!(cache.find(one.flight, &Freshness::any(), Instant::now()).is_err());
}
