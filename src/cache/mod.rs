//! Decisions, each with the revisions over which it is known to hold, and the flights that fetch them.
//!
//! [`DecisionCache`] works without HTTP, before any policy engine that knows revisions.

mod at_head;
mod bulk;
mod call;
mod check;
mod decision;
mod distribution;
mod entries;
mod fetch;
mod fingerprint;
mod flight;
mod flights;
mod landed;
#[cfg(feature = "metrics")]
mod metrics;
mod miss;
mod movable;
mod object_stats;
mod past;
mod plan;
mod purpose;
mod read_at;
mod run;
mod settings;
mod stats;
mod token_stats;
mod trace;
mod upstream_stats;
mod weigh;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::changes::{ChangeFeed, Examined, FeedCounters, FeedStats, Follower, Following, Memory, Notice};
use crate::consistency::Freshness;
use crate::invalid_setting::InvalidSetting;
use crate::knowledge::{CallStart, Knowledge, Source};
use crate::revision::Revision;

pub use crate::knowledge::{Capabilities, DefaultRead, ReadMode};
pub use check::{Answer, CheckError, Checked};
pub use distribution::Distribution;
pub use fingerprint::{Fingerprint, FingerprintBuilder, Keyer, Part};
pub use miss::{Miss, NotStored};
pub use object_stats::ObjectStats;
pub use read_at::ReadAt;
pub use settings::Settings;
pub use stats::{Misses, ProbeResults, Stats};
pub use token_stats::{RefusedTokens, Tokens};
pub use upstream_stats::UpstreamStats;
pub use weigh::Weigh;

pub(crate) use bulk::{Merge, Served, lowest};
pub(crate) use decision::Decision;
pub(crate) use fetch::{About, Fetch, Item, Questions, Replied, Turn};
pub(crate) use landed::{Landed, lies_below};
pub(crate) use movable::{BoxFuture, OnRuntime, Outliving};
pub(crate) use run::{Demand, Failure, Fetched, Outcome};
pub(crate) use token_stats::{CarriedIn, Refusal};
pub(crate) use trace::{Named, Trace};
pub(crate) use upstream_stats::UpstreamError;

use entries::Entries;
use flights::{Flights, Place};
use past::Past;
use stats::Counters;

/// A cache of decisions that answers each request exactly as fresh as it demands.
///
/// There is one newest entry a question; answers to exact reads live apart, in an eighth of the capacity, and never
/// replace the newest. Clones share everything.
///
/// ```
/// use std::convert::Infallible;
/// use tower_zookie::cache::{Capabilities, Answer, ReadAt, DecisionCache, Keyer, Part, Settings};
/// use tower_zookie::consistency::Freshness;
/// use tower_zookie::revision::{Counter, Revision, StoreId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = DecisionCache::<bool>::new(Settings::default(), Capabilities::versioned())?;
/// let question = Keyer::random().question("example").text(Part::Resource, "repo:rust").finish();
/// let engine = |_: ReadAt| async {
///     let revision = Revision::new(StoreId::new(["example"]), Counter(7));
///     Ok::<_, Infallible>(Answer::at(true, revision))
/// };
/// let first = cache.check(question, &Freshness::any(), engine).await?;
/// let second = cache.check(question, &Freshness::any(), engine).await?;
/// assert!(!first.is_hit() && second.is_hit());
/// assert!(second.value);
/// # Ok(())
/// # }
/// ```
pub struct DecisionCache<V>(Arc<Inner<V>>);

struct Inner<V> {
    /// The newest answer to each question.
    newest: Entries<V>,
    /// Answers to exact reads, by question and revision.
    exact: Entries<V>,
    /// What became of past questions.
    past: Past,
    flights: Arc<Flights<V>>,
    knowledge: Arc<Knowledge>,
    keyer: Keyer,
    counters: Arc<Counters>,
    settings: Settings,
    capabilities: Capabilities,
    pass_through: AtomicBool,
    following: Following,
    feeds: FeedCounters,
    restate: Restate<V>,
}

/// Says a stored answer of another revision. `None` if the answer can't be said of it.
type Restate<V> = Box<dyn Fn(&V, &Revision) -> Option<V> + Send + Sync>;

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

/// A write to the store under way: see [`DecisionCache::begin_write`].
#[derive(Debug)]
#[must_use = "say what was written with `wrote`"]
pub struct Write<'a> {
    knowledge: &'a Knowledge,
    start: CallStart,
}

