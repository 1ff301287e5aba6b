use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::cache::landed::Landed;
use crate::cache::movable::MoveToRuntime;
use crate::cache::read_at::ReadAt;
use crate::consistency::{Freshness, Window};
use crate::knowledge::CallStart;
use crate::revision::{Revision, Timing};

/// One upstream call and all who wait for it.
pub(crate) struct Flight<V> {
    pub(crate) ask: ReadAt,
    state: Mutex<State<V>>,
}

struct State<V> {
    /// Set when the upstream call begins.
    start: Option<CallStart>,
    /// Moves the call out of its leader's future.
    leader: Option<Weak<dyn MoveToRuntime>>,
    /// Made for the first follower.
    end: Option<watch::Sender<Option<End<V>>>>,
}

/// How a flight ended for its followers.
#[derive(Debug)]
pub(crate) enum End<V> {
    /// With an answer to each question, in order; fewer where the upstream stopped early.
    Answered(Landed<V>),
    /// With a reply for its leader only.
    Unshared,
    /// The upstream failed.
    Failed,
    /// The deadline passed: that says nothing to those who came later.
    TimedOut,
}

impl<V> Clone for End<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Answered(landed) => Self::Answered(landed.clone()),
            Self::Unshared => Self::Unshared,
            Self::Failed => Self::Failed,
            Self::TimedOut => Self::TimedOut,
        }
    }
}

impl<V> Flight<V> {
    pub(crate) fn new(ask: ReadAt) -> Arc<Self> {
        Arc::new(Self {
            ask,
            state: Mutex::new(State {
                start: None,
                leader: None,
                end: None,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, start: CallStart) {
        self.state().start = Some(start);
    }

    pub(crate) fn start(&self) -> Option<CallStart> {
        self.state().start.clone()
    }

    /// Names what moves the call to the runtime when the first follower joins. If one has joined already, the call moves now.
    pub(crate) fn led_by(&self, leader: Weak<dyn MoveToRuntime>) {
        let mut state = self.state();
        state.leader = Some(leader);
        let has_followers = state.end.is_some();
        drop(state);
        if has_followers {
            self.move_to_runtime();
        }
    }

    /// Joins the flight, whose call must not depend any more on how often its leader is polled: see
    /// [`move_to_runtime`](Self::move_to_runtime).
    pub(super) fn join(&self) -> watch::Receiver<Option<End<V>>> {
        let mut state = self.state();
        let end = state.end.get_or_insert_with(|| watch::Sender::new(None));
        end.subscribe()
    }

    /// Moves the call out of its leader's future.
    pub(super) fn move_to_runtime(&self) {
        let leader = self.state().leader.take();
        if let Some(leader) = leader.and_then(|leader| leader.upgrade()) {
            leader.move_to_runtime();
        }
    }

    pub(crate) fn land(&self, end: End<V>) {
        self.land_with(|| end);
    }

    /// Lands with what `end` gives, which only followers need.
    pub(crate) fn land_with(&self, end: impl FnOnce() -> End<V>) {
        if let Some(sender) = &self.state().end {
            sender.send_replace(Some(end()));
        }
    }

    fn has_followers(&self) -> bool {
        self.state().end.as_ref().is_some_and(|end| end.receiver_count() > 0)
    }

    /// Resolves when no follower has waited for the whole of `grace`.
    pub(crate) async fn abandoned(&self, grace: Duration) {
        loop {
            let end = self.state().end.clone();
            if let Some(end) = end {
                end.closed().await;
            }
            tokio::time::sleep(grace).await;
            if !self.has_followers() {
                return;
            }
        }
    }

    /// Whether what this flight asks at serves a request of this freshness that arrived at `now`.
    pub(super) fn serves(&self, freshness: &Freshness, now: Instant, window: &Window, jitter: u32) -> bool {
        let start = &self.state().start;
        let age = start
            .as_ref()
            .map_or(Duration::ZERO, |start| now.saturating_duration_since(start.began));
        match (freshness, &self.ask) {
            (_, ReadAt::Unmodified(_)) => false,
            (Freshness::Full, ask) => *ask == ReadAt::Head && start.is_none(),
            (Freshness::Exact(snapshot), ReadAt::Exact(asked)) => snapshot == asked,
            (Freshness::Exact(_), _) | (Freshness::AtLeast { .. }, ReadAt::Exact(_)) => false,
            (Freshness::AtLeast { floors, head_within }, ask) => {
                let reaches_floors = floors.iter().all(|floor| {
                    let began = |start: &CallStart| Timing::of(start.began, floor.demanded);
                    let timing = start.as_ref().map_or(Timing::BegunAfter, began);
                    let covers = |revision: &Revision| revision.covers(&floor.revision, timing);
                    match ask {
                        ReadAt::AtLeast(asked) => covers(asked),
                        // A head read from now on covers all that was acknowledged.
                        ReadAt::Head => start.as_ref().is_none_or(|start| start.newest().any(covers)),
                        _ => false,
                    }
                });
                let young = age <= window.max_age(jitter);
                let at_head = head_within.is_none_or(|bound| *ask == ReadAt::Head && age <= bound);
                reaches_floors && young && at_head
            }
        }
    }
}
