use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::connection::State;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::RawMessageErrorKind;
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use tokio::time::Instant;

use crate::objects::error::ObjectsError;
use crate::objects::nats::bucket::stream_name;
use crate::objects::nats::cleanup::Cleanup;
use crate::objects::nats::marks::Marks;
use crate::objects::nats::value::{Unreadable, Value};
use crate::objects::record::Record;

/// The key of heartbeats. It has a byte that no object's key has.
pub(super) const BEAT: &str = "~beat";

/// The shortest time between two beats that look-ups cause.
const BEAT_PAUSE: Duration = Duration::from_secs(1);

/// The bucket, and what this process knows about it.
pub(super) struct Link {
    context: Context,
    bucket: String,
    pub(super) stream: String,
    /// What stands before a key in a subject.
    pub(super) prefix: String,
    /// How long a look-up or an update may take.
    pub(super) timeout: Duration,
    pub(super) cleanup: Cleanup,
    marks: Mutex<Marks>,
    last_beat: Mutex<Option<Instant>>,
    /// For how long records are kept at least, as the bucket says, in milliseconds.
    kept: AtomicU64,
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
    pub(super) fn new(context: Context, bucket: &str, timeout: Duration, cleanup: Cleanup) -> Self {
        Self {
            context,
            stream: stream_name(bucket),
            prefix: format!("$KV.{bucket}."),
            bucket: bucket.to_owned(),
            timeout,
            cleanup,
            marks: Mutex::new(Marks::new()),
            last_beat: Mutex::default(),
            kept: AtomicU64::new(0),
        }
    }

    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    pub(super) fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long the bucket says that records are kept. Zero if this process does not know.
    pub(super) fn kept(&self) -> Duration {
        Duration::from_millis(self.kept.load(Ordering::Acquire))
    }

    pub(super) fn set_kept(&self, kept: u64) {
        self.marks().lengthen(Duration::from_millis(kept));
        self.kept.store(kept, Ordering::Release);
    }

    /// Forgets what is known about the bucket, because another one has taken its place.
    pub(super) fn forget(&self) {
        self.kept.store(0, Ordering::Release);
        self.marks().clear();
    }

    pub(super) fn is_connected(&self) -> bool {
        self.context.client().connection_state() == State::Connected
    }

    /// What stands under a key, as the stream's leader says.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Entry>, ObjectsError> {
        let stream = self.context.get_stream_no_info(&self.stream).await;
        let stream =
            stream.map_err(|error| ObjectsError::new("NATS: the bucket's name is refused").with_source(error))?;
        let subject = format!("{}{key}", self.prefix);
        match stream.raw_message_builder().last_by_subject(subject).send().await {
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
        let mut message = PublishMessage::build().payload(payload).expected_stream(&self.stream);
        if let Some(expected) = expected {
            message = message.expected_last_subject_sequence(expected);
        }
        let subject = format!("{}{key}", self.prefix);
        let sequence = self.context.send_publish(subject, message).await?.await?.sequence;
        self.marks().existed(sequence, Instant::now());
        Ok(sequence)
    }

    /// Writes a message that has nothing to say but its sequence. All that was acknowledged before has a lower one.
    pub(super) async fn beat(&self) -> Result<u64, ObjectsError> {
        let before = self.marks().newest();
        let beat = self.put(BEAT, Bytes::new(), None).await;
        let sequence =
            beat.map_err(|error| ObjectsError::new("NATS: a heartbeat is not acknowledged").with_source(error))?;
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
            let age = self.marks().age(unsettled.since.unwrap_or(sequence), now);
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

/// Whether a message marks that its key was deleted.
pub(super) fn is_deletion(headers: Option<&HeaderMap>) -> bool {
    let Some(headers) = headers else { return false };
    let operation = headers.get("KV-Operation").map(|value| value.as_str());
    matches!(operation, Some("DEL" | "PURGE")) || headers.get(jetstream_marker()).is_some()
}

/// The header of a marker that a server writes itself.
fn jetstream_marker() -> &'static str {
    "Nats-Marker-Reason"
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

/// The API of the server for streams.
pub(super) fn context(client: async_nats::Client, timeout: Duration) -> Context {
    jetstream::context::ContextBuilder::new().timeout(timeout).build(client)
}
