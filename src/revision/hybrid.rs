use super::Point;

/// x
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HybridTime {
    /// Nanoseconds since the Unix epoch.
    pub nanos: i64,
    /// Logical counter.
    pub logical: u32,
}

impl Point for HybridTime {
    fn join(&self, other: &Self) -> Option<Self> {
        Some(*self.max(other))
    }
}
