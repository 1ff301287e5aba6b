//! What every store of objects' tokens has to do, as tests for any of them.
//!
//! A store implements [`Replicas`], and runs [`cases`] with a new, empty store for each.

mod feed;
mod records;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tower_zookie::objects::{ObjectKey, ObjectTokens, Record, Update};
use tower_zookie::protocol::Object;
use tower_zookie::revision::{Counter, Opaque, PostgresSnapshot, Revision, StoreId};
use tower_zookie::token::spicedb::{Engine, ZedTokens};
use tower_zookie::token::{CounterTokens, OpaqueTokens, TokenFormat};

/// How long records are kept in these tests: longer than any of them takes.
pub const KEEP: Duration = Duration::from_secs(600);

/// Longer than any wait that ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// One store, which several replicas share.
pub trait Replicas: Send + Sync {
    /// Opens the store as one more replica does: with connections of its own.
    fn open(&self) -> Pin<Box<dyn Future<Output = Arc<dyn ObjectTokens>> + Send + '_>>;
}

type Test = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A test that needs a new, empty store.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub name: &'static str,
    pub run: fn(Arc<dyn Replicas>) -> Test,
}

macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        vec![$(Case { name: stringify!($name), run: |replicas| Box::pin($module::$name(replicas)) }),*]
    };
}

/// All tests.
pub fn cases() -> Vec<Case> {
    cases![
        records::absent_objects_have_empty_records,
        records::records_come_in_the_order_of_the_keys,
        records::tokens_are_joined_and_never_go_back,
        records::another_replica_sees_an_update_at_once,
        records::concurrent_updates_of_counters_lose_nothing,
        records::concurrent_updates_of_snapshots_lose_nothing,
        records::tokens_without_a_join_stand_side_by_side,
        records::too_many_tokens_leave_the_object_unsettled,
        records::tokens_of_another_store_leave_the_object_unsettled,
        records::unsettled_marks_end,
        records::an_unsettled_mark_is_never_shortened,
        records::ids_of_any_bytes_and_any_length_are_kept_apart,
        records::long_tokens_are_kept_whole,
        records::many_objects_are_updated_at_once,
        feed::a_feed_begins_with_everything,
        feed::a_feed_is_complete_to_the_instant_that_it_names,
        feed::a_quiet_feed_says_how_far_it_is_complete,
        feed::a_feed_reports_unsettled_marks,
    ]
}

/// The key of the document with this id.
pub fn document(id: impl AsRef<[u8]>) -> ObjectKey {
    ObjectKey::of(&Object::new(b"document".as_slice(), id.as_ref()))
}

/// The counter's revision.
pub fn counted(number: u64) -> Revision {
    counters().decode(&number.to_string()).unwrap()
}

/// Joins the counter's revision.
pub fn advance(number: u64) -> Update {
    Update::new(counters(), KEEP).advance(counted(number))
}

/// Marks as unsettled.
pub fn unsettle(duration: Duration) -> Update {
    Update::new(counters(), KEEP).unsettle(duration)
}

/// The number in a record with one counter, or 0 if it has no token.
pub fn number(record: &Record) -> u64 {
    match &*record.tokens {
        [] => 0,
        [token] => counters().decode(token.as_str()).unwrap().point::<Counter>().unwrap().0,
        _ => panic!("several counters stand side by side: {record:?}"),
    }
}

fn counters() -> Arc<dyn TokenFormat> {
    Arc::new(CounterTokens::new("documents"))
}

fn snapshots() -> Arc<dyn TokenFormat> {
    Arc::new(ZedTokens::new(Engine::Postgres))
}

fn snapshot(xmin: u64, xmax: u64, in_progress: impl IntoIterator<Item = u64>) -> Revision {
    let snapshot = PostgresSnapshot::new(xmin, xmax, in_progress).unwrap();
    Revision::new(StoreId::new(["spicedb", "postgres", "6349aaf2"]), snapshot)
}

fn opaque_tokens() -> Arc<dyn TokenFormat> {
    Arc::new(OpaqueTokens::new("documents"))
}

fn opaque(text: &str) -> Update {
    let revision = Revision::new(StoreId::new(["opaque", "documents"]), Opaque::new(text));
    Update::new(opaque_tokens(), KEEP).advance(revision)
}

async fn look_up(objects: &Arc<dyn ObjectTokens>, key: &ObjectKey) -> Record {
    let mut records = objects.look_up(std::slice::from_ref(key)).await.unwrap();
    assert_eq!(records.len(), 1);
    records.remove(0)
}

async fn update(objects: &Arc<dyn ObjectTokens>, key: &ObjectKey, update: Update) {
    objects.update(&[(key.clone(), update)]).await.unwrap();
}

/// A later record of the same object is put over an earlier one.
fn merge(known: &mut HashMap<ObjectKey, Record>, changed: Vec<(ObjectKey, Record)>) {
    known.extend(changed);
}
