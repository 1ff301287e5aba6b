use std::sync::Arc;

use crate::cache::decision::Decision;
use crate::cache::read_at::ReadAt;
use crate::consistency::{Floor, Floors};
use crate::revision::{Order, Revision};

/// The answers of one upstream call, in the order of its questions; fewer where the upstream stopped early.
#[derive(Debug)]
pub(crate) struct Landed<V> {
    pub(crate) first: Arc<Decision<V>>,
    pub(crate) rest: Vec<Arc<Decision<V>>>,
    /// Every answer may be given to others.
    pub(crate) shared: bool,
    pub(crate) stored: bool,
    /// The upstream was asked at this.
    pub(crate) asked: ReadAt,
    /// The revision that the reply names.
    pub(crate) replied: Option<Revision>,
}

/// Where the revision that a reply names lies, seen from a caller's floors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It covers them, or nothing says that it does not.
    Covers,
    /// The store has not reached one of them, or answered at something that is concurrent with it.
    Behind,
    /// It is of another store than one of them.
    Foreign,
}

impl<V> Clone for Landed<V> {
    fn clone(&self) -> Self {
        Self {
            first: Arc::clone(&self.first),
            rest: self.rest.clone(),
            shared: self.shared,
            stored: self.stored,
            asked: self.asked.clone(),
            replied: self.replied.clone(),
        }
    }
}

impl<V> Landed<V> {
    pub(crate) fn decisions(&self) -> impl Iterator<Item = &Arc<Decision<V>>> + Clone {
        std::iter::once(&self.first).chain(&self.rest)
    }

    pub(crate) fn len(&self) -> usize {
        1 + self.rest.len()
    }

    pub(crate) fn reach(&self, floors: &Floors) -> Reach {
        let Some(replied) = &self.replied else {
            return Reach::Covers;
        };
        let elsewhere = |floor: &Floor| floor.revision.store() != replied.store();
        if floors.iter().any(elsewhere) {
            Reach::Foreign
        } else if lies_below(replied, floors) {
            Reach::Behind
        } else {
            Reach::Covers
        }
    }

    /// Those of `floors` that are of the store which replied, and that its revision does not cover.
    pub(crate) fn lacks(&self, floors: &Floors) -> Option<Floors> {
        let replied = self.replied.as_ref()?;
        let mut lacking = Floors::none();
        for floor in floors.iter() {
            if replied.store() == floor.revision.store() && !replied.is_at_or_after(&floor.revision) {
                lacking.push(floor.clone());
            }
        }
        (!lacking.is_empty()).then_some(lacking)
    }
}

/// Whether a store that answered at `replied` has not reached one of its own floors. Where revisions have no order, nothing
/// says so.
pub(crate) fn lies_below(replied: &Revision, floors: &Floors) -> bool {
    floors.iter().any(|Floor { revision: floor, .. }| {
        let comparable = replied.store() == floor.store() && floor.order() != Order::Equality;
        comparable && !replied.is_at_or_after(floor)
    })
}
