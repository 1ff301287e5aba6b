//! What can't be read is a change of everything, and never left out.

use bytes::Bytes;
use tower_zookie::Warning;
use tower_zookie::changes::Event;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::frame::{frame, written, written_number};
use tower_zookie_testing::log::Log;
use tracing::Level;

use crate::messages::{checkpoint, schema, seen, token, touched};
use crate::server::{READ_SCHEMA, REFLECT, Server, WATCH, next, opened, told};

fn with_token(content: &[u8]) -> Bytes {
    let through = written(2, &written(1, token(&seen(11, &[])).as_bytes()));
    frame(&[content, &through].concat())
}

fn object(kind: &str, id: &str) -> Vec<u8> {
    [written(1, kind.as_bytes()), written(2, id.as_bytes())].concat()
}

fn relationship() -> Vec<u8> {
    let subject = written(1, &object("user", "ada"));
    [
        written(1, &object("document", "a")),
        written(2, b"viewer"),
        written(3, &subject),
    ]
    .concat()
}

fn update(operation: u64, relationship: &[u8]) -> Vec<u8> {
    written(1, &[written_number(1, operation), written(2, relationship)].concat())
}

/// What a server sends, with what it has beside what this version knows.
fn unreadable() -> Vec<(&'static str, Vec<u8>)> {
    let known = relationship();
    vec![
        ("no operation", written(1, &written(2, &known))),
        ("an unknown operation", update(4, &known)),
        ("no relationship", written(1, &written_number(1, 2))),
        ("an unknown field of an update", {
            let update = [written_number(1, 2), written(2, &known), written(3, b"x")].concat();
            written(1, &update)
        }),
        (
            "an unknown field of a relationship",
            update(2, &[&known[..], &written(9, b"x")].concat()),
        ),
        (
            "a repeated relation",
            update(2, &[&known[..], &written(2, b"owner")].concat()),
        ),
        (
            "no subject",
            update(
                2,
                &[written(1, &object("document", "a")), written(2, b"viewer")].concat(),
            ),
        ),
        ("a subject that is no text", {
            let subject = written(3, &written(1, &[written(1, b"user"), written(2, b"\xff")].concat()));
            let relationship = [written(1, &object("document", "a")), written(2, b"viewer"), subject].concat();
            update(2, &relationship)
        }),
        ("an update that is none", written(1, b"\xff")),
        ("updates that are a number", written_number(1, 7)),
        ("an unknown field of the message", written(7, b"x")),
        ("a flag that is no bool", written_number(4, 2)),
    ]
}

#[tokio::test(start_paused = true)]
async fn rule_17_what_is_unknown_is_a_change_of_everything_and_named_once() {
    for (what, content) in unreadable() {
        let server = Server::default();
        let (handle, feed) = server.feed(Engine::Postgres);
        server.reply(READ_SCHEMA, &schema(&seen(10, &[])));
        server.reply(REFLECT, &Bytes::from_static(&[0; 5]));
        let watch = server.stream(WATCH);
        let mut opened = opened(&feed).await;
        let log = Log::capture(Level::WARN);
        let readable = update(2, &relationship());
        for _ in 0..2 {
            // The readable change beside it is reported too.
            watch.data(with_token(&[&content[..], &readable].concat()));
        }
        watch.data(checkpoint(&seen(12, &[])));
        let mut anything = 0;
        loop {
            match next(&mut opened).await.unwrap() {
                Event::AnythingChanged { at } => {
                    assert_eq!(at, seen(11, &[]), "{what}");
                    anything += 1;
                }
                Event::Changed { .. } => {}
                Event::Checkpoint { .. } => break,
                event => panic!("{what}: {event:?}"),
            }
        }
        assert_eq!(anything, 2, "{what}");
        assert!(
            log.only().contains("counts as a change of everything"),
            "{what}: {}",
            log.only()
        );
        assert!(!log.only().contains("ada"), "{what}");
        assert_eq!(handle.stats().warnings[Warning::FeedUnread.name()], 2, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_readable_token_or_frame_loses_the_feed() {
    let long = {
        let mut long = frame(&[0; 5 << 20]).to_vec();
        long.truncate(64);
        long
    };
    let compressed = {
        let mut compressed = touched("a", &seen(11, &[])).to_vec();
        compressed[0] = 1;
        compressed
    };
    let cases = [
        ("no token", frame(&update(2, &relationship())).to_vec()),
        ("an empty token", frame(&written(2, &written(1, b""))).to_vec()),
        ("another token", frame(&written(2, &written(1, b"nope"))).to_vec()),
        ("two tokens", {
            let through = written(2, &written(1, token(&seen(11, &[])).as_bytes()));
            frame(&through.repeat(2)).to_vec()
        }),
        ("no message", frame(b"\xff\xff").to_vec()),
        ("compressed", compressed),
        ("over the limit", long),
    ];
    for (what, bytes) in cases {
        let server = Server::default();
        let (_, feed) = server.feed(Engine::Postgres);
        server.reply(READ_SCHEMA, &schema(&seen(10, &[])));
        let watch = server.stream(WATCH);
        let mut opened = opened(&feed).await;
        watch.data(bytes);
        let (is_lost, text) = told(&next(&mut opened).await.unwrap_err());
        assert!(is_lost, "{what}: {text}");
        assert!(!watch.is_read() || text.contains("token"), "{what}: {text}");
    }
}
