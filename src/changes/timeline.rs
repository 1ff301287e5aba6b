use std::collections::VecDeque;

use crate::changes::place::Place;
use crate::revision::Revision;

/// How much a timeline remembers, and how far it looks at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many changes' revisions are remembered. A revision that lacks a forgotten one has an earlier position than it
    /// might.
    pub(super) changes: usize,
    /// How many frontiers are remembered. They shorten the search for a revision's position.
    pub(super) frontiers: usize,
    /// How many changes one search looks at.
    pub(super) steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            changes: 16_384,
            frontiers: 64,
            steps: 4096,
        }
    }
}

/// The changes of a feed in the order in which they came, by number from 1, and how far it is complete.
#[derive(Debug)]
pub(super) struct Timeline {
    start: Revision,
    /// The start, joined with the changes that are forgotten.
    base: Revision,
    /// The number of the first change that is remembered.
    first: u64,
    changes: VecDeque<Revision>,
    /// Frontiers and their positions, the newest last. Never empty.
    frontiers: VecDeque<(Revision, u64)>,
    limits: Limits,
}

impl Timeline {
    /// A feed that will report everything after `start`.
    pub(super) fn new(start: Revision) -> Self {
        Self::with_limits(start, Limits::default())
    }

    pub(super) fn with_limits(start: Revision, limits: Limits) -> Self {
        Self {
            limits,
            base: start.clone(),
            first: 1,
            changes: VecDeque::new(),
            frontiers: VecDeque::from([(start.clone(), 0)]),
            start,
        }
    }

    /// The join of all checkpoints: every change that a reader there sees has its number.
    pub(super) fn frontier(&self) -> &Revision {
        &self.newest_frontier().0
    }

    fn newest_frontier(&self) -> &(Revision, u64) {
        self.frontiers.back().expect("there is at least the start")
    }

    /// Whether the frontier sees every change that has a number.
    pub(super) fn is_complete(&self) -> bool {
        self.newest_frontier().1 + 1 == self.first + self.changes.len() as u64
    }

    /// Numbers a change that this revision made visible. The number is one more than the last one.
    pub(super) fn push(&mut self, at: Revision) {
        self.changes.push_back(at);
        if self.changes.len() > self.limits.changes
            && let Some(forgotten) = self.changes.pop_front()
        {
            self.base = joined(&self.base, &forgotten);
            self.first += 1;
        }
    }

    /// Every change that a reader at `at` sees has its number.
    pub(super) fn checkpoint(&mut self, at: &Revision) {
        let (frontier, position) = self.newest_frontier();
        if frontier >= at {
            return;
        }
        let place = Place::new(joined(frontier, at), *position);
        while !place.is_settled() && self.advance(&place) {}
        let position = place.position();
        self.frontiers.push_back((place.revision, position));
        if self.frontiers.len() > self.limits.frontiers {
            // Every other one of the older half, so that old revisions have one near, too.
            let mut index = 0;
            self.frontiers.retain(|_| {
                index += 1;
                index > self.limits.frontiers / 2 || index % 2 == 1
            });
        }
    }

    /// A number up to which `revision` sees every change. `None` if it lacks what came before the feed.
    pub(super) fn first_position(&self, revision: &Revision) -> Option<u64> {
        if !revision.is_at_or_after(&self.start) {
            return None;
        }
        let mut below = self.frontiers.iter().rev();
        let frontier = below.find(|(frontier, _)| revision >= frontier);
        let forgotten = if *revision >= self.base { self.first - 1 } else { 0 };
        Some(frontier.map_or(0, |(_, position)| *position).max(forgotten))
    }

    /// Moves a place over the changes that its revision sees. `true`: there may be more.
    pub(super) fn advance(&self, place: &Place) -> bool {
        let revision = &place.revision;
        let (frontier, at_frontier) = self.newest_frontier();
        let mut position = place.position();
        if position < *at_frontier && revision >= frontier {
            position = *at_frontier;
        }
        if position + 1 < self.first {
            if !revision.is_at_or_after(&self.base) {
                place.settle();
                return false;
            }
            position = self.first - 1;
        }
        let known = (position + 1 - self.first) as usize;
        let mut next = self.changes.iter().skip(known);
        let mut steps = 0;
        let is_settled = loop {
            match next.next() {
                Some(change) if revision >= change => position += 1,
                Some(_) => break true,
                None => break false,
            }
            steps += 1;
            if steps == self.limits.steps {
                place.reaches(position);
                return true;
            }
        };
        place.reaches(position);
        if is_settled {
            place.settle();
        }
        false
    }
}

/// The least revision at or after both; where they have no join, the later one.
fn joined(one: &Revision, other: &Revision) -> Revision {
    let later = || if other >= one { other.clone() } else { one.clone() };
    one.join(other).unwrap_or_else(later)
}
