mod brute_force;
mod model;
mod reach;
mod recorded;
mod selectivity;
mod wrong_rules;

use std::env;

use crate::changes::relevance::reach::Reach;
use crate::changes::relevance::{Role, Sign};
use crate::changes::{Change, Effect, Question, Subject, Verdict};

/// The rule in plain words: whether a change can alter a verdict. `is_conditional`: relationships of the changed relation
/// can have conditions.
fn concerns(reach: &Reach, change: &Change, is_conditional: bool, question: &Question, verdict: Verdict) -> bool {
    let (adds, removes) = match change.effect {
        Effect::Added => (true, false),
        Effect::Removed => (false, true),
        Effect::Touched => (true, is_conditional),
    };
    reach.entries.iter().any(|entry| {
        let (allows, forbids) = match entry.sign {
            Sign::Plus => (adds, removes),
            Sign::Minus => (removes, adds),
            Sign::Both => (true, true),
        };
        (&entry.kind, &entry.relation) == (&change.resource.kind, &change.relation)
            && (!entry.own || change.resource == question.resource)
            && (entry.role == Role::Through || leads_to(&change.subject, &question.subject))
            && match verdict {
                Verdict::No => allows,
                Verdict::Yes => forbids,
                Verdict::Unclear => true,
            }
    })
}

/// Whether a relationship with this subject can matter to a question's subject.
fn leads_to(subject: &Subject, asked: &Subject) -> bool {
    let is_wildcard = *subject.object.id == *"*" && subject.object.kind == asked.object.kind;
    subject.relation.is_some() || is_wildcard || subject == asked
}

fn verdict(holds: bool) -> Verdict {
    if holds { Verdict::Yes } else { Verdict::No }
}

/// So much as usual, times `ZOOKIE_RELEVANCE_EFFORT`.
fn effort(usual: u64) -> u64 {
    let times = env::var("ZOOKIE_RELEVANCE_EFFORT").map_or(1, |times| times.parse().expect("a number"));
    usual * times
}
