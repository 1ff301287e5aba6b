use std::collections::BTreeMap;

use serde::Serialize;

use crate::store::state::State;

/// What a node has, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeStats {
    /// By node id, of this node and of all others that it has heard of.
    pub nodes: BTreeMap<String, NodeProgress>,
    /// Writes of this node that wait until the link stores them.
    pub pending_writes: usize,
    /// Deletions that are remembered because another node may not have seen them.
    pub unsettled_deletions: usize,
    /// How many revisions can be read.
    pub retained_revisions: u64,
    /// Another process writes as this node, so that this one writes nothing more.
    pub taken: bool,
}

/// How much of a node's writes has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeProgress {
    /// The number of the newest write that is here.
    pub reached: u64,
    /// How many writes the node is known to have made that are not here yet.
    pub lag: u64,
    /// The number of the oldest write at which snapshots can be read.
    pub trimmed: u64,
}

impl NodeStats {
    pub(super) fn of(state: &State, taken: bool) -> Self {
        let progress = |node| {
            let reached = state.clock().of(node);
            NodeProgress {
                reached,
                lag: state.known().of(node).saturating_sub(reached),
                trimmed: state.trim_clock().of(node),
            }
        };
        let nodes = (0..).take(state.nodes.len());
        Self {
            nodes: nodes
                .map(|node| (state.nodes.name(node).to_string(), progress(node)))
                .collect(),
            pending_writes: state.pending(),
            unsettled_deletions: state.unsettled(),
            retained_revisions: state.head() - state.oldest() + 1,
            taken,
        }
    }
}
