use std::collections::HashSet;

use crate::store::check::{Edge, Evaluation, Kind, NO_EDGE, Node, NodeId, Phase, Unsolved};

impl Evaluation<'_> {
    /// Runs when nothing is left to expand. It proves the exclusions whose right side can no longer hold, and returns
    /// whether there were any.
    pub(super) fn settle_exclusions(&mut self, root: NodeId) -> Result<bool, Unsolved> {
        // This finds all of them before it proves any: a proof may add tasks, and then not everything is expanded.
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

    /// The right side of `node`, if it is an undecided exclusion whose left side holds.
    fn waits_for(&self, node: NodeId) -> Option<NodeId> {
        match self.nodes[node as usize] {
            Node {
                holds: false,
                kind:
                    Kind::Except {
                        phase: Phase::Right(right),
                        ..
                    },
                ..
            } => Some(right),
            _ => None,
        }
    }

    /// Whether `node` can no longer hold: nothing that it depends on can change.
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
