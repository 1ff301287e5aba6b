use std::sync::Arc;

use crate::store::embedded::Store;
use crate::store::error::WatchError;
use crate::store::schema::Schema;
use crate::store::tests::{SCHEMA, delete, store, touch};

const ALICE: &str = "doc:plan#reader@user:alice";

#[tokio::test]
async fn past_changes_come_first_then_new_ones() {
    let store = store();
    store.write(touch(&[ALICE])).unwrap();
    let mut changes = store.watch(1);
    let first = changes.next().await.unwrap().unwrap();
    assert_eq!((first.revision(), first.updates()), (2, &touch(&[ALICE])[..]));
    let (second, written) = tokio::join!(changes.next(), async {
        tokio::task::yield_now().await;
        store.write(delete(&[ALICE]))
    });
    let second = second.unwrap().unwrap();
    assert_eq!((second.revision(), written), (3, Ok(3)));
    assert_eq!(second.updates(), delete(&[ALICE]));
    let schema = Schema::parse(SCHEMA).unwrap();
    store.write_schema(schema).unwrap();
    let third = changes.next().await.unwrap().unwrap();
    assert!(third.wrote_schema() && third.updates().is_empty());
    assert!(!second.wrote_schema());
}

#[tokio::test]
async fn the_stream_ends_with_the_store() {
    let store = store();
    store.write(touch(&[ALICE])).unwrap();
    let mut changes = store.watch(1);
    drop(store);
    assert_eq!(changes.next().await.unwrap().unwrap().revision(), 2);
    assert!(changes.next().await.is_none());
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn lost_changes_are_an_error() {
    let store = store();
    for _ in 0..5 {
        store.write(touch(&[ALICE])).unwrap();
    }
    let mut slow = store.watch(2);
    assert_eq!(slow.next().await.unwrap().unwrap().revision(), 3);
    store.garbage_collect(5);
    let lagged = WatchError::Lagged { after: 3, oldest: 5 };
    assert_eq!(slow.next().await, Some(Err(lagged)));
    assert_eq!(slow.next().await, None);
    let lagged = WatchError::Lagged { after: 1, oldest: 5 };
    assert_eq!(store.watch(1).next().await, Some(Err(lagged)));
    assert_eq!(store.watch(5).next().await.unwrap().unwrap().revision(), 6);
    let ahead = WatchError::NotReached { after: 7, current: 6 };
    assert_eq!(store.watch(7).next().await, Some(Err(ahead)));
    assert!(store.watch(u64::MAX).next().await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_lose_and_repeat_nothing() {
    let store = Arc::new(Store::new(Schema::parse(SCHEMA).unwrap()));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let mut changes = store.watch(1);
            tokio::spawn(async move {
                for expected in 2..=801 {
                    assert_eq!(changes.next().await.unwrap().unwrap().revision(), expected);
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for i in 0..200 {
                    store
                        .write(touch(&[&format!("doc:{writer}#reader@user:u{i}")]))
                        .unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in writers.into_iter().chain(readers) {
        task.await.unwrap();
    }
}
