use crate::revision::{Order, Point};

/// A hybrid logical clock's timestamp: the revisions of CockroachDB, of Spanner, and of SpiceDB and Permify in memory. A
/// total order.
///
/// ```
/// use tower_zookie::revision::HybridTime;
///
/// let first = HybridTime { nanos: 1_693_540_940_373_045_727, logical: 1 };
/// let second = HybridTime { logical: 2, ..first };
/// assert!(first < second);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HybridTime {
    /// Wall time in nanoseconds since the Unix epoch.
    pub nanos: i64,
    /// Orders events of one nanosecond; 0 where the store has no logical part.
    pub logical: u32,
}

impl Point for HybridTime {
    const ORDER: Order = Order::Total;

    fn join(&self, other: &Self) -> Option<Self> {
        Some(*self.max(other))
    }

    /// Nanoseconds of wall time; 0 between events of one nanosecond.
    fn lead(&self, behind: &Self) -> Option<u64> {
        (self >= behind).then(|| self.nanos.abs_diff(behind.nanos))
    }
}
