use std::time::Duration;

use crate::store::builder::StoreBuilder;
use crate::store::embedded::Store;
use crate::store::error::RevisionError;
use crate::store::schema::Schema;
use crate::store::tests::{SCHEMA, check, delete, readers, store, touch, try_check};

const ALICE: &str = "doc:plan#reader@user:alice";
const BOB: &str = "doc:plan#reader@user:bob";

#[test]
fn garbage_collection_leaves_later_revisions_unharmed() {
    let store = store();
    store.write(touch(&[ALICE])).unwrap();
    store.write(delete(&[ALICE])).unwrap();
    store.write(touch(&[ALICE, BOB])).unwrap();
    store.write(delete(&[ALICE])).unwrap();
    let before: Vec<_> = (3..=5).map(|revision| readers(&store, revision)).collect();
    store.garbage_collect(3);
    assert_eq!(store.oldest_revision(), 3);
    let expired = RevisionError::SnapshotExpired {
        node: store.node_id().to_owned(),
        requested: 2,
        oldest: 3,
    };
    assert_eq!(store.ensure_readable(2), Err(expired.clone()));
    assert_eq!(try_check(&store, "doc:plan#view@user:alice", 2), Err(expired.into()));
    let after: Vec<_> = (3..=5).map(|revision| readers(&store, revision)).collect();
    assert_eq!(before, after);
    // A smaller revision, and one beyond the head, change nothing.
    store.garbage_collect(1);
    assert_eq!(store.oldest_revision(), 3);
    store.garbage_collect(u64::MAX);
    assert_eq!(store.oldest_revision(), 5);
    assert_eq!(readers(&store, 5), ["user:bob"]);
}

#[test]
fn unused_objects_are_forgotten() {
    let store = store();
    for round in 0..50 {
        let text = format!("doc:d{round}#reader@team:t{round}#member");
        store.write(touch(&[&text])).unwrap();
        store.write(delete(&[&text])).unwrap();
    }
    store.write(touch(&[ALICE])).unwrap();
    store.garbage_collect(u64::MAX);
    assert_eq!(store.reading().objects.len(), 2);
    assert!(check(&store, "doc:plan#view@user:alice"));
    store.write(touch(&["doc:d1#reader@user:bob"])).unwrap();
    assert!(check(&store, "doc:d1#view@user:bob"));
    assert!(!check(&store, "doc:d1#view@user:alice"));
}

#[test]
fn a_relationship_that_comes_and_goes_does_not_pile_up() {
    let store = Store::builder()
        .max_revisions(4)
        .build(Schema::parse(SCHEMA).unwrap())
        .unwrap();
    for _ in 0..100 {
        store.write(touch(&[ALICE])).unwrap();
        store.write(delete(&[ALICE])).unwrap();
    }
    assert_eq!(store.reading().objects.versions(), 4);
}

#[test]
fn the_number_of_revisions_stays_bounded() {
    let schema = Schema::parse(SCHEMA).unwrap();
    let store = Store::builder().max_revisions(3).build(schema).unwrap();
    for _ in 0..10 {
        store.write(touch(&[ALICE])).unwrap();
    }
    assert_eq!((store.oldest_revision(), store.current_revision()), (9, 11));
    let one = Store::builder()
        .max_revisions(1)
        .build(Schema::parse(SCHEMA).unwrap())
        .unwrap();
    one.write(touch(&[ALICE])).unwrap();
    assert_eq!((one.oldest_revision(), one.current_revision()), (2, 2));
    assert!(check(&one, "doc:plan#view@user:alice"));
}

#[test]
fn limits_of_0_are_rejected() {
    type Set = fn(StoreBuilder) -> StoreBuilder;
    let wrong: [(Set, &str); 3] = [
        (|store| store.max_revisions(0), "max_revisions"),
        (|store| store.max_check_steps(0), "max_check_steps"),
        (|store| store.max_updates(0), "max_updates"),
    ];
    for (set, name) in wrong {
        let error = set(Store::builder()).build(Schema::parse(SCHEMA).unwrap()).unwrap_err();
        assert_eq!(error.setting(), name);
    }
}

#[tokio::test(start_paused = true)]
async fn writes_drop_revisions_older_than_the_window() {
    let schema = Schema::parse(SCHEMA).unwrap();
    let store = Store::builder()
        .gc_window(Duration::from_secs(60))
        .build(schema)
        .unwrap();
    store.write(touch(&[ALICE])).unwrap();
    tokio::time::advance(Duration::from_secs(40)).await;
    store.write(touch(&[BOB])).unwrap();
    tokio::time::advance(Duration::from_secs(40)).await;
    // Revision 2 was the current one a minute ago.
    store.write(delete(&[ALICE])).unwrap();
    assert_eq!(store.oldest_revision(), 2);
    assert_eq!(readers(&store, 2), ["user:alice"]);
    tokio::time::advance(Duration::from_secs(120)).await;
    store.write(delete(&[BOB])).unwrap();
    assert_eq!(store.oldest_revision(), 4);
}

#[tokio::test(start_paused = true)]
async fn quantized_reads_take_the_head_at_the_start_of_the_window() {
    let store = store();
    let window = Duration::from_secs(5);
    assert_eq!(store.quantized_revision(window), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    store.write([]).unwrap();
    assert_eq!(store.quantized_revision(window), 1);
    assert_eq!(store.quantized_revision(Duration::ZERO), 2);
    assert_eq!(store.quantized_revision(Duration::MAX), 1);
    tokio::time::advance(Duration::from_secs(4)).await;
    assert_eq!(store.quantized_revision(window), 2);
    store.write([]).unwrap();
    store.write([]).unwrap();
    // A commit exactly at the start of the window is in the window.
    assert_eq!(store.quantized_revision(window), 4);
    tokio::time::advance(Duration::from_millis(4_999)).await;
    store.write([]).unwrap();
    assert_eq!(store.quantized_revision(window), 4);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(store.quantized_revision(window), 5);
}
