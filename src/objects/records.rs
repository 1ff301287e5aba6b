use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::objects::batches::{Batches, Work};
use crate::objects::error::ObjectsError;
use crate::objects::key::ObjectKey;
use crate::objects::record::Update;
use crate::objects::store::ObjectTokens;

/// Updates of the store. Writes that end at once share one, and one runs at a time, so that a process is not in its own way.
pub(super) struct Updates {
    pub(super) store: Arc<dyn ObjectTokens>,
    pub(super) limit: Duration,
}

impl Updates {
    pub(super) fn begin(self) -> Batches<Self> {
        Batches::new(self, 1)
    }
}

impl Work for Updates {
    type Item = Update;
    type Done = ();

    fn merge(first: Update, second: Update) -> Update {
        first.and(second)
    }

    async fn run(&self, items: Vec<(ObjectKey, Update)>) -> Result<(), ObjectsError> {
        let updated = timeout(self.limit, self.store.update(&items)).await;
        updated.unwrap_or_else(|_| Err(ObjectsError::new("recording took longer than `record_timeout`")))
    }
}
