mod as_the_store;
mod brute_force;
mod model;
mod reach;
mod recorded;
mod selectivity;
mod structure;
mod wrong_rules;

use std::env;

use crate::changes::relevance::reach::Reach;
use crate::changes::relevance::structure::TooFar;
use crate::changes::relevance::{Role, Sign, Structure};
use crate::changes::{Change, Effect, Object, Question, Subject, Verdict};

/// The rule in plain form: whether a change can alter a verdict. `is_conditional`: relationships of the changed relation
/// can have conditions.
fn concerns(reach: &Reach, change: &Change, is_conditional: bool, question: &Question, verdict: Verdict) -> bool {
    reach.entries.iter().any(|entry| {
        (&entry.kind, &entry.relation) == (&change.resource.kind, &change.relation)
            && (!entry.own || change.resource == question.resource)
            && (entry.role == Role::Through || leads_to(&change.subject, &question.subject))
            && can_alter(change.effect, is_conditional, entry.sign, verdict)
    })
}

/// What a walk found for a question.
struct Walked(Vec<(Object, Box<str>, Role, Sign)>);

impl Walked {
    fn new(structure: &Structure, question: &Question) -> Result<Self, TooFar> {
        let mut visits = Vec::new();
        let resource = (&*question.resource.kind, &*question.resource.id);
        structure.walk(resource, &question.permission, 10_000, |visited| {
            let object = Object::new(visited.kind, visited.resource);
            visits.push((object, visited.relation.into(), visited.role, visited.sign));
        })?;
        Ok(Self(visits))
    }

    fn of_change(&self, change: &Change) -> impl Iterator<Item = (Role, Sign)> {
        let visits = self.0.iter();
        let visits = visits.filter(|(object, relation, ..)| (object, relation) == (&change.resource, &change.relation));
        visits.map(|(.., role, sign)| (*role, *sign))
    }

    /// Whether the walk depends on the change: it may have been another one before.
    fn depends_on(&self, change: &Change) -> bool {
        let mut visits = self.of_change(change);
        visits.any(|(role, _)| role == Role::Through || change.subject.relation.is_some())
    }

    /// The rule with structure: whether a change can alter a verdict, that of a state from which on the walk was the same.
    fn concerns(&self, change: &Change, question: &Question, verdict: Verdict) -> bool {
        self.of_change(change).any(|(role, sign)| {
            (role == Role::Through || leads_to(&change.subject, &question.subject))
                && can_alter(change.effect, false, sign, verdict)
        })
    }
}

/// Whether a relationship with this subject can matter to a question's subject.
fn leads_to(subject: &Subject, asked: &Subject) -> bool {
    let is_wildcard = *subject.object.id == *"*" && subject.object.kind == asked.object.kind;
    subject.relation.is_some() || is_wildcard || subject == asked
}

/// Whether a change of a relation with this sign can alter the verdict.
fn can_alter(effect: Effect, is_conditional: bool, sign: Sign, verdict: Verdict) -> bool {
    let (adds, removes) = match effect {
        Effect::Added => (true, false),
        Effect::Removed => (false, true),
        Effect::Touched => (true, is_conditional),
    };
    let (allows, forbids) = match sign {
        Sign::Plus => (adds, removes),
        Sign::Minus => (removes, adds),
        Sign::Both => (true, true),
    };
    match verdict {
        Verdict::No => allows,
        Verdict::Yes => forbids,
        Verdict::Unclear => true,
    }
}

fn verdict(holds: bool) -> Verdict {
    if holds { Verdict::Yes } else { Verdict::No }
}

/// So much as usual, times `ZOOKIE_RELEVANCE_EFFORT`.
fn effort(usual: u64) -> u64 {
    let times = env::var("ZOOKIE_RELEVANCE_EFFORT").map_or(1, |times| times.parse().expect("a number"));
    usual * times
}
