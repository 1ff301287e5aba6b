//! Feeds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tower_zookie::objects::{FeedBatch, ObjectFeed, ObjectKey, Record};

use crate::objects::{PATIENCE, Replicas, advance, document, look_up, merge, number, unsettle, update};

const HEARTBEAT: Duration = Duration::from_millis(200);

async fn next(feed: &mut Box<dyn ObjectFeed>) -> FeedBatch {
    let batch = timeout(PATIENCE, feed.next()).await;
    batch.expect("the feed says nothing").unwrap()
}

/// Reads the feed until it is complete to this instant.
async fn read_to(feed: &mut Box<dyn ObjectFeed>, instant: Instant, known: &mut HashMap<ObjectKey, Record>) {
    loop {
        let batch = next(feed).await;
        merge(known, batch.changed);
        if batch.complete_to.is_some_and(|complete_to| complete_to >= instant) {
            return;
        }
        assert!(instant.elapsed() < PATIENCE, "the feed does not come to the instant");
    }
}

pub(super) async fn a_feed_begins_with_everything(replicas: Arc<dyn Replicas>) {
    let (one, other) = (replicas.open().await, replicas.open().await);
    let keys: Vec<_> = (0..2500).map(|id| document(format!("{id}"))).collect();
    let updates: Vec<_> = keys.iter().cloned().zip((1..).map(advance)).collect();
    one.update(&updates).await.unwrap();
    let mut feed = other.follow(HEARTBEAT).await.unwrap();
    let mut known = HashMap::new();
    read_to(&mut feed, Instant::now(), &mut known).await;
    assert_eq!(known.len(), keys.len());
    for (key, said) in keys.iter().zip(1..) {
        assert_eq!(number(&known[key]), said);
    }
}

/// Several replicas write. Each time that a feed says how far it is complete, the follower knows all that had succeeded by then.
pub(super) async fn a_feed_is_complete_to_the_instant_that_it_names(replicas: Arc<dyn Replicas>) {
    const WRITERS: u64 = 3;
    const EACH: u64 = 40;
    let acknowledged: Arc<Mutex<Vec<(Instant, ObjectKey, u64)>>> = Arc::default();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (objects, acknowledged) = (replicas.open().await, acknowledged.clone());
        writers.spawn(async move {
            for step in 0..EACH {
                let said = step * WRITERS + writer + 1;
                let updates = [step % 5, 5 + step % 3].map(|id| (document(format!("{id}")), advance(said)));
                objects.update(&updates).await.unwrap();
                let now = Instant::now();
                let succeeded = updates.map(|(key, _)| (now, key, said));
                acknowledged.lock().unwrap().extend(succeeded);
            }
        });
    }
    let mut feed = replicas.open().await.follow(HEARTBEAT).await.unwrap();
    let (mut known, mut checked) = (HashMap::new(), 0);
    loop {
        let have_written = writers.is_empty();
        let end = Instant::now();
        let batch = next(&mut feed).await;
        merge(&mut known, batch.changed);
        if let Some(complete_to) = batch.complete_to {
            for (when, key, said) in acknowledged.lock().unwrap().iter() {
                if *when <= complete_to {
                    let seen = known.get(key).map(number);
                    assert!(
                        seen >= Some(*said),
                        "complete to {complete_to:?} without {said} of {when:?}: {seen:?}"
                    );
                    checked += 1;
                }
            }
            if have_written && complete_to >= end {
                break;
            }
        }
        while let Some(written) = writers.try_join_next() {
            written.unwrap();
        }
    }
    assert!(checked >= WRITERS * EACH * 2);
}

pub(super) async fn a_quiet_feed_says_how_far_it_is_complete(replicas: Arc<dyn Replicas>) {
    let objects = replicas.open().await;
    let mut feed = objects.follow(HEARTBEAT).await.unwrap();
    let mut known = HashMap::new();
    for _ in 0..3 {
        read_to(&mut feed, Instant::now(), &mut known).await;
        assert!(known.is_empty());
    }
    // It still sees changes.
    update(&objects, &document("1"), advance(5)).await;
    read_to(&mut feed, Instant::now(), &mut known).await;
    assert_eq!(number(&known[&document("1")]), 5);
}

pub(super) async fn a_feed_reports_unsettled_marks(replicas: Arc<dyn Replicas>) {
    let objects = replicas.open().await;
    let hour = Duration::from_secs(3600);
    update(&objects, &document("1"), unsettle(hour)).await;
    let mut feed = objects.follow(HEARTBEAT).await.unwrap();
    let mut known = HashMap::new();
    read_to(&mut feed, Instant::now(), &mut known).await;
    update(&objects, &document("2"), unsettle(hour)).await;
    read_to(&mut feed, Instant::now(), &mut known).await;
    for id in ["1", "2"] {
        assert!(
            known[&document(id)]
                .unsettled
                .is_some_and(|left| left > hour - PATIENCE)
        );
        assert!(look_up(&objects, &document(id)).await.unsettled.is_some());
    }
}
