mod incoming;
mod place;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::revision::VectorClock;
use crate::store::node::entry::{Entry, Snapshot};
use crate::store::node::link::{Link, Opened, Pending};
use crate::store::node::network::incoming::Arrivals;
use crate::store::node::network::state::State;

pub use place::AppendFailure;

/// A network in this process that connects the nodes of a group, for tests and demonstrations: with delays, partitions
/// and failures that you choose.
///
/// A node's log lies where the node runs, and so does what has arrived from the others. Both outlive a node that is
/// dropped: start it again with [`Network::link`], as after a crash. The logs are in memory, and nothing is kept longer
/// than the network itself.
///
/// Entries of one node arrive in their order. Where the way between two nodes is cut they wait, and they are never lost;
/// what a node reports ([`Link::report`]) is lost there. A node can't start while the way to or from another one is cut,
/// because it can't learn how far the other one has written. The entry with which a node joins takes no time: all others have
/// it when its append returns, and get it first. Snapshots can be stored by every node that has a way to and from
/// at least one other.
///
/// Time is tokio's, so tests can pause it.
#[derive(Clone)]
pub struct Network {
    group: Arc<str>,
    state: Arc<Mutex<State>>,
    links: Arc<AtomicU64>,
}

impl Network {
    /// A network without delays, of a new group with a random name.
    pub fn new() -> Self {
        Self::named(format!("{:08x}", rand::random::<u32>()))
    }

    /// A network of the group with this name. With an empty name the ids of nodes are their names.
    pub fn named(group: impl Into<Arc<str>>) -> Self {
        Self {
            group: group.into(),
            state: Arc::default(),
            links: Arc::default(),
        }
    }

    /// The link for the node of this name.
    pub fn link(&self, node: &str) -> Arc<dyn Link> {
        let place = self.change(|state| self.place(state, node));
        Arc::new(NodeLink {
            network: self.clone(),
            place,
            writer: self.links.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// How long an entry travels between two nodes, where [`Network::set_delay`] does not say otherwise. It does not change
    /// what is under way.
    pub fn delay(&self, delay: Duration) {
        self.change(|state| state.delay = delay);
    }

    /// How long an entry travels from one node to another. It does not change what is under way.
    pub fn set_delay(&self, from: &str, to: &str, delay: Duration) {
        self.change(|state| {
            let (from, to) = (self.place(state, from), self.place(state, to));
            state.set_delay(from, to, delay);
        });
    }

    /// Lets every entry travel up to `most` longer, delivers entries of different nodes in any order, and some of them more
    /// than once. The seed decides which.
    pub fn unsteady(&self, most: Duration, seed: u64) {
        self.change(|state| state.set_unsteady(most, seed));
    }

    /// Cuts the way from one node to another; the way back stays open. What is under way is sent again after
    /// [`Network::heal`].
    pub fn cut(&self, from: &str, to: &str) {
        self.change(|state| {
            let (from, to) = (self.place(state, from), self.place(state, to));
            state.cut(from, to);
        });
    }

    /// Opens the way from one node to another again.
    pub fn heal(&self, from: &str, to: &str) {
        self.change(|state| {
            let (from, to) = (self.place(state, from), self.place(state, to));
            state.heal(from, to);
        });
    }

    /// Opens all ways again.
    pub fn heal_all(&self) {
        self.change(State::heal_all);
    }

    /// How long an append takes, by default no time: half of it passes before the entries are stored.
    pub fn append_delay(&self, delay: Duration) {
        self.change(|state| state.append_delay = delay);
    }

    /// Lets every append of this node fail from now on, or none.
    pub fn fail_appends(&self, node: &str, failure: Option<AppendFailure>) {
        self.change(|state| {
            let place = self.place(state, node);
            state.set_failure(place, failure);
        });
    }

    /// Ends what this node is reading with an error, so that it has to open its link again.
    pub fn interrupt(&self, node: &str) {
        self.change(|state| {
            let place = self.place(state, node);
            state.interrupt(place);
        });
    }

    /// Loses what has arrived at this node from the others, which send it again. The node's own log stays.
    pub fn forget_arrived(&self, node: &str) {
        self.change(|state| {
            let place = self.place(state, node);
            state.forget(place);
        });
    }

    fn place(&self, state: &mut State, name: &str) -> usize {
        state.place(name, |name| match &*self.group {
            "" => name.to_owned(),
            group => format!("{name}@{group}"),
        })
    }

    /// Changes the state, and wakes all streams.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (changed, waiting) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (change(&mut state), state.take_waiting())
        };
        waiting.into_iter().for_each(std::task::Waker::wake);
        changed
    }
}

/// As [`Network::new`].
impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// The link of one node.
#[derive(Debug)]
struct NodeLink {
    network: Network,
    place: usize,
    /// Tells the links of one node apart.
    writer: u64,
}

impl Link for NodeLink {
    fn group(&self) -> &str {
        &self.network.group
    }

    fn open<'a>(&'a self, node: &'a str, after: &'a VectorClock) -> Pending<'a, Opened> {
        Box::pin(async move {
            let (snapshot, ends, cursor) = self.network.change(|state| state.open(self.place, node, after))?;
            let arrivals = Arrivals::new(Arc::clone(&self.network.state), cursor);
            Ok(Opened::new(ends, arrivals).after_snapshot(snapshot))
        })
    }

    fn append<'a>(&'a self, entries: &'a [Entry]) -> Pending<'a, ()> {
        Box::pin(async move {
            let half = self.network.change(|state| state.append_delay) / 2;
            pass(half).await;
            let appended = self
                .network
                .change(|state| state.append(self.place, self.writer, entries));
            pass(half).await;
            appended
        })
    }

    fn report<'a>(&'a self, node: &'a str, reached: &'a VectorClock) -> Pending<'a, ()> {
        Box::pin(async move { self.network.change(|state| state.report(self.place, node, reached)) })
    }

    fn store_snapshot<'a>(&'a self, snapshot: &'a Snapshot) -> Pending<'a, ()> {
        Box::pin(async move { self.network.change(|state| state.store_snapshot(self.place, snapshot)) })
    }
}

async fn pass(time: Duration) {
    // A sleep of zero length still ends only at the next tick.
    if !time.is_zero() {
        sleep(time).await;
    }
}
