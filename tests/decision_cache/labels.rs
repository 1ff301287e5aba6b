use tower_zookie::cache::{Answer, Capabilities, Miss, ReadAt};
use tower_zookie::consistency::Freshness;

use crate::support::{Bench, advance, at, floor, secs, settings, yes};

/// A store whose replies to reads name no revision, but whose writes do.
fn silent() -> Capabilities {
    Capabilities::unversioned()
        .writes_include_earlier(true)
        .reads_repeat(true)
}

fn unlabelled(value: bool) -> Answer<bool> {
    Answer::without_revision(value)
}

#[tokio::test(start_paused = true)]
async fn rule_05_an_answer_without_a_revision_satisfies_no_floor() {
    let mut bench = Bench::with(settings(), silent());
    bench.wrote(&at(3));
    bench.miss(&Freshness::any(), ReadAt::Any, unlabelled(true)).await;
    bench.hit(&Freshness::any()).await;
    let checked = bench.miss(&floor(3), ReadAt::AtLeast(at(3)), unlabelled(false)).await;
    assert_eq!(checked.miss, Some(Miss::Floor));
}

#[tokio::test(start_paused = true)]
async fn rule_05_an_unlabelled_reply_claims_a_named_floor() {
    let mut bench = Bench::with(settings(), silent());
    let checked = bench.miss(&floor(3), ReadAt::Unmodified(at(3)), unlabelled(true)).await;
    assert_eq!((checked.revision, checked.stored), (None, false));
    bench.wrote(&at(3));
    let checked = bench.miss(&floor(3), ReadAt::AtLeast(at(3)), unlabelled(true)).await;
    assert_eq!((checked.revision, checked.stored), (Some(at(3)), true));
    bench.hit(&floor(3)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_05_a_later_answer_without_a_revision_wins() {
    let mut bench = Bench::with(settings(), silent());
    bench.wrote(&at(3));
    bench.miss(&floor(3), ReadAt::AtLeast(at(3)), unlabelled(true)).await;
    advance(secs(6)).await;
    bench.miss(&Freshness::any(), ReadAt::Any, unlabelled(false)).await;
    assert!(!bench.hit(&Freshness::any()).await.value);
}

#[tokio::test(start_paused = true)]
async fn rule_05_a_revision_named_during_the_call_is_not_claimed() {
    let mut bench = Bench::new();
    bench.wrote(&at(3));
    let checking = bench.ask(&Freshness::Exact(at(3)));
    let call = bench.call().await;
    bench.cache.purge();
    bench.wrote(&at(3));
    call.answer(yes(at(3)));
    assert!(!checking.await.unwrap().unwrap().stored);
}

#[tokio::test(start_paused = true)]
async fn rule_05_an_answer_above_its_floor_has_its_own_revision() {
    let mut bench = Bench::new();
    bench.wrote(&at(3));
    let checked = bench.miss(&floor(3), ReadAt::AtLeast(at(3)), yes(at(7))).await;
    assert_eq!((checked.revision, checked.stored), (Some(at(7)), true));
    bench.hit(&floor(7)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_only_a_revision_above_the_floor_is_learned() {
    let mut bench = Bench::new();
    bench.wrote(&at(3));
    bench.miss(&floor(3), ReadAt::AtLeast(at(3)), yes(at(7))).await;
    assert_eq!(bench.cache.newest_revision(), Some(at(7)));
    let exactly = Freshness::Exact(at(9));
    bench.miss(&exactly, ReadAt::Exact(at(9)), yes(at(9))).await;
    assert_eq!(bench.cache.newest_revision(), Some(at(7)));
}

#[tokio::test(start_paused = true)]
async fn rule_05_without_revisions_old_epoch_calls_are_not_stored() {
    let mut bench = Bench::with(settings(), Capabilities::unversioned());
    let checking = bench.ask(&Freshness::any());
    let call = bench.call().await;
    bench.cache.purge();
    call.answer(unlabelled(true));
    assert!(!checking.await.unwrap().unwrap().stored);
    assert_eq!(bench.would_ask(&Freshness::any()).await, ReadAt::Any);
}
