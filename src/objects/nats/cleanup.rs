use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::nats::stream_info;
use crate::objects::error::ObjectsError;
use crate::objects::nats::link::{Entry, Link};
use crate::objects::nats::value::millis;

/// The key of the longest time for which any process keeps records. It has a byte that no object's key has.
const KEEP: &str = "~keep";

/// How often a value under a key that all processes share is tried.
const MOST_TRIES: usize = 50;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keep {
    v: u8,
    keep_ms: u64,
}

impl Link {
    /// Makes sure that no process removes records that are younger than this.
    pub(super) async fn keep_for(&self, keep: Duration) -> Result<(), ObjectsError> {
        let keep = millis(keep);
        if self.kept() >= keep {
            return Ok(());
        }
        let _one = self.schedule.raising.lock().await;
        for _ in 0..MOST_TRIES {
            let (sequence, said) = match self.get(KEEP).await? {
                None => (0, 0),
                // An unreadable value is replaced: all who keep records for longer say so again within a minute.
                Some(entry) => (entry.sequence, read(&entry).unwrap_or(0)),
            };
            if said >= keep {
                self.set_kept(said);
                return Ok(());
            }
            if self.put_keep(keep, sequence).await? {
                self.set_kept(keep);
                return Ok(());
            }
        }
        Err(ObjectsError::new(
            "NATS: other writers always changed the time for which records are kept",
        ))
    }

    /// `false` if it has changed since.
    async fn put_keep(&self, keep_ms: u64, expected: u64) -> Result<bool, ObjectsError> {
        // A number always makes JSON.
        let payload = serde_json::to_vec(&Keep { v: 1, keep_ms }).unwrap_or_default();
        match self.put(KEEP, Bytes::from(payload), Some(expected)).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(false),
            Err(error) => {
                Err(ObjectsError::new("NATS: for how long records are kept can't be written").with_source(error))
            }
        }
    }

    /// Removes in the background what has expired, if that is due.
    pub(super) fn clean_up_soon(self: &Arc<Self>) {
        if !self.schedule.is_due(Instant::now()) {
            return;
        }
        let link = self.clone();
        tokio::spawn(async move {
            if let Err(error) = link.clean_up().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "records that have expired can't be removed from the bucket"
                );
            }
        });
    }

    /// Removes what is older than any process keeps records.
    ///
    /// The stream is in the order of time, so what has expired are the messages before a certain one.
    async fn clean_up(&self) -> Result<(), ObjectsError> {
        let info = stream_info(&self.context, &self.stream_name).await?;
        let info = info.ok_or_else(|| ObjectsError::new("NATS: the bucket is gone"))?;
        let own = self.kept();
        if self.schedule.is_replaced(info.created.to_string()) {
            self.forget();
            return self.keep_for(Duration::from_millis(own)).await;
        }
        // The entry that says it is written again, so that it is not among the oldest.
        let Some(entry) = self.get(KEEP).await? else {
            self.forget();
            return self.keep_for(Duration::from_millis(own)).await;
        };
        let keep = read(&entry)?.max(own);
        if !self.put_keep(keep, entry.sequence).await? {
            return Ok(());
        }
        self.set_kept(keep);
        let last = self.last_older_than(Duration::from_millis(keep));
        let Some(last) = last.filter(|last| *last >= info.state.first_sequence) else {
            return Ok(());
        };
        let purged = self.stream.purge().sequence(last + 1).await;
        purged.map_err(|error| ObjectsError::new("NATS: a purge failed").with_source(error))?;
        Ok(())
    }
}

fn read(entry: &Entry) -> Result<u64, ObjectsError> {
    let Some(payload) = &entry.payload else { return Ok(0) };
    let unreadable = || ObjectsError::new("NATS: the entry `~keep` of the bucket can't be read");
    let keep: Keep = serde_json::from_slice(payload).map_err(|error| unreadable().with_source(error))?;
    if keep.v != 1 {
        return Err(unreadable());
    }
    Ok(keep.keep_ms)
}
