use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// A distribution of whole numbers, each known to within a factor of two.
#[derive(Clone, Default, Serialize)]
pub struct Distribution {
    /// How many numbers there are of 0, of 1, of 2–3, of 4–7, and so on, up to the last that is not empty.
    buckets: Vec<u64>,
    sum: u64,
}

impl Distribution {
    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The sum of all numbers. A number above 2⁴⁸ counts as 2⁴⁸.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The least power of two (or 0) above which lie at most the share `1 − q` of all numbers; `None` if there are none.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let count = self.count();
        let rank = (q.clamp(0.0, 1.0) * count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.buckets.iter().enumerate().find_map(|(bits, n)| {
            seen += n;
            (count > 0 && seen >= rank).then(|| upper_end(bits))
        })
    }

    /// The greatest number of this many bits, and how many numbers are no greater.
    #[cfg(feature = "metrics")]
    pub(super) fn at_most(&self, bits: u32) -> (u64, u64) {
        let bits = bits as usize;
        (upper_end(bits), self.buckets.iter().take(bits + 1).sum())
    }
}

fn upper_end(bits: usize) -> u64 {
    match bits {
        0 => 0,
        64.. => u64::MAX,
        bits => (1 << bits) - 1,
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distribution")
            .field("count", &self.count())
            .field("median", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .finish()
    }
}

const BUCKETS: usize = 65;

/// So that the sum of many numbers does not overflow.
const GREATEST_IN_SUM: u64 = 1 << 48;

/// A distribution that threads add to.
#[derive(Debug)]
pub(super) struct Counted {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            sum: AtomicU64::new(0),
        }
    }
}

impl Counted {
    pub(super) fn add(&self, number: u64) {
        let bits = (u64::BITS - number.leading_zeros()) as usize;
        self.buckets[bits].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(number.min(GREATEST_IN_SUM), Ordering::Relaxed);
    }

    /// All of them together.
    pub(super) fn total<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Distribution {
        let bucket = |bits: usize| all.clone().map(|one| one.buckets[bits].load(Ordering::Relaxed)).sum();
        let mut buckets: Vec<u64> = (0..BUCKETS).map(bucket).collect();
        while buckets.last() == Some(&0) {
            buckets.pop();
        }
        let sums = all.map(|one| one.sum.load(Ordering::Relaxed));
        Distribution {
            buckets,
            sum: sums.fold(0, u64::saturating_add),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[u64]) -> Distribution {
        let counted = Counted::default();
        numbers.iter().for_each(|number| counted.add(*number));
        Counted::total([&counted].into_iter())
    }

    #[test]
    fn quantiles_of_the_ends() {
        assert_eq!(Distribution::default().quantile(0.5), None);
        let ends = of(&[0, u64::MAX]);
        assert_eq!((ends.quantile(0.0), ends.quantile(1.0)), (Some(0), Some(u64::MAX)));
    }

    #[test]
    fn numbers_are_counted_and_summed() {
        let distribution = of(&[1, 5, 7, 900]);
        assert_eq!((distribution.count(), distribution.sum()), (4, 913));
        assert_eq!(distribution.quantile(0.5), Some(7));
        assert_eq!(of(&[u64::MAX, 1]).sum(), (1 << 48) + 1);
    }
}
