use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use tokio::time::{Instant, sleep, timeout_at};

use crate::objects::error::ObjectsError;
use crate::objects::key::ObjectKey;
use crate::objects::nats::link::Link;
use crate::objects::nats::value::{Unsettled, Value};
use crate::objects::record::{Record, Update};

const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A reply that is lost may not use up all the time.
const TRIES: u32 = 4;

/// What became of one try to replace a record.
enum Tried {
    Done,
    /// Another writer was faster.
    Conflict,
    /// Nothing is known. The same can be tried again, because each try reads the record anew.
    Failed(ObjectsError),
}

impl Link {
    /// Changes one record by compare-and-set.
    pub(super) async fn update(self: &Arc<Self>, key: &ObjectKey, update: &Update) -> Result<(), ObjectsError> {
        let deadline = Instant::now() + self.timeout;
        let mut pause = SHORTEST_PAUSE;
        let (mut conflicts, mut last) = (0, None);
        loop {
            let end = deadline.min(Instant::now() + self.timeout / TRIES);
            match timeout_at(end, self.try_update(key, update)).await {
                Ok(Ok(Tried::Done)) => return Ok(()),
                Ok(Ok(Tried::Conflict)) => conflicts += 1,
                Ok(Ok(Tried::Failed(error))) => last = Some(error),
                Ok(Err(error)) => return Err(error),
                Err(_) => last = Some(ObjectsError::new("NATS: a reply did not come")),
            }
            // Writers that met once would otherwise meet again.
            let random = pause.mul_f64(rand::random_range(0.5..1.5));
            if timeout_at(deadline, sleep(random)).await.is_err() {
                break;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let limit = self.timeout;
        let what = format!(
            "NATS: an update took longer than `timeout` ({limit:?}), with {conflicts} changes by other writers"
        );
        let error = ObjectsError::new(what);
        Err(match last {
            Some(last) => error.with_source(last),
            None => error,
        })
    }

    async fn try_update(self: &Arc<Self>, key: &ObjectKey, update: &Update) -> Result<Tried, ObjectsError> {
        let entry = match self.get(key.as_str()).await {
            Ok(entry) => entry,
            Err(error) => return Ok(Tried::Failed(error)),
        };
        let (sequence, value) = match entry {
            None => (0, Some(Value::default())),
            Some(entry) => (entry.sequence, entry.value().ok()),
        };
        let Some(next) = self.next(value, sequence, update) else {
            return Ok(Tried::Done);
        };
        let unsettled = next.unsettled.map(|unsettled| unsettled.duration);
        let keep = update.keep().max(unsettled.unwrap_or_default());
        if let Err(error) = self.keep_for(keep).await {
            return Ok(Tried::Failed(error));
        }
        let put = self.put(key.as_str(), next.to_bytes(), Some(sequence)).await;
        let Err(error) = put else { return Ok(Tried::Done) };
        let kind = error.kind();
        let failed = ObjectsError::new("NATS: an entry was not acknowledged").with_source(error);
        match kind {
            PublishErrorKind::WrongLastSequence => Ok(Tried::Conflict),
            // The last two: the connection was lost, or the stream has no leader now.
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe | PublishErrorKind::StreamNotFound => {
                Ok(Tried::Failed(failed))
            }
            _ => Err(failed),
        }
    }

    /// The value after the update. `None` if it is the same.
    fn next(self: &Arc<Self>, value: Option<Value>, sequence: u64, update: &Update) -> Option<Value> {
        let Some(value) = value else {
            // What stood there may have been anything.
            let update = update.clone().unsettle(update.keep());
            let record = update.apply(&Record::default())?;
            return Some(new_value(record));
        };
        let before = self.record(&value, sequence, Instant::now());
        let after = update.apply(&before)?;
        let is_same_mark = after.unsettled.is_some() && after.unsettled == before.unsettled;
        // The same mark keeps its beginning, so that a record that changes all the time is settled some day.
        let mark = value.unsettled.filter(|_| is_same_mark).map(|unsettled| Unsettled {
            since: unsettled.since.or(Some(sequence)),
            ..unsettled
        });
        let mut next = new_value(after);
        next.unsettled = mark.or(next.unsettled);
        Some(next)
    }
}

fn new_value(record: Record) -> Value {
    Value {
        tokens: record.tokens,
        unsettled: record.unsettled.map(|duration| Unsettled { duration, since: None }),
    }
}
