//! Decisions, each with the revisions over which it is known to hold, and the flights that fetch them.
//!
//! [`DecisionCache`] works without HTTP, before any policy engine that knows revisions:
//!
//! ```
//! use std::convert::Infallible;
//! use tower_zookie::cache::{Abilities, Answer, Ask, DecisionCache, Keyer, Part, Settings};
//! use tower_zookie::consistency::Freshness;
//! use tower_zookie::revision::{Counter, Revision, StoreId};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cache = DecisionCache::<bool>::new(Settings::default(), Abilities::versioned())?;
//! let question = Keyer::random().question("example").text(Part::Resource, "repo:rust").finish();
//! let engine = |_: Ask| async {
//!     let revision = Revision::new(StoreId::new(["example"]), Counter(7));
//!     Ok::<_, Infallible>(Answer::at(true, revision))
//! };
//! let first = cache.check(question, &Freshness::any(), engine).await?;
//! let second = cache.check(question, &Freshness::any(), engine).await?;
//! assert!(!first.is_hit() && second.is_hit());
//! assert!(second.value);
//! # Ok(())
//! # }
//! ```

mod ask;
mod bulk;
mod call;
mod check;
mod decision;
mod fingerprint;
mod flights;
#[cfg(feature = "metrics")]
mod metrics;
mod plan;
mod run;
mod settings;
mod stats;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::consistency::Freshness;
use crate::revision::Revision;
use crate::trust::{CallStart, Habits, Source, Standing, Trust};

pub use ask::Ask;
pub use check::{Answer, CheckError, Checked};
pub use decision::Miss;
pub use fingerprint::{Fingerprint, Keyer, Part, Parts};
pub use settings::{Abilities, ByteSize, InvalidSetting, Settings, Told, Untold};
pub use stats::{Distribution, Misses, Stats};

pub(crate) use bulk::{Merge, Served, lowest};
pub(crate) use call::{Item, Purpose, Questions, Turn, Upstream};
pub(crate) use decision::Decision;
pub(crate) use flights::Landed;
pub(crate) use run::Outcome;

use fingerprint::Prehashed;
use flights::{Flights, Place};
use stats::Counters;

/// What a cache holds: how many bytes it takes beside its own size.
pub trait Weigh: Clone + Send + Sync + 'static {
    /// Bytes on the heap that this value alone keeps alive.
    fn heap_bytes(&self) -> usize;
}

impl Weigh for bool {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Weigh for bytes::Bytes {
    fn heap_bytes(&self) -> usize {
        self.len()
    }
}

/// What moka keeps for an entry beside key and value, as measured with 64-bit pointers, and the label's share.
const ENTRY_OVERHEAD: usize = 256;

type Entries<V> = moka::sync::Cache<Fingerprint, Arc<Decision<V>>, Prehashed>;

/// A cache of decisions that answers each request exactly as fresh as it demands.
///
/// There is one newest entry a question; answers to exact reads live apart, in an eighth of the capacity, and never
/// replace the newest. Clones share everything.
pub struct DecisionCache<V>(Arc<Inner<V>>);

struct Inner<V> {
    newest: Entries<V>,
    exact: Entries<V>,
    flights: Arc<Flights<V>>,
    trust: Arc<Trust>,
    keyer: Keyer,
    counters: Counters,
    settings: Settings,
    abilities: Abilities,
}

impl<V> Clone for DecisionCache<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> fmt::Debug for DecisionCache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionCache")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

impl<V: Weigh> DecisionCache<V> {
    /// A cache before a store of these abilities.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] names the setting that makes no sense.
    pub fn new(settings: Settings, abilities: Abilities) -> Result<Self, InvalidSetting> {
        settings.validate()?;
        Ok(Self::valid(settings, abilities))
    }

    /// A cache of settings that are known to make sense.
    pub(crate) fn valid(settings: Settings, abilities: Abilities) -> Self {
        let entries = |capacity: u64| {
            moka::sync::Cache::builder()
                .max_capacity(capacity)
                .weigher(|_, decision: &Arc<Decision<V>>| {
                    let bytes = size_of::<Decision<V>>() + decision.value.heap_bytes() + ENTRY_OVERHEAD;
                    u32::try_from(bytes).unwrap_or(u32::MAX)
                })
                // Frees memory; what may be served is decided by each entry's own instants.
                .time_to_live(settings.time_to_live)
                .build_with_hasher(Prehashed::default())
        };
        let capacity = settings.capacity.get();
        Self(Arc::new(Inner {
            newest: entries(capacity - capacity / 8),
            exact: entries(capacity / 8),
            flights: Flights::new(&settings, abilities.bears_revision),
            trust: Arc::new(Trust::new(
                &settings.window,
                settings.probe_interval,
                settings.token_age,
                Habits {
                    quantizes: abilities.quantizes,
                    newest_head: abilities.newest_head,
                    head_lag: settings.head_lag,
                    reads_exactly: abilities.told == Told::Exactly,
                },
            )),
            keyer: Keyer::random(),
            counters: Counters::default(),
            settings,
            abilities,
        }))
    }

