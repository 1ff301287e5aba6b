//! The rule on the recorded history of rust-lang/team.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::changes::relevance::Rules;
use crate::changes::relevance::tests::selectivity::{self, Selectivity};
use crate::changes::relevance::tests::{concerns, effort, verdict};
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

fn random_question(rng: &mut StdRng, users: &[ObjectRef], resources: &[ObjectRef]) -> (ObjectRef, String, SubjectRef) {
    let (resource, user) = (resources.choose(rng).unwrap(), users.choose(rng).unwrap());
    let (_, permissions) = PERMISSIONS
        .iter()
        .find(|(kind, _)| *kind == resource.object_type())
        .unwrap();
    let permission = permissions.choose(rng).unwrap();
    (
        resource.clone(),
        (*permission).to_owned(),
        user.to_string().parse().unwrap(),
    )
}

#[test]
fn few_changes_of_the_recorded_history_concern_a_question() {
    let history = History::open(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data")).unwrap();
    let rules = Rules::new(&Schema::read(history.schema.source()).unwrap());
    let store = Store::new(history.schema);
    let mut rng = StdRng::seed_from_u64(1);
    let (mut users, mut resources) = (BTreeSet::new(), BTreeSet::new());
    let (mut all, mut granted) = (Selectivity::default(), Selectivity::default());
    for (number, transaction) in history.transactions.into_iter().enumerate() {
        let updates = transaction.updates.clone();
        let changes: Vec<_> = updates.iter().map(change).collect();
        let before = store.current_revision();
        let after = store.load(transaction).unwrap();
        for update in &updates {
            let subject = update.relationship.subject().object_ref();
            let is_user = subject.object_type() == "user";
            if is_user { &mut users } else { &mut resources }.insert(subject.clone());
            resources.insert(update.relationship.resource().clone());
        }
        if number == 0 || !rng.random_ratio(1, 20) {
            continue;
        }
        let (users, resources): (Vec<_>, Vec<_>) =
            (users.iter().cloned().collect(), resources.iter().cloned().collect());
        for _ in 0..effort(300) {
            let (resource, permission, subject) = random_question(&mut rng, &users, &resources);
            let holds = |revision| store.check(&resource, &permission, &subject, revision).unwrap();
            let (was, is) = (holds(before), holds(after));
            let user = Subject::of(Object::new("user", subject.object_ref().id()));
            let question = Question::new(Object::new(resource.object_type(), resource.id()), permission, user);
            let reach = rules.reach(&question.resource.kind, &question.permission).unwrap();
            let concerned = changes
                .iter()
                .any(|change| concerns(&reach, change, false, &question, verdict(was)));
            assert!(was == is || concerned, "{question:?} at {after}");
            for change in &changes {
                selectivity::count(&mut all, &reach, change, &question, was);
                if was {
                    selectivity::count(&mut granted, &reach, change, &question, was);
                }
            }
        }
    }
    println!("recorded history, all questions: {all}");
    println!("recorded history, granted ones:  {granted}");
    assert!(
        all.with_sign() < 0.06 && granted.with_sign() < 0.08,
        "the rule is not selective"
    );
}
