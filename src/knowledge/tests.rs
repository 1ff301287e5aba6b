use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, advance};

use super::*;
use crate::consistency::Staleness;
use crate::revision::{Counter, Point};

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

fn at(n: u64) -> Revision {
    Revision::new(StoreId::new(["test"]), Counter(n))
}

fn pair(a: u64, b: u64) -> Revision {
    Revision::new(StoreId::new(["test"]), Pair(a, b))
}

fn elsewhere(n: u64) -> Revision {
    Revision::new(StoreId::new(["another"]), Counter(n))
}

const LAG: Duration = Duration::from_millis(500);
const PROBES: Duration = Duration::from_millis(100);

fn trust(quantizes: bool) -> Arc<Trust> {
    trust_in(Habits {
        quantizes,
        newest_head: true,
        head_lag: LAG,
        reads_exactly: false,
    })
}

fn trust_in(habits: Habits) -> Arc<Trust> {
    let window = Window::new(Duration::from_secs(5), Staleness::percent(0));
    Arc::new(Trust::new(&window, PROBES, None, habits))
}

fn learn(trust: &Trust, revision: &Revision, source: Source) -> bool {
    trust.learn(&trust.begin(), revision, source)
}

fn window(trust: &Trust) -> Option<Revision> {
    trust.window(Instant::now()).map(|window| window.revision)
}

