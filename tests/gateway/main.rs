//! The example service behind the layer, from the callers' side.

mod nodes;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_zookie::consistency::Staleness;
use tower_zookie::store::{History, Schema, Store, Update};
use tower_zookie::token::RevisionToken;
use tower_zookie::{ZookieLayer, ZookieService};

const CHECK: &str = "/check?resource=folder:plans&permission=read&subject=user:alice";
const LEAVE: &str = "team:heist#member@user:alice";

/// The service and the store behind it.
struct Gateway {
    service: ZookieService<axum::Router, gateway::layer::Api>,
    layer: ZookieLayer<gateway::layer::Api>,
    bare: axum::Router,
    store: Arc<Store>,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Gateway {
    fn new() -> Self {
        let schema = "definition user {}
            definition team { relation member: user }
            definition folder { relation reader: team#member permission read = reader }";
        let store = Arc::new(Store::new(Schema::parse(schema).unwrap()));
        let member = Update::create(LEAVE.parse().unwrap());
        let reader = Update::create("folder:plans#reader@team:heist#member".parse().unwrap());
        store.write([member, reader]).unwrap();
        let settings = gateway::layer::Settings {
            window: Duration::from_secs(5),
            staleness: Staleness::percent(10),
        };
        let layer = gateway::layer::build(settings).unwrap();
        let bare = gateway::service::router(gateway::service::Gateway::new(Arc::clone(&store), Duration::ZERO));
        let service = layer.layer(bare.clone());
        Self {
            service,
            layer,
            bare,
            store,
        }
    }

    async fn send(&self, request: axum::http::request::Builder, body: impl Into<Body>) -> Answer {
        let request = request.body(body.into()).unwrap();
        let (parts, body) = self.service.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    async fn check(&self, headers: &[(&str, &str)]) -> Answer {
        let request = headers.iter().fold(Request::get(CHECK), |request, (name, value)| {
            request.header(*name, *value)
        });
        self.send(request, Body::empty()).await
    }

    async fn write(&self, operation: &str, subject: &str) -> Answer {
        let change =
            json!({"operation": operation, "resource": "team:heist", "relation": "member", "subject": subject});
        let body = json!({"updates": [change]}).to_string();
        self.send(Request::post("/relationships"), body).await
    }

    fn zookie(&self, revision: u64) -> String {
        RevisionToken::new(self.store.node_id(), revision).encode()
    }
}

#[tokio::test]
async fn rule_01_the_new_enemy_is_denied() {
    let gateway = Gateway::new();
    assert_eq!(gateway.check(&[]).await.body["allowed"], true);

    // Both behind the layer's back: Alice leaves, and the team saves what she must not see.
    let left = gateway.store.write([Update::delete(LEAVE.parse().unwrap())]).unwrap();
    let content = gateway.zookie(left);

    let without = gateway.check(&[]).await;
    assert_eq!(without.header("cache-status"), "tower-zookie; hit");
    assert_eq!(
        without.body["allowed"], true,
        "the cached answer is there, and is what the token guards against"
    );

    let with = gateway.check(&[("zookie", &content)]).await;
    assert_eq!(with.body["allowed"], false);
    assert_eq!(with.body["zookie"], content);
    assert!(with.header("cache-status").contains("fwd=stale"));
    assert_eq!(
        gateway.check(&[]).await.body["allowed"],
        false,
        "the newer answer is everyone's from now on"
    );
}

#[tokio::test]
async fn a_writes_zookie_reads_your_own_write() {
    let gateway = Gateway::new();
    gateway.check(&[]).await;
    let written = gateway.write("delete", "user:alice").await;
    let cookie = written.header("set-cookie").split(';').next().unwrap().to_owned();
    for headers in [[("zookie", written.header("zookie"))], [("cookie", &*cookie)]] {
        let answer = gateway.check(&headers).await;
        assert_eq!(answer.body["allowed"], false, "{answer:?}");
    }
}

#[tokio::test]
async fn a_failed_write_changes_nothing_and_says_why() {
    let gateway = Gateway::new();
    let before = gateway.store.current_revision();
    for (operation, subject, reason) in [
        ("create", "user:alice", "exists already"),
        ("delete", "user:bob", "does not exist"),
    ] {
        let answer = gateway.write(operation, subject).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(answer.body["detail"].as_str().unwrap().contains(reason), "{answer:?}");
    }
    assert_eq!(gateway.store.current_revision(), before);
}

#[tokio::test]
async fn rule_09_foreign_tokens_are_rejected_and_cookies_replaced() {
    let gateway = Gateway::new();
    gateway.check(&[]).await;
    let foreign = RevisionToken::new("elsewhere", 7).encode();
    let cookie = format!("zookie={}", foreign.replace('=', "%3D"));
    for _ in 0..2 {
        assert_eq!(
            gateway.check(&[("zookie", &foreign)]).await.status,
            StatusCode::BAD_REQUEST
        );
        let answer = gateway.check(&[("cookie", &cookie)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let own = gateway.zookie(gateway.store.current_revision());
        assert_eq!(answer.header("zookie"), own);
        assert!(
            answer
                .header("set-cookie")
                .starts_with(&format!("zookie={}", own.trim_end_matches('=')))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_head_below_its_own_stores_cookie_is_rejected() {
    let gateway = Gateway::new();
    gateway.check(&[]).await;
    let ahead = gateway.zookie(gateway.store.current_revision() + 1);
    let cookie = format!("zookie={}", ahead.replace('=', "%3D"));
    for _ in 0..2 {
        let answer = gateway.check(&[("cookie", &cookie)]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        // The write may still arrive from another node, so the browser keeps its floor.
        assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
        assert_eq!(answer.header("retry-after"), "1");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_foreign_cookie_does_not_hide_the_floor() {
    let gateway = Gateway::new();
    let ahead = gateway.zookie(gateway.store.current_revision() + 1);
    let foreign = RevisionToken::new("elsewhere", 7).encode();
    let cookie = |zookie: &str| format!("zookie={}", zookie.replace('=', "%3D"));
    let cookies = [cookie(&foreign), cookie(&ahead)].join("; ");
    let answer = gateway.check(&[("cookie", &cookies)]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
}

#[tokio::test]
async fn rule_01_a_head_never_covers_an_incomparable_token() {
    let gateway = Gateway::new();
    let own = gateway.store.node_id();
    let concurrent = RevisionToken::with_vector_clock(own, 1, [(own, 1), ("elsewhere", 3)]).encode();
    let headers = [("zookie", &*concurrent), ("zookie-consistency", "fully-consistent")];
    let answer = gateway.check(&headers).await;
    // The store is asked to wait for it, and knows that the node is none of its own.
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
}

#[tokio::test]
async fn rule_11_errors_are_not_stored() {
    let gateway = Gateway::new();
    for query in [
        "permission=nope&subject=user:alice",
        "permission=read&subject=nobody:alice",
        "permission=read",
    ] {
        for _ in 0..2 {
            let request = Request::get(format!("/check?resource=folder:plans&{query}"));
            let answer = gateway.send(request, Body::empty()).await;
            assert!(answer.status.is_client_error());
            let status = answer.header("cache-status");
            assert!(
                status.contains("fwd=miss") && !status.contains("; stored"),
                "{answer:?}"
            );
        }
    }
    assert_eq!(gateway.layer.handle().stats().entries, 0);
}

impl Gateway {
    /// Follows the feed of the store, which is open when this returns.
    async fn followed() -> Self {
        let gateway = Self::new();
        gateway::layer::follow(&gateway.layer, Arc::clone(&gateway.store));
        gateway.until(|feeds| feeds.ready == 1).await;
        gateway
    }

    /// Waits until this holds of the feed.
    async fn until(&self, holds: impl Fn(&tower_zookie::changes::FeedStats) -> bool) {
        while !holds(&self.layer.handle().stats().feeds) {
            tokio::task::yield_now().await;
        }
    }

    /// Writes behind the layer's back, and waits until the feed has reported it. Returns the zookie.
    async fn write_elsewhere(&self, update: Update) -> String {
        let checkpoints = self.layer.handle().stats().feeds.checkpoints;
        let revision = self.store.write([update]).unwrap();
        self.until(|feeds| feeds.checkpoints > checkpoints).await;
        self.zookie(revision)
    }
}

#[tokio::test]
async fn rule_13_an_answer_outlives_changes_that_do_not_concern_it() {
    let gateway = Gateway::followed().await;
    assert_eq!(gateway.check(&[]).await.body["allowed"], true);
    let newcomer = Update::create("team:heist#member@user:bob".parse().unwrap());
    let zookie = gateway.write_elsewhere(newcomer).await;
    let answer = gateway.check(&[("zookie", &zookie)]).await;
    assert_eq!(answer.header("cache-status"), "tower-zookie; hit", "{answer:?}");
    assert_eq!(answer.header("zookie"), zookie, "it is true there as well");
    assert_eq!(answer.body, json!({"allowed": true, "zookie": zookie}));
}

#[tokio::test]
async fn rule_13_an_answer_ends_with_the_change_that_concerns_it() {
    let gateway = Gateway::followed().await;
    assert_eq!(gateway.check(&[]).await.body["allowed"], true);
    gateway.write_elsewhere(Update::delete(LEAVE.parse().unwrap())).await;
    let answer = gateway.check(&[]).await;
    assert_eq!(answer.body["allowed"], false, "without a zookie");
    assert!(answer.header("cache-status").contains("changed"), "{answer:?}");
}

#[tokio::test]
async fn rule_13_changes_concern_authzen_ids_as_they_are_stored() {
    let gateway = Gateway::followed().await;
    let question = evaluation(("user", "beth@the-smiths.com"), "read", ("folder", "plans"));
    assert_eq!(gateway.evaluate(&question).await.body["decision"], false);
    let beth = format!(
        "team:heist#member@user:{}",
        gateway::service::ids::stored("beth@the-smiths.com")
    );
    gateway.write_elsewhere(Update::create(beth.parse().unwrap())).await;
    assert_eq!(gateway.evaluate(&question).await.body["decision"], true);
}

#[tokio::test]
async fn authzen_defaults_semantics_and_item_errors() {
    let gateway = Gateway::new();
    let ask = async |semantic: &str| {
        let body = json!({
            "subject": {"type": "user", "id": "alice"},
            "action": {"name": "read"},
            "evaluations": [
                {"resource": {"type": "folder", "id": "plans"}},
                {"resource": {"type": "cupboard", "id": "plans"}},
                {"resource": {"type": "folder", "id": "plans"}, "subject": {"type": "user", "id": "bob"}},
            ],
            "options": {"evaluations_semantic": semantic},
        });
        let request = Request::post("/access/v1/evaluations")
            .header("content-type", "application/json")
            .header("x-request-id", "mine");
        let answer = gateway.send(request, body.to_string()).await;
        assert_eq!((answer.status, answer.header("x-request-id")), (StatusCode::OK, "mine"));
        answer.body["evaluations"].as_array().unwrap().clone()
    };
    for _ in 0..2 {
        let all = ask("execute_all").await;
        let decisions: Vec<_> = all.iter().map(|item| item["decision"].as_bool().unwrap()).collect();
        assert_eq!(decisions, [true, false, false]);
        assert!(
            all[1]["context"]["reason"]
                .as_str()
                .unwrap()
                .contains("no type `cupboard`")
        );
        assert_eq!(ask("deny_on_first_deny").await.len(), 2);
        assert_eq!(ask("permit_on_first_permit").await.len(), 1);
    }
}

/// A whole evaluation.
fn evaluation(subject: (&str, &str), action: &str, resource: (&str, &str)) -> Value {
    json!({
        "subject": {"type": subject.0, "id": subject.1},
        "action": {"name": action},
        "resource": {"type": resource.0, "id": resource.1},
    })
}

impl Gateway {
    async fn evaluate(&self, evaluation: &Value) -> Answer {
        let request = Request::post("/access/v1/evaluation").header("content-type", "application/json");
        self.send(request, evaluation.to_string()).await
    }
}

#[tokio::test]
async fn authzen_takes_json_only() {
    let gateway = Gateway::new();
    let question = evaluation(("user", "alice"), "read", ("folder", "plans")).to_string();
    for path in ["/access/v1/evaluation", "/access/v1/evaluations"] {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
        ] {
            let request = Request::post(path).header("content-type", good);
            let answer = gateway.send(request, question.clone()).await;
            assert_eq!(answer.body["decision"], true, "{good}: {answer:?}");
        }
        for bad in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "",
            "json",
        ] {
            let request = Request::post(path)
                .header("content-type", bad)
                .header("x-request-id", "mine");
            let answer = gateway.send(request, question.clone()).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}: {answer:?}");
            let detail = answer.body["detail"].as_str().unwrap();
            assert!(detail.contains("content type is not `application/json`"), "{detail}");
            assert_eq!(answer.header("x-request-id"), "mine");
        }
        let answer = gateway.send(Request::post(path), question.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    }
}

/// The specification knows 400, 401, 403 and 500 as errors. Whatever else is asked has a decision.
#[tokio::test]
async fn authzen_denies_what_the_schema_does_not_know() {
    let gateway = Gateway::new();
    let (alice, plans) = (("user", "alice"), ("folder", "plans"));
    let long = "a".repeat(1025);
    for (question, why) in [
        (evaluation(("robot", "alice"), "read", plans), "no type `robot`"),
        (
            evaluation(("Robot Arm", "alice"), "read", plans),
            "`Robot Arm` is not a valid type",
        ),
        (evaluation(alice, "read", ("cupboard", "plans")), "no type `cupboard`"),
        (evaluation(alice, "burn", plans), "no relation or permission `burn`"),
        (
            evaluation(alice, "Burn It!", plans),
            "no relation or permission `Burn It!`",
        ),
        (evaluation(alice, "", plans), "no relation or permission ``"),
        (evaluation(("user", ""), "read", plans), "not a valid object id"),
        (evaluation(("user", &long), "read", plans), "not a valid object id"),
    ] {
        for _ in 0..2 {
            let answer = gateway.evaluate(&question).await;
            assert_eq!(
                (answer.status, &answer.body["decision"]),
                (StatusCode::OK, &false.into()),
                "{answer:?}"
            );
            let reason = answer.body["context"]["reason"].as_str().unwrap();
            assert!(reason.contains(why), "{reason}");
            let body = json!({"evaluations": [question]});
            let request = Request::post("/access/v1/evaluations").header("content-type", "application/json");
            let several = gateway.send(request, body.to_string()).await;
            assert_eq!(several.body["evaluations"][0], answer.body);
        }
    }
    for missing in ["subject", "action", "resource"] {
        let mut question = evaluation(alice, "read", plans);
        question.as_object_mut().unwrap().remove(missing);
        let answer = gateway.evaluate(&question).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.body["detail"].as_str().unwrap().contains(missing), "{answer:?}");
    }
    for (pointer, wrong) in [
        ("/subject", json!("alice")),
        ("/action/name", json!(1)),
        ("/resource/id", json!(null)),
    ] {
        let mut question = evaluation(alice, "read", plans);
        *question.pointer_mut(pointer).unwrap() = wrong;
        assert_eq!(
            gateway.evaluate(&question).await.status,
            StatusCode::BAD_REQUEST,
            "{pointer}"
        );
    }
}

#[tokio::test]
async fn authzen_ids_may_be_any_text() {
    let gateway = Gateway::new();
    let member = |id: &str| format!("user:{}", gateway::service::ids::stored(id));
    for id in [
        "beth@the-smiths.com",
        "/users/{id}",
        "Zoë",
        "a#b:c",
        "*",
        "spaces and all",
        "x=40y",
    ] {
        let question = evaluation(("user", id), "read", ("folder", "plans"));
        assert_eq!(gateway.evaluate(&question).await.body["decision"], false, "{id}");
        let written = gateway.write("create", &member(id)).await;
        assert_eq!(written.status, StatusCode::OK, "{written:?}");
        let floor = Request::post("/access/v1/evaluation")
            .header("content-type", "application/json")
            .header("zookie", written.header("zookie"));
        let answer = gateway.send(floor, question.to_string()).await;
        assert_eq!(answer.body["decision"], true, "{id}: {answer:?}");
    }
    // Neither `*` nor what looks like an escape is somebody else.
    for id in ["eve", "x@y", "beth=40the-smiths=2Ecom"] {
        let question = evaluation(("user", id), "read", ("folder", "plans"));
        assert_eq!(gateway.evaluate(&question).await.body["decision"], false, "{id}");
    }
    let rejected = gateway.write("create", "user:eve@example.com").await;
    assert_eq!(rejected.status, StatusCode::BAD_REQUEST);
    let detail = rejected.body["detail"].as_str().unwrap();
    assert!(
        detail.ends_with("; AuthZEN's id `eve@example.com` is stored as `eve=40example=2Ecom`"),
        "{detail}"
    );
}

#[tokio::test]
async fn authzens_metadata_name_the_endpoints() {
    let gateway = Gateway::new();
    let path = "/.well-known/authzen-configuration";
    let ask = async |service: axum::Router, host: Option<&str>| {
        let request = host
            .iter()
            .fold(Request::get(path), |request, host| request.header("host", *host));
        let reply = service.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = reply.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (
            parts.status,
            parts.headers,
            serde_json::from_slice::<Value>(&body).unwrap(),
        )
    };
    let (status, headers, body) = ask(gateway.bare.clone(), Some("pdp.example:8080")).await;
    assert_eq!(
        (status, &headers["content-type"]),
        (StatusCode::OK, &"application/json".parse().unwrap())
    );
    let expected = |base: &str| {
        json!({
            "policy_decision_point": base,
            "access_evaluation_endpoint": format!("{base}/access/v1/evaluation"),
            "access_evaluations_endpoint": format!("{base}/access/v1/evaluations"),
        })
    };
    assert_eq!(body, expected("http://pdp.example:8080"));
    let through_the_layer = gateway
        .send(Request::get(path).header("host", "pdp.example"), Body::empty())
        .await;
    assert_eq!(through_the_layer.body, expected("http://pdp.example"));
    for bad in [None, Some("pdp.example/evil?"), Some("user@pdp.example"), Some("")] {
        assert_eq!(
            ask(gateway.bare.clone(), bad).await.0,
            StatusCode::BAD_REQUEST,
            "{bad:?}"
        );
    }

    let base = "https://pdp.example.com/".parse().unwrap();
    let service = gateway::service::Gateway::new(Arc::clone(&gateway.store), Duration::ZERO).base_url(Some(base));
    let (_, _, body) = ask(gateway::service::router(service), Some("elsewhere")).await;
    assert_eq!(body, expected("https://pdp.example.com"));
    for bad in [
        "pdp.example.com",
        "ftp://a",
        "https://a/b",
        "https://a?b",
        "https://a#b",
        "https://a:b@c",
        "",
    ] {
        let error = bad.parse::<gateway::service::BaseUrl>().unwrap_err().to_string();
        let expected =
            format!("`{bad}` is no base URL; write it as `https://HOST` or `https://HOST:PORT`, without a path");
        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn any_history_is_loaded_and_callers_have_a_limit() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("history-of-a-large-transaction");
    std::fs::create_dir_all(&folder).unwrap();
    let schema = "definition user {} definition team { relation member: user }";
    std::fs::write(folder.join("schema.zed"), schema).unwrap();
    let updates: Vec<_> = (0..1_001)
        .map(|nth| json!(["touch", "team:heist", "member", format!("user:u{nth}")]))
        .collect();
    let transaction = json!({"t": 1, "updates": updates}).to_string();
    std::fs::write(folder.join("transactions.jsonl"), transaction).unwrap();
    let (store, example) = gateway::data::load(History::open(&folder).unwrap()).unwrap();
    assert_eq!(store.current_revision(), 2);
    assert_eq!(example.unwrap().to_string(), "team:heist#member@user:u1000");

    let gateway = Gateway::new();
    let updates: Vec<_> = (0..1_001)
        .map(|nth| json!({"operation": "touch", "resource": "team:heist", "relation": "member", "subject": format!("user:u{nth}")}))
        .collect();
    let answer = gateway
        .send(Request::post("/relationships"), json!({"updates": updates}).to_string())
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(
        answer.body["detail"]
            .as_str()
            .unwrap()
            .contains("more than the limit of 1000"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn an_unmodified_request_still_has_its_floor() {
    let gateway = Gateway::new();
    let future = gateway.zookie(1_000_000);
    let cookie = format!("zookie={}", future.replace('=', "%3D"));
    let request = Request::get(CHECK)
        .header("cookie", cookie)
        .body(Body::empty())
        .unwrap();
    let reply = gateway.bare.clone().oneshot(request).await.unwrap();
    assert_eq!(reply.status(), StatusCode::CONFLICT);
}
