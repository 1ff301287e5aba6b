use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How many credentials are counted apart. Those that meet by chance share what one has.
const SLOTS: usize = 1024;

/// How many calls of one kind each credential may cause in a period. What one uses up, no other lacks.
#[derive(Debug)]
pub(super) struct Credits {
    most: u32,
    period: Duration,
    origin: Instant,
    hasher: RandomState,
    /// The period in the upper half, the calls in it in the lower half.
    slots: Box<[AtomicU64]>,
}

impl Credits {
    pub(super) fn new(most: u32, period: Duration) -> Self {
        Self {
            most,
            period,
            origin: Instant::now(),
            hasher: RandomState::new(),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Takes one, if this credential has one left.
    pub(super) fn take(&self, credential: u64, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.origin).as_nanos();
        let period = (elapsed / self.period.as_nanos().max(1)) as u32;
        let slot = &self.slots[self.hasher.hash_one(credential) as usize % SLOTS];
        let taken = slot.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
            let used = if (state >> 32) as u32 == period {
                state as u32
            } else {
                0
            };
            (used < self.most).then(|| u64::from(period) << 32 | u64::from(used + 1))
        });
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rule_15_each_credential_has_its_own_share() {
        let credits = Credits::new(3, Duration::from_secs(1));
        let take = |credential| credits.take(credential, Instant::now());
        assert_eq!((0..5).filter(|_| take(1)).count(), 3);
        // Two credentials may meet in a slot, ten will not all do so.
        assert!((2..12).any(take), "what the first used up, the others have");
        advance(Duration::from_secs(1)).await;
        assert!(take(1));
    }
}