#[tokio::test(start_paused = true)]
async fn rule_08_what_the_store_said_covers_what_is_trusted() {
    let trust = trust(true);
    assert_eq!(trust.standing(&at(0)), Standing::Unproven);
    for (n, source) in [(3, Source::Write), (5, Source::Unasked), (7, Source::Head)] {
        assert_eq!(trust.standing(&at(n)), Standing::Unproven);
        assert!(learn(&trust, &at(n), source));
        assert_eq!(trust.standing(&at(n)), Standing::Trusted);
        assert_eq!(trust.standing(&at(n - 1)), Standing::Trusted);
        assert_eq!(trust.standing(&at(n + 1)), Standing::Unproven);
        assert_eq!(trust.standing(&elsewhere(0)), Standing::Foreign);
        assert_eq!(trust.head(), Some(at(n)));
    }
    assert!(
        learn(&trust, &at(1), Source::Unasked),
        "a lagging replica is no other store"
    );
    assert_eq!(trust.head(), Some(at(7)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_incomparable_revisions_are_trusted_beside_each_other_up_to_a_limit() {
    let trust = trust(true);
    for n in 0..40 {
        assert!(learn(&trust, &pair(n, 40 - n), Source::Write));
    }
    assert_eq!(trust.head(), None);
    assert_eq!(trust.state().trusted.len(), MAX_TRUSTED);
    assert_eq!(trust.standing(&pair(39, 1)), Standing::Trusted);
    assert_eq!(trust.standing(&pair(39, 2)), Standing::Unproven);
    assert_eq!(trust.standing(&pair(0, 40)), Standing::Unproven, "forgotten");
    assert!(learn(&trust, &pair(40, 40), Source::Head));
    assert_eq!(trust.head(), Some(pair(40, 40)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_another_identity_begins_an_epoch_and_ends_all_trust() {
    for source in [Source::Write, Source::Unasked, Source::Head] {
        let trust = trust(false);
        learn(&trust, &at(5), Source::Unasked);
        let before = trust.begin();
        assert!(!learn(&trust, &elsewhere(1), source));
        assert_eq!((trust.epoch(), window(&trust)), (1, None));
        assert_eq!(trust.standing(&at(5)), Standing::Foreign);
        assert_eq!(trust.standing(&elsewhere(1)), Standing::Trusted);
        assert!(!trust.learn(&before, &at(6), Source::Write), "from before the epoch");
        assert_eq!((trust.epoch(), trust.head()), (1, Some(elsewhere(1))));
        assert!(learn(&trust, &elsewhere(2), source));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_head_below_what_was_trusted_before_its_call_begins_an_epoch() {
    let trust = trust(false);
    learn(&trust, &at(5), Source::Write);
    let early = trust.begin();
    learn(&trust, &at(7), Source::Write);
    assert!(trust.learn(&early, &at(6), Source::Head), "7 was not known yet");
    assert_eq!((trust.epoch(), trust.head()), (0, Some(at(7))));
    assert!(learn(&trust, &at(1), Source::Unasked));
    advance(LAG).await;
    assert!(!learn(&trust, &at(6), Source::Head));
    assert_eq!((trust.epoch(), trust.head()), (1, Some(at(6))));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_head_that_cannot_be_compared_begins_an_epoch() {
    let trust = trust(false);
    learn(&trust, &pair(2, 1), Source::Write);
    advance(LAG).await;
    assert!(!learn(&trust, &pair(1, 2), Source::Head));
    assert_eq!(trust.epoch(), 1);
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_told_reply_teaches_nothing_but_that_the_store_was_replaced() {
    let trust = trust(false);
    let start = trust.begin();
    assert!(trust.notice(&start, &elsewhere(1), &at(1)), "no identity is known yet");
    learn(&trust, &at(5), Source::Write);
    let start = trust.begin();
    for (told, borne) in [
        (at(5), at(9)),
        (elsewhere(9), elsewhere(9)),
        (elsewhere(9), elsewhere(10)),
        (elsewhere(9), at(9)),
    ] {
        assert!(trust.notice(&start, &told, &borne), "{told:?} {borne:?}");
        assert_eq!((trust.epoch(), trust.head(), window(&trust)), (0, Some(at(5)), None));
    }
    assert!(!trust.notice(&start, &at(5), &elsewhere(9)));
    assert_eq!((trust.epoch(), trust.head()), (1, None));
    assert!(!trust.notice(&start, &at(5), &at(5)), "from before the epoch");
    assert_eq!(trust.standing(&at(5)), Standing::Foreign);
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_reset_forgets_the_store_and_a_schema_change_does_not() {
    let trust = trust(false);
    learn(&trust, &at(5), Source::Unasked);
    trust.end_spans();
    assert_eq!((trust.epoch(), trust.head(), window(&trust)), (1, Some(at(5)), None));
    let before = trust.begin();
    trust.reset();
    assert_eq!((trust.epoch(), trust.head()), (2, None));
    assert_eq!(trust.standing(&elsewhere(1)), Standing::Unproven);
    assert!(!trust.learn(&before, &at(9), Source::Head));
    assert_eq!(trust.head(), None);
}

#[tokio::test(start_paused = true)]
async fn rule_05_a_call_trusts_only_what_was_trusted_when_it_began() {
    let trust = trust(false);
    learn(&trust, &at(5), Source::Write);
    let start = trust.begin();
    learn(&trust, &at(9), Source::Write);
    assert!(start.trusts(&at(5)) && !start.trusts(&at(6)) && !start.trusts(&elsewhere(0)));
}

#[tokio::test(start_paused = true)]
async fn rule_05_the_label_of_each_case() {
    let trust = trust(false);
    learn(&trust, &at(5), Source::Write);
    let start = trust.begin();
    for (told, borne, expected) in [
        (None, None, None),
        (None, Some(9), Some(9)),
        // Strictly above what was told: the upstream chose it.
        (Some(4), Some(9), Some(9)),
        (Some(7), Some(9), Some(9)),
        // An echo, or less: only what was trusted before.
        (Some(5), Some(5), Some(5)),
        (Some(7), Some(7), None),
        (Some(7), Some(6), None),
        (Some(7), Some(5), Some(5)),
        // The reply names none.
        (Some(5), None, Some(5)),
        (Some(6), None, None),
    ] {
        let (told, borne) = (told.map(at), borne.map(at));
        assert_eq!(
            label(told.as_ref(), borne.as_ref(), &start),
            expected.map(at),
            "told {told:?}, borne {borne:?}"
        );
    }
    assert_eq!(label(Some(&at(5)), Some(&elsewhere(9)), &start), None);
    assert_eq!(label(Some(&pair(5, 0)), Some(&pair(0, 9)), &start), None);
}

#[tokio::test(start_paused = true)]
async fn the_first_unasked_revision_in_a_window_is_its_revision() {
    let trust = trust(true);
    learn(&trust, &at(3), Source::Write);
    assert_eq!(window(&trust), None, "never a write's");
    learn(&trust, &at(4), Source::Head);
    assert_eq!(window(&trust), None, "nor a head's where the store quantizes");
    let slow = trust.begin();
    advance(Duration::from_secs(1)).await;
    let start = trust.begin();
    trust.learn(&start, &at(5), Source::Unasked);
    learn(&trust, &at(6), Source::Unasked);
    let current = trust.window(Instant::now()).unwrap();
    assert_eq!((current.revision, current.as_of), (at(5), start.began));

    advance(Duration::from_millis(3999)).await;
    assert_eq!(window(&trust), Some(at(5)));
    advance(Duration::from_millis(1)).await;
    assert_eq!(window(&trust), None);
    learn(&trust, &at(8), Source::Unasked);
    trust.learn(&slow, &at(7), Source::Unasked);
    assert_eq!(
        window(&trust),
        Some(at(8)),
        "a call from an earlier window comes too late"
    );
}

#[tokio::test(start_paused = true)]
async fn a_head_is_the_windows_revision_where_the_store_does_not_quantize() {
    let trust = trust(false);
    learn(&trust, &at(4), Source::Head);
    assert_eq!(window(&trust), Some(at(4)));
}

#[tokio::test(start_paused = true)]
async fn a_windows_revision_that_failed_is_dropped() {
    let trust = trust(true);
    learn(&trust, &at(5), Source::Unasked);
    trust.drop_window(&at(4));
    assert_eq!(window(&trust), Some(at(5)));
    trust.drop_window(&at(5));
    assert_eq!(window(&trust), None);
}

#[tokio::test(start_paused = true)]
async fn rule_15_one_probe_at_a_time_and_one_in_an_interval() {
    let trust = trust(false);
    let turn = || trust.probe(Instant::now());
    let ProbeTurn::Lead(probing) = turn() else {
        panic!("the first leads")
    };
    advance(PROBES * 3).await;
    let ProbeTurn::Wait(mut ended) = turn() else {
        panic!("the second waits, however long the first takes")
    };
    assert!(!*ended.borrow());
    drop(probing);
    assert!(*ended.wait_for(|ended| *ended).await.unwrap());
    let ProbeTurn::Lead(probing) = turn() else {
        panic!("an interval has passed since the first began")
    };
    drop(probing);
    advance(PROBES - Duration::from_millis(1)).await;
    assert!(matches!(turn(), ProbeTurn::TooSoon));
    advance(Duration::from_millis(1)).await;
    assert!(matches!(turn(), ProbeTurn::Lead(_)));
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_probe_ends_when_its_leader_panics() {
    let trust = trust(false);
    let ProbeTurn::Lead(probing) = trust.probe(Instant::now()) else {
        panic!("the first leads")
    };
    let ProbeTurn::Wait(mut ended) = trust.probe(Instant::now()) else {
        panic!("the second waits")
    };
    let leader = tokio::spawn(async move {
        let _probing = probing;
        panic!("as a test wants it to");
    });
    assert!(leader.await.is_err());
    assert!(ended.wait_for(|ended| *ended).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_head_may_be_late_but_not_by_more_than_its_lag() {
    let trust = trust(true);
    assert!(learn(&trust, &at(9), Source::Write));
    advance(LAG - Duration::from_millis(1)).await;
    let before = trust.begin();
    assert!(learn(&trust, &at(8), Source::Head), "what it lacks was not long known");
    assert_eq!((trust.epoch(), trust.head()), (0, Some(at(9))));
    advance(Duration::from_millis(1)).await;
    assert!(trust.learn(&before, &at(8), Source::Head), "nor when its call began");
    assert!(!learn(&trust, &at(8), Source::Head));
    assert_eq!((trust.epoch(), trust.head()), (1, Some(at(8))));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_head_that_is_only_the_last_write_restores_nothing() {
    let trust = trust_in(Habits {
        quantizes: true,
        newest_head: false,
        head_lag: Duration::ZERO,
        reads_exactly: false,
    });
    assert!(learn(&trust, &at(9), Source::Unasked));
    assert!(learn(&trust, &at(5), Source::Head));
    assert_eq!((trust.epoch(), trust.head()), (0, Some(at(9))));
}

#[tokio::test(start_paused = true)]
async fn rule_04_a_store_that_reads_just_what_it_is_told_is_asked_at_what_it_told_of_within_the_window() {
    let trust = trust_in(Habits {
        quantizes: false,
        newest_head: true,
        head_lag: LAG,
        reads_exactly: true,
    });
    let fresh = |floor: u64| trust.fresh(Some(&at(floor)), Instant::now());
    assert_eq!(trust.fresh(None, Instant::now()), None);

    learn(&trust, &at(3), Source::Write);
    learn(&trust, &at(5), Source::Write);
    assert_eq!(fresh(2), Some(at(3)), "the window's is what many share");
    assert_eq!(fresh(4), Some(at(5)), "it does not cover this");
    assert_eq!(fresh(6), None);

    advance(Duration::from_secs(4)).await;
    learn(&trust, &at(6), Source::Feed);
    assert_eq!(fresh(4), Some(at(6)), "it is as fresh as what it covers");
    assert_eq!(fresh(6), Some(at(6)));
    advance(Duration::from_secs(2)).await;
    assert_eq!((fresh(2), fresh(6)), (None, None), "nothing was told within the window");
    assert_eq!(trust.standing(&at(6)), Standing::Trusted);

    learn(&trust, &at(7), Source::Feed);
    assert_eq!(
        (fresh(2), fresh(7)),
        (None, None),
        "how fresh it is, the feed does not say"
    );
    learn(&trust, &at(7), Source::Write);
    assert_eq!(
        fresh(7),
        Some(at(7)),
        "the write's own reply says it, even if it comes late"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_02_a_read_settles_once_more_is_known_than_it_may_see() {
    let trust = trust(false);
    assert!(!trust.settles(&at(3)));
    learn(&trust, &at(3), Source::Write);
    assert!(trust.settles(&at(3)) && trust.settles(&at(2)) && !trust.settles(&at(4)));
    let start = trust.begin();
    learn(&trust, &at(4), Source::Write);
    assert!(!start.settles(&at(4)), "it was not known when the call began");
}
