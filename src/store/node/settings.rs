use std::time::{Duration, SystemTime};

use crate::store::builder::StoreBuilder;

/// What a node is started with.
pub(super) struct NodeSettings {
    pub(super) name: String,
    pub(super) store: StoreBuilder,
    pub(super) wall_clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
    pub(super) max_pending_writes: usize,
    pub(super) write_timeout: Duration,
    pub(super) snapshot_every: u64,
    pub(super) report_every: Duration,
}

impl NodeSettings {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            store: StoreBuilder::default(),
            wall_clock: Box::new(SystemTime::now),
            max_pending_writes: 1024,
            write_timeout: Duration::from_secs(5),
            snapshot_every: 10_000,
            report_every: Duration::from_secs(1),
        }
    }
}
