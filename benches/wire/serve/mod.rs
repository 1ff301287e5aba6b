//! The server of one row, in a process of its own, so that its CPU time can be measured separately from the client's.

mod grpc;
mod http;

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ProcessTime;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tower_zookie::cache::Stats;
use tower_zookie::store::{ObjectRef, ReadMode, SnapshotReader, Store, SubjectRef};

use crate::rows::{Api, Row, Upstream};
use crate::{AnyError, history};

/// The network latency of the remote service, in each direction.
pub(crate) const AWAY: Duration = Duration::from_millis(2);

/// What a server prints when it is ready.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Ready {
    pub(crate) port: u16,
    /// The store's identity, for its tokens.
    pub(crate) node: String,
}

/// What a server prints when it receives a line: what it has done so far.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Done {
    /// User and system, of the whole process.
    pub(crate) cpu: Duration,
    /// With a layer: how many questions it answered from memory.
    pub(crate) hits: Option<u64>,
}

/// Reads the layer's counters, if there is a layer.
type Counters = Option<Box<dyn Fn() -> Stats>>;

/// What evaluates the checks.
#[derive(Clone, Debug)]
struct Checker {
    store: Arc<Store>,
    reader: SnapshotReader,
    upstream: Upstream,
}

impl Checker {
    /// The decision, and the revision that it was evaluated at.
    async fn check(
        &self,
        resource: &ObjectRef,
        permission: &str,
        subject: ObjectRef,
        floor: Option<u64>,
    ) -> Result<(bool, u64), AnyError> {
        if self.upstream == Upstream::Away {
            tokio::time::sleep(AWAY).await;
        }
        let revision = match floor {
            Some(floor) => {
                let token = self.reader.token(floor);
                let reached = self.reader.wait_for(&token, ReadMode::AtLeast).await?;
                reached.get(self.store.node_id())
            }
            None => self.store.current_revision(),
        };
        let allowed = self
            .store
            .check(resource, permission, &SubjectRef::object(subject), revision)?;
        Ok((allowed, revision))
    }
}

/// Serves until standard input ends.
pub(crate) fn run(row: Row) -> Result<(), AnyError> {
    // One core is the server's, and the other one the client's.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let store = Arc::new(history::store()?);
    let checker = Checker {
        store: Arc::clone(&store),
        reader: SnapshotReader::new(Arc::clone(&store)),
        upstream: row.upstream,
    };
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let ready = Ready {
        port: listener.local_addr()?.port(),
        node: store.node_id().to_owned(),
    };
    let counters = {
        let _entered = runtime.enter();
        match row.api {
            Api::Routes | Api::AuthZen => http::start(listener, checker, row.layered)?,
            Api::SpiceDb => grpc::start(listener, checker, row.layered)?,
        }
    };
    say(&ready)?;
    for line in io::stdin().lock().lines() {
        line?;
        say(&Done {
            cpu: ProcessTime::try_now()?.as_duration(),
            hits: counters.as_ref().map(|read| read().hits),
        })?;
    }
    runtime.shutdown_background();
    Ok(())
}

fn say(words: &impl Serialize) -> Result<(), AnyError> {
    let mut line = serde_json::to_vec(words)?;
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(&line)?;
    Ok(stdout.flush()?)
}
