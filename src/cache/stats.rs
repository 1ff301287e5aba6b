use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::cache::miss::Miss;
use crate::cache::purpose::Purpose;
use crate::shards::Shards;

/// What the cache has done since it was built.
///
/// Hits, coalesced answers and upstream calls are counted apart: they are different savings.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Questions answered from the cache.
    pub hits: u64,
    /// Questions not answered from the cache, by reason.
    pub misses: Misses,
    /// Questions answered by an upstream call that another caller had begun.
    pub coalesced: u64,
    /// Calls made to the upstream for questions, retries and bulks included; a bulk is one call.
    pub upstream_calls: u64,
    /// How many of them only asked how far the store has come.
    pub probes: u64,
    /// How many of them were made in the background, so that entries do not all end at once.
    pub background_reads: u64,
    /// Requests on check routes that went around the cache: unreadable, never stored, or over a limit.
    pub bypassed: u64,
    /// Requests that the layer rejected by itself.
    pub rejected: u64,
    /// Replies whose own headers forbid storing their answers: `Cache-Control`, `Expires`, `Vary`. Some upstreams
    /// send these always, and then nothing is answered from the cache.
    pub not_stored_by_reply: u64,
    /// Replies whose own `max-age` or `Expires` ends their answers before `time_to_live` does.
    pub kept_shorter: u64,
    /// Answers stored now.
    pub entries: u64,
    /// Bytes that they take, keys included.
    pub bytes: u64,
    /// The ages of the answers served from the cache, in microseconds.
    pub age_micros: Distribution,
    /// How many revisions the floors of answered questions lay below the answers, where the store counts them.
    pub token_lag: Distribution,
    /// How often a layer warned of what is wrong, by the warning's name: see [`Warning`](crate::Warning). Empty for a
    /// [`DecisionCache`](crate::cache::DecisionCache).
    pub warnings: BTreeMap<&'static str, u64>,
}

/// Misses by reason. Serialized, it is a map from the reasons' names.
///
/// ```
/// # use tower_zookie::cache::{Miss, Stats};
/// let misses = Stats::default().misses;
/// println!("{} of {} misses were asked for the first time", misses.of(Miss::First), misses.total());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Misses([u64; Miss::ALL.len()]);

impl Misses {
    /// Those of one reason.
    pub fn of(&self, why: Miss) -> u64 {
        self.0[why.index()]
    }

    /// All misses.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Each reason and its misses.
    pub fn iter(&self) -> impl Iterator<Item = (Miss, u64)> + '_ {
        Miss::ALL.iter().copied().zip(self.0)
    }
}

impl Serialize for Misses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(why, number)| (why.name(), number)))
    }
}

/// A distribution of whole numbers, each known to within a factor of two.
#[derive(Clone, Default, Serialize)]
pub struct Distribution {
    /// How many numbers there are of 0, of 1, of 2–3, of 4–7, and so on, up to the last that is not empty.
    buckets: Vec<u64>,
}

impl Distribution {
    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
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

/// Counters that threads write to without meeting one another.
#[derive(Debug)]
pub(crate) struct Counters(Shards<Shard>);

#[derive(Debug)]
struct Shard {
    hits: AtomicU64,
    misses: [AtomicU64; Miss::ALL.len()],
    coalesced: AtomicU64,
    upstream_calls: AtomicU64,
    probes: AtomicU64,
    background_reads: AtomicU64,
    bypassed: AtomicU64,
    rejected: AtomicU64,
    not_stored_by_reply: AtomicU64,
    kept_shorter: AtomicU64,
    ages: [AtomicU64; BUCKETS],
    lags: [AtomicU64; BUCKETS],
}

impl Default for Shard {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            hits: zero(),
            misses: std::array::from_fn(|_| zero()),
            coalesced: zero(),
            upstream_calls: zero(),
            probes: zero(),
            background_reads: zero(),
            bypassed: zero(),
            rejected: zero(),
            not_stored_by_reply: zero(),
            kept_shorter: zero(),
            ages: std::array::from_fn(|_| zero()),
            lags: std::array::from_fn(|_| zero()),
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self(Shards::new(Shard::default))
    }
}

