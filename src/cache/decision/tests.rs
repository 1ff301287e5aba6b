use proptest::prelude::*;

use super::*;
use crate::consistency::{Floors, Staleness};
use crate::revision::{Counter, Point, StoreId, TransactionId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pair(u64, u64);

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let (a, b) = (self.0.cmp(&other.0), self.1.cmp(&other.1));
        match (a, b) {
            _ if a == b || b.is_eq() => Some(a),
            _ if a.is_eq() => Some(b),
            _ => None,
        }
    }
}

impl Point for Pair {
    fn join(&self, other: &Self) -> Option<Self> {
        Some(Self(self.0.max(other.0), self.1.max(other.1)))
    }
}

fn revision(point: impl Point) -> Revision {
    Revision::new(StoreId::new(["test"]), point)
}

/// Instants count from here, so that a failing case shows which is which.
fn origin() -> Instant {
    static ORIGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

fn second(n: u64) -> Instant {
    origin() + Duration::from_secs(n)
}

/// An unasked answer whose call began at this second, and which lives for a minute.
fn answer(began: u64, at: Option<Revision>) -> Decision<u64> {
    Decision {
        value: began,
        span: at.map(|at| Span::at(at, true)),
        fresh: Instants::at(second(began), false),
        began: second(began),
        expires: second(began + 60),
        epoch: 0,
        placed: None,
    }
}

fn counter(began: u64, n: u64) -> Decision<u64> {
    answer(began, Some(revision(Counter(n))))
}

impl Decision<u64> {
    /// What becomes of `entry` in front of a store whose reads repeat.
    fn after(self, entry: &Self) -> Option<Self> {
        self.succeed(entry, true)
    }
}

const WINDOW: Window = Window::new(Duration::from_secs(5), Staleness::percent(0));

fn judge(decision: &Decision<u64>, freshness: &Freshness, now: u64) -> Result<(), Miss> {
    decision.satisfies(freshness, second(now), &WINDOW, 0, 0)
}

#[test]
fn rule_01_only_a_covering_answer_satisfies_the_floor() {
    let floor = |n| Freshness::at_least(revision(Counter(n)));
    assert_eq!(judge(&counter(0, 5), &floor(5), 0), Ok(()));
    assert_eq!(judge(&counter(0, 5), &floor(6), 0), Err(Miss::Floor));
    let foreign = Freshness::at_least(Revision::new(StoreId::new(["other"]), Counter(1)));
    assert_eq!(judge(&counter(0, 5), &foreign, 0), Err(Miss::Floor));
    assert_eq!(judge(&answer(0, None), &floor(0), 0), Err(Miss::Floor));
    let pair = Freshness::at_least(revision(Pair(0, 1)));
    assert_eq!(
        judge(&answer(0, Some(revision(Pair(9, 0)))), &pair, 0),
        Err(Miss::Floor)
    );
}

#[test]
fn rule_04_age_counts_from_the_as_of_instant() {
    let decision = counter(1, 5);
    assert_eq!(judge(&decision, &Freshness::any(), 6), Ok(()));
    assert_eq!(judge(&decision, &Freshness::any(), 7), Err(Miss::Age));
    let without = Decision {
        fresh: Instants::default(),
        ..decision.clone()
    };
    assert_eq!(judge(&without, &Freshness::any(), 1), Err(Miss::Age));
    assert_eq!(judge(&without, &Freshness::Exact(revision(Counter(5))), 50), Ok(()));

    let bounded = Freshness::AtLeast {
        floors: Floors::none(),
        head_within: Some(Duration::from_secs(1)),
    };
    assert_eq!(judge(&decision, &bounded, 1), Err(Miss::Age));
    let head = Decision {
        fresh: Instants::at(second(1), true),
        ..decision
    };
    assert_eq!(judge(&head, &bounded, 2), Ok(()));
    assert_eq!(judge(&head, &bounded, 3), Err(Miss::Age));
}

#[test]
fn rule_03_and_12_no_entry_serves_full_or_outlives_its_epoch() {
    let decision = counter(0, 5);
    let exact = Freshness::Exact(revision(Counter(5)));
    assert_eq!(judge(&decision, &Freshness::Full, 0), Err(Miss::Full));
    assert_eq!(judge(&decision, &exact, 59), Ok(()));
    assert_eq!(judge(&decision, &exact, 60), Err(Miss::Expired));
    assert_eq!(decision.satisfies(&exact, second(0), &WINDOW, 0, 1), Err(Miss::Epoch));
}

#[test]
fn rule_02_an_exact_read_is_satisfied_only_within_the_span() {
    let mut decision = counter(0, 5);
    decision.span.as_mut().unwrap().through = revision(Counter(7));
    let exact = |n| judge(&decision, &Freshness::Exact(revision(Counter(n))), 0);
    assert_eq!(
        [4, 5, 6, 7, 8].map(|n| exact(n).is_ok()),
        [false, true, true, true, false]
    );
    assert_eq!(
        judge(&answer(0, None), &Freshness::Exact(revision(Counter(5))), 0),
        Err(Miss::Exact)
    );
}

#[test]
fn rule_06_a_covering_answer_replaces_the_entry() {
    let entry = counter(9, 5);
    let next = counter(3, 6).after(&entry).unwrap();
    assert_eq!(
        (next.value, next.label(), next.expires),
        (3, Some(&revision(Counter(6))), second(63))
    );
    assert_eq!(next.fresh.any, Some(second(9)), "it is no older than what it covers");
}

#[test]
fn rule_06_at_one_revision_the_later_call_wins() {
    let later = counter(9, 5).after(&counter(3, 5)).unwrap();
    assert_eq!((later.value, later.expires), (9, second(69)));
    assert!(counter(3, 5).after(&counter(9, 5)).is_none());
}

#[test]
fn rule_12_a_covered_answer_renews_the_age_but_not_the_end() {
    let entry = counter(3, 6);
    let renewed = counter(9, 5).after(&entry).unwrap();
    assert_eq!((renewed.value, renewed.label()), (3, Some(&revision(Counter(6)))));
    assert_eq!((renewed.fresh.any, renewed.expires), (Some(second(9)), entry.expires));
    assert!(counter(2, 5).after(&entry).is_none(), "an older one renews nothing");
}

#[test]
fn rule_06_of_incomparable_answers_the_later_call_wins() {
    let (a, b) = (revision(Pair(1, 0)), revision(Pair(0, 1)));
    let later = answer(9, Some(b.clone())).after(&answer(3, Some(a.clone()))).unwrap();
    assert_eq!((later.value, later.fresh.any), (9, Some(second(9))));
    assert!(answer(3, Some(b)).after(&answer(9, Some(a.clone()))).is_none());
    for (earlier, later) in [(Some(a.clone()), None), (None, Some(a)), (None, None)] {
        let (earlier, later) = (answer(3, earlier), answer(9, later));
        assert_eq!(later.clone().after(&earlier).unwrap().value, 9);
        assert!(earlier.after(&later).is_none());
    }
}

#[test]
fn rule_06_the_later_epoch_wins() {
    let later = Decision {
        epoch: 1,
        ..counter(1, 1)
    };
    assert!(counter(9, 9).after(&later).is_none());
    assert_eq!(later.after(&counter(9, 9)).unwrap().epoch, 1);
}

#[test]
fn rule_12_an_entry_past_its_end_yields_to_any_later_call() {
    let entry = counter(0, 9);
    assert_eq!(counter(60, 8).after(&entry).unwrap().value, 60);
    assert_eq!(counter(59, 8).after(&entry).unwrap().value, 0);
}

#[test]
fn rule_06_an_early_number_does_not_cover_a_later_call() {
    let number = |began, n| answer(began, Some(revision(TransactionId(n))));
    // The earlier call cannot have seen what committed since, whatever its number.
    let next = number(9, 5).after(&number(3, 6)).unwrap();
    assert_eq!((next.value, next.fresh.any), (9, Some(second(9))));
    assert!(number(3, 6).after(&number(9, 5)).is_none());
}

prop_compose! {
    fn any_answer()(began in 0u64..50, kind in 0u8..10, a in 0u64..4, b in 0u64..4, head: bool) -> Decision<u64> {
        let at = (kind > 0).then(|| revision(Pair(a, b)));
        Decision { fresh: Instants::at(second(began), head), ..answer(began, at) }
    }
}

proptest! {
    /// Whatever arrives in whatever order, an entry only moves on.
    #[test]
    fn rule_06_a_sequence_of_answers_never_goes_back(answers in prop::collection::vec(any_answer(), 1..12)) {
        let mut entry = answers[0].clone();
        for new in &answers[1..] {
            let Some(next) = new.clone().after(&entry) else { continue };
            let went_back = next.label() < entry.label() && next.label().is_some() && entry.label().is_some();
            prop_assert!(!went_back, "{entry:?} gave way to {next:?}");
            if next.value == entry.value {
                prop_assert_eq!(next.expires, entry.expires, "a renewal extended the hard end");
                prop_assert!(next.fresh.any >= entry.fresh.any);
            } else {
                prop_assert_eq!(next.expires, new.expires);
            }
            entry = next;
        }
    }

    /// In a total order, what is left depends on what arrived and not on when.
    #[test]
    fn rule_06_the_order_of_arrival_does_not_matter(
        answers in prop::collection::vec((0u64..50, 0u64..5), 1..8),
        seed: prop::sample::Index,
    ) {
        let fold = |answers: &[(u64, u64)]| {
            let mut arrived = answers.iter().map(|(began, n)| counter(*began, *n));
            let first = arrived.next().unwrap();
            let last = arrived.fold(first, |entry, new| new.after(&entry).unwrap_or(entry));
            (last.value, last.label().cloned(), last.fresh.any, last.expires)
        };
        let mut shuffled = answers.clone();
        shuffled.rotate_left(seed.index(answers.len()));
        shuffled.reverse();
        prop_assert_eq!(fold(&answers), fold(&shuffled));
        let newest = answers.iter().map(|(began, n)| (*n, *began)).max().unwrap();
        let (value, label, as_of, _) = fold(&answers);
        prop_assert_eq!((label, value), (Some(revision(Counter(newest.0))), newest.1));
        prop_assert_eq!(as_of, answers.iter().map(|(began, _)| second(*began)).max());
    }
}
