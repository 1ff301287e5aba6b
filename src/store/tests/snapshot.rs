use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::error::{ReadError, RevisionError};
use crate::store::filter::Filter;
use crate::store::relationship::Relationship;
use crate::store::snapshot::{ReadMode, SnapshotReader};
use crate::store::tests::{store, touch};
use crate::token::RevisionToken;

const ALICE: &str = "doc:plan#reader@user:alice";
const BOB: &str = "doc:plan#reader@user:bob";

fn plan() -> Filter {
    Filter::of_type("doc").id("plan").relation("reader")
}

fn subjects(found: &[Relationship]) -> Vec<String> {
    found
        .iter()
        .map(|relationship| relationship.subject().to_string())
        .collect()
}

#[tokio::test]
async fn a_read_at_a_token_sees_that_snapshot() {
    let store = Arc::new(store());
    let reader = SnapshotReader::new(store.clone());
    assert_eq!(reader.current_token().revision, 1);
    store.write(touch(&[ALICE])).unwrap();
    let token = reader.current_token();
    store.write(touch(&[BOB])).unwrap();
    assert_eq!(
        subjects(&reader.read_at_token(&plan(), &token).await.unwrap()),
        ["user:alice"]
    );
    let both = ["user:alice", "user:bob"];
    assert_eq!(subjects(&reader.read_at_least(&plan(), &token).await.unwrap()), both);
    assert_eq!(subjects(&reader.read_current(&plan()).unwrap()), both);
    let (doc, bob) = ("doc:plan".parse().unwrap(), "user:bob".parse().unwrap());
    let exact = reader.check(&doc, "view", &bob, &token, ReadMode::Exact).await;
    assert_eq!(exact, Ok((false, reader.token(2))));
    let at_least = reader.check(&doc, "view", &bob, &token, ReadMode::AtLeast).await;
    assert_eq!(at_least, Ok((true, reader.token(3))));
    store.garbage_collect(3);
    let expired = RevisionError::SnapshotExpired {
        node: store.node_id().to_owned(),
        requested: 2,
        oldest: 3,
    };
    assert_eq!(reader.read_at_token(&plan(), &token).await, Err(expired.into()));
    assert_eq!(subjects(&reader.read_at_least(&plan(), &token).await.unwrap()), both);
}

#[tokio::test(start_paused = true)]
async fn a_read_at_an_unreached_token_times_out() {
    let store = Arc::new(store());
    let reader = SnapshotReader::with_timeout(store.clone(), Duration::from_millis(100));
    let read = reader.read_at_token(&plan(), &reader.token(999)).await;
    let Err(ReadError::Timeout { behind, waited }) = read else {
        panic!("{read:?}")
    };
    assert_eq!(waited, Duration::from_millis(100));
    let [behind] = behind.nodes() else { panic!("{behind}") };
    assert_eq!(
        (&*behind.node, behind.requested, behind.reached),
        (store.node_id(), 999, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_waiting_read_wakes_with_its_write() {
    let store = Arc::new(store());
    let reader = SnapshotReader::new(store.clone());
    let began = Instant::now();
    let waiting = tokio::spawn({
        let reader = reader.clone();
        async move { reader.read_at_token(&plan(), &reader.token(3)).await }
    });
    tokio::task::yield_now().await;
    store.write(touch(&[ALICE])).unwrap();
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    store.write(touch(&[BOB])).unwrap();
    assert_eq!(subjects(&waiting.await.unwrap().unwrap()).len(), 2);
    // No timer fired: a paused clock advances only while a task waits for a timer.
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_token_from_the_far_future_is_rejected_at_once() {
    let store = Arc::new(store());
    let reader = SnapshotReader::new(store.clone()).max_lead(10);
    let began = Instant::now();
    for revision in [12, u64::MAX] {
        let rejected = reader.read_at_token(&plan(), &reader.token(revision)).await;
        assert!(matches!(rejected, Err(ReadError::TooFarAhead { max_lead: 10, .. })));
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    let within = reader.wait_for(&reader.token(11), ReadMode::AtLeast).await;
    assert!(matches!(within, Err(ReadError::Timeout { .. })));
}

#[tokio::test(start_paused = true)]
async fn waiters_are_capped() {
    let store = Arc::new(store());
    let reader = SnapshotReader::new(store.clone()).max_waiters(1);
    let (one, two) = (reader.token(1), reader.token(2));
    let (first, second, satisfied) = tokio::join!(
        reader.wait_for(&two, ReadMode::Exact),
        reader.wait_for(&two, ReadMode::Exact),
        reader.wait_for(&one, ReadMode::Exact),
    );
    assert!(matches!(first, Err(ReadError::Timeout { .. })));
    assert_eq!(second, Err(ReadError::TooManyWaiters { max: 1 }));
    assert_eq!(satisfied.unwrap().get(store.node_id()), 1);
    // A cancelled waiter frees its place.
    let ended = reader.wait_for(&reader.token(2), ReadMode::Exact).await;
    assert!(matches!(ended, Err(ReadError::Timeout { .. })));
}

#[tokio::test]
async fn a_store_rejects_another_stores_tokens() {
    let (one, two) = (Arc::new(store()), Arc::new(store()));
    one.write(touch(&[ALICE])).unwrap();
    two.write(touch(&[BOB])).unwrap();
    let (of_one, of_two) = (SnapshotReader::new(one), SnapshotReader::new(two));
    let token = of_one.current_token();
    assert_eq!(
        subjects(&of_one.read_at_token(&plan(), &token).await.unwrap()),
        ["user:alice"]
    );
    assert_eq!(subjects(&of_two.read_current(&plan()).unwrap()), ["user:bob"]);
    assert_eq!(of_two.read_at_token(&plan(), &token).await, Err(ReadError::Foreign));
    assert_eq!(of_two.read_at_least(&plan(), &token).await, Err(ReadError::Foreign));
}

#[tokio::test]
async fn tokens_are_validated() {
    let store = Arc::new(store());
    let reader = SnapshotReader::new(store.clone());
    let own = reader.current_token();
    let read = async |token: RevisionToken| reader.wait_for(&token, ReadMode::Exact).await;
    let malformed = |result| matches!(result, Err(ReadError::Malformed(_)));
    assert!(malformed(read(RevisionToken::new("", 1)).await));
    assert!(malformed(read(reader.token(0)).await));
    let vector_clock = BTreeMap::new();
    assert!(malformed(
        read(RevisionToken {
            vector_clock,
            ..own.clone()
        })
        .await
    ));
    assert!(malformed(
        read(RevisionToken {
            revision: 2,
            ..own.clone()
        })
        .await
    ));
    let mut merged = own.clone();
    merged.vector_clock.insert("elsewhere".into(), 0);
    assert_eq!(read(merged.clone()).await.unwrap().get(store.node_id()), 1);
    merged.vector_clock.insert("elsewhere".into(), 1);
    assert_eq!(read(merged).await, Err(ReadError::Foreign));
}
