//! Requests and replies that are broken, odd or hostile: they are forwarded or get a gRPC status, and nothing is
//! stored.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use proptest::prelude::*;
use prost::Message;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use tower_zookie::protocol::SpiceDb;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::{ByteSize, ZookieLayer};
use tower_zookie_testing::frame::{frame, framed, written, written_number};
use tower_zookie_testing::grpc::{Body, Reply, UNAVAILABLE, UNIMPLEMENTED};
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{
    CheckPermissionResponse, HAS_PERMISSION, Kind, ZedToken, at_least, bulk, check, context, full,
};

use crate::reply::{failed, succeeded};
use crate::server::Server;

const CHECK: &str = "PermissionsService/CheckPermission";
const BULK: &str = "PermissionsService/CheckBulkPermissions";

fn entries(client: &Client) -> u64 {
    client.handle().stats().entries
}

/// A message with nothing but a consistency of these fields.
fn consistency(fields: &[Vec<u8>]) -> Bytes {
    frame(&written(1, &fields.concat()))
}

/// Frames that are not one whole uncompressed message.
fn odd_frames() -> Vec<Bytes> {
    let good = framed(&check("plan", "ada", None));
    let with = |index: usize, byte: u8| {
        let mut odd = good.to_vec();
        odd[index] = byte;
        Bytes::from(odd)
    };
    vec![
        Bytes::new(),
        good.slice(..3),
        good.slice(..5),
        good.slice(..good.len() - 1),
        [&good[..], b"x"].concat().into(),
        [&good[..], &good[..]].concat().into(),
        with(0, 1),
        with(0, 2),
        with(1, 0xff),
        with(4, 0),
        // A number without an end.
        frame(&[0xff; 3]),
        frame(&written(1, b"12345")[..3]),
        consistency(&[written_number(1, 0)]),
        consistency(&[written_number(1, 1), written_number(4, 1)]),
        frame(&[written(1, &written_number(1, 1)), written(1, &written_number(4, 1))].concat()),
        // A group.
        frame(&[1 << 3 | 3, 1 << 3 | 4]),
    ]
}

#[tokio::test]
async fn rule_10_unreadable_messages_pass_unmodified() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    for method in [CHECK, BULK] {
        for body in odd_frames() {
            for _ in 0..2 {
                let reply = client.send(method, body.clone()).await;
                assert!(reply.cache_status().starts_with("tower-zookie; fwd=bypass"), "{body:?}");
                let calls = server.calls();
                assert_eq!((calls.len(), &calls[0].body), (1, &body));
            }
        }
    }
    assert_eq!(entries(&client), 0);
}

#[tokio::test]
async fn rule_09_a_carrier_with_an_unreadable_message_is_rejected() {
    let server = Server::new(Engine::Postgres);
    let client = Client::with(&server, SpiceDb::new(Engine::Postgres), |builder| {
        builder.max_request_body(ByteSize::bytes(1000))
    });
    let large = frame(&check(&"x".repeat(2000), "ada", None).encode_to_vec());
    for (name, value) in [
        ("zookie", server.token(1000)),
        ("cookie", format!("zookie={}", server.token(1000).replace('=', "%3D"))),
        ("zookie-consistency", "fully-consistent".to_owned()),
        ("cache-control", "no-cache".to_owned()),
    ] {
        let session = client.metadata(name, &value);
        for body in odd_frames().into_iter().chain([large.clone()]) {
            let rejected = session.send(CHECK, body).await;
            assert_eq!((rejected.status(), rejected.body.len()), (UNIMPLEMENTED, 0), "{name}");
            assert!(rejected.header("grpc-message").unwrap().contains("uncompressed"));
        }
    }
    assert_eq!(server.calls().len(), 0);
}

#[tokio::test]
async fn rule_01_a_bulk_without_items_has_a_floor_too() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    server.calls();
    let reply = client.metadata("zookie", &token).bulk(&bulk(&[], None)).await;
    assert_eq!(reply.bulk().checked_at, Some(ZedToken::new(&token)));
    assert_eq!(reply.header("zookie"), Some(&*token));
}

#[tokio::test]
async fn rule_15_a_message_over_the_limit_passes_whole() {
    let server = Server::new(Engine::Postgres);
    let client = Client::with(&server, SpiceDb::new(Engine::Postgres), |builder| {
        builder.max_request_body(ByteSize::bytes(1000))
    });
    let body = frame(&check(&"x".repeat(2000), "ada", None).encode_to_vec());
    for _ in 0..2 {
        assert!(
            client
                .send(CHECK, body.clone())
                .await
                .cache_status()
                .contains("fwd=bypass")
        );
    }
    let calls = server.calls();
    assert_eq!((calls.len(), &calls[1].body), (2, &body));
}

