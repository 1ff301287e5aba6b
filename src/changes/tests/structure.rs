use std::sync::Arc;

use crate::changes::era::{Era, InForce, Memory};
use crate::changes::placed::Placed;
use crate::changes::relevance::Rules;
use crate::changes::{Change, Examined, Object, Question, Subject, Verdict};
use crate::revision::{Counter, Revision, StoreId};
use crate::schema::Schema;

const SCHEMA: &str = "
    definition user {}
    definition team { relation direct: user | team#member permission member = direct }
    definition repo { relation writer: user | team#member permission push = writer }";

fn at(n: u64) -> Revision {
    Revision::new(StoreId::new(["test"]), Counter(n))
}

/// An era whose schema and relationships are known at revision 1.
fn era(relationships: &[Change]) -> Arc<Era> {
    let memory = Memory {
        // So large that two names hardly ever meet in one place.
        stamps: 1 << 22,
        structure: 1000,
    };
    let era = Arc::new(Era::new(at(1), 0, true, memory));
    let rules = Rules::new(&Schema::read(SCHEMA).unwrap());
    assert_eq!(era.adopt(&InForce::Rules(Arc::new(rules)), &at(1)), Some(true));
    let (structure, _) = era.begin_structure(1000).unwrap();
    relationships
        .iter()
        .for_each(|relationship| structure.load(relationship));
    structure.loaded();
    era
}

/// The relationships change at revision `n`, and the feed has reported everything up to there.
fn change(era: &Era, n: u64, change: Change) {
    assert!(era.changed(&at(n), &[change]));
    era.checkpoint(&at(n));
}

fn user(id: &str) -> Subject {
    Subject::of(Object::new("user", id))
}

fn members(team: &str) -> Subject {
    Subject::userset(Object::new("team", team), "member")
}

fn writer(subject: Subject) -> Change {
    Change::added(Object::new("repo", "r"), "writer", subject)
}

fn direct(team: &str, subject: Subject) -> Change {
    Change::added(Object::new("team", team), "direct", subject)
}

fn removed(change: Change) -> Change {
    Change::removed(change.resource, change.relation, change.subject)
}

/// Whether u may push to r, answered at revision `n`.
fn answer(era: &Arc<Era>, n: u64, verdict: Verdict) -> Placed {
    let question = Question::new(Object::new("repo", "r"), "push", user("u"));
    Placed::at(era, &at(n), Some(&question), verdict).unwrap()
}

#[test]
fn changes_of_what_the_resource_does_not_reach_spare_an_answer() {
    let era = era(&[writer(members("a")), direct("a", user("u"))]);
    let answer = answer(&era, 1, Verdict::Yes);
    change(&era, 2, removed(direct("other", user("u"))));
    change(&era, 3, removed(direct("other", members("more"))));
    assert_eq!(answer.examine(0), Examined::Stays);
    assert_eq!(answer.through(0), Some(at(3)));
    change(&era, 4, removed(direct("a", user("u"))));
    assert_eq!(answer.examine(0), Examined::Ended);
}

#[test]
fn what_only_confirms_an_answer_spares_it_later_too() {
    let era = era(&[writer(members("a")), direct("a", user("u"))]);
    let answer = answer(&era, 1, Verdict::Yes);
    // Another way to "yes". What happens behind it can't take the first one away.
    change(&era, 2, writer(members("b")));
    change(&era, 3, removed(direct("b", user("u"))));
    assert_eq!(answer.examine(0), Examined::Stays);
    change(&era, 4, removed(writer(members("a"))));
    assert_eq!(answer.examine(0), Examined::Ended);
}

#[test]
fn an_answer_that_came_another_way_is_not_spared() {
    let era = era(&[writer(members("a"))]);
    // The team was removed after the answer, and before anything looked at what it depends on.
    change(&era, 2, removed(writer(members("a"))));
    let answer = answer(&era, 1, Verdict::No);
    change(&era, 3, direct("a", user("u")));
    assert_eq!(answer.examine(0), Examined::Ended);
}

#[test]
fn an_answer_ahead_of_the_feed_is_walked_when_the_feed_has_come_there() {
    let era = era(&[]);
    // It saw the team that the feed reports only then.
    let answer = answer(&era, 2, Verdict::Yes);
    change(&era, 2, writer(members("a")));
    change(&era, 3, removed(direct("other", user("u"))));
    assert_eq!(answer.examine(0), Examined::Stays);
    change(&era, 4, removed(direct("a", user("u"))));
    assert_eq!(answer.examine(0), Examined::Ended);
}
