//! Relationships that are read at exactly a revision.

use tower_zookie::changes::{ChangeFeed, Effect, TupleFilter};
use tower_zookie::protocol::spicedb::Engine;

use crate::messages::{change, read, schema, seen, token};
use crate::server::{READ, READ_SCHEMA, Server, told};

fn filter(limit: usize) -> TupleFilter<'static> {
    TupleFilter {
        kind: "document",
        relation: "viewer",
        usersets: None,
        limit,
    }
}

#[tokio::test(start_paused = true)]
async fn relationships_are_read_at_exactly_the_revision() {
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    let at = seen(20, &[15]);
    let reading = server.stream(READ);
    reading.data([read("a", &at), read("b", &at)].concat());
    reading.trailers("0");
    let found = feed.relationships(filter(10), &at).await.unwrap().unwrap();
    assert_eq!(found, [change(Effect::Added, "a"), change(Effect::Added, "b")]);
    let asked = server.asked();
    let exactly = token(&at);
    let body = asked[0].body();
    assert!(body.windows(exactly.len()).any(|part| part == exactly.as_bytes()));
    // The field 3 of the consistency: at_exact_snapshot.
    assert_eq!(
        body[5..9],
        [0x0a, 2 + 2 + exactly.len() as u8, 0x1a, 2 + exactly.len() as u8]
    );
}

#[tokio::test(start_paused = true)]
async fn rule_15_no_more_relationships_are_read_than_wanted() {
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    let at = seen(20, &[]);
    let reading = server.stream(READ);
    for id in ["a", "b", "c"] {
        reading.data(read(id, &at));
    }
    let found = feed.relationships(filter(2), &at).await.unwrap().unwrap();
    assert_eq!(found.len(), 2);
    assert!(!reading.is_read());
}

#[tokio::test(start_paused = true)]
async fn relationships_that_broke_off_or_are_of_another_revision_are_an_error() {
    let at = seen(20, &[]);
    for case in 0..6 {
        let server = Server::default();
        let (_, feed) = server.feed(Engine::Postgres);
        if case == 5 {
            server.fail(READ, "11");
        } else {
            let reading = server.stream(READ);
            reading.data(read("a", &at));
            match case {
                0 => reading.break_off(),
                1 => reading.trailers("14"),
                2 => drop(reading),
                3 => reading.data(read("b", &seen(21, &[]))),
                _ => {
                    reading.data(read("b", &at).slice(..9));
                    reading.trailers("0");
                }
            }
        }
        let error = feed.relationships(filter(10), &at).await.unwrap_err();
        assert_eq!(told(&error).0, case == 5, "{case}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_no_schema_has_is_not_asked_for() {
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    let filter = TupleFilter {
        relation: "vie\"wer",
        ..filter(10)
    };
    assert_eq!(feed.relationships(filter, &seen(20, &[])).await.unwrap(), None);
    assert!(server.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_schema_has_the_revision_that_it_was_read_at() {
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    server.reply(READ_SCHEMA, &schema(&seen(20, &[])));
    let read = feed.schema().await.unwrap().unwrap();
    assert_eq!((&*read.text, read.at), ("definition user {}", seen(20, &[])));
    // A store without a schema.
    server.fail(READ_SCHEMA, "5");
    let (is_lost, text) = told(&feed.schema().await.unwrap_err());
    assert!(!is_lost && text.contains("NotFound"), "{text}");
}
