use std::sync::Arc;

use crate::changes::{Change, ChangeFeed, Effect, Event, FeedError, Object, StoreFeed, Subject, TupleFilter};
use crate::revision::Revision;
use crate::store::{Schema, Store, Update};
use crate::token::{CounterTokens, InferaDb, RevisionToken, TokenFormat};

const SCHEMA: &str = "
    definition user {}
    definition team { relation member: user | user:* | team#member }
    definition doc { relation reader: user | team#member permission view = reader }";

const ALICE: &str = "doc:plan#reader@user:alice";
const TEAM: &str = "doc:plan#reader@team:eng#member";
const EVERYBODY: &str = "team:eng#member@user:*";

fn store() -> Arc<Store> {
    Arc::new(Store::new(Schema::parse(SCHEMA).unwrap()))
}

fn counted(store: &Arc<Store>) -> StoreFeed {
    StoreFeed::counted(Arc::clone(store), CounterTokens::new("docs"))
}

fn at(number: u64) -> Revision {
    CounterTokens::new("docs").decode(&number.to_string()).unwrap()
}

fn touch(text: &str) -> Update {
    Update::touch(text.parse().unwrap())
}

fn delete(text: &str) -> Update {
    Update::delete(text.parse().unwrap())
}

fn reader(effect: Effect, subject: Subject) -> Change {
    Change {
        effect,
        resource: Object::new("doc", "plan"),
        relation: "reader".into(),
        subject,
    }
}

fn alice() -> Subject {
    Subject::of(Object::new("user", "alice"))
}

fn engineers() -> Subject {
    Subject::userset(Object::new("team", "eng"), "member")
}

fn changed(number: u64, changes: impl Into<Vec<Change>>) -> Event {
    Event::Changed {
        at: at(number),
        changes: changes.into(),
    }
}

fn checkpoint(number: u64) -> Event {
    Event::Checkpoint { at: at(number) }
}

#[tokio::test]
async fn the_feed_starts_at_the_current_revision() {
    let store = store();
    store.write([touch(ALICE)]).unwrap();
    let mut opened = counted(&store).open(None).await.unwrap();
    assert_eq!(opened.start, at(2));
    assert_eq!(opened.all_ready().await, []);
    store.write([delete(ALICE)]).unwrap();
    let removed = changed(3, [reader(Effect::Removed, alice())]);
    assert_eq!(opened.all_ready().await, [removed, checkpoint(3)]);
}

#[tokio::test]
async fn the_feed_goes_on_after_a_revision() {
    let store = store();
    for text in [ALICE, TEAM] {
        store.write([touch(text)]).unwrap();
    }
    let mut opened = counted(&store).open(Some(&at(2))).await.unwrap();
    assert_eq!(opened.start, at(2));
    let schema = opened.schema.clone().unwrap();
    assert_eq!((&*schema.text, schema.at), (SCHEMA, at(2)));
    let added = changed(3, [reader(Effect::Added, engineers())]);
    assert_eq!(opened.all_ready().await, [added, checkpoint(3)]);
}

#[tokio::test]
async fn a_checkpoint_follows_all_that_is_ready() {
    let store = store();
    let mut opened = counted(&store).open(None).await.unwrap();
    store.write([touch(ALICE), touch(TEAM)]).unwrap();
    store.write([]).unwrap();
    store.write([touch(EVERYBODY)]).unwrap();
    let both = [reader(Effect::Added, alice()), reader(Effect::Added, engineers())];
    let everybody = Change {
        effect: Effect::Added,
        resource: Object::new("team", "eng"),
        relation: "member".into(),
        subject: Subject::of(Object::new("user", "*")),
    };
    assert_eq!(
        opened.all_ready().await,
        [changed(2, both), changed(4, [everybody]), checkpoint(4)]
    );
    store.write([]).unwrap();
    assert_eq!(opened.all_ready().await, [checkpoint(5)]);
}

#[tokio::test]
async fn a_store_under_load_still_gives_checkpoints() {
    let store = store();
    let mut opened = counted(&store).open(None).await.unwrap();
    for _ in 0..300 {
        store.write([touch(ALICE)]).unwrap();
    }
    let events = opened.all_ready().await;
    let checkpoints: Vec<_> = events
        .into_iter()
        .filter(|event| matches!(event, Event::Checkpoint { .. }))
        .collect();
    assert_eq!(checkpoints, [checkpoint(257), checkpoint(301)]);
}

#[tokio::test]
async fn a_new_schema_is_reported_and_read_with_its_revision() {
    let store = store();
    let feed = counted(&store);
    let mut opened = feed.open(None).await.unwrap();
    let first = feed.schema().await.unwrap().unwrap();
    assert_eq!((&*first.text, first.at), (SCHEMA, at(1)));
    let wider = format!("{SCHEMA} definition folder {{}}");
    store.write_schema(Schema::parse(&wider).unwrap()).unwrap();
    assert_eq!(
        opened.all_ready().await,
        [Event::SchemaChanged { at: at(2) }, checkpoint(2)]
    );
    store.write([touch(ALICE)]).unwrap();
    let second = feed.schema().await.unwrap().unwrap();
    assert_eq!((second.text, second.at), (wider, at(3)));
}

#[tokio::test]
async fn relationships_are_read_at_exactly_a_revision() {
    let store = store();
    store.write([touch(ALICE)]).unwrap();
    store.write([delete(ALICE), touch(TEAM), touch(EVERYBODY)]).unwrap();
    let feed = counted(&store);
    let filter = TupleFilter {
        kind: "doc",
        relation: "reader",
        usersets: None,
        limit: 10,
    };
    let before = feed.relationships(filter, &at(2)).await.unwrap();
    assert_eq!(before, Some(vec![reader(Effect::Added, alice())]));
    let after = feed.relationships(filter, &at(3)).await.unwrap();
    assert_eq!(after, Some(vec![reader(Effect::Added, engineers())]));
    let none = feed
        .relationships(TupleFilter { limit: 0, ..filter }, &at(3))
        .await
        .unwrap();
    assert_eq!(none, Some(Vec::new()));
    let unknown = TupleFilter {
        kind: "folder",
        ..filter
    };
    assert_eq!(feed.relationships(unknown, &at(3)).await.unwrap(), Some(Vec::new()));
    assert!(feed.relationships(filter, &at(9)).await.is_err());
}

#[tokio::test]
async fn a_feed_that_falls_behind_the_log_is_lost() {
    let store = store();
    let feed = counted(&store);
    let mut opened = feed.open(None).await.unwrap();
    for _ in 0..5 {
        store.write([touch(ALICE)]).unwrap();
    }
    store.garbage_collect(4);
    assert!(matches!(opened.ready().await, Some(Err(FeedError::Lost(_)))));
    assert!(matches!(feed.open(Some(&at(3))).await, Err(FeedError::Lost(_))));
    assert_eq!(feed.open(Some(&at(4))).await.unwrap().start, at(4));
}

#[tokio::test]
async fn a_revision_that_the_store_has_not_is_lost() {
    let store = store();
    let feed = counted(&store);
    let elsewhere = CounterTokens::new("elsewhere").decode("1").unwrap();
    for revision in [at(2), at(0), elsewhere] {
        assert!(matches!(feed.open(Some(&revision)).await, Err(FeedError::Lost(_))));
    }
}

#[tokio::test]
async fn revisions_are_spelled_as_the_stores_own_tokens() {
    let store = store();
    let tokens = InferaDb::new("gateway");
    let feed = StoreFeed::new(Arc::clone(&store), tokens.clone());
    let own = |number| {
        tokens
            .decode(&RevisionToken::new(store.node_id(), number).encode())
            .unwrap()
    };
    let opened = feed.open(None).await.unwrap();
    assert_eq!(opened.start, own(1));
    store.write([]).unwrap();
    let mut resumed = feed.open(Some(&opened.start)).await.unwrap();
    assert_eq!(resumed.all_ready().await, [Event::Checkpoint { at: own(2) }]);
    let another = tokens.decode(&RevisionToken::new("another", 1).encode()).unwrap();
    assert!(matches!(feed.open(Some(&another)).await, Err(FeedError::Lost(_))));
}
