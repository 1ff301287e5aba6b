//! The checker finds each kind of violation, and reports nothing where there is no violation.

use super::evaluate::State;
use super::schema::Rules;
use super::*;

const SCHEMA: &str = "
    definition user {}
    definition team { relation lead: user relation direct: user | team#member permission member = direct + lead }
    // what is asked about
    definition doc {
        relation parent: doc
        relation reader: user | user:* | team#member
        relation banned: user
        permission view = reader - banned
        permission both = reader & banned
        permission inherited = view + parent->inherited
        permission none = nil
        permission grouped = (reader + banned) & (reader - banned)
    }";

fn tuple(text: &str) -> Tuple {
    let (resource, rest) = text.split_once('#').unwrap();
    let (relation, subject) = rest.split_once('@').unwrap();
    let [resource, relation, subject] = [resource, relation, subject].map(str::to_owned);
    Tuple {
        resource,
        relation,
        subject,
    }
}

fn question(text: &str) -> Arc<Question> {
    let Tuple {
        resource,
        relation: permission,
        subject,
    } = tuple(text);
    Arc::new(Question {
        resource,
        permission,
        subject,
    })
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn write(revision: u64, acknowledged: u64, exists: bool, text: &str) -> Write {
    Write {
        revision,
        acknowledged: seconds(acknowledged),
        changes: vec![Change {
            exists,
            tuple: tuple(text),
        }],
    }
}

/// Ada may view the plan at revision 2, and no longer at 3.
fn judge() -> Judge {
    let writes = vec![
        write(2, 10, true, "doc:plan#reader@user:ada"),
        write(3, 20, false, "doc:plan#reader@user:ada"),
    ];
    let bounds = Bounds {
        layer: seconds(5),
        store: seconds(0),
    };
    Judge::new(SCHEMA, writes, bounds).unwrap()
}

fn reply(sent: u64, revision: u64, said: bool) -> Reply {
    Reply {
        sent: seconds(sent),
        consistency: ConsistencyLevel::Any,
        tokens: Vec::new(),
        revision,
        decisions: vec![(question("doc:plan#view@user:ada"), said)],
        session: None,
        note: "".into(),
    }
}

fn found(replies: impl IntoIterator<Item = Reply>) -> Vec<Broken> {
    let violations = judge().judge(replies.into_iter().collect());
    violations.into_iter().map(|violation| violation.broken).collect()
}

#[test]
fn right_replies_pass() {
    let exact = Reply {
        consistency: ConsistencyLevel::Exact,
        tokens: vec![2],
        ..reply(100, 2, true)
    };
    let full = Reply {
        consistency: ConsistencyLevel::Full,
        tokens: vec![2, 3],
        ..reply(100, 3, false)
    };
    assert_eq!(
        found([reply(12, 2, true), reply(22, 2, true), reply(25, 2, true), exact, full]),
        []
    );
}

#[test]
fn a_wrong_decision_is_found() {
    let question = question("doc:plan#view@user:ada");
    assert_eq!(found([reply(22, 3, true)]), [Broken::Decision { question, said: true }]);
}

#[test]
fn a_revision_that_was_never_written_is_found() {
    assert_eq!(found([reply(22, 7, false)]), [Broken::UnknownRevision]);
}

#[test]
fn a_reply_below_its_floor_is_found() {
    let below = Reply {
        tokens: vec![2, 3],
        ..reply(21, 2, true)
    };
    assert_eq!(found([below]), [Broken::Floor { token: 3 }]);
}

#[test]
fn an_exact_read_at_another_snapshot_is_found() {
    let other = Reply {
        consistency: ConsistencyLevel::Exact,
        tokens: vec![2],
        ..reply(21, 3, false)
    };
    assert_eq!(found([other]), [Broken::Exact { token: 2 }]);
}

#[test]
fn a_full_read_that_misses_a_write_is_found() {
    let full = |sent| Reply {
        consistency: ConsistencyLevel::Full,
        ..reply(sent, 2, true)
    };
    assert_eq!(found([full(20)]), []);
    assert_eq!(found([full(21)]), [Broken::Full { missing: 3 }]);
}

#[test]
fn an_answer_over_the_age_bound_is_found() {
    let broken = Broken::Age {
        missing: 3,
        acknowledged_before: seconds(6),
        bound: seconds(5),
    };
    assert_eq!(found([reply(26, 2, true)]), [broken]);
}

#[test]
fn an_answer_over_the_callers_own_bound_is_found() {
    let bounded = |sent| Reply {
        consistency: ConsistencyLevel::Bounded(seconds(1)),
        ..reply(sent, 2, true)
    };
    assert_eq!(found([bounded(21)]), []);
    let broken = Broken::Bounded {
        missing: 3,
        acknowledged_before: seconds(2),
        bound: seconds(1),
    };
    assert_eq!(found([bounded(22)]), [broken]);
}

#[test]
fn a_session_that_goes_back_is_found() {
    let nth = |client, index, revision| Reply {
        session: Some((client, index)),
        ..reply(21, revision, revision == 2)
    };
    assert_eq!(found([nth(1, 0, 2), nth(1, 1, 3), nth(2, 0, 2)]), []);
    let exact = Reply {
        consistency: ConsistencyLevel::Exact,
        ..nth(1, 0, 3)
    };
    assert_eq!(found([exact, nth(1, 1, 2)]), []);
    assert_eq!(
        found([nth(1, 2, 2), nth(1, 1, 2), nth(1, 0, 3)]),
        [Broken::Order { before: 3 }, Broken::Order { before: 3 }]
    );
}

#[test]
fn a_bulk_of_two_revisions_is_found() {
    let (ada, bob) = (question("doc:plan#view@user:ada"), question("doc:plan#view@user:bob"));
    let mixed = Reply {
        decisions: vec![(Arc::clone(&ada), true), (bob, false)],
        ..reply(21, 3, false)
    };
    let (question, said) = (ada, true);
    assert_eq!(found([mixed]), [Broken::Bulk { question, said }]);
}

#[test]
fn a_late_acknowledgement_does_not_excuse_a_stale_reply() {
    let writes = vec![
        write(2, 30, true, "doc:plan#reader@user:ada"),
        write(3, 20, false, "doc:plan#reader@user:ada"),
    ];
    let bounds = Bounds {
        layer: seconds(5),
        store: seconds(0),
    };
    let judge = Judge::new(SCHEMA, writes, bounds).unwrap();
    assert_eq!(judge.judge(vec![reply(26, 2, true)]).len(), 1);
}

#[test]
fn the_evaluator_knows_the_schema_language() {
    let rules = Rules::parse(SCHEMA).unwrap();
    let mut state = State::default();
    for text in [
        "team:a#direct@user:ada",
        "team:a#direct@team:b#member",
        "team:b#direct@team:a#member",
        "team:b#lead@user:bob",
        "doc:plan#reader@team:a#member",
        "doc:plan#banned@user:ada",
        "doc:plan#parent@doc:plan",
        "doc:part#parent@doc:plan",
        "doc:open#reader@user:*",
    ] {
        state.apply(&Change {
            exists: true,
            tuple: tuple(text),
        });
    }
    for (text, expected) in [
        ("team:a#member@user:bob", true),
        ("team:b#member@user:ada", true),
        ("team:b#member@user:eve", false),
        ("team:a#member@team:b#member", true),
        ("team:a#member@team:a#member", true),
        ("team:a#lead@user:bob", false),
        ("doc:plan#view@user:ada", false),
        ("doc:plan#view@user:bob", true),
        ("doc:plan#both@user:ada", true),
        ("doc:plan#both@user:bob", false),
        ("doc:part#inherited@user:bob", true),
        ("doc:part#inherited@user:ada", false),
        ("doc:open#view@user:eve", true),
        ("doc:open#view@team:a#member", false),
        ("doc:plan#none@user:bob", false),
        ("doc:plan#grouped@user:bob", true),
        ("doc:plan#grouped@user:ada", false),
        ("doc:plan#unknown@user:ada", false),
        ("folder:x#view@user:ada", false),
    ] {
        assert_eq!(state.has(&rules, &question(text)), expected, "{text}");
    }
}

#[test]
fn operator_precedence_is_union_intersection_exclusion() {
    let rule = |text: &str| {
        let rules = Rules::parse(&format!("definition t {{ permission p = {text} }}")).unwrap();
        rules.of("t", "p").cloned()
    };
    assert_eq!(rule("a + b & c - d"), rule("((a + b) & c) - d"));
    assert_eq!(rule("a - b - c"), rule("(a - b) - c"));
    assert_eq!(rule("a.any(b)"), rule("a->b"));
}
