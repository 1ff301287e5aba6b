//! What the store itself told us: trusted revisions, epochs, windows and head probes.
//!
//! A client's token can only raise that client's floor. What the layer *believes* about the store comes from the store
//! unasked: the reply to a write, to a call that bore no token and no cursor, to a head probe. A revision is trusted
//! when a revision so learned covers it.

mod label;
mod marks;
mod probe;
mod window;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::consistency::Window;
use crate::revision::{Revision, StoreId};

pub(crate) use label::label;
pub(crate) use probe::{ProbeTurn, Probing};
pub(crate) use window::WindowRevision;

use marks::Marks;
use probe::Probes;
use window::Windows;

/// How many incomparable revisions are remembered as trusted. Forgetting one costs a probe, never correctness.
const MAX_TRUSTED: usize = 16;

/// Where a learned revision came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The reply to a write.
    Write,
    /// The reply to a read that told the store no revision.
    Unasked,
    /// The reply to a fully consistent read.
    Head,
    /// The change feed, or whoever heard of a write otherwise. How fresh the revision is, nobody says.
    Feed,
}

/// What the layer knew when an upstream call began.
#[derive(Clone, Debug)]
pub(crate) struct CallStart {
    pub(crate) began: Instant,
    pub(crate) epoch: u64,
    trusted: Arc<[Known]>,
}

/// A trusted revision, and when the store told of it.
#[derive(Clone, Debug)]
struct Known {
    revision: Revision,
    since: Instant,
    /// A read at the revision lacks nothing that had happened before this instant.
    as_of: Option<Instant>,
}

impl CallStart {
    /// Whether `revision` was trusted before the call began.
    pub(crate) fn trusts(&self, revision: &Revision) -> bool {
        covered(&self.trusted, revision)
    }

    pub(crate) fn trusted(&self) -> impl Iterator<Item = &Revision> {
        self.trusted.iter().map(|known| &known.revision)
    }

    /// Whether a read at `revision` gives the same answer every time from then on.
    pub(crate) fn settles(&self, revision: &Revision) -> bool {
        self.trusted().any(|known| known.settles(revision))
    }

    /// The instant before which nothing happened that a read at `revision` lacks, where that is known.
    pub(crate) fn as_of(&self, revision: &Revision) -> Option<Instant> {
        let mut known = self.trusted.iter().filter(|known| known.revision == *revision);
        known.find_map(|known| known.as_of)
    }
}

fn covered(trusted: &[Known], revision: &Revision) -> bool {
    trusted.iter().any(|known| known.revision >= *revision)
}

/// What is trusted once `new` is known too.
fn with(trusted: &[Known], mut new: Known) -> Vec<Known> {
    let mut others = trusted.to_vec();
    // What covers a revision is at least as fresh.
    for other in &mut others {
        if other.revision >= new.revision {
            other.as_of = other.as_of.max(new.as_of);
        }
        if new.revision >= other.revision {
            new.as_of = new.as_of.max(other.as_of);
        }
    }
    if covered(&others, &new.revision) {
        return others;
    }
    others.retain(|other| other.revision.partial_cmp(&new.revision).is_none());
    others.truncate(MAX_TRUSTED - 1);
    others.insert(0, new);
    others
}

/// Whether a floor can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Trusted,
    Unproven,
    /// It belongs to a store that is not the one that answers here.
    Foreign,
}

/// The belief about one store.
#[derive(Debug)]
pub(crate) struct Trust {
    /// Beside the state, so that a hit compares epochs without a lock.
    epoch: AtomicU64,
    state: Mutex<State>,
    habits: Habits,
}

/// What of a store matters for what is learned from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// It rounds unasked reads by itself, so that a head is no fit revision for a window.
    pub(crate) quantizes: bool,
    /// Its head is at or after all that it has named before.
    pub(crate) newest_head: bool,
    /// How late a head may be.
    pub(crate) head_lag: Duration,
    /// It reads at just what it is told, so that only what was told within the window can be asked at.
    pub(crate) reads_exactly: bool,
}

impl Habits {
    /// Whether a head that lacks what the store had told us of long before means that the store was restored.
    fn went_back(&self, head: &Revision, start: &CallStart) -> bool {
        let mut long_known = start
            .trusted
            .iter()
            .filter(|known| known.since + self.head_lag <= start.began);
        self.newest_head && !long_known.all(|known| *head >= known.revision)
    }
}

#[derive(Debug)]
struct State {
    store: Option<StoreId>,
    trusted: Arc<[Known]>,
    windows: Windows,
    probes: Probes,
    marks: Marks,
}