/// A `google.protobuf.Struct` nested as deep as this.
fn deep(levels: usize) -> Vec<u8> {
    (0..levels).fold(vec![], |inner, _| {
        let value = written(5, &inner);
        let entry = [written(1, b"k"), written(2, &value)].concat();
        written(1, &entry)
    })
}

#[tokio::test]
async fn rule_15_deep_and_huge_contexts_cost_bounded_work() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let with_context = |context: &[u8]| {
        let mut message = check("plan", "ada", None).encode_to_vec();
        message.extend(written(5, context));
        frame(&message)
    };
    let shallow = with_context(&deep(5));
    client.send(CHECK, shallow.clone()).await;
    assert!(client.send(CHECK, shallow).await.is_hit());
    let reply = client.send(CHECK, with_context(&deep(20_000))).await;
    assert!(reply.cache_status().contains("fwd=bypass"), "{reply:?}");
    let mut huge = check("plan", "ada", None);
    let names: Vec<_> = (0..50_000_u32).map(|n| format!("k{n:06}")).collect();
    let fields = names.iter().map(|name| (&**name, Kind::StringValue("v".to_owned())));
    huge.context = context(&fields.collect::<Vec<_>>());
    let huge = framed(&huge);
    client.send(CHECK, huge.clone()).await;
    assert!(client.send(CHECK, huge).await.is_hit());
}

#[tokio::test]
async fn other_content_types_and_methods_are_not_claimed() {
    let server = Server::new(Engine::Postgres);
    let layer = ZookieLayer::spicedb(Engine::Postgres);
    let body = framed(&check("plan", "ada", None));
    for (method, content_type) in [
        ("POST", "application/grpc-web"),
        ("POST", "application/x-protobuf"),
        ("GET", "application/grpc"),
    ] {
        for _ in 0..2 {
            let request = Request::builder()
                .method(method)
                .uri("/authzed.api.v1.PermissionsService/CheckPermission")
                .header("content-type", content_type)
                .body(Full::from(body.clone()).boxed_unsync())
                .unwrap();
            let response = layer.layer(server.clone()).oneshot(request).await.unwrap();
            assert_eq!(response.headers().get("cache-status"), None, "{method} {content_type}");
        }
        assert_eq!(server.calls().len(), 2);
    }
}

/// Go's servers treat an unknown codec as Protocol Buffers.
#[tokio::test]
async fn rule_09_grpc_of_other_codecs_is_claimed_but_not_stored() {
    let server = Server::new(Engine::Postgres);
    let layer = ZookieLayer::spicedb(Engine::Postgres);
    let body = framed(&check("plan", "ada", None));
    for (content_type, stored) in [
        ("application/grpc;v=1", true),
        ("application/grpc+proto; charset=utf-8", true),
        ("application/grpc+json", false),
    ] {
        let mut outcomes = Vec::new();
        for _ in 0..2 {
            let request = Request::post("/authzed.api.v1.PermissionsService/CheckPermission")
                .header("content-type", content_type)
                .body(Full::from(body.clone()).boxed_unsync())
                .unwrap();
            let response = layer.layer(server.clone()).oneshot(request).await.unwrap();
            let status = response.headers()["cache-status"].to_str().unwrap();
            outcomes.push(status.split(';').nth(1).unwrap().trim().to_owned());
        }
        let expected = if stored { ["fwd=miss", "hit"] } else { ["fwd=bypass"; 2] };
        assert_eq!(outcomes, expected, "{content_type}");
    }
}

type Scripted = BoxCloneSyncService<Request<Body>, Response<Body>, &'static str>;

/// An upstream that gives every call the same answer.
fn scripted(reply: impl Fn() -> Result<Response<Body>, &'static str> + Send + Sync + 'static) -> (Client, Asked) {
    let asked = Asked::default();
    let count = Arc::clone(&asked);
    let reply = Arc::new(reply);
    let service: Scripted = BoxCloneSyncService::new(service_fn(move |_: Request<Body>| {
        *count.lock().unwrap() += 1;
        let reply = Arc::clone(&reply);
        async move { reply() }
    }));
    (Client::new(&service, Engine::Postgres), asked)
}

type Asked = Arc<Mutex<usize>>;

async fn never_stored(reply: impl Fn() -> Response<Body> + Send + Sync + 'static) -> Reply {
    let (client, asked) = scripted(move || Ok(reply()));
    client.check(&check("plan", "ada", None)).await;
    let last = client.check(&check("plan", "ada", None)).await;
    assert_eq!((*asked.lock().unwrap(), entries(&client)), (2, 0));
    assert!(!last.is_hit());
    last
}

fn decision(token: Option<&str>) -> CheckPermissionResponse {
    CheckPermissionResponse {
        checked_at: token.map(ZedToken::new),
        permissionship: HAS_PERMISSION,
        ..CheckPermissionResponse::default()
    }
}

