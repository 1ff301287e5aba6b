//! Requests that are broken, odd or hostile: they are forwarded or get a gRPC status, and nothing is stored.

use bytes::Bytes;
use prost::Message;
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::frame::{framed, written};
use tower_zookie_testing::grpc::{INTERNAL, INVALID_ARGUMENT, OK, UNIMPLEMENTED};
use tower_zookie_testing::permify::Client;
use tower_zookie_testing::permify::messages::{Any, Attribute, Context, PermissionCheckRequest};

use crate::api::{bulk, check};
use crate::server::Server;

const CHECK: &str = "Permission/Check";
const NOT_FOUND: i32 = 5;

/// The server receives it unmodified, twice.
async fn passes(server: &Server, client: &Client, method: &str, body: &Bytes, status: i32) {
    server.calls();
    for _ in 0..2 {
        let reply = client.send(method, body.clone()).await;
        assert_eq!(reply.status(), status, "{reply:?}");
        let calls = server.calls();
        assert_eq!((calls.len(), &calls[0].body), (1, body));
    }
    assert_eq!(client.handle().stats().entries, 0);
}

#[tokio::test]
async fn rule_14_permify_rejects_bad_requests_each_time() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    let plain = check("plan", "ada", &token);
    let shallow = {
        let mut metadata = plain.metadata.clone().unwrap();
        metadata.depth = 0;
        Some(metadata)
    };
    for (request, status) in [
        (
            PermissionCheckRequest {
                tenant_id: String::new(),
                ..plain.clone()
            },
            NOT_FOUND,
        ),
        (
            PermissionCheckRequest {
                tenant_id: "t9".to_owned(),
                ..plain.clone()
            },
            NOT_FOUND,
        ),
        (
            PermissionCheckRequest {
                metadata: None,
                ..plain.clone()
            },
            INVALID_ARGUMENT,
        ),
        (
            PermissionCheckRequest {
                metadata: shallow,
                ..plain.clone()
            },
            INVALID_ARGUMENT,
        ),
    ] {
        passes(&server, &client, CHECK, &framed(&request), status).await;
    }
    let items = vec![("plan", "ada"); 101];
    passes(
        &server,
        &client,
        "Permission/BulkCheck",
        &framed(&bulk(&items, &token)),
        INVALID_ARGUMENT,
    )
    .await;
    passes(
        &server,
        &client,
        "Permission/BulkCheck",
        &framed(&bulk(&[], &token)),
        INVALID_ARGUMENT,
    )
    .await;
}

#[tokio::test]
async fn rule_09_a_malformed_token_is_rejected_in_metadata_only() {
    // 1273:1273:1274:1273 says nothing to an engine whose tokens are nanoseconds.
    for (engine, bad, status) in [
        (Engine::Postgres, "not a token", INTERNAL),
        (Engine::Postgres, "noop", INTERNAL),
        (Engine::Memory, "MTI3MzoxMjczOjEyNzQ6MTI3Mw==", OK),
    ] {
        let server = Server::new(engine);
        let client = Client::new(&server, engine);
        client.set("plan", "ada", true).await;
        passes(&server, &client, CHECK, &framed(&check("plan", "ada", bad)), status).await;
        let rejected = client.metadata("zookie", bad).check(&check("plan", "ada", "")).await;
        assert_eq!((rejected.status(), server.calls().len()), (INVALID_ARGUMENT, 0));
        assert!(!rejected.header("grpc-message").unwrap().contains(bad));
        // Browsers send cookies automatically, so the caller gets head.
        assert!(client.cookie(bad).check(&check("plan", "ada", "")).await.allowed());
        assert_eq!(server.asked(), [""]);
    }
}

#[tokio::test]
async fn rule_09_unreadable_messages_pass_only_without_a_carrier() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    let whole = framed(&check("plan", "ada", &token));
    let mut compressed = whole.to_vec();
    compressed[0] = 1;
    for (body, status) in [
        (compressed.into(), OK),
        (whole.slice(..whole.len() - 3), INTERNAL),
        (whole.slice(..4), INVALID_ARGUMENT),
        (Bytes::new(), INVALID_ARGUMENT),
    ] {
        passes(&server, &client, CHECK, &body, status).await;
        for client in [
            client.metadata("zookie", &token),
            client.cookie(&token),
            client.metadata("zookie-consistency", "fully-consistent"),
        ] {
            let rejected = client.send(CHECK, body.clone()).await;
            assert_eq!((rejected.status(), server.calls().len()), (UNIMPLEMENTED, 0));
        }
    }
}

#[tokio::test]
async fn rule_10_every_attribute_type_is_its_own_question() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    // Each has one field. An array of texts with one text is spelled like the text.
    let one = "1".to_owned();
    let values = [
        ("BooleanValue", true.encode_to_vec()),
        ("BooleanValue", false.encode_to_vec()),
        ("StringValue", one.encode_to_vec()),
        ("IntegerValue", 1_i32.encode_to_vec()),
        ("DoubleValue", 1.0_f64.encode_to_vec()),
        ("StringArrayValue", one.encode_to_vec()),
        ("BooleanArrayValue", written(1, &[1])),
        ("IntegerArrayValue", written(1, &[1])),
        ("DoubleArrayValue", written(1, &1.0_f64.to_le_bytes())),
    ];
    let request = |(name, value): &(&str, Vec<u8>)| {
        let plain = check("plan", "ada", &token);
        let attribute = Attribute {
            entity: plain.entity.clone(),
            attribute: "public".to_owned(),
            value: Some(Any {
                type_url: format!("type.googleapis.com/base.v1.{name}"),
                value: value.clone(),
            }),
        };
        let context = Context {
            attributes: vec![attribute],
            ..Context::default()
        };
        PermissionCheckRequest {
            context: Some(context),
            ..plain
        }
    };
    for hit in [false, true] {
        for value in &values {
            let reply = client.check(&request(value)).await;
            assert_eq!(reply.is_hit(), hit, "{value:?}");
        }
    }
    let plain = client.check(&check("plan", "ada", &token)).await;
    assert!(plain.is_stored(), "and none of it is in the way of a plain one");
}
