use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::objects::batches::{Batches, Work};
use crate::objects::counters::ObjectCounters;
use crate::objects::error::ObjectsError;
use crate::objects::key::ObjectKey;
use crate::objects::known::Known;
use crate::objects::store::ObjectTokens;
use crate::token::TokenFormat;

/// How many queries run at once.
const AT_ONCE: usize = 8;

/// Queries for the tokens of objects. Checks that come at once share one.
pub(super) struct Queries {
    pub(super) store: Arc<dyn ObjectTokens>,
    pub(super) format: Arc<dyn TokenFormat>,
    pub(super) limit: Duration,
    pub(super) counters: Arc<ObjectCounters>,
}

impl Queries {
    pub(super) fn begin(self) -> Batches<Self> {
        Batches::new(self, AT_ONCE)
    }
}

impl Work for Queries {
    type Item = ();
    type Done = HashMap<ObjectKey, Known>;

    fn merge((): (), (): ()) {}

    async fn run(&self, items: Vec<(ObjectKey, ())>) -> Result<Self::Done, ObjectsError> {
        self.counters.queries.add();
        let keys: Vec<ObjectKey> = items.into_iter().map(|(key, ())| key).collect();
        let records = timeout(self.limit, self.store.look_up(&keys)).await;
        let records =
            records.unwrap_or_else(|_| Err(ObjectsError::new("a look-up took longer than `look_up_timeout`")));
        let records = records.and_then(|records| match records.len() == keys.len() {
            true => Ok(records),
            false => Err(ObjectsError::new(
                "the store replied with another number of records than was asked for",
            )),
        });
        let records = records.inspect_err(|_| self.counters.failed_queries.add())?;
        // Later than the store's own instant, so that no object counts as settled too early.
        let now = Instant::now();
        let known = records.iter().map(|record| Known::of(record, &*self.format, now));
        Ok(keys.into_iter().zip(known).collect())
    }
}
