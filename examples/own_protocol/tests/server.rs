//! The real server behind the layer.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use own_protocol::{Store, behind_following_layer, behind_layer};
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_zookie::changes::FeedStats;

struct Reply {
    status: u16,
    cache_status: String,
    body: Value,
}

async fn call(service: &Router, path: &str, message: Value) -> Reply {
    let request = Request::post(path).header("content-type", "application/json");
    let request = request.body(Body::from(message.to_string())).unwrap();
    let reply = service.clone().oneshot(request).await.unwrap();
    let status = reply.status().as_u16();
    let cache_status = reply
        .headers()
        .get("cache-status")
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Reply {
        status,
        cache_status,
        body,
    }
}

fn service() -> Router {
    behind_layer(Arc::new(Store::default())).unwrap()
}

fn question(subject: &str) -> Value {
    json!({"subject": subject, "action": "read", "resource": "doc"})
}

async fn allow(service: &Router, subject: &str) -> String {
    let mut grant = question(subject);
    grant["allowed"] = true.into();
    let reply = call(service, "/v1/grants", grant).await;
    reply.body["revision"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn rule_01_a_check_includes_the_write_of_its_token() {
    let service = service();
    let check = async |at: Option<&str>| {
        let mut message = question("u1");
        if let Some(at) = at {
            message["at"] = at.into();
        }
        call(&service, "/v1/check", message).await
    };
    assert_eq!(check(None).await.body, json!({"allowed": false, "revision": "1"}));
    assert_eq!(check(None).await.cache_status, "tower-zookie; hit");
    let revision = allow(&service, "u1").await;
    let denied = check(None).await;
    assert_eq!(
        denied.body["allowed"], false,
        "within the window, and without the token"
    );
    let allowed = check(Some(&revision)).await;
    assert_eq!(allowed.body, json!({"allowed": true, "revision": "2"}));
    assert!(
        allowed.cache_status.starts_with("tower-zookie; fwd=stale; stored"),
        "{}",
        allowed.cache_status
    );
    assert_eq!(
        check(Some("9")).await.status,
        409,
        "the store says itself that it has not reached it"
    );
}

#[tokio::test]
async fn rule_02_an_exact_read_answers_at_its_revision() {
    let service = service();
    let revision = allow(&service, "u1").await;
    for (at, allowed) in [("1", false), (&*revision, true)] {
        let mut message = question("u1");
        message["at"] = at.into();
        message["read"] = "exactly".into();
        let reply = call(&service, "/v1/check", message).await;
        assert_eq!(reply.body, json!({"allowed": allowed, "revision": at}));
    }
}

#[tokio::test]
async fn rule_16_a_bulk_takes_what_the_cache_knows() {
    let service = service();
    allow(&service, "u1").await;
    let bulk = async |subjects: &[&str]| {
        let checks: Vec<_> = subjects.iter().map(|subject| question(subject)).collect();
        call(&service, "/v1/check-all", json!({ "checks": checks })).await
    };
    bulk(&["u1"]).await;
    let reply = bulk(&["u2", "u1"]).await;
    assert!(
        reply.cache_status.contains("1 of 2 from the cache"),
        "{}",
        reply.cache_status
    );
    assert_eq!(
        reply.body,
        json!({"results": [{"allowed": false}, {"allowed": true}], "revision": "2"})
    );
    assert_eq!(bulk(&["u1", "u2"]).await.cache_status, "tower-zookie; hit");
}

#[tokio::test]
async fn rule_13_an_answer_is_served_until_a_write_concerns_it() {
    let (service, handle) = behind_following_layer(Arc::new(Store::default())).unwrap();
    let until = async |holds: &dyn Fn(FeedStats) -> bool| {
        while !holds(handle.stats().feeds) {
            tokio::task::yield_now().await;
        }
    };
    let check = async |at: &str| {
        let mut message = question("u1");
        message["at"] = at.into();
        call(&service, "/v1/check", message).await
    };
    until(&|feeds| feeds.ready == 1).await;
    allow(&service, "u1").await;
    until(&|feeds| feeds.checkpoints == 1).await;
    assert!(check("2").await.cache_status.contains("stored"));

    allow(&service, "u2").await;
    until(&|feeds| feeds.checkpoints == 2).await;
    let outlived = check("3").await;
    assert_eq!(outlived.cache_status, "tower-zookie; hit");
    assert_eq!(outlived.body, json!({"allowed": true, "revision": "3"}));

    let mut denied = question("u1");
    denied["allowed"] = false.into();
    call(&service, "/v1/grants", denied).await;
    until(&|feeds| feeds.checkpoints == 3).await;
    let ended = check("2").await;
    assert!(ended.cache_status.contains("changed"), "{}", ended.cache_status);
    assert_eq!(ended.body, json!({"allowed": false, "revision": "4"}));
}
