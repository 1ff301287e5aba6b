use std::sync::Arc;

use crate::changes::era::{Era, InForce, Memory};
use crate::changes::placed::Placed;
use crate::changes::relevance::Rules;
use crate::changes::{Change, Examined, Object, Question, Subject, Verdict};
use crate::revision::{PostgresSnapshot, Revision, StoreId};
use crate::schema::Schema;

const SCHEMA: &str = "
    definition user {}
    definition doc {
        relation reader: user
        relation banned: user
        relation guest: user
        permission view = (reader + guest) - (banned + guest)
    }
";

/// Sees everything below a number, without these.
fn without<const N: usize>(below: u64, unseen: [u64; N]) -> Revision {
    Revision::new(StoreId::new(["test"]), PostgresSnapshot::new(0, below, unseen).unwrap())
}

fn below(number: u64) -> Revision {
    without(number, [])
}

fn rules() -> InForce {
    InForce::Rules(Arc::new(Rules::new(&Schema::read(SCHEMA).unwrap())))
}

/// An era that begins where everything below 10 is seen, and whose schema is known there.
fn era() -> Arc<Era> {
    let memory = Memory {
        // So large that two names hardly ever meet in one place.
        stamps: 1 << 22,
        structure: 100,
    };
    let era = Arc::new(Era::new(below(10), 0, true, memory));
    assert_eq!(era.adopt(&rules(), &below(10)), Some(true));
    era
}

fn added(relation: &str, id: &str) -> Change {
    let user = Subject::of(Object::new("user", id));
    Change::added(Object::new("doc", "plan"), relation, user)
}

fn reader(id: &str) -> [Change; 1] {
    [added("reader", id)]
}

/// Whether Ann may view the plan, at this revision.
fn answered(verdict: Verdict, era: &Arc<Era>, at: &Revision) -> Placed {
    let ann = Subject::of(Object::new("user", "ann"));
    let question = Question::new(Object::new("doc", "plan"), "view", ann);
    Placed::at(era, at, Some(&question), verdict).unwrap()
}

fn answer(era: &Arc<Era>, at: &Revision) -> Placed {
    answered(Verdict::No, era, at)
}

#[test]
fn rule_13_an_answer_is_true_through_the_frontier_that_was_read_first() {
    let era = era();
    let answer = answer(&era, &below(10));
    let frontier = era.frontier();
    // Both happen while another task looks at the answer.
    era.changed(&below(11), &reader("bob"));
    era.checkpoint(&below(11));
    assert_eq!(answer.through_frontier(frontier, 0), Some(below(10)));
    assert_eq!(answer.through(0), Some(below(11)));
    let frontier = era.frontier();
    era.changed(&below(12), &reader("ann"));
    era.checkpoint(&below(12));
    assert_eq!(answer.through_frontier(frontier, 0), None);
}

#[test]
fn rule_13_a_change_that_came_before_its_checkpoint_ends_the_answer() {
    let era = era();
    let answer = answer(&era, &below(10));
    era.changed(&below(11), &reader("ann"));
    assert_eq!(answer.examine(0), Examined::Ended);
    assert_eq!(answer.through(0), None);
}

#[test]
fn rule_13_the_frontier_is_the_join_of_concurrent_checkpoints() {
    let era = era();
    let answer = answer(&era, &below(10));
    let (ten, eleven) = (without(12, [11]), without(12, [10]));
    era.changed(&ten, &reader("bob"));
    era.changed(&eleven, &reader("carl"));
    era.checkpoint(&ten);
    era.checkpoint(&eleven);
    assert_eq!(answer.through(0), Some(below(12)));
    assert!(!era.changed(&ten, &reader("bob")), "it is known");
    assert!(!era.changed(&eleven, &reader("carl")), "it is known");
}

#[test]
fn rule_13_a_revision_that_lacks_the_start_has_no_place() {
    let era = era();
    for lacks in [below(9), without(12, [4])] {
        assert!(era.place(&lacks).is_none(), "{lacks:?}");
    }
}

