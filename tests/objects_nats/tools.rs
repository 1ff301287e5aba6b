//! What the tests share.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use tower_zookie::objects::{NatsObjects, NatsObjectsBuilder, ObjectFeed, ObjectKey, ObjectTokens, Record, Update};
use tower_zookie::token::CounterTokens;
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::objects::counted;

/// Longer than any wait that ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Settings with patience: this may run on a slow machine.
pub(crate) fn settings(server: &NatsServer) -> NatsObjectsBuilder {
    NatsObjects::builder(server.url())
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE)
}

/// One more replica.
pub(crate) async fn open(server: &NatsServer) -> NatsObjects {
    settings(server).connect().await.expect("the server is there")
}

/// What the server itself offers, beside the store.
pub(crate) async fn raw(server: &NatsServer) -> Context {
    jetstream::new(async_nats::connect(server.url()).await.unwrap())
}

/// Writes anything under a key.
pub(crate) async fn put(raw: &Context, key: &str, value: &'static str) -> u64 {
    let ack = raw
        .publish(format!("$KV.zookie_objects.{key}"), value.into())
        .await
        .unwrap();
    ack.await.unwrap().sequence
}

/// Joins the counter's revision, and keeps the record for this long.
pub(crate) fn advance_for(number: u64, keep: Duration) -> Update {
    Update::new(Arc::new(CounterTokens::new("documents")), keep).advance(counted(number))
}

pub(crate) async fn update(objects: &NatsObjects, key: &ObjectKey, update: Update) {
    objects.update(&[(key.clone(), update)]).await.unwrap();
}

pub(crate) async fn look_up(objects: &NatsObjects, key: &ObjectKey) -> Record {
    let mut records = objects.look_up(std::slice::from_ref(key)).await.unwrap();
    records.remove(0)
}

/// An error with all its causes.
pub(crate) fn whole(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

/// Everything that a feed reports until it is complete to now.
pub(crate) async fn read_all(feed: &mut dyn ObjectFeed) -> Vec<(ObjectKey, Record)> {
    let now = tokio::time::Instant::now();
    let mut all = Vec::new();
    loop {
        let batch = tokio::time::timeout(PATIENCE, feed.next()).await.unwrap().unwrap();
        all.extend(batch.changed);
        if batch.complete_to.is_some_and(|complete_to| complete_to >= now) {
            return all;
        }
    }
}
