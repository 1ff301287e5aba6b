use std::sync::Arc;

use crate::store::write::Update;

/// The changes of one revision.
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

    /// The updates of the write, unmodified. A touch may not have changed anything, if its relationship existed
    /// already.
    pub fn updates(&self) -> &[Update] {
        &self.updates
    }

    /// Whether this revision replaced the schema. If so, any answer may have changed.
    pub fn wrote_schema(&self) -> bool {
        self.wrote_schema
    }
}
