//! Random schemas over a few types, the relationships that they allow, and the questions about them.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tower_zookie::changes::{Change, Effect, Object, Question, Subject};
use tower_zookie::store::{ObjectRef, Relationship, Schema, Store, SubjectRef, Update};

/// What the relations may contain in addition to single objects.
const DIRECT: [&str; 3] = ["user:*", "team#direct", "team#member"];
const PARENT: [&str; 1] = ["team#member"];
const READER: [&str; 4] = ["user:*", "team#direct", "team#member", "doc#view"];
const BANNED: [&str; 2] = ["user:*", "team#member"];
const FOLDER: [&str; 1] = ["team#direct"];

const QUESTIONS: [(&str, &str, &str); 8] = [
    ("doc:0", "view", "user:0"),
    ("doc:0", "view", "user:1"),
    ("doc:0", "edit", "user:0"),
    ("doc:1", "view", "user:0"),
    ("doc:1", "reader", "user:1"),
    ("team:0", "member", "user:0"),
    ("doc:0", "view", "team:0#member"),
    ("team:1", "member", "team:0#direct"),
];

/// How many questions there are.
pub(crate) const QUESTION_COUNT: usize = QUESTIONS.len();

/// One schema, before it is written out.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    direct: Vec<&'static str>,
    parent: Vec<&'static str>,
    reader: Vec<&'static str>,
    banned: Vec<&'static str>,
    folder: Vec<&'static str>,
    member: String,
    view: String,
    edit: String,
}

/// Both operands of `+` and `&` and the left one of `-` may be recursive. The right one of `-` never is, so that every
/// permission has one meaning.
fn rule(leaves: &[&'static str], taken_away: &[&'static str]) -> BoxedStrategy<String> {
    let leaf = select(leaves.to_vec()).prop_map(str::to_owned);
    let taken_away = select(taken_away.to_vec());
    leaf.prop_recursive(3, 8, 2, move |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} & {b})")),
            2 => (inner, taken_away.clone()).prop_map(|(a, b)| format!("({a} - {b})")),
        ]
    })
    .boxed()
}

/// A schema, and others that it may become: mostly the same relationships fit them all.
pub(crate) fn fragments() -> impl Strategy<Value = Vec<Fragment>> {
    let others = prop::collection::vec((fragment(), prop::bool::weighted(0.8)), 0..4);
    (fragment(), others).prop_map(|(first, others)| {
        let others = others.into_iter().map(|(other, fits): (Fragment, _)| match fits {
            true => other.with_subjects_of(&first),
            false => other,
        });
        std::iter::once(first.clone()).chain(others).collect()
    })
}

fn fragment() -> impl Strategy<Value = Fragment> {
    let some = |all: &'static [&'static str]| subsequence(all, 0..=all.len());
    let subjects = (
        some(&DIRECT),
        some(&PARENT),
        some(&READER),
        some(&BANNED),
        some(&FOLDER),
    );
    let member = rule(&["direct", "direct", "parent->member", "parent->direct"], &["away"]);
    let of_doc = ["reader", "reader", "folder->member", "above->view", "banned"];
    let view = rule(&of_doc, &["banned", "folder->away", "folder->direct"]);
    let edit = rule(
        &["view", "reader", "folder->direct", "above->edit"],
        &["banned", "folder->away"],
    );
    (subjects, member, view, edit).prop_map(
        |((direct, parent, reader, banned, folder), member, view, edit)| Fragment {
            direct,
            parent,
            reader,
            banned,
            folder,
            member,
            view,
            edit,
        },
    )
}

impl Fragment {
    /// A schema as services have it.
    pub(crate) fn usual() -> Self {
        Self {
            direct: vec!["team#direct"],
            parent: vec![],
            reader: vec!["user:*", "team#member"],
            banned: vec![],
            folder: vec![],
            member: "(direct + parent->member)".to_owned(),
            view: "((reader + folder->member) - banned)".to_owned(),
            edit: "(view & reader)".to_owned(),
        }
    }

    fn with_subjects_of(self, other: &Self) -> Self {
        Self {
            member: self.member,
            view: self.view,
            edit: self.edit,
            ..other.clone()
        }
    }

    fn text(&self) -> String {
        let types = |object: &str, others: &[&str]| {
            let all: Vec<_> = std::iter::once(object).chain(others.iter().copied()).collect();
            all.join(" | ")
        };
        format!(
            "definition user {{}}
             definition team {{
                relation direct: {}
                relation away: user
                relation parent: {}
                permission member = {}
             }}
             definition doc {{
                relation reader: {}
                relation banned: {}
                relation folder: {}
                relation above: doc
                permission view = {}
                permission edit = {}
             }}",
            types("user", &self.direct),
            types("team", &self.parent),
            self.member,
            types("user", &self.reader),
            types("user", &self.banned),
            types("team", &self.folder),
            self.view,
            self.edit,
        )
    }

