//! A store that reads at exactly the named revision, and whose replies name no revision.

use std::time::Duration;

use tokio::time::advance;

use super::*;
use crate::cache::{DefaultRead, ReadMode};

const FACTS: Capabilities = Capabilities {
    reads_repeat: true,
    writes_include_earlier: true,
    head_may_trail_reads: true,
    read_mode: ReadMode::Exactly,
    default_read: DefaultRead::AtHead,
    ..Capabilities::unversioned()
};

const SECOND: Duration = Duration::from_secs(1);

fn wrote(cache: &DecisionCache<bool>, revision: u64) {
    cache.learn_write(&cache.knowledge().begin(), &at(revision));
}

fn a_question() -> Questions {
    Questions::one(first_of(&two_questions()), 0)
}

/// Answers after a second, and tells what it was asked at.
async fn run(
    cache: &DecisionCache<bool>,
    questions: &Questions,
    freshness: &Freshness,
) -> (Vec<ReadAt>, Outcome<bool, ()>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let calls = Arc::clone(&asked);
    let upstream = move |turn: Turn<bool>| {
        calls.lock().unwrap().push(turn.ask.clone());
        async move {
            turn.begin();
            tokio::time::sleep(SECOND).await;
            answered(1, None)
        }
    };
    let outcome = cache.run(questions, demand(freshness), &mut Asks(upstream)).await;
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    (asked, outcome)
}

