//! Records that have expired.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_zookie::objects::{ObjectKey, ObjectTokens, Record};
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::objects::{KEEP, document};

use crate::tools::{PATIENCE, advance_for, look_up, put, raw, settings, update};

const SHORT: Duration = Duration::from_millis(1500);
const OFTEN: Duration = Duration::from_secs(1);

/// Updates of one object cause the removal of others, once in a while.
struct Writer {
    objects: tower_zookie::objects::NatsObjects,
    number: u64,
}

impl Writer {
    async fn step(&mut self) {
        self.number += 1;
        update(&self.objects, &document("young"), advance_for(self.number, SHORT)).await;
        sleep(Duration::from_millis(50)).await;
    }

    /// Whether anything stands under the key.
    async fn has(&self, key: &ObjectKey) -> bool {
        look_up(&self.objects, key).await != Record::default()
    }
}

pub(crate) async fn expired_records_are_removed_and_younger_ones_stay() {
    let server = NatsServer::start();
    let objects = settings(&server).clean_every(OFTEN).connect().await.unwrap();
    let mut writer = Writer { objects, number: 0 };
    let start = Instant::now();
    update(&writer.objects, &document("old"), advance_for(7, SHORT)).await;
    while writer.has(&document("old")).await {
        assert!(start.elapsed() < PATIENCE, "the record stays");
        writer.step().await;
        assert!(writer.has(&document("young")).await);
    }
    assert!(start.elapsed() >= SHORT, "the record ended early");
    // It can be written again.
    update(&writer.objects, &document("old"), advance_for(3, SHORT)).await;
    assert!(writer.has(&document("old")).await);
}

pub(crate) async fn what_another_replica_keeps_for_longer_stays() {
    let server = NatsServer::start();
    let objects = settings(&server).clean_every(OFTEN).connect().await.unwrap();
    let other = settings(&server).connect().await.unwrap();
    update(&objects, &document("short"), advance_for(7, SHORT)).await;
    update(&other, &document("long"), advance_for(7, KEEP)).await;
    drop(other);
    let mut writer = Writer { objects, number: 0 };
    let stream = raw(&server)
        .await
        .get_stream_no_info("KV_zookie_objects")
        .await
        .unwrap();
    let keep = async || {
        let entry = stream
            .raw_message_builder()
            .last_by_subject("$KV.zookie_objects.~keep")
            .send()
            .await;
        entry.unwrap().sequence
    };
    // Each removal writes that entry again.
    let (start, mut last, mut removals) = (Instant::now(), keep().await, 0);
    while removals < 4 {
        assert!(start.elapsed() < PATIENCE, "nothing is removed");
        writer.step().await;
        let now = keep().await;
        removals += u32::from(now != last);
        last = now;
    }
    assert!(start.elapsed() > SHORT);
    let keys = ["short", "long"].map(document);
    let records = writer.objects.look_up(&keys).await.unwrap();
    assert!(records.iter().all(|record| record.tokens.len() == 1), "{records:?}");
}

pub(crate) async fn rule_09_an_unreadable_keep_removes_nothing() {
    let server = NatsServer::start();
    let objects = settings(&server).clean_every(OFTEN).connect().await.unwrap();
    update(&objects, &document("old"), advance_for(7, SHORT)).await;
    put(&raw(&server).await, "~keep", "for ever").await;
    let mut writer = Writer { objects, number: 0 };
    let start = Instant::now();
    while start.elapsed() < SHORT + 2 * OFTEN {
        writer.step().await;
    }
    assert!(writer.has(&document("old")).await);
}
