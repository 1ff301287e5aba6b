//! Vector clocks with the nodes as small numbers.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use crate::revision::VectorClock;

/// A node, by its place in [`Nodes`]. The store's own is 0.
pub(super) type NodeIndex = u16;
pub(super) const OWN: NodeIndex = 0;

/// Where and when something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) time: u64,
    pub(super) number: u64,
    pub(super) node: NodeIndex,
}

/// What a reader sees: of each node the writes up to this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At<'a>(pub(super) &'a [u64]);

impl At<'_> {
    pub(super) fn of(self, node: NodeIndex) -> u64 {
        self.0.get(usize::from(node)).copied().unwrap_or(0)
    }

    pub(super) fn sees(self, stamp: &Stamp) -> bool {
        stamp.number <= self.of(stamp.node)
    }

    /// Whether it sees everything that the other one sees.
    pub(super) fn covers(self, other: At<'_>) -> bool {
        let mut theirs = (0..).zip(other.0);
        theirs.all(|(node, number)| *number <= self.of(node))
    }
}

/// A clock of its own, for all nodes that are known so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock(Vec<u64>);

impl Clock {
    pub(super) fn at(&self) -> At<'_> {
        At(&self.0)
    }

    pub(super) fn of(&self, node: NodeIndex) -> u64 {
        self.at().of(node)
    }

    /// Sets the number of one node.
    pub(super) fn set(&mut self, node: NodeIndex, number: u64) {
        let index = usize::from(node);
        if self.0.len() <= index {
            self.0.resize(index + 1, 0);
        }
        self.0[index] = number;
    }

    pub(super) fn raise(&mut self, node: NodeIndex, number: u64) {
        if number > self.of(node) {
            self.set(node, number);
        }
    }

    pub(super) fn join(&mut self, other: At<'_>) {
        for (node, number) in (0..).zip(other.0) {
            self.raise(node, *number);
        }
    }

    /// Lowers every number to that of the other clock.
    pub(super) fn meet(&mut self, other: At<'_>) {
        for (node, number) in (0..).zip(&mut self.0) {
            *number = other.of(node).min(*number);
        }
    }
}

impl From<At<'_>> for Clock {
    fn from(at: At<'_>) -> Self {
        Self(at.0.to_vec())
    }
}

/// The ids of all nodes that the store has met.
#[derive(Debug)]
pub(super) struct Nodes {
    names: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, NodeIndex>,
}

/// There are more nodes than a store can tell apart.
#[derive(Debug, thiserror::Error)]
#[error("the group has more than {} nodes", NodeIndex::MAX)]
pub(super) struct TooManyNodes;

impl Nodes {
    pub(super) fn new(own: Arc<str>) -> Self {
        Self {
            by_name: HashMap::from([(own.clone(), OWN)]),
            names: vec![own],
        }
    }

    pub(super) fn own(&self) -> &Arc<str> {
        &self.names[usize::from(OWN)]
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn name(&self, node: NodeIndex) -> &Arc<str> {
        &self.names[usize::from(node)]
    }

    pub(super) fn find(&self, name: &str) -> Option<NodeIndex> {
        self.by_name.get(name).copied()
    }

    pub(super) fn find_or_add(&mut self, name: &str) -> Result<NodeIndex, TooManyNodes> {
        if let Some(known) = self.find(name) {
            return Ok(known);
        }
        let index = NodeIndex::try_from(self.names.len()).map_err(|_| TooManyNodes)?;
        let name: Arc<str> = name.into();
        self.names.push(name.clone());
        self.by_name.insert(name, index);
        Ok(index)
    }

    /// The order in which later writes win: by timestamp, and by the node's id where two timestamps are equal.
    pub(super) fn order(&self, one: &Stamp, other: &Stamp) -> Ordering {
        one.time
            .cmp(&other.time)
            .then_with(|| self.name(one.node).cmp(self.name(other.node)))
            .then(one.number.cmp(&other.number))
    }

    /// The clock with the nodes' ids.
    pub(super) fn spell(&self, at: At<'_>) -> VectorClock {
        let named = self.names.iter().zip(at.0);
        named.map(|(name, number)| (name.clone(), *number)).collect()
    }
}
