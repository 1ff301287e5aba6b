//! Tokens that this process has not seen.

use tower_zookie::cache::{Capabilities, CheckError, ReadAt};
use tower_zookie::consistency::Freshness;

use crate::support::{Bench, advance, at, floor, no, secs, settings, yes};

#[tokio::test(start_paused = true)]
async fn rule_08_an_unknown_floor_is_read_at_head_and_then_known() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let checked = bench.miss(&floor(9), ReadAt::Head, no(at(10))).await;
    assert!(checked.stored);
    bench.hit(&floor(9)).await;
    bench.question = bench.another_question("after the head read");
    bench.miss(&floor(8), ReadAt::AtLeast(at(10)), no(at(10))).await;
}

#[tokio::test(start_paused = true)]
async fn rule_15_no_question_waits_for_anothers_head_read() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let slow = bench.ask(&floor(9));
    let stuck = bench.call().await;
    for n in 6..9 {
        bench.question = bench.another_question(&n.to_string());
        let checked = bench.miss(&floor(n), ReadAt::Head, yes(at(n))).await;
        assert_eq!((checked.revision, checked.stored), (Some(at(n)), true));
    }
    stuck.answer(yes(at(9)));
    assert!(slow.await.unwrap().unwrap().stored);
}

#[tokio::test(start_paused = true)]
async fn rule_15_over_the_limit_of_head_reads_calls_are_unmodified() {
    let mut bench = Bench::with(settings().max_head_reads(3), Capabilities::versioned());
    bench.fill(at(5)).await;
    for _ in 0..2 {
        for n in 100..103 {
            let forger = bench.ask(&floor(n));
            for _ in 0..2 {
                let call = bench.call().await;
                assert_eq!(call.ask, ReadAt::Head);
                call.answer(yes(at(5)));
            }
            assert!(matches!(forger.await.unwrap(), Err(CheckError::Behind(at_5)) if at_5 == at(5)));
        }
        let checked = bench.miss(&floor(999), ReadAt::Unmodified(at(999)), no(at(999))).await;
        assert_eq!((checked.revision, checked.stored), (None, false));
        bench.hit(&floor(5)).await;
        advance(secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_forged_floor_makes_no_entry_fresh() {
    let mut bench = Bench::with(settings().max_head_reads(0), Capabilities::versioned());
    bench.fill(at(5)).await;
    let both = [bench.ask(&floor(99)), bench.ask(&floor(99))];
    // No caller joins it, not even with the same floor.
    for call in [bench.call().await, bench.call().await] {
        assert_eq!(call.ask, ReadAt::Unmodified(at(99)));
        call.answer(no(at(99)));
    }
    for checking in both {
        let checked = checking.await.unwrap().unwrap();
        assert_eq!((checked.value, checked.revision, checked.stored), (false, None, false));
    }
    assert_eq!(bench.cache.newest_revision(), Some(at(5)));
    assert!(bench.hit(&Freshness::any()).await.value);
    assert_eq!(bench.would_ask(&floor(99)).await, ReadAt::Unmodified(at(99)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_failed_head_read_teaches_nothing() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let checking = bench.ask(&floor(9));
    bench.call().await.reject();
    assert!(matches!(checking.await.unwrap(), Err(CheckError::Upstream(_))));
    assert_eq!(bench.would_ask(&floor(9)).await, ReadAt::Head);
    assert_eq!(bench.cache.newest_revision(), Some(at(5)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_no_head_is_read_if_replies_name_no_revision() {
    let mut bench = Bench::with(settings(), Capabilities::unversioned());
    assert_eq!(bench.would_ask(&floor(9)).await, ReadAt::Unmodified(at(9)));
}

#[tokio::test(start_paused = true)]
async fn rule_01_if_head_may_trail_the_store_checks_the_floor() {
    let facts = Capabilities::unknown().head_may_trail_reads(true);
    let mut bench = Bench::with(settings(), facts);
    let checking = bench.ask(&floor(9));
    let head = bench.call().await;
    assert_eq!(head.ask, ReadAt::Head);
    head.answer(yes(at(5)));
    let unmodified = bench.call().await;
    assert_eq!(unmodified.ask, ReadAt::Unmodified(at(9)));
    unmodified.answer(no(at(9)));
    let checked = checking.await.unwrap().unwrap();
    assert_eq!((checked.value, checked.stored), (false, false));
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_crowd_with_one_unknown_token_makes_one_call() {
    let mut bench = Bench::with(settings().max_head_reads(1), Capabilities::versioned());
    let crowd: Vec<_> = (0..200).map(|_| bench.ask(&floor(9))).collect();
    bench.call().await.answer(yes(at(9)));
    for checking in crowd {
        assert!(checking.await.unwrap().unwrap().value);
    }
    bench.expect_no_call().await;
}
