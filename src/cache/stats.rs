use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::cache::distribution::{Counted, Distribution};
use crate::cache::miss::Miss;
use crate::cache::object_stats::ObjectStats;
use crate::cache::purpose::Purpose;
use crate::cache::token_stats::{CarriedIn, Refusal, RefusedTokens, TokenCounters, Tokens};
use crate::cache::upstream_stats::{UpstreamCounters, UpstreamError, UpstreamStats, micros};
use crate::changes::FeedStats;
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
    /// Questions of fully consistent requests answered from the cache, after a head read: see
    /// [`prove_at_head`](crate::cache::Settings::prove_at_head).
    pub proven: u64,
    /// Calls made to the upstream for questions, retries and bulks included; a bulk is one call.
    pub upstream_calls: u64,
    /// How many of them only asked how far the store has come.
    pub probes: u64,
    /// How many probes have ended, by result.
    pub probe_results: ProbeResults,
    /// How many of them were made in the background, so that entries do not all end at once.
    pub background_reads: u64,
    /// Requests on check routes that went around the cache: unreadable, never stored, or over a limit.
    pub bypassed: u64,
    /// Requests that the protocol does not claim. The layer passed them on.
    pub passed: u64,
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
    /// How many bytes they may take.
    pub capacity: u64,
    /// Answers that were dropped because the capacity was used up.
    pub evictions: u64,
    /// Flights under way now: calls that several callers can share, and writes whose callers have left.
    pub flights: u64,
    /// Whether every request is forwarded now: see [`Handle::set_pass_through`](crate::Handle::set_pass_through).
    pub pass_through: bool,
    /// The tokens of requests, by carrier.
    pub tokens: Tokens,
    /// Those of them with a right signature, by carrier.
    pub tokens_signed: Tokens,
    /// The tokens that the layer could not use, by reason.
    pub tokens_refused: RefusedTokens,
    /// How long ago the tokens with a right signature were issued, in seconds.
    pub token_age_seconds: Distribution,
    /// Calls to the upstream: how long they took, and how they failed.
    pub upstream: UpstreamStats,
    /// The ages of the answers served from the cache, in microseconds.
    pub age_micros: Distribution,
    /// How many revisions the floors of answered questions lay below the answers, where the store counts them.
    pub token_lag: Distribution,
    /// How often a layer warned of what is wrong, by the warning's name: see [`Warning`](crate::Warning). Empty for a
    /// [`DecisionCache`](crate::cache::DecisionCache).
    pub warnings: BTreeMap<&'static str, u64>,
    /// What a layer did with the tokens of objects. `None` where it remembers none.
    pub objects: Option<ObjectStats>,
    /// What was heard from change feeds.
    pub feeds: FeedStats,
    /// The version of this crate.
    pub version: &'static str,
}

/// Probes by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProbeResults {
    /// The store named a revision.
    pub named: u64,
    /// It named none, or did not answer in time.
    pub failed: u64,
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

/// Counters that threads write to without meeting one another.
#[derive(Debug)]
pub(crate) struct Counters(Shards<Shard>);

#[derive(Debug)]
struct Shard {
    misses: [AtomicU64; Miss::ALL.len()],
    coalesced: AtomicU64,
    proven: AtomicU64,
    upstream_calls: AtomicU64,
    probes: AtomicU64,
    probes_named: AtomicU64,
    probes_failed: AtomicU64,
    background_reads: AtomicU64,
    bypassed: AtomicU64,
    passed: AtomicU64,
    rejected: AtomicU64,
    not_stored_by_reply: AtomicU64,
    kept_shorter: AtomicU64,
    ages: Counted,
    lags: Counted,
    tokens: TokenCounters,
    upstream: UpstreamCounters,
}

impl Default for Shard {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            misses: std::array::from_fn(|_| zero()),
            coalesced: zero(),
            proven: zero(),
            upstream_calls: zero(),
            probes: zero(),
            probes_named: zero(),
            probes_failed: zero(),
            background_reads: zero(),
            bypassed: zero(),
            passed: zero(),
            rejected: zero(),
            not_stored_by_reply: zero(),
            kept_shorter: zero(),
            ages: Counted::default(),
            lags: Counted::default(),
            tokens: TokenCounters::default(),
            upstream: UpstreamCounters::default(),
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self(Shards::new(Shard::default))
    }
}

fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn hit(&self, age: Duration) {
        // The ages' count is the hits' count.
        self.0.mine().ages.add(micros(age));
    }

    pub(crate) fn lag(&self, lag: u64) {
        self.0.mine().lags.add(lag);
    }

    pub(crate) fn miss(&self, why: Miss) {
        add_one(&self.0.mine().misses[why.index()]);
    }

    pub(crate) fn coalesced(&self, questions: usize) {
        self.0.mine().coalesced.fetch_add(questions as u64, Ordering::Relaxed);
    }

    pub(crate) fn proven(&self, questions: usize) {
        self.0.mine().proven.fetch_add(questions as u64, Ordering::Relaxed);
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

    pub(crate) fn probed(&self, named: bool) {
        let shard = self.0.mine();
        add_one(if named {
            &shard.probes_named
        } else {
            &shard.probes_failed
        });
    }

    pub(crate) fn passed(&self) {
        add_one(&self.0.mine().passed);
    }

    pub(crate) fn token(&self, place: CarriedIn) {
        self.0.mine().tokens.carried(place);
    }

    /// Counts a token with a right signature, which was issued so many seconds ago.
    pub(crate) fn token_signed(&self, place: CarriedIn, age: u64) {
        self.0.mine().tokens.signed(place, age);
    }

    pub(crate) fn token_refused(&self, why: Refusal) {
        self.0.mine().tokens.refused(why);
    }

    pub(crate) fn upstream_replied(&self, after: Duration) {
        self.0.mine().upstream.replied(after);
    }

    pub(crate) fn upstream_failed(&self, error: UpstreamError) {
        self.0.mine().upstream.failed(error);
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

    /// All that is counted here. What the cache knows of its present state is left at its default.
    pub(crate) fn read(&self) -> Stats {
        let sum = |get: &dyn Fn(&Shard) -> &AtomicU64| -> u64 {
            self.0.iter().map(|shard| get(shard).load(Ordering::Relaxed)).sum()
        };
        let misses = std::array::from_fn(|index| sum(&|shard| &shard.misses[index]));
        let age_micros = Counted::total(self.0.iter().map(|shard| &shard.ages));
        let (tokens, tokens_signed, tokens_refused) = TokenCounters::total(&self.0.iter().map(|shard| &shard.tokens));
        Stats {
            hits: age_micros.count(),
            misses: Misses(misses),
            coalesced: sum(&|shard| &shard.coalesced),
            proven: sum(&|shard| &shard.proven),
            upstream_calls: sum(&|shard| &shard.upstream_calls),
            probes: sum(&|shard| &shard.probes),
            probe_results: ProbeResults {
                named: sum(&|shard| &shard.probes_named),
                failed: sum(&|shard| &shard.probes_failed),
            },
            background_reads: sum(&|shard| &shard.background_reads),
            bypassed: sum(&|shard| &shard.bypassed),
            passed: sum(&|shard| &shard.passed),
            rejected: sum(&|shard| &shard.rejected),
            not_stored_by_reply: sum(&|shard| &shard.not_stored_by_reply),
            kept_shorter: sum(&|shard| &shard.kept_shorter),
            age_micros,
            token_lag: Counted::total(self.0.iter().map(|shard| &shard.lags)),
            tokens,
            tokens_signed,
            tokens_refused,
            token_age_seconds: Counted::total(self.0.iter().map(|shard| &shard.tokens.ages)),
            upstream: UpstreamCounters::total(&self.0.iter().map(|shard| &shard.upstream)),
            version: env!("CARGO_PKG_VERSION"),
            ..Stats::default()
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
        let stats = counters.read();
        assert_eq!(stats.hits, 400);
        assert_eq!(stats.misses.of(Miss::Floor), 400);
        assert_eq!(stats.misses.total(), 400);
        assert_eq!(stats.age_micros.count(), 400);
        assert_eq!(stats.age_micros.quantile(0.5), Some(7));
    }
}
