//! One connection of the feed: what it has found in the store and not sent yet.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tower_zookie::changes::{Change, Event, FeedError};
use tower_zookie::revision::Revision;

use crate::store::{Committed, Engine, Store};

pub(crate) type Sent = Result<Event, FeedError>;
pub(crate) type Events = Pin<Box<dyn Stream<Item = Sent> + Send>>;

/// Which checkpoint ends what a look at the store has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checkpoint {
    /// That of the real feed.
    Usual,
    /// On PostgreSQL a head, also where there are changes; on CockroachDB the revision of the newest change itself.
    Other,
    /// None: a later one says what it would have said.
    Missing,
}

pub(crate) struct Connection {
    /// It looks for what is after this revision.
    cursor: Revision,
    /// The last checkpoint that CockroachDB gave: the changes at exactly that revision may come after it.
    held: Option<Revision>,
    /// The events of the embedded store's own feed.
    real: Option<Events>,
    pending: VecDeque<Event>,
    sent: VecDeque<Event>,
    to: mpsc::UnboundedSender<Sent>,
}

/// How many events can be sent again.
const SENT: usize = 16;

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("cursor", &self.cursor)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(start: Revision, real: Option<Events>, to: mpsc::UnboundedSender<Sent>) -> Self {
        Self {
            held: Some(start.clone()),
            cursor: start,
            real,
            pending: VecDeque::new(),
            sent: VecDeque::new(),
            to,
        }
    }

    /// Looks for what is new in the store. `head`: a head that was read before.
    pub(crate) fn poll(&mut self, store: &mut Store, head: Revision, checkpoint: Checkpoint) {
        match store.engine {
            Engine::Postgres => self.poll_postgres(store, head, checkpoint),
            Engine::CockroachDb => self.poll_cockroach(store, checkpoint),
            Engine::Embedded => self.poll_embedded(),
        }
    }

    /// As SpiceDB does: it reports the transactions that its cursor does not see, in the order of their commits, then the
    /// revision of the last one as a checkpoint, and goes on there. So it reports concurrent transactions in turn, until
    /// another one sees them all. Where nothing is new, the checkpoint is the head.
    fn poll_postgres(&mut self, store: &Store, head: Revision, checkpoint: Checkpoint) {
        let is_new = |committed: &&Committed| !store.sees(&self.cursor, committed.stamp);
        let new: Vec<&Committed> = store.committed.iter().filter(is_new).collect();
        self.pending.extend(events(&new));
        let at = match (new.last(), checkpoint) {
            (Some(last), Checkpoint::Usual | Checkpoint::Missing) => last.own.clone(),
            (Some(_), Checkpoint::Other) => head,
            (None, _) if head > self.cursor => head,
            (None, _) => return,
        };
        self.cursor = at.clone();
        if checkpoint != Checkpoint::Missing {
            self.pending.push_back(Event::Checkpoint { at });
        }
    }

    /// All changes strictly below the resolved revision come before it. The adapter reports the one before.
    fn poll_cockroach(&mut self, store: &mut Store, checkpoint: Checkpoint) {
        let last = store.committed.last().map(|committed| committed.own.clone());
        let resolved = match last {
            Some(last) if checkpoint == Checkpoint::Other && last > self.cursor => last,
            _ => store.head(),
        };
        let is_new = |committed: &&Committed| committed.own >= self.cursor && committed.own < resolved;
        let new: Vec<&Committed> = store.committed.iter().filter(is_new).collect();
        self.pending.extend(events(&new));
        self.cursor = resolved.clone();
        if checkpoint != Checkpoint::Missing
            && let Some(at) = self.held.replace(resolved)
        {
            self.pending.push_back(Event::Checkpoint { at });
        }
    }

    fn poll_embedded(&mut self) {
        let Some(real) = &mut self.real else { return };
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(event)) = real.as_mut().poll_next(&mut context) {
            self.pending.push_back(event.unwrap());
        }
    }

    /// Sends this many events of those that it has found. So the store names their revisions.
    pub(crate) fn deliver(&mut self, count: usize, named: &mut HashSet<Revision>) {
        for event in self.pending.drain(..count.min(self.pending.len())) {
            named.insert(event.at().clone());
            // The follower may be gone.
            let _ = self.to.send(Ok(event.clone()));
            self.sent.push_back(event);
        }
        while self.sent.len() > SENT {
            self.sent.pop_front();
        }
    }

    /// Sends what it has sent before, once more.
    pub(crate) fn repeat(&mut self) {
        for event in &self.sent {
            let _ = self.to.send(Ok(event.clone()));
        }
    }

    /// Ends with an error, or without one.
    pub(crate) fn end(self, error: Option<FeedError>) {
        if let Some(error) = error {
            let _ = self.to.send(Err(error));
        }
    }
}

/// What is reported of these transactions before one checkpoint: of every second one each change by itself, some as a change
/// that can't be told, and two that follow each other in the other order, where that makes no difference.
fn events(new: &[&Committed]) -> Vec<Event> {
    let mut new = new.to_vec();
    for two in new.chunks_exact_mut(2) {
        if commute(two[0], two[1]) {
            two.reverse();
        }
    }
    let reported = |committed: &&Committed| match committed.event.clone() {
        Some(Event::Changed { at, .. }) if committed.stamp % 9 == 4 => vec![Event::AnythingChanged { at }],
        Some(Event::Changed { at, changes }) if committed.stamp % 2 == 1 => {
            let event = |change| Event::Changed {
                at: at.clone(),
                changes: vec![change],
            };
            changes.into_iter().map(event).collect()
        }
        other => other.into_iter().collect(),
    };
    new.iter().flat_map(reported).collect()
}

/// Whether two transactions changed different relationships.
fn commute(one: &Committed, other: &Committed) -> bool {
    match (&one.event, &other.event) {
        (Some(Event::Changed { changes, .. }), Some(Event::Changed { changes: others, .. })) => changes
            .iter()
            .all(|change| others.iter().all(|other| !is_same(change, other))),
        _ => false,
    }
}

/// Whether they are changes of the same relationship.
fn is_same(one: &Change, other: &Change) -> bool {
    let relationship = |change: &Change| (change.resource.clone(), change.relation.clone(), change.subject.clone());
    relationship(one) == relationship(other)
}
