//! SpiceDB's feed through its HTTP gateway: the lines are those of a real server.

use http::StatusCode;
use tower_zookie::changes::{Change, ChangeFeed, Effect, Event, Object, Subject};
use tower_zookie::protocol::FeedWire;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::ZedTokens;

use crate::messages::token;
use crate::server::{Server, next, told};

const WATCH: &str = "/v1/watch";
const SCHEMA: &str = "/v1/schema/read";
const REFLECT: &str = "/v1/schema/reflectschema";

const CREATED: &str = "GiQKGENMQ1NBeUN2a2dNbzhJR0xwck91NXZVWRIIYmNhOGU1MjU=";
const DEFINED: &str = "GiQKGENMR1NBeUN3a2dNb2tPWDlvYml1NXZVWRIIYmNhOGU1MjU=";
const DELETED: &str = "GiQKGENMT1NBeUN5a2dNb3lLZU8rN3l1NXZVWRIIYmNhOGU1MjU=";

fn message(updates: &str, token: &str, schema: bool, checkpoint: bool) -> String {
    format!(
        r#"{{"result":{{"updates":[{updates}],"changesThrough":{{"token":"{token}"}},"optionalTransactionMetadata":null,"schemaUpdated":{schema},"isCheckpoint":{checkpoint},"fullRevisionMetadata":[]}}}}"#
    ) + "\n"
}

fn update(operation: &str) -> String {
    format!(
        r#"{{"operation":"{operation}","relationship":{{"resource":{{"objectType":"doc","objectId":"g1"}},"relation":"owner","subject":{{"object":{{"objectType":"user","objectId":"ada"}},"optionalRelation":""}},"optionalCaveat":null,"optionalExpiresAt":null}}}}"#
    )
}

fn change(effect: Effect) -> Vec<Change> {
    vec![Change {
        effect,
        resource: Object::new("doc", "g1"),
        relation: "owner".into(),
        subject: Subject::of(Object::new("user", "ada")),
    }]
}

fn schema(server: &Server) {
    let head = "GiQKGENMQ1NBeUN2a2dNbzhJR0xwck91NXZVWRIIYmNhOGU1MjU=";
    let body = format!(r#"{{"schemaText":"definition user {{}}", "readAt":{{"token":"{head}"}}}}"#);
    reply(server, SCHEMA, body);
}

fn reply(server: &Server, path: &'static str, body: String) {
    let sending = server.stream_of(path, "application/json");
    sending.data(body);
}

#[tokio::test(start_paused = true)]
async fn a_feed_through_the_gateway_reports_the_same() {
    let at = |token: &str| ZedTokens::new(Engine::Postgres).decode(token).unwrap();
    let lines = [
        message(&update("OPERATION_TOUCH"), CREATED, false, false),
        message("", CREATED, false, true),
        message("", DEFINED, true, false),
        message(&update("OPERATION_DELETE"), DELETED, false, false),
        message("", DELETED, false, true),
    ]
    .concat();
    for size in [1, 100, lines.len()] {
        let server = Server::default();
        let (_, feed) = server.feed(Engine::Postgres);
        let feed = feed.wire(FeedWire::Http);
        schema(&server);
        reply(&server, REFLECT, r#"{"definitions":[], "caveats":[]}"#.to_owned());
        let watch = server.stream_of(WATCH, "application/json");
        for piece in lines.as_bytes().chunks(size) {
            watch.data(piece.to_vec());
        }
        let mut opened = feed.open(None).await.unwrap();
        let expected = [
            Event::Changed {
                at: at(CREATED),
                changes: change(Effect::Touched),
            },
            Event::Checkpoint { at: at(CREATED) },
            Event::SchemaChanged { at: at(DEFINED) },
            Event::Changed {
                at: at(DELETED),
                changes: change(Effect::Removed),
            },
            Event::Checkpoint { at: at(DELETED) },
        ];
        for event in expected {
            assert_eq!(next(&mut opened).await.unwrap(), event, "{size} bytes at a time");
        }
        let asked = server.asked();
        assert_eq!(
            asked.iter().map(|request| request.uri().path()).collect::<Vec<_>>(),
            [SCHEMA, WATCH, REFLECT]
        );
        let start = token(&at(CREATED));
        let kinds = r#"["WATCH_KIND_INCLUDE_RELATIONSHIP_UPDATES","WATCH_KIND_INCLUDE_SCHEMA_UPDATES","WATCH_KIND_INCLUDE_CHECKPOINTS"]"#;
        let body = format!(r#"{{"optionalStartCursor":{{"token":"{start}"}},"optionalUpdateKinds":{kinds}}}"#);
        assert_eq!(asked[1].body(), body.as_bytes());
        assert_eq!(asked[1].headers()["content-type"], "application/json");
    }
}

#[tokio::test(start_paused = true)]
async fn the_errors_of_the_gateway_are_those_of_grpc() {
    let expired = r#"{"error":{"code":11,"message":"secret","details":[]}}"#;
    for streams in [false, true] {
        let server = Server::default();
        let (_, feed) = server.feed(Engine::Postgres);
        let feed = feed.wire(FeedWire::Http);
        schema(&server);
        match streams {
            false => server.refuse(WATCH, StatusCode::BAD_REQUEST, expired),
            true => server.stream_of(WATCH, "application/json").data(format!("{expired}\n")),
        }
        let mut opened = feed.open(None).await.unwrap();
        let (is_lost, text) = told(&next(&mut opened).await.unwrap_err());
        assert!(is_lost && text.ends_with("status 11, OutOfRange"), "{text}");
    }
    let server = Server::default();
    let (_, feed) = server.feed(Engine::Postgres);
    server.refuse(
        SCHEMA,
        StatusCode::UNAUTHORIZED,
        r#"{"code":16,"message":"secret","details":[]}"#,
    );
    let error = feed.wire(FeedWire::Http).open(None).await.unwrap_err();
    assert!(told(&error).1.ends_with("status 16, Unauthenticated"));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_no_message_or_too_long_loses_the_feed() {
    for line in [
        "{}\n".to_owned(),
        "[1]\n".to_owned(),
        "{\"result\":{},\"error\":{}}\n".to_owned(),
        "x".repeat((4 << 20) + 1),
    ] {
        let server = Server::default();
        let (_, feed) = server.feed(Engine::Postgres);
        let feed = feed.wire(FeedWire::Http);
        schema(&server);
        server.stream_of(WATCH, "application/json").data(line.clone());
        let mut opened = feed.open(None).await.unwrap();
        let error = next(&mut opened).await.unwrap_err();
        assert!(told(&error).0, "{:.20}: {error}", line);
    }
}
