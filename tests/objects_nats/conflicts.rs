//! Writers of the same object.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower_zookie::objects::ObjectTokens;
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::objects::{advance, document, number, unsettle};

use crate::tools::{PATIENCE, look_up, open, put, raw, settings, update, whole};

pub(crate) async fn many_writers_of_one_object_lose_nothing() {
    const WRITERS: u64 = 16;
    const EACH: u64 = 10;
    let server = NatsServer::start();
    let mut replicas = Vec::new();
    for writer in 0..WRITERS {
        replicas.push((writer, open(&server).await));
    }
    let mut writers = JoinSet::new();
    for (writer, objects) in replicas {
        writers.spawn(async move {
            for step in 0..EACH {
                let said = step * WRITERS + WRITERS - writer;
                update(&objects, &document("1"), advance(said)).await;
                assert!(number(&look_up(&objects, &document("1")).await) >= said);
            }
        });
    }
    writers.join_all().await;
    assert_eq!(
        number(&look_up(&open(&server).await, &document("1")).await),
        WRITERS * EACH
    );
}

/// Another writer replaces the record all the time, so that hardly a compare-and-set can succeed.
pub(crate) async fn an_update_that_always_conflicts_ends_with_an_error() {
    let server = NatsServer::start();
    let objects = settings(&server)
        .timeout(Duration::from_secs(1))
        .connect()
        .await
        .unwrap();
    update(&objects, &document("1"), advance(1)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut others = JoinSet::new();
    for _ in 0..8 {
        let (raw, stop) = (raw(&server).await, stop.clone());
        others.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                put(&raw, "document.1", r#"{"v":1,"tokens":["9"]}"#).await;
            }
        });
    }
    // It may find a gap. An update that says it has succeeded has.
    let (mut failed, mut said) = (None, 10);
    let start = Instant::now();
    while failed.is_none() && start.elapsed() < Duration::from_secs(10) {
        let updated = tokio::time::timeout(PATIENCE, objects.update(&[(document("1"), advance(said))])).await;
        failed = updated.expect("the update does not end").err();
        said += 1;
    }
    stop.store(true, Ordering::Relaxed);
    others.join_all().await;
    if let Some(error) = failed {
        assert!(whole(&error).contains("other writers"), "{}", whole(&error));
    }
    update(&objects, &document("1"), advance(said)).await;
    assert_eq!(number(&look_up(&objects, &document("1")).await), said);
}

pub(crate) async fn an_unsettled_mark_keeps_its_beginning() {
    let server = NatsServer::start();
    let objects = open(&server).await;
    let stream = raw(&server)
        .await
        .get_stream_no_info("KV_zookie_objects")
        .await
        .unwrap();
    let entry = async || {
        let entry = stream
            .raw_message_builder()
            .last_by_subject("$KV.zookie_objects.document.1");
        entry.send().await.unwrap()
    };
    update(&objects, &document("1"), unsettle(Duration::from_secs(3600))).await;
    let since = entry().await.sequence;
    for said in 1..=3 {
        update(&objects, &document("1"), advance(said)).await;
        let expected = format!(r#"{{"v":1,"tokens":["{said}"],"unsettled_ms":3600000,"since":{since}}}"#);
        assert_eq!(entry().await.payload, expected);
    }
}

pub(crate) async fn an_unsettled_object_that_always_changes_is_settled_some_day() {
    let server = NatsServer::start();
    let objects = open(&server).await;
    let mark = Duration::from_secs(1);
    let start = Instant::now();
    update(&objects, &document("1"), unsettle(mark)).await;
    let mut said = 0;
    while look_up(&objects, &document("1")).await.unsettled.is_some() {
        assert!(start.elapsed() < PATIENCE, "the mark does not end");
        said += 1;
        update(&objects, &document("1"), advance(said)).await;
        sleep(Duration::from_millis(20)).await;
    }
    assert!(start.elapsed() >= mark, "the mark ended early");
}
