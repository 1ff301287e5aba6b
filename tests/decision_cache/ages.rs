use std::time::Duration;

use tower_zookie::cache::{Answer, Capabilities, CheckError, Miss, ReadAt};
use tower_zookie::consistency::{Freshness, Staleness};

use crate::support::{Bench, advance, at, floor, millis, no, secs, settings, within, yes};

#[tokio::test(start_paused = true)]
async fn rule_04_age_counts_from_before_the_call() {
    let mut bench = Bench::new();
    let checking = bench.ask(&Freshness::any());
    let call = bench.call().await;
    advance(secs(3)).await;
    call.answer(yes(at(1)));
    checking.await.unwrap().unwrap();
    advance(secs(2)).await;
    bench.hit(&Freshness::any()).await;
    advance(millis(1)).await;
    let checked = bench.miss(&Freshness::any(), ReadAt::Any, yes(at(1))).await;
    assert_eq!(checked.miss, Some(Miss::Age));
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_entry_ends_between_the_interval_and_the_bound() {
    let settings = settings().window(secs(5), Staleness::percent(10));
    let mut bench = Bench::with(settings, Capabilities::versioned());
    for n in 0..50 {
        bench.question = bench.another_question(&n.to_string());
        bench.fill(at(1)).await;
        advance(secs(5)).await;
        bench.hit(&Freshness::any()).await;
        advance(millis(501)).await;
        assert_eq!(bench.would_ask(&Freshness::any()).await, ReadAt::Any);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_a_token_does_not_lift_the_age_bound() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    advance(millis(5001)).await;
    let checked = bench.miss(&floor(1), ReadAt::Head, no(at(7))).await;
    assert_eq!(checked.miss, Some(Miss::Age));
}

#[tokio::test(start_paused = true)]
async fn rule_04_a_covered_answer_renews_the_entrys_age() {
    let mut bench = Bench::new();
    bench.fill(at(10)).await;
    advance(secs(6)).await;
    // The leader gets the upstream's answer. The entry stays, and becomes as young as that answer.
    let checked = bench.miss(&Freshness::any(), ReadAt::Any, no(at(8))).await;
    assert_eq!((checked.value, checked.revision), (false, Some(at(8))));
    advance(secs(5)).await;
    let renewed = bench.hit(&Freshness::any()).await;
    assert_eq!((renewed.value, renewed.revision), (true, Some(at(10))));
}

#[tokio::test(start_paused = true)]
async fn rule_04_bounded_staleness_counts_from_fully_consistent_calls() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let checked = bench.miss(&within(secs(2)), ReadAt::Head, yes(at(5))).await;
    assert_eq!(checked.miss, Some(Miss::Age));
    advance(secs(1)).await;
    // A default read at the same revision does not make the head read any younger.
    let asked = bench.ask(&floor(5)).await.unwrap().unwrap();
    assert!(asked.is_hit());
    advance(secs(1)).await;
    bench.hit(&within(secs(2))).await;
    advance(millis(1)).await;
    bench.hit(&Freshness::any()).await;
    bench.miss(&within(secs(2)), ReadAt::Head, yes(at(6))).await;
}

#[tokio::test(start_paused = true)]
async fn rule_04_bounded_staleness_never_exceeds_the_window() {
    let mut bench = Bench::new();
    bench.miss(&within(secs(60)), ReadAt::Head, yes(at(5))).await;
    advance(millis(5001)).await;
    assert_eq!(bench.would_ask(&within(secs(60))).await, ReadAt::Head);
}

fn bounded_floor(n: u64) -> Freshness {
    floor(n).head_within(secs(2))
}

#[tokio::test(start_paused = true)]
async fn rule_04_bounded_staleness_with_a_floor_reads_head() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    bench.miss(&bounded_floor(5), ReadAt::Head, yes(at(7))).await;
    bench.miss(&bounded_floor(9), ReadAt::Head, no(at(9))).await;
    bench.hit(&bounded_floor(9)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_head_below_a_bounded_floor_is_read_once_more() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    for (second, reached) in [(8, false), (9, true)] {
        let checking = bench.ask(&bounded_floor(9));
        bench.call().await.answer(yes(at(6)));
        let again = bench.call().await;
        assert_eq!(again.ask, ReadAt::Head);
        again.answer(no(at(second)));
        match checking.await.unwrap() {
            Ok(checked) => assert!(reached && checked.stored),
            Err(error) => assert!(!reached && matches!(error, CheckError::Behind(at_8) if at_8 == at(8))),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_without_revisions_only_the_age_is_bounded() {
    let mut bench = Bench::with(settings(), Capabilities::unversioned());
    bench
        .miss(&within(secs(2)), ReadAt::Head, Answer::without_revision(true))
        .await;
    advance(secs(2)).await;
    bench.hit(&within(secs(2))).await;
    advance(millis(1)).await;
    assert_eq!(bench.would_ask(&within(secs(2))).await, ReadAt::Head);
}

#[tokio::test(start_paused = true)]
async fn rule_12_reads_do_not_extend_the_hard_end() {
    let settings = settings()
        .window(secs(3), Staleness::percent(100))
        .time_to_live(secs(3));
    let mut bench = Bench::with(settings, Capabilities::versioned());
    bench.fill(at(1)).await;
    for _ in 0..2 {
        advance(secs(1)).await;
        bench.hit(&Freshness::any()).await;
    }
    advance(secs(1)).await;
    let checked = bench.miss(&Freshness::any(), ReadAt::Any, yes(at(1))).await;
    assert_eq!(checked.miss, Some(Miss::Expired));
}

#[tokio::test(start_paused = true)]
async fn rule_12_renewals_do_not_extend_the_hard_end() {
    let mut bench = Bench::with(settings().time_to_live(secs(8)), Capabilities::versioned());
    bench.fill(at(10)).await;
    advance(secs(6)).await;
    bench.miss(&Freshness::any(), ReadAt::Any, no(at(8))).await;
    advance(millis(1999)).await;
    bench.hit(&Freshness::any()).await;
    advance(millis(1)).await;
    // An answer after the end replaces the entry, even at a lower revision.
    bench.miss(&Freshness::any(), ReadAt::Any, no(at(9))).await;
    assert_eq!(bench.hit(&Freshness::any()).await.revision, Some(at(9)));
}

#[tokio::test(start_paused = true)]
async fn rule_12_a_replys_expiry_counts_from_before_the_call() {
    let mut bench = Bench::new();
    let checking = bench.ask(&Freshness::any());
    let call = bench.call().await;
    advance(millis(400)).await;
    call.answer(yes(at(1)).expires_in(secs(1)));
    assert!(checking.await.unwrap().unwrap().stored);
    advance(millis(599)).await;
    bench.hit(&Freshness::Exact(at(1))).await;
    advance(millis(1)).await;
    assert!(matches!(
        bench.would_ask(&Freshness::Exact(at(1))).await,
        ReadAt::Exact(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn rule_12_an_expiry_too_far_away_is_the_hard_end() {
    let settings = settings()
        .window(secs(1), Staleness::percent(100))
        .time_to_live(secs(1));
    let mut bench = Bench::with(settings, Capabilities::versioned());
    let forever = yes(at(1)).expires_in(Duration::MAX);
    bench.miss(&Freshness::any(), ReadAt::Any, forever).await;
    advance(secs(1)).await;
    assert_eq!(bench.would_ask(&Freshness::any()).await, ReadAt::Any);
}

#[tokio::test(start_paused = true)]
async fn rule_12_a_follower_does_not_get_an_expired_answer() {
    let mut bench = Bench::new();
    bench.wrote(&at(1));
    let leader = bench.ask(&floor(1));
    let stuck = bench.call().await;
    advance(secs(1)).await;
    let follower = bench.ask(&Freshness::any());
    bench.expect_no_call().await;
    // Another caller stores an answer that ends before the stuck flight does.
    let short = yes(at(2)).expires_in(secs(1));
    bench.miss(&Freshness::Full, ReadAt::Head, short).await;
    advance(secs(9)).await;
    assert!(leader.await.unwrap().is_err());
    let again = bench.call().await;
    again.answer(no(at(3)));
    assert_eq!(follower.await.unwrap().unwrap().revision, Some(at(3)));
    assert!(stuck.is_gone());
}
