//! What the tests share.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{self, Context};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tower_zookie::revision::VectorClock;
use tower_zookie::store::Update;
use tower_zookie::store::node::{Body, Entry, Incoming, Link, LinkError, NatsLink, NatsLinkBuilder, Opened};
use tower_zookie_testing::nats::NatsServer;

/// Longer than any wait that ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const STREAM: &str = "zookie_nodes";

/// Settings with patience: this may run on a slow machine.
pub(crate) fn settings(server: &NatsServer) -> NatsLinkBuilder {
    at(server.port())
}

pub(crate) fn at(port: u16) -> NatsLinkBuilder {
    NatsLink::builder(format!("nats://127.0.0.1:{port}"))
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE)
}

/// One more process.
pub(crate) async fn connect(server: &NatsServer) -> NatsLink {
    settings(server).connect().await.expect("the server is there")
}

/// What the server itself offers, beside the link.
pub(crate) async fn raw(server: &NatsServer) -> Context {
    jetstream::new(async_nats::connect(server.url()).await.unwrap())
}

pub(crate) async fn raw_stream(server: &NatsServer) -> Stream {
    raw(server).await.get_stream(STREAM).await.unwrap()
}

/// How many messages each subject has, named without the stream and the group.
pub(crate) async fn subjects(server: &NatsServer) -> HashMap<String, usize> {
    let info = raw_stream(server).await.info_with_subjects(">").await.unwrap();
    let all: Vec<_> = info.collect().await;
    let mut counts = HashMap::new();
    for (subject, count) in all.into_iter().map(Result::unwrap) {
        let name = subject.splitn(3, '.').nth(2).unwrap().to_owned();
        assert_eq!(counts.insert(name, count), None);
    }
    counts
}

pub(crate) fn clock<const N: usize>(entries: [(&str, u64); N]) -> VectorClock {
    entries.into_iter().collect()
}

/// An entry whose text has some more bytes.
pub(crate) fn sized(node: &str, number: u64, size: usize) -> Entry {
    Entry {
        node: node.into(),
        number,
        time: 1_764_172_800_000_000_000 + number,
        saw: clock([(node, number - 1)]),
        body: Body::Joined("x".repeat(size).into()),
    }
}

pub(crate) fn entry(node: &str, number: u64) -> Entry {
    let relationship = format!("doc:{number}#reader@user:ada").parse().unwrap();
    Entry {
        body: Body::Updates(Arc::new([Update::touch(relationship)])),
        ..sized(node, number, 0)
    }
}

pub(crate) fn entries(node: &str, numbers: impl IntoIterator<Item = u64>) -> Vec<Entry> {
    numbers.into_iter().map(|number| entry(node, number)).collect()
}

/// Tries again as long as the logs can't be reached.
pub(crate) async fn append(link: &NatsLink, entries: &[Entry]) -> Result<(), LinkError> {
    let tried = async {
        loop {
            match link.append(entries).await {
                Err(LinkError::Unavailable(_)) => tokio::task::yield_now().await,
                done => return done,
            }
        }
    };
    timeout(PATIENCE, tried).await.expect("the append does not end")
}

pub(crate) async fn open(link: &NatsLink, node: &str, after: &VectorClock) -> Opened {
    link.open(node, after).await.unwrap()
}

/// The next entry.
pub(crate) async fn next_entry(opened: &mut Opened) -> Result<Entry, LinkError> {
    loop {
        let next = timeout(PATIENCE, opened.incoming.next()).await.expect("nothing comes");
        if let Incoming::Entry(entry) = next.expect("the entries end without an error")? {
            return Ok(entry);
        }
    }
}

/// So many entries.
pub(crate) async fn take(opened: &mut Opened, count: usize) -> Vec<Entry> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(next_entry(opened).await.unwrap());
    }
    taken
}

/// All entries up to the ends of the logs.
pub(crate) async fn read_all(opened: &mut Opened) -> Vec<Entry> {
    let from = opened.snapshot.as_ref().map(|snapshot| snapshot.clock.clone());
    let mut reached: HashMap<String, u64> = HashMap::new();
    for (node, number) in from.unwrap_or_default().iter() {
        reached.insert(node.to_owned(), number);
    }
    let mut all = Vec::new();
    let ends = opened.ends.clone();
    while ends
        .iter()
        .any(|(node, end)| reached.get(node).copied().unwrap_or(0) < end)
    {
        let entry = next_entry(opened).await.unwrap();
        let last = reached.entry(entry.node.to_string()).or_default();
        assert_eq!(entry.number, *last + 1, "{}", entry.node);
        *last = entry.number;
        all.push(entry);
    }
    all
}

pub(crate) fn numbers(entries: &[Entry], node: &str) -> Vec<u64> {
    let of_node = entries.iter().filter(|entry| *entry.node == *node);
    of_node.map(|entry| entry.number).collect()
}

/// An error with all its causes.
pub(crate) fn whole(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}
