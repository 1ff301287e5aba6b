use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use super::decision::Decision;
use super::{Fingerprint, ReadAt, Settings};
use crate::consistency::{Floor, Floors, Freshness, Window};
use crate::knowledge::CallStart;
use crate::revision::{Order, Revision, Timing};

/// One upstream call and everyone who waits for it.
#[derive(Debug)]
pub(crate) struct Flight<V> {
    pub(crate) ask: ReadAt,
    /// Set when the upstream call begins.
    start: Mutex<Option<CallStart>>,
    end: watch::Sender<Option<End<V>>>,
}

/// How a flight ended.
#[derive(Clone, Debug)]
pub(crate) enum End<V> {
    /// With an answer to each question, in order; fewer where the upstream stopped early.
    Answered(Arc<Landed<V>>),
    /// With a reply that is nobody's but the leader's.
    Unshared,
    /// The upstream failed.
    Failed,
    /// The deadline passed: that says nothing to those who came later.
    TimedOut,
}

/// The answers of one upstream call.
#[derive(Debug)]
pub(crate) struct Landed<V> {
    pub(crate) decisions: Vec<Arc<Decision<V>>>,
    /// Every answer may be given to others.
    pub(crate) shared: bool,
    pub(crate) stored: bool,
    /// The upstream was asked at this.
    pub(crate) ask: ReadAt,
    /// The revision that the reply names.
    pub(crate) replied: Option<Revision>,
}

/// Where the revision that a reply names lies, seen from a caller's floors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It covers them, or nothing says that it does not.
    Covers,
    /// The store has not come to one of them, or to something that is concurrent with it.
    Behind,
    /// It is of another store than one of them.
    Foreign,
}

impl<V> Landed<V> {
    pub(crate) fn reach(&self, floors: &Floors) -> Reach {
        let Some(replied) = &self.replied else {
            return Reach::Covers;
        };
        let elsewhere = |floor: &Floor| floor.revision.store() != replied.store();
        if floors.iter().any(elsewhere) {
            Reach::Foreign
        } else if lies_below(replied, floors) {
            Reach::Behind
        } else {
            Reach::Covers
        }
    }
}

/// Whether a store that answered at `replied` has not come to one of its own floors. Where revisions have no order, nothing
/// says so.
pub(crate) fn lies_below(replied: &Revision, floors: &Floors) -> bool {
    floors.iter().any(|Floor { revision: floor, .. }| {
        let comparable = replied.store() == floor.store() && floor.order() != Order::Equality;
        comparable && !replied.is_at_or_after(floor)
    })
}

impl<V> Landed<V> {
    /// Those of `floors` that are of the store which replied, and that its revision does not cover.
    pub(crate) fn lacks(&self, floors: &Floors) -> Option<Floors> {
        let replied = self.replied.as_ref()?;
        let mut lacking = Floors::none();
        for floor in floors.iter() {
            if replied.store() == floor.revision.store() && !replied.is_at_or_after(&floor.revision) {
                lacking.push(floor.clone());
            }
        }
        (!lacking.is_empty()).then_some(lacking)
    }
}

impl<V> Flight<V> {
    pub(crate) fn new(ask: ReadAt) -> Arc<Self> {
        Arc::new(Self {
            ask,
            start: Mutex::new(None),
            end: watch::channel(None).0,
        })
    }

    pub(crate) fn begin(&self, start: CallStart) {
        *self.started() = Some(start);
    }

    fn started(&self) -> MutexGuard<'_, Option<CallStart>> {
        self.start.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn start(&self) -> Option<CallStart> {
        self.started().clone()
    }

    pub(crate) fn land(&self, end: End<V>) {
        self.end.send_replace(Some(end));
    }

    pub(crate) fn wait(&self) -> watch::Receiver<Option<End<V>>> {
        self.end.subscribe()
    }

    /// Resolves when no one has waited for the whole of `grace`.
    pub(crate) async fn abandoned(&self, grace: std::time::Duration) {
        loop {
            self.end.closed().await;
            tokio::time::sleep(grace).await;
            if self.end.receiver_count() == 0 {
                return;
            }
        }
    }

