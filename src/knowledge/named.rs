use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use crate::knowledge::watermarks::Instants;
use crate::revision::Revision;

/// How many named revisions are remembered. Forgetting one costs a head read, never correctness.
const MOST: usize = 4096;

/// The revisions that the store itself named. Equality makes a revision named: a hand-made one that a named revision
/// covers is not among them.
#[derive(Debug, Default)]
pub(super) struct NamedRevisions {
    revisions: HashMap<Revision, Named>,
    oldest_first: VecDeque<Revision>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    /// Counts up with each revision that is named for the first time.
    pub(super) number: u64,
    /// The watermarks that the revision itself made.
    pub(super) made: Instants,
    /// When it was last named, in seconds since 1970.
    pub(super) at: u64,
}

impl NamedRevisions {
    pub(super) fn get(&self, revision: &Revision) -> Option<Named> {
        self.revisions.get(revision).copied()
    }

    /// Adds a revision, or a watermark of one that is known.
    pub(super) fn add(&mut self, revision: &Revision, named: Named) {
        if let Some(known) = self.revisions.get_mut(revision) {
            known.made = known.made.or_later(named.made);
            known.at = known.at.max(named.at);
            return;
        }
        if self.oldest_first.len() >= MOST
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.revisions.remove(&oldest);
        }
        self.revisions.insert(revision.clone(), named);
        self.oldest_first.push_back(revision.clone());
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Named {
    /// Whether the revision was named before a call began that knew this many.
    pub(super) fn before(&self, count: u64) -> bool {
        self.number < count
    }

    /// The newest instant of a watermark that the revision made.
    pub(super) fn instants(&self, began: Option<Instant>) -> Instants {
        self.made.not_after(began)
    }
}
