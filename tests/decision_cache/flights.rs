use tower_zookie::cache::{Capabilities, CheckError, ReadAt};
use tower_zookie::consistency::Freshness;

use crate::support::{Bench, Rejected, advance, at, floor, millis, no, secs, settings, settle, within, yes};

#[tokio::test(start_paused = true)]
async fn rule_07_one_call_answers_all_who_wait() {
    let mut bench = Bench::new();
    let waiting: Vec<_> = (0..10).map(|_| bench.ask(&Freshness::any())).collect();
    let call = bench.call().await;
    bench.expect_no_call().await;
    call.answer(yes(at(1)));
    let mut coalesced = 0;
    for checking in waiting {
        let checked = checking.await.unwrap().unwrap();
        assert!(checked.value && checked.stored && !checked.is_hit());
        coalesced += u64::from(checked.coalesced);
    }
    let stats = bench.cache.stats();
    assert_eq!(
        (coalesced, stats.coalesced, stats.upstream_calls, stats.misses.total()),
        (9, 9, 1, 10)
    );
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_leader_that_goes_away_neither_cancels_nor_strands() {
    let mut bench = Bench::new();
    let leader = bench.ask(&Freshness::any());
    let call = bench.call().await;
    let follower = bench.ask(&Freshness::any());
    settle().await;
    leader.abort();
    advance(secs(5)).await;
    call.answer(yes(at(1)));
    assert!(follower.await.unwrap().unwrap().coalesced);
    bench.hit(&Freshness::Exact(at(1))).await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_call_that_ends_within_the_grace_is_stored() {
    let mut bench = Bench::new();
    let leader = bench.ask(&Freshness::any());
    let call = bench.call().await;
    leader.abort();
    advance(millis(999)).await;
    call.answer(yes(at(1)));
    settle().await;
    bench.hit(&Freshness::any()).await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_an_abandoned_flight_ends_after_its_grace() {
    let mut bench = Bench::new();
    let leader = bench.ask(&Freshness::any());
    let call = bench.call().await;
    leader.abort();
    advance(millis(999)).await;
    assert!(!call.is_gone());
    advance(millis(1)).await;
    assert!(call.is_gone());
    bench.fill(at(1)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_caller_within_the_grace_continues_the_flight() {
    let mut bench = Bench::new();
    let leader = bench.ask(&Freshness::any());
    let call = bench.call().await;
    leader.abort();
    advance(millis(500)).await;
    let follower = bench.ask(&Freshness::any());
    advance(secs(3)).await;
    assert!(!call.is_gone());
    call.answer(yes(at(1)));
    assert!(follower.await.unwrap().unwrap().value);
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_deadline_is_not_shared() {
    let mut bench = Bench::new();
    let leader = bench.ask(&Freshness::any());
    let stuck = bench.call().await;
    advance(secs(4)).await;
    let followers = [bench.ask(&Freshness::any()), bench.ask(&Freshness::any())];
    advance(secs(6)).await;
    assert!(matches!(leader.await.unwrap(), Err(CheckError::TimedOut)));
    assert!(stuck.is_gone());
    bench.call().await.answer(yes(at(1)));
    for follower in followers {
        assert!(follower.await.unwrap().unwrap().value);
    }
    bench.expect_no_call().await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_panic_is_an_error_for_all_and_ends_the_flight() {
    let mut bench = Bench::new();
    let both = [bench.ask(&Freshness::any()), bench.ask(&Freshness::any())];
    let call = bench.call().await;
    settle().await;
    drop(call);
    for checking in both {
        assert!(matches!(checking.await.unwrap(), Err(CheckError::Shared)));
    }
    bench.fill(at(1)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_14_a_failure_is_reported_and_not_stored() {
    let mut bench = Bench::new();
    bench.fill(at(1)).await;
    advance(secs(6)).await;
    let (leader, follower) = (bench.ask(&Freshness::any()), bench.ask(&Freshness::any()));
    let call = bench.call().await;
    settle().await;
    call.reject();
    assert!(matches!(leader.await.unwrap(), Err(CheckError::Upstream(Rejected))));
    assert!(matches!(follower.await.unwrap(), Err(CheckError::Shared)));
    bench.fill(at(1)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_an_unshared_answer_sends_each_follower_upstream() {
    let mut bench = Bench::new();
    let waiting: Vec<_> = (0..4).map(|_| bench.ask(&Freshness::any())).collect();
    let call = bench.call().await;
    settle().await;
    call.answer(yes(at(1)).for_the_caller_only());
    let calls = [bench.call().await, bench.call().await, bench.call().await];
    for call in calls {
        call.answer(yes(at(1)).for_the_caller_only());
    }
    for checking in waiting {
        let checked = checking.await.unwrap().unwrap();
        assert!(!checked.stored && !checked.coalesced);
    }
    assert_eq!(bench.would_ask(&Freshness::any()).await, ReadAt::Any);
}

#[tokio::test(start_paused = true)]
async fn rule_03_a_fully_consistent_read_takes_no_entry() {
    let mut bench = Bench::new();
    bench.fill(at(1)).await;
    bench.miss(&Freshness::Full, ReadAt::Head, no(at(2))).await;
    bench.miss(&Freshness::Full, ReadAt::Head, no(at(2))).await;
}

#[tokio::test(start_paused = true)]
async fn rule_03_a_full_read_joins_only_flights_not_yet_begun() {
    let mut bench = Bench::new();
    let together = [bench.ask(&Freshness::Full), bench.ask(&Freshness::Full)];
    let first = bench.call().await;
    bench.expect_no_call().await;
    let late = bench.ask(&Freshness::Full);
    let second = bench.call().await;
    second.answer(no(at(2)));
    assert!(!late.await.unwrap().unwrap().value);
    first.answer(yes(at(1)));
    for checking in together {
        assert!(checking.await.unwrap().unwrap().value);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_03_a_fully_consistent_read_joins_no_weaker_flight() {
    let mut bench = Bench::new();
    bench.wrote(&at(3));
    let _weaker = [bench.ask(&Freshness::any()), bench.ask(&floor(3))];
    let _full = bench.ask(&Freshness::Full);
    let asks = [bench.call().await, bench.call().await, bench.call().await].map(|call| call.ask);
    assert_eq!(asks, [ReadAt::Any, ReadAt::AtLeast(at(3)), ReadAt::Head]);
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_floor_joins_only_flights_that_reach_it() {
    let mut bench = Bench::new();
    bench.wrote(&at(5));
    let unasked = bench.ask(&Freshness::any());
    let unasked_call = bench.call().await;
    let five = bench.ask(&floor(5));
    let five_call = bench.call().await;
    assert_eq!(five_call.ask, ReadAt::AtLeast(at(5)));
    let three = bench.ask(&floor(3));
    bench.expect_no_call().await;
    bench.wrote(&at(6));
    let six = bench.ask(&floor(6));
    let six_call = bench.call().await;
    assert_eq!(six_call.ask, ReadAt::AtLeast(at(6)));

    six_call.answer(no(at(6)));
    five_call.answer(yes(at(5)));
    unasked_call.answer(yes(at(4)));
    for (checking, revision) in [(unasked, 4), (five, 5), (three, 5), (six, 6)] {
        assert_eq!(checking.await.unwrap().unwrap().revision, Some(at(revision)));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_head_read_serves_floors_known_when_it_began() {
    let mut bench = Bench::new();
    bench.wrote(&at(5));
    let head = bench.ask(&Freshness::Full);
    let head_call = bench.call().await;
    let five = bench.ask(&floor(5));
    bench.expect_no_call().await;
    bench.wrote(&at(6));
    let six = bench.ask(&floor(6));
    let six_call = bench.call().await;
    six_call.answer(no(at(6)));
    head_call.answer(yes(at(5)));
    for (checking, revision) in [(head, 5), (five, 5), (six, 6)] {
        assert_eq!(checking.await.unwrap().unwrap().revision, Some(at(revision)));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_flight_older_than_the_bound_is_not_joined() {
    let mut bench = Bench::new();
    let early = bench.ask(&Freshness::any());
    let early_call = bench.call().await;
    advance(millis(5001)).await;
    let late = bench.ask(&Freshness::any());
    let late_call = bench.call().await;
    late_call.answer(no(at(2)));
    early_call.answer(yes(at(1)));
    assert!(early.await.unwrap().unwrap().value);
    assert!(!late.await.unwrap().unwrap().value);
}

#[tokio::test(start_paused = true)]
async fn rule_07_bounded_staleness_joins_only_young_head_reads() {
    let mut bench = Bench::new();
    let _any = bench.ask(&Freshness::any());
    let _unasked = bench.call().await;
    let first = bench.ask(&within(secs(2)));
    let head = bench.call().await;
    assert_eq!(head.ask, ReadAt::Head);
    advance(secs(2)).await;
    let second = bench.ask(&within(secs(2)));
    bench.expect_no_call().await;
    advance(millis(1)).await;
    let third = bench.ask(&within(secs(2)));
    let own = bench.call().await;
    own.answer(no(at(2)));
    head.answer(yes(at(1)));
    assert!(first.await.unwrap().unwrap().value);
    assert!(second.await.unwrap().unwrap().value);
    assert!(!third.await.unwrap().unwrap().value);
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_follower_of_a_retried_call_keeps_its_floor() {
    let mut bench = Bench::with(settings(), Capabilities::versioned());
    bench.wrote(&at(3));
    bench.fill(at(5)).await;
    bench.question = bench.another_question("in the same window");
    let leader = bench.ask(&floor(2));
    let at_window = bench.call().await;
    assert_eq!(at_window.ask, ReadAt::AtLeast(at(5)));
    let follower = bench.ask(&floor(3));
    bench.expect_no_call().await;
    at_window.reject();
    let lowered = bench.call().await;
    assert_eq!(lowered.ask, ReadAt::Unmodified(at(2)));
    lowered.answer(yes(at(2)));
    assert_eq!(leader.await.unwrap().unwrap().revision, None, "it was never named");
    let own = bench.call().await;
    assert_eq!(own.ask, ReadAt::Unmodified(at(3)));
    own.answer(no(at(3)));
    assert_eq!(follower.await.unwrap().unwrap().revision, Some(at(3)));
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_reply_without_its_revision_is_not_shared() {
    let mut bench = Bench::with(settings(), Capabilities::versioned());
    let both = [bench.ask(&Freshness::any()), bench.ask(&Freshness::any())];
    for _ in 0..2 {
        let call = bench.call().await;
        settle().await;
        call.answer(tower_zookie::cache::Answer::without_revision(true));
    }
    for checking in both {
        assert!(!checking.await.unwrap().unwrap().stored);
    }
}
