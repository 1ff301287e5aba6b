//! Whether a subject has a permission in one state, by walking every path: slow, but simple enough to be correct.

use std::collections::{BTreeSet, HashMap};

use super::schema::{Rule, Rules};
use super::{Change, Question};

/// A relationship, each part as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    pub resource: String,
    pub relation: String,
    pub subject: String,
}

/// All tuples at one revision, by resource and relation.
#[derive(Debug, Default)]
pub(crate) struct State(HashMap<String, HashMap<String, BTreeSet<String>>>);

impl State {
    pub(crate) fn apply(&mut self, change: &Change) {
        let Tuple {
            resource,
            relation,
            subject,
        } = &change.tuple;
        let subjects = self
            .0
            .entry(resource.clone())
            .or_default()
            .entry(relation.clone())
            .or_default();
        if change.exists {
            subjects.insert(subject.clone());
        } else {
            subjects.remove(subject);
        }
    }

    fn subjects(&self, resource: &str, relation: &str) -> impl Iterator<Item = &str> {
        let subjects = self.0.get(resource).and_then(|relations| relations.get(relation));
        subjects.into_iter().flatten().map(String::as_str)
    }

    pub(crate) fn has(&self, rules: &Rules, question: &Question) -> bool {
        let walk = Walk {
            state: self,
            rules,
            subject: &question.subject,
        };
        walk.member(&question.resource, &question.permission, &mut Vec::new())
    }
}

struct Walk<'a> {
    state: &'a State,
    rules: &'a Rules,
    subject: &'a str,
}

impl<'a> Walk<'a> {
    /// A path that comes back to where it was adds nothing, so it ends there. `path` holds what it has passed.
    fn member(&self, resource: &'a str, name: &'a str, path: &mut Vec<(&'a str, &'a str)>) -> bool {
        // A userset has itself.
        if self.subject.split_once('#') == Some((resource, name)) {
            return true;
        }
        let Some(rule) = self.rules.of(type_of(resource), name) else {
            return false;
        };
        if path.contains(&(resource, name)) {
            return false;
        }
        path.push((resource, name));
        let found = self.rule(rule, resource, name, path);
        path.pop();
        found
    }

    fn rule(&self, rule: &'a Rule, resource: &'a str, name: &'a str, path: &mut Vec<(&'a str, &'a str)>) -> bool {
        match rule {
            Rule::Nil => false,
            Rule::Relation => self
                .state
                .subjects(resource, name)
                .any(|subject| self.is(subject, path)),
            Rule::Name(name) => self.member(resource, name, path),
            Rule::Arrow(relation, target) => self
                .state
                .subjects(resource, relation)
                .map(|subject| subject.split('#').next().unwrap_or(subject))
                .any(|object| self.member(object, target, path)),
            Rule::Union(a, b) => self.rule(a, resource, name, path) || self.rule(b, resource, name, path),
            Rule::Intersection(a, b) => self.rule(a, resource, name, path) && self.rule(b, resource, name, path),
            Rule::Exclusion(a, b) => self.rule(a, resource, name, path) && !self.rule(b, resource, name, path),
        }
    }

    /// Whether a tuple's subject is, or contains, the subject that is asked about.
    fn is(&self, subject: &'a str, path: &mut Vec<(&'a str, &'a str)>) -> bool {
        if subject == self.subject {
            return true;
        }
        match subject.split_once('#') {
            Some((object, name)) => self.member(object, name, path),
            None => subject.strip_suffix(":*").is_some_and(|all| {
                !self.subject.contains('#') && self.subject.split_once(':').is_some_and(|(own, _)| own == all)
            }),
        }
    }
}

fn type_of(object: &str) -> &str {
    object.split(':').next().unwrap_or(object)
}
