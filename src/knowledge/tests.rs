use std::time::Duration;

use tokio::time::{Instant, advance};

use super::*;
use crate::cache::Settings;
use crate::consistency::{Floor, Staleness};
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

const LAG: Duration = Duration::from_secs(5);
const PROBES: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

fn versioned() -> Arc<Knowledge> {
    knowing(Capabilities::versioned())
}

fn knowing(facts: Capabilities) -> Arc<Knowledge> {
    let settings = Settings::default()
        .window(SECOND * 5, Staleness::percent(0))
        .probe_interval(PROBES);
    Arc::new(Knowledge::new(&settings.knowledge(), facts))
}

fn learn(knowledge: &Knowledge, revision: &Revision, source: Source) -> bool {
    knowledge.learn(&knowledge.begin(), revision, source)
}

/// How old the newest watermark is that `revision` covers, in milliseconds.
fn age(knowledge: &Knowledge, revision: &Revision) -> Option<u128> {
    let now = Instant::now();
    let newest = knowledge.freshness(revision, now).any?;
    Some(now.saturating_duration_since(newest).as_millis())
}

fn shared(knowledge: &Knowledge, floor: &Revision) -> Option<Revision> {
    knowledge.shared(&Floor::now(floor.clone()).into(), Instant::now())
}