fn bucket(number: u64) -> usize {
    (u64::BITS - number.leading_zeros()) as usize
}

/// Without the division of 128-bit numbers that `as_micros` takes.
fn micros(age: Duration) -> u64 {
    age.as_secs()
        .saturating_mul(1_000_000)
        .saturating_add(u64::from(age.subsec_micros()))
}

fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn hit(&self, age: Duration) {
        let shard = self.0.mine();
        add_one(&shard.hits);
        add_one(&shard.ages[bucket(micros(age))]);
    }

    pub(crate) fn lag(&self, lag: u64) {
        add_one(&self.0.mine().lags[bucket(lag)]);
    }

    pub(crate) fn miss(&self, why: Miss) {
        add_one(&self.0.mine().misses[why.index()]);
    }

    pub(crate) fn coalesced(&self, questions: usize) {
        self.0.mine().coalesced.fetch_add(questions as u64, Ordering::Relaxed);
    }

    pub(crate) fn upstream_call(&self, purpose: Purpose) {
        let shard = self.0.mine();
        add_one(&shard.upstream_calls);
        match purpose {
            Purpose::Probe => add_one(&shard.probes),
            Purpose::Background => add_one(&shard.background_reads),
            Purpose::Answer | Purpose::AnswerAtMore => {}
        }
    }

    pub(crate) fn bypassed(&self) {
        add_one(&self.0.mine().bypassed);
    }

    pub(crate) fn rejected(&self) {
        add_one(&self.0.mine().rejected);
    }

    pub(crate) fn not_stored_by_reply(&self) {
        add_one(&self.0.mine().not_stored_by_reply);
    }

    pub(crate) fn kept_shorter(&self) {
        add_one(&self.0.mine().kept_shorter);
    }

    pub(crate) fn read(&self, entries: u64, bytes: u64) -> Stats {
        let sum = |get: &dyn Fn(&Shard) -> &AtomicU64| -> u64 {
            self.0.iter().map(|shard| get(shard).load(Ordering::Relaxed)).sum()
        };
        let misses = std::array::from_fn(|index| sum(&|shard| &shard.misses[index]));
        let distribution = |get: &dyn Fn(&Shard) -> &[AtomicU64; BUCKETS]| {
            let mut buckets: Vec<u64> = (0..BUCKETS).map(|i| sum(&|shard| &get(shard)[i])).collect();
            while buckets.last() == Some(&0) {
                buckets.pop();
            }
            Distribution { buckets }
        };
        Stats {
            hits: sum(&|shard| &shard.hits),
            misses: Misses(misses),
            coalesced: sum(&|shard| &shard.coalesced),
            upstream_calls: sum(&|shard| &shard.upstream_calls),
            probes: sum(&|shard| &shard.probes),
            background_reads: sum(&|shard| &shard.background_reads),
            bypassed: sum(&|shard| &shard.bypassed),
            rejected: sum(&|shard| &shard.rejected),
            not_stored_by_reply: sum(&|shard| &shard.not_stored_by_reply),
            kept_shorter: sum(&|shard| &shard.kept_shorter),
            entries,
            bytes,
            age_micros: distribution(&|shard| &shard.ages),
            token_lag: distribution(&|shard| &shard.lags),
            warnings: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_all_threads_are_summed() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        counters.hit(Duration::from_micros(5));
                        counters.miss(Miss::Floor);
                    }
                });
            }
        });
        let stats = counters.read(0, 0);
        assert_eq!(stats.hits, 400);
        assert_eq!(stats.misses.of(Miss::Floor), 400);
        assert_eq!(stats.misses.total(), 400);
        assert_eq!(stats.age_micros.count(), 400);
        assert_eq!(stats.age_micros.quantile(0.5), Some(7));
    }

    #[test]
    fn quantiles_of_the_ends() {
        assert_eq!(Distribution::default().quantile(0.5), None);
        let counters = Counters::default();
        counters.lag(0);
        counters.lag(u64::MAX);
        let lag = counters.read(0, 0).token_lag;
        assert_eq!((lag.quantile(0.0), lag.quantile(1.0)), (Some(0), Some(u64::MAX)));
    }
}
