//! What the layer says of a request that it is only asked about.

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use serde_json::json;
use tower_zookie::ZookieLayer;
use tower_zookie::cache::Miss;
use tower_zookie_testing::scripted::{Client, Upstream, both, z};

fn check(resource: &str) -> http::request::Builder {
    Request::get(format!("/check?resource={resource}"))
}

fn empty(builder: http::request::Builder) -> Request<Bytes> {
    builder.body(Bytes::new()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn rule_17_an_explanation_says_what_would_happen_and_why() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let handle = client.layer.handle();
    let before = handle.explain(&empty(check("a")));
    assert_eq!(before.operation.as_deref(), Some("GET /check"));
    assert_eq!(before.would, "ask the upstream");
    assert_eq!(before.questions[0].miss, Some(Miss::First));
    assert_eq!(before.requirement.as_deref(), Some("no older than the window"));

    client.check("a").send().await;
    let stored = handle.explain(&empty(check("a")));
    assert_eq!(
        (&*stored.would, stored.questions[0].miss),
        ("be answered from the cache", None)
    );
    assert!(stored.questions[0].stored.unwrap().has_revision);

    let newer = handle.explain(&empty(check("a").header("zookie", z(9))));
    assert_eq!(newer.questions[0].miss, Some(Miss::Floor));
    let rejected = handle.explain(&empty(check("a").header("zookie", "no token")));
    assert!(rejected.would.starts_with("be rejected: "), "{}", rejected.would);
    let full = handle.explain(&empty(check("a").header("zookie-consistency", "fully-consistent")));
    assert_eq!(full.questions[0].miss, Some(Miss::Full));
}

#[tokio::test(start_paused = true)]
async fn an_explanation_asks_counts_and_notes_nothing() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let handle = client.layer.handle();
    for _ in 0..3 {
        let explained = handle.explain(&empty(check("a")));
        assert_eq!(explained.questions[0].miss, Some(Miss::First));
    }
    let stats = handle.stats();
    assert_eq!((upstream.calls(), stats.misses.total(), stats.hits), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn rule_10_what_is_stored_shows_only_with_the_callers_own_credentials() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").header("authorization", "Bearer alice").send().await;
    let handle = client.layer.handle();
    let as_bob = handle.explain(&empty(check("a").header("authorization", "Bearer bob")));
    assert!(as_bob.questions[0].stored.is_none());
    let as_alice = handle.explain(&empty(check("a").header("authorization", "Bearer alice")));
    assert!(as_alice.questions[0].stored.is_some());
}

#[tokio::test(start_paused = true)]
async fn rule_10_an_explanation_names_the_credentials_that_count() {
    let shared = ZookieLayer::builder(both()).callers_share(true);
    let identified = ZookieLayer::builder(both()).identity_instead_of([AUTHORIZATION], |request, identity| {
        if request.headers.contains_key("x-user") {
            identity.identify(b"alice");
        }
    });
    for (builder, of_caller) in [(shared, None), (identified, Some("credential identity"))] {
        let upstream = Upstream::new();
        let client = Client::of(&upstream, builder);
        let request = check("a")
            .header("x-user", "alice")
            .header("authorization", "Bearer alice");
        let explained = client
            .layer
            .handle()
            .explain(&empty(request.header("host", "pdp.example")));
        let parts = explained.key.iter();
        let names: Vec<_> = parts.map(|part| format!("{} {}", part.kind, part.name)).collect();
        let credentials = names
            .iter()
            .map(String::as_str)
            .filter(|name| name.starts_with("credential"));
        assert_eq!(credentials.collect::<Vec<_>>(), Vec::from_iter(of_caller), "{names:?}");
        for name in ["query resource", "header host"] {
            assert!(names.iter().any(|found| found == name), "{name} is not in {names:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_explanation_has_the_names_of_the_key_and_no_values() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let body = json!({
        "subject": { "type": "user", "id": "secret-subject" },
        "action": { "name": "read" },
        "resource": { "type": "doc", "id": "secret-doc" },
        "context": { "ip": "secret-ip", "nested": { "deep": 1 } },
        "more": 1,
    });
    let request = Request::post("/access/v1/evaluation?q=secret-query")
        .header("content-type", "application/json")
        .header("authorization", "Bearer secret-key")
        .header("cookie", "session=secret-session; zookie=")
        .header("accept", "text/secret")
        .body(Bytes::from(body.to_string()))
        .unwrap();
    let explained = client.layer.handle().explain(&request);
    let said = serde_json::to_string(&explained).unwrap();
    assert!(!said.contains("secret"), "{said}");
    let names: Vec<_> = explained
        .key
        .iter()
        .map(|part| format!("{} {}", part.kind, part.name))
        .collect();
    for name in [
        "credential authorization",
        "cookie session",
        "header accept",
        "query q",
        "member subject",
        "member action",
        "member resource",
        "member more",
        "context ip",
        "context nested",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} is not in {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("zookie")), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_passes_is_explained_by_the_closest_route() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let handle = client.layer.handle();
    for (request, why) in [
        (Request::get("/check/"), "`/` at its end"),
        (Request::get("/api/check"), "nested router"),
        (Request::delete("/check"), "another method"),
        (Request::get("/other"), "it matches no route"),
    ] {
        let explained = handle.explain(&empty(request));
        assert_eq!(explained.operation, None);
        assert!(explained.would.starts_with("pass untouched"), "{}", explained.would);
        assert!(explained.would.contains(why), "{}", explained.would);
    }
}

#[tokio::test(start_paused = true)]
async fn a_bulk_is_explained_question_by_question() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.bulk(&["a"], None).send().await;
    let bulk = tower_zookie_testing::scripted::bulk_body(&["a", "b"], None);
    let request = Request::post("/access/v1/evaluations").header("content-type", "application/json");
    let explained = client
        .layer
        .handle()
        .explain(&request.body(Bytes::from(bulk.to_string())).unwrap());
    assert_eq!(explained.would, "ask the upstream 1 of 2 questions");
    let misses: Vec<_> = explained.questions.iter().map(|question| question.miss).collect();
    assert_eq!(misses, [None, Some(Miss::First)]);
}
