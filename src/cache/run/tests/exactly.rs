//! Before a store that reads at just what it is told, and whose replies name no revision.

use std::time::Duration;

use tokio::time::advance;

use super::*;
use crate::cache::{Told, Untold};

const ABILITIES: Abilities = Abilities {
    repeatable_exact: true,
    told: Told::Exactly,
    untold: Untold::AtHead,
    ..Abilities::unversioned()
};

const SECOND: Duration = Duration::from_secs(1);

fn wrote(cache: &DecisionCache<bool>, revision: u64) {
    cache.learn_write(&cache.trust().begin(), &at(revision));
}

fn a_question() -> Questions {
    Questions::one(two_questions().each[0], 0)
}

/// Answers after a second, and tells what it was asked at.
async fn run(cache: &DecisionCache<bool>, questions: &Questions, freshness: &Freshness) -> (Vec<Ask>, Outcome<bool>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let calls = Arc::clone(&asked);
    let upstream = move |turn: Turn| {
        calls.lock().unwrap().push(turn.ask.clone());
        async move {
            turn.begin();
            tokio::time::sleep(SECOND).await;
            Upstream::Answered {
                items: vec![item(true)],
                revision: None,
            }
        }
    };
    let outcome = cache.run(questions, freshness, Instant::now(), upstream).await;
    let asked = std::mem::take(&mut *asked.lock().unwrap());
    (asked, outcome)
}

fn is_kept(cache: &DecisionCache<bool>, question: &Questions, freshness: &Freshness) -> bool {
    cache.find(question.flight, freshness, Instant::now()).is_ok()
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_answer_is_as_old_as_the_revision_that_it_was_asked_at() {
    let (cache, question) = (cache(ABILITIES), a_question());
    wrote(&cache, 5);
    advance(SECOND * 3).await;
    let floor = Freshness::at_least(at(4));
    let (asked, _) = run(&cache, &question, &floor).await;
    assert_eq!(asked, [Ask::AtLeast(at(5))]);
    assert!(is_kept(&cache, &question, &floor));
    advance(SECOND * 2).await;
    assert!(!is_kept(&cache, &question, &floor), "six seconds after the write");
}

#[tokio::test(start_paused = true)]
async fn rule_04_a_proven_floor_outside_of_any_window_goes_as_it_came() {
    let (cache, question) = (cache(ABILITIES), a_question());
    wrote(&cache, 5);
    advance(SECOND * 6).await;
    let floor = Freshness::at_least(at(5));
    let (asked, outcome) = run(&cache, &question, &floor).await;
    assert_eq!(asked, [Ask::AsItCame(at(5))]);
    assert!(matches!(outcome, Outcome::Asked(Some(landed)) if !landed.shared && !landed.stored));
    assert!(!is_kept(&cache, &question, &floor) && !is_kept(&cache, &question, &Freshness::any()));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_feed_proves_a_floor_and_opens_no_window() {
    let (cache, question) = (cache(ABILITIES), a_question());
    let exactly = Freshness::Exact(at(5));
    run(&cache, &question, &exactly).await;
    assert!(!is_kept(&cache, &question, &exactly), "nobody vouches for it");
    cache.wrote(&at(5));
    let (asked, _) = run(&cache, &question, &Freshness::at_least(at(4))).await;
    assert_eq!(asked, [Ask::AsItCame(at(4))]);
    run(&cache, &question, &exactly).await;
    assert!(is_kept(&cache, &question, &exactly));
}

#[tokio::test(start_paused = true)]
async fn rule_05_a_head_without_a_revision_serves_those_without_a_floor() {
    let (cache, question) = (cache(ABILITIES), a_question());
    wrote(&cache, 5);
    let head = tokio::spawn({
        let (cache, question) = (cache.clone(), question.clone());
        async move { run(&cache, &question, &Freshness::Full).await }
    });
    tokio::task::yield_now().await;
    let began = Instant::now();
    let floor = Freshness::at_least(at(5));
    let (asked, _) = run(&cache, &question, &floor).await;
    assert_eq!(asked, [Ask::AtLeast(at(5))]);
    assert_eq!(began.elapsed(), SECOND, "it does not wait for the head");
    assert_eq!(head.await.unwrap().0, [Ask::Full]);
}

#[tokio::test(start_paused = true)]
async fn rule_04_reads_without_a_floor_share_the_windows_revision() {
    let (cache, question) = (cache(ABILITIES), a_question());
    let (asked, _) = run(&cache, &question, &Freshness::any()).await;
    assert_eq!(asked, [Ask::Unasked], "there is no window yet");
    assert!(is_kept(&cache, &question, &Freshness::any()) && !is_kept(&cache, &question, &Freshness::at_least(at(0))));
    wrote(&cache, 5);
    let another = a_question();
    let (asked, _) = run(&cache, &another, &Freshness::any()).await;
    assert_eq!(asked, [Ask::AtLeast(at(5))]);
    assert!(is_kept(&cache, &another, &Freshness::at_least(at(5))));
}
