//! Snapshots, and the logs that they trim.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::{Link, NatsLink, SchemaCopy, Snapshot, VersionCopy};
use tower_zookie_testing::nats::NatsServer;

use crate::tools::{
    PATIENCE, append, clock, connect, entries, entry, next_entry, numbers, open, raw, read_all, subjects,
};

/// A snapshot with so many relationships.
pub(crate) fn snapshot<const N: usize>(at: [(&str, u64); N], size: u64) -> Snapshot {
    let version = |number: u64| VersionCopy {
        node: "west".into(),
        number,
        time: number,
        exists: true,
        relationship: format!("doc:{number}#reader@user:ada").parse().unwrap(),
    };
    Snapshot {
        clock: clock(at),
        time: 7,
        schemas: vec![SchemaCopy {
            node: "west".into(),
            number: 1,
            time: 1,
            text: "definition user {}".into(),
        }],
        relationships: (1..=size).map(version).collect(),
    }
}

/// The snapshots in the stream, and how many chunks each has.
async fn chunks(server: &NatsServer) -> Vec<(String, usize)> {
    let subjects = subjects(server).await.into_iter();
    subjects.filter(|(name, _)| name.starts_with("chunk.")).collect()
}

pub(crate) async fn a_new_node_starts_from_the_snapshot() {
    let mut server = NatsServer::start();
    let link = connect(&server).await;
    for start in (1..=30).step_by(3) {
        append(&link, &entries("west", start..start + 3)).await.unwrap();
        append(&link, &entries("east", start..start + 3)).await.unwrap();
    }
    // It ends within a message of the east, and has more than one chunk.
    let taken = snapshot([("west", 30), ("east", 10)], 20_000);
    link.store_snapshot(&taken).await.unwrap();
    let left = subjects(&server).await;
    assert_eq!((left["log.west"], left["log.east"], left["snapshot"]), (1, 7, 1));
    assert!(chunks(&server).await.iter().all(|(_, count)| *count > 1));
    server.restart();
    let new = connect(&server).await;
    let mut opened = open(&new, "south", &VectorClock::default()).await;
    assert_eq!(opened.snapshot.as_ref(), Some(&taken));
    assert_eq!(opened.ends, clock([("west", 30), ("east", 30)]));
    let all = read_all(&mut opened).await;
    assert_eq!(numbers(&all, "east"), (11..=30).collect::<Vec<_>>());
    assert!(numbers(&all, "west").is_empty());
    // One that has what was trimmed needs no snapshot.
    let mut opened = open(&new, "south", &clock([("west", 29), ("east", 9)])).await;
    assert!(opened.snapshot.is_none());
    assert_eq!(next_entry(&mut opened).await.unwrap(), entry("east", 10));
    // The log goes on.
    append(&new, &entries("west", 31..=31)).await.unwrap();
    open(&new, "west", &VectorClock::default()).await;
    append(&new, &entries("west", 32..=32)).await.unwrap();
}

pub(crate) async fn a_reader_whose_log_is_trimmed_gets_the_snapshot() {
    let server = NatsServer::start();
    let link = connect(&server).await;
    let mut opened = open(&link, "east", &VectorClock::default()).await;
    for number in 1..=200 {
        append(&link, &entries("west", number..=number)).await.unwrap();
    }
    link.store_snapshot(&snapshot([("west", 195)], 10)).await.unwrap();
    // The server has sent only some of the messages.
    let mut last = 0;
    let error = loop {
        match next_entry(&mut opened).await {
            Ok(entry) => {
                assert_eq!(entry.number, last + 1);
                last = entry.number;
            }
            Err(error) => break error,
        }
    };
    assert!(last < 195, "{error}");
    let opened = open(&link, "east", &clock([("west", last)])).await;
    assert_eq!(opened.snapshot.unwrap().clock, clock([("west", 195)]));
}

pub(crate) async fn the_snapshot_never_goes_back() {
    let server = NatsServer::start();
    let link = connect(&server).await;
    append(&link, &entries("west", 1..=9)).await.unwrap();
    append(&link, &entries("east", 1..=9)).await.unwrap();
    let stored = snapshot([("west", 5), ("east", 5)], 1);
    link.store_snapshot(&stored).await.unwrap();
    let before = chunks(&server).await;
    for ignored in [[("west", 4), ("east", 5)], [("west", 9), ("east", 4)]] {
        link.store_snapshot(&snapshot(ignored, 2)).await.unwrap();
        assert_eq!(chunks(&server).await, before);
    }
    append(&link, &entries("west", 10..=10)).await.unwrap();
    link.store_snapshot(&snapshot([("west", 9), ("east", 5)], 4))
        .await
        .unwrap();
    let opened = open(&link, "south", &VectorClock::default()).await;
    assert_eq!(opened.snapshot.unwrap().relationships.len(), 4);
    assert_eq!(chunks(&server).await.len(), 1);
}

