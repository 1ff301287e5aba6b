//! The upper bound: a cache that knows which writes change which decision.

use super::keyed::{Key, Rule};
use crate::upstream::{Answer, At, Upstream};
use crate::workload::{Check, Terms};
use crate::world::Millis;

/// An answer holds until the write that changes its decision, and may be served for as long after it as the bound
/// allows.
pub(crate) struct Oracle {
    bound: Millis,
}

impl Oracle {
    pub(crate) fn new(terms: &Terms) -> Self {
        Self { bound: terms.bound() }
    }
}

impl Rule for Oracle {
    const COALESCES: bool = true;

    fn plan(&self, _: &Upstream, check: &Check) -> (Key, At) {
        ((check.question, 0), At::Head)
    }

    fn serve(&self, entry: &Answer, upstream: &Upstream, check: &Check) -> Option<Answer> {
        let world = &upstream.world;
        let head = upstream.head();
        let change = world
            .next_change(check.question, entry.revision)
            .filter(|change| *change <= head);
        let (revision, as_of) = match change {
            Some(change) => (change - 1, world.committed(change).max(entry.as_of)),
            None => (head, check.at),
        };
        let reaches = check.floor.is_none_or(|floor| floor <= revision);
        let young = check.at - as_of <= self.bound;
        (reaches && young).then_some(Answer {
            revision,
            as_of,
            ..*entry
        })
    }
}
