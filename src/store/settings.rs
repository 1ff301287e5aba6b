use std::time::Duration;

/// The limits of a store.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) gc_window: Duration,
    pub(super) max_revisions: u64,
    pub(super) max_check_steps: u64,
    pub(super) max_updates: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gc_window: Duration::from_secs(24 * 60 * 60),
            max_revisions: 100_000,
            max_check_steps: 1_000_000,
            max_updates: 1_000,
        }
    }
}