    /// Whether what this flight asks at serves a request of this freshness that arrived at `now`.
    fn serves(&self, freshness: &Freshness, now: Instant, window: &Window, jitter: u32) -> bool {
        let start = self.started();
        let age = start.as_ref().map_or(std::time::Duration::ZERO, |start| {
            now.saturating_duration_since(start.began)
        });
        match (freshness, &self.ask) {
            (_, ReadAt::Unmodified(_)) => false,
            (Freshness::Full, ask) => *ask == ReadAt::Head && start.is_none(),
            (Freshness::Exact(wanted), ReadAt::Exact(told)) => wanted == told,
            (Freshness::Exact(_), _) | (Freshness::AtLeast { .. }, ReadAt::Exact(_)) => false,
            (Freshness::AtLeast { floors, head_within }, ask) => {
                let reaches_floors = floors.iter().all(|floor| {
                    let timing = Timing {
                        answer_began: start.as_ref().map_or(floor.demanded.max(now), |start| start.began),
                        floor_demanded: floor.demanded,
                    };
                    let covers = |revision: &Revision| revision.covers(&floor.revision, timing);
                    match ask {
                        ReadAt::AtLeast(told) => covers(told),
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

/// The flights under way, by question.
#[derive(Debug)]
pub(crate) struct Flights<V> {
    under_way: Mutex<UnderWay<V>>,
    waiters: AtomicUsize,
    max_flights: usize,
    max_flights_by_credential: usize,
    max_waiters: usize,
    /// Replies name their revisions. Otherwise an answer at head serves no floor.
    names_revisions: bool,
}

#[derive(Debug)]
struct UnderWay<V> {
    by_question: HashMap<Fingerprint, Vec<Arc<Flight<V>>>>,
    by_credential: HashMap<u64, usize>,
    count: usize,
}

/// What a request does that found no answer.
pub(crate) enum Entry<V> {
    Lead(Lease<V>),
    Follow(Follower<V>),
    /// Too many flights or waiters: the request asks for itself.
    Crowded,
}

impl<V> Flights<V> {
    pub(crate) fn new(settings: &Settings, names_revisions: bool) -> Arc<Self> {
        Arc::new(Self {
            under_way: Mutex::new(UnderWay {
                by_question: HashMap::new(),
                by_credential: HashMap::new(),
                count: 0,
            }),
            waiters: AtomicUsize::new(0),
            max_flights: settings.max_flights,
            max_flights_by_credential: settings.max_flights_by_credential,
            max_waiters: settings.max_waiters,
            names_revisions,
        })
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay<V>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins a flight that serves the request, or leads a new one that asks at `ask`.
    pub(crate) fn enter(
        self: &Arc<Self>,
        question: Fingerprint,
        credential: u64,
        ask: ReadAt,
        wanted: (&Freshness, Instant, &Window),
    ) -> Entry<V> {
        let mut under_way = self.under_way();
        let joinable = self.joinable(&under_way, question, wanted);
        if let Some(flight) = joinable {
            return match self.take_seat() {
                Some(seat) => Entry::Follow(Follower {
                    end: flight.wait(),
                    _seat: seat,
                }),
                None => Entry::Crowded,
            };
        }
        self.lead_in(&mut under_way, question, credential, ask)
    }

    fn joinable(
        &self,
        under_way: &UnderWay<V>,
        question: Fingerprint,
        (freshness, now, window): (&Freshness, Instant, &Window),
    ) -> Option<Arc<Flight<V>>> {
        let flights = under_way.by_question.get(&question)?;
        let mut named = flights
            .iter()
            .filter(|flight| self.names_revisions || flight.ask != ReadAt::Head || freshness.revision().is_none());
        named
            .find(|flight| flight.serves(freshness, now, window, question.jitter()))
            .cloned()
    }

    /// Whether a flight is under way that serves the request.
    pub(crate) fn is_joinable(&self, question: Fingerprint, wanted: (&Freshness, Instant, &Window)) -> bool {
        self.joinable(&self.under_way(), question, wanted).is_some()
    }

    /// Leads a flight of one's own.
    pub(crate) fn lead(self: &Arc<Self>, question: Fingerprint, credential: u64, ask: ReadAt) -> Entry<V> {
        self.lead_in(&mut self.under_way(), question, credential, ask)
    }

    fn lead_in(
        self: &Arc<Self>,
        under_way: &mut UnderWay<V>,
        question: Fingerprint,
        credential: u64,
        ask: ReadAt,
    ) -> Entry<V> {
        let Some(place) = self.place_in(under_way, credential) else {
            return Entry::Crowded;
        };
        let flight = Flight::new(ask);
        under_way
            .by_question
            .entry(question)
            .or_default()
            .push(Arc::clone(&flight));
        Entry::Lead(Lease {
            place,
            question,
            flight,
        })
    }

    /// A place among the flights for another kind of call.
    pub(crate) fn place_for(self: &Arc<Self>, credential: u64) -> Option<Place<V>> {
        self.place_in(&mut self.under_way(), credential)
    }

    fn place_in(self: &Arc<Self>, under_way: &mut UnderWay<V>, credential: u64) -> Option<Place<V>> {
        if under_way.count >= self.max_flights {
            return None;
        }
        let of_credential = under_way.by_credential.entry(credential).or_insert(0);
        if *of_credential >= self.max_flights_by_credential {
            return None;
        }
        *of_credential += 1;
        under_way.count += 1;
        Some(Place {
            flights: Arc::clone(self),
            credential,
        })
    }

    pub(crate) fn take_seat(self: &Arc<Self>) -> Option<Seat<V>> {
        let seat = Seat {
            flights: Arc::clone(self),
        };
        // The seat gives its place back when dropped, taken or not, so count first and look then.
        let before = self.waiters.fetch_add(1, Ordering::AcqRel);
        (before < self.max_waiters).then_some(seat)
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.under_way().count
    }
}

/// A flight's place among those under way. Nobody joins after it is dropped.
#[derive(Debug)]
pub(crate) struct Lease<V> {
    place: Place<V>,
    question: Fingerprint,
    pub(crate) flight: Arc<Flight<V>>,
}

impl<V> Drop for Lease<V> {
    fn drop(&mut self) {
        let mut under_way = self.place.flights.under_way();
        if let Some(flights) = under_way.by_question.get_mut(&self.question) {
            flights.retain(|flight| !Arc::ptr_eq(flight, &self.flight));
            if flights.is_empty() {
                under_way.by_question.remove(&self.question);
            }
        }
    }
}

/// What the caps on flights count.
#[derive(Debug)]
pub(crate) struct Place<V> {
    flights: Arc<Flights<V>>,
    credential: u64,
}

impl<V> Drop for Place<V> {
    fn drop(&mut self) {
        let mut under_way = self.flights.under_way();
        under_way.count -= 1;
        if let Some(count) = under_way.by_credential.get_mut(&self.credential) {
            *count -= 1;
            if *count == 0 {
                under_way.by_credential.remove(&self.credential);
            }
        }
    }
}

/// Somebody who waits for a flight that another leads.
pub(crate) struct Follower<V> {
    end: watch::Receiver<Option<End<V>>>,
    _seat: Seat<V>,
}

impl<V: Clone> Follower<V> {
    pub(crate) async fn wait(mut self) -> End<V> {
        landed(&mut self.end).await
    }
}

/// Waits until the flight has landed; one that vanished has failed.
pub(crate) async fn landed<V: Clone>(end: &mut watch::Receiver<Option<End<V>>>) -> End<V> {
    match end.wait_for(Option::is_some).await {
        Ok(end) => (*end).clone().unwrap_or(End::Failed),
        Err(_) => End::Failed,
    }
}

/// A place among those who may wait.
pub(crate) struct Seat<V> {
    flights: Arc<Flights<V>>,
}

impl<V> Drop for Seat<V> {
    fn drop(&mut self) {
        self.flights.waiters.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
