use std::time::Duration;

use std::collections::HashSet;

use proptest::prelude::*;

use crate::revision::*;

fn timing() -> Timing {
    let now = Instant::now();
    Timing::of(now, now)
}

fn store(name: &str) -> StoreId {
    StoreId::new(["test", name])
}

/// One point of every kind, all with the same number.
fn one_of_each(store: &StoreId) -> Vec<Revision> {
    vec![
        Revision::new(store.clone(), Counter(1)),
        Revision::new(store.clone(), HybridTime { nanos: 1, logical: 0 }),
        Revision::new(store.clone(), PostgresSnapshot::new(1, 1, []).unwrap()),
        Revision::new(store.clone(), VectorClock::from_iter([("1", 1)])),
        Revision::new(store.clone(), Opaque::new("1")),
        Revision::new(store.clone(), TransactionId(1)),
        Revision::new(store.clone(), PermifySnapshot::new(1, 1, 2, []).unwrap()),
    ]
}

fn assert_unrelated(a: &Revision, b: &Revision) {
    assert_ne!(a, b);
    assert_eq!(a.partial_cmp(b), None);
    assert!(a.join(b).is_none());
    assert!(!a.covers(b, timing()));
    assert_eq!(a.lead(b), None);
}

#[test]
fn revisions_of_two_stores_never_compare_or_join() {
    for (a, b) in one_of_each(&store("a")).iter().zip(&one_of_each(&store("b"))) {
        assert_unrelated(a, b);
        assert_unrelated(b, a);
    }
}

#[test]
fn revisions_of_two_kinds_never_compare_or_join() {
    let (ours, theirs) = (one_of_each(&store("a")), one_of_each(&store("a")));
    for (i, a) in ours.iter().enumerate() {
        for (j, b) in theirs.iter().enumerate() {
            if i == j {
                assert_eq!(a, b);
                assert!(a.covers(b, timing()));
                assert_eq!(a.join(b).as_ref(), Some(a));
            } else {
                assert_unrelated(a, b);
            }
        }
    }
    assert_eq!(ours.into_iter().chain(theirs).collect::<HashSet<_>>().len(), 7);
}

#[test]
fn the_parts_of_a_store_id_stay_separate() {
    assert_ne!(StoreId::new(["a", "bc"]), StoreId::new(["ab", "c"]));
    assert_ne!(StoreId::new(["a/1:b"]), StoreId::new(["a", "b"]));
    assert_ne!(StoreId::new([]), StoreId::new([""]));
}

#[test]
fn a_store_id_returns_its_parts() {
    for parts in [
        &[][..],
        &[""],
        &["a", "", "b"],
        &["1:a/", "2:", "/:/"],
        &["\u{e9}:", "x"],
    ] {
        let store = StoreId::new(parts.iter().copied());
        assert_eq!(store.parts().collect::<Vec<_>>(), parts);
    }
}

#[test]
fn a_revision_keeps_its_kind() {
    let revision = Revision::new(store("a"), Counter(7));
    assert_eq!(revision.point(), Some(&Counter(7)));
    assert_eq!(revision.point::<Opaque>(), None);
    assert_eq!(revision.store(), &store("a"));
}

#[test]
fn opaque_revisions_cover_only_themselves_and_are_not_shown() {
    let (a, b) = (Opaque::new("secret"), Opaque::new("other"));
    assert_eq!(a.partial_cmp(&b), None);
    assert_eq!(a.join(&b), None);
    assert_eq!(a.join(&a.clone()), Some(a.clone()));
    assert!(a.covers(&a.clone(), timing()) && !a.covers(&b, timing()));
    assert!(!format!("{:?}", Revision::new(store("a"), a)).contains("secret"));
}

#[test]
fn leads_at_the_limits_of_the_numbers() {
    let (first, last) = (
        HybridTime {
            nanos: i64::MIN,
            logical: 0,
        },
        HybridTime {
            nanos: i64::MAX,
            logical: 0,
        },
    );
    assert_eq!(last.lead(&first), Some(u64::MAX));
    assert_eq!(first.lead(&last), None);
    assert_eq!(HybridTime { logical: 9, ..first }.lead(&first), Some(0));
    assert_eq!(Counter(u64::MAX).lead(&Counter(0)), Some(u64::MAX));
    assert_eq!(Counter(0).lead(&Counter(1)), None);
    assert_eq!(TransactionId(u64::MAX).lead(&TransactionId(1)), Some(u64::MAX - 1));
    assert_eq!(TransactionId(0).lead(&TransactionId(1)), None);
}

#[test]
fn rule_01_an_uncommitted_number_covers_only_earlier_floors() {
    let (early, late) = (Instant::now(), Instant::now() + Duration::from_nanos(1));
    let covers = |label, floor, answer_began, floor_demanded| {
        TransactionId(label).covers(&TransactionId(floor), Timing::of(answer_began, floor_demanded))
    };
    for floor in [42, 43] {
        assert!(covers(43, floor, late, early));
        assert!(covers(43, floor, late, late));
        assert!(!covers(43, floor, early, late));
    }
    assert!(!covers(43, 44, late, early));
}

fn hybrid() -> impl Strategy<Value = HybridTime> {
    (-2_i64..3, 0_u32..3).prop_map(|(nanos, logical)| HybridTime { nanos, logical })
}

fn opaque() -> impl Strategy<Value = Opaque> {
    "[ab]{0,2}".prop_map(Opaque::new)
}

proptest! {
    #[test]
    fn counters_are_a_lattice(a in 0_u64..4, b in 0_u64..4, c in 0_u64..4) {
        laws::lattice(&Counter(a), &Counter(b), &Counter(c))?;
    }

    #[test]
    fn transaction_ids_are_ordered_and_have_no_join(a in 0_u64..4, b in 0_u64..4, c in 0_u64..4) {
        laws::order(&TransactionId(a), &TransactionId(b), &TransactionId(c))?;
        prop_assert_eq!(TransactionId(a).join(&TransactionId(b)).is_some(), a == b);
    }

    #[test]
    fn hybrid_times_are_a_lattice(a in hybrid(), b in hybrid(), c in hybrid()) {
        laws::lattice(&a, &b, &c)?;
        prop_assert_eq!(a.cmp(&b), (a.nanos, a.logical).cmp(&(b.nanos, b.logical)));
    }

    #[test]
    fn opaque_revisions_are_ordered(a in opaque(), b in opaque(), c in opaque()) {
        laws::order(&a, &b, &c)?;
    }
}
