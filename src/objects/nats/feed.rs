use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig, OrderedError};
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep_until};

use crate::objects::error::ObjectsError;
use crate::objects::key::ObjectKey;
use crate::objects::nats::link::{Entry, Link, is_deletion};
use crate::objects::record::Record;
use crate::objects::store::{FeedBatch, ObjectFeed, Reply};

/// The most changes in one batch.
const MOST_AT_ONCE: usize = 1000;

/// An object whose entry can't be read is unsettled until its entry is replaced, or for this long.
const UNREADABLE: Duration = Duration::from_secs(24 * 60 * 60);

/// All messages of the stream, from the first one on.
///
/// How far it is complete: the feed takes an instant, writes a heartbeat, and waits until the stream delivers that, or a later
/// message. All that was acknowledged before the instant was delivered before.
pub(super) struct NatsFeed {
    link: Arc<Link>,
    /// A server that crashed may have lost messages, and given their numbers to others, which the feed would miss.
    connection: u64,
    messages: Ordered,
    heartbeat: Duration,
    /// The last message that was delivered.
    delivered: u64,
    next_beat: Instant,
    fence: Option<Fence>,
}

enum Fence {
    /// A heartbeat that is being written.
    Asked(Instant, Pin<Box<dyn Future<Output = Result<u64, ObjectsError>> + Send>>),
    /// A heartbeat that was written after the first instant, and has this sequence. The stream has to deliver something until
    /// the second.
    Written(Instant, u64, Instant),
}

impl NatsFeed {
    pub(super) async fn open(link: Arc<Link>, heartbeat: Duration) -> Result<Self, ObjectsError> {
        let failed =
            |error: async_nats::Error| ObjectsError::new("NATS: the bucket can't be followed").with_source(error);
        let connection = link.connection();
        let consumer = link.stream.create_consumer(OrderedConfig {
            deliver_subject: link.context.client().new_inbox(),
            filter_subject: format!("{}>", link.prefix),
            replay_policy: ReplayPolicy::Instant,
            // The stream has only the last message of each key.
            deliver_policy: DeliverPolicy::All,
            ..OrderedConfig::default()
        });
        let consumer = consumer.await.map_err(|error| failed(error.into()))?;
        let messages = consumer.messages().await.map_err(|error| failed(error.into()))?;
        Ok(Self {
            link,
            connection,
            messages,
            heartbeat,
            delivered: 0,
            next_beat: Instant::now(),
            fence: None,
        })
    }

    async fn batch(&mut self) -> Result<FeedBatch, ObjectsError> {
        let mut batch = FeedBatch::default();
        loop {
            tokio::select! {
                message = self.messages.next() => {
                    self.take(message, &mut batch)?;
                    while batch.changed.len() < MOST_AT_ONCE && let Some(message) = self.messages.next().now_or_never() {
                        self.take(message, &mut batch)?;
                    }
                    if let Some(Fence::Written(_, _, until)) = &mut self.fence {
                        *until = Instant::now() + self.link.timeout;
                    }
                }
                fence = next_fence(&mut self.fence, self.next_beat, &self.link) => {
                    self.next_beat = self.next_beat.max(Instant::now() + self.heartbeat / 2);
                    self.fence = Some(fence?);
                }
            }
            if let Some(Fence::Written(asked, sequence, _)) = self.fence
                && sequence <= self.delivered
            {
                self.check_connection()?;
                batch.complete_to = Some(asked);
                self.fence = None;
            }
            if batch.complete_to.is_some() || !batch.changed.is_empty() {
                return Ok(batch);
            }
        }
    }

    fn check_connection(&self) -> Result<(), ObjectsError> {
        if self.link.connection() != self.connection {
            return Err(ObjectsError::new(
                "NATS: the connection was lost; the feed begins again",
            ));
        }
        Ok(())
    }

    fn take(
        &mut self,
        message: Option<Result<Message, OrderedError>>,
        batch: &mut FeedBatch,
    ) -> Result<(), ObjectsError> {
        let Some(message) = message else {
            return Err(ObjectsError::new("NATS: the connection was closed"));
        };
        let message = message.map_err(|error| ObjectsError::new("NATS: the feed was lost").with_source(error))?;
        let info = message
            .info()
            .map_err(|error| ObjectsError::new("NATS: a message has no sequence").with_source(error))?;
        let sequence = info.stream_sequence;
        if sequence <= self.delivered {
            return Err(ObjectsError::new(
                "NATS: another bucket has taken this one's place; the feed begins again",
            ));
        }
        self.delivered = sequence;
        let key = message
            .subject
            .strip_prefix(&*self.link.prefix)
            .and_then(ObjectKey::parse);
        if let Some(key) = key {
            let entry = Entry {
                sequence,
                payload: (!is_deletion(message.headers.as_ref())).then(|| message.payload.clone()),
            };
            let record = match entry.value() {
                Ok(value) => self.link.record(&value, sequence, Instant::now()),
                Err(_) => Record {
                    unsettled: Some(UNREADABLE),
                    ..Record::default()
                },
            };
            batch.changed.push((key, record));
        }
        Ok(())
    }
}

/// Waits until the fence has come further. An error if that takes too long.
async fn next_fence(fence: &mut Option<Fence>, next_beat: Instant, link: &Arc<Link>) -> Result<Fence, ObjectsError> {
    if fence.is_none() {
        sleep_until(next_beat).await;
        let link = link.clone();
        *fence = Some(Fence::Asked(Instant::now(), Box::pin(async move { link.beat().await })));
    }
    match fence {
        Some(Fence::Asked(asked, beat)) => {
            let sequence = beat.await?;
            Ok(Fence::Written(*asked, sequence, Instant::now() + link.timeout))
        }
        Some(Fence::Written(_, _, until)) => {
            sleep_until(*until).await;
            Err(ObjectsError::new("NATS: the feed is silent for longer than `timeout`"))
        }
        None => std::future::pending().await,
    }
}

impl ObjectFeed for NatsFeed {
    fn next(&mut self) -> Reply<'_, FeedBatch> {
        Box::pin(self.batch())
    }
}

impl fmt::Debug for NatsFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsFeed")
            .field("link", &self.link)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}
