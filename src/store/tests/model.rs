//! Checks against an independent evaluator: it repeatedly computes whole sets over a plain list of the relationships,
//! until nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;

use crate::store::embedded::Store;
use crate::store::error::{CheckError, WriteError};
use crate::store::filter::Filter;
use crate::store::relationship::{Relationship, SubjectRef};
use crate::store::schema::Schema;
use crate::store::tests::try_check;
use crate::store::write::Update;

#[derive(Clone, Debug)]
enum Rule {
    Nil,
    Name(&'static str),
    Arrow(&'static str, &'static str),
    Union(Box<Rule>, Box<Rule>),
    Both(Box<Rule>, Box<Rule>),
    But(Box<Rule>, Box<Rule>),
}

impl Rule {
    fn text(&self) -> String {
        match self {
            Rule::Nil => "nil".into(),
            Rule::Name(name) => (*name).into(),
            Rule::Arrow(relation, target) => format!("{relation}->{target}"),
            Rule::Union(a, b) => format!("({} + {})", a.text(), b.text()),
            Rule::Both(a, b) => format!("({} & {})", a.text(), b.text()),
            Rule::But(a, b) => format!("({} - {})", a.text(), b.text()),
        }
    }
}

fn rule(leaves: Vec<Rule>) -> BoxedStrategy<Rule> {
    let leaf = select(leaves);
    leaf.prop_recursive(3, 12, 2, |inner| {
        (0..4, inner.clone(), inner).prop_map(|(operator, a, b)| {
            let (a, b) = (Box::new(a), Box::new(b));
            match operator {
                0 => Rule::Both(a, b),
                1 => Rule::But(a, b),
                _ => Rule::Union(a, b),
            }
        })
    })
    .boxed()
}

/// The permissions of a schema with fixed relations: `team` has member and guest, `doc` has view and edit.
type Rules = BTreeMap<(&'static str, &'static str), Rule>;

fn rules() -> impl Strategy<Value = Rules> {
    use Rule::{Arrow, Name, Nil};
    let guest = vec![
        Nil,
        Name("direct"),
        Name("banned"),
        Arrow("parent", "member"),
        Arrow("parent", "guest"),
    ];
    let mut member = guest.clone();
    member.push(Name("guest"));
    let view = vec![
        Name("reader"),
        Name("owner"),
        Arrow("folder", "member"),
        Arrow("owner", "guest"),
    ];
    let mut edit = view.clone();
    edit.extend([Name("view"), Arrow("folder", "direct")]);
    (rule(guest), rule(member), rule(view), rule(edit)).prop_map(|(guest, member, view, edit)| {
        Rules::from([
            (("team", "guest"), guest),
            (("team", "member"), member),
            (("doc", "view"), view),
            (("doc", "edit"), edit),
        ])
    })
}

fn schema(rules: &Rules) -> Schema {
    let permission = |t, p| format!("permission {p} = {}", rules[&(t, p)].text());
    let text = format!(
        "definition user {{}}
         definition team {{
            relation direct: user | user:* | team#direct | team#member | team#guest
            relation banned: user | team#member
            relation parent: team
            {} {}
         }}
         definition doc {{
            relation reader: user | user:* | team#member | team#guest
            relation owner: user | team | team#member
            relation folder: team
            {} {}
         }}",
        permission("team", "guest"),
        permission("team", "member"),
        permission("doc", "view"),
        permission("doc", "edit"),
    );
    Schema::parse(&text).unwrap()
}

fn relationship() -> impl Strategy<Value = Relationship> {
    let form = select(vec![
        "team:T#direct@user:U",
        "team:T#direct@user:*",
        "team:T#direct@team:S#direct",
        "team:T#direct@team:S#member",
        "team:T#direct@team:S#guest",
        "team:T#banned@user:U",
        "team:T#banned@team:S#member",
        "team:T#parent@team:S",
        "doc:D#reader@user:U",
        "doc:D#reader@user:*",
        "doc:D#reader@team:T#member",
        "doc:D#reader@team:T#guest",
        "doc:D#owner@user:U",
        "doc:D#owner@team:T",
        "doc:D#owner@team:T#member",
        "doc:D#folder@team:T",
    ]);
    (form, 0..4_u8, 0..4_u8, 0..2_u8, 0..2_u8).prop_map(|(form, t, s, u, d)| {
        let text = [('T', t), ('S', s), ('U', u), ('D', d)]
            .into_iter()
            .fold(form.to_owned(), |text, (letter, number)| {
                text.replace(letter, &number.to_string())
            });
        text.parse().unwrap()
    })
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Update>),
    Collect(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let update = (0..5, relationship()).prop_map(|(operation, relationship)| match operation {
        0 => Update::create(relationship),
        1 => Update::delete(relationship),
        _ => Update::touch(relationship),
    });
    prop_oneof![
        9 => proptest::collection::vec(update, 1..5).prop_map(Step::Write),
        1 => (0..20_u64).prop_map(Step::Collect),
    ]
}

/// `type:id` and the relation or permission.
type Node = (String, String);

struct Model<'a> {
    rules: &'a Rules,
    relationships: &'a BTreeSet<Relationship>,
    subject: &'a str,
}

