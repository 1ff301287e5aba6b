use crate::revision::{Order, Point};

/// A store that numbers its revisions 0, 1, 2, …: a total order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Counter(pub u64);

impl Point for Counter {
    const ORDER: Order = Order::Total;

    fn join(&self, other: &Self) -> Option<Self> {
        Some(*self.max(other))
    }

    fn lead(&self, behind: &Self) -> Option<u64> {
        self.0.checked_sub(behind.0)
    }
}