    /// The subjects of a relation, beside single objects.
    fn others(&self, kind: &str, relation: &str) -> &[&'static str] {
        match (kind, relation) {
            ("team", "direct") => &self.direct,
            ("team", "parent") => &self.parent,
            ("doc", "reader") => &self.reader,
            ("doc", "banned") => &self.banned,
            ("doc", "folder") => &self.folder,
            _ => &[],
        }
    }

    fn allows(&self, made: &Relationship) -> bool {
        let subject = made.subject();
        let kind = subject.object_ref().object_type();
        let form = match subject.relation() {
            Some(relation) => format!("{kind}#{relation}"),
            None if subject.is_wildcard() => format!("{kind}:*"),
            None => return true,
        };
        self.others(made.resource().object_type(), made.relation())
            .contains(&&*form)
    }
}

/// The schemas of one case, and all relationships that one of them allows.
#[derive(Debug)]
pub(crate) struct Plan {
    fragments: Vec<Fragment>,
    schemas: Vec<Schema>,
    all: Vec<Relationship>,
}

/// Relationships, by their places in the plan.
pub(crate) type Present = u128;

impl Plan {
    pub(crate) fn new(fragments: Vec<Fragment>) -> Self {
        let schemas = fragments.iter().map(|fragment| fragment.text().parse().unwrap());
        Self {
            schemas: schemas.collect(),
            fragments,
            all: every_relationship(),
        }
    }

    pub(crate) fn schema(&self, schema: usize) -> &Schema {
        &self.schemas[schema]
    }

    pub(crate) fn schema_count(&self) -> usize {
        self.schemas.len()
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn relationship(&self, which: usize) -> &Relationship {
        &self.all[which]
    }

    pub(crate) fn change(&self, effect: Effect, which: usize) -> Change {
        let made = &self.all[which];
        Change {
            effect,
            resource: object(made.resource()),
            relation: made.relation().into(),
            subject: subject_of(made.subject()),
        }
    }

    pub(crate) fn allows(&self, schema: usize, which: usize) -> bool {
        self.fragments[schema].allows(&self.all[which])
    }

    /// The verdict of each question. What the schema does not allow does not count.
    pub(crate) fn verdicts(&self, schema: usize, present: Present) -> [bool; QUESTION_COUNT] {
        let store = Store::new(self.schemas[schema].clone());
        let made = (0..self.all.len()).filter(|which| present >> which & 1 == 1 && self.allows(schema, *which));
        let updates = made.map(|which| Update::touch(self.all[which].clone()));
        let at = store.write(updates).unwrap();
        QUESTIONS.map(|(resource, permission, subject)| {
            let (resource, subject): (ObjectRef, SubjectRef) = (resource.parse().unwrap(), subject.parse().unwrap());
            store.check(&resource, permission, &subject, at).unwrap()
        })
    }
}

pub(crate) fn question(number: usize) -> Question {
    let (resource, permission, subject) = QUESTIONS[number];
    let (resource, who): (ObjectRef, SubjectRef) = (resource.parse().unwrap(), subject.parse().unwrap());
    Question::new(object(&resource), permission, subject_of(&who))
}

fn object(object: &ObjectRef) -> Object {
    Object::new(object.object_type(), object.id())
}

fn subject_of(subject: &SubjectRef) -> Subject {
    let object = object(subject.object_ref());
    match subject.relation() {
        Some(relation) => Subject::userset(object, relation),
        None => Subject::of(object),
    }
}

fn every_relationship() -> Vec<Relationship> {
    let users = || ["user:0", "user:1"].map(str::to_owned).to_vec();
    let numbered = |form: &str| {
        let (kind, relation) = form.split_once('#').unwrap_or((form, ""));
        let of = |number: usize| match relation {
            "" => format!("{kind}:{number}"),
            relation => format!("{kind}:{number}#{relation}"),
        };
        vec![of(0), of(1)]
    };
    let of_kind = |objects: Vec<String>, others: &[&str]| {
        let others = others.iter().flat_map(|form| match form.ends_with('*') {
            true => vec![(*form).to_owned()],
            false => numbered(form),
        });
        objects.into_iter().chain(others).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for (kind, relation, subjects) in [
        ("team", "direct", of_kind(users(), &DIRECT)),
        ("team", "away", users()),
        ("team", "parent", of_kind(numbered("team"), &PARENT)),
        ("doc", "reader", of_kind(users(), &READER)),
        ("doc", "banned", of_kind(users(), &BANNED)),
        ("doc", "folder", of_kind(numbered("team"), &FOLDER)),
        ("doc", "above", numbered("doc")),
    ] {
        for number in 0..2 {
            let made = subjects
                .iter()
                .map(|subject| format!("{kind}:{number}#{relation}@{subject}"));
            all.extend(made.map(|text| text.parse::<Relationship>().unwrap()));
        }
    }
    assert!(all.len() <= Present::BITS as usize);
    all
}
