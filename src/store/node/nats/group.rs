use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::store::node::link::LinkError;
use crate::store::node::nats::error::{failed, unavailable};
use crate::store::node::nats::message::Message;
use crate::store::node::nats::names::Subjects;
use crate::store::node::nats::tail::Tail;

/// The room for the headers of a message, which name the stream and what is expected of it.
const HEADERS: usize = 512;
/// How often it is looked whether there is a connection again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The stream of a group, and what this process knows about it.
pub(super) struct Group {
    pub(super) id: String,
    pub(super) stream_name: String,
    pub(super) subjects: Subjects,
    pub(super) context: Context,
    pub(super) stream: Stream<()>,
    /// How often the connection was lost.
    pub(super) losses: watch::Receiver<u64>,
    /// How long a request may take.
    pub(super) timeout: Duration,
    /// The stream's own limit.
    pub(super) max_message_size: Option<usize>,
    /// This process, as its messages name it.
    pub(super) writer: String,
    pub(super) tails: Mutex<HashMap<Arc<str>, Arc<tokio::sync::Mutex<Tail>>>>,
}

/// A message of a log, and where it is in the stream.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) sequence: u64,
    pub(super) message: Message,
}

impl TryFrom<StreamMessage> for Stored {
    type Error = LinkError;

    fn try_from(stored: StreamMessage) -> Result<Self, LinkError> {
        Ok(Self {
            sequence: stored.sequence,
            message: Message::read(&stored.payload, stored.sequence)?,
        })
    }
}

impl Group {
    /// The subject of a node's log.
    pub(super) fn log(&self, node: &str) -> Result<String, LinkError> {
        let bytes = node.len();
        let too_long = || unavailable(format!("a node's name of {bytes} bytes is longer than NATS can carry"));
        self.subjects.log(node).ok_or_else(too_long)
    }

    /// What this process knows of the end of a log.
    pub(super) fn tail(&self, node: &str) -> Arc<tokio::sync::Mutex<Tail>> {
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tail) = tails.get(node) {
            return tail.clone();
        }
        tails.entry(node.into()).or_default().clone()
    }

    /// The largest payload of one message.
    pub(super) fn max_payload(&self) -> usize {
        let most = self.context.client().server_info().max_payload;
        let most = most.min(self.max_message_size.unwrap_or(usize::MAX));
        most.saturating_sub(HEADERS)
    }

    /// Waits until there is a connection.
    pub(super) async fn connected(&self) -> Result<(), LinkError> {
        let deadline = Instant::now() + self.timeout;
        while self.context.client().connection_state() != State::Connected {
            if Instant::now() >= deadline {
                return Err(unavailable("there is no connection to a NATS server now"));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Does this on one connection. A reply does not come any more after the connection was lost.
    pub(super) async fn on_one_connection<T>(
        &self,
        action: impl Future<Output = Result<T, LinkError>>,
    ) -> Result<T, LinkError> {
        let mut losses = self.losses.clone();
        let before = *losses.borrow_and_update();
        self.connected().await?;
        tokio::select! {
            biased;
            done = action => done,
            _ = losses.wait_for(|losses| *losses != before) => Err(connection_lost()),
        }
    }

    /// Writes a message, if the last one of its subject is still the expected one: 0 for none.
    pub(super) async fn publish(&self, subject: String, payload: Bytes, expected: u64) -> Result<u64, PublishError> {
        let message = PublishMessage::build()
            .payload(payload)
            .expected_stream(&self.stream_name)
            .expected_last_subject_sequence(expected);
        Ok(self.context.send_publish(subject, message).await?.await?.sequence)
    }

    /// The last message of a subject, as the stream's leader says.
    pub(super) async fn last(&self, subject: &str) -> Result<Option<StreamMessage>, LinkError> {
        found(self.stream.raw_message_builder().last_by_subject(subject).send().await)
    }

    /// The first message of a subject with this sequence, or a higher one.
    pub(super) async fn next(&self, subject: &str, sequence: u64) -> Result<Option<StreamMessage>, LinkError> {
        let next = self.stream.raw_message_builder().next_by_subject(subject);
        found(next.sequence(sequence).send().await)
    }

    pub(super) async fn last_of_log(&self, subject: &str) -> Result<Option<Stored>, LinkError> {
        self.last(subject).await?.map(Stored::try_from).transpose()
    }

    /// The first message of a log whose last entry has this number, or a higher one. It is `end`, or before that.
    ///
    /// The numbers in a log ascend, so that the sequences can be halved.
    pub(super) async fn find(&self, subject: &str, number: u64, end: &Stored) -> Result<Stored, LinkError> {
        let mut best = end.clone();
        let removed = || unavailable("the last message of a log was removed");
        let first = Stored::try_from(self.next(subject, 0).await?.ok_or_else(removed)?)?;
        if first.message.last >= number {
            return Ok(first);
        }
        // What is before `low` ends before the number, and what is from `high` on does not.
        let (mut low, mut high) = (first.sequence + 1, best.sequence);
        while low < high && best.message.first() > number {
            let middle = low + (high - low) / 2;
            let found = Stored::try_from(self.next(subject, middle).await?.ok_or_else(removed)?)?;
            if found.message.last < number {
                low = found.sequence + 1;
            } else {
                high = middle;
                best = found;
            }
        }
        Ok(best)
    }
}

fn found(
    reply: Result<StreamMessage, async_nats::jetstream::stream::RawMessageError>,
) -> Result<Option<StreamMessage>, LinkError> {
    match reply {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(failed("a message of the stream can't be read", error)),
    }
}

pub(super) fn connection_lost() -> LinkError {
    unavailable("the connection to the NATS server was lost")
}
