use std::collections::BTreeMap;

use serde::Serialize;

use crate::store::replica::{Replica, TokenLag};

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
    /// How far the tokens of reads and writes lay behind.
    pub token_lag: TokenLag,
}

impl NodeStats {
    pub(super) fn of(replica: &Replica, taken: bool) -> Self {
        let state = &*replica.reading();
        let progress = |node| {
            let reached = state.clock().of(node);
            NodeProgress {
                reached,
                lag: state.known().of(node).saturating_sub(reached),
                trimmed: state.trim_clock().of(node),
                token_lag: replica.lag_of_tokens(node),
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

    /// Gives these numbers to the recorder of the [`metrics`] crate, whichever exporter that is. Call it when a scrape comes, or
    /// every few seconds. `docs/nodes.md` lists the metrics.
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn publish_metrics(&self) {
        use metrics::{counter, gauge};

        for (node, progress) in &self.nodes {
            let NodeProgress {
                reached,
                lag,
                trimmed,
                token_lag,
            } = *progress;
            gauge!("tower_zookie_node_reached", "node" => node.clone()).set(reached as f64);
            gauge!("tower_zookie_node_lag", "node" => node.clone()).set(lag as f64);
            gauge!("tower_zookie_node_trimmed", "node" => node.clone()).set(trimmed as f64);
            counter!("tower_zookie_node_token_lag_count", "node" => node.clone()).absolute(token_lag.tokens);
            counter!("tower_zookie_node_token_lag_sum", "node" => node.clone()).absolute(token_lag.sum);
        }
        gauge!("tower_zookie_node_pending_writes").set(self.pending_writes as f64);
        gauge!("tower_zookie_node_unsettled_deletions").set(self.unsettled_deletions as f64);
        gauge!("tower_zookie_node_taken").set(f64::from(u8::from(self.taken)));
    }
}
