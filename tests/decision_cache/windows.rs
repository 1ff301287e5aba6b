use tower_zookie::cache::{Capabilities, CheckError, ReadAt};
use tower_zookie::consistency::Freshness;

use crate::support::{Bench, advance, at, floor, no, secs, settings, settle, yes};

fn quantized() -> Bench {
    Bench::with(settings(), Capabilities::versioned())
}

/// A question that has no entry yet, so the revision that it asks at shows the window's revision.
fn fresh_question(bench: &mut Bench, name: &str) {
    bench.question = bench.another_question(name);
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_miss_below_the_window_revision_asks_at_it() {
    let mut bench = quantized();
    bench.wrote(&at(3));
    bench.fill(at(5)).await;
    fresh_question(&mut bench, "later");
    assert_eq!(bench.would_ask(&Freshness::any()).await, ReadAt::Any);
    let checked = bench.miss(&floor(3), ReadAt::AtLeast(at(5)), no(at(5))).await;
    assert_eq!((checked.revision, checked.stored), (Some(at(5)), true));
    bench.wrote(&at(6));
    assert_eq!(bench.would_ask(&floor(6)).await, ReadAt::AtLeast(at(6)));
}

#[tokio::test(start_paused = true)]
async fn rule_01_the_first_default_read_sets_the_window_revision() {
    let mut bench = quantized();
    bench.wrote(&at(3));
    bench.fill(at(5)).await;
    fresh_question(&mut bench, "second");
    bench.fill(at(6)).await;
    fresh_question(&mut bench, "later");
    assert_eq!(bench.would_ask(&floor(3)).await, ReadAt::AtLeast(at(5)));
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_write_or_head_is_shared_if_only_it_covers() {
    let mut bench = quantized();
    bench.wrote(&at(3));
    bench.wrote(&at(5));
    assert_eq!(bench.would_ask(&floor(3)).await, ReadAt::AtLeast(at(3)));
    bench.miss(&Freshness::Full, ReadAt::Head, yes(at(7))).await;
    fresh_question(&mut bench, "after the head");
    assert_eq!(bench.would_ask(&floor(6)).await, ReadAt::AtLeast(at(7)));
    bench.fill(at(4)).await;
    fresh_question(&mut bench, "after a default read");
    assert_eq!(bench.would_ask(&floor(3)).await, ReadAt::AtLeast(at(4)));
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_window_ends() {
    let mut bench = quantized();
    bench.wrote(&at(3));
    bench.fill(at(5)).await;
    advance(secs(5)).await;
    fresh_question(&mut bench, "in the next window");
    assert_eq!(bench.would_ask(&floor(3)).await, ReadAt::AtLeast(at(3)));
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_reply_above_the_asked_revision_is_shared() {
    let mut bench = quantized();
    bench.wrote(&at(3));
    bench.miss(&floor(3), ReadAt::AtLeast(at(3)), yes(at(5))).await;
    fresh_question(&mut bench, "later");
    assert_eq!(bench.would_ask(&floor(2)).await, ReadAt::AtLeast(at(5)));
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_rejected_window_is_dropped_and_retried_once() {
    let mut bench = quantized();
    bench.wrote(&at(3));
    bench.fill(at(5)).await;
    fresh_question(&mut bench, "later");
    let checking = bench.ask(&floor(3));
    bench.call().await.reject();
    let again = bench.call().await;
    assert_eq!(again.ask, ReadAt::AtLeast(at(3)));
    again.answer(no(at(3)));
    let checked = checking.await.unwrap().unwrap();
    assert_eq!((checked.revision, checked.stored), (Some(at(3)), true));

    fresh_question(&mut bench, "after the window was dropped");
    let checking = bench.ask(&floor(3));
    let call = bench.call().await;
    assert_eq!(call.ask, ReadAt::AtLeast(at(3)));
    call.reject();
    assert!(matches!(checking.await.unwrap(), Err(CheckError::Upstream(_))));
    bench.expect_no_call().await;
}

#[tokio::test(start_paused = true)]
async fn rule_04_the_age_after_a_retry_counts_from_the_retry() {
    let mut bench = quantized();
    bench.wrote(&at(3));
    bench.fill(at(5)).await;
    fresh_question(&mut bench, "later");
    let checking = bench.ask(&floor(3));
    let first = bench.call().await;
    advance(secs(4)).await;
    first.reject();
    bench.call().await.answer(no(at(3)));
    checking.await.unwrap().unwrap();
    advance(secs(5)).await;
    settle().await;
    bench.hit(&Freshness::any()).await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_new_epoch_forgets_the_window() {
    let mut bench = quantized();
    bench.fill(at(5)).await;
    bench.cache.purge();
    bench.wrote(&at(3));
    assert_eq!(bench.would_ask(&floor(2)).await, ReadAt::AtLeast(at(3)));
}