/// A reply with this body and these trailers.
fn reply(body: Bytes, trailers: Option<HeaderMap>) -> Response<Body> {
    let frames = [Some(Frame::data(body)), trailers.map(Frame::trailers)];
    let stream = tokio_stream::iter(frames.into_iter().flatten().map(Ok::<_, Infallible>));
    let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

#[tokio::test]
async fn rule_11_odd_replies_pass_and_are_not_stored() {
    let server = Server::new(Engine::Postgres);
    let good = decision(Some(&server.token(7))).encode_to_vec();
    let status = |code: &str| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_str(code).unwrap());
        Some(trailers)
    };
    let unknown_field = [&good[..], &written(127, b"x")].concat();
    let mut compressed = frame(&good).to_vec();
    compressed[0] = 1;
    for (body, trailers) in [
        (frame(&decision(None).encode_to_vec()), status("0")),
        (frame(&decision(Some("not a token")).encode_to_vec()), status("0")),
        (frame(&decision(Some("")).encode_to_vec()), status("0")),
        (frame(&unknown_field), status("0")),
        (frame(&good[..good.len() - 3]), status("0")),
        (frame(&good).slice(..9), status("0")),
        (Bytes::new(), status("0")),
        ([frame(&good), frame(&good)].concat().into(), status("0")),
        (compressed.into(), status("0")),
        (frame(&good), None),
        (frame(&good), Some(HeaderMap::new())),
        (frame(&good), status("13")),
        (frame(&good), status("zero")),
    ] {
        let (sent_body, sent_trailers) = (body.clone(), trailers.clone());
        let last = never_stored(move || reply(sent_body.clone(), sent_trailers.clone())).await;
        assert_eq!((last.body, last.trailers), (body, trailers), "whole and unmodified");
    }
    let failed = never_stored(|| failed(UNAVAILABLE, "down")).await;
    assert_eq!(failed.status(), UNAVAILABLE);
}

#[tokio::test]
async fn rule_14_a_truncated_reply_fails_for_all_callers() {
    let (client, asked) = scripted(|| Err("connection reset"));
    for _ in 0..2 {
        let request = check("plan", "ada", None);
        let outcome = tokio::spawn({
            let client = client.clone();
            async move { client.check(&request).await }
        });
        assert!(outcome.await.is_err(), "the caller has the error by value");
    }
    assert_eq!((*asked.lock().unwrap(), entries(&client)), (2, 0));
}

#[tokio::test]
async fn rule_08_another_datastores_reply_resets_what_is_known() {
    let server = Server::new(Engine::Postgres);
    let ours = server.token(7);
    let theirs = server.token_of(8, "anothers");
    let next = Arc::new(Mutex::new(vec![theirs, ours]));
    let (client, _) = scripted(move || {
        let mut next = next.lock().unwrap();
        let token = if next.len() > 1 {
            next.pop()
        } else {
            next.last().cloned()
        };
        Ok(succeeded(&decision(token.as_deref()).encode_to_vec()))
    });
    client.check(&check("plan", "ada", None)).await;
    assert!(client.check(&check("plan", "ada", None)).await.is_hit());
    client.check(&check("plan", "bob", full())).await;
    assert!(!client.check(&check("plan", "ada", None)).await.is_hit(), "a new epoch");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_15_no_bytes_panic(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        of_bulk: bool,
        in_reply: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let server = Server::new(Engine::Postgres);
            let token = server.token(1000);
            let (method, message) = if of_bulk {
                (BULK, bulk(&[("plan", "ada"), ("plan", "bob")], at_least(&token)).encode_to_vec())
            } else {
                (CHECK, check("plan", "ada", at_least(&token)).encode_to_vec())
            };
            let mutate = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                for (index, byte) in &flips {
                    let index = index.index(bytes.len());
                    bytes[index] ^= byte;
                }
                bytes.truncate(cut.index(bytes.len() * 4) + 1);
                Bytes::from(bytes)
            };
            if in_reply {
                let body = mutate(&frame(&decision(Some(&token)).encode_to_vec()));
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                let (client, _) = scripted({
                    let body = body.clone();
                    move || Ok(reply(body.clone(), Some(trailers.clone())))
                });
                let first = client.send(method, frame(&message)).await;
                let second = client.send(method, frame(&message)).await;
                for reply in [first, second] {
                    // An answer below the floor is rejected, and a stored token is spelled canonically.
                    assert!(reply.body == body || reply.status() == UNAVAILABLE || reply.is_hit());
                }
            } else {
                let client = Client::new(&server, Engine::Postgres);
                let body = mutate(&frame(&message));
                let first = client.send(method, body.clone()).await;
                let second = client.send(method, body).await;
                assert_eq!((first.status(), &first.body), (second.status(), &second.body));
            }
        });
    }
}
