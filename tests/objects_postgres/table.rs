//! What the table has to be.

use std::collections::HashMap;

use tokio::task::JoinSet;
use tower_zookie::objects::{PostgresObjects, PostgresObjectsBuilder};
use tower_zookie_testing::objects::{advance, document, number};

use crate::{Place, chain, read_until};

async fn refused(builder: PostgresObjectsBuilder) -> String {
    chain(&builder.create_table(false).connect().await.unwrap_err())
}

pub(super) async fn a_missing_table_is_an_error(place: Place) {
    let error = refused(place.builder()).await;
    assert!(error.starts_with("table: the database has no table"), "{error}");
    assert!(error.contains(&place.table) && error.contains("migration"), "{error}");
}

pub(super) async fn a_missing_column_is_named(place: Place) {
    place.create();
    for column in ["expires_at", "unsettled_until", "tokens"] {
        place.sql(&format!("ALTER TABLE {} DROP COLUMN {column}", place.table));
        let error = refused(place.builder()).await;
        assert!(error.contains(&format!("has no column {column} (")), "{error}");
        assert!(error.contains("migration"), "{error}");
        place.sql(&format!("DROP TABLE {}", place.table));
        place.create();
    }
}

pub(super) async fn a_column_of_a_wrong_type_is_named(place: Place) {
    place.create();
    place.sql(&format!(
        "ALTER TABLE {} ALTER COLUMN updated_at TYPE timestamp",
        place.table
    ));
    let error = refused(place.builder()).await;
    let expected = "has a column updated_at of type timestamp without time zone instead of timestamp with time zone";
    assert!(error.contains(expected), "{error}");
}

pub(super) async fn a_table_without_a_primary_key_is_an_error(place: Place) {
    place.create();
    place.sql(&format!("ALTER TABLE {0} DROP CONSTRAINT {0}_pkey", place.table));
    let error = refused(place.builder()).await;
    assert!(error.contains("has no primary key on the column key alone"), "{error}");
}

pub(super) async fn a_table_that_a_crash_empties_is_an_error(place: Place) {
    place.create();
    place.sql(&format!("ALTER TABLE {} SET UNLOGGED", place.table));
    let error = refused(place.builder()).await;
    assert!(error.contains("unlogged"), "{error}");
}

pub(super) async fn a_view_is_an_error(place: Place) {
    place.create();
    place.sql(&format!("CREATE VIEW view_{0} AS SELECT * FROM {0}", place.table));
    let error = refused(place.builder().table(format!("view_{}", place.table))).await;
    assert!(error.contains("is a view"), "{error}");
}

pub(super) async fn further_columns_do_no_harm(place: Place) {
    place.create();
    place.sql(&format!(
        "ALTER TABLE {} ADD COLUMN note text, ADD COLUMN made timestamptz DEFAULT now()",
        place.table
    ));
    let objects = place.objects().await;
    objects.update(&[(document("1"), advance(5))]).await.unwrap();
    assert_eq!(number(&objects.look_up(&[document("1")]).await.unwrap()[0]), 5);
}

pub(super) async fn replicas_that_start_together_make_one_table(place: Place) {
    let mut replicas = JoinSet::new();
    for _ in 0..8 {
        let place = place.clone();
        replicas.spawn(async move { place.objects().await });
    }
    for (objects, said) in replicas.join_all().await.iter().zip(1..) {
        objects.update(&[(document("1"), advance(said))]).await.unwrap();
        assert_eq!(number(&objects.look_up(&[document("1")]).await.unwrap()[0]), said);
    }
}

pub(super) async fn the_migration_makes_the_table_of_the_default_name(place: Place) {
    place.sql(&format!(
        "CREATE SCHEMA s_{0}; SET search_path = s_{0}; {1}",
        place.table,
        PostgresObjects::SCHEMA
    ));
    let builder = place.builder().table(format!("s_{}.zookie_objects", place.table));
    builder.create_table(false).connect().await.unwrap();
}

/// One replica names the schema, the other one finds the table by the search path: they have to use one channel.
pub(super) async fn a_feed_follows_replicas_that_spell_the_table_otherwise(place: Place) {
    let qualified = place
        .builder()
        .table(format!("public.{}", place.table))
        .connect()
        .await
        .unwrap();
    let (follower, writer) = (place.objects().await, qualified);
    let mut feed = follower.follow(std::time::Duration::from_millis(200)).await.unwrap();
    let mut known = HashMap::new();
    read_until(&mut feed, &mut known, |known| known.is_empty()).await;
    tower_zookie::objects::ObjectTokens::update(&writer, &[(document("1"), advance(5))])
        .await
        .unwrap();
    read_until(&mut feed, &mut known, |known| known.len() == 1).await;
}
