//! Look-ups and updates.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower_zookie::objects::{ObjectKey, Record, Update};
use tower_zookie::protocol::Object;
use tower_zookie::revision::PostgresSnapshot;

use crate::objects::{
    KEEP, PATIENCE, Replicas, advance, document, look_up, number, opaque, snapshot, snapshots, unsettle, update,
};

pub(super) async fn absent_objects_have_empty_records(replicas: Arc<dyn Replicas>) {
    let objects = replicas.open().await;
    assert_eq!(objects.look_up(&[]).await.unwrap(), []);
    assert_eq!(look_up(&objects, &document("1")).await, Record::default());
    update(&objects, &document("1"), advance(5)).await;
    let keys = [document("2"), ObjectKey::store(), ObjectKey::everything()];
    assert_eq!(objects.look_up(&keys).await.unwrap(), vec![Record::default(); 3]);
    objects.update(&[]).await.unwrap();
}

pub(super) async fn records_come_in_the_order_of_the_keys(replicas: Arc<dyn Replicas>) {
    let objects = replicas.open().await;
    let id = |number: u64| document(number.to_string());
    let updates: Vec<_> = (1..=100).map(|each| (id(each), advance(each))).collect();
    objects.update(&updates).await.unwrap();
    // 7 and 211 have no common divisor, so each number below 211 is there once. Those above 100 have no record.
    let asked: Vec<u64> = (0..211).map(|step| step * 7 % 211).collect();
    let keys: Vec<_> = asked.iter().map(|number| id(*number)).collect();
    let records = objects.look_up(&keys).await.unwrap();
    let found: Vec<u64> = records.iter().map(number).collect();
    let expected: Vec<u64> = asked
        .into_iter()
        .map(|number| if number > 100 { 0 } else { number })
        .collect();
    assert_eq!(found, expected);
}

pub(super) async fn tokens_are_joined_and_never_go_back(replicas: Arc<dyn Replicas>) {
    let objects = replicas.open().await;
    let key = document("1");
    for (said, then) in [(5, 5), (7, 7), (3, 7), (7, 7), (10, 10), (9, 10)] {
        update(&objects, &key, advance(said)).await;
        let record = look_up(&objects, &key).await;
        assert_eq!((number(&record), record.unsettled), (then, None));
    }
    let format = snapshots();
    let (even, odd) = (snapshot(10, 14, [10, 12]), snapshot(10, 14, [11, 13]));
    for revision in [even, odd] {
        let joined = Update::new(format.clone(), KEEP).advance(revision);
        update(&objects, &document("2"), joined).await;
    }
    let record = look_up(&objects, &document("2")).await;
    let both = format.encode(&snapshot(14, 14, [])).unwrap();
    assert_eq!(record.tokens, [both]);
}

pub(super) async fn another_replica_sees_an_update_at_once(replicas: Arc<dyn Replicas>) {
    let (one, other) = (replicas.open().await, replicas.open().await);
    for step in 1..=50 {
        let (writer, reader) = if step % 2 == 0 { (&one, &other) } else { (&other, &one) };
        update(writer, &document("1"), advance(step)).await;
        assert_eq!(number(&look_up(reader, &document("1")).await), step);
    }
}

const WRITERS: u64 = 4;
const EACH: u64 = 25;

pub(super) async fn concurrent_updates_of_counters_lose_nothing(replicas: Arc<dyn Replicas>) {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let objects = replicas.open().await;
        writers.spawn(async move {
            for step in 0..EACH {
                let said = step * WRITERS + writer + 1;
                // Different orders, which would deadlock in a store that locks records in the order of the updates.
                let mut updates: Vec<_> = (0..4).map(|id| (document(format!("{id}")), advance(said))).collect();
                updates.rotate_left((writer % 4) as usize);
                updates.truncate(3);
                objects.update(&updates).await.unwrap();
                for (key, _) in &updates {
                    assert!(number(&look_up(&objects, key).await) >= said);
                }
            }
        });
    }
    writers.join_all().await;
    let objects = replicas.open().await;
    let mut last = HashMap::new();
    for writer in 0..WRITERS {
        let said = (EACH - 1) * WRITERS + writer + 1;
        for id in (0..3).map(|step| (step + writer) % 4) {
            let greatest: &mut u64 = last.entry(id).or_default();
            *greatest = said.max(*greatest);
        }
    }
    for (id, said) in last {
        assert_eq!(number(&look_up(&objects, &document(format!("{id}"))).await), said);
    }
}

