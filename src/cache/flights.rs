use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::cache::fetch::Questions;
use crate::cache::fingerprint::Fingerprint;
use crate::cache::flight::{End, Flight};
use crate::cache::read_at::ReadAt;
use crate::cache::settings::Settings;
use crate::consistency::{Freshness, Window};

/// The flights under way, by question.
pub(crate) struct Flights<V> {
    under_way: Mutex<UnderWay<V>>,
    waiters: AtomicUsize,
    max_flights: usize,
    max_flights_by_credential: usize,
    max_waiters: usize,
    window: Window,
    /// Replies name their revisions. Otherwise an answer at head serves no floor.
    names_revisions: bool,
}

struct UnderWay<V> {
    by_question: HashMap<Fingerprint, Vec<Arc<Flight<V>>>>,
    by_credential: HashMap<u64, usize>,
    count: usize,
}

/// What a request does that found no answer in the cache.
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
            window: settings.window,
            names_revisions,
        })
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay<V>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins a flight that serves a request which arrived at `now`, or leads a new one that asks at `ask`.
    pub(crate) fn enter(
        self: &Arc<Self>,
        questions: &Questions,
        ask: ReadAt,
        freshness: &Freshness,
        now: Instant,
    ) -> Entry<V> {
        let mut under_way = self.under_way();
        let Some(flight) = self.joinable(&under_way, questions.flight, freshness, now) else {
            let lease = self.lead_in(&mut under_way, questions, ask);
            return lease.map_or(Entry::Crowded, Entry::Lead);
        };
        let Some(seat) = self.take_seat() else {
            return Entry::Crowded;
        };
        // No follower joins after the lease was dropped, and that takes this lock.
        let end = flight.join();
        drop(under_way);
        flight.move_to_runtime();
        Entry::Follow(Follower { end, _seat: seat })
    }

    fn joinable(
        &self,
        under_way: &UnderWay<V>,
        question: Fingerprint,
        freshness: &Freshness,
        now: Instant,
    ) -> Option<Arc<Flight<V>>> {
        let flights = under_way.by_question.get(&question)?;
        let mut named = flights
            .iter()
            .filter(|flight| self.names_revisions || flight.ask != ReadAt::Head || freshness.revision().is_none());
        named
            .find(|flight| flight.serves(freshness, now, &self.window, question.jitter()))
            .cloned()
    }

    /// Whether a flight is under way that serves the request.
    pub(crate) fn is_joinable(&self, question: Fingerprint, freshness: &Freshness, now: Instant) -> bool {
        self.joinable(&self.under_way(), question, freshness, now).is_some()
    }

    /// Leads a flight of one's own. `None`: there are too many flights.
    pub(crate) fn lead(self: &Arc<Self>, questions: &Questions, ask: ReadAt) -> Option<Lease<V>> {
        self.lead_in(&mut self.under_way(), questions, ask)
    }

    fn lead_in(self: &Arc<Self>, under_way: &mut UnderWay<V>, questions: &Questions, ask: ReadAt) -> Option<Lease<V>> {
        let place = self.place_in(under_way, questions.credential)?;
        let flight = Flight::new(ask);
        let question = questions.flight;
        let flights = under_way.by_question.entry(question).or_default();
        flights.push(Arc::clone(&flight));
        Some(Lease {
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

    /// How many flights are under way, and writes without a caller.
    pub(crate) fn count(&self) -> usize {
        self.under_way().count
    }
}

/// A flight's place among those under way. No follower joins after it is dropped.
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

/// A caller who waits for a flight that another caller leads.
pub(crate) struct Follower<V> {
    end: watch::Receiver<Option<End<V>>>,
    _seat: Seat<V>,
}

impl<V> Follower<V> {
    /// Waits until the flight has landed. A flight that vanished has failed.
    pub(crate) async fn wait(mut self) -> End<V> {
        match self.end.wait_for(Option::is_some).await {
            Ok(end) => (*end).clone().unwrap_or(End::Failed),
            Err(_) => End::Failed,
        }
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
