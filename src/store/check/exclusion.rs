use std::collections::HashSet;

use crate::store::check::{Edge, Evaluation, Kind, NO_EDGE, Node, NodeId, Phase, Unsolved};

impl Evaluation<'_> {
    /// With nothing left to expand: lets the exclusions hold whose right side has failed for good. Says whether that
    /// leaves anything to do.
    pub(super) fn settle_exclusions(&mut self, root: NodeId) -> Result<bool, Unsolved> {
        // Found before any of them is let hold: that may ask for more, and then not everything is expanded.
        let mut settled = Vec::new();
        for node in std::mem::take(&mut self.waiting) {
            let Some(right) = self.waits_for(node) else { continue };
            let failed = self.has_failed(right)?;
            let group = if failed { &mut settled } else { &mut self.waiting };
            group.push(node);
        }
        if settled.is_empty() && !self.waiting.is_empty() && !self.has_failed(root)? {
            return Err(Unsolved::ExclusionCycle);
        }
        for node in &settled {
            self.prove(*node);
        }
        Ok(!settled.is_empty())
    }

    /// The right side of an exclusion that is still undecided.
    fn waits_for(&self, node: NodeId) -> Option<NodeId> {
        match self.nodes[node as usize] {
            Node {
                holds: false,
                kind:
                    Kind::But {
                        phase: Phase::Right(right),
                        ..
                    },
                ..
            } => Some(right),
            _ => None,
        }
    }

    /// Whether nothing that `node` depends on can still come to hold.
    fn has_failed(&mut self, node: NodeId) -> Result<bool, Unsolved> {
        let mut seen = HashSet::new();
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            self.step()?;
            let Node {
                holds,
                failed,
                first_down,
                ..
            } = self.nodes[node as usize];
            if failed || !seen.insert(node) {
                continue;
            }
            if holds || self.waits_for(node).is_some() {
                return Ok(false);
            }
            let mut edge = first_down;
            while edge != NO_EDGE {
                self.step()?;
                let Edge { from, next_down, .. } = self.edges[edge as usize];
                if !self.holds(from) {
                    open.push(from);
                }
                edge = next_down;
            }
        }
        for node in seen {
            self.nodes[node as usize].failed = true;
        }
        Ok(true)
    }
}
