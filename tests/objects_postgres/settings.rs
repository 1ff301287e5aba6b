//! Settings that make no sense, and passwords.

use std::time::Duration;

use tower_zookie::objects::{PostgresObjects, PostgresObjectsBuilder};

use crate::{Place, chain};

const SECRET: &str = "s3cret";

async fn refused(builder: PostgresObjectsBuilder) -> String {
    let shown = format!("{builder:?}");
    let error = builder.connect().await.unwrap_err();
    let texts = format!("{shown} {error:?} {}", chain(&error));
    assert!(!texts.contains(SECRET), "{texts}");
    chain(&error)
}

pub(super) async fn a_setting_that_makes_no_sense_is_named(place: Place) {
    let zero = Duration::ZERO;
    let long = Duration::from_secs(100);
    for (builder, setting) in [
        (place.builder().table("a;b"), "table"),
        (place.builder().table(""), "table"),
        (place.builder().max_connections(0), "max_connections"),
        (place.builder().max_connections(1001), "max_connections"),
        (place.builder().timeout(zero), "timeout"),
        (place.builder().timeout(long), "timeout"),
        (place.builder().connect_timeout(zero), "connect_timeout"),
        (place.builder().connect_timeout(long), "connect_timeout"),
        (place.builder().ca_file("/nowhere/ca.pem"), "ca_file"),
        (place.builder().ca_file("/dev/null"), "ca_file"),
    ] {
        let error = refused(builder).await;
        assert!(error.starts_with(&format!("{setting}: ")), "{error}");
    }
}

pub(super) async fn a_url_that_makes_no_sense_never_shows_its_password(_: Place) {
    for rest in [
        "host:port/db",
        "host/db?sslmode=maybe",
        "host/db?unknown=1",
        "host/db?connect_timeout=x",
        "[::1/db",
    ] {
        let error = refused(PostgresObjects::builder(format!("postgres://user:{SECRET}@{rest}"))).await;
        assert!(error.starts_with("url: "), "{error}");
    }
    for url in [
        "",
        "host",
        "mysql://host/db",
        "password=s3cret host=x",
        "postgres://user:a@b?s3cret=1@host/db",
        "postgres//user:s3cret@x",
    ] {
        let error = refused(PostgresObjects::builder(url)).await;
        assert!(error.starts_with("url: "), "{error}");
    }
}

pub(super) async fn a_server_that_is_not_there_is_an_error_without_password(_: Place) {
    let url = format!("postgres://user:{SECRET}@127.0.0.1:1/db");
    let error = refused(PostgresObjects::builder(url)).await;
    assert!(error.starts_with("PostgreSQL: can't connect"), "{error}");
}

pub(super) async fn a_connected_store_shows_no_password(place: Place) {
    let url = place.server.url().replace("postgres@", &format!("postgres:{SECRET}@"));
    let objects = PostgresObjects::builder(url)
        .table(&place.table)
        .create_table(true)
        .connect()
        .await
        .unwrap();
    let shown = format!("{objects:?}");
    assert!(shown.contains(&place.table) && !shown.contains(SECRET), "{shown}");
}

pub(super) async fn a_unix_socket_is_reached_too(place: Place) {
    let builder = PostgresObjects::builder(place.server.socket_url());
    builder.table(&place.table).create_table(true).connect().await.unwrap();
}

/// A replica would answer with what it has received so far.
pub(super) async fn a_read_only_server_is_refused(place: Place) {
    place.create();
    let url = format!("{}?options=-c%20default_transaction_read_only%3Don", place.server.url());
    let error = refused(PostgresObjects::builder(url).table(&place.table)).await;
    assert!(
        error.contains("read-only") || error.contains("does not allow writes"),
        "{error}"
    );
}
