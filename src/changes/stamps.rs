use std::sync::atomic::{AtomicU64, Ordering};

use crate::changes::names::{Names, Stamped};

/// A place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u32);

/// The number of the newest change that each place stands for. Changes that meet in a place count for one another: that
/// costs a miss, never a wrong answer.
#[derive(Debug)]
pub(super) struct Stamps {
    names: Names,
    slots: Box<[AtomicU64]>,
}

impl Stamps {
    /// A table of this many bytes, rounded down to a power of two.
    pub(super) fn new(bytes: u64) -> Self {
        let slots = (bytes / 8).clamp(1, 1 << 31);
        let slots = 1 << slots.ilog2();
        Self {
            names: Names::random(),
            slots: (0..slots).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(super) fn slot(&self, stamped: &Stamped<'_>) -> Slot {
        Slot((self.names.hash(stamped) & (self.slots.len() as u64 - 1)) as u32)
    }

    pub(super) fn stamp(&self, stamped: &Stamped<'_>, number: u64) {
        let Slot(slot) = self.slot(stamped);
        // One task stamps, and its numbers only grow.
        self.slots[slot as usize].store(number, Ordering::Release);
    }

    /// The number of the newest change there.
    pub(super) fn at(&self, Slot(slot): Slot) -> u64 {
        self.slots[slot as usize].load(Ordering::Acquire)
    }
}
