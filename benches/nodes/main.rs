//! What replication over NATS JetStream costs: two nodes in this process, and a `nats-server` that this starts, on loopback.
//!
//! How many writes the west acknowledges in a second, how many the east has in that time, and how long a read in the east takes
//! that begins when its write was acknowledged in the west.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tower_zookie::store::node::{NatsLink, Node};
use tower_zookie::store::{Filter, ReadMode, Schema, SnapshotReader, Update};
use tower_zookie_benches::{Effort, Report, Sample};
use tower_zookie_testing::nats::NatsServer;

const SETTING: &str = "west and east, loopback";
const PATIENCE: Duration = Duration::from_secs(60);

struct Nodes {
    west: Arc<Node>,
    east: SnapshotReader,
}

/// What one round has found.
struct Round {
    acknowledged: f64,
    replicated: f64,
    reads: Vec<f64>,
}

fn main() -> std::io::Result<()> {
    let effort = Effort::from_args();
    let rounds = effort.pick(1, 5, 11);
    let writes = effort.pick(20, 20_000, 50_000);
    let runtime = Runtime::new()?;
    let mut report = Report::new("nodes");
    if !NatsServer::is_installed() {
        eprintln!("nats-server is not installed, so nothing is measured; apt-get install nats-server");
        return report.finish();
    }
    for (row, writers) in [("1 writer", 1), ("32 writers", 32), ("512 writers", 512)] {
        let server = NatsServer::start();
        let nodes = runtime.block_on(start(&server));
        // One writer alone waits for the link each time.
        let each = (writes / if writers == 1 { 10 } else { 1 } / writers).max(1);
        let found: Vec<_> = (0..rounds)
            .map(|round| runtime.block_on(measure(&nodes, round, writers, each)))
            .collect();
        let of = |what: fn(&Round) -> f64| Sample::of(&found.iter().map(what).collect::<Vec<_>>());
        report.measured(row, SETTING, "acknowledged", of(|round| round.acknowledged), "/s");
        report.measured(row, SETTING, "in the east", of(|round| round.replicated), "/s");
        let mut reads: Vec<f64> = found.iter().flat_map(|round| round.reads.clone()).collect();
        report.measured(row, SETTING, "read in the east", Sample::of(&reads), "µs");
        reads.sort_by(f64::total_cmp);
        let slow = reads[(reads.len() - 1) * 99 / 100];
        report.counted(row, SETTING, "99 % of these", slow, "µs");
    }
    report.finish()
}

async fn start(server: &NatsServer) -> Nodes {
    let node = async |name: &str| {
        let link = NatsLink::builder(server.url()).connect().await.expect("NATS is there");
        let schema = Schema::parse("definition user {} definition doc { relation reader: user }").expect("valid");
        let settings = Node::builder(name).max_pending_writes(2048).write_timeout(PATIENCE);
        Arc::new(
            settings
                .start(schema, Arc::new(link))
                .await
                .expect("the logs are there"),
        )
    };
    let west = node("west").await;
    let east = SnapshotReader::with_timeout(node("east").await, PATIENCE).max_lead(u64::MAX);
    Nodes { west, east }
}

fn document(round: usize, writer: usize, write: usize) -> String {
    format!("{round}-{writer}-{write}")
}

fn touch(id: &str) -> [Update; 1] {
    [Update::touch(
        format!("doc:{id}#reader@user:ada").parse().expect("valid"),
    )]
}

async fn measure(nodes: &Nodes, round: usize, writers: usize, each: usize) -> Round {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for writer in 0..writers {
        let west = nodes.west.clone();
        running.spawn(async move {
            for write in 0..each {
                let id = document(round, writer, write);
                west.write(touch(&id)).await.expect("it is stored");
            }
        });
    }
    running.join_all().await;
    let acknowledged = start.elapsed();
    let written = nodes.west.current_token();
    let reached = nodes.east.wait_for(&written, ReadMode::AtLeast);
    reached.await.expect("the east follows");
    let replicated = start.elapsed();
    let count = (writers * each) as f64;
    Round {
        acknowledged: count / acknowledged.as_secs_f64(),
        replicated: count / replicated.as_secs_f64(),
        reads: read_back(nodes, round, writers, each.min(500)).await,
    }
}

/// Each writer reads in the east what it has written in the west. In microseconds.
async fn read_back(nodes: &Nodes, round: usize, writers: usize, each: usize) -> Vec<f64> {
    let mut running = JoinSet::new();
    for writer in 0..writers {
        let (west, east) = (nodes.west.clone(), nodes.east.clone());
        running.spawn(async move {
            let mut times = Vec::with_capacity(each);
            for write in 0..each {
                let id = format!("read-{}", document(round, writer, write));
                let written = west.write(touch(&id)).await.expect("it is stored");
                let acknowledged = Instant::now();
                let filter = Filter::of_type("doc").id(&id).relation("reader");
                let found = east
                    .read_at_least(&filter, &written.token)
                    .await
                    .expect("the east follows");
                times.push(acknowledged.elapsed().as_nanos() as f64 / 1000.0);
                assert_eq!(found.len(), 1, "{id}");
            }
            times
        });
    }
    running.join_all().await.concat()
}
