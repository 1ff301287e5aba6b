use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What requests and replies have shown so far, for the warnings of what was never there.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// A request matched a route.
    pub(super) route: Flag,
    /// Requests that matched no route, until one did.
    pub(super) unmatched: AtomicU64,
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