impl Write<'_> {
    /// The store named this revision in its reply to the write.
    pub fn wrote(self, revision: &Revision) {
        self.knowledge.learn(&self.start, revision, Source::Write);
    }
}

impl<V: Weigh> DecisionCache<V> {
    /// A cache before a store of these capabilities.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] names the setting that makes no sense.
    pub fn new(settings: Settings, capabilities: Capabilities) -> Result<Self, InvalidSetting> {
        settings.validate()?;
        Ok(Self::valid(settings, capabilities, |value, _| Some(value.clone())))
    }

    /// A cache of settings that are known to make sense. `restate` says a stored answer of another revision, and returns
    /// `None` if the answer can't be said of it.
    pub(crate) fn valid(
        settings: Settings,
        capabilities: Capabilities,
        restate: impl Fn(&V, &Revision) -> Option<V> + Send + Sync + 'static,
    ) -> Self {
        let capacity = settings.capacity.get();
        Self(Arc::new(Inner {
            newest: Entries::new(capacity - capacity / 8, &settings),
            exact: Entries::new(capacity / 8, &settings),
            past: Past::new(settings.miss_memory.get()),
            flights: Flights::new(&settings, capabilities.names_revisions),
            knowledge: Arc::new(Knowledge::new(&settings.knowledge(), capabilities)),
            keyer: Keyer::random(),
            counters: Arc::default(),
            settings,
            capabilities,
            pass_through: AtomicBool::new(false),
            following: Following::default(),
            feeds: FeedCounters::default(),
            restate: Box::new(restate),
        }))
    }

    /// Follows a change feed of the store, so that answers stay true until a change concerns them. Goes on for ever, until it
    /// is dropped: when the feed ends it is opened again where it left off, after a pause of half a second that doubles up to
    /// half a minute.
    ///
    /// An answer can be told apart from the changes that do not concern it if [`Answer::about`] says what it answers, and the
    /// feed has a schema. Otherwise every change ends it.
    ///
    /// Where a feed is complete, and reads of the store repeat, an answer counts as true from its own revision through the
    /// newest revision up to which the feed has reported everything. A feed is followed once for each tenant; another one of
    /// the same tenant takes its place.
    pub async fn follow<F: ChangeFeed>(&self, feed: F) -> Infallible {
        self.follow_and_notify(feed, &|notice: Notice| notice.log()).await
    }

    pub(crate) async fn follow_and_notify<F: ChangeFeed>(
        &self,
        feed: F,
        notify: &(dyn Fn(Notice) + Send + Sync),
    ) -> Infallible {
        let follower = Follower {
            feed,
            following: &self.0.following,
            knowledge: &self.0.knowledge,
            counters: &self.0.feeds,
            memory: Memory {
                stamps: self.0.settings.change_memory.get(),
                structure: self.0.settings.structure,
            },
            notify,
        };
        follower.run().await
    }

    /// Whether a feed is followed.
    pub(crate) fn follows(&self) -> bool {
        !self.0.following.is_empty()
    }

    /// What was heard from change feeds.
    pub(crate) fn feed_stats(&self) -> FeedStats {
        let now = Instant::now();
        let frontiers = self.0.following.frontiers();
        let lag = |frontier: &Revision| {
            let fresh = self.0.knowledge.freshness(frontier, now).any?;
            Some(now.saturating_duration_since(fresh).as_secs_f64())
        };
        FeedStats {
            followed: frontiers.len() as u64,
            ready: self.0.following.ready(),
            structure: self.0.following.structure(),
            lag_seconds: frontiers.iter().filter_map(lag).reduce(f64::max),
            ..self.0.feeds.read()
        }
    }

    /// What the cache has done so far.
    pub fn stats(&self) -> Stats {
        let ((newest, newest_bytes), (exact, exact_bytes)) = (self.0.newest.size(), self.0.exact.size());
        Stats {
            entries: newest + exact,
            bytes: newest_bytes + exact_bytes,
            capacity: self.0.settings.capacity.get(),
            evictions: self.0.newest.evictions() + self.0.exact.evictions(),
            flights: self.0.flights.count() as u64,
            pass_through: self.passes_through(),
            feeds: self.feed_stats(),
            ..self.0.counters.read()
        }
    }

    /// Drops every answer and everything known about the store, as after a restore.
    pub fn purge(&self) {
        self.0.knowledge.reset();
        self.0.newest.clear();
        self.0.exact.clear();
    }

    /// Whether requests are to go around the cache.
    pub(crate) fn passes_through(&self) -> bool {
        self.0.pass_through.load(Ordering::Relaxed)
    }

