//! Rows that this store has not written.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_zookie::objects::{ObjectTokens, Record};
use tower_zookie_testing::objects::{KEEP, advance, document, number};

use crate::{HEARTBEAT, PATIENCE, Place, chain, read_until};

async fn one(objects: &dyn ObjectTokens, id: &str) -> Record {
    objects.look_up(&[document(id)]).await.unwrap().remove(0)
}

/// Writes a row with these tokens and marks, in SQL.
fn write(place: &Place, key: &str, tokens: &str, unsettled_at: &str, unsettled_until: &str) {
    place.sql(&format!(
        "INSERT INTO {} VALUES ('{key}', {tokens}, 1, {unsettled_at}, {unsettled_until}, now(), now() + interval '10 minutes')",
        place.table
    ));
}

/// A look-up of what can't be read is an error, so that the check is fully consistent. A later write repairs the row.
pub(super) async fn tokens_that_are_none_are_an_error_until_a_write(place: Place) {
    let objects = place.objects().await;
    let long = format!("ARRAY[repeat('x', {})]", (16 << 10) + 1);
    let junk = [
        "ARRAY['a b']",
        "ARRAY['']",
        "ARRAY['1', NULL]",
        "ARRAY['ä']",
        "ARRAY['7', '<script>']",
        &long,
    ];
    for (id, tokens) in junk.iter().enumerate() {
        write(&place, document(id.to_string()).as_str(), tokens, "NULL", "NULL");
    }
    objects.update(&[(document("good"), advance(3))]).await.unwrap();
    for id in 0..junk.len() {
        let id = id.to_string();
        let error = objects.look_up(&[document("good"), document(&id)]).await.unwrap_err();
        assert!(chain(&error).contains("tokens that are none"), "{}", chain(&error));
        objects.update(&[(document(&id), advance(5))]).await.unwrap();
        let record = one(&*objects, &id).await;
        // Number 4 had one that can be read.
        assert_eq!(number(&record), if id == "4" { 7 } else { 5 });
        assert!(
            record.unsettled.is_some_and(|left| left > KEEP - PATIENCE),
            "{record:?}"
        );
    }
    assert_eq!(number(&one(&*objects, "good").await), 3);
}

pub(super) async fn an_array_of_arrays_is_an_error(place: Place) {
    let objects = place.objects().await;
    write(
        &place,
        document("1").as_str(),
        "ARRAY[ARRAY['1'], ARRAY['2']]",
        "NULL",
        "NULL",
    );
    let error = chain(&objects.look_up(&[document("1")]).await.unwrap_err());
    assert!(error.contains("a row of the table can't be read"), "{error}");
    assert_eq!(one(&*objects, "2").await, Record::default());
}

pub(super) async fn half_a_mark_is_an_error_until_a_write(place: Place) {
    let objects = place.objects().await;
    write(&place, document("1").as_str(), "ARRAY['7']", "NULL", "now()");
    objects.look_up(&[document("1")]).await.unwrap_err();
    objects.update(&[(document("1"), advance(8))]).await.unwrap();
    let record = one(&*objects, "1").await;
    assert!(number(&record) == 8 && record.unsettled.is_some());
}

pub(super) async fn a_feed_leaves_out_keys_that_are_none_and_reports_junk_as_unsettled(place: Place) {
    for polling in [false, true] {
        let place = Place {
            polling,
            ..Place::new(&place.server)
        };
        let objects = place.objects().await;
        write(&place, "a key of another program", "ARRAY['1']", "NULL", "NULL");
        write(&place, document("1").as_str(), "ARRAY['5', 'a b']", "NULL", "NULL");
        objects.update(&[(document("2"), advance(5))]).await.unwrap();
        let mut feed = objects.follow(HEARTBEAT).await.unwrap();
        let mut known = HashMap::new();
        read_until(&mut feed, &mut known, |known| known.len() == 2).await;
        assert!(known[&document("1")].unsettled.is_some());
        assert_eq!(known[&document("2")].unsettled, None);
    }
}

/// The clock may have been set since, for all that a new process knows.
pub(super) async fn a_mark_of_earlier_lasts_its_length_once_more(place: Place) {
    place.create();
    write(
        &place,
        document("1").as_str(),
        "ARRAY['7']",
        "now() - interval '1 day'",
        "now() - interval '1 day' + interval '2 s'",
    );
    write(
        &place,
        document("2").as_str(),
        "ARRAY['7']",
        "now() - interval '2 days'",
        "now() - interval '1 day'",
    );
    let begin = Instant::now();
    let objects = place.objects().await;
    while one(&*objects, "1").await.unsettled.is_some() {
        assert!(begin.elapsed() < PATIENCE);
        sleep(Duration::from_millis(50)).await;
    }
    assert!(begin.elapsed() >= Duration::from_secs(2));
    assert!(one(&*objects, "2").await.unsettled.is_some());
    // A write removes a mark that is over, so that the next process need not wait for it.
    objects.update(&[(document("1"), advance(8))]).await.unwrap();
    let fresh = place.objects().await;
    assert_eq!(one(&*fresh, "1").await.unsettled, None);
}

pub(super) async fn rows_that_have_expired_are_removed(place: Place) {
    place.create();
    let row = |key: &str, updated: &str, expires: &str| {
        place.sql(&format!(
            "INSERT INTO {} VALUES ('{key}', '{{7}}', 1, NULL, NULL, now() - interval '{updated}', now() + interval '{expires}')",
            place.table
        ));
    };
    row("document.expired", "20 s", "-19 s");
    row("document.expired-by-a-clock-that-may-have-jumped", "2 days", "-1 day");
    row("document.not-yet", "10 s", "2 s");
    let (began, _objects) = (Instant::now(), place.objects().await);
    let left = || place.sql(&format!("SELECT count(*) FROM {}", place.table));
    while left() == "3" {
        assert!(began.elapsed() < PATIENCE);
        sleep(Duration::from_millis(200)).await;
    }
    let rows = place.sql(&format!("SELECT key FROM {} ORDER BY key", place.table));
    assert_eq!(
        rows,
        "document.expired-by-a-clock-that-may-have-jumped\ndocument.not-yet"
    );
}

/// An update makes a row last longer, and one with a shorter time to keep does not make it end sooner.
pub(super) async fn a_row_lasts_as_long_as_its_longest_update(place: Place) {
    let objects = place.objects().await;
    let length = || {
        let sql = format!(
            "SELECT round(extract(epoch from expires_at - updated_at)) FROM {}",
            place.table
        );
        place.sql(&sql)
    };
    objects.update(&[(document("1"), advance(5))]).await.unwrap();
    assert_eq!(length(), "600");
    let hour = Duration::from_secs(3600);
    objects
        .update(&[(document("1"), advance(6).unsettle(hour))])
        .await
        .unwrap();
    assert_eq!(length(), "3600");
    objects.update(&[(document("1"), advance(7))]).await.unwrap();
    assert_eq!(length(), "3600");
}
