use std::sync::Arc;

use crate::store::write::Update;

/// What one revision changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    revision: u64,
    updates: Arc<[Update]>,
    wrote_schema: bool,
}

impl Change {
    pub(super) fn new(revision: u64, updates: Arc<[Update]>, wrote_schema: bool) -> Self {
        Self {
            revision,
            updates,
            wrote_schema,
        }
    }

    /// The revision.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The updates of the write, as it was sent: a touch may have found its relationship there.
    pub fn updates(&self) -> &[Update] {
        &self.updates
    }

    /// Whether this revision replaced the schema: then any answer may have changed.
    pub fn wrote_schema(&self) -> bool {
        self.wrote_schema
    }
}
