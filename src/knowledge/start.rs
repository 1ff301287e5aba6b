use std::sync::Arc;

use tokio::time::Instant;

use crate::revision::Revision;

/// What the layer knew when an upstream call began.
#[derive(Clone, Debug)]
pub(crate) struct CallStart {
    pub(crate) began: Instant,
    pub(crate) epoch: u64,
    /// How many revisions had been named.
    pub(super) named: u64,
    pub(super) newest: Arc<[Revision]>,
}

impl CallStart {
    /// The named revisions that no other one covered.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Revision> {
        self.newest.iter()
    }

    /// Whether a read at `revision` gives the same answer every time from then on.
    pub(crate) fn settles(&self, revision: &Revision) -> bool {
        self.newest().any(|known| known.settles(revision))
    }
}
