//! Credentials and settings. How a client connects is tested with the store of objects' tokens.

use std::time::Duration;

use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::{Link, NatsLink, NatsLinkBuilder};
use tower_zookie_testing::nats::NatsServer;

use crate::snapshots::snapshot;
use crate::tools::{PATIENCE, append, clock, entries, open, read_all, whole};

pub(crate) async fn the_permissions_that_the_docs_name_are_enough() {
    let stream = "permissions";
    let server = NatsServer::with_settings(format!(
        r#"authorization {{ users: [{{ user: a, password: "s3cr3t", permissions: {{
            publish: ["{stream}.>", "$JS.>"], subscribe: ["{stream}.>", "_INBOX.>"] }} }}] }}"#
    ));
    let url = format!("nats://a:s3cr3t@127.0.0.1:{}", server.port());
    let settings = NatsLink::builder(&url).stream(stream).timeout(PATIENCE);
    assert!(!format!("{settings:?}").contains("s3cr3t"));
    let link = settings.connect().await.unwrap();
    assert!(!format!("{link:?}").contains("s3cr3t"));
    let mut opened = open(&link, "west", &VectorClock::default()).await;
    append(&link, &entries("west", 1..=5)).await.unwrap();
    link.report("west", &clock([("west", 5)])).await.unwrap();
    link.store_snapshot(&snapshot([("west", 3)], 10)).await.unwrap();
    opened.ends = clock([("west", 5)]);
    assert_eq!(read_all(&mut opened).await.len(), 5);
}

/// What connecting is refused with. It has no secret.
async fn refused(settings: NatsLinkBuilder) -> String {
    let shown = format!("{settings:?}");
    let error = settings.connect().await.unwrap_err();
    for text in [whole(&error), format!("{error:?}"), shown] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    whole(&error)
}

pub(crate) async fn rule_17_settings_that_make_no_sense_are_named() {
    let settings = || NatsLink::builder("nats://127.0.0.1:1").connect_timeout(Duration::from_secs(2));
    for (named, settings) in [
        ("url", NatsLink::builder("http://u:s3cr3t@host")),
        ("stream", settings().stream("")),
        ("stream", settings().stream("a.b")),
        ("replicas", settings().replicas(0)),
        ("timeout", settings().timeout(Duration::ZERO)),
        ("connect_timeout", settings().connect_timeout(Duration::ZERO)),
        ("ca_file", settings().ca_file("/no/such/file")),
        // No server is there.
        ("url", settings()),
    ] {
        let error = refused(settings).await;
        assert!(error.contains(&format!("`{named}`")), "{error}");
    }
}