impl Model<'_> {
    fn subjects(&self, resource: &str, relation: &str) -> impl Iterator<Item = &SubjectRef> {
        let of = move |r: &&Relationship| r.resource().to_string() == resource && r.relation() == relation;
        self.relationships.iter().filter(of).map(Relationship::subject)
    }

    fn rule_of(&self, (object, name): &Node) -> Option<&Rule> {
        let object_type = object.split(':').next().unwrap();
        let mut rules = self.rules.iter();
        rules
            .find(|((t, n), _)| *t == object_type && n == name)
            .map(|(_, rule)| rule)
    }

    fn nodes() -> Vec<Node> {
        let of = |object: String, names: &[&str]| -> Vec<Node> {
            names.iter().map(|name| (object.clone(), (*name).to_owned())).collect()
        };
        let teams = (0..4).flat_map(|t| of(format!("team:{t}"), &["direct", "banned", "parent", "guest", "member"]));
        let docs = (0..2).flat_map(|d| of(format!("doc:{d}"), &["reader", "owner", "folder", "view", "edit"]));
        teams.chain(docs).collect()
    }

    /// One node, given the nodes that hold and, for right sides of exclusions, the nodes that might hold.
    fn eval(&self, node: &Node, holds: &BTreeSet<Node>, might: &BTreeSet<Node>) -> bool {
        let (object, name) = node;
        if format!("{object}#{name}") == self.subject {
            return true;
        }
        match self.rule_of(node) {
            Some(rule) => self.eval_rule(object, rule, holds, might),
            None => self.subjects(object, name).any(|subject| {
                let given = subject.to_string();
                given == self.subject
                    || (given == "user:*" && self.subject.starts_with("user:"))
                    || subject.relation().is_some_and(|relation| {
                        holds.contains(&(subject.object_ref().to_string(), relation.to_owned()))
                    })
            }),
        }
    }

    fn eval_rule(&self, object: &str, rule: &Rule, holds: &BTreeSet<Node>, might: &BTreeSet<Node>) -> bool {
        let eval = |rule| self.eval_rule(object, rule, holds, might);
        match rule {
            Rule::Nil => false,
            Rule::Name(name) => holds.contains(&(object.to_owned(), (*name).to_owned())),
            Rule::Arrow(relation, target) => self
                .subjects(object, relation)
                .any(|subject| holds.contains(&(subject.object_ref().to_string(), (*target).to_owned()))),
            Rule::Union(a, b) => eval(a) || eval(b),
            Rule::Both(a, b) => eval(a) && eval(b),
            // On a right side the two sets swap: a node that might hold excludes, and inside of it a node that holds
            // does.
            Rule::But(a, b) => eval(a) && !self.eval_rule(object, b, might, holds),
        }
    }

    fn fixpoint(&self, might: &BTreeSet<Node>) -> BTreeSet<Node> {
        let mut holds = BTreeSet::new();
        loop {
            let next: BTreeSet<_> = Self::nodes()
                .into_iter()
                .filter(|n| self.eval(n, &holds, might))
                .collect();
            if next == holds {
                return holds;
            }
            holds = next;
        }
    }

    /// The nodes that certainly hold, and those that might hold where the relationships contradict themselves (the
    /// well-founded model).
    fn solve(&self) -> (BTreeSet<Node>, BTreeSet<Node>) {
        let mut holds = BTreeSet::new();
        loop {
            let might = self.fixpoint(&holds);
            let next = self.fixpoint(&might);
            if next == holds {
                return (holds, might);
            }
            holds = next;
        }
    }

    /// The nodes that a node depends on, and whether through the right side of an exclusion.
    fn sources(&self, node: &Node) -> Vec<(Node, bool)> {
        let mut found = Vec::new();
        match self.rule_of(node) {
            Some(rule) => self.rule_sources(&node.0, rule, false, &mut found),
            None => {
                for subject in self.subjects(&node.0, &node.1) {
                    if let Some(relation) = subject.relation() {
                        found.push(((subject.object_ref().to_string(), relation.to_owned()), false));
                    }
                }
            }
        }
        found
    }

    fn rule_sources(&self, object: &str, rule: &Rule, excluded: bool, found: &mut Vec<(Node, bool)>) {
        match rule {
            Rule::Nil => {}
            Rule::Name(name) => found.push(((object.to_owned(), (*name).to_owned()), excluded)),
            Rule::Arrow(relation, target) => {
                for subject in self.subjects(object, relation) {
                    found.push(((subject.object_ref().to_string(), (*target).to_owned()), excluded));
                }
            }
            Rule::Union(a, b) | Rule::Both(a, b) => {
                self.rule_sources(object, a, excluded, found);
                self.rule_sources(object, b, excluded, found);
            }
            Rule::But(a, b) => {
                self.rule_sources(object, a, excluded, found);
                self.rule_sources(object, b, true, found);
            }
        }
    }

    fn reachable(&self, from: Node) -> BTreeSet<Node> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            if reached.insert(node.clone()) {
                open.extend(self.sources(&node).into_iter().map(|(source, _)| source));
            }
        }
        reached
    }

    fn has_exclusion_cycle(&self, root: &Node) -> bool {
        self.reachable(root.clone()).iter().any(|node| {
            let mut sources = self.sources(node).into_iter();
            sources.any(|(source, excluded)| excluded && self.reachable(source).contains(node))
        })
    }
}

