//! A leader polls its flight itself, and the flight can move to the runtime at any time.

use std::pin::Pin;

use tokio::runtime::Handle;
use tokio_test::{assert_pending, task};
use tower_zookie::cache::{Capabilities, CheckError};
use tower_zookie::consistency::Freshness;

use crate::support::{Answered, Bench, advance, at, floor, no, secs, settings, settle, yes};

type Checking = task::Spawn<Pin<Box<dyn Future<Output = Answered> + Send>>>;

/// A caller that the test polls by hand, with its call under way.
async fn leader(bench: &mut Bench, freshness: &Freshness) -> (Checking, crate::support::Call) {
    let mut leader = task::spawn(bench.checking(bench.question, freshness));
    assert_pending!(leader.poll());
    (leader, bench.call().await)
}

/// How many tasks the runtime has.
fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn a_flight_without_followers_stays_with_its_leader() {
    let mut bench = Bench::new();
    let before = tasks();
    let (leader, call) = leader(&mut bench, &Freshness::any()).await;
    settle().await;
    assert_eq!(tasks(), before, "no task runs for it");
    call.answer(yes(at(1)));
    assert!(leader.is_woken());
    assert!(leader.await.unwrap().stored);
    assert_eq!(tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_leader_that_is_not_polled_strands_no_follower() {
    let mut bench = Bench::new();
    let (leader, call) = leader(&mut bench, &Freshness::any()).await;
    let followers = [bench.ask(&Freshness::any()), bench.ask(&Freshness::any())];
    bench.expect_no_call().await;
    call.answer(yes(at(1)));
    for follower in followers {
        let checked = follower.await.unwrap().unwrap();
        assert!(checked.value && checked.coalesced);
    }
    assert!(
        leader.is_woken(),
        "the leader has to wait for the runtime since the flight moved"
    );
    let own = leader.await.unwrap();
    assert!(own.value && !own.coalesced && own.stored);
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_moved_flight_gives_its_leader_its_own_error() {
    let mut bench = Bench::new();
    let (leader, call) = leader(&mut bench, &Freshness::any()).await;
    let follower = bench.ask(&Freshness::any());
    bench.expect_no_call().await;
    call.reject();
    assert!(matches!(follower.await.unwrap(), Err(CheckError::Shared)));
    assert!(matches!(leader.await, Err(CheckError::Upstream(_))));
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_leader_that_leaves_late_strands_no_follower() {
    let mut bench = Bench::new();
    let (leader, call) = leader(&mut bench, &Freshness::any()).await;
    let follower = bench.ask(&Freshness::any());
    bench.expect_no_call().await;
    drop(leader);
    advance(secs(2)).await;
    assert!(!call.is_gone(), "the follower still waits after the grace");
    call.answer(yes(at(1)));
    assert!(follower.await.unwrap().unwrap().value);
}

#[tokio::test(start_paused = true)]
async fn rule_07_followers_that_leave_do_not_end_the_leaders_flight() {
    let mut bench = Bench::new();
    let (leader, call) = leader(&mut bench, &Freshness::any()).await;
    let follower = bench.ask(&Freshness::any());
    bench.expect_no_call().await;
    follower.abort();
    advance(secs(2)).await;
    assert!(!call.is_gone(), "the leader still waits after the grace");
    call.answer(yes(at(1)));
    assert!(leader.await.unwrap().value);
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_moved_flight_ends_after_its_grace() {
    let mut bench = Bench::new();
    let (leader, call) = leader(&mut bench, &Freshness::any()).await;
    let follower = bench.ask(&Freshness::any());
    bench.expect_no_call().await;
    drop(leader);
    follower.abort();
    advance(secs(2)).await;
    assert!(call.is_gone());
    bench
        .miss(&Freshness::any(), tower_zookie::cache::ReadAt::Any, no(at(1)))
        .await;
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_head_read_that_waits_its_turn_can_be_joined() {
    let mut bench = Bench::new();
    let mut leader = task::spawn(bench.checking(bench.question, &Freshness::Full));
    assert_pending!(leader.poll());
    let follower = bench.ask(&Freshness::Full);
    let call = bench.call().await;
    bench.expect_no_call().await;
    call.answer(yes(at(1)));
    assert!(follower.await.unwrap().unwrap().coalesced);
    assert!(leader.await.unwrap().value);
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_flight_ends_in_time_wherever_it_runs() {
    let mut bench = Bench::with(settings().flight_timeout(secs(3)), Capabilities::versioned());
    let (alone, call) = leader(&mut bench, &Freshness::any()).await;
    advance(secs(4)).await;
    assert!(alone.is_woken());
    assert!(matches!(alone.await, Err(CheckError::TimedOut)));
    drop(call);
    let (moved, call) = leader(&mut bench, &Freshness::any()).await;
    let follower = bench.ask(&Freshness::any());
    bench.expect_no_call().await;
    advance(secs(4)).await;
    assert!(matches!(moved.await, Err(CheckError::TimedOut)));
    drop(call);
    // The deadline says nothing to the follower, which leads the next flight.
    bench.call().await.answer(yes(at(1)));
    assert!(follower.await.unwrap().unwrap().value);
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_flight_counts_before_and_after_its_move() {
    let mut bench = Bench::with(settings().max_flights(1, 1), Capabilities::versioned());
    let other = bench.another_question("other");
    let (leader, call) = leader(&mut bench, &Freshness::any()).await;
    // Over the cap, callers ask for themselves: none joins another.
    for moved in [false, true] {
        let crowd = [bench.ask_for(other, &floor(0)), bench.ask_for(other, &floor(0))];
        let calls = [bench.call().await, bench.call().await];
        for call in calls {
            call.answer(yes(at(1)));
        }
        for checking in crowd {
            assert!(!checking.await.unwrap().unwrap().stored);
        }
        if !moved {
            drop(bench.ask(&Freshness::any()));
            settle().await;
        }
    }
    call.answer(yes(at(1)));
    assert!(leader.await.unwrap().value);
    let crowd = [
        bench.ask_for(other, &Freshness::any()),
        bench.ask_for(other, &Freshness::any()),
    ];
    let call = bench.call().await;
    bench.expect_no_call().await;
    call.answer(yes(at(1)));
    for checking in crowd {
        assert!(checking.await.unwrap().unwrap().value);
    }
}
