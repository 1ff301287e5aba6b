//! Nodes of a group: processes that are killed while they write, and a server that is killed.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::{Body, Entry, Link, NatsLink, Node, NodeWriteError};
use tower_zookie::store::{Filter, ReadMode, Relationship, Schema, SnapshotReader, Update};
use tower_zookie::token::RevisionToken;
use tower_zookie_testing::nats::NatsServer;

use crate::tools::{PATIENCE, connect, open, read_all};

/// The first argument of a process that is a node.
pub(crate) const NODE: &str = "--node-of-a-test";

const WRITERS: usize = 32;
const NEVER: u64 = u64::MAX;

fn schema() -> Schema {
    Schema::parse("definition user {} definition doc { relation reader: user }").unwrap()
}

fn docs() -> Filter {
    Filter::of_type("doc")
}

async fn start(link: NatsLink, name: &str, snapshot_every: u64) -> Arc<Node> {
    let node = Node::builder(name).snapshot_every(snapshot_every);
    let node = node
        .report_every(Duration::from_millis(100))
        .start(schema(), Arc::new(link));
    Arc::new(timeout(PATIENCE, node).await.expect("the node does not start").unwrap())
}

/// A process that is a node: `NAME URL LIFE SNAPSHOT_EVERY`. It writes until it is killed, and says which writes were
/// acknowledged, with their tokens.
pub(crate) async fn run(arguments: &[String]) {
    let [name, url, life, snapshot_every] = arguments else {
        panic!("{arguments:?}")
    };
    // Ends with the test, whatever becomes of that.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_line(&mut String::new());
        std::process::exit(0);
    });
    let link = loop {
        match NatsLink::builder(url).timeout(Duration::from_secs(2)).connect().await {
            Ok(link) => break link,
            // The server may be killed just now.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    };
    let node = start(link, name, snapshot_every.parse().unwrap()).await;
    let next = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (node, next, name, life) = (node.clone(), next.clone(), name.clone(), life.clone());
        writers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                let id = format!("{name}-{life}-{number}");
                match node.write([Update::touch(relationship(&id))]).await {
                    Ok(written) => say(&id, &written.token),
                    // Nobody is told that it is stored.
                    Err(NodeWriteError::Unacknowledged { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    writers.join_next().await.unwrap().unwrap();
}

/// In one piece, so that a kill leaves no half of a line that looks like a whole one.
fn say(id: &str, token: &RevisionToken) {
    let line = format!("{id} {}\n", token.encode());
    // It fails when the test has ended.
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}

fn relationship(id: &str) -> Relationship {
    format!("doc:{id}#reader@user:ada").parse().unwrap()
}

/// A node in a process of its own, which is started again after it was killed.
struct Process {
    name: &'static str,
    url: String,
    snapshot_every: u64,
    said: UnboundedSender<String>,
    life: u32,
    child: Child,
}

impl Process {
    fn start(name: &'static str, url: String, snapshot_every: u64, said: UnboundedSender<String>) -> Self {
        let child = spawn(name, &url, 0, snapshot_every, &said);
        Self {
            name,
            url,
            snapshot_every,
            said,
            life: 0,
            child,
        }
    }

    /// kill -9.
    async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    async fn restart(&mut self) {
        self.kill().await;
        self.life += 1;
        self.child = spawn(self.name, &self.url, self.life, self.snapshot_every, &self.said);
    }
}

fn spawn(name: &str, url: &str, life: u32, snapshot_every: u64, said: &UnboundedSender<String>) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([NODE, name, url, &life.to_string(), &snapshot_every.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = said.clone();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = said.send(line);
        }
    });
    child
}

/// The writes that were acknowledged.
#[derive(Default)]
struct Acknowledged(Vec<(String, RevisionToken)>);

impl Acknowledged {
    async fn wait_for(&mut self, count: usize, said: &mut UnboundedReceiver<String>) {
        while self.0.len() < count {
            let line = timeout(PATIENCE, said.recv())
                .await
                .expect("nothing is acknowledged any more");
            let line = line.unwrap();
            // A killed process may have written half of a line.
            if let Some((id, token)) = line.split_once(' ')
                && let Ok(token) = RevisionToken::decode(token)
            {
                self.0.push((id.to_owned(), token));
            }
        }
    }
}

/// West and east write, each in a process, and south reads. Processes and the server are killed `rounds` times.
async fn write_while_killing(
    server: &mut NatsServer,
    writes: usize,
    rounds: usize,
    snapshot_every: u64,
) -> Vec<Arc<Node>> {
    let south = start(connect(server).await, "south", snapshot_every).await;
    let (say, mut said) = unbounded_channel();
    let mut west = Process::start("west", server.url(), snapshot_every, say.clone());
    let mut east = Process::start("east", server.url(), snapshot_every, say);
    let mut acknowledged = Acknowledged::default();
    for round in 1..=rounds {
        acknowledged.wait_for(writes * round / (rounds + 1), &mut said).await;
        match round % 4 {
            1 => west.restart().await,
            2 => server.restart(),
            3 => east.restart().await,
            _ => {
                west.kill().await;
                server.restart();
                west.restart().await;
            }
        }
    }
    acknowledged.wait_for(writes, &mut said).await;
    west.kill().await;
    east.kill().await;

    let mut nodes = vec![south];
    for name in ["west", "east", "late"] {
        nodes.push(start(connect(server).await, name, snapshot_every).await);
    }
    let everything = nodes
        .iter()
        .map(|node| node.current_token())
        .reduce(|a, b| a.merge(&b))
        .unwrap();
    let mut all: Vec<Vec<Relationship>> = Vec::new();
    for node in &nodes {
        let reader = SnapshotReader::with_timeout(node.clone(), PATIENCE).max_lead(u64::MAX);
        reader.wait_for(&everything, ReadMode::AtLeast).await.unwrap();
        all.push(reader.read_at_token(&docs(), &everything).await.unwrap());
    }
    assert!(all.iter().all(|one| *one == all[0]), "the nodes differ");
    let all: BTreeSet<_> = all
        .remove(0)
        .into_iter()
        .map(|relationship| relationship.to_string())
        .collect();
    for (id, _) in &acknowledged.0 {
        assert!(
            all.contains(&relationship(id).to_string()),
            "{id} was acknowledged, and is lost"
        );
    }
    if snapshot_every == NEVER {
        same_at_tokens(&nodes, &acknowledged.0).await;
    }
    nodes
}

/// A read at a token gives the same on every node, also on those that were started later.
async fn same_at_tokens(nodes: &[Arc<Node>], acknowledged: &[(String, RevisionToken)]) {
    for (id, token) in acknowledged.iter().step_by(acknowledged.len() / 20) {
        let mut reads = Vec::new();
        for node in nodes {
            reads.push(
                SnapshotReader::new(node.clone())
                    .read_at_token(&docs(), token)
                    .await
                    .unwrap(),
            );
        }
        assert!(reads[0].contains(&relationship(id)), "{id}");
        assert!(reads.iter().all(|read| *read == reads[0]), "{id}");
    }
}

pub(crate) async fn killed_nodes_and_servers_lose_and_repeat_nothing() {
    let mut server = NatsServer::start();
    let nodes = write_while_killing(&mut server, 10_000, 7, NEVER).await;
    // Nothing is in a log twice.
    let link = connect(&server).await;
    let mut opened = open(&link, "checker", &VectorClock::default()).await;
    let mut count: HashMap<String, u32> = HashMap::new();
    for Entry { body, .. } in read_all(&mut opened).await {
        if let Body::Updates(updates) = body {
            *count.entry(updates[0].relationship.to_string()).or_default() += 1;
        }
    }
    assert!(count.len() >= 10_000 && count.values().all(|count| *count == 1));
    let read = nodes[0].read(&docs(), &nodes[0].clock()).unwrap();
    assert_eq!(read.len(), count.len());
}

pub(crate) async fn killed_nodes_and_servers_lose_nothing_while_logs_are_trimmed() {
    let mut server = NatsServer::start();
    let nodes = write_while_killing(&mut server, 4_000, 4, 300).await;
    let link = connect(&server).await;
    let opened = link.open("checker", &VectorClock::default()).await.unwrap();
    let snapshot = opened.snapshot.expect("the logs were trimmed");
    assert!(snapshot.relationships.len() >= 1_000);
    drop(nodes);
}
