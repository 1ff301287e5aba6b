use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::consistency::{Floor, Floors};
use crate::revision::{Order, Revision};
use crate::token::{TokenFormat, Zookie};

/// How many tokens that do not join one record holds.
const MOST_SIDE_BY_SIDE: usize = 8;

/// What a store remembers of one object. Empty if it remembers nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The tokens of the writes that touched it, joined. Those that do not join stand side by side.
    pub tokens: Vec<Zookie>,
    /// How much longer a write may run whose outcome is unknown. Until then, checks of the object are fully consistent.
    pub unsettled: Option<Duration>,
}

/// A change of one record: tokens to join with it, or a write of unknown outcome.
///
/// A store reads the record, [applies](Self::apply) the update, and replaces the record only if no other writer has changed
/// it in between. So an older token never replaces a newer one.
#[derive(Clone)]
pub struct Update {
    format: Arc<dyn TokenFormat>,
    floors: Floors,
    unsettled: Option<Duration>,
    keep: Duration,
}

impl Update {
    /// An update that joins nothing yet. Records are kept for `keep` after their last update.
    pub fn new(format: Arc<dyn TokenFormat>, keep: Duration) -> Self {
        Self {
            format,
            floors: Floors::none(),
            unsettled: None,
            keep,
        }
    }

    /// Also joins this revision, which the store named.
    #[must_use]
    pub fn advance(mut self, revision: Revision) -> Self {
        self.floors.push(Floor::now(revision));
        self
    }

    /// Also leaves the object unsettled for this long.
    #[must_use]
    pub fn unsettle(mut self, duration: Duration) -> Self {
        self.unsettled = self.unsettled.max(Some(duration));
        self
    }

    /// Also does what `other` does.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for floor in other.floors {
            self.floors.push(floor);
        }
        self.unsettled = self.unsettled.max(other.unsettled);
        self.keep = self.keep.max(other.keep);
        self
    }

    /// For how long the store keeps the record after this update.
    pub fn keep(&self) -> Duration {
        self.keep
    }

    /// The record after this update. `None` if the record says all of it already, so that nothing has to be written.
    ///
    /// A token in the record that can't be read here, or that is of another store, is dropped. So is the oldest one of more
    /// than eight that do not join. The object then stays unsettled for as long as records are kept, after which any
    /// answer is newer.
    pub fn apply(&self, record: &Record) -> Option<Record> {
        let mut floors = Floors::none();
        let mut dropped = false;
        if self.floors.is_empty() {
            let unsettled = record.unsettled.max(self.unsettled);
            return (unsettled != record.unsettled).then(|| Record {
                tokens: record.tokens.clone(),
                unsettled,
            });
        }
        for token in &record.tokens {
            match self.format.decode(token.as_str()) {
                Ok(revision) if self.is_of_this_store(&revision) => floors.push(Floor::now(revision)),
                Ok(_) | Err(_) => dropped = true,
            }
        }
        self.floors.iter().for_each(|floor| floors.push(floor.clone()));
        let mut revisions = uncovered(&floors);
        if revisions.len() > MOST_SIDE_BY_SIDE {
            revisions.drain(..revisions.len() - MOST_SIDE_BY_SIDE);
            dropped = true;
        }
        let tokens: Vec<_> = revisions
            .iter()
            .filter_map(|revision| self.format.encode(revision))
            .collect();
        dropped |= tokens.len() < revisions.len();
        let unsettled = record.unsettled.max(self.unsettled).max(dropped.then_some(self.keep));
        let next = Record { tokens, unsettled };
        (next != *record).then_some(next)
    }

    fn is_of_this_store(&self, revision: &Revision) -> bool {
        let mut floors = self.floors.iter();
        floors.all(|floor| floor.revision().store() == revision.store())
    }
}

/// Shows no token.
impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update")
            .field("tokens", &self.floors.iter().count())
            .field("unsettled", &self.unsettled)
            .finish_non_exhaustive()
    }
}

/// The revisions that an answer has to cover so that it covers all floors.
fn uncovered(floors: &Floors) -> Vec<&Revision> {
    // Where any two revisions compare, an answer at the greatest one that is asked for later than all covers all.
    if let Some(top) = floors.top().filter(|top| top.revision().order() == Order::Total) {
        return vec![top.revision()];
    }
    floors.iter().map(Floor::revision).collect()
}
