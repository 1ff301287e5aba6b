//! Entries that the store did not write.

use std::time::Duration;

use async_nats::HeaderMap;
use tower_zookie::objects::{ObjectTokens, Record};
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::objects::{KEEP, advance, document, number};

use crate::tools::{PATIENCE, look_up, open, put, raw, read_all, update, whole};

pub(crate) async fn rule_09_unreadable_entries_lead_to_strict_reads() {
    let server = NatsServer::start();
    let (objects, raw) = (open(&server).await, raw(&server).await);
    update(&objects, &document("good"), advance(5)).await;
    for junk in [
        "junk",
        "",
        "{}",
        r#"{"v":2,"tokens":["5"]}"#,
        r#"{"v":1,"tokens":["a token"]}"#,
        r#"{"v":1,"tokens":["5"],"since":99999999,"unsettled_ms":1}"#,
    ] {
        let sequence = put(&raw, "document.bad", junk).await;
        let error = objects.look_up(&[document("good"), document("bad")]).await.unwrap_err();
        assert!(
            whole(&error).contains(&format!("message {sequence} ")),
            "{}",
            whole(&error)
        );
        assert_eq!(number(&look_up(&objects, &document("good")).await), 5);
        let mut feed = objects.follow(Duration::from_millis(100)).await.unwrap();
        let all = read_all(&mut *feed).await;
        let (_, record) = all.iter().find(|(key, _)| *key == document("bad")).unwrap();
        assert!(record.tokens.is_empty() && record.unsettled > Some(KEEP));
        update(&objects, &document("bad"), advance(7)).await;
        let record = look_up(&objects, &document("bad")).await;
        assert_eq!(number(&record), 7);
        assert!(
            record.unsettled.is_some_and(|left| left > KEEP - PATIENCE),
            "{record:?}"
        );
    }
}

pub(crate) async fn deleted_entries_are_empty() {
    let server = NatsServer::start();
    let (objects, raw) = (open(&server).await, raw(&server).await);
    let mut feed = objects.follow(Duration::from_millis(100)).await.unwrap();
    for operation in ["DEL", "PURGE"] {
        update(&objects, &document("1"), advance(5)).await;
        let mut headers = HeaderMap::new();
        headers.insert("KV-Operation", operation);
        let deleted = raw
            .publish_with_headers("$KV.zookie_objects.document.1", headers, "".into())
            .await
            .unwrap();
        deleted.await.unwrap();
        assert_eq!(look_up(&objects, &document("1")).await, Record::default());
        let last = read_all(&mut *feed).await.pop().unwrap();
        assert_eq!(last, (document("1"), Record::default()));
    }
    // Other stores' clients write this header with each value.
    let mut headers = HeaderMap::new();
    headers.insert("KV-Operation", "PUT");
    let value = r#"{"v":1,"tokens":["3"]}"#;
    raw.publish_with_headers("$KV.zookie_objects.document.1", headers, value.into())
        .await
        .unwrap()
        .await
        .unwrap();
    assert_eq!(number(&look_up(&objects, &document("1")).await), 3);
    update(&objects, &document("1"), advance(4)).await;
    assert_eq!(number(&look_up(&objects, &document("1")).await), 4);
}

pub(crate) async fn foreign_keys_are_ignored() {
    let server = NatsServer::start();
    let (objects, raw) = (open(&server).await, raw(&server).await);
    for key in ["a:b", "ä.1", "~beat.other", "~other", "x~"] {
        put(&raw, key, "junk").await;
    }
    update(&objects, &document("1"), advance(5)).await;
    let mut feed = objects.follow(Duration::from_millis(100)).await.unwrap();
    let all = read_all(&mut *feed).await;
    assert_eq!(
        all.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(),
        [document("1")]
    );
}