fn is_kept(cache: &DecisionCache<bool>, question: &Questions, freshness: &Freshness) -> bool {
    cache.find(question.flight, freshness, Instant::now()).is_ok()
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_answer_is_as_old_as_the_revision_it_asked_at() {
    let (cache, question) = (cache(FACTS), a_question());
    wrote(&cache, 5);
    advance(SECOND * 3).await;
    let floor = Freshness::at_least(at(4));
    let (asked, _) = run(&cache, &question, &floor).await;
    assert_eq!(asked, [ReadAt::AtLeast(at(5))]);
    assert!(is_kept(&cache, &question, &floor));
    advance(SECOND * 2).await;
    assert!(!is_kept(&cache, &question, &floor), "six seconds after the write");
}

#[tokio::test(start_paused = true)]
async fn rule_04_a_named_floor_that_is_not_fresh_is_read_unmodified() {
    let (cache, question) = (cache(FACTS), a_question());
    wrote(&cache, 5);
    advance(SECOND * 6).await;
    let floor = Freshness::at_least(at(5));
    let (asked, outcome) = run(&cache, &question, &floor).await;
    assert_eq!(asked, [ReadAt::Unmodified(at(5))]);
    assert!(matches!(outcome, Ok(Fetched::Own { landed: Some(landed), .. }) if !landed.shared && !landed.stored));
    assert!(!is_kept(&cache, &question, &floor) && !is_kept(&cache, &question, &Freshness::any()));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_feed_names_a_revision_and_makes_no_watermark() {
    let (cache, question) = (cache(FACTS), a_question());
    let exactly = Freshness::Exact(at(5));
    let _ = run(&cache, &question, &exactly).await;
    assert!(!is_kept(&cache, &question, &exactly), "the store has not named it");
    cache.wrote(&at(5));
    let (asked, _) = run(&cache, &question, &Freshness::at_least(at(4))).await;
    assert_eq!(asked, [ReadAt::Unmodified(at(4))]);
    let _ = run(&cache, &question, &exactly).await;
    assert!(is_kept(&cache, &question, &exactly));
}

#[tokio::test(start_paused = true)]
async fn rule_05_a_read_with_a_floor_does_not_join_an_unlabelled_head() {
    let (cache, question) = (cache(FACTS), a_question());
    wrote(&cache, 5);
    let head = tokio::spawn({
        let (cache, question) = (cache.clone(), question.clone());
        async move { run(&cache, &question, &Freshness::Full).await }
    });
    tokio::task::yield_now().await;
    let began = Instant::now();
    let floor = Freshness::at_least(at(5));
    let (asked, _) = run(&cache, &question, &floor).await;
    assert_eq!(asked, [ReadAt::AtLeast(at(5))]);
    assert_eq!(began.elapsed(), SECOND, "it does not wait for the head");
    assert_eq!(head.await.unwrap().0, [ReadAt::Head]);
}

#[tokio::test(start_paused = true)]
async fn rule_04_reads_without_a_floor_share_the_window_revision() {
    let (cache, question) = (cache(FACTS), a_question());
    let (asked, _) = run(&cache, &question, &Freshness::any()).await;
    assert_eq!(asked, [ReadAt::Any], "there is no window yet");
    assert!(is_kept(&cache, &question, &Freshness::any()) && !is_kept(&cache, &question, &Freshness::at_least(at(0))));
    wrote(&cache, 5);
    let another = a_question();
    let (asked, _) = run(&cache, &another, &Freshness::any()).await;
    assert_eq!(asked, [ReadAt::AtLeast(at(5))]);
    assert!(is_kept(&cache, &another, &Freshness::at_least(at(5))));
}

/// Names the revision 9 to probes, and records what it was asked at, probes as `None`.
#[derive(Clone, Default)]
struct Probed(Arc<Mutex<Vec<Option<ReadAt>>>>);

impl Fetch<bool> for Probed {
    type Own = ();

    async fn ask(self, turn: Turn<bool>) -> Replied<bool, ()> {
        self.0.lock().unwrap().push(Some(turn.ask.clone()));
        turn.begin();
        tokio::time::sleep(SECOND).await;
        answered(1, None)
    }

    fn can_probe(&self) -> bool {
        true
    }

    async fn probe(self, turn: Turn<bool>) -> Option<Revision> {
        self.0.lock().unwrap().push(None);
        turn.begin();
        tokio::time::sleep(SECOND).await;
        Some(at(9))
    }
}

async fn run_probed(cache: &DecisionCache<bool>, questions: &Questions, freshness: &Freshness) -> Vec<Option<ReadAt>> {
    let mut probed = Probed::default();
    let _ = cache.run(questions, demand(freshness), &mut probed).await;
    std::mem::take(&mut *probed.0.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_probe_opens_a_window_for_other_writers() {
    let cache = cache(FACTS);
    let (first, second, third) = (a_question(), a_question(), a_question());
    let floor = Freshness::at_least(at(7));
    let asked = run_probed(&cache, &first, &floor).await;
    assert_eq!(asked, [None, Some(ReadAt::AtLeast(at(9)))]);
    assert!(is_kept(&cache, &first, &floor));
    let asked = run_probed(&cache, &second, &Freshness::at_least(at(8))).await;
    assert_eq!(asked, [Some(ReadAt::AtLeast(at(9)))], "the window is open");

    advance(SECOND * 4).await;
    let asked = run_probed(&cache, &third, &floor).await;
    assert_eq!(asked, [None, Some(ReadAt::AtLeast(at(9)))], "named, but too old");
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_floor_above_the_probe_is_read_unmodified() {
    let (cache, question) = (cache(FACTS), a_question());
    let forged = Freshness::at_least(at(100));
    let asked = run_probed(&cache, &question, &forged).await;
    assert_eq!(asked, [None, Some(ReadAt::Unmodified(at(100)))]);
    assert!(!is_kept(&cache, &question, &forged));
}

#[tokio::test(start_paused = true)]
async fn rule_15_all_questions_wait_for_one_probe() {
    let cache = cache(FACTS);
    let floor = Freshness::at_least(at(7));
    let tasks = (0..20).map(|_| {
        let (cache, floor) = (cache.clone(), floor.clone());
        tokio::spawn(async move { run_probed(&cache, &a_question(), &floor).await })
    });
    let tasks: Vec<_> = tasks.collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().last().unwrap(), &Some(ReadAt::AtLeast(at(9))));
    }
    let stats = cache.stats();
    assert_eq!(
        (stats.probes, stats.probe_results.named, stats.probe_results.failed),
        (1, 1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_probe_settles_a_snapshot() {
    let (cache, question) = (cache(FACTS), a_question());
    let exactly = Freshness::Exact(at(7));
    let asked = run_probed(&cache, &question, &exactly).await;
    assert_eq!(asked, [None, Some(ReadAt::Exact(at(7)))]);
    assert!(is_kept(&cache, &question, &exactly));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_head_behind_what_is_known_starts_no_epoch() {
    let (cache, question) = (cache(FACTS), a_question());
    wrote(&cache, 20);
    advance(SECOND * 10).await;
    run_probed(&cache, &question, &Freshness::at_least(at(20))).await;
    assert_eq!(
        cache.knowledge().epoch(),
        0,
        "20 was in progress when the probe's snapshot was taken"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unlabelled_head_does_not_replace_an_answer_for_floors() {
    let (cache, question) = (cache(FACTS), a_question());
    let floor = Freshness::at_least(at(5));
    wrote(&cache, 5);
    let _ = run(&cache, &question, &floor).await;
    let _ = run(&cache, &question, &Freshness::Full).await;
    assert!(is_kept(&cache, &question, &floor));
    advance(SECOND * 4).await;
    let _ = run(&cache, &question, &Freshness::Full).await;
    assert!(
        is_kept(&cache, &question, &Freshness::any()),
        "the other one is too old by now"
    );
}
