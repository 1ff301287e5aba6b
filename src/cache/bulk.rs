use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::cache::DecisionCache;
use crate::cache::decision::Decision;
use crate::cache::fingerprint::Fingerprint;
use crate::cache::miss::Miss;
use crate::cache::weigh::Weigh;
use crate::consistency::{Floors, Freshness};
use crate::revision::Revision;

/// How a bulk's answers may go together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Merge {
    /// All hold at one revision, as if the upstream had answered the whole bulk there.
    #[default]
    OneSnapshot,
    /// Each is fresh enough by itself.
    Mixed,
}

/// The part of a bulk that the cache answers.
#[derive(Debug)]
pub(crate) struct Served<V> {
    /// For each question its answer, or why there is none.
    pub(crate) found: Vec<Result<Arc<Decision<V>>, Miss>>,
    /// The one revision at which all that were found hold.
    pub(crate) at: Option<Revision>,
}

impl<V> Served<V> {
    /// Nothing, for this reason.
    pub(crate) fn nothing(questions: usize, why: Miss) -> Self {
        Self {
            found: (0..questions).map(|_| Err(why)).collect(),
            at: None,
        }
    }

    /// Nothing, because what was found does not go together.
    fn apart(found: Vec<Result<Arc<Decision<V>>, Miss>>) -> Self {
        let why = |found: Result<_, Miss>| Err(found.err().unwrap_or(Miss::Apart));
        Self {
            found: found.into_iter().map(why).collect(),
            at: None,
        }
    }

    /// The answers that were found.
    pub(crate) fn stored(&self) -> impl Iterator<Item = Option<&V>> {
        self.found
            .iter()
            .map(|found| found.as_ref().ok().map(|decision| &decision.value))
    }

    /// Whether there is no one revision at which all that were found hold.
    pub(crate) fn is_mixed(&self) -> bool {
        let holds = |decision: &Arc<Decision<V>>| self.at.as_ref().is_some_and(|at| decision.holds_at(at));
        self.found.len() > 1 && !self.found.iter().flatten().all(holds)
    }

    pub(crate) fn any(&self) -> bool {
        self.found.iter().any(Result::is_ok)
    }

    /// The first reason, for the whole bulk.
    pub(crate) fn miss(&self) -> Option<Miss> {
        self.found.iter().find_map(|found| found.as_ref().err()).copied()
    }
}

impl<V: Weigh> DecisionCache<V> {
    /// [`Self::served`], with the reasons of what is missing.
    pub(crate) fn gather(
        &self,
        questions: &[Fingerprint],
        freshness: &Freshness,
        now: Instant,
        merge: Merge,
    ) -> Served<V> {
        let Served { found, at } = self.served(questions, freshness, now, merge);
        let why = |(found, question): (Result<_, _>, &Fingerprint)| {
            found.map_err(|miss| self.why_missed(*question, miss, now))
        };
        let found = found.into_iter().zip(questions).map(why).collect();
        Served { found, at }
    }

    /// Which of `questions` the cache answers, linear in their number.
    pub(crate) fn served(
        &self,
        questions: &[Fingerprint],
        freshness: &Freshness,
        now: Instant,
        merge: Merge,
    ) -> Served<V> {
        let found: Vec<_> = questions
            .iter()
            .map(|question| self.find(*question, freshness, now))
            .collect();
        match (freshness, merge) {
            (_, Merge::OneSnapshot) if questions.len() > 1 && !self.0.capabilities.reads_repeat => {
                // Answers of two calls may differ in what they saw even where they name the same revision.
                Served::apart(found)
            }
            (Freshness::Full, _) => Served { found, at: None },
            (Freshness::Exact(revision), _) => {
                let at = found.iter().any(Result::is_ok).then(|| revision.clone());
                Served { found, at }
            }
            (Freshness::AtLeast { .. }, Merge::Mixed) => {
                let at = lowest(found.iter().flatten().map(|decision| decision.label()));
                Served { found, at }
            }
            (Freshness::AtLeast { floors, .. }, Merge::OneSnapshot) => {
                self.at_one_revision(questions, found, floors, now)
            }
        }
    }