    /// What the cache has done so far.
    pub fn stats(&self) -> Stats {
        let Inner {
            newest,
            exact,
            counters,
            ..
        } = &*self.0;
        newest.run_pending_tasks();
        exact.run_pending_tasks();
        counters.read(
            newest.entry_count() + exact.entry_count(),
            newest.weighted_size() + exact.weighted_size(),
        )
    }

    /// Drops every answer and everything believed about the store, as after a restore.
    pub fn purge(&self) {
        self.0.trust.reset();
        self.0.newest.invalidate_all();
        self.0.exact.invalidate_all();
    }

    /// The newest revision that the store itself told of, if there is a single newest.
    pub fn trusted_revision(&self) -> Option<Revision> {
        self.0.trust.head()
    }

    /// Tells the cache that the store wrote `revision`, and that this process made the write or heard of it from the
    /// store itself. Never call it with a client's token.
    pub fn wrote(&self, revision: &Revision) {
        let start = self.0.trust.begin();
        self.0.trust.learn(&start, revision, Source::Feed);
    }

    /// Ends every answer, as a schema write does.
    pub fn schema_changed(&self) {
        self.0.trust.end_spans();
    }

    /// The questions of one upstream call. Two bulks share a call only if they are the same to the letter.
    pub(crate) fn bulk(&self, each: Arc<[Fingerprint]>, message: &[u8], credential: u64) -> Questions {
        let flight = self.0.keyer.all(&each, message);
        Questions {
            flight,
            each,
            credential,
            can_probe: false,
        }
    }

    /// Whether a token of this revision is surely older than the settings allow.
    pub(crate) fn is_old(&self, revision: &Revision, now: Instant) -> bool {
        self.0.settings.token_age.is_some() && self.0.trust.is_old(revision, now)
    }

    pub(crate) fn trusts(&self, revision: &Revision) -> bool {
        self.0.trust.standing(revision) == Standing::Trusted
    }

    pub(crate) fn is_foreign(&self, revision: &Revision) -> bool {
        self.0.trust.standing(revision) == Standing::Foreign
    }

    /// The age that no answer exceeds.
    pub(crate) fn bound(&self) -> Duration {
        self.0.settings.window.bound()
    }

    /// A place among the flights for another kind of call, such as a write whose caller has left. `None`: all are taken.
    pub(crate) fn place_for(&self, credential: u64) -> Option<Place<V>> {
        self.0.flights.place_for(credential)
    }

    /// How long one upstream call may take.
    pub(crate) fn flight_timeout(&self) -> Duration {
        self.0.settings.flight_timeout
    }

    /// The quantization interval.
    pub(crate) fn interval(&self) -> Duration {
        self.0.settings.window.interval()
    }

    /// The hard end of every entry, counted from its write.
    pub(crate) fn time_to_live(&self) -> Duration {
        self.0.settings.time_to_live
    }

    pub(crate) fn learn_write(&self, start: &CallStart, revision: &Revision) {
        self.0.trust.learn(start, revision, Source::Write);
    }

    pub(crate) fn keyer(&self) -> &Keyer {
        &self.0.keyer
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.0.trust
    }

    /// The answer to `question`, if there is one that satisfies a request that arrived at `now`.
    pub(crate) fn find(
        &self,
        question: Fingerprint,
        freshness: &Freshness,
        now: Instant,
    ) -> Result<Arc<Decision<V>>, Miss> {
        let Inner {
            newest,
            exact,
            trust,
            keyer,
            settings,
            abilities,
            ..
        } = &*self.0;
        if matches!(freshness, Freshness::Full) {
            return Err(Miss::Full);
        }
        let judge = |entry: Option<Arc<Decision<V>>>| {
            let decision = entry.ok_or(Miss::Absent)?;
            decision.satisfies(freshness, now, &settings.window, question.jitter(), trust.epoch())?;
            Ok(decision)
        };
        if matches!(freshness, Freshness::Exact(_)) && !abilities.repeatable_exact {
            return Err(Miss::Exact);
        }
        match (judge(newest.get(&question)), freshness) {
            (Err(_), Freshness::Exact(revision)) => {
                judge(exact.get(&keyer.at(question, revision))).map_err(|_| Miss::Exact)
            }
            (found, _) => found,
        }
    }

    /// [`Self::find`], counted.
    pub(crate) fn look(
        &self,
        question: Fingerprint,
        freshness: &Freshness,
        now: Instant,
    ) -> Result<Arc<Decision<V>>, Miss> {
        let found = self.find(question, freshness, now);
        match &found {
            Ok(decision) => self.0.counters.hit(decision.age(now)),
            Err(why) => self.0.counters.miss(*why),
        }
        found
    }
}
