//! Connections that are lost, blocked or all in use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower_zookie::objects::{ObjectFeed, ObjectTokens, ObjectsError};
use tower_zookie_testing::objects::{Replicas, advance, document, number};
use tower_zookie_testing::postgres::Postgres;

use crate::{HEARTBEAT, PATIENCE, Place, chain, read_until};

/// Ends all connections of this test.
fn terminate(place: &Place) {
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name =";
    place.sql(&format!("{end} '{}'", place.table));
}

async fn end_of(feed: &mut Box<dyn ObjectFeed>) -> ObjectsError {
    let end = async {
        loop {
            if let Err(error) = feed.next().await {
                return error;
            }
        }
    };
    timeout(PATIENCE, end).await.expect("the feed does not end")
}

pub(super) async fn lost_connections_are_replaced(place: Place) {
    let objects = place.objects().await;
    for said in 1..=5 {
        // Both are idle when their connections are ended.
        objects.update(&[(document("1"), advance(said))]).await.unwrap();
        terminate(&place);
        assert_eq!(number(&objects.look_up(&[document("1")]).await.unwrap()[0]), said);
        terminate(&place);
    }
}

pub(super) async fn updates_lose_nothing_while_connections_are_lost(place: Place) {
    let objects = place.objects().await;
    let other = place.clone();
    let ending = tokio::task::spawn_blocking(move || (0..20).for_each(|_| terminate(&other)));
    let mut said = 0;
    let mut done = false;
    while !done {
        done = ending.is_finished();
        said += 1;
        // It may fail if that happens several times in a row, and is then done again, as a retried write is.
        while objects.update(&[(document("1"), advance(said))]).await.is_err() {}
        if let Ok(records) = objects.look_up(&[document("1")]).await {
            assert_eq!(number(&records[0]), said);
        }
    }
    ending.await.unwrap();
}

pub(super) async fn a_feed_ends_with_its_connection_and_the_next_has_everything(place: Place) {
    let objects = place.objects().await;
    let mut feed = objects.follow(HEARTBEAT).await.unwrap();
    let mut known = HashMap::new();
    read_until(&mut feed, &mut known, |_| true).await;
    terminate(&place);
    let error = chain(&end_of(&mut feed).await);
    assert!(error.contains("connection"), "{error}");
    objects.update(&[(document("1"), advance(5))]).await.unwrap();
    let mut feed = objects.follow(HEARTBEAT).await.unwrap();
    read_until(&mut feed, &mut known, |known| known.len() == 1).await;
}

pub(super) async fn a_server_that_stops_is_an_error_and_then_back(_: Place) {
    let server = Arc::new(Postgres::start(&[]));
    for polling in [false, true] {
        let place = Place {
            polling,
            ..Place::new(&server)
        };
        let objects = place.objects().await;
        objects.update(&[(document("1"), advance(5))]).await.unwrap();
        let mut feed = objects.follow(HEARTBEAT).await.unwrap();
        place.server.stop();
        objects.look_up(&[document("1")]).await.unwrap_err();
        objects.update(&[(document("1"), advance(6))]).await.unwrap_err();
        end_of(&mut feed).await;
        assert!(objects.follow(HEARTBEAT).await.is_err() || polling);
        place.server.start_again();
        // What was acknowledged is there. What was not may be there or not.
        assert_eq!(number(&objects.look_up(&[document("1")]).await.unwrap()[0]), 5);
        objects.update(&[(document("1"), advance(7))]).await.unwrap();
        let (mut feed, mut known) = (objects.follow(HEARTBEAT).await.unwrap(), HashMap::new());
        read_until(&mut feed, &mut known, |known| !known.is_empty()).await;
        assert_eq!(number(&known[&document("1")]), 7);
    }
}

/// Locks the table in another session for as long as the guard is there.
struct Locked(std::process::Child);

impl Locked {
    async fn table(place: &Place) -> Self {
        let sql = format!(
            "BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)",
            place.table
        );
        let locked = Self(place.server.background(&sql));
        let held = format!(
            "SELECT count(*) FROM pg_locks WHERE relation = '{}'::regclass AND granted",
            place.table
        );
        while place.sql(&format!("{held} AND mode = 'AccessExclusiveLock'")) == "0" {
            sleep(Duration::from_millis(20)).await;
        }
        locked
    }

