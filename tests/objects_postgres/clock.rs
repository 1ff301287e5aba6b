//! A database whose clock is set.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tower_zookie::objects::{ObjectTokens, PostgresObjects};
use tower_zookie_testing::log::Log;
use tower_zookie_testing::objects::{advance, document, unsettle};
use tracing::Level;

use crate::{HEARTBEAT, PATIENCE, Place, read_until};

/// A store that sees a clock of this test's own. In the database it takes the place of the server's.
async fn with_own_clock(place: &Place) -> PostgresObjects {
    place.create();
    let schema = format!("clock_{}", place.table);
    place.sql(&format!(
        "CREATE SCHEMA {schema}; CREATE TABLE {schema}.ahead AS SELECT interval '0' AS by; \
         CREATE FUNCTION {schema}.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
         'SELECT pg_catalog.clock_timestamp() + by FROM {schema}.ahead'",
    ));
    let path = format!("-c%20search_path%3D{schema},pg_catalog,public");
    let url = format!("{}?options={path}&application_name={}", place.server.url(), place.table);
    let builder = PostgresObjects::builder(url).table(format!("public.{}", place.table));
    builder
        .polling(place.polling)
        .timeout(crate::TIMEOUT)
        .connect()
        .await
        .unwrap()
}

fn set_ahead(place: &Place, by: &str) {
    place.sql(&format!("UPDATE clock_{}.ahead SET by = '{by}'", place.table));
}

async fn is_unsettled(objects: &PostgresObjects) -> bool {
    objects.look_up(&[document("1")]).await.unwrap()[0].unsettled.is_some()
}

pub(super) async fn a_clock_that_jumps_ends_no_mark_early(place: Place) {
    let objects = with_own_clock(&place).await;
    let log = Log::capture(Level::WARN);
    let (marked, mark) = (Instant::now(), Duration::from_secs(3));
    objects.update(&[(document("1"), unsettle(mark))]).await.unwrap();
    assert!(is_unsettled(&objects).await);
    set_ahead(&place, "1 hour");
    while is_unsettled(&objects).await {
        assert!(marked.elapsed() < PATIENCE);
        sleep(Duration::from_millis(50)).await;
    }
    assert!(marked.elapsed() >= mark);
    let line = log.only();
    assert!(line.contains("the clock of PostgreSQL has jumped"), "{line}");
}

pub(super) async fn a_clock_that_goes_back_begins_a_polled_feed_anew(place: Place) {
    let place = Place { polling: true, ..place };
    let objects = with_own_clock(&place).await;
    let mut known = HashMap::new();
    let mut feed = objects.follow(HEARTBEAT).await.unwrap();
    read_until(&mut feed, &mut known, |_| true).await;
    set_ahead(&place, "-1 hour");
    // The row has a time that the feed does not look at any more.
    objects.update(&[(document("1"), advance(5))]).await.unwrap();
    let updated = Instant::now();
    while let Ok(batch) = timeout(PATIENCE, feed.next()).await.expect("the feed is silent") {
        if !batch.changed.is_empty() {
            break;
        }
        assert!(
            batch.complete_to < Some(updated),
            "the feed says that it is complete, and lacks the change"
        );
    }
    let mut feed = objects.follow(HEARTBEAT).await.unwrap();
    read_until(&mut feed, &mut known, |known| known.len() == 1).await;
}
