use super::{Point, Timing};

/// A transaction's number that the store gives out when the transaction begins, as SpiceDB on MySQL does.
///
/// The order is total, but a lower number can commit later: an answer read at 43 while 42 was still open lacks 42 for
/// ever. So a number covers a lower one only in an answer whose upstream call began after the lower one was first seen:
/// the store tells nobody a number before it is committed, and whoever guesses one makes it seen too early.
///
/// ```
/// use std::time::Duration;
/// use tokio::time::Instant;
/// use tower_zookie::revision::{Point, Timing, TransactionId};
///
/// let (answer_began, late) = (Instant::now(), Duration::from_millis(1));
/// let floor_seen = answer_began + late;
/// assert!(TransactionId(43) > TransactionId(42));
/// assert!(!TransactionId(43).covers(&TransactionId(42), Timing { answer_began, floor_seen }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(pub u64);

impl Point for TransactionId {
    fn join(&self, other: &Self) -> Option<Self> {
        Some(*self.max(other))
    }

    /// Equal numbers too: the floor can be the join of this number and of a lower one that was seen later.
    fn covers(&self, floor: &Self, timing: Timing) -> bool {
        self >= floor && timing.answer_began >= timing.floor_seen
    }

    /// How many transactions began in between, committed or not.
    fn lead(&self, behind: &Self) -> Option<u64> {
        self.0.checked_sub(behind.0)
    }
}