    /// Counts what was found for each of `questions`.
    pub(crate) fn count_each(&self, questions: &[Fingerprint], served: &Served<V>, now: Instant) {
        for (found, question) in served.found.iter().zip(questions) {
            self.count(*question, found.as_deref().map_err(|why| *why), now);
        }
    }

    fn at_one_revision(
        &self,
        questions: &[Fingerprint],
        found: Vec<Result<Arc<Decision<V>>, Miss>>,
        floors: &Floors,
        now: Instant,
    ) -> Served<V> {
        if let [Ok(only)] = &*found {
            let at = only.label().cloned();
            return Served { found, at };
        }
        let Some(revision) = most_common(found.iter().flatten().filter_map(|decision| decision.label())) else {
            // Answers without a revision hold at no known one, so only the upstream can answer all of a bulk together.
            return match questions.len() {
                1 => Served { found, at: None },
                _ => Served::apart(found),
            };
        };
        let at_most_common = self.at(revision, questions, &found, now);
        let misses = |served: &Served<V>| served.found.iter().filter(|found| found.is_err()).count();
        if misses(&at_most_common) == 0 {
            return at_most_common;
        }
        // All that the feed shows to be still true holds there.
        let frontier = found
            .iter()
            .flatten()
            .find_map(|decision| decision.placed.as_ref())
            .map(|placed| placed.frontier());
        let covers = |frontier: &Revision| floors.iter().all(|floor| *frontier >= floor.revision);
        let frontier =
            frontier.filter(|frontier| covers(frontier) && self.0.knowledge.is_named_and_fresh(frontier, now));
        match frontier.map(|frontier| self.at(frontier, questions, &found, now)) {
            Some(at_frontier) if misses(&at_frontier) < misses(&at_most_common) => at_frontier,
            _ => at_most_common,
        }
    }

    /// Those answers that hold at `revision`.
    fn at(
        &self,
        revision: Revision,
        questions: &[Fingerprint],
        found: &[Result<Arc<Decision<V>>, Miss>],
        now: Instant,
    ) -> Served<V> {
        let exactly = Freshness::Exact(revision.clone());
        let found = found.iter().zip(questions).map(|(found, question)| match found {
            Ok(decision) if decision.holds_at(&revision) => Ok(Arc::clone(decision)),
            // The reason why the caller's own requirement was not met says more.
            found => self
                .find(*question, &exactly, now)
                .map_err(|_| found.as_ref().err().copied().unwrap_or(Miss::Apart)),
        });
        Served {
            found: found.collect(),
            at: Some(revision),
        }
    }
}

/// The revision that most of the answers have; of several, the newest, where they compare.
fn most_common<'a>(labels: impl Iterator<Item = &'a Revision>) -> Option<Revision> {
    let mut counts: HashMap<&Revision, usize> = HashMap::new();
    for label in labels {
        *counts.entry(label).or_default() += 1;
    }
    let better = |a: &(&Revision, usize), b: &(&Revision, usize)| a.1 > b.1 || (a.1 == b.1 && a.0 > b.0);
    let best = counts
        .into_iter()
        .reduce(|best, next| if better(&next, &best) { next } else { best });
    best.map(|(revision, _)| revision.clone())
}

/// The label that lies at or below all others, if every answer has a label and one lies so.
pub(crate) fn lowest<'a>(labels: impl Iterator<Item = Option<&'a Revision>> + Clone) -> Option<Revision> {
    let mut lowest: Option<&Revision> = None;
    for label in labels.clone() {
        let label = label?;
        if lowest.is_none_or(|lowest| label < lowest) {
            lowest = Some(label);
        }
    }
    let lowest = lowest?;
    labels.flatten().all(|label| lowest <= label).then(|| lowest.clone())
}

#[cfg(test)]
mod tests;
