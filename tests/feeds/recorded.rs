//! The recorded feeds of real servers, replayed byte for byte.

use tower_zookie::ZookieLayer;
use tower_zookie::changes::{Change, ChangeFeed, Effect, Event, Object, Subject};
use tower_zookie::protocol::permify::Engine as PermifyEngine;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::protocol::{FeedWire, Permify, Protocol, Reported, SpiceDb};
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::ZedTokens;
use tower_zookie_testing::frame::messages;
use tower_zookie_testing::wire::Recording;
use tower_zookie_testing::wire::spicedb::tokens;

use crate::server::{READ_SCHEMA, REFLECT, Server, WATCH, next, told};

const ENGINES: [(&str, Engine); 2] = [("memory", Engine::Memory), ("postgres", Engine::Postgres)];

fn changed(effect: Effect, kind: &str, id: &str, relation: &str, user: &str) -> Change {
    Change {
        effect,
        resource: Object::new(kind, id),
        relation: relation.into(),
        subject: Subject::of(Object::new("user", user)),
    }
}

/// The recorded calls, with the watch opened after the token that it was opened after in the recording.
async fn replayed(name: &str, engine: Engine, case: &str, split: bool) -> Result<Vec<Event>, (bool, String)> {
    let recording = Recording::load(&format!("spicedb/grpc-{name}"));
    let server = Server::default();
    server.push(READ_SCHEMA, boxed(recording.call("schema-read").response.replay()));
    server.push(REFLECT, boxed(recording.call("reflect-schema").response.replay()));
    let watch = recording.call(case);
    if split {
        let sending = server.stream(WATCH);
        watch
            .response
            .body()
            .chunks(1)
            .for_each(|byte| sending.data(byte.to_vec()));
        sending.break_off();
    } else {
        server.push(WATCH, boxed(watch.response.replay()));
    }
    let (_, feed) = server.feed(engine);
    let mut opened = feed.open(None).await.unwrap();
    let mut events = Vec::new();
    loop {
        match next(&mut opened).await {
            Ok(event) => events.push(event),
            Err(error) if told(&error).1.ends_with("the connection was lost") => return Ok(events),
            Err(error) => return Err(told(&error)),
        }
    }
}

fn boxed(
    reply: http::Response<tower_zookie_testing::wire::ReplayBody>,
) -> http::Response<http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, std::io::Error>> {
    reply
}

#[tokio::test(start_paused = true)]
async fn spicedbs_recorded_feed_reports_what_was_written() {
    for (name, engine) in ENGINES {
        let recording = Recording::load(&format!("spicedb/grpc-{name}"));
        let written = |case: &str| {
            let token = tokens(recording.call(case)).pop().unwrap();
            ZedTokens::new(engine).decode(&token).unwrap()
        };
        let alice = |effect| changed(effect, "document", "w1", "owner", "alice");
        let bob = changed(Effect::Touched, "document", "w2", "owner", "bob");
        let frank = changed(Effect::Touched, "team", "eng", "direct", "frank");
        for split in [false, true] {
            let events = replayed(name, engine, "watch", split).await.unwrap();
            let (checkpoints, others): (Vec<_>, Vec<_>) = events
                .iter()
                .cloned()
                .partition(|event| matches!(event, Event::Checkpoint { .. }));
            let expected = [
                Event::Changed {
                    at: written("watch-write-1"),
                    changes: vec![alice(Effect::Touched)],
                },
                Event::Changed {
                    at: written("watch-write-2"),
                    changes: vec![bob.clone(), alice(Effect::Removed)],
                },
                Event::SchemaChanged {
                    at: written("watch-schema-write"),
                },
                Event::Changed {
                    at: written("watch-write-3"),
                    changes: vec![frank.clone()],
                },
            ];
            assert_eq!(others, expected, "{name}");
            match engine {
                Engine::Memory => assert!(checkpoints.is_empty()),
                _ => {
                    assert_eq!(events.last(), checkpoints.last(), "the last one covers all");
                    let last = checkpoints.last().unwrap().at();
                    assert!(others.iter().all(|event| last >= event.at()));
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn spicedbs_recorded_feeds_of_other_kinds_are_read_too() {
    for (name, engine) in ENGINES {
        let events = replayed(name, engine, "watch-default-kinds", false).await.unwrap();
        assert_eq!(events.len(), 3, "{name}: {events:?}");
        let events = replayed(name, engine, "watch-filtered", false).await.unwrap();
        let changes = events.iter().filter(|event| matches!(event, Event::Changed { .. }));
        assert_eq!(changes.count(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn spicedbs_recorded_rejection_of_a_cursor_loses_the_feed() {
    for (name, engine) in ENGINES {
        let (is_lost, text) = replayed(name, engine, "watch-bad-cursor", false).await.unwrap_err();
        assert!(is_lost && text.ends_with("status 3, InvalidArgument"), "{text}");
    }
}

#[test]
fn spicedbs_recorded_relationships_are_read_over_both_wires() {
    for (name, engine) in ENGINES {
        let api = SpiceDb::new(engine);
        let grpc = Recording::load(&format!("spicedb/grpc-{name}"));
        let page = grpc.call("read-relationships-page").response.body();
        let read: Vec<_> = messages(&page)
            .into_iter()
            .map(|message| api.feed(FeedWire::Grpc).unwrap().relationship(message).unwrap())
            .collect();
        assert!(!read.is_empty(), "{name}");
        let http = Recording::load(&format!("spicedb/http-{name}"));
        let text = http.call("http-read").response.body();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut over_http = 0;
        for line in lines {
            let (change, token) = api.feed(FeedWire::Http).unwrap().relationship(line).unwrap();
            assert_eq!(change.effect, Effect::Added);
            assert!(ZedTokens::new(engine).decode(&token).is_ok());
            over_http += 1;
        }
        assert!(over_http > 0, "{name}");
    }
}

#[test]
fn permifys_recorded_feed_reports_what_was_written() {
    let recording = Recording::load("permify/grpc-postgres");
    let api = Permify::new(PermifyEngine::Postgres);
    let feed = api.feed(FeedWire::Grpc).unwrap();
    let body = recording.call("watch").response.body();
    let reports: Vec<_> = messages(&body)
        .into_iter()
        .flat_map(|message| feed.reports(message).unwrap())
        .collect();
    let changes = |report: &tower_zookie::protocol::Report| match &report.what {
        Reported::Changed(changes) => changes.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(reports.len(), messages(&body).len());
    assert!(reports.iter().map(changes).sum::<usize>() > 0);
    assert!(reports.iter().all(|report| api.format().decode(&report.token).is_ok()));
}

#[test]
fn only_spicedb_can_be_followed_through_its_gateway() {
    assert!(SpiceDb::new(Engine::Postgres).feed(FeedWire::Http).is_some());
    assert!(Permify::new(PermifyEngine::Postgres).feed(FeedWire::Http).is_none());
    let server = Server::default();
    let routes = tower_zookie::protocol::AuthZen::new(tower_zookie::token::InferaDb::new("example"));
    let handle = ZookieLayer::builder(routes).build().unwrap().handle();
    assert!(handle.feed::<_, http_body_util::Full<bytes::Bytes>, _>(server).is_err());
}