impl Trust {
    pub(crate) fn new(window: &Window, probe_interval: Duration, token_age: Option<Duration>, habits: Habits) -> Self {
        Self {
            epoch: AtomicU64::new(0),
            state: Mutex::new(State {
                store: None,
                trusted: Arc::new([]),
                windows: Windows::new(window.interval()),
                probes: Probes::new(probe_interval),
                marks: Marks::new(token_age),
            }),
            habits,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// To be called just before an upstream call.
    pub(crate) fn begin(&self) -> CallStart {
        let state = self.state();
        CallStart {
            began: Instant::now(),
            epoch: self.epoch(),
            trusted: state.trusted.clone(),
        }
    }

    pub(crate) fn standing(&self, floor: &Revision) -> Standing {
        let state = self.state();
        if covered(&state.trusted, floor) {
            Standing::Trusted
        } else if state.store.as_ref().is_some_and(|store| store != floor.store()) {
            Standing::Foreign
        } else {
            Standing::Unproven
        }
    }

    /// The newest trusted revision, if there is one that all others lie at or below.
    pub(crate) fn head(&self) -> Option<Revision> {
        match &*self.state().trusted {
            [only] => Some(only.revision.clone()),
            _ => None,
        }
    }

    /// Learns what the store said of itself in the reply to a call. `false`: the reply must be kept by nobody, because
    /// the store is not the one that the call began with.
    pub(crate) fn learn(&self, start: &CallStart, revision: &Revision, source: Source) -> bool {
        let mut state = self.state();
        if start.epoch != self.epoch() {
            return false;
        }
        let replaced = state.store.as_ref().is_some_and(|store| store != revision.store());
        let now = Instant::now();
        let known = Known {
            revision: revision.clone(),
            since: now,
            as_of: (source != Source::Feed).then_some(start.began),
        };
        let went_back = source == Source::Head && self.habits.went_back(revision, start);
        if replaced || went_back {
            tracing::warn!(
                replaced,
                went_back,
                "the store was replaced or restored: all cached answers are dropped"
            );
            self.start_epoch(&mut state);
            state.marks.clear();
            state.store = Some(revision.store().clone());
            state.trusted = Arc::new([known]);
            return false;
        }
        state.store.get_or_insert_with(|| revision.store().clone());
        state.marks.set(revision, now);
        if self.habits.reads_exactly || !covered(&state.trusted, revision) {
            state.trusted = with(&state.trusted, known).into();
        }
        let opens_a_window = match source {
            Source::Unasked => true,
            Source::Head => !self.habits.quantizes,
            // Such a store chooses none but in its replies to writes.
            Source::Write => self.habits.reads_exactly,
            Source::Feed => false,
        };
        if opens_a_window {
            state.windows.offer(revision, start.began);
        }
        true
    }

    /// Takes note of what a reply bore to a call that told the store a revision. Nothing is trusted because of it, but an
    /// identity that is neither what was told nor ours is the store's own: the store was replaced. `false`: as for
    /// [`Self::learn`].
    pub(crate) fn notice(&self, start: &CallStart, told: &Revision, borne: &Revision) -> bool {
        let mut state = self.state();
        if start.epoch != self.epoch() {
            return false;
        }
        let echoed = borne.store() == told.store();
        let replaced = !echoed && state.store.as_ref().is_some_and(|store| store != borne.store());
        if replaced {
            tracing::warn!("the store was replaced: all cached answers are dropped");
            self.start_epoch(&mut state);
            state.marks.clear();
            state.store = Some(borne.store().clone());
        }
        !replaced
    }

    /// Drops everything believed, as after a restore. Calls begun before are kept by nobody.
    pub(crate) fn reset(&self) {
        let mut state = self.state();
        self.start_epoch(&mut state);
        state.marks.clear();
        state.store = None;
    }

    /// Ends every span, as a schema write does, but goes on trusting what was learned.
    pub(crate) fn end_spans(&self) {
        let mut state = self.state();
        let trusted = state.trusted.clone();
        self.start_epoch(&mut state);
        state.trusted = trusted;
    }

    fn start_epoch(&self, state: &mut State) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        state.trusted = Arc::new([]);
        state.windows.clear();
    }

    /// Whether `revision` is surely older than tokens may be.
    pub(crate) fn is_old(&self, revision: &Revision, now: Instant) -> bool {
        self.state().marks.is_old(revision, now)
    }

    /// The revision of the window that `now` lies in.
    pub(crate) fn window(&self, now: Instant) -> Option<WindowRevision> {
        self.state().windows.current(now)
    }

    /// A revision that the store told of within the window, for many callers to share, and that covers `floor`: the
    /// window's own, or else one that was written since.
    pub(crate) fn fresh(&self, floor: Option<&Revision>, now: Instant) -> Option<Revision> {
        let state = self.state();
        let covers = |revision: &Revision| floor.is_none_or(|floor| revision >= floor);
        let window = state.windows.current(now).map(|window| window.revision);
        if let Some(window) = window.filter(covers) {
            return Some(window);
        }
        let since = |as_of| now.saturating_duration_since(as_of);
        let young = |known: &&Known| {
            known
                .as_of
                .is_some_and(|as_of| since(as_of) <= state.windows.interval())
        };
        let mut known = state.trusted.iter().filter(young).map(|known| &known.revision);
        known.find(|known| covers(known)).cloned()
    }

    /// Whether a read at `revision` gives the same answer every time.
    pub(crate) fn settles(&self, revision: &Revision) -> bool {
        self.state()
            .trusted
            .iter()
            .any(|known| known.revision.settles(revision))
    }

    /// Forgets the window's revision after asking at it failed.
    pub(crate) fn drop_window(&self, failed: &Revision) {
        self.state().windows.forget(failed);
    }

    pub(crate) fn probe(self: &Arc<Self>, now: Instant) -> ProbeTurn {
        let turn = self.state().probes.turn(now);
        match turn {
            probe::Turn::Lead(ended) => ProbeTurn::Lead(Probing::new(Arc::clone(self), ended)),
            probe::Turn::Wait(ended) => ProbeTurn::Wait(ended),
            probe::Turn::TooSoon => ProbeTurn::TooSoon,
        }
    }

    fn probe_ended(&self) {
        self.state().probes.ended();
    }
}

#[cfg(test)]
mod tests;
