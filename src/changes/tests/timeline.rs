use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::changes::place::Place;
use crate::changes::timeline::{Limits, Timeline};
use crate::revision::{PostgresSnapshot, Revision, StoreId};

const IDS: u64 = 8;

#[derive(Clone, Debug)]
enum Step {
    Change(Seen),
    Checkpoint(Seen),
    /// Where does this revision stand?
    Ask(Seen),
}

/// The transactions that a revision sees.
type Seen = BTreeSet<u64>;

fn revision(seen: &Seen) -> Revision {
    let unseen = (0..IDS).filter(|id| !seen.contains(id));
    let snapshot = PostgresSnapshot::new(0, IDS, unseen).unwrap();
    Revision::new(StoreId::new(["test"]), snapshot)
}

fn seen() -> impl Strategy<Value = Seen> {
    // Mostly many of them, so that one revision often covers another.
    let few = prop::collection::btree_set(0..IDS, 0..IDS as usize);
    let many = prop::collection::btree_set(0..IDS, 0..4)
        .prop_map(|unseen| (0..IDS).filter(|id| !unseen.contains(id)).collect());
    prop_oneof![2 => few, 3 => many]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => seen().prop_map(Step::Change),
        1 => seen().prop_map(Step::Checkpoint),
        4 => seen().prop_map(Step::Ask),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (1..12_usize, 4..8_usize, 1..4_usize).prop_map(|(changes, frontiers, steps)| Limits {
        changes,
        frontiers,
        steps,
    })
}

/// Up to which change `seen` sees every one.
fn position(start: &Seen, changes: &[Seen], seen: &Seen) -> Option<u64> {
    let covered = changes.iter().take_while(|change| seen.is_superset(change));
    seen.is_superset(start).then(|| covered.count() as u64)
}

fn advance(timeline: &Timeline, place: &Place) {
    while !place.is_settled() && timeline.advance(place) {}
}

proptest! {
    #[test]
    fn a_position_counts_the_changes_that_are_seen(
        start in prop::collection::btree_set(0..IDS, 0..3),
        limits in limits(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut timeline = Timeline::with_limits(revision(&start), limits);
        let (mut changes, mut frontier) = (Vec::new(), start.clone());
        let mut places: Vec<(Seen, Place)> = Vec::new();
        for step in steps {
            match step {
                Step::Change(seen) => {
                    timeline.push(revision(&seen));
                    changes.push(seen);
                }
                Step::Checkpoint(seen) => {
                    timeline.checkpoint(&revision(&seen));
                    frontier.extend(seen);
                    prop_assert_eq!(timeline.frontier(), &revision(&frontier), "it is the join of all checkpoints");
                }
                Step::Ask(seen) => {
                    let first = timeline.first_position(&revision(&seen));
                    prop_assert_eq!(first.is_some(), seen.is_superset(&start), "it sees the start");
                    if let Some(first) = first {
                        let place = Place::new(revision(&seen), first);
                        places.push((seen, place));
                    }
                }
            }
            for (seen, place) in &places {
                advance(&timeline, place);
                let expected = position(&start, &changes, seen).unwrap();
                let found = place.position();
                prop_assert!(found <= expected, "{} > {} for {:?}", found, expected, seen);
                // It may have lacked a change when that was forgotten.
                let has_forgotten = changes.len() > limits.changes;
                prop_assert!(found == expected || has_forgotten, "{} < {} for {:?}", found, expected, seen);
            }
            let frontier_sees_all = position(&start, &changes, &frontier) == Some(changes.len() as u64);
            prop_assert!(frontier_sees_all || !timeline.is_complete());
        }
    }

    /// What is forgotten costs a revision its position only if it lacks some of that.
    #[test]
    fn a_revision_that_sees_all_has_the_last_position(
        limits in limits(),
        changes in prop::collection::vec(seen(), 1..40),
    ) {
        let mut timeline = Timeline::with_limits(revision(&Seen::new()), limits);
        changes.iter().for_each(|seen| timeline.push(revision(seen)));
        let all = revision(&(0..IDS).collect());
        let place = Place::new(all.clone(), timeline.first_position(&all).unwrap());
        advance(&timeline, &place);
        prop_assert_eq!(place.position(), changes.len() as u64);
    }
}
