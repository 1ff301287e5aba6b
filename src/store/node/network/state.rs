use std::cmp::Ordering;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use crate::revision::{Point, VectorClock};
use crate::store::node::entry::{Body, Entry, Snapshot};
use crate::store::node::link::{Incoming, LinkError};
use crate::store::node::network::place::{AppendFailure, Place, Way};

/// Of entries that travel over an unsteady network, one in so many is delivered again.
const REPEATED: u32 = 8;

/// The logs of all nodes, and what is under way between them.
#[derive(Default)]
pub(super) struct State {
    pub(super) delay: Duration,
    pub(super) append_delay: Duration,
    unsteady: Option<(Duration, StdRng)>,
    places: Vec<Place>,
    snapshot: Option<Snapshot>,
}

/// How far a stream has read.
pub(super) struct Cursor {
    place: usize,
    interruptions: u64,
    after: VectorClock,
    /// By place, the number of the last entry and the number of reports that were delivered.
    delivered: Vec<(u64, u64)>,
    turn: usize,
}

/// What a stream does next.
pub(super) enum Next {
    Deliver(Incoming),
    Fail(LinkError),
    WaitUntil(Option<Instant>),
}

impl State {
    /// The number of the place of this name, which is made if there is none.
    pub(super) fn place(&mut self, name: &str, id_of: impl FnOnce(&str) -> String) -> usize {
        if let Some(known) = self.places.iter().position(|place| &*place.name == name) {
            return known;
        }
        let number = self.places.len();
        self.places.push(Place::new(name, id_of(name)));
        for place in &mut self.places {
            place.ways.resize_with(number + 1, Way::default);
        }
        (0..number).for_each(|from| self.send(from, number));
        number
    }

    pub(super) fn set_unsteady(&mut self, most: Duration, seed: u64) {
        self.unsteady = Some((most, StdRng::seed_from_u64(seed)));
    }

    pub(super) fn set_delay(&mut self, from: usize, to: usize, delay: Duration) {
        self.places[to].ways[from].delay = Some(delay);
    }

    pub(super) fn set_failure(&mut self, place: usize, failure: Option<AppendFailure>) {
        self.places[place].failure = failure;
    }

    pub(super) fn cut(&mut self, from: usize, to: usize) {
        self.places[to].ways[from].cut(Instant::now());
    }

    pub(super) fn heal(&mut self, from: usize, to: usize) {
        self.places[to].ways[from].is_cut = false;
        self.send(from, to);
    }

    pub(super) fn heal_all(&mut self) {
        for to in 0..self.places.len() {
            (0..self.places.len()).for_each(|from| self.heal(from, to));
        }
    }

    pub(super) fn forget(&mut self, place: usize) {
        for from in 0..self.places.len() {
            self.places[place].ways[from].forget();
            self.send(from, place);
        }
    }

    pub(super) fn interrupt(&mut self, place: usize) {
        self.places[place].interruptions += 1;
    }

    /// Those that wait for something to happen.
    pub(super) fn take_waiting(&mut self) -> Vec<Waker> {
        self.places
            .iter_mut()
            .flat_map(|place| place.waiting.drain(..))
            .collect()
    }

    pub(super) fn append(&mut self, place: usize, writer: u64, entries: &[Entry]) -> Result<(), LinkError> {
        let Place { log, failure, .. } = &self.places[place];
        let stored = match failure {
            None | Some(AppendFailure::AllStored) => entries.len(),
            Some(AppendFailure::FirstStored) => 1,
            Some(AppendFailure::NothingStored) => 0,
        };
        let failed = failure.is_some();
        let is_new = log.end() == 0 && entries.iter().any(|entry| matches!(entry.body, Body::Joined(_)));
        if is_new {
            self.reaches_all(place)?;
        }
        let Place { id, log, .. } = &mut self.places[place];
        for entry in entries.iter().take(stored) {
            belongs(id, &entry.node)?;
            log.append(writer, entry)?;
        }
        (0..self.places.len()).for_each(|to| self.send(place, to));
        if failed {
            return Err(LinkError::unavailable("appending was made to fail"));
        }
        Ok(())
    }

    pub(super) fn report(&mut self, place: usize, node: &str, reached: &VectorClock) -> Result<(), LinkError> {
        belongs(&self.places[place].id, node)?;
        let now = Instant::now();
        for to in (0..self.places.len()).filter(|to| *to != place) {
            let arrives = now + self.travel_time(place, to);
            self.places[to].ways[place].report(reached, arrives);
        }
        Ok(())
    }

    pub(super) fn store_snapshot(&mut self, place: usize, snapshot: &Snapshot) -> Result<(), LinkError> {
        self.can_reach_snapshots(place)?;
        if self.snapshot.as_ref().is_some_and(|stored| {
            !matches!(
                snapshot.clock.partial_cmp(&stored.clock),
                Some(Ordering::Greater | Ordering::Equal)
            )
        }) {
            return Ok(());
        }
        for Place { id, log, .. } in &mut self.places {
            log.trim(snapshot.clock.get(id));
        }
        self.snapshot = Some(snapshot.clone());
        Ok(())
    }

