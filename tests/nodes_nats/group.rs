//! The identity of a group.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, StorageType};
use tokio::task::JoinSet;
use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::Link;
use tower_zookie_testing::nats::NatsServer;

use crate::tools::{STREAM, append, connect, entries, open, raw, settings, whole};

pub(crate) async fn all_nodes_read_the_same_group() {
    let mut server = NatsServer::start();
    let mut starting = JoinSet::new();
    for _ in 0..8 {
        starting.spawn(settings(&server).connect());
    }
    let links = starting.join_all().await;
    let groups: Vec<_> = links
        .iter()
        .map(|link| link.as_ref().unwrap().group().to_owned())
        .collect();
    assert!(
        groups.iter().all(|group| *group == groups[0] && group.len() == 8),
        "{groups:?}"
    );
    server.restart();
    assert_eq!(connect(&server).await.group(), groups[0]);
    let other = settings(&server).stream("other").connect().await.unwrap();
    assert_ne!(other.group(), groups[0]);
}

pub(crate) async fn a_stream_that_was_made_again_is_another_group() {
    let server = NatsServer::start();
    let former = settings(&server)
        .timeout(Duration::from_secs(5))
        .connect()
        .await
        .unwrap();
    open(&former, "west", &VectorClock::default()).await;
    append(&former, &entries("west", 1..=2)).await.unwrap();
    raw(&server).await.delete_stream(STREAM).await.unwrap();
    let new = connect(&server).await;
    assert_ne!(new.group(), former.group());
    assert_eq!(
        open(&new, "west", &VectorClock::default()).await.ends,
        VectorClock::default()
    );
    // What the former group's nodes write reaches no node of the new one, and is not acknowledged.
    former.append(&entries("west", 3..=3)).await.unwrap_err();
    former.append(&entries("east", 1..=1)).await.unwrap_err();
    former.open("west", &VectorClock::default()).await.unwrap_err();
    append(&new, &entries("west", 1..=1)).await.unwrap();
}

pub(crate) async fn rule_17_a_stream_that_can_not_work_is_refused() {
    let server = NatsServer::start();
    let error = settings(&server).create_stream(false).connect().await.unwrap_err();
    assert!(error.to_string().contains("`create_stream`"), "{error}");
    let config = |name: &str, subject: &str| Config {
        name: name.into(),
        subjects: vec![subject.into()],
        ..Config::default()
    };
    let raw = raw(&server).await;
    raw.create_stream(config("foreign", "orders.>")).await.unwrap();
    raw.create_stream(Config {
        storage: StorageType::Memory,
        ..config("volatile", "volatile.>")
    })
    .await
    .unwrap();
    for (stream, named) in [("foreign", "subjects"), ("volatile", "memory")] {
        let error = settings(&server).stream(stream).connect().await.unwrap_err();
        assert!(
            whole(&error).contains(named) && whole(&error).contains(stream),
            "{error}"
        );
    }
}
