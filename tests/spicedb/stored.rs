//! What a reply from memory looks like, and what is never stored.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, advance};
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::grpc::{DEADLINE_EXCEEDED, FAILED_PRECONDITION, INVALID_ARGUMENT, Reply, UNAVAILABLE};
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{
    CheckPermissionRequest, Kind, Timestamp, at_least, check, context, object,
};

use crate::server::Server;

fn before(server: &Server) -> Client {
    Client::new(server, Engine::Postgres)
}

#[tokio::test]
async fn a_hit_has_the_same_message_and_the_callers_own_trailers() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let request = check("plan", "ada", None);
    let asked = client.check(&request).await;
    assert_eq!(asked.trailers.as_ref().unwrap()["x-request-id"], "of-the-leader");
    assert!(asked.cache_status().starts_with("tower-zookie; fwd=miss; stored"));
    let hit = client.metadata("x-request-id", "of-this-caller").check(&request).await;
    assert!(hit.is_hit());
    assert_eq!((&hit.body, hit.at()), (&asked.body, asked.at()));
    assert_eq!(hit.header("content-type"), Some("application/grpc"));
    assert_eq!(
        (hit.header("server"), hit.header("cache-control")),
        (None, Some("no-store"))
    );
    let trailers = hit.trailers.unwrap();
    for (name, value) in [
        ("grpc-status", "0"),
        ("grpc-message", ""),
        ("io.spicedb.respmeta.dispatchedoperationscount", "0"),
        ("io.spicedb.respmeta.cachedoperationscount", "1"),
    ] {
        assert_eq!(trailers[name], value, "{name}");
    }
    assert_eq!(trailers.len(), 4, "{trailers:?}");
}

async fn twice(client: &Client, server: &Server, request: &CheckPermissionRequest) -> (Reply, usize) {
    server.calls();
    client.check(request).await;
    let reply = client.check(request).await;
    (reply, server.calls().len())
}

#[tokio::test]
async fn rule_11_a_condition_is_stored_under_its_exact_context() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let caveated = |context| CheckPermissionRequest {
        permission: "caveated".to_owned(),
        context,
        ..check("budget", "dave", None)
    };
    let amount = |amount| context(&[("amount", amount)]);
    for (context, permissionship) in [
        (None, 3),
        (amount(Kind::NumberValue(50.0)), 2),
        (amount(Kind::NumberValue(500.0)), 1),
    ] {
        let (reply, calls) = twice(&client, &server, &caveated(context)).await;
        assert_eq!(
            (reply.checked().permissionship, reply.is_hit(), calls),
            (permissionship, true, 1)
        );
    }
    let (reply, calls) = twice(&client, &server, &caveated(amount(Kind::StringValue("50".into())))).await;
    assert_eq!((reply.status(), calls), (INVALID_ARGUMENT, 2));
}

#[tokio::test]
async fn rule_11_only_plain_decisions_are_stored() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let traced = CheckPermissionRequest {
        with_tracing: true,
        ..check("plan", "ada", None)
    };
    let unknown = CheckPermissionRequest {
        resource: object("planet", "earth"),
        ..check("plan", "ada", None)
    };
    let odd = check("odd", "ada", None);
    for request in [&traced, &unknown, &odd] {
        let (reply, calls) = twice(&client, &server, request).await;
        assert_eq!((reply.is_hit(), calls), (false, 2), "{request:?}");
    }
    assert_eq!(client.check(&unknown).await.status(), FAILED_PRECONDITION);
    let debug = client.metadata("io.spicedb.requestdebuginfo", "1");
    let (reply, calls) = twice(&debug, &server, &check("plan", "ada", None)).await;
    assert_eq!((reply.is_hit(), calls), (false, 2));
    let (_, calls) = twice(&client, &server, &check("plan", "ada", None)).await;
    assert_eq!(calls, 1, "and nothing of it is in the way of a plain one");
}

#[tokio::test]
async fn rule_14_errors_are_forwarded_and_not_stored() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    for status in 1..=16 {
        server.state().down = Some(status);
        let (reply, calls) = twice(&client, &server, &check("plan", "ada", None)).await;
        assert_eq!((reply.status(), reply.trailers.is_none(), calls), (status, true, 2));
        assert_eq!(
            (reply.header("grpc-message"), reply.header("zookie")),
            (Some("down"), None)
        );
    }
    server.state().down = None;
    assert!(!client.check(&check("plan", "ada", None)).await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_12_an_expiry_in_the_reply_is_honoured() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(2);
    server.state().expires_at = Some(Timestamp {
        seconds: i64::try_from(soon.as_secs()).unwrap(),
        nanos: i32::try_from(soon.subsec_nanos()).unwrap(),
    });
    client.check(&check("plan", "ada", None)).await;
    advance(Duration::from_millis(500)).await;
    assert!(client.check(&check("plan", "ada", None)).await.is_hit());
    advance(Duration::from_millis(1500)).await;
    assert!(!client.check(&check("plan", "ada", None)).await.is_hit());
    server.state().expires_at = Some(Timestamp { seconds: 1, nanos: 0 });
    let (reply, calls) = twice(&client, &server, &check("plan", "bob", None)).await;
    assert_eq!((reply.is_hit(), calls), (false, 2), "over already");
}

#[tokio::test(start_paused = true)]
async fn rule_07_each_caller_has_its_own_deadline() {
    let server = Server::new(Engine::Postgres);
    server.state().latency = Duration::from_secs(1);
    let client = before(&server);
    let began = Instant::now();
    let request = check("plan", "ada", None);
    let hurried = client
        .metadata("grpc-timeout", "50m")
        .metadata("x-request-id", "mine")
        .metadata("traceparent", "00-1-1-00");
    let patient = client.clone();
    let follower = tokio::spawn({
        let request = request.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            patient.check(&request).await
        }
    });
    let gone = hurried.check(&request).await;
    assert_eq!(
        (gone.status(), began.elapsed()),
        (DEADLINE_EXCEEDED, Duration::from_millis(50))
    );
    let answered = follower.await.unwrap();
    assert!(answered.cache_status().contains("; collapsed"), "{answered:?}");
    assert!(!answered.has() && began.elapsed() == Duration::from_secs(1));
    let calls = server.calls();
    assert_eq!(calls.len(), 1);
    for own in ["grpc-timeout", "grpc-accept-encoding", "x-request-id", "traceparent"] {
        assert!(!calls[0].headers.contains_key(own), "{own}");
    }
    assert_eq!(calls[0].headers["authorization"], "Bearer example-key");
}

#[tokio::test(start_paused = true)]
async fn rule_14_a_hanging_upstream_is_a_grpc_error() {
    let server = Server::new(Engine::Postgres);
    server.state().latency = Duration::from_secs(3600);
    let client = before(&server);
    let reply = client.check(&check("plan", "ada", None)).await;
    assert_eq!((reply.status(), reply.trailers.is_none()), (DEADLINE_EXCEEDED, true));
    assert_ne!(reply.status(), UNAVAILABLE);
    server.state().latency = Duration::ZERO;
    let token = server.set("plan", "ada", true);
    assert!(client.check(&check("plan", "ada", at_least(&token))).await.has());
}