    /// Begins to read all logs after a clock: the snapshot if one is needed, the ends of all logs, and where to read on.
    pub(super) fn open(
        &mut self,
        place: usize,
        node: &str,
        after: &VectorClock,
    ) -> Result<(Option<Snapshot>, VectorClock, Cursor), LinkError> {
        belongs(&self.places[place].id, node)?;
        self.reaches_all(place)?;
        let mut trimmed = self
            .places
            .iter()
            .map(|other| (other.log.trimmed(), after.get(&other.id)));
        let snapshot = if trimmed.any(|(trimmed, after)| trimmed > after) {
            self.can_reach_snapshots(place)?;
            self.snapshot.clone()
        } else {
            None
        };
        let ends = self.places.iter().map(|other| (other.id.clone(), other.log.end()));
        let read = snapshot.as_ref().and_then(|snapshot| after.join(&snapshot.clock));
        let cursor = Cursor {
            place,
            interruptions: self.places[place].interruptions,
            after: read.unwrap_or_else(|| after.clone()),
            delivered: Vec::new(),
            turn: 0,
        };
        Ok((snapshot, ends.collect(), cursor))
    }

    /// What is delivered next; if there is nothing, the waker is woken when the network changes.
    pub(super) fn next(&mut self, cursor: &mut Cursor, waker: &Waker) -> Next {
        let to = cursor.place;
        if self.places[to].interruptions != cursor.interruptions {
            return Next::Fail(LinkError::unavailable("the stream was interrupted"));
        }
        self.settle(to);
        let count = self.places.len();
        for place in &self.places[cursor.delivered.len()..] {
            cursor.delivered.push((cursor.after.get(&place.id), 0));
        }
        cursor.turn += match &mut self.unsteady {
            Some((_, random)) => random.random_range(0..count),
            None => 1,
        };
        let turn = cursor.turn;
        let is_new = |from: &usize| {
            cursor.delivered[*from].0 == 0 && self.places[*from].log.begins() && self.arrived(*from, to) > 0
        };
        let joined = (0..count).find(is_new);
        for from in joined.into_iter().chain((turn..turn + count).map(|from| from % count)) {
            if let Some(next) = self.next_of(from, cursor) {
                return next;
            }
        }
        let place = &mut self.places[to];
        if !place.waiting.iter().any(|known| known.will_wake(waker)) {
            place.waiting.push(waker.clone());
        }
        Next::WaitUntil(place.ways.iter().filter_map(Way::next_arrival).min())
    }

    fn next_of(&mut self, from: usize, cursor: &mut Cursor) -> Option<Next> {
        let arrived = self.arrived(from, cursor.place);
        let Place { id, log, .. } = &self.places[from];
        let (entries, reports) = &mut cursor.delivered[from];
        if arrived > *entries {
            let Some(entry) = log.get(*entries + 1) else {
                let problem = "the next entry is only in the snapshot";
                return Some(Next::Fail(LinkError::unavailable(problem)));
            };
            let unsteady = self.unsteady.as_mut();
            let again = unsteady.is_some_and(|(_, random)| random.random_ratio(1, REPEATED));
            *entries += u64::from(!again);
            return Some(Next::Deliver(Incoming::Entry(entry.clone())));
        }
        let (reported, clock) = self.places[cursor.place].ways[from].reported();
        let clock = clock.filter(|_| reported > *reports)?.clone();
        *reports = reported;
        let node = Arc::clone(id);
        Some(Next::Deliver(Incoming::Reached { node, clock }))
    }

    /// The last entry of the log of `from` that is at `to`.
    fn arrived(&self, from: usize, to: usize) -> u64 {
        if from == to {
            return self.places[from].log.end();
        }
        self.places[to].ways[from].arrived()
    }

    fn settle(&mut self, place: usize) {
        let now = Instant::now();
        self.places[place].ways.iter_mut().for_each(|way| way.settle(now));
    }

    fn send(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        let (end, begins) = (self.places[from].log.end(), self.places[from].log.begins());
        let way = &mut self.places[to].ways[from];
        if begins {
            way.join();
        }
        let delay = way.delay.unwrap_or(self.delay);
        let unsteady = &mut self.unsteady;
        way.send(end, Instant::now(), || delay + extra(unsteady));
    }

    fn travel_time(&mut self, from: usize, to: usize) -> Duration {
        let delay = self.places[to].ways[from].delay.unwrap_or(self.delay);
        delay + extra(&mut self.unsteady)
    }

    fn reaches_all(&self, place: usize) -> Result<(), LinkError> {
        let unreached = |other: &usize| self.places[*other].log.end() > 0 && !self.is_open(*other, place);
        match (0..self.places.len()).find(unreached) {
            None => Ok(()),
            Some(other) => {
                let other = &self.places[other].id;
                Err(LinkError::unavailable(format!("{other} can't be reached")))
            }
        }
    }

    fn can_reach_snapshots(&self, place: usize) -> Result<(), LinkError> {
        let mut others = (0..self.places.len()).filter(|other| *other != place);
        if self.places.len() == 1 || others.any(|other| self.is_open(place, other)) {
            return Ok(());
        }
        Err(LinkError::unavailable("this node is cut off from all others"))
    }

    /// Whether two nodes reach each other.
    fn is_open(&self, one: usize, other: usize) -> bool {
        !self.places[one].ways[other].is_cut && !self.places[other].ways[one].is_cut
    }
}

fn extra(unsteady: &mut Option<(Duration, StdRng)>) -> Duration {
    let drawn = unsteady
        .as_mut()
        .map(|(most, random)| random.random_range(Duration::ZERO..=*most));
    drawn.unwrap_or_default()
}

fn belongs(id: &str, node: &str) -> Result<(), LinkError> {
    if id == node {
        return Ok(());
    }
    Err(LinkError::unavailable(format!("the link of {id} was used by {node}")))
}
