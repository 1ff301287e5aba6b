use std::sync::Weak;

use super::*;
use crate::cache::movable::MoveToRuntime;
use crate::cache::{Capabilities, Keyer, Part};
use crate::knowledge::Knowledge;

fn question(name: &str) -> Fingerprint {
    let keyer = KEYER.with(Keyer::clone);
    keyer.question("test").text(Part::Resource, name).finish()
}

thread_local! {
    static KEYER: Keyer = Keyer::random();
}

fn flights(max_flights: (usize, usize), max_waiters: usize) -> Arc<Flights<bool>> {
    let settings = Settings::default()
        .max_flights(max_flights.0, max_flights.1)
        .max_waiters(max_waiters);
    Flights::new(&settings, true)
}

fn enter(flights: &Arc<Flights<bool>>, name: &str, freshness: &Freshness) -> Entry<bool> {
    let questions = Questions::one(question(name), 0);
    flights.enter(&questions, ReadAt::Head, freshness, Instant::now())
}

fn lead(flights: &Arc<Flights<bool>>, name: &str, credential: u64) -> Option<Lease<bool>> {
    flights.lead(&Questions::one(question(name), credential), ReadAt::Any)
}

#[test]
fn rule_15_flights_are_limited_in_all_and_by_credential() {
    let flights = flights((3, 2), 1);
    let mine = [lead(&flights, "a", 1).unwrap(), lead(&flights, "a", 1).unwrap()];
    assert!(lead(&flights, "b", 1).is_none(), "two for one credential");
    let _yours = lead(&flights, "b", 2).unwrap();
    assert!(lead(&flights, "c", 3).is_none(), "three in all");
    drop(mine);
    assert_eq!(flights.count(), 1);
    assert!(lead(&flights, "c", 1).is_some());
    assert_eq!(flights.count(), 1);
}

#[test]
fn rule_15_a_finished_flight_frees_its_slot() {
    let flights = flights((9, 9), 1);
    let Entry::Lead(lease) = enter(&flights, "a", &Freshness::Full) else {
        panic!("the first leads")
    };
    let Entry::Follow(follower) = enter(&flights, "a", &Freshness::Full) else {
        panic!("the second follows")
    };
    for _ in 0..2 {
        assert!(matches!(enter(&flights, "a", &Freshness::Full), Entry::Crowded));
    }
    drop(follower);
    assert!(matches!(enter(&flights, "a", &Freshness::Full), Entry::Follow(_)));
    drop(lease);
    assert!(matches!(enter(&flights, "a", &Freshness::Full), Entry::Lead(_)));
    assert!(flights.under_way().by_credential.is_empty() && flights.under_way().by_question.is_empty());
}

#[tokio::test]
async fn rule_07_a_panic_ends_the_lease_and_wakes_followers() {
    let flights = flights((9, 9), 9);
    let Entry::Lead(lease) = enter(&flights, "a", &Freshness::Full) else {
        panic!("the first leads")
    };
    let Entry::Follow(follower) = enter(&flights, "a", &Freshness::Full) else {
        panic!("the second follows")
    };
    let leader = tokio::spawn(async move {
        let _lease = lease;
        panic!("as a test wants it to");
    });
    assert!(leader.await.is_err());
    assert!(matches!(follower.wait().await, End::Failed));
    assert_eq!(flights.count(), 0);
}

#[test]
fn rule_03_full_reads_do_not_join_a_flight_that_began() {
    let flights = flights((9, 9), 9);
    let knowledge = Knowledge::new(&Settings::default().knowledge(), Capabilities::versioned());
    let Entry::Lead(lease) = enter(&flights, "a", &Freshness::Full) else {
        panic!("the first leads")
    };
    assert!(matches!(enter(&flights, "a", &Freshness::Full), Entry::Follow(_)));
    lease.flight.begin(knowledge.begin());
    assert!(matches!(enter(&flights, "a", &Freshness::any()), Entry::Follow(_)));
    assert!(matches!(enter(&flights, "a", &Freshness::Full), Entry::Lead(_)));
}

/// Counts how often it is moved.
#[derive(Default)]
struct Moves(AtomicUsize);

impl MoveToRuntime for Moves {
    fn move_to_runtime(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn rule_07_the_first_follower_moves_the_flight() {
    for leader_is_named_first in [true, false] {
        let flights = flights((9, 9), 9);
        let moves: Arc<Moves> = Arc::default();
        let weak: Weak<Moves> = Arc::downgrade(&moves);
        let Entry::Lead(lease) = enter(&flights, "a", &Freshness::Full) else {
            panic!("the first leads")
        };
        if leader_is_named_first {
            lease.flight.led_by(weak.clone());
            assert_eq!(moves.0.load(Ordering::Relaxed), 0);
        }
        let first = enter(&flights, "a", &Freshness::Full);
        if !leader_is_named_first {
            lease.flight.led_by(weak);
        }
        let second = enter(&flights, "a", &Freshness::Full);
        assert!(matches!((first, second), (Entry::Follow(_), Entry::Follow(_))));
        assert_eq!(moves.0.load(Ordering::Relaxed), 1);
    }
}
