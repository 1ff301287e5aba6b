use tower_zookie::cache::{CheckError, Miss, ReadAt};
use tower_zookie::consistency::Freshness;

use crate::support::{Bench, advance, at, elsewhere, floor, no, pair, secs, settle, yes};

async fn expect_epoch(bench: &mut Bench, freshness: &Freshness, ask: ReadAt) {
    let checked = bench.miss(freshness, ask, yes(elsewhere(1))).await;
    assert_eq!(checked.miss, Some(Miss::Epoch));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_reply_of_another_store_drops_everything() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let first = bench.question;
    bench.question = bench.another_question("after the store was replaced");
    let checked = bench.miss(&Freshness::any(), ReadAt::Any, no(elsewhere(1))).await;
    assert!(!checked.stored);
    bench.question = first;
    expect_epoch(&mut bench, &Freshness::any(), ReadAt::Any).await;
    bench.hit(&Freshness::any()).await;
    assert_eq!(bench.cache.newest_revision(), Some(elsewhere(1)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_reply_of_another_store_to_a_floor_drops_all() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    bench.question = bench.another_question("with a floor");
    let checking = bench.ask(&floor(5));
    let call = bench.call().await;
    assert_eq!(call.ask, ReadAt::AtLeast(at(5)));
    call.answer(no(elsewhere(1)));
    assert!(matches!(checking.await.unwrap(), Err(CheckError::Foreign)));
    assert_eq!(bench.cache.newest_revision(), None);
    bench.miss(&Freshness::any(), ReadAt::Any, yes(elsewhere(2))).await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_an_echo_of_a_forged_store_drops_nothing() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let forged = Freshness::Exact(elsewhere(9));
    bench.miss(&forged, ReadAt::Exact(elsewhere(9)), no(elsewhere(9))).await;
    bench.hit(&Freshness::any()).await;
    bench.miss(&forged, ReadAt::Exact(elsewhere(9)), no(at(5))).await;
    bench.hit(&Freshness::any()).await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_second_head_below_what_was_named_drops_everything() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    bench.miss(&Freshness::Full, ReadAt::Head, no(at(4))).await;
    // Longer than a head may lag.
    advance(secs(5)).await;
    let checked = bench.miss(&Freshness::Full, ReadAt::Head, no(at(4))).await;
    assert!(!checked.stored && !checked.value);
    assert_eq!(bench.cache.newest_revision(), Some(at(4)));
    let checked = bench.miss(&Freshness::any(), ReadAt::Any, no(at(4))).await;
    assert_eq!(checked.miss, Some(Miss::Epoch));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_slow_head_below_a_later_write_drops_nothing() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let checking = bench.ask(&Freshness::Full);
    let slow = bench.call().await;
    bench.wrote(&at(6));
    slow.answer(no(at(5)));
    checking.await.unwrap().unwrap();
    bench.hit(&Freshness::any()).await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_lagging_default_read_drops_nothing() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    advance(secs(6)).await;
    bench.miss(&Freshness::any(), ReadAt::Any, no(at(3))).await;
    assert_eq!(bench.hit(&floor(5)).await.revision, Some(at(5)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_calls_begun_before_the_epoch_are_not_stored() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    bench.question = bench.another_question("asked before");
    let (leader, follower) = (bench.ask(&Freshness::any()), bench.ask(&Freshness::any()));
    let slow = bench.call().await;
    settle().await;
    bench.cache.purge();
    slow.answer(yes(at(5)));
    assert!(!leader.await.unwrap().unwrap().stored);
    assert_eq!(bench.cache.newest_revision(), None);
    let again = bench.call().await;
    again.answer(no(at(1)));
    let checked = follower.await.unwrap().unwrap();
    assert_eq!((checked.value, checked.revision), (false, Some(at(1))));
    assert!(!bench.hit(&Freshness::any()).await.value);
}

#[tokio::test(start_paused = true)]
async fn rule_05_a_join_with_a_lost_revision_is_not_stored() {
    let mut bench = Bench::new();
    bench.wrote(&pair(9, 0));
    // The floor is named when the flight is planned, but the store is restored before the call begins.
    let checking = bench.ask(&Freshness::at_least(pair(9, 0)));
    let cache = bench.cache.clone();
    let restored = tokio::spawn(async move { cache.purge() });
    let call = bench.call().await;
    restored.await.unwrap();
    assert_eq!(call.ask, ReadAt::AtLeast(pair(9, 0)));
    call.answer(yes(pair(9, 3)));
    assert!(!checking.await.unwrap().unwrap().stored);
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_schema_change_does_not_forget_revisions() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    bench.cache.schema_changed();
    assert_eq!(bench.cache.newest_revision(), Some(at(5)));
    let checked = bench.miss(&floor(5), ReadAt::AtLeast(at(5)), no(at(5))).await;
    assert_eq!(checked.miss, Some(Miss::Epoch));
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_floor_of_another_store_is_reported_so() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let foreign = Freshness::at_least(elsewhere(1));
    let checking = bench.ask(&foreign);
    let probe = bench.call().await;
    assert_eq!(probe.ask, ReadAt::Head);
    probe.answer(yes(at(5)));
    assert!(matches!(checking.await.unwrap(), Err(CheckError::Foreign)));
    bench.hit(&Freshness::any()).await;
}
