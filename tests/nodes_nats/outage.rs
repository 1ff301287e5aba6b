//! The server is killed, and starts again with what it had stored.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::Link;
use tower_zookie_testing::nats::NatsServer;

use crate::snapshots::snapshot;
use crate::tools::{PATIENCE, append, clock, connect, entries, next_entry, numbers, open, read_all, settings};

async fn soon(acknowledged: &AtomicU64, more: u64) {
    let goal = acknowledged.load(Ordering::SeqCst) + more;
    let start = Instant::now();
    while acknowledged.load(Ordering::SeqCst) < goal {
        assert!(start.elapsed() < PATIENCE, "nothing is acknowledged any more");
        sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    const NODES: [&str; 3] = ["west", "east", "south"];
    let mut server = NatsServer::start();
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut writers = JoinSet::new();
    for node in NODES {
        let link = connect(&server).await;
        let (stop, acknowledged) = (stop.clone(), acknowledged.clone());
        writers.spawn(async move {
            let mut last = 0;
            while !stop.load(Ordering::SeqCst) {
                append(&link, &entries(node, last + 1..last + 8)).await.unwrap();
                last += 7;
                acknowledged.fetch_add(7, Ordering::SeqCst);
            }
            (node, last)
        });
    }
    // Another node reads all the time.
    let reader = connect(&server).await;
    let reading = tokio::spawn({
        let (stop, acknowledged) = (stop.clone(), acknowledged.clone());
        async move {
            let mut read: HashMap<String, u64> = HashMap::new();
            let has_all = |read: &HashMap<String, u64>| {
                stop.load(Ordering::SeqCst) && read.values().sum::<u64>() >= acknowledged.load(Ordering::SeqCst)
            };
            while !has_all(&read) {
                let after = read.iter().map(|(node, number)| (node.as_str(), *number)).collect();
                let Ok(mut opened) = reader.open("reader", &after).await else {
                    continue;
                };
                while !has_all(&read) {
                    let Ok(entry) = next_entry(&mut opened).await else {
                        break;
                    };
                    let last = read.entry(entry.node.to_string()).or_default();
                    assert_eq!(entry.number, *last + 1, "{}", entry.node);
                    *last = entry.number;
                }
            }
            read
        }
    });
    for _ in 0..4 {
        soon(&acknowledged, 500).await;
        server.restart();
    }
    soon(&acknowledged, 500).await;
    stop.store(true, Ordering::SeqCst);
    let writers = writers.join_all().await;
    // It may wait for an entry that was there before all had stopped.
    let late = connect(&server).await;
    for (node, last) in &writers {
        append(&late, &entries(node, last + 1..last + 2)).await.unwrap();
    }
    let read = timeout(PATIENCE, reading)
        .await
        .expect("the reader does not come to the end")
        .unwrap();
    let mut opened = open(&late, "late", &VectorClock::default()).await;
    let all = read_all(&mut opened).await;
    for (node, last) in writers {
        assert_eq!(numbers(&all, node), (1..=last + 1).collect::<Vec<_>>());
        assert!(read[node] >= last, "{node}");
    }
}

pub(crate) async fn without_a_server_every_call_ends() {
    let mut server = NatsServer::start();
    let link = settings(&server)
        .timeout(Duration::from_millis(200))
        .connect()
        .await
        .unwrap();
    append(&link, &entries("west", 1..=1)).await.unwrap();
    server.kill();
    let nothing = VectorClock::default();
    let taken = snapshot([("west", 1)], 1);
    for _ in 0..2 {
        let at = clock([("west", 1)]);
        let call = timeout(PATIENCE, link.open("west", &nothing)).await;
        call.expect("opening does not end").unwrap_err();
        let next = entries("west", 2..=2);
        let call = timeout(PATIENCE, link.append(&next)).await;
        call.expect("the append does not end").unwrap_err();
        let call = timeout(PATIENCE, link.report("west", &at)).await;
        call.expect("the report does not end").unwrap_err();
        let call = timeout(PATIENCE, link.store_snapshot(&taken)).await;
        call.expect("the snapshot does not end").unwrap_err();
    }
    server.restart();
    append(&link, &entries("west", 2..=2)).await.unwrap();
    let mut opened = open(&connect(&server).await, "east", &nothing).await;
    assert_eq!(numbers(&read_all(&mut opened).await, "west"), [1, 2]);
}