pub(super) async fn concurrent_updates_of_snapshots_lose_nothing(replicas: Arc<dyn Replicas>) {
    let all = WRITERS * EACH;
    // Each write sees its own transaction only, so that one lost update is seen in the end.
    let sees_only = move |id: u64| snapshot(1000, 1000 + all, (1000..1000 + all).filter(move |other| *other != id));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let objects = replicas.open().await;
        writers.spawn(async move {
            for step in 0..EACH {
                let update = Update::new(snapshots(), KEEP).advance(sees_only(1000 + step * WRITERS + writer));
                let mut updates = ["a", "b", "c"].map(|id| (document(id), update.clone()));
                updates.rotate_left((writer % 3) as usize);
                objects.update(&updates).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let objects = replicas.open().await;
    for id in ["a", "b", "c"] {
        let record = look_up(&objects, &document(id)).await;
        let [token] = &*record.tokens else { panic!("{record:?}") };
        let revision = snapshots().decode(token.as_str()).unwrap();
        let expected = PostgresSnapshot::new(1000 + all, 1000 + all, []).unwrap();
        assert_eq!(revision.point(), Some(&expected));
        assert_eq!(record.unsettled, None);
    }
}

pub(super) async fn tokens_without_a_join_stand_side_by_side(replicas: Arc<dyn Replicas>) {
    let (one, other) = (replicas.open().await, replicas.open().await);
    let key = document("1");
    // Every character that tokens may have.
    let texts = ["one", "A-Za-z0-9+/=_.:~", "~:._=/+9-0z-aZ-A", "NULL"];
    for text in texts {
        update(&one, &key, opaque(text)).await;
        update(&other, &key, opaque(text)).await;
    }
    let record = look_up(&other, &key).await;
    let mut found: Vec<_> = record.tokens.iter().map(|token| token.as_str()).collect();
    let mut expected: Vec<_> = texts.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(record.unsettled, None);
}

pub(super) async fn too_many_tokens_leave_the_object_unsettled(replicas: Arc<dyn Replicas>) {
    let objects = replicas.open().await;
    for each in 1..=9 {
        update(&objects, &document("1"), opaque(&format!("token{each}"))).await;
        let record = look_up(&objects, &document("1")).await;
        assert_eq!(record.tokens.len(), each.min(8));
        assert_eq!(record.unsettled.is_some(), each == 9);
    }
}

pub(super) async fn tokens_of_another_store_leave_the_object_unsettled(replicas: Arc<dyn Replicas>) {
    let objects = replicas.open().await;
    update(&objects, &document("1"), opaque("not-a-number")).await;
    update(&objects, &document("1"), advance(5)).await;
    let record = look_up(&objects, &document("1")).await;
    assert_eq!(number(&record), 5);
    assert!(record.unsettled.is_some_and(|left| left > KEEP - PATIENCE));
}

pub(super) async fn unsettled_marks_end(replicas: Arc<dyn Replicas>) {
    let (one, other) = (replicas.open().await, replicas.open().await);
    let key = document("1");
    update(&one, &key, advance(5)).await;
    let marked = Instant::now();
    let mark = Duration::from_secs(1);
    update(&one, &key, unsettle(mark)).await;
    for objects in [&other, &one] {
        loop {
            let record = look_up(objects, &key).await;
            assert_eq!(number(&record), 5);
            if record.unsettled.is_none() {
                break;
            }
            assert!(marked.elapsed() < PATIENCE, "the mark does not end: {record:?}");
            sleep(Duration::from_millis(50)).await;
        }
        assert!(marked.elapsed() >= mark, "the mark ended early");
    }
}

pub(super) async fn an_unsettled_mark_is_never_shortened(replicas: Arc<dyn Replicas>) {
    let (one, other) = (replicas.open().await, replicas.open().await);
    let key = document("1");
    let hour = Duration::from_secs(3600);
    update(&one, &key, unsettle(hour)).await;
    let later: [Update; 3] = [unsettle(Duration::from_millis(1)), advance(5), advance(6)];
    for (objects, later) in [&other, &one, &other].into_iter().zip(later) {
        update(objects, &key, later).await;
        let left = look_up(&one, &key).await.unsettled.unwrap();
        assert!(left > hour - PATIENCE && left < hour + PATIENCE, "{left:?}");
    }
    assert_eq!(number(&look_up(&one, &key).await), 6);
}

pub(super) async fn ids_of_any_bytes_and_any_length_are_kept_apart(replicas: Arc<dyn Replicas>) {
    let objects = replicas.open().await;
    let mut ids: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    ids.extend((0..=255).map(|byte| vec![byte; 1024]));
    ids.extend(["", "a.b", "a%2Eb", "a=2Eb", "a >", "'; drop table x; --", "ä€"].map(Into::into));
    ids.push((0..1024).map(|step| (step * 7 % 256) as u8).collect());
    let mut keys: Vec<_> = ids.iter().map(document).collect();
    keys.push(ObjectKey::of(&Object::all_of(b"document".as_slice())));
    keys.push(ObjectKey::of(
        &Object::new(b"document".as_slice(), b"".as_slice()).in_tenant(b"t\0"),
    ));
    keys.extend([ObjectKey::store(), ObjectKey::everything()]);
    let updates: Vec<_> = keys.iter().cloned().zip((1..).map(advance)).collect();
    objects.update(&updates).await.unwrap();
    let records = objects.look_up(&keys).await.unwrap();
    for (record, expected) in records.iter().zip(1..) {
        assert_eq!(number(record), expected);
    }
    assert_eq!(records.len(), updates.len());
}

pub(super) async fn long_tokens_are_kept_whole(replicas: Arc<dyn Replicas>) {
    let objects = replicas.open().await;
    let revision = snapshot(1, 6000, (1..5999).step_by(2));
    let token = snapshots().encode(&revision).unwrap();
    assert!(token.as_str().len() > 10_000);
    let updates = ["1", "2"].map(|id| (document(id), Update::new(snapshots(), KEEP).advance(revision.clone())));
    objects.update(&updates).await.unwrap();
    assert_eq!(look_up(&objects, &document("2")).await.tokens, [token]);
}

pub(super) async fn many_objects_are_updated_at_once(replicas: Arc<dyn Replicas>) {
    let objects = replicas.open().await;
    let keys: Vec<_> = (0..2000).map(|id| document(format!("{id}"))).collect();
    for said in [1, 2] {
        let updates: Vec<_> = keys.iter().map(|key| (key.clone(), advance(said))).collect();
        objects.update(&updates).await.unwrap();
        let records = objects.look_up(&keys).await.unwrap();
        assert_eq!(records.len(), 2000);
        assert!(records.iter().all(|record| number(record) == said));
    }
}
