use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::layer::changing::Changing;

/// What requests and replies have shown so far, for the warnings of what was never there.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// A request matched a route.
    pub(super) route: Flag,
    /// Requests that matched no route, until one did.
    pub(super) unmatched: AtomicU64,
    /// Checks without a token that were read at head for that, until one had a token.
    pub(super) without_token: AtomicU64,
    /// A check had a token.
    pub(super) with_token: Flag,
    /// Questions whose keys were looked at for what changes in them.
    pub(super) keys: AtomicU64,
    pub(super) changing: Changing,
    /// A reply named a token.
    pub(super) token: Flag,
    /// A reply had a verdict.
    pub(super) verdict: Flag,
}

/// A flag that is never taken back.
#[derive(Debug, Default)]
pub(super) struct Flag(AtomicBool);

impl Flag {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Writes to memory that threads share only once.
    pub(super) fn set(&self) {
        if !self.is_set() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
