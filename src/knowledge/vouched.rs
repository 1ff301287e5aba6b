//! Revisions that a signed token vouches for: the store named them to another replica.

use std::sync::atomic::Ordering;

use crate::knowledge::Knowledge;
use crate::knowledge::named::Named;
use crate::knowledge::start::CallStart;
use crate::knowledge::watermarks::Instants;
use crate::revision::Revision;

impl Knowledge {
    /// Learns of a revision that the store named to another replica at `issued`, in seconds since 1970, by a clock that may be
    /// `skew` seconds ahead of this one. Returns whether there is nothing more to learn of it in this history.
    ///
    /// The revision becomes named and nothing else: it makes no watermark, settles nothing, and no head has to cover it, because
    /// heads may lie below what another node of the store has named. One that may be of a history that is gone is not learned.
    pub(crate) fn vouch(&self, revision: &Revision, issued: u64, skew: u64) -> bool {
        let mut state = self.state();
        if state.store.as_ref() != Some(revision.store()) {
            return false;
        }
        let is_lost = state.lost.iter().any(|lost| lost.is_at_or_after(revision));
        let began = self.history_began.load(Ordering::Acquire);
        if is_lost || began > 0 && issued <= began.saturating_add(skew) {
            return true;
        }
        let named = Named {
            number: state.named_count,
            made: Instants::default(),
            at: issued,
        };
        if state.named.get(revision).is_none() && state.vouched.get(revision).is_none() {
            state.named_count += 1;
        }
        state.vouched.add(revision, named);
        true
    }

    /// When `revision` was last named, in seconds since 1970. `None`: it is not named, or only the join of named ones.
    pub(crate) fn named_at(&self, revision: &Revision) -> Option<u64> {
        let state = self.state();
        let by_store = state.named.get(revision).map(|named| named.at);
        by_store.max(state.vouched.get(revision).map(|vouched| vouched.at))
    }

    /// Whether the store itself named the revision before a call began, and not only to another replica.
    pub(super) fn named_here_before(&self, revision: &Revision, start: &CallStart) -> bool {
        let state = self.state();
        let named = state.named.get(revision);
        named.is_some_and(|named| named.before(start.named)) || state.is_join_before(revision, start)
    }
}