    /// Ends all answers when it is switched on, and once more when it is switched off. So neither an answer from before is
    /// served afterwards, nor that of a call that was under way at a switch. What is known about the store stays: writes
    /// and feeds go on to teach it.
    pub(crate) fn set_pass_through(&self, on: bool) {
        if self.0.pass_through.swap(on, Ordering::Relaxed) == on {
            return;
        }
        self.0.knowledge.end_answers();
        self.0.newest.clear();
        self.0.exact.clear();
    }

    /// The newest revision that the store itself named, if there is a single newest.
    pub fn newest_revision(&self) -> Option<Revision> {
        self.0.knowledge.newest()
    }

    /// To be called just before a write to the store. What the store names in its reply then says how fresh it is, too.
    ///
    /// ```
    /// # use tower_zookie::InvalidSetting;
    /// # use tower_zookie::cache::{Capabilities, DecisionCache, Settings};
    /// # use tower_zookie::revision::{Counter, Revision, StoreId};
    /// # fn main() -> Result<(), InvalidSetting> {
    /// let cache = DecisionCache::<bool>::new(Settings::default(), Capabilities::versioned())?;
    /// let write = cache.begin_write();
    /// let written = Revision::new(StoreId::new(["example"]), Counter(8)); // by the store
    /// write.wrote(&written);
    /// # Ok(())
    /// # }
    /// ```
    pub fn begin_write(&self) -> Write<'_> {
        let knowledge = self.knowledge();
        Write {
            knowledge,
            start: knowledge.begin(),
        }
    }

    /// Says that the store wrote `revision`, where the store itself reported the write without its time. Never call it with a client's token.
    pub fn wrote(&self, revision: &Revision) {
        let start = self.0.knowledge.begin();
        self.0.knowledge.learn(&start, revision, Source::Feed);
    }

    /// Ends every answer, as a schema write does.
    pub fn schema_changed(&self) {
        self.0.knowledge.end_answers();
    }

    /// The questions of one upstream call. Two bulks share a call only if they are the same to the letter.
    pub(crate) fn questions(&self, each: Arc<[Fingerprint]>, message: &[u8], credential: u64) -> Questions {
        let flight = self.0.keyer.all(&each, message);
        Questions::several(each, flight, credential)
    }

    /// Whether a token of this revision is surely older than the settings allow.
    pub(crate) fn is_old(&self, revision: &Revision, now: Instant) -> bool {
        self.0.settings.token_age.is_some() && self.0.knowledge.is_old(revision, now)
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
        self.0.knowledge.learn(start, revision, Source::Write);
    }

    pub(crate) fn keyer(&self) -> &Keyer {
        &self.0.keyer
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn knowledge(&self) -> &Knowledge {
        &self.0.knowledge
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
            knowledge,
            keyer,
            settings,
            capabilities,
            ..
        } = &*self.0;
        if matches!(freshness, Freshness::Full) {
            return Err(Miss::Full);
        }
        let judge = |entry: &Decision<V>| {
            entry.satisfies(freshness, now, &settings.window, question.jitter(), knowledge.epoch())
        };
        let suits = |entry: &Arc<Decision<V>>| judge(entry).is_ok();
        if matches!(freshness, Freshness::Exact(_)) && !capabilities.reads_repeat {
            return Err(Miss::Exact);
        }
        let entry = newest.get(question);
        let Some(entry) = entry else {
            return match freshness {
                Freshness::Exact(revision) => {
                    let exactly = exact.get(keyer.at(question, revision));
                    exactly.filter(suits).ok_or(Miss::Exact)
                }
                _ => Err(Miss::Absent),
            };
        };
        match (judge(&entry), freshness) {
            (Ok(()), Freshness::Exact(revision)) => self.said_of(entry, revision).ok_or(Miss::Exact),
            (Err(_), Freshness::Exact(revision)) => {
                let exactly = exact.get(keyer.at(question, revision)).filter(suits);
                let exactly = exactly.or_else(|| self.within(&entry, revision));
                exactly.filter(suits).ok_or(Miss::Exact)
            }
            (judged @ (Ok(()) | Err(Miss::Floor | Miss::Age)), _) => {
                if entry.examine(|| knowledge.history()) == Examined::Ended {
                    return Err(Miss::Changed);
                }
                let Err(why) = judged else { return Ok(entry) };
                let renewed = self.renew(question, &entry, freshness);
                renewed.filter(suits).ok_or(why)
            }
            (Err(why), _) => Err(why),
        }
    }

    /// The entry with more that is known of it: that it holds through the frontier of the feed, or that it covers a newer
    /// watermark. `None` if there is nothing new that could help.
    fn renew(
        &self,
        question: Fingerprint,
        entry: &Arc<Decision<V>>,
        freshness: &Freshness,
    ) -> Option<Arc<Decision<V>>> {
        let Inner { knowledge, .. } = &*self.0;
        let label = entry.label()?;
        let covers = |revision: &Revision| match freshness {
            Freshness::AtLeast { floors, .. } => floors.iter().all(|floor| *revision >= floor.revision),
            Freshness::Exact(_) | Freshness::Full => false,
        };
        let frontier = entry.frontier(knowledge.history());
        let frontier = frontier.filter(|frontier| frontier > label && covers(frontier));
        let extended = frontier.and_then(|frontier| {
            let value = (self.0.restate)(&entry.value, &frontier)?;
            let fresh = knowledge.freshness(&frontier, entry.began).or_later(entry.fresh);
            self.0.feeds.extended();
            Some(entry.extended(value, frontier, fresh))
        });
        let renewed = extended.or_else(|| {
            let fresh = knowledge.freshness(label, entry.began).or_later(entry.fresh);
            (fresh != entry.fresh).then(|| entry.renewed(fresh))
        });
        let renewed = Arc::new(renewed?);
        self.0.newest.update(question, |current| {
            // A newer answer may have come in between.
            let unchanged = current.is_some_and(|current| Arc::ptr_eq(current, entry));
            unchanged.then(|| Arc::clone(&renewed))
        });
        Some(renewed)
    }

    /// The entry as the answer at exactly `revision`, if the feed shows that it holds there.
    fn within(&self, entry: &Arc<Decision<V>>, revision: &Revision) -> Option<Arc<Decision<V>>> {
        let frontier = entry.frontier(self.0.knowledge.history())?;
        let holds = entry.would_hold_at(revision, &frontier);
        holds.then(|| self.said_of(Arc::clone(entry), revision))?
    }

    /// The entry as the answer at exactly `revision`, where it holds.
    fn said_of(&self, entry: Arc<Decision<V>>, revision: &Revision) -> Option<Arc<Decision<V>>> {
        if entry.label() == Some(revision) {
            return Some(entry);
        }
        let value = (self.0.restate)(&entry.value, revision)?;
        Some(Arc::new(entry.extended(value, revision.clone(), entry.fresh)))
    }

    /// Why there is no answer, where [`Self::find`] says no more than that there is none. Notes that the question is about to
    /// be asked.
    pub(crate) fn why_missed(&self, question: Fingerprint, miss: Miss, now: Instant) -> Miss {
        match miss {
            Miss::Absent => self.0.past.why_absent(question, now, self.0.knowledge.epoch()),
            known => known,
        }
    }

    /// Why there is no answer, as far as it is remembered. Nothing is noted.
    pub(crate) fn peek_why(&self, question: Fingerprint, now: Instant) -> Miss {
        self.0.past.peek(question, now, self.0.knowledge.epoch())
    }

    /// The newest answer that is stored.
    pub(crate) fn newest(&self, question: Fingerprint) -> Option<Arc<Decision<V>>> {
        self.0.newest.get(question)
    }

    /// Whether the same question has an answer that is stored for another credential.
    pub(crate) fn is_stored_for_another(&self, without_credential: Fingerprint, question: Fingerprint) -> bool {
        let is_stored = |other| self.0.newest.contains(other);
        self.0.past.asked_by_another(without_credential, question, is_stored)
    }

    /// Counts what was found for `question`.
    pub(crate) fn count(&self, question: Fingerprint, found: Result<&Decision<V>, Miss>, now: Instant) {
        match found {
            Ok(decision) => self.0.counters.hit(decision.age(now)),
            Err(why) => {
                self.0.counters.miss(why);
                tracing::debug!(?question, reason = why.name(), "the cache has no answer");
            }
        }
    }

    /// [`Self::find`], with its reason, and counted.
    pub(crate) fn look(
        &self,
        question: Fingerprint,
        freshness: &Freshness,
        now: Instant,
    ) -> Result<Arc<Decision<V>>, Miss> {
        let found = self.find(question, freshness, now);
        let found = found.map_err(|miss| self.why_missed(question, miss, now));
        self.count(question, found.as_deref().map_err(|why| *why), now);
        found
    }
}
