use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use async_nats::{HeaderMap, Statistics};
use bytes::Bytes;
use tokio::time::Instant;

use crate::objects::error::ObjectsError;
use crate::objects::nats::bucket::stream_name;
use crate::objects::nats::marks::Marks;
use crate::objects::nats::schedule::Schedule;
use crate::objects::nats::value::{Unreadable, Value};
use crate::objects::record::Record;

/// The key of heartbeats. It has a byte that no object's key has.
pub(super) const BEAT: &str = "~beat";

/// The shortest time between two beats that look-ups cause.
const BEAT_PAUSE: Duration = Duration::from_secs(1);

/// What the header of a deletion says.
const DELETIONS: [&str; 2] = ["DEL", "PURGE"];

/// The bucket, and what this process knows about it.
pub(super) struct Link {
    pub(super) context: Context,
    pub(super) stream: Stream<()>,
    pub(super) stream_name: String,
    statistics: Arc<Statistics>,
    /// What stands before a key in a subject.
    pub(super) prefix: String,
    /// How long a look-up or an update may take.
    pub(super) timeout: Duration,
    pub(super) schedule: Schedule,
    observed: Mutex<Observed>,
    last_beat: Mutex<Option<Instant>>,
}

/// What was seen on one connection. A server that crashed may have lost messages, and then gives their numbers to others.
struct Observed {
    connection: u64,
    marks: Marks,
    /// For how long all processes keep records, as the bucket says, in milliseconds. 0 if that was not read yet.
    kept: u64,
}

/// What stands under a key.
pub(super) struct Entry {
    pub(super) sequence: u64,
    /// `None`: it was deleted.
    pub(super) payload: Option<Bytes>,
}

impl Entry {
    pub(super) fn value(&self) -> Result<Value, Unreadable> {
        match &self.payload {
            Some(payload) => Value::from_bytes(payload, self.sequence),
            None => Ok(Value::default()),
        }
    }
}

impl Link {
    pub(super) async fn new(
        context: Context,
        bucket: &str,
        timeout: Duration,
        schedule: Schedule,
    ) -> Result<Self, ObjectsError> {
        let stream_name = stream_name(bucket);
        let stream = context.get_stream_no_info(&stream_name).await;
        let stream = stream.map_err(|error| ObjectsError::new("NATS: `bucket` is refused").with_source(error))?;
        let statistics = context.client().statistics();
        let observed = Observed {
            connection: statistics.connects.load(Ordering::SeqCst),
            marks: Marks::new(),
            kept: 0,
        };
        Ok(Self {
            context,
            stream,
            stream_name,
            statistics,
            prefix: format!("$KV.{bucket}."),
            timeout,
            schedule,
            observed: Mutex::new(observed),
            last_beat: Mutex::default(),
        })
    }

    /// How often this process has connected.
    pub(super) fn connection(&self) -> u64 {
        self.statistics.connects.load(Ordering::SeqCst)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.context.client().connection_state() == State::Connected
    }

    fn observed<T>(&self, action: impl FnOnce(&mut Observed) -> T) -> T {
        let connection = self.connection();
        let mut observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        if observed.connection != connection {
            observed.connection = connection;
            observed.forget();
        }
        action(&mut observed)
    }

    /// For how long all processes keep records, in milliseconds. 0 if this one does not know.
    pub(super) fn kept(&self) -> u64 {
        self.observed(|observed| observed.kept)
    }

    pub(super) fn set_kept(&self, kept: u64) {
        self.observed(|observed| {
            observed.kept = kept;
            observed.marks.lengthen(Duration::from_millis(kept));
        });
    }

    /// Another bucket has taken this one's place.
    pub(super) fn forget(&self) {
        self.observed(Observed::forget);
    }

    /// The last message that was certainly written this long ago, or longer.
    pub(super) fn last_older_than(&self, age: Duration) -> Option<u64> {
        self.observed(|observed| observed.marks.last_older_than(age, Instant::now()))
    }

    /// What stands under a key, as the stream's leader says.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Entry>, ObjectsError> {
        let subject = format!("{}{key}", self.prefix);
        match self.stream.raw_message_builder().last_by_subject(subject).send().await {
            Ok(message) => Ok(Some(Entry {
                sequence: message.sequence,
                payload: (!is_deletion(Some(&message.headers))).then_some(message.payload),
            })),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(ObjectsError::new("NATS: an entry can't be read").with_source(error)),
        }
    }

    /// Writes under a key, if its last message is still the expected one: 0 for none. The stream has acknowledged it then.
    pub(super) async fn put(&self, key: &str, payload: Bytes, expected: Option<u64>) -> Result<u64, PublishError> {
        let mut message = PublishMessage::build()
            .payload(payload)
            .expected_stream(&self.stream_name);
        if let Some(expected) = expected {
            message = message.expected_last_subject_sequence(expected);
        }
        let subject = format!("{}{key}", self.prefix);
        let connection = self.connection();
        let sequence = self.context.send_publish(subject, message).await?.await?.sequence;
        self.observed(|observed| {
            if observed.connection == connection {
                observed.marks.existed(sequence, Instant::now());
            }
        });
        Ok(sequence)
    }

    /// Writes a message that has nothing to say but its sequence. All that was acknowledged before has a lower one.
    pub(super) async fn beat(&self) -> Result<u64, ObjectsError> {
        let before = self.observed(|observed| observed.marks.newest());
        let sequence = self.put(BEAT, Bytes::new(), None).await.map_err(|error| {
            let prefix = &self.prefix;
            let what = format!("NATS: a heartbeat is not acknowledged; may the user publish to `{prefix}>`?");
            ObjectsError::new(what).with_source(error)
        })?;
        if sequence <= before {
            self.forget();
            return Err(ObjectsError::new(
                "NATS: another bucket has taken this one's place; what was recorded there is lost",
            ));
        }
        Ok(sequence)
    }

    /// The record that a message has.
    pub(super) fn record(self: &Arc<Self>, value: &Value, sequence: u64, now: Instant) -> Record {
        let unsettled = value.unsettled.and_then(|unsettled| {
            let since = unsettled.since.unwrap_or(sequence);
            let age = self.observed(|observed| observed.marks.age(since, now));
            if age.is_none() {
                self.beat_soon(now);
            }
            let left = unsettled.duration.checked_sub(age.unwrap_or_default());
            left.filter(|left| !left.is_zero())
        });
        Record {
            tokens: value.tokens.clone(),
            unsettled,
        }
    }

    /// Beats in the background, so that the age of what stands in the stream now is known from then on.
    fn beat_soon(self: &Arc<Self>, now: Instant) {
        {
            let mut last = self.last_beat.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| now.saturating_duration_since(last) < BEAT_PAUSE) {
                return;
            }
            *last = Some(now);
        }
        let link = self.clone();
        tokio::spawn(async move {
            if let Err(error) = link.beat().await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "no mark for unsettled objects"
                );
            }
        });
    }
}

impl Observed {
    fn forget(&mut self) {
        self.marks.clear();
        self.kept = 0;
    }
}

/// Whether a message says that its key was deleted. A server writes the second header when it removes an entry itself.
pub(super) fn is_deletion(headers: Option<&HeaderMap>) -> bool {
    headers.is_some_and(|headers| {
        let operation = headers.get("KV-Operation").map(|value| value.as_str());
        operation.is_some_and(|operation| DELETIONS.contains(&operation)) || headers.get("Nats-Marker-Reason").is_some()
    })
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("stream", &self.stream_name)
            .finish_non_exhaustive()
    }
}
