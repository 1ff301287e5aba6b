//! The same over REST.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_zookie::ZookieService;
use tower_zookie::protocol::Permify;

use crate::client::SCHEMA;
use crate::server::{Api, Server};

struct Rest {
    service: ZookieService<Client<HttpConnector, Full<Bytes>>, Permify>,
    base: String,
}

struct Answer {
    http: StatusCode,
    status: String,
    body: Value,
}

impl Answer {
    fn hit(&self) -> bool {
        self.status == "tower-zookie; hit"
    }

    fn says(&self, allowed: bool) -> &Self {
        let can = if allowed {
            "CHECK_RESULT_ALLOWED"
        } else {
            "CHECK_RESULT_DENIED"
        };
        assert_eq!((self.http, &self.body["can"]), (StatusCode::OK, &json!(can)));
        self
    }
}

impl Rest {
    /// A client with a layer of its own, of a tenant that has a schema.
    async fn replica(server: &Server, name: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let layer = Server::builder(Permify::new(server.engine)).build().unwrap();
        let replica = Self {
            service: layer.layer(client),
            base: format!("{}/v1/tenants/{}", Api::Rest.url(), server.tenant(name)),
        };
        let written = replica.post("schemas/write", json!({"schema": SCHEMA})).await;
        assert_eq!(written.http, StatusCode::OK, "{}", written.body);
        replica
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let request = Request::post(format!("{}/{path}", self.base))
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))
            .unwrap();
        let (parts, body) = self.service.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let status = parts.headers.get("cache-status").map(|status| status.to_str().unwrap());
        Answer {
            http: parts.status,
            status: status.unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&body).unwrap(),
        }
    }

    async fn grant(&self, document: &str) -> String {
        let tuple = json!({
            "entity": {"type": "document", "id": document},
            "relation": "viewer",
            "subject": {"type": "user", "id": "alice"},
        });
        let body = json!({"metadata": {"schema_version": ""}, "tuples": [tuple]});
        token(&self.post("data/write", body).await)
    }

    async fn revoke(&self, document: &str) -> String {
        let filter = json!({
            "entity": {"type": "document", "ids": [document]},
            "relation": "viewer",
            "subject": {"type": "user", "ids": ["alice"]},
        });
        let body = json!({"tuple_filter": filter, "attribute_filter": {}});
        token(&self.post("data/delete", body).await)
    }

    async fn check(&self, document: &str, token: &str) -> Answer {
        let mut body = question(document);
        body["metadata"] = metadata(token);
        self.post("permissions/check", body).await
    }
}

fn token(written: &Answer) -> String {
    written.body["snap_token"].as_str().unwrap().to_owned()
}

fn metadata(token: &str) -> Value {
    json!({"snap_token": token, "schema_version": "", "depth": 20})
}

fn question(document: &str) -> Value {
    json!({
        "entity": {"type": "document", "id": document},
        "permission": "view",
        "subject": {"type": "user", "id": "alice"},
    })
}

pub(crate) async fn a_check_at_a_writes_token(server: &'static Server) {
    let rest = Rest::replica(server, "rest").await;
    let granted = rest.grant("plan").await;
    let first = rest.check("plan", &granted).await;
    assert!(first.says(true).status.contains("fwd=miss; stored"), "{}", first.status);
    let second = rest.check("plan", &granted).await;
    assert_eq!((second.hit(), &second.body), (true, &first.body));

    let revoked = rest.revoke("plan").await;
    for hit in [false, true] {
        assert_eq!(rest.check("plan", &revoked).await.says(false).hit(), hit);
    }
    for _ in 0..2 {
        assert!(!rest.check("plan", "").await.says(false).hit());
    }
}

pub(crate) async fn a_bulk_and_reads_that_are_not_stored(server: &'static Server) {
    let rest = Rest::replica(server, "rest-bulk").await;
    let token = rest.grant("plan").await;
    let bulk = |documents: [&str; 2]| json!({"metadata": metadata(&token), "items": documents.map(question)});
    let results = |answer: &Answer| {
        let results = answer.body["results"].as_array().unwrap().clone();
        results.iter().map(|one| one["can"].clone()).collect::<Vec<_>>()
    };
    let (allowed, denied) = (json!("CHECK_RESULT_ALLOWED"), json!("CHECK_RESULT_DENIED"));
    for _ in 0..2 {
        let answer = rest.post("permissions/bulk-check", bulk(["none", "plan"])).await;
        assert_eq!(results(&answer), [denied.clone(), allowed.clone()]);
        assert!(!answer.hit(), "{}", answer.status);
    }
    let expand = json!({
        "metadata": {"snap_token": token, "schema_version": ""},
        "entity": {"type": "document", "id": "plan"},
        "permission": "view",
    });
    let trees = [
        rest.post("permissions/expand", expand.clone()).await,
        rest.post("permissions/expand", expand).await,
    ];
    assert_eq!(trees.each_ref().map(Answer::hit), [false, true]);
    assert_eq!(trees[0].body, trees[1].body);

    let lookup = json!({
        "metadata": metadata(&token),
        "entity_type": "document",
        "permission": "view",
        "subject": {"type": "user", "id": "alice"},
    });
    for _ in 0..2 {
        let found = rest.post("permissions/lookup-entity", lookup.clone()).await;
        assert_eq!(found.body["entity_ids"], json!(["plan"]));
        assert!(found.status.contains("fwd=bypass"), "{}", found.status);
    }
}

/// Permify has to judge it.
pub(crate) async fn an_unreadable_token(server: &'static Server) {
    let rest = Rest::replica(server, "rest-bad").await;
    rest.grant("plan").await;
    for _ in 0..2 {
        let answer = rest.check("plan", "nope!").await;
        assert_eq!(answer.http, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.status.contains("fwd=bypass"), "{}", answer.status);
    }
}