    /// Ends the other session, and waits until the table is free.
    async fn free(mut self, place: &Place) {
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK TABLE%'";
        place.sql(&format!(
            "{sql} AND query LIKE '%{}%' AND pid <> pg_backend_pid()",
            place.table
        ));
        let _ = self.0.wait();
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

pub(super) async fn what_is_blocked_ends_with_the_timeout(place: Place) {
    place.create();
    let limit = Duration::from_millis(300);
    let objects = place
        .builder()
        .timeout(limit)
        .max_connections(2)
        .connect()
        .await
        .unwrap();
    objects.update(&[(document("1"), advance(5))]).await.unwrap();
    let mut feed = objects.follow(HEARTBEAT).await.unwrap();
    read_until(&mut feed, &mut HashMap::new(), |_| true).await;
    let locked = Locked::table(&place).await;
    for _ in 0..2 {
        let began = Instant::now();
        // More than there are connections: the wait for one counts.
        let keys = ["1", "2", "3", "4", "5", "6"].map(|id| [document(id)]);
        let all = keys.iter().map(|keys| objects.look_up(keys));
        for outcome in futures_of(all).await {
            let error = chain(&outcome.unwrap_err());
            assert!(
                error.contains("timeout") || error.contains("no connection is free"),
                "{error}"
            );
        }
        objects.update(&[(document("1"), advance(6))]).await.unwrap_err();
        assert!(began.elapsed() < PATIENCE);
    }
    locked.free(&place).await;
    // The connections are usable again as soon as the server has ended what was blocked.
    let began = Instant::now();
    while objects.look_up(&[document("1")]).await.is_err() {
        assert!(began.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20)).await;
    }
}

/// Awaits all of them at once.
async fn futures_of<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in all.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

pub(super) async fn callers_that_leave_use_up_no_connections(place: Place) {
    let objects = place.builder().max_connections(1).connect().await.unwrap();
    let key = [document("1")];
    for said in 1..=20 {
        let updates = [(document("1"), advance(said))];
        // It stops to wait at one point after the other.
        let _ = timeout(Duration::from_micros(said * 300), objects.update(&updates)).await;
        let _ = timeout(Duration::from_micros(said * 100), objects.look_up(&key)).await;
        objects.update(&updates).await.unwrap();
        assert_eq!(number(&objects.look_up(&key).await.unwrap()[0]), said);
    }
}

/// A caller that stops to wait for a feed loses no change.
pub(super) async fn a_feed_loses_nothing_if_its_caller_stops_to_wait(place: Place) {
    let (objects, writer) = (place.open().await, place.open().await);
    let mut feed = objects.follow(HEARTBEAT).await.unwrap();
    let mut known = HashMap::new();
    read_until(&mut feed, &mut known, |_| true).await;
    for said in 1..=50 {
        let updates = [(document(said.to_string()), advance(said))];
        writer.update(&updates).await.unwrap();
        if let Ok(batch) = timeout(Duration::from_micros(said * 100), feed.next()).await {
            known.extend(batch.unwrap().changed);
        }
    }
    read_until(&mut feed, &mut known, |known| known.len() == 50).await;
}

/// Where writers are in each other's way, they lock the row, so that each has its turn.
pub(super) async fn many_writers_of_one_object_all_succeed(place: Place) {
    let mut writers = JoinSet::new();
    for replica in 0..4 {
        let objects = place.objects().await;
        for writer in 0..6 {
            let objects = objects.clone();
            writers.spawn(async move {
                for step in 0..5 {
                    let said = step * 24 + replica * 6 + writer + 1;
                    objects.update(&[(document("hot"), advance(said))]).await.unwrap();
                }
            });
        }
    }
    writers.join_all().await;
    let objects = place.objects().await;
    assert_eq!(number(&objects.look_up(&[document("hot")]).await.unwrap()[0]), 120);
}

/// The feed's own connection is behind: the change has succeeded, and its notification is not there yet.
pub(super) async fn a_feed_whose_connection_is_behind_is_not_complete(place: Place) {
    let (follower, writer) = (place.open().await, place.open().await);
    let mut feed = follower.follow(HEARTBEAT).await.unwrap();
    let mut known = HashMap::new();
    read_until(&mut feed, &mut known, |_| true).await;
    let listens = "SELECT pid FROM pg_stat_activity WHERE query ~ '^(LISTEN|NOTIFY)' AND application_name =";
    let pid = place.sql(&format!("{listens} '{}'", place.table));
    place.server.signal(&pid, "STOP");
    writer.update(&[(document("1"), advance(5))]).await.unwrap();
    let updated = Instant::now();
    while let Ok(batch) = timeout(HEARTBEAT * 4, feed.next()).await {
        let batch = batch.unwrap();
        known.extend(batch.changed);
        assert!(batch.complete_to < Some(updated), "it can't know that it is complete");
    }
    place.server.signal(&pid, "CONT");
    assert!(known.is_empty());
    read_until(&mut feed, &mut known, |known| known.len() == 1).await;
}
