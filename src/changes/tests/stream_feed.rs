use tokio_stream::iter;

use crate::changes::{Change, ChangeFeed, Event, FeedError, Object, Opened, SchemaText, StreamFeed, Subject};
use crate::revision::{Counter, Revision, StoreId};

fn at(number: u64) -> Revision {
    Revision::new(StoreId::new(["test"]), Counter(number))
}

fn changed(number: u64) -> Event {
    let (doc, alice) = (Object::new("doc", "plan"), Object::new("user", "alice"));
    Event::Changed {
        at: at(number),
        changes: vec![Change::added(doc, "reader", Subject::of(alice))],
    }
}

fn checkpoint(number: u64) -> Event {
    Event::Checkpoint { at: at(number) }
}

/// Reports a change after the revision at which it is opened, and another one.
fn two_changes(from: Option<Revision>) -> Result<Opened, FeedError> {
    let Some(start) = from.map_or(Some(1), |from| Some(from.point::<Counter>()?.0)) else {
        return Err(FeedError::Lost(None));
    };
    Ok(Opened::new(
        at(start),
        iter([Ok(changed(start + 1)), Ok(changed(start + 2))]),
    ))
}

fn feed() -> StreamFeed {
    StreamFeed::new(|from| async { two_changes(from) })
}

#[tokio::test]
async fn a_stream_is_passed_on_unmodified() {
    let mut opened = feed().open(None).await.unwrap();
    assert_eq!(opened.start, at(1));
    assert_eq!(opened.all_ready().await, [changed(2), changed(3)]);
    let mut opened = feed().open(Some(&at(7))).await.unwrap();
    assert_eq!(opened.all_ready().await, [changed(8), changed(9)]);
}

#[tokio::test]
async fn in_order_each_revision_is_a_checkpoint() {
    let mut opened = feed().in_order().open(None).await.unwrap();
    assert_eq!(opened.all_ready().await, [changed(2), changed(3), checkpoint(3)]);
}

#[tokio::test]
async fn the_revision_before_an_error_gets_no_checkpoint() {
    let broken = || FeedError::interrupted("broken");
    let feed = StreamFeed::new(move |_| async move { Ok(Opened::new(at(1), iter([Ok(changed(2)), Err(broken())]))) });
    let mut opened = feed.in_order().open(None).await.unwrap();
    assert_eq!(opened.ready().await.unwrap().unwrap(), changed(2));
    assert!(opened.ready().await.unwrap().is_err());
}

#[tokio::test]
async fn a_feed_is_complete_and_has_no_schema_by_default() {
    let feed = feed();
    assert!(feed.is_complete());
    assert_eq!(feed.schema().await.unwrap(), None);
    assert!(!feed.incomplete().is_complete());
}

#[tokio::test]
async fn a_fixed_schema_is_in_force_since_the_feed_was_opened() {
    let feed = feed().fixed_schema("definition user {}");
    let opened = feed.open(Some(&at(5))).await.unwrap();
    let schema = SchemaText {
        text: "definition user {}".to_owned(),
        at: at(5),
    };
    assert_eq!(opened.schema, Some(schema));
}

#[tokio::test]
async fn a_schema_is_read_from_the_service() {
    let feed = feed().read_schema(|| async {
        let text = "definition user {}".to_owned();
        Ok(Some(SchemaText { text, at: at(6) }))
    });
    assert_eq!(feed.schema().await.unwrap().unwrap().at, at(6));
}
