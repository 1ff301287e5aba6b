use tower_zookie::cache::{Capabilities, CheckError, ReadAt};
use tower_zookie::consistency::Freshness;

use crate::support::{Bench, advance, at, floor, millis, no, quantizing, secs, settings, settle, yes};

#[tokio::test(start_paused = true)]
async fn rule_08_an_unproven_floor_is_asked_at_head_once_and_is_proven_then() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let checked = bench.miss(&floor(9), ReadAt::Head, no(at(9))).await;
    assert!(checked.stored);
    bench.hit(&floor(9)).await;
    bench.question = bench.another_question("after the proof");
    bench.miss(&floor(8), ReadAt::AtLeast(at(8)), no(at(9))).await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_all_questions_wait_for_one_probe_and_then_ask_at_their_own_floors() {
    let mut bench = Bench::with(settings(), quantizing());
    bench.fill(at(5)).await;
    let leader = bench.ask(&floor(9));
    let probe = bench.call().await;
    assert_eq!(probe.ask, ReadAt::Head);
    let waiting: Vec<_> = (6..9)
        .map(|n| bench.ask_for(bench.another_question(&n.to_string()), &floor(n)))
        .collect();
    bench.expect_no_call().await;
    probe.answer(no(at(9)));
    leader.await.unwrap().unwrap();
    for _ in 6..9 {
        let call = bench.call().await;
        assert!(matches!(call.ask, ReadAt::AtLeast(_)));
        let revision = call.ask.revision().unwrap().clone();
        call.answer(yes(revision));
    }
    for (checking, n) in waiting.into_iter().zip(6..9) {
        let checked = checking.await.unwrap().unwrap();
        assert_eq!((checked.revision, checked.stored), (Some(at(n)), true));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_hundred_forged_floors_cost_one_probe_an_interval() {
    let mut bench = Bench::with(settings().probe_interval(millis(100)), Capabilities::versioned());
    bench.fill(at(5)).await;
    for _ in 0..2 {
        let forgers: Vec<_> = (100..200).map(|n| bench.ask(&floor(n))).collect();
        let probe = bench.call().await;
        assert_eq!(probe.ask, ReadAt::Head);
        bench.expect_no_call().await;
        probe.answer(yes(at(5)));
        for _ in 0..100 {
            let call = bench.call().await;
            assert!(matches!(call.ask, ReadAt::Unmodified(_)));
            call.refuse();
        }
        for forger in forgers {
            assert!(matches!(forger.await.unwrap(), Err(CheckError::Upstream(_))));
        }
        assert_eq!(bench.would_ask(&floor(999)).await, ReadAt::Unmodified(at(999)));
        advance(millis(100)).await;
    }
    bench.hit(&floor(5)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_forged_floor_makes_no_entry_fresh_and_is_no_label() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let checking = bench.ask(&floor(99));
    bench.call().await.answer(yes(at(5)));
    let forwarded = bench.call().await;
    assert_eq!(forwarded.ask, ReadAt::Unmodified(at(99)));
    // Nobody joins it, not even with the same floor.
    let same = bench.ask(&floor(99));
    let own = bench.call().await;
    assert_eq!(own.ask, ReadAt::Unmodified(at(99)));
    for echo in [forwarded, own] {
        echo.answer(no(at(99)));
    }
    for checking in [checking, same] {
        let checked = checking.await.unwrap().unwrap();
        assert_eq!((checked.value, checked.revision, checked.stored), (false, None, false));
    }
    assert_eq!(bench.cache.trusted_revision(), Some(at(5)));
    assert!(bench.hit(&Freshness::any()).await.value);
    assert_eq!(bench.would_ask(&floor(99)).await, ReadAt::Unmodified(at(99)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_failed_probe_proves_nothing_and_strands_nobody() {
    let mut bench = Bench::new();
    bench.fill(at(5)).await;
    let leader = bench.ask(&floor(9));
    let probe = bench.call().await;
    let waiting = bench.ask(&floor(8));
    bench.expect_no_call().await;
    probe.refuse();
    assert!(matches!(leader.await.unwrap(), Err(CheckError::Upstream(_))));
    let call = bench.call().await;
    assert_eq!(call.ask, ReadAt::Unmodified(at(8)));
    call.answer(no(at(8)));
    assert!(!waiting.await.unwrap().unwrap().stored);
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_probe_that_panics_or_is_abandoned_or_never_ends_strands_nobody() {
    for end in ["panics", "is abandoned", "never ends"] {
        let mut bench = Bench::new();
        bench.fill(at(5)).await;
        let leader = bench.ask(&floor(9));
        let probe = bench.call().await;
        let waiting = bench.ask(&floor(8));
        settle().await;
        let mut kept = None;
        match end {
            "panics" => drop(probe),
            "is abandoned" => {
                leader.abort();
                kept = Some(probe);
                advance(secs(1)).await;
            }
            _ => {
                kept = Some(probe);
                advance(secs(10)).await;
            }
        }
        let call = bench.call().await;
        assert_eq!(call.ask, ReadAt::Unmodified(at(8)), "{end}");
        call.answer(no(at(8)));
        assert!(waiting.await.unwrap().is_ok(), "{end}");
        assert!(kept.is_none_or(|probe| probe.is_gone()), "{end}");
        advance(millis(100)).await;
        assert_eq!(bench.would_ask(&floor(9)).await, ReadAt::Head, "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_probe_over_the_limit_of_flights_still_proves() {
    let mut bench = Bench::with(settings().max_flights(1, 1), Capabilities::versioned());
    bench.fill(at(5)).await;
    let _stuck = bench.ask_for(bench.another_question("stuck"), &Freshness::any());
    let _stuck_call = bench.call().await;
    let leader = bench.ask(&floor(9));
    let probe = bench.call().await;
    let waiting = bench.ask(&floor(8));
    bench.expect_no_call().await;
    probe.answer(yes(at(7)));
    let (first, second) = (bench.call().await, bench.call().await);
    let mut asks = [first.ask.clone(), second.ask.clone()].map(|ask| ask.revision().cloned());
    asks.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert_eq!(asks, [Some(at(8)), Some(at(9))]);
    first.answer(no(at(9)));
    second.answer(no(at(9)));
    assert!(!leader.await.unwrap().unwrap().stored);
    assert!(!waiting.await.unwrap().unwrap().stored);
    assert_eq!(bench.cache.trusted_revision(), Some(at(7)));
}

#[tokio::test(start_paused = true)]
async fn rule_15_who_waits_for_a_probe_takes_a_seat() {
    let mut bench = Bench::with(settings().max_waiters(1), Capabilities::versioned());
    let _leader = bench.ask(&floor(9));
    let _probe = bench.call().await;
    let _seated = bench.ask(&floor(8));
    bench.expect_no_call().await;
    assert_eq!(bench.would_ask(&floor(7)).await, ReadAt::Unmodified(at(7)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_where_replies_bear_no_revision_there_is_nothing_to_probe() {
    let mut bench = Bench::with(settings(), Capabilities::unversioned());
    assert_eq!(bench.would_ask(&floor(9)).await, ReadAt::Unmodified(at(9)));
    bench.cache.wrote(&at(9));
    assert_eq!(bench.would_ask(&floor(9)).await, ReadAt::AtLeast(at(9)));
}
