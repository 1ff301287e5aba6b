use crate::revision::{Order, Point, Timing};

/// A transaction's number that the store assigns when the transaction begins, as SpiceDB on MySQL does.
///
/// The order is total, but a lower number can commit later: an answer read at 43 while 42 was still open never includes
/// 42, and the store's replies do not say which numbers are still open. So an answer covers a number only if its
/// upstream call began after the request with that floor arrived: then the store itself reads what is committed.
/// Callers with tokens share only the calls that they wait for.
///
/// ```
/// use tower_zookie::revision::{Point, Timing, TransactionId};
///
/// assert!(TransactionId(43) > TransactionId(42));
/// assert!(!TransactionId(43).covers(&TransactionId(42), Timing::BegunBefore));
/// assert!(TransactionId(43).covers(&TransactionId(42), Timing::BegunAfter));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(pub u64);

impl Point for TransactionId {
    const ORDER: Order = Order::Total;

    /// Two different numbers have no join: the larger one does not include the smaller one, which may commit later.
    fn join(&self, other: &Self) -> Option<Self> {
        (self == other).then_some(*self)
    }

    /// This holds for equal numbers too: a caller with token 43 may have seen 42 in the same reply, and another answer
    /// at 43 may lack it.
    fn covers(&self, floor: &Self, timing: Timing) -> bool {
        self >= floor && timing == Timing::BegunAfter
    }

    /// How many transactions began in between, committed or not.
    fn lead(&self, behind: &Self) -> Option<u64> {
        self.0.checked_sub(behind.0)
    }
}