/// Applies a write to the model, or says that it must fail.
fn apply(state: &BTreeSet<Relationship>, updates: &[Update]) -> Option<BTreeSet<Relationship>> {
    use crate::store::write::Operation::{Create, Delete, Touch};
    let mut next = state.clone();
    let mut seen = BTreeSet::new();
    for update in updates {
        let fresh = seen.insert(&update.relationship);
        let exists = state.contains(&update.relationship);
        match update.operation {
            _ if !fresh => return None,
            Create if exists => return None,
            Delete if !exists => return None,
            Delete => next.remove(&update.relationship),
            Create | Touch => next.insert(update.relationship.clone()),
        };
    }
    Some(next)
}

fn is_expected(error: &WriteError) -> bool {
    use WriteError::{AlreadyExists, DoesNotExist, Duplicate};
    matches!(error, AlreadyExists { .. } | DoesNotExist { .. } | Duplicate { .. })
}

const SUBJECTS: [&str; 4] = ["user:0", "user:1", "team:0#member", "team:1#direct"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn checks_agree_with_the_model(
        rules in rules(),
        steps in proptest::collection::vec(step(), 1..20),
        picks in proptest::collection::vec((any::<u64>(), select(Model::nodes()), select(SUBJECTS.to_vec())), 30),
    ) {
        let store = Store::new(schema(&rules));
        let mut states = vec![BTreeSet::new()];
        let mut oldest = 1;
        for step in steps {
            match step {
                Step::Collect(keep_from) => {
                    store.garbage_collect(keep_from);
                    oldest = oldest.max(keep_from.min(states.len() as u64));
                }
                Step::Write(updates) => match (apply(&states[states.len() - 1], &updates), store.write(updates)) {
                    (Some(state), Ok(revision)) => {
                        states.push(state);
                        prop_assert_eq!(revision, states.len() as u64);
                    }
                    (None, Err(error)) => prop_assert!(is_expected(&error), "{error}"),
                    (expected, found) => prop_assert!(false, "{expected:?} / {found:?}"),
                },
            }
        }
        prop_assert_eq!(store.oldest_revision(), oldest);
        for (pick, node, subject) in picks {
            let revision = oldest + pick % (states.len() as u64 - oldest + 1);
            let relationships = &states[revision as usize - 1];
            let read: Vec<_> = ["team", "doc"].iter().flat_map(|t| {
                store.read(&Filter::of_type(*t), revision).unwrap()
            }).collect();
            prop_assert_eq!(&read.into_iter().collect::<BTreeSet<_>>(), relationships);
            let model = Model { rules: &rules, relationships, subject };
            let (holds, might) = model.solve();
            match try_check(&store, &format!("{}#{}@{subject}", node.0, node.1), revision) {
                Ok(true) => prop_assert!(holds.contains(&node), "{node:?} does not hold"),
                Ok(false) => prop_assert!(!might.contains(&node), "{node:?} holds or might"),
                Err(CheckError::ExclusionCycle { .. }) => prop_assert!(model.has_exclusion_cycle(&node)),
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }
}
