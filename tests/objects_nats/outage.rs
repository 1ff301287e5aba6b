//! The server is killed, and starts again with what it had stored.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower_zookie::objects::{NatsObjects, ObjectTokens};
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::objects::{advance, document, number, unsettle};

use crate::tools::{PATIENCE, look_up, open, read_all, settings, update};

const SHORT: Duration = Duration::from_secs(1);

async fn impatient(server: &NatsServer) -> NatsObjects {
    settings(server).timeout(SHORT).connect().await.unwrap()
}

async fn soon(server: &mut NatsServer, acknowledged: &AtomicU64, more: u64) {
    let goal = acknowledged.load(Ordering::SeqCst) + more;
    let start = Instant::now();
    while acknowledged.load(Ordering::SeqCst) < goal {
        assert!(
            start.elapsed() < PATIENCE,
            "nothing is acknowledged any more: {server:?}"
        );
        sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let mut server = NatsServer::start();
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut writers = JoinSet::new();
    for writer in 0..3u64 {
        let objects = impatient(&server).await;
        let (stop, acknowledged) = (stop.clone(), acknowledged.clone());
        writers.spawn(async move {
            let (mut said, mut held) = (0, HashMap::new());
            while !stop.load(Ordering::SeqCst) {
                said += 1;
                let id = format!("{writer}-{}", said % 7);
                let updated = timeout(PATIENCE, objects.update(&[(document(&id), advance(said))])).await;
                if updated.expect("an update does not end").is_ok() {
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                    held.insert(id, said);
                }
                // What was acknowledged is seen at once, also while the server comes and goes.
                for (id, said) in &held {
                    let read = timeout(PATIENCE, objects.look_up(&[document(id)])).await;
                    if let Ok(records) = read.expect("a look-up does not end") {
                        assert!(number(&records[0]) >= *said, "{id}");
                    }
                }
            }
            held
        });
    }
    for _ in 0..3 {
        soon(&mut server, &acknowledged, 30).await;
        server.restart();
    }
    soon(&mut server, &acknowledged, 30).await;
    stop.store(true, Ordering::SeqCst);
    let objects = impatient(&server).await;
    for (id, said) in writers.join_all().await.into_iter().flatten() {
        let records = objects.look_up(&[document(&id)]).await.unwrap();
        assert!(number(&records[0]) >= said, "{id}");
    }
}

pub(crate) async fn without_a_server_look_ups_and_updates_end() {
    let mut server = NatsServer::start();
    let objects = impatient(&server).await;
    update(&objects, &document("1"), advance(5)).await;
    server.kill();
    for _ in 0..3 {
        let keys = [document("1")];
        let read = timeout(PATIENCE, objects.look_up(&keys)).await;
        read.expect("the look-up does not end").unwrap_err();
        let updates = [(document("1"), advance(6))];
        let written = timeout(PATIENCE, objects.update(&updates)).await;
        written.expect("the update does not end").unwrap_err();
        let feed = timeout(PATIENCE, objects.follow(SHORT)).await;
        feed.expect("opening a feed does not end").unwrap_err();
    }
    server.restart();
    let start = Instant::now();
    while objects.update(&[(document("1"), advance(7))]).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "the store does not connect again");
    }
    assert_eq!(number(&objects.look_up(&[document("1")]).await.unwrap()[0]), 7);
}

/// A server that crashed may have lost messages, and given their numbers to others. So a feed does not go on.
pub(crate) async fn rule_09_a_feed_ends_with_its_connection() {
    let mut server = NatsServer::start();
    let objects = open(&server).await;
    let mut feed = objects.follow(Duration::from_millis(100)).await.unwrap();
    read_all(&mut *feed).await;
    server.restart();
    let start = Instant::now();
    while timeout(PATIENCE, feed.next())
        .await
        .expect("the feed is silent")
        .is_ok()
    {
        assert!(start.elapsed() < PATIENCE, "the feed does not end");
    }
    let mut feed = objects.follow(Duration::from_millis(100)).await.unwrap();
    assert_eq!(read_all(&mut *feed).await, []);
}

pub(crate) async fn rule_09_after_a_lost_connection_unsettled_marks_count_anew() {
    let mut server = NatsServer::start();
    let objects = open(&server).await;
    let mark = Duration::from_secs(2);
    update(&objects, &document("1"), unsettle(mark)).await;
    let settled = async || {
        let start = Instant::now();
        while look_up(&objects, &document("1")).await.unsettled.is_some() {
            assert!(start.elapsed() < PATIENCE, "the mark does not end");
            sleep(Duration::from_millis(50)).await;
        }
        start.elapsed()
    };
    settled().await;
    server.restart();
    let start = Instant::now();
    while objects.look_up(&[]).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "the store does not connect again");
        sleep(Duration::from_millis(5)).await;
    }
    assert!(settled().await >= mark);
}

/// A follower opens a feed again when it ends. Whenever a feed says how far it is complete, it is.
pub(crate) async fn a_feed_is_complete_after_the_server_was_killed() {
    let mut server = NatsServer::start();
    let (writer, reader) = (impatient(&server).await, impatient(&server).await);
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let written: Arc<Mutex<Vec<(Instant, u64)>>> = Arc::default();
    let writing = tokio::spawn({
        let (stop, acknowledged, written) = (stop.clone(), acknowledged.clone(), written.clone());
        async move {
            let mut said = 0;
            while !stop.load(Ordering::SeqCst) {
                said += 1;
                if writer.update(&[(document("1"), advance(said))]).await.is_ok() {
                    written.lock().unwrap().push((Instant::now(), said));
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    });
    let following = tokio::spawn({
        let (stop, written) = (stop.clone(), written.clone());
        async move {
            let (mut known, mut checked) = (0, 0);
            loop {
                let Ok(Ok(mut feed)) = timeout(PATIENCE, reader.follow(Duration::from_millis(100))).await else {
                    continue;
                };
                loop {
                    let has_stopped = stop.load(Ordering::SeqCst);
                    let now = Instant::now();
                    let batch = timeout(PATIENCE, feed.next()).await.expect("the feed is silent");
                    let Ok(batch) = batch else { break };
                    for (_, record) in batch.changed {
                        known = known.max(number(&record));
                    }
                    let Some(complete_to) = batch.complete_to else { continue };
                    for (when, said) in written.lock().unwrap().iter() {
                        if *when <= complete_to {
                            assert!(known >= *said, "complete without {said}: {known}");
                            checked += 1;
                        }
                    }
                    if has_stopped && complete_to >= now {
                        return checked;
                    }
                }
            }
        }
    });
    for _ in 0..2 {
        soon(&mut server, &acknowledged, 30).await;
        server.restart();
    }
    soon(&mut server, &acknowledged, 30).await;
    stop.store(true, Ordering::SeqCst);
    writing.await.unwrap();
    assert!(
        timeout(PATIENCE, following)
            .await
            .expect("the feed does not come to the end")
            .unwrap()
            >= 90
    );
}
