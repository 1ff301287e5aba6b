//! Random schemas over a few types, and the relationships and questions that go with them.

use gateway::checker::{Question, Tuple};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// What a relation may contain in addition to single users, with open numbers.
const DIRECT: [&str; 3] = ["user:*", "team:S#direct", "team:S#member"];
const READER: [&str; 3] = ["user:*", "team:S#direct", "team:S#member"];
const BANNED: [&str; 2] = ["user:*", "team:S#member"];

#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    /// The subjects of `team#direct`, `doc#reader` and `doc#banned`.
    direct: Vec<&'static str>,
    reader: Vec<&'static str>,
    banned: Vec<&'static str>,
    member: String,
    view: String,
    edit: String,
}

/// Both operands of `+` and `&` and the left one of `-` may be recursive. The right operand of `-` never is, so every
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

fn subjects(all: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(all, 0..=all.len()).prop_map(|mut subjects| {
        // Mostly single users: with them, answers change one by one.
        subjects.insert(0, "user:U");
        subjects
    })
}

pub(crate) fn fragment() -> impl Strategy<Value = Fragment> {
    let member = rule(&["direct", "parent->member", "parent->direct"], &["away", "nil"]);
    let of_doc = ["reader", "reader", "folder->member", "above->view", "banned"];
    let view = rule(&of_doc, &["banned", "folder->away", "folder->member"]);
    let edit = rule(
        &["view", "reader", "folder->direct", "above->edit"],
        &["banned", "folder->member"],
    );
    let relations = (subjects(&DIRECT), subjects(&READER), subjects(&BANNED));
    (relations, member, view, edit).prop_map(|((direct, reader, banned), member, view, edit)| Fragment {
        direct,
        reader,
        banned,
        member,
        view,
        edit,
    })
}

impl Fragment {
    pub(crate) fn text(&self) -> String {
        let types = |subjects: &[&str]| {
            let types: Vec<_> = subjects.iter().map(|s| s.replace(":U", "").replace(":S", "")).collect();
            types.join(" | ")
        };
        format!(
            "definition user {{}}
             definition team {{
                relation direct: {}
                relation away: user
                relation parent: team
                permission member = {}
             }}
             definition doc {{
                relation reader: {}
                relation banned: {}
                relation folder: team
                relation above: doc
                permission view = {}
                permission edit = {}
             }}",
            types(&self.direct),
            self.member,
            types(&self.reader),
            types(&self.banned),
            self.view,
            self.edit,
        )
    }

    /// The relationship that a random number stands for.
    pub(crate) fn tuple(&self, number: u16) -> Tuple {
        let mut rest = usize::from(number);
        let mut one_of = |count: usize| {
            let chosen = rest % count;
            rest /= count;
            chosen
        };
        let (resource, relation, subjects): (_, _, &[&str]) = match one_of(8) {
            0 | 1 => ("team:T", "direct", &self.direct),
            2 => ("team:T", "away", &["user:U"]),
            3 => ("team:T", "parent", &["team:S"]),
            4 | 5 => ("doc:D", "reader", &self.reader),
            6 => ("doc:D", "banned", &self.banned),
            _ => match one_of(2) {
                0 => ("doc:D", "folder", &["team:S"]),
                _ => ("doc:D", "above", &["doc:E"]),
            },
        };
        let subject = subjects[one_of(2) * one_of(subjects.len())];
        let numbers = [
            ('T', one_of(2)),
            ('D', one_of(3) / 2),
            ('S', one_of(2)),
            ('U', one_of(2)),
            ('E', one_of(2)),
        ];
        let filled = |text: &str| {
            let (object_type, rest) = text.split_once(':').unwrap_or((text, ""));
            let fill = |text: String, (letter, number): &(char, usize)| text.replace(*letter, &number.to_string());
            format!("{object_type}:{}", numbers.iter().fold(rest.to_owned(), fill))
        };
        Tuple {
            resource: filled(resource),
            relation: relation.to_owned(),
            subject: filled(subject),
        }
    }
}

/// Only a few, so that they are asked again.
pub(crate) fn question(number: u8) -> Question {
    let number = usize::from(number);
    let (resource, permission) = [
        ("doc:0", "view"),
        ("doc:0", "edit"),
        ("doc:1", "view"),
        ("team:0", "member"),
    ][number % 4];
    Question {
        resource: resource.to_owned(),
        permission: permission.to_owned(),
        subject: ["user:0", "user:1"][number / 4 % 2].to_owned(),
    }
}
