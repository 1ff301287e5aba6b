//! Tokens of objects in a bucket of NATS JetStream.

mod bucket;
mod cleanup;
mod feed;
mod link;
mod marks;
mod schedule;
mod settings;
mod update;
mod value;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout};

use crate::nats::Problem;
use crate::objects::error::ObjectsError;
use crate::objects::key::ObjectKey;
use crate::objects::nats::feed::NatsFeed;
use crate::objects::nats::link::Link;
use crate::objects::record::{Record, Update};
use crate::objects::store::{ObjectFeed, ObjectTokens, Reply};

pub use settings::NatsObjectsBuilder;

/// How many requests of one look-up or update are under way at a time.
const AT_ONCE: usize = 64;

/// Tokens of objects in a key-value bucket of NATS JetStream, shared by all replicas. Clones share the connection.
///
/// ```no_run
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tower_zookie::ZookieLayer;
/// use tower_zookie::objects::{NatsObjects, Objects};
/// use tower_zookie::protocol::spicedb::{Engine, SpiceDb};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = NatsObjects::builder("nats://zookie:secret@nats-1:4222,nats://nats-2:4222")
///     .replicas(3)
///     .connect()
///     .await?;
/// let objects = Objects::followed(Arc::new(store), Duration::from_secs(1));
/// let layer = ZookieLayer::builder(SpiceDb::new(Engine::Postgres)).objects(objects).build()?;
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
///
/// # What it needs
///
/// A server from 2.9 on with JetStream. The user may publish to `$KV.<bucket>.>`, `$JS.API.>` and `$JS.FC.>`, and subscribe to
/// `_INBOX.>`.
/// The bucket is created at the first start. One that is there already is checked: it must not drop entries by their age or
/// number, must not be in memory, and must have `allow_direct` off.
///
/// Don't delete the bucket, and don't restore an old copy of it, while replicas run: what was recorded since is lost, and checks
/// may miss those writes until answers from before them have ended by their age.
///
/// # What it promises
///
/// - A look-up reads each key from the stream's leader, and so sees the last acknowledged write. While the network between
///   the servers of a cluster is split, a leader that was replaced may not know it yet. A client on its side of the split then
///   reads what is some seconds old, and can't write.
/// - An update is a compare-and-set, tried again with growing random pauses until [`timeout`](NatsObjectsBuilder::timeout).
///   It has succeeded when the stream has acknowledged it. A server writes to its disk some time later; so if a machine loses
///   power, a bucket with one replica may lose the last updates. Choose three, or the server's setting `sync_interval: always`.
/// - No clock of a server or another replica counts. A record is removed, or counts as settled again, after this process has
///   seen it in the stream for that long by its own monotonic clock, on one connection. So after a start, or a lost connection,
///   marks of unsettled objects count from the beginning.
///
/// # What stands in the bucket
///
/// Under an [`ObjectKey`], JSON: `{"v":1,"tokens":["GgYKBENFVU0="]}`, and while the object is unsettled also `unsettled_ms`, and
/// `since`: the message with which that time began. `~keep` says how long any replica keeps records, and `~beat` has the
/// heartbeats of feeds. Other keys are ignored. An entry of an object that can't be read makes its checks fully consistent,
/// until the next update replaces it.
#[derive(Clone)]
pub struct NatsObjects(Arc<Link>);

impl NatsObjects {
    /// Settings for these servers: `nats://HOST:PORT`, or `tls://HOST:PORT` to require TLS. Several are separated by commas.
    /// A user and a password, or a token, may stand before the host (`nats://user:password@host`), with other bytes than letters
    /// and digits as `%40`.
    pub fn builder(url: impl Into<String>) -> NatsObjectsBuilder {
        NatsObjectsBuilder::new(url.into())
    }

    async fn record(&self, key: &ObjectKey) -> Result<Record, ObjectsError> {
        let Some(entry) = self.0.get(key.as_str()).await? else {
            return Ok(Record::default());
        };
        let sequence = entry.sequence;
        let value = entry.value().map_err(|error| {
            let stream = &self.0.stream_name;
            ObjectsError::new(format!(
                "NATS: message {sequence} of the stream `{stream}` can't be read"
            ))
            .with_source(error)
        })?;
        Ok(self.0.record(&value, sequence, Instant::now()))
    }

    async fn records(&self, keys: &[ObjectKey]) -> Result<Vec<Record>, ObjectsError> {
        // A request would wait for the connection until its timeout.
        if !self.0.is_connected() {
            return Err(ObjectsError::new("NATS: there is no connection to a server now"));
        }
        let each: Vec<_> = keys.iter().map(|key| self.record(key)).collect();
        let all = stream::iter(each).buffered(AT_ONCE).try_collect();
        let limit = self.0.timeout;
        let late = |_| ObjectsError::new(format!("NATS: a look-up took longer than `timeout` ({limit:?})"));
        timeout(limit, all).await.map_err(late)?
    }

    async fn update_all(&self, updates: &[(ObjectKey, Update)]) -> Result<(), ObjectsError> {
        let each: Vec<_> = updates.iter().map(|(key, update)| self.0.update(key, update)).collect();
        let mut all = stream::iter(each).buffer_unordered(AT_ONCE);
        while let Some(updated) = all.next().await {
            updated?;
        }
        self.0.clean_up_soon();
        Ok(())
    }
}

impl ObjectTokens for NatsObjects {
    fn look_up<'a>(&'a self, keys: &'a [ObjectKey]) -> Reply<'a, Vec<Record>> {
        Box::pin(self.records(keys))
    }

    fn update<'a>(&'a self, updates: &'a [(ObjectKey, Update)]) -> Reply<'a, ()> {
        Box::pin(self.update_all(updates))
    }

    fn follow(&self, heartbeat: Duration) -> Reply<'_, Box<dyn ObjectFeed>> {
        Box::pin(async move {
            let feed = NatsFeed::open(self.0.clone(), heartbeat).await?;
            Ok(Box::new(feed) as Box<dyn ObjectFeed>)
        })
    }
}

impl fmt::Debug for NatsObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NatsObjects").field(&self.0).finish()
    }
}

impl From<Problem> for ObjectsError {
    fn from(problem: Problem) -> Self {
        let error = Self::new(problem.what);
        match problem.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}
