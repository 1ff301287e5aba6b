use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When records that have expired are removed.
#[derive(Debug)]
pub(super) struct Schedule {
    pause: Duration,
    last: Mutex<Option<Instant>>,
    /// One task at a time raises the time for which records are kept.
    pub(super) raising: tokio::sync::Mutex<()>,
    /// When the stream was created.
    created: Mutex<String>,
}

impl Schedule {
    /// For a stream that was created at this time.
    pub(super) fn new(pause: Duration, created: String) -> Self {
        Self {
            pause,
            last: Mutex::default(),
            raising: tokio::sync::Mutex::default(),
            created: Mutex::new(created),
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= self.pause);
        if is_due {
            *last = Some(now);
        }
        is_due
    }

    /// Whether the stream is another one than when this was last asked.
    pub(super) fn is_replaced(&self, created: String) -> bool {
        let mut known = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        let is_replaced = *known != created;
        *known = created;
        is_replaced
    }
}
