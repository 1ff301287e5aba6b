//! Buckets that are there already.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, Source, StorageType};
use tower_zookie::objects::ObjectTokens;
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::objects::{advance, document, number};

use crate::tools::{PATIENCE, look_up, open, raw, read_all, settings, update, whole};

type Change = fn(Config) -> Config;

fn config(bucket: &str) -> Config {
    Config {
        name: format!("KV_{bucket}"),
        subjects: vec![format!("$KV.{bucket}.>")],
        max_messages_per_subject: 1,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        ..Config::default()
    }
}

pub(crate) async fn a_bucket_that_is_there_is_used() {
    let server = NatsServer::start();
    let raw = raw(&server).await;
    let own = Config {
        max_bytes: 10 << 20,
        ..config("own")
    };
    raw.create_stream(own).await.unwrap();
    let objects = settings(&server).bucket("own").replicas(3).connect().await.unwrap();
    update(&objects, &document("1"), advance(5)).await;
    assert_eq!(number(&look_up(&objects, &document("1")).await), 5);
    // The one that the store creates itself can be opened again, and is apart.
    let (first, second) = (open(&server).await, open(&server).await);
    update(&first, &document("1"), advance(7)).await;
    assert_eq!(number(&look_up(&second, &document("1")).await), 7);
    assert_eq!(number(&look_up(&objects, &document("1")).await), 5);
}

pub(crate) async fn rule_17_a_bucket_that_loses_entries_is_refused() {
    let server = NatsServer::start();
    let raw = raw(&server).await;
    raw.create_stream(config("origin")).await.unwrap();
    let changes: [(&str, Change); 5] = [
        ("allow_direct", |config| Config {
            allow_direct: true,
            ..config
        }),
        ("max_age", |config| Config {
            max_age: Duration::from_secs(3600),
            ..config
        }),
        ("discard policy", |config| Config {
            max_bytes: 10 << 20,
            discard: DiscardPolicy::Old,
            ..config
        }),
        ("memory", |config| Config {
            storage: StorageType::Memory,
            ..config
        }),
        ("mirror", |config| Config {
            subjects: Vec::new(),
            mirror: Some(Source {
                name: "KV_origin".into(),
                ..Source::default()
            }),
            ..config
        }),
    ];
    for (index, (named, change)) in changes.into_iter().enumerate() {
        let bucket = format!("wrong-{index}");
        raw.create_stream(change(config(&bucket))).await.unwrap();
        let error = settings(&server)
            .bucket(&bucket)
            .connect()
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(named) && error.contains(&bucket), "{error}");
    }
}

pub(crate) async fn a_bucket_that_is_not_there_is_an_error_without_create_bucket() {
    let server = NatsServer::start();
    let error = settings(&server)
        .bucket("none")
        .create_bucket(false)
        .connect()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("`none`") && error.contains("`create_bucket`"), "{error}");
    let error = settings(&server).replicas(3).connect().await.unwrap_err();
    assert!(whole(&error).contains("`replicas`"), "{}", whole(&error));
}

/// An administrator deletes the bucket, and a replica that starts creates it again.
pub(crate) async fn rule_17_another_bucket_in_its_place_is_reported() {
    let server = NatsServer::start();
    let objects = settings(&server)
        .timeout(Duration::from_secs(10))
        .connect()
        .await
        .unwrap();
    for id in 0..10 {
        update(&objects, &document(id.to_string()), advance(5)).await;
    }
    let mut feed = objects.follow(Duration::from_millis(100)).await.unwrap();
    assert_eq!(read_all(&mut *feed).await.len(), 10);
    raw(&server).await.delete_stream("KV_zookie_objects").await.unwrap();
    assert!(objects.look_up(&[document("1")]).await.is_err());
    let _other = open(&server).await;
    let error = loop {
        if let Err(error) = tokio::time::timeout(PATIENCE, feed.next()).await.unwrap() {
            break whole(&error);
        }
    };
    assert!(error.contains("NATS"), "{error}");
    assert_eq!(
        read_all(&mut *objects.follow(Duration::from_millis(100)).await.unwrap()).await,
        []
    );
}