/// A snapshot of which not everything is done.
pub(crate) async fn a_snapshot_that_fails_halfway_loses_nothing() {
    let user =
        |name: &str, denied: &str| format!("{{ user: {name}, permissions: {{ publish: {{ deny: \"{denied}\" }} }} }}");
    let users = [
        user("all", "nothing"),
        user("unnamed", "zookie_nodes.*.snapshot"),
        user("untrimmed", "$JS.API.STREAM.PURGE.>"),
    ];
    let server = NatsServer::with_settings(format!(
        "no_auth_user: all\nauthorization {{ users: [{}] }}",
        users.join(", ").replace("permissions", "password: p, permissions")
    ));
    let as_user = async |name: &str| {
        let link = NatsLink::builder(format!("nats://{name}:p@127.0.0.1:{}", server.port()));
        link.timeout(Duration::from_secs(2)).connect().await.unwrap()
    };
    let link = connect(&server).await;
    for number in 1..=5 {
        append(&link, &entries("west", number..=number)).await.unwrap();
    }
    let taken = snapshot([("west", 4)], 1);
    for (name, is_named) in [("unnamed", false), ("untrimmed", true)] {
        as_user(name).await.store_snapshot(&taken).await.unwrap_err();
        let left = subjects(&server).await;
        assert_eq!((left["log.west"], left.contains_key("snapshot")), (5, is_named));
        let mut opened = open(&link, "south", &VectorClock::default()).await;
        assert_eq!(read_all(&mut opened).await.len(), 5);
    }
    // The same again trims the logs.
    link.store_snapshot(&taken).await.unwrap();
    assert_eq!(subjects(&server).await["log.west"], 1);
}

pub(crate) async fn what_a_crash_left_is_removed() {
    let server = NatsServer::start();
    let link = connect(&server).await;
    let raw = raw(&server).await;
    append(&link, &entries("west", 1..=3)).await.unwrap();
    let left = format!("zookie_nodes.{}.chunk.0.0123456789abcdef", link.group());
    raw.publish(left, "half".into()).await.unwrap().await.unwrap();
    // This one takes the place of a pointer that is newer than what is stored now.
    let newer = format!("zookie_nodes.{}.chunk.999.0123456789abcdef", link.group());
    raw.publish(newer, "under way".into()).await.unwrap().await.unwrap();
    link.store_snapshot(&snapshot([("west", 2)], 1)).await.unwrap();
    let names: Vec<_> = subjects(&server).await.into_keys().collect();
    assert!(!names.contains(&"chunk.0.0123456789abcdef".into()), "{names:?}");
    assert!(names.contains(&"chunk.999.0123456789abcdef".into()), "{names:?}");
}

/// Two nodes write, and store snapshots at the same time. Whoever opens the logs finds every acknowledged entry, in the snapshot
/// or after it.
pub(crate) async fn snapshots_at_the_same_time_lose_nothing() {
    // Each snapshot has several chunks.
    let server = NatsServer::with_settings("max_payload: 8192");
    let writer = connect(&server).await;
    append(&writer, &[entry("west", 1), entry("west", 2)]).await.unwrap();
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(2)));
    let mut running = JoinSet::new();
    running.spawn({
        let (stop, written) = (stop.clone(), written.clone());
        async move {
            while !stop.load(Ordering::SeqCst) {
                let next = written.load(Ordering::SeqCst) + 1;
                append(&writer, &entries("west", next..next + 3)).await.unwrap();
                written.store(next + 2, Ordering::SeqCst);
            }
        }
    });
    for _ in 0..2 {
        let link = connect(&server).await;
        let (stop, written) = (stop.clone(), written.clone());
        running.spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let number = written.load(Ordering::SeqCst);
                link.store_snapshot(&snapshot([("west", number)], 150)).await.unwrap();
            }
        });
    }
    let reader = connect(&server).await;
    let mut from_snapshots = 0;
    for _ in 0..30 {
        let acknowledged = written.load(Ordering::SeqCst);
        let read = async {
            loop {
                // A log that is trimmed while it is read is read again.
                let mut opened = match reader.open("reader", &VectorClock::default()).await {
                    Ok(opened) => opened,
                    Err(error) => panic!("{}", crate::tools::whole(&error)),
                };
                assert!(opened.ends.get("west") >= acknowledged);
                let mut last = opened
                    .snapshot
                    .as_ref()
                    .map_or(0, |snapshot| snapshot.clock.get("west"));
                from_snapshots += u32::from(last > 0);
                while last < acknowledged {
                    let Ok(entry) = next_entry(&mut opened).await else {
                        break;
                    };
                    assert_eq!(entry.number, last + 1);
                    last = entry.number;
                }
                if last >= acknowledged {
                    return;
                }
            }
        };
        timeout(PATIENCE, read).await.expect("the logs are never whole");
    }
    stop.store(true, Ordering::SeqCst);
    running.join_all().await;
    assert!(from_snapshots >= 10, "{from_snapshots}");
    assert_eq!(chunks(&server).await.len(), 1, "one snapshot is left");
}
