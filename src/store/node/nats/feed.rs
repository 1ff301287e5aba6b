use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use async_nats::jetstream::consumer::pull::{Config, Stream as Messages};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy};
use futures_core::Stream;
use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::revision::VectorClock;
use crate::store::node::entry::Entry;
use crate::store::node::link::{Incoming, LinkError};
use crate::store::node::nats::error::{failed, unavailable};
use crate::store::node::nats::group::{Group, connection_lost};
use crate::store::node::nats::message::Message;
use crate::store::node::nats::names;
use crate::store::node::spelled;

/// How many messages the server may send ahead. Each may be as large as the server allows.
const AT_ONCE: usize = 64;
/// A server that says nothing for two of these is gone.
const HEARTBEAT: Duration = Duration::from_secs(5);
const PULL_FOR: Duration = Duration::from_secs(30);
/// The consumer of a node that is gone for so long is removed. The node makes a new one when it comes back.
const KEEP_CONSUMER: Duration = Duration::from_secs(24 * 60 * 60);

/// What a node has reached.
#[derive(Serialize, Deserialize)]
pub(super) struct Reached {
    pub(super) node: Arc<str>,
    #[serde(with = "spelled::clock")]
    pub(super) clock: VectorClock,
}

/// All logs, from a message on.
///
/// It lives as long as one connection: what was on its way when that was lost does not come any more, and this is not always
/// seen by what comes next.
struct Feed {
    node: Arc<str>,
    messages: Messages,
    reports: Subscriber,
    losses: watch::Receiver<u64>,
    losses_before: u64,
    /// The last number of each node that was passed on.
    passed: HashMap<Arc<str>, u64>,
    entries: VecDeque<Entry>,
    has_ended: bool,
}

/// Reads from this sequence on, and passes on what has numbers after the clock.
pub(super) async fn open(
    group: &Group,
    node: &str,
    sequence: u64,
    from: &VectorClock,
) -> Result<impl Stream<Item = Result<Incoming, LinkError>> + Send + use<>, LinkError> {
    let mut losses = group.losses.clone();
    let losses_before = *losses.borrow_and_update();
    let unreadable = |error: async_nats::Error| failed("the logs can't be read with a consumer", error);
    let reports = group.context.client().subscribe(group.subjects.reached()).await;
    let name = names::consumer(node);
    // It may not be there. If it still is, the next call fails.
    let _ = group.stream.delete_consumer(&name).await;
    let consumer = group.stream.create_consumer(Config {
        durable_name: Some(name),
        description: Some("Reads the logs of all nodes for this one".into()),
        deliver_policy: DeliverPolicy::ByStartSequence {
            start_sequence: sequence,
        },
        ack_policy: AckPolicy::Explicit,
        replay_policy: ReplayPolicy::Instant,
        filter_subject: group.subjects.logs(),
        inactive_threshold: KEEP_CONSUMER,
        ..Config::default()
    });
    let consumer = consumer.await.map_err(|error| unreadable(error.into()))?;
    let messages = consumer.stream().max_messages_per_batch(AT_ONCE);
    let messages = messages.heartbeat(HEARTBEAT).expires(PULL_FOR).messages().await;
    let feed = Feed {
        node: node.into(),
        messages: messages.map_err(|error| unreadable(error.into()))?,
        reports: reports.map_err(|error| unreadable(error.into()))?,
        losses,
        losses_before,
        passed: from.iter().map(|(node, number)| (node.into(), number)).collect(),
        entries: VecDeque::new(),
        has_ended: false,
    };
    Ok(stream::unfold(feed, async |mut feed| {
        if feed.has_ended {
            return None;
        }
        let next = feed.next().await;
        feed.has_ended = next.is_err();
        Some((next, feed))
    }))
}

impl Feed {
    async fn next(&mut self) -> Result<Incoming, LinkError> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                return Ok(Incoming::Entry(entry));
            }
            tokio::select! {
                biased;
                () = lost(&mut self.losses, self.losses_before) => return Err(connection_lost()),
                message = self.messages.next() => {
                    let message = message.ok_or_else(connection_lost)?;
                    let message = message.map_err(|error| failed("the consumer of the logs was lost", error))?;
                    let sequence = message.info().map(|info| info.stream_sequence);
                    let sequence = sequence.map_err(|error| failed("a message has no sequence", error))?;
                    self.take(Message::read(&message.payload, sequence)?)?;
                    // It only tells the server how far this node is. If it is lost, the message comes again and is ignored.
                    let _ = message.ack().await;
                }
                report = self.reports.next() => {
                    let report = report.ok_or_else(connection_lost)?;
                    // What can't be read was not written by a node.
                    let reached: Option<Reached> = serde_json::from_slice(&report.payload).ok();
                    if let Some(Reached { node, clock }) = reached.filter(|reached| reached.node != self.node) {
                        return Ok(Incoming::Reached { node, clock });
                    }
                }
            }
        }
    }

    /// Takes the entries that were not passed on before.
    fn take(&mut self, message: Message) -> Result<(), LinkError> {
        let passed = self.passed.entry(message.node.clone()).or_default();
        let (first, last) = (message.first(), message.last);
        if last > *passed && first > *passed + 1 {
            let (node, passed) = (&message.node, *passed);
            return Err(unavailable(format!(
                "the log of `{node}` goes on with entry {first} after {passed}: it was trimmed, or messages were lost"
            )));
        }
        let new = message.entries.into_iter().filter(|entry| entry.number > *passed);
        self.entries.extend(new);
        *passed = last.max(*passed);
        Ok(())
    }
}

/// Waits until the connection is lost, or the client is gone.
async fn lost(losses: &mut watch::Receiver<u64>, before: u64) {
    let _ = losses.wait_for(|losses| *losses != before).await;
}