#[tokio::test(start_paused = true)]
async fn rule_08_only_an_equal_revision_is_named() {
    let knowledge = versioned();
    for (n, source) in [
        (3, Source::Write),
        (5, Source::Read),
        (7, Source::Head),
        (9, Source::Feed),
    ] {
        assert!(!knowledge.is_named(&at(n)) && !knowledge.has_passed(&at(n)));
        assert!(learn(&knowledge, &at(n), source));
        assert!(knowledge.is_named(&at(n)) && !knowledge.is_named(&at(n - 1)));
        assert!(knowledge.has_passed(&at(n - 1)) && !knowledge.has_passed(&at(n + 1)));
        assert!(knowledge.is_foreign(&elsewhere(0)));
        assert_eq!(knowledge.newest(), Some(at(n)));
    }
    assert!(
        learn(&knowledge, &at(1), Source::Read),
        "a lagging replica is no other store"
    );
    assert_eq!(knowledge.newest(), Some(at(9)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_join_of_named_revisions_is_named() {
    let knowledge = versioned();
    learn(&knowledge, &pair(3, 1), Source::Write);
    learn(&knowledge, &pair(1, 3), Source::Write);
    assert!(knowledge.is_named(&pair(3, 3)));
    assert!(!knowledge.is_named(&pair(3, 2)) && !knowledge.is_named(&pair(2, 1)) && !knowledge.is_named(&pair(4, 3)));
    let start = knowledge.begin();
    assert_eq!(
        knowledge.claim(Some(&pair(3, 3)), Some(&pair(3, 3)), &start),
        Claim::Named(pair(3, 3))
    );
}

#[tokio::test(start_paused = true)]
async fn rule_15_incomparable_and_named_revisions_are_limited() {
    let knowledge = versioned();
    for n in 0..40 {
        assert!(learn(&knowledge, &pair(n, 40 - n), Source::Write));
    }
    assert_eq!(knowledge.newest(), None);
    assert_eq!(knowledge.state().newest.len(), MOST_NEWEST);
    assert!(knowledge.has_passed(&pair(39, 1)) && !knowledge.has_passed(&pair(39, 2)));
    assert!(learn(&knowledge, &pair(40, 40), Source::Head));
    assert_eq!(knowledge.newest(), Some(pair(40, 40)));
    for n in 0..10_000 {
        learn(&knowledge, &at(n), Source::Write);
        advance(Duration::from_millis(7)).await;
    }
    assert!(knowledge.is_named(&at(9_000)) && !knowledge.is_named(&at(5_000)));
    let watermarks = knowledge.state().watermarks.revisions().count();
    assert!(watermarks <= 11, "{watermarks} watermarks of one source");
}

#[tokio::test(start_paused = true)]
async fn rule_08_another_store_identity_begins_an_epoch() {
    for source in [Source::Write, Source::Read, Source::Head] {
        let knowledge = versioned();
        learn(&knowledge, &at(5), Source::Read);
        let before = knowledge.begin();
        assert!(!learn(&knowledge, &elsewhere(1), source));
        assert_eq!((knowledge.epoch(), shared(&knowledge, &at(0))), (1, None));
        assert!(knowledge.is_foreign(&at(5)) && !knowledge.is_named(&at(5)) && knowledge.is_named(&elsewhere(1)));
        assert!(
            !knowledge.learn(&before, &at(6), Source::Write),
            "from before the epoch"
        );
        assert_eq!((knowledge.epoch(), knowledge.newest()), (1, Some(elsewhere(1))));
        assert!(learn(&knowledge, &elsewhere(2), source));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_second_head_behind_begins_an_epoch() {
    for (known, head) in [(at(9), at(8)), (pair(2, 1), pair(1, 2))] {
        let knowledge = versioned();
        let early = knowledge.begin();
        assert!(learn(&knowledge, &known, Source::Write));
        assert!(
            knowledge.learn(&early, &head, Source::Head),
            "it was not known when the call began"
        );
        assert!(!knowledge.is_behind());
        assert!(learn(&knowledge, &head, Source::Head) && knowledge.is_behind());
        advance(LAG - Duration::from_millis(1)).await;
        assert!(learn(&knowledge, &head, Source::Head), "heads may lag");
        advance(Duration::from_millis(1)).await;
        assert!(!learn(&knowledge, &head, Source::Head));
        assert_eq!((knowledge.epoch(), knowledge.newest()), (1, Some(head)));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_no_watermark_while_heads_lack_what_was_known() {
    let knowledge = versioned();
    learn(&knowledge, &at(9), Source::Write);
    advance(SECOND).await;
    learn(&knowledge, &at(8), Source::Head);
    learn(&knowledge, &at(10), Source::Read);
    learn(&knowledge, &at(11), Source::Write);
    assert_eq!(age(&knowledge, &at(8)), None);
    assert_eq!(age(&knowledge, &at(11)), Some(1000), "as old as the first write");
    learn(&knowledge, &at(11), Source::Head);
    assert!(!knowledge.is_behind());
    assert_eq!(age(&knowledge, &at(11)), Some(0));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_head_that_may_trail_begins_no_epoch() {
    let knowledge = knowing(Capabilities {
        head_may_trail_reads: true,
        ..Capabilities::versioned()
    });
    learn(&knowledge, &at(9), Source::Read);
    for _ in 0..3 {
        assert!(learn(&knowledge, &at(5), Source::Head));
        advance(LAG).await;
    }
    assert_eq!((knowledge.epoch(), knowledge.newest()), (0, Some(at(9))));
}

#[tokio::test(start_paused = true)]
async fn rule_08_an_echoed_revision_confirms_only_the_store() {
    let knowledge = versioned();
    let start = knowledge.begin();
    assert!(
        knowledge.notice(&start, &elsewhere(1), &at(1)),
        "no identity is known yet"
    );
    learn(&knowledge, &at(5), Source::Write);
    let start = knowledge.begin();
    for (asked, replied, same) in [
        (at(6), at(6), true),
        (at(9), at(8), true),
        (elsewhere(9), elsewhere(9), false),
        (elsewhere(9), at(9), true),
    ] {
        assert_eq!(
            knowledge.learn_at_least(&start, &asked, &replied),
            same,
            "{asked:?} {replied:?}"
        );
        assert_eq!((knowledge.epoch(), knowledge.newest()), (0, Some(at(5))));
    }
    assert!(!knowledge.notice(&start, &at(5), &elsewhere(9)));
    assert_eq!((knowledge.epoch(), knowledge.newest()), (1, None));
    assert!(!knowledge.notice(&start, &at(5), &at(5)), "from before the epoch");
    assert!(knowledge.is_foreign(&at(5)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_reset_forgets_the_store_a_schema_change_keeps_it() {
    let knowledge = versioned();
    learn(&knowledge, &at(5), Source::Read);
    knowledge.end_answers();
    assert_eq!((knowledge.epoch(), knowledge.newest()), (1, Some(at(5))));
    assert!(knowledge.is_named(&at(5)));
    let before = knowledge.begin();
    knowledge.reset();
    assert_eq!((knowledge.epoch(), knowledge.newest()), (2, None));
    assert!(!knowledge.is_foreign(&elsewhere(1)));
    assert!(!knowledge.learn(&before, &at(9), Source::Head));
    assert_eq!(knowledge.newest(), None);
}

#[tokio::test(start_paused = true)]
async fn rule_05_what_an_answer_may_claim_in_each_case() {
    let knowledge = versioned();
    learn(&knowledge, &at(5), Source::Write);
    let start = knowledge.begin();
    learn(&knowledge, &at(6), Source::Write);
    for (asked, replied, expected) in [
        (None, None, None),
        (None, Some(9), Some(9)),
        // Strictly above what was asked for: the store chose it.
        (Some(4), Some(9), Some(9)),
        (Some(7), Some(9), Some(9)),
        // The same, or less: only what was named before the call began.
        (Some(5), Some(5), Some(5)),
        (Some(6), Some(6), None),
        (Some(7), Some(7), None),
        (Some(4), Some(4), None),
        (Some(7), Some(6), None),
        (Some(7), Some(5), Some(5)),
        // The reply names none.
        (Some(5), None, Some(5)),
        (Some(6), None, None),
        (Some(4), None, None),
    ] {
        let (asked, replied) = (asked.map(at), replied.map(at));
        let claim = knowledge.claim(asked.as_ref(), replied.as_ref(), &start);
        let expected = expected.map_or(Claim::None, |n| Claim::Named(at(n)));
        assert_eq!(claim, expected, "asked {asked:?}, replied {replied:?}");
    }
    assert_eq!(knowledge.claim(Some(&at(5)), Some(&elsewhere(9)), &start), Claim::None);
    assert_eq!(
        knowledge.claim(Some(&pair(5, 0)), Some(&pair(0, 9)), &start),
        Claim::None
    );

    let exact = |asked, replied: Option<u64>| knowledge.claim_exact(&at(asked), replied.map(at).as_ref(), &start);
    assert_eq!(exact(5, Some(5)), Claim::Named(at(5)));
    assert_eq!(exact(4, Some(4)), Claim::Settled(at(4)));
    assert_eq!(exact(4, None), Claim::Settled(at(4)));
    assert_eq!((exact(6, Some(6)), exact(5, Some(6))), (Claim::None, Claim::None));
}

#[tokio::test(start_paused = true)]
async fn rule_05_a_store_that_reads_current_names_an_echo() {
    let knowledge = knowing(Capabilities {
        read_mode: ReadMode::Current,
        ..Capabilities::versioned()
    });
    let start = knowledge.begin();
    assert_eq!(knowledge.claim(Some(&at(7)), Some(&at(7)), &start), Claim::Named(at(7)));
    assert!(knowledge.learn_at_least(&start, &at(7), &at(7)));
    assert_eq!(age(&knowledge, &at(7)), Some(0));
}

#[tokio::test(start_paused = true)]
async fn rule_04_which_replies_make_a_watermark() {
    let knowledge = versioned();
    let start = knowledge.begin();
    advance(SECOND).await;
    knowledge.learn(&start, &at(5), Source::Read);
    assert_eq!(age(&knowledge, &at(5)), Some(1000), "counted from the call's start");
    assert_eq!(age(&knowledge, &at(4)), None);

    learn(&knowledge, &at(6), Source::Feed);
    assert_eq!(
        age(&knowledge, &at(6)),
        Some(1000),
        "a feed does not say how fresh it is"
    );
    learn(&knowledge, &at(7), Source::Write);
    assert_eq!(age(&knowledge, &at(7)), Some(0));

    let knowledge = knowing(Capabilities::unknown());
    learn(&knowledge, &at(7), Source::Write);
    assert_eq!(
        age(&knowledge, &at(7)),
        None,
        "this store's writes may lack earlier ones"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_04_in_a_partial_order_an_echo_renews_no_watermark() {
    for (asked, above, total) in [(at(5), at(6), true), (pair(5, 5), pair(6, 5), false)] {
        let knowledge = versioned();
        learn(&knowledge, &asked, Source::Read);
        advance(SECOND).await;
        knowledge.learn_at_least(&knowledge.begin(), &asked, &asked);
        assert_eq!(age(&knowledge, &asked), Some(if total { 0 } else { 1000 }));
        knowledge.learn_at_least(&knowledge.begin(), &asked, &above);
        assert_eq!(age(&knowledge, &above), Some(0), "the store chose it");
        knowledge.notice(&knowledge.begin(), &asked, &asked);
    }
    let knowledge = versioned();
    knowledge.learn_at_least(&knowledge.begin(), &at(5), &at(5));
    assert_eq!(age(&knowledge, &at(5)), None, "it was not named before");
}

#[tokio::test(start_paused = true)]
async fn rule_04_unrepeatable_watermarks_cover_only_later_calls() {
    let knowledge = knowing(Capabilities::unknown());
    let earlier = Instant::now();
    advance(SECOND).await;
    learn(&knowledge, &at(5), Source::Read);
    assert_eq!(knowledge.freshness(&at(5), earlier).any, None);
    assert_eq!(knowledge.freshness(&at(6), Instant::now()).any, Some(Instant::now()));
    assert_eq!(versioned().freshness(&at(5), earlier).any, None);
}

#[tokio::test(start_paused = true)]
async fn reads_of_a_window_share_its_first_default_read() {
    let knowledge = versioned();
    learn(&knowledge, &at(3), Source::Write);
    assert_eq!(shared(&knowledge, &at(1)), Some(at(3)), "a write's alone covers it");
    let slow = knowledge.begin();
    advance(SECOND).await;
    learn(&knowledge, &at(5), Source::Read);
    learn(&knowledge, &at(6), Source::Read);
    assert_eq!(shared(&knowledge, &at(1)), Some(at(5)));
    assert_eq!(shared(&knowledge, &at(6)), Some(at(6)));
    assert_eq!(shared(&knowledge, &at(7)), None);

    advance(Duration::from_millis(3999)).await;
    assert_eq!(shared(&knowledge, &at(1)), Some(at(5)));
    advance(Duration::from_millis(1)).await;
    assert_eq!(shared(&knowledge, &at(1)), None, "another window");
    assert!(knowledge.is_named_and_fresh(&at(5), Instant::now()));
    learn(&knowledge, &at(8), Source::Read);
    knowledge.learn(&slow, &at(7), Source::Read);
    assert_eq!(
        shared(&knowledge, &at(1)),
        Some(at(8)),
        "a call from an earlier window comes too late"
    );
    advance(SECOND * 6).await;
    assert!(!knowledge.is_named_and_fresh(&at(8), Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn a_shared_revision_that_the_store_rejected_is_forgotten() {
    let knowledge = versioned();
    learn(&knowledge, &at(5), Source::Read);
    knowledge.forget_shared(&at(4));
    assert_eq!(shared(&knowledge, &at(5)), Some(at(5)));
    knowledge.forget_shared(&at(5));
    assert_eq!(shared(&knowledge, &at(5)), None);
}

#[tokio::test(start_paused = true)]
async fn a_revision_covered_long_ago_is_old() {
    let hour = SECOND * 3600;
    let settings = Settings {
        token_age: Some(hour),
        ..Settings::default()
    };
    let knowledge = Knowledge::new(&settings.knowledge(), Capabilities::versioned());
    let is_old = |n| knowledge.is_old(&at(n), Instant::now());
    for minute in 0..600 {
        learn(
            &knowledge,
            &at(minute),
            if minute % 2 == 0 { Source::Write } else { Source::Feed },
        );
        advance(SECOND * 60).await;
    }
    assert!(is_old(530), "seventy minutes old");
    assert!(!is_old(541), "fifty-nine minutes old");
    assert!(!is_old(1000), "nothing says how old it is");
    assert!(knowledge.state().watermarks.revisions().count() < 16);
    assert!(
        !versioned().is_old(&at(1), Instant::now()),
        "without a limit nothing is old"
    );
}

#[tokio::test(start_paused = true)]
async fn one_background_read_is_due_at_half_the_age_bound() {
    let knowledge = versioned();
    let wants = || knowledge.wants_background_read(Instant::now());
    learn(&knowledge, &at(5), Source::Read);
    advance(Duration::from_millis(2500)).await;
    assert!(!wants());
    advance(Duration::from_millis(1)).await;
    assert!(wants() && !wants(), "it is one caller's to make");
    advance(Duration::from_millis(1250)).await;
    assert!(wants(), "the first one failed");
    learn(&knowledge, &at(5), Source::Read);
    advance(Duration::from_millis(2000)).await;
    assert!(!wants());
    assert!(!knowing(Capabilities::unversioned()).wants_background_read(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn rule_15_one_probe_at_a_time_one_success_per_interval() {
    let knowledge = versioned();
    let turn = || knowledge.probe(Instant::now());
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
    let ProbeTurn::Lead(mut probing) = turn() else {
        panic!("the first failed, and a failed one uses up nothing")
    };
    probing.succeeded();
    drop(probing);
    advance(PROBES - Duration::from_millis(1)).await;
    assert!(matches!(turn(), ProbeTurn::TooSoon));
    advance(Duration::from_millis(1)).await;
    assert!(matches!(turn(), ProbeTurn::Lead(_)));
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_probe_ends_when_its_leader_panics() {
    let knowledge = versioned();
    let ProbeTurn::Lead(probing) = knowledge.probe(Instant::now()) else {
        panic!("the first leads")
    };
    let ProbeTurn::Wait(mut ended) = knowledge.probe(Instant::now()) else {
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
async fn rule_02_a_read_settles_once_it_is_covered_when_it_begins() {
    let knowledge = versioned();
    assert!(!knowledge.settles(&at(3)));
    learn(&knowledge, &at(3), Source::Write);
    assert!(knowledge.settles(&at(3)) && knowledge.settles(&at(2)) && !knowledge.settles(&at(4)));
    let start = knowledge.begin();
    learn(&knowledge, &at(4), Source::Write);
    assert!(!start.settles(&at(4)), "it was not known when the call began");
}

/// Long before this process began.
const ONCE: u64 = 1_700_000_000;

#[tokio::test(start_paused = true)]
async fn rule_08_a_vouched_revision_is_named_and_nothing_else() {
    let knowledge = versioned();
    assert!(!knowledge.vouch(&at(9), ONCE, 30), "no store is known yet");
    learn(&knowledge, &at(5), Source::Read);
    assert!(!knowledge.vouch(&elsewhere(9), ONCE, 30));
    assert!(!knowledge.is_named(&at(9)));
    let before = knowledge.begin();
    assert!(knowledge.vouch(&at(9), ONCE, 30));
    assert!(knowledge.is_named(&at(9)) && !knowledge.is_named(&at(8)));
    assert!(
        knowledge.is_named_and_fresh(&at(9), Instant::now()),
        "it covers the watermark of 5"
    );
    assert_eq!(knowledge.named_at(&at(9)), Some(ONCE));
    // It was not named when earlier calls began.
    assert!(!knowledge.named_before(&at(9), &before) && knowledge.named_before(&at(9), &knowledge.begin()));
    assert!(!knowledge.has_passed(&at(8)) && !knowledge.settles(&at(9)));
    assert_eq!((knowledge.newest(), shared(&knowledge, &at(9))), (Some(at(5)), None));
    advance(SECOND * 6).await;
    assert!(
        !knowledge.is_named_and_fresh(&at(9), Instant::now()),
        "it makes no watermark"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_repeated_vouched_revision_makes_no_watermark() {
    let knowledge = versioned();
    learn(&knowledge, &at(5), Source::Read);
    advance(SECOND).await;
    knowledge.vouch(&at(9), ONCE, 30);
    let start = knowledge.begin();
    assert!(knowledge.learn_at_least(&start, &at(9), &at(9)));
    assert_eq!((age(&knowledge, &at(9)), knowledge.newest()), (Some(1000), Some(at(5))));
    assert_eq!(knowledge.claim(Some(&at(9)), Some(&at(9)), &start), Claim::Named(at(9)));
    // What the store chose above it, it has named itself.
    assert!(knowledge.learn_at_least(&start, &at(9), &at(10)));
    assert_eq!(knowledge.newest(), Some(at(10)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_vouched_revision_ends_no_epoch() {
    // Another node has written what this node's heads lack.
    let knowledge = versioned();
    learn(&knowledge, &pair(1, 5), Source::Head);
    let epoch = knowledge.epoch();
    knowledge.vouch(&pair(9, 1), ONCE, 30);
    for _ in 0..5 {
        assert!(learn(&knowledge, &pair(1, 6), Source::Head));
        assert!(!knowledge.is_behind());
        advance(LAG * 2).await;
    }
    assert_eq!(knowledge.epoch(), epoch);
    assert!(knowledge.is_named(&pair(9, 1)));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_lost_history_is_not_vouched_for() {
    let knowledge = versioned();
    learn(&knowledge, &at(9), Source::Head);
    for _ in 0..2 {
        learn(&knowledge, &at(4), Source::Head);
        advance(LAG + SECOND).await;
    }
    assert!(!knowledge.is_named(&at(9)), "the store was restored");
    let now = crate::token::unix_seconds(std::time::SystemTime::now());
    for (revision, issued) in [
        (at(7), now + 3600),
        (at(9), now + 3600),
        (at(20), now),
        (at(20), now + 29),
    ] {
        assert!(
            knowledge.vouch(&revision, issued, 30),
            "there is nothing more to learn of it"
        );
        assert!(!knowledge.is_named(&revision), "{revision:?}");
    }
    knowledge.vouch(&at(20), now + 3600, 30);
    assert!(knowledge.is_named(&at(20)));
    knowledge.reset();
    assert!(!knowledge.is_named(&at(20)));
}

#[tokio::test(start_paused = true)]
async fn rule_15_vouched_revisions_are_limited_and_displace_no_others() {
    let knowledge = versioned();
    learn(&knowledge, &at(1), Source::Read);
    for n in 10..20_000 {
        knowledge.vouch(&at(n), ONCE, 30);
    }
    assert!(knowledge.is_named(&at(1)) && knowledge.is_named(&at(19_999)) && !knowledge.is_named(&at(10)));
}
