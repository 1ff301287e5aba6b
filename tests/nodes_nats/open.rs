//! Reading the logs.

use std::time::Duration;

use tokio::time::timeout;
use tokio_stream::StreamExt;
use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::{Incoming, Link};
use tower_zookie_testing::nats::NatsServer;

use crate::tools::{
    PATIENCE, append, clock, connect, entries, next_entry, numbers, open, raw_stream, read_all, take, whole,
};

pub(crate) async fn only_entries_after_the_clock_are_read() {
    let server = NatsServer::start();
    let link = connect(&server).await;
    for start in (1..=40).step_by(4) {
        append(&link, &entries("west", start..start + 4)).await.unwrap();
        append(&link, &entries("east", start..start + 4)).await.unwrap();
    }
    for (west, east) in [(0, 0), (40, 40), (0, 40), (40, 0), (17, 3), (38, 39), (4, 36)] {
        let mut opened = open(&link, "reader", &clock([("west", west), ("east", east)])).await;
        assert_eq!(opened.ends, clock([("west", 40), ("east", 40)]));
        assert!(opened.snapshot.is_none());
        let all = take(&mut opened, (80 - west - east) as usize).await;
        assert_eq!(numbers(&all, "west"), (west + 1..=40).collect::<Vec<_>>());
        assert_eq!(numbers(&all, "east"), (east + 1..=40).collect::<Vec<_>>());
    }
    // What is written later comes too, whatever was read before.
    let mut opened = open(&link, "reader", &clock([("west", 40), ("east", 40)])).await;
    append(&link, &entries("south", 1..=2)).await.unwrap();
    append(&link, &entries("west", 41..=42)).await.unwrap();
    let all = take(&mut opened, 4).await;
    assert_eq!(
        (numbers(&all, "south"), numbers(&all, "west")),
        (vec![1, 2], vec![41, 42])
    );
}

pub(crate) async fn what_nodes_have_reached_is_sent_and_not_stored() {
    let server = NatsServer::start();
    let (west, east) = (connect(&server).await, connect(&server).await);
    let mut opened = open(&east, "east", &VectorClock::default()).await;
    let before = raw_stream(&server).await.cached_info().state.messages;
    let reached = clock([("west", 5), ("a node", u64::MAX)]);
    east.report("east", &reached).await.unwrap();
    west.report("west", &reached).await.unwrap();
    let next = timeout(PATIENCE, opened.incoming.next()).await.expect("nothing comes");
    match next.unwrap().unwrap() {
        Incoming::Reached { node, clock } => assert_eq!((&*node, &clock), ("west", &reached), "not its own"),
        other => panic!("{other:?}"),
    }
    assert_eq!(raw_stream(&server).await.cached_info().state.messages, before);
}

pub(crate) async fn reading_ends_with_the_connection() {
    let mut server = NatsServer::start();
    let link = connect(&server).await;
    let mut opened = open(&link, "east", &VectorClock::default()).await;
    append(&link, &entries("west", 1..=2)).await.unwrap();
    assert_eq!(take(&mut opened, 2).await.len(), 2);
    server.restart();
    next_entry(&mut opened).await.unwrap_err();
    let end = timeout(PATIENCE, opened.incoming.next())
        .await
        .expect("it does not end");
    assert!(end.is_none());
    append(&link, &entries("west", 3..=4)).await.unwrap();
    let mut opened = open(&link, "east", &clock([("west", 2)])).await;
    assert_eq!(numbers(&take(&mut opened, 2).await, "west"), [3, 4]);
}

pub(crate) async fn entries_that_are_gone_are_an_error() {
    let server = NatsServer::start();
    let link = connect(&server).await;
    for number in 1..=3 {
        append(&link, &entries("west", number..=number)).await.unwrap();
    }
    let purged = raw_stream(&server).await.purge().sequence(3).await.unwrap();
    assert_eq!(purged.purged, 2);
    let error = link.open("east", &VectorClock::default()).await.unwrap_err();
    assert!(whole(&error).contains("`west` are neither"), "{}", whole(&error));
    let mut opened = open(&link, "east", &clock([("west", 2)])).await;
    assert_eq!(numbers(&read_all_from(&mut opened).await, "west"), [3]);
}

async fn read_all_from(opened: &mut tower_zookie::store::node::Opened) -> Vec<tower_zookie::store::node::Entry> {
    take(opened, 1).await
}

pub(crate) async fn a_node_has_one_durable_consumer() {
    let server = NatsServer::start();
    let link = connect(&server).await;
    append(&link, &entries("west", 1..=3)).await.unwrap();
    let stream = raw_stream(&server).await;
    for _ in 0..3 {
        let mut opened = open(&link, "east node", &VectorClock::default()).await;
        assert_eq!(read_all(&mut opened).await.len(), 3);
        let names: Vec<_> = stream.consumer_names().map(Result::unwrap).collect().await;
        assert_eq!(names, ["east=20node"]);
        // It says how far the node is.
        let acknowledged = async {
            loop {
                let info = stream.consumer_info("east=20node").await.unwrap();
                if info.num_pending == 0 && info.num_ack_pending == 0 {
                    return info;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // The acknowledgement is sent when the next entry is waited for.
        let info = tokio::select! {
            info = timeout(PATIENCE, acknowledged) => info.expect("it is not acknowledged"),
            more = opened.incoming.next() => panic!("{more:?}"),
        };
        assert!(info.config.durable_name.is_some());
    }
}
