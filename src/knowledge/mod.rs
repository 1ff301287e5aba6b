//! What is known about the store: named revisions, watermarks, epochs, head reads.
//!
//! A client's token can only raise that client's floor. What the layer knows comes from the store's own replies. Three
//! facts about a revision answer everything: is it *named* (equal to one that the store named, or a join of such), is it
//! *settled* (covered by a named one), and how fresh is it (the newest *watermark* that it covers).

mod capabilities;
mod claim;
mod credits;
mod learn;
mod named;
mod probe;
mod probes;
mod start;
mod vouched;
mod watermarks;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::consistency::{Floors, Window};
use crate::revision::{Revision, StoreId};

pub use capabilities::{Capabilities, DefaultRead, ReadMode};
pub(crate) use claim::Claim;
pub(crate) use probe::{ProbeTurn, Probing};
pub(crate) use start::CallStart;
pub(crate) use watermarks::{Instants, Source};

use credits::Credits;
use named::NamedRevisions;
use probes::Probes;
use watermarks::{Watermark, Watermarks};

/// How many incomparable revisions are remembered as the newest. Forgetting one costs a head read, never correctness.
const MOST_NEWEST: usize = 16;

/// While there is traffic, a background read is made at most this often within the age bound.
const BACKGROUND_READS_PER_BOUND: u32 = 4;

/// How much is to be known, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct KnowledgeSettings {
    pub(crate) window: Window,
    pub(crate) max_head_reads: u32,
    pub(crate) background_reads: bool,
    pub(crate) probe_interval: Duration,
    pub(crate) head_lag: Duration,
    pub(crate) token_age: Option<Duration>,
}

/// What is known about one store.
#[derive(Debug)]
pub(crate) struct Knowledge {
    /// Beside the state, so that a hit compares epochs without a lock.
    epoch: AtomicU64,
    /// Counts up when the store gets another history: it was replaced, restored, or may have been. A schema write ends an
    /// epoch within one history.
    history: AtomicU64,
    /// When this history began, in seconds since 1970. 0 for the first one, which began before this process.
    history_began: AtomicU64,
    /// The instant of the newest watermark, and of the last background read, in nanoseconds since `origin`, plus one.
    newest_watermark: AtomicU64,
    background_read: AtomicU64,
    origin: Instant,
    state: Mutex<State>,
    head_reads: Credits,
    pub(crate) facts: Capabilities,
    interval: Duration,
    bound: Duration,
    head_lag: Duration,
    background_reads: bool,
}

#[derive(Debug)]
struct State {
    store: Option<StoreId>,
    named: NamedRevisions,
    /// Those that it named to other replicas, as signed tokens say.
    vouched: NamedRevisions,
    named_count: u64,
    newest: Arc<[Revision]>,
    watermarks: Watermarks,
    /// The first default read's watermark of a window, and the window's number.
    shared: Option<(u128, Revision)>,
    /// When the first head read began that lacked what was known. No watermark is made until a head has it again.
    behind_since: Option<Instant>,
    /// The newest revisions of the histories that a restored store has lost.
    lost: Vec<Revision>,
    probes: Probes,
}

impl State {
    fn know(&mut self, revision: &Revision) {
        if self.newest.iter().any(|known| known >= revision) {
            return;
        }
        let mut newest: Vec<_> = self
            .newest
            .iter()
            .filter(|known| !revision.is_at_or_after(known))
            .cloned()
            .collect();
        newest.truncate(MOST_NEWEST - 1);
        newest.insert(0, revision.clone());
        self.newest = newest.into();
    }

    /// Whether `revision` is named, or the join of named ones.
    fn is_named(&self, revision: &Revision) -> bool {
        if self.named.get(revision).is_some() || self.vouched.get(revision).is_some() {
            return true;
        }
        is_join(self.newest.iter().chain(self.watermarks.revisions()), revision)
    }

    fn freshness(&self, revision: &Revision, began: Option<Instant>) -> Instants {
        let own = self.named.get(revision).map(|named| named.instants(began));
        let covered = self.watermarks.freshness(revision, began);
        covered.or_later(own.unwrap_or_default())
    }

    /// Whether the revision is the join of those that were known when a call began. One that is named is none.
    fn is_join_before(&self, revision: &Revision, start: &CallStart) -> bool {
        self.named.get(revision).is_none() && is_join(start.newest(), revision)
    }

