//! The logs of a group of nodes in NATS JetStream.

mod append;
mod error;
mod feed;
mod group;
mod logs;
mod message;
mod names;
mod open;
mod settings;
mod snapshots;
mod tail;

use std::fmt;
use std::sync::Arc;

use crate::revision::VectorClock;
use crate::store::node::entry::{Entry, Snapshot};
use crate::store::node::link::{Link, Opened, Pending};
use crate::store::node::nats::error::failed;
use crate::store::node::nats::feed::Reached;
use crate::store::node::nats::group::Group;

pub use error::NatsError;
pub use settings::NatsLinkBuilder;

/// The logs of a group of nodes in a stream of NATS JetStream. Clones share the connection.
///
/// ```no_run
/// use std::sync::Arc;
/// use tower_zookie::store::node::{Link, NatsLink};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let link: Arc<dyn Link> = Arc::new(
///     NatsLink::builder("nats://zookie:secret@nats-1:4222,nats://nats-2:4222")
///         .stream("permissions")
///         .replicas(3)
///         .connect()
///         .await?,
/// );
/// println!("the nodes of the group {}", link.group());
/// # Ok(())
/// # }
/// ```
///
/// # What it needs
///
/// A server from 2.9 on with JetStream. The user may publish to `<stream>.>` and `$JS.>`, and subscribe to `<stream>.>` and
/// `_INBOX.>`.
/// The stream is created at the first start, with an id of the group that is chosen at random. One that is there already is
/// checked: it must not drop entries by their age, size or number, and must not be in memory.
///
/// Each process has a node name of its own. If a second process starts as the same node, it takes over: what the first one still
/// writes is refused with [`LinkError::Taken`](super::LinkError::Taken).
///
/// Don't purge the stream, and don't restore an old copy of it. If it is deleted, all nodes have to be started again: they are
/// another group then, with other logs.
///
/// # What it promises
///
/// - Entries are appended by compare-and-set: a message is only written if the last message of the node's log is the expected
///   one. So each is in the log once, and in order, also if a reply was lost and the call is repeated, or if the server was
///   killed.
/// - Entries that were acknowledged are not lost when a node or the server is killed. A server writes to its disk some time
///   later; so if a machine loses power, a stream with one replica may lose the last entries. Choose three, or the server's
///   setting `sync_interval: always`.
/// - A log is trimmed only after a snapshot that includes what is removed has become the current one. Of snapshots of several
///   nodes at the same time, one becomes the current one, and none goes back.
/// - When the connection is lost, what is being read ends with an error, and is opened again after the last entry that was
///   read. Entries that are missing are an error, and are never skipped.
///
/// # What stands in the stream
///
/// - `<stream>.<group>.log.<node>`: the log of a node, in whose name other bytes than letters, digits and `-_@` are written as
///   `=20`. Each message has one or more entries: `{"node":"us-west-1@8f3a2c41","writer":"…","entries":[…],"last":42}`. One
///   without entries says that a process begins to write.
/// - `<stream>.<group>.snapshot`: which snapshot is the current one, and its clock.
/// - `<stream>.<group>.chunk.*.*`: the chunks of snapshots, in JSON.
///
/// Each node reads with a durable consumer of its own name, so that `nats consumer report` shows how far each one is. A node has
/// nothing on disk. So it creates its consumer anew, after the entries that it has in memory, whenever it starts or the
/// connection was lost. What nodes have reached is sent to `<stream>.<group>.reached`, and is not stored.
#[derive(Clone)]
pub struct NatsLink(Arc<Group>);

impl NatsLink {
    /// Settings for these servers: `nats://HOST:PORT`, or `tls://HOST:PORT` to require TLS. Several are separated by commas.
    /// A user and a password, or a token, may stand before the host (`nats://user:password@host`), with other bytes than letters
    /// and digits as `%40`.
    pub fn builder(url: impl Into<String>) -> NatsLinkBuilder {
        NatsLinkBuilder::new(url.into())
    }
}

impl Link for NatsLink {
    fn group(&self) -> &str {
        &self.0.id
    }

    fn max_entry_size(&self) -> usize {
        // What a message has beside its entries: a node's name, and some words.
        const BESIDE: usize = 2048;
        self.0.max_payload().saturating_sub(BESIDE)
    }

    fn open<'a>(&'a self, node: &'a str, after: &'a VectorClock) -> Pending<'a, Opened> {
        Box::pin(self.0.open(node, after))
    }

    fn append<'a>(&'a self, entries: &'a [Entry]) -> Pending<'a, ()> {
        Box::pin(self.0.on_one_connection(self.0.append_all(entries)))
    }

    fn report<'a>(&'a self, node: &'a str, reached: &'a VectorClock) -> Pending<'a, ()> {
        Box::pin(async move {
            let reached = Reached {
                node: node.into(),
                clock: reached.clone(),
            };
            let payload =
                serde_json::to_vec(&reached).map_err(|error| failed("a clock can't be written as JSON", error))?;
            self.0.connected().await?;
            let client = self.0.context.client();
            let published = client.publish(self.0.subjects.reached(), payload.into()).await;
            published.map_err(|error| failed("what the node has reached can't be sent", error))
        })
    }

    fn store_snapshot<'a>(&'a self, snapshot: &'a Snapshot) -> Pending<'a, ()> {
        Box::pin(self.0.on_one_connection(self.0.store(snapshot)))
    }
}

impl fmt::Debug for NatsLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsLink")
            .field("stream", &self.0.stream_name)
            .field("group", &self.0.id)
            .finish_non_exhaustive()
    }
}
