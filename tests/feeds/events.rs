//! What a feed reports, however its bytes arrive.

use bytes::Bytes;
use tower_zookie::changes::{ChangeFeed, Effect, Event};
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::frame::{field, frame, messages, unframed, without, written};

use crate::messages::{WatchRequest, change, checkpoint, schema, schema_updated, seen, time, token, touched};
use crate::server::{READ_SCHEMA, REFLECT, Server, WATCH, next, opened};

fn stream() -> (Vec<u8>, Vec<Event>) {
    let (first, second) = (seen(11, &[9]), seen(12, &[]));
    let stream = [
        touched("a", &first),
        checkpoint(&first),
        schema_updated(&second),
        checkpoint(&second),
    ];
    let events = vec![
        Event::Changed {
            at: first.clone(),
            changes: vec![change(Effect::Touched, "a")],
        },
        Event::Checkpoint { at: first },
        Event::SchemaChanged { at: second.clone() },
        Event::Checkpoint { at: second },
    ];
    (stream.concat(), events)
}

#[tokio::test(start_paused = true)]
async fn a_feed_begins_at_the_head_that_the_schema_was_read_at() {
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    assert!(feed.is_complete());
    let head = seen(10, &[9]);
    server.reply(READ_SCHEMA, &schema(&head));
    server.reply(REFLECT, &Bytes::from_static(&[0; 5]));
    let watch = server.stream(WATCH);
    let mut opened = opened(&feed).await;
    assert_eq!(opened.start, head);
    let read = opened.schema.take().unwrap();
    assert_eq!((&*read.text, read.at), ("definition user {}", head.clone()));
    watch.data(checkpoint(&seen(11, &[])));
    assert_eq!(
        next(&mut opened).await.unwrap(),
        Event::Checkpoint { at: seen(11, &[]) }
    );
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    let request: WatchRequest = unframed(asked[1].body());
    assert_eq!(request.optional_start_cursor.unwrap().token, token(&head));
    assert_eq!(request.optional_update_kinds, [1, 2, 3]);
    // The store may have collected changes between the two calls.
    assert_eq!(asked[2].uri().path(), REFLECT);
}

#[tokio::test(start_paused = true)]
async fn events_are_the_same_however_the_bytes_arrive() {
    let (bytes, expected) = stream();
    for size in [1, 3, 7, 64, bytes.len()] {
        let server = Server::default();
        let (_, feed) = server.feed(Engine::Postgres);
        server.reply(READ_SCHEMA, &schema(&seen(10, &[9])));
        server.reply(REFLECT, &Bytes::from_static(&[0; 5]));
        let watch = server.stream(WATCH);
        let mut opened = opened(&feed).await;
        for piece in bytes.chunks(size) {
            watch.data(piece.to_vec());
        }
        for event in &expected {
            assert_eq!(next(&mut opened).await.unwrap(), *event, "{size} bytes at a time");
        }
    }
    assert_eq!(messages(&bytes).len(), expected.len());
}

/// A checkpoint may stand for what its own message reports.
#[tokio::test(start_paused = true)]
async fn rule_13_a_checkpoint_comes_after_all_that_its_message_reports() {
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    server.reply(READ_SCHEMA, &schema(&seen(10, &[])));
    server.reply(REFLECT, &Bytes::from_static(&[0; 5]));
    let watch = server.stream(WATCH);
    let mut opened = opened(&feed).await;
    let at = seen(11, &[]);
    let all = [touched("a", &at), schema_updated(&at), checkpoint(&at)];
    // The fields of all three, with one token, and one that is unknown.
    let token = field(&all[0][5..], 2).unwrap();
    let fields = [
        without(&all[2][5..], 2),
        without(&all[1][5..], 2),
        written(7, b"x"),
        without(&all[0][5..], 2),
        written(2, token),
    ];
    watch.data(frame(&fields.concat()));
    let changed = Event::Changed {
        at: at.clone(),
        changes: vec![change(Effect::Touched, "a")],
    };
    let expected = [
        changed,
        Event::SchemaChanged { at: at.clone() },
        Event::AnythingChanged { at: at.clone() },
        Event::Checkpoint { at },
    ];
    for event in expected {
        assert_eq!(next(&mut opened).await.unwrap(), event);
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_without_sound_checkpoints_only_names_revisions() {
    for engine in [Engine::Memory, Engine::MySql, Engine::Spanner] {
        let server = Server::default();
        assert!(!server.feed(engine).1.is_complete(), "{engine:?}");
    }
    let replicas =
        tower_zookie::ZookieLayer::builder(tower_zookie::protocol::SpiceDb::new(Engine::Postgres).read_replicas());
    let handle = replicas.build().unwrap().handle();
    let server = Server::default();
    let feed = handle.feed(server.clone()).unwrap();
    assert!(!feed.is_complete());
    server.reply(READ_SCHEMA, &schema(&seen(10, &[])));
    let watch = server.stream(WATCH);
    let mut opened = opened(&feed).await;
    watch.data([checkpoint(&seen(11, &[])), touched("a", &seen(12, &[]))].concat());
    let event = next(&mut opened).await.unwrap();
    assert!(matches!(event, Event::Changed { at, .. } if at == seen(12, &[])));
}

#[tokio::test(start_paused = true)]
async fn rule_13_cockroachdb_promises_what_lies_below_a_checkpoint() {
    let server = Server::default();
    let (_, feed) = server.feed(Engine::CockroachDb);
    server.reply(READ_SCHEMA, &schema(&time(100)));
    server.reply(REFLECT, &Bytes::from_static(&[0; 5]));
    let watch = server.stream(WATCH);
    let mut opened = opened(&feed).await;
    let sent = [
        checkpoint(&time(100)),
        touched("a", &time(110)),
        checkpoint(&time(120)),
        checkpoint(&time(120)),
        // At the last checkpoint itself, not below it.
        touched("b", &time(120)),
        checkpoint(&time(130)),
    ];
    watch.data(sent.concat());
    let changed = |id: &str, at: i64| Event::Changed {
        at: time(at),
        changes: vec![change(Effect::Touched, id)],
    };
    let expected = [
        changed("a", 110),
        Event::Checkpoint { at: time(100) },
        changed("b", 120),
        Event::Checkpoint { at: time(120) },
    ];
    for event in expected {
        assert_eq!(next(&mut opened).await.unwrap(), event);
    }
}
