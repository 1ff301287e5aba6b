//! The rule on the recorded history of rust-lang/team.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{Rng, SeedableRng};

use crate::changes::relevance::tests::selectivity::{self, Selectivity};
use crate::changes::relevance::tests::{Walked, concerns, effort, verdict};
use crate::changes::relevance::{Rules, Structure};
use crate::changes::{Change, Effect, Object, Question, Subject};
use crate::schema::Schema;
use crate::store::{History, ObjectRef, Operation, Store, SubjectRef, Update};

/// The permissions that the history's questions are about.
const PERMISSIONS: [(&str, &[&str]); 3] = [
    ("org", &["admin", "member"]),
    ("team", &["member", "manage"]),
    ("repo", &["administer", "push", "triage", "pull", "approve"]),
];

fn change(update: &Update) -> Change {
    let relationship = &update.relationship;
    let object = |object: &ObjectRef| Object::new(object.object_type(), object.id());
    let subject = Subject {
        object: object(relationship.subject().object_ref()),
        relation: relationship.subject().relation().map(Into::into),
    };
    Change {
        effect: if update.operation == Operation::Delete {
            Effect::Removed
        } else {
            Effect::Added
        },
        ..Change::added(object(relationship.resource()), relationship.relation(), subject)
    }
}

/// A question, in both spellings.
struct Asked {
    resource: ObjectRef,
    subject: SubjectRef,
    question: Question,
}

impl Asked {
    fn holds(&self, store: &Store, revision: u64) -> bool {
        store
            .check(&self.resource, &self.question.permission, &self.subject, revision)
            .unwrap()
    }
}

fn random_question(rng: &mut StdRng, users: &BTreeSet<ObjectRef>, resources: &BTreeSet<ObjectRef>) -> Asked {
    let (resource, user) = (resources.iter().choose(rng).unwrap(), users.iter().choose(rng).unwrap());
    let of_kind = |(kind, _): &&(&str, _)| *kind == resource.object_type();
    let (_, permissions) = PERMISSIONS.iter().find(of_kind).unwrap();
    let question = Question::new(
        Object::new(resource.object_type(), resource.id()),
        *permissions.choose(rng).unwrap(),
        Subject::of(Object::new("user", user.id())),
    );
    Asked {
        resource: resource.clone(),
        subject: SubjectRef::object(user.clone()),
        question,
    }
}

#[test]
fn few_changes_of_the_recorded_history_concern_a_question() {
    let history = History::open(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data")).unwrap();
    let rules = Arc::new(Rules::new(&Schema::read(history.schema.source()).unwrap()));
    let store = Store::new(history.schema);
    let structure = Structure::new(Arc::clone(&rules), 100_000);
    structure.loaded();
    let mut rng = StdRng::seed_from_u64(1);
    let (mut users, mut resources) = (BTreeSet::new(), BTreeSet::new());
    let (mut all, mut granted) = (Selectivity::default(), Selectivity::default());
    for transaction in history.transactions {
        let asked: Vec<_> = match (users.is_empty(), rng.random_ratio(1, 3)) {
            (false, true) => (0..effort(30))
                .map(|_| {
                    let asked = random_question(&mut rng, &users, &resources);
                    let walked = Walked::new(&structure, &asked.question).unwrap();
                    (asked, walked)
                })
                .collect(),
            _ => Vec::new(),
        };
        let changes: Vec<_> = transaction.updates.iter().map(change).collect();
        for update in &transaction.updates {
            let (resource, subject) = (
                update.relationship.resource(),
                update.relationship.subject().object_ref(),
            );
            resources.insert(resource.clone());
            let is_user = subject.object_type() == "user";
            if is_user { &mut users } else { &mut resources }.insert(subject.clone());
        }
        let before = store.current_revision();
        let after = store.load(transaction).unwrap();
        changes.iter().for_each(|change| structure.apply(change));
        for (asked, walked) in asked {
            let (was, is) = (asked.holds(&store, before), asked.holds(&store, after));
            let question = &asked.question;
            let reach = rules.reach(&question.resource.kind, &question.permission).unwrap();
            let by_rule = |change: &Change| concerns(&reach, change, false, question, verdict(was));
            let by_walk = |change: &Change| walked.concerns(change, question, verdict(was));
            if was != is {
                assert!(
                    changes.iter().any(by_rule) && changes.iter().any(by_walk),
                    "{question:?} at {after}"
                );
                continue;
            }
            for change in &changes {
                let concerned = by_walk(change);
                for counts in [Some(&mut all), was.then_some(&mut granted)].into_iter().flatten() {
                    selectivity::count_with_structure(counts, &reach, change, question, was, concerned);
                }
            }
        }
    }
    println!("{} relationships lead on", structure.len());
    println!("recorded history, all questions: {all}");
    println!("recorded history, granted ones:  {granted}");
    assert!(all.with_sign() < 0.08, "the rule is not selective");
    assert!(all.with_structure() < 0.01, "the structure is not selective");
}