    fn forget_all(&mut self) {
        self.named.clear();
        self.vouched.clear();
        self.newest = Arc::new([]);
        self.watermarks.clear();
        self.shared = None;
        self.behind_since = None;
    }
}

impl Knowledge {
    pub(crate) fn new(settings: &KnowledgeSettings, facts: Capabilities) -> Self {
        let bound = settings.window.bound();
        Self {
            epoch: AtomicU64::new(0),
            history: AtomicU64::new(0),
            history_began: AtomicU64::new(0),
            newest_watermark: AtomicU64::new(0),
            background_read: AtomicU64::new(0),
            origin: Instant::now(),
            state: Mutex::new(State {
                store: None,
                named: NamedRevisions::default(),
                vouched: NamedRevisions::default(),
                named_count: 0,
                newest: Arc::new([]),
                watermarks: Watermarks::new(bound, settings.token_age),
                shared: None,
                behind_since: None,
                lost: Vec::new(),
                probes: Probes::new(settings.probe_interval),
            }),
            head_reads: Credits::new(settings.max_head_reads, Duration::from_secs(1)),
            facts,
            interval: settings.window.interval(),
            bound,
            head_lag: settings.head_lag,
            background_reads: settings.background_reads && facts.names_revisions,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The number of the store's history.
    pub(crate) fn history(&self) -> u64 {
        self.history.load(Ordering::Acquire)
    }

    /// To be called just before an upstream call.
    pub(crate) fn begin(&self) -> CallStart {
        let state = self.state();
        CallStart {
            began: Instant::now(),
            epoch: self.epoch(),
            named: state.named_count,
            newest: Arc::clone(&state.newest),
        }
    }

    /// Whether the store is known, and is another one than the revision's.
    pub(crate) fn is_foreign(&self, revision: &Revision) -> bool {
        let state = self.state();
        state.store.as_ref().is_some_and(|store| store != revision.store())
    }

    /// Whether the store is known, and is the revision's.
    pub(crate) fn is_of_known_store(&self, revision: &Revision) -> bool {
        let state = self.state();
        state.store.as_ref().is_some_and(|store| store == revision.store())
    }

    /// Whether the store named this revision, here or to another replica, or revisions of which it is the join.
    pub(crate) fn is_named(&self, revision: &Revision) -> bool {
        self.state().is_named(revision)
    }

    pub(crate) fn named_before(&self, revision: &Revision, start: &CallStart) -> bool {
        let state = self.state();
        let known = [state.named.get(revision), state.vouched.get(revision)];
        let mut named = known.into_iter().flatten();
        named.any(|named| named.before(start.named)) || state.is_join_before(revision, start)
    }

    /// Whether a read at `revision` gives the same answer every time.
    pub(crate) fn settles(&self, revision: &Revision) -> bool {
        self.state().newest.iter().any(|known| known.settles(revision))
    }

    /// Whether a named revision covers this one: the store has passed it.
    pub(crate) fn has_passed(&self, revision: &Revision) -> bool {
        self.state().newest.iter().any(|known| known >= revision)
    }

    /// The newest named revision, if there is one that covers all others.
    pub(crate) fn newest(&self) -> Option<Revision> {
        match &*self.state().newest {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// Whether `revision` is surely older than tokens may be.
    pub(crate) fn is_old(&self, revision: &Revision, now: Instant) -> bool {
        self.state().watermarks.is_old(revision, now)
    }

    /// How fresh an answer at `revision` is whose call began at `began`.
    pub(crate) fn freshness(&self, revision: &Revision, began: Instant) -> Instants {
        self.state().freshness(revision, self.unless_repeating(began))
    }

    fn unless_repeating(&self, began: Instant) -> Option<Instant> {
        (!self.facts.reads_repeat).then_some(began)
    }

    fn nanos(&self, instant: Instant) -> u64 {
        // Enough for five centuries.
        instant.saturating_duration_since(self.origin).as_nanos() as u64
    }

    /// The number of the window that an instant lies in.
    fn window(&self, at: Instant) -> u128 {
        at.saturating_duration_since(self.origin).as_nanos() / self.interval.as_nanos().max(1)
    }

    /// The revision at which the reads of this window share answers, if one covers all of `floors`: the first that a default
    /// read gave, or where that does not cover them the first other one.
    pub(crate) fn shared(&self, floors: &Floors, now: Instant) -> Option<Revision> {
        let state = self.state();
        let covers = |revision: &Revision| floors.iter().all(|floor| *revision >= floor.revision);
        let window = self.window(now);
        if let Some((shared, revision)) = &state.shared
            && *shared == window
            && covers(revision)
        {
            return Some(revision.clone());
        }
        let in_window = |known: &&Watermark| known.began.is_some_and(|began| self.window(began) == window);
        let mut others = state.watermarks.iter().filter(in_window);
        others
            .find(|known| covers(&known.revision))
            .map(|known| known.revision.clone())
    }

    /// Whether the store named `revision`, and it covers a watermark within the age bound.
    pub(crate) fn is_named_and_fresh(&self, revision: &Revision, now: Instant) -> bool {
        let state = self.state();
        // Where reads do not repeat, the read to come covers all watermarks at or below its revision.
        let freshest = state.freshness(revision, None).any;
        state.is_named(revision) && freshest.is_some_and(|at| now.saturating_duration_since(at) <= self.interval)
    }

    /// One of the newest named revisions that covers all of `floors` and a watermark within the age bound.
    pub(crate) fn newest_covering(&self, floors: &Floors, now: Instant) -> Option<Revision> {
        let newest = Arc::clone(&self.state().newest);
        let covers = |known: &&Revision| floors.iter().all(|floor| known.is_at_or_after(&floor.revision));
        let mut covering = newest.iter().filter(covers);
        covering.find(|known| self.is_named_and_fresh(known, now)).cloned()
    }

    /// Forgets that reads share `rejected`, after the store rejected to answer there.
    pub(crate) fn forget_shared(&self, rejected: &Revision) {
        let mut state = self.state();
        state.shared.take_if(|(_, shared)| shared == rejected);
        state.watermarks.forget(rejected);
    }

    /// Whether this credential may cause one more head read for a token that is not named.
    pub(crate) fn may_read_head(&self, credential: u64, now: Instant) -> bool {
        self.head_reads.take(credential, now)
    }

    /// Whether it is time for a background read, which then is the caller's to make: the newest watermark is older than half
    /// the bound.
    pub(crate) fn wants_background_read(&self, now: Instant) -> bool {
        let newest = self.newest_watermark.load(Ordering::Acquire);
        let now = self.nanos(now) + 1;
        let young = newest > 0 && now.saturating_sub(newest) <= nanos_of(self.bound / 2);
        if young || !self.background_reads {
            return false;
        }
        let last = self.background_read.load(Ordering::Acquire);
        let due = last == 0 || now.saturating_sub(last) >= nanos_of(self.bound / BACKGROUND_READS_PER_BOUND);
        due && self
            .background_read
            .compare_exchange(last, now, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// The head of the store, where a call that began at `arrived` or later named it.
    pub(crate) fn head_since(&self, arrived: Instant) -> Option<Revision> {
        let state = self.state();
        let since = |known: &&Watermark| known.source == Source::Head && known.began >= Some(arrived);
        let newest = state.watermarks.iter().filter(since).last();
        newest.map(|known| known.revision.clone())
    }

    /// Whether a head read lacked what was known, and no other one has had it since.
    pub(crate) fn is_behind(&self) -> bool {
        self.state().behind_since.is_some()
    }

    /// Drops everything known, as after a restore. Replies to calls that began before are not stored.
    pub(crate) fn reset(&self) {
        let mut state = self.state();
        self.start_epoch(&mut state);
        state.store = None;
    }

    /// Ends every answer, as a schema write does, but what is known of revisions stays.
    pub(crate) fn end_answers(&self) {
        let mut state = self.state();
        self.epoch.fetch_add(1, Ordering::AcqRel);
        state.shared = None;
    }
}

/// Whether `revision` is the join of those of `known` that it covers.
fn is_join<'a>(known: impl Iterator<Item = &'a Revision>, revision: &Revision) -> bool {
    let below = known.filter(|known| *known <= revision).cloned();
    let joined = below.reduce(|a, b| a.join(&b).unwrap_or(a));
    joined.is_some_and(|joined| joined == *revision)
}

fn nanos_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