#[test]
fn rule_13_an_answer_ahead_of_the_feed_waits_for_it() {
    let era = era();
    // It sees 11, and not 10, which commits later.
    let answer = answer(&era, &without(12, [10]));
    era.changed(&without(12, [10]), &reader("bob"));
    assert_eq!(answer.examine(0), Examined::Stays);
    assert_eq!(answer.through(0), None);
    era.checkpoint(&without(12, [10]));
    assert_eq!(answer.through(0), Some(without(12, [10])));
    era.changed(&without(11, []), &reader("ann"));
    assert_eq!(answer.examine(0), Examined::Ended);
}

#[test]
fn rule_13_a_change_below_one_that_is_seen_is_not_skipped() {
    let era = era();
    // 10 is reported first; the answer sees 11 alone.
    let answer = answer(&era, &without(12, [10]));
    era.changed(&below(11), &reader("ann"));
    era.changed(&without(12, [10]), &reader("bob"));
    assert_eq!(answer.examine(0), Examined::Ended);
}

#[test]
fn rule_13_a_schema_is_in_force_where_the_frontier_shows_it() {
    let era = era();
    era.schema_changed(&below(11));
    assert!(!era.is_ready());
    era.checkpoint(&below(11));
    assert_eq!(era.adopt(&rules(), &below(12)), None, "the feed has not come there");
    assert_eq!(era.adopt(&rules(), &below(10)), Some(false), "it has changed since");
    assert!(!era.is_ready());
    assert_eq!(era.adopt(&rules(), &below(11)), Some(true));
    assert!(era.is_ready());
}

#[test]
fn rule_13_an_era_that_has_ended_says_nothing() {
    let era = era();
    let placed = answer(&era, &below(10));
    assert_eq!(placed.examine(1), Examined::Unknown, "the store has another history");
    assert_eq!(placed.through(1), None);
    era.end();
    assert_eq!(placed.examine(0), Examined::Unknown);
    assert_eq!(placed.through(0), None);
}

#[test]
fn rule_13_adding_and_removing_end_the_answers_that_they_can_change() {
    let [yes, no] = [Verdict::Yes, Verdict::No];
    for (relation, adds, ended) in [
        ("reader", true, vec![no]),
        ("reader", false, vec![yes]),
        ("banned", true, vec![yes]),
        ("banned", false, vec![no]),
        ("guest", true, vec![yes, no]),
        ("guest", false, vec![yes, no]),
    ] {
        for verdict in [yes, no, Verdict::Unclear] {
            let era = era();
            let placed = answered(verdict, &era, &below(10));
            let mut change = added(relation, "ann");
            if !adds {
                change = Change::removed(change.resource, change.relation, change.subject);
            }
            era.changed(&below(11), &[change]);
            let is_ended = placed.examine(0) == Examined::Ended;
            let expected = verdict == Verdict::Unclear || ended.contains(&verdict);
            assert_eq!(is_ended, expected, "{relation} {adds} {verdict:?}");
        }
    }
}

#[test]
fn what_leads_on_is_read_where_the_frontier_sees_every_change() {
    let era = era();
    era.changed(&below(11), &reader("bob"));
    assert!(
        era.begin_structure(100).is_none(),
        "it would lack the change, or have it twice"
    );
    era.checkpoint(&below(11));
    let (structure, at) = era.begin_structure(100).unwrap();
    assert_eq!(at, below(11));
    structure.loaded();
    assert!(era.begin_structure(100).is_none(), "it is there");
    // By another schema, other relationships lead on.
    era.schema_changed(&below(12));
    era.checkpoint(&below(12));
    assert!(!era.is_structure_ready());
    assert!(era.begin_structure(100).is_none(), "the schema is not known");
    assert_eq!(era.adopt(&rules(), &below(12)), Some(true));
    let (structure, _) = era.begin_structure(100).unwrap();
    structure.loaded();
    assert!(era.is_structure_ready());
    era.anything_changed(&below(13));
    assert!(!era.is_structure_ready(), "it may lack what has changed");
}
