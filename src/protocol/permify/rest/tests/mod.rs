mod ask;
mod claim;
mod key;
mod learn;
mod message;
mod probe;
mod reply;

use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cache::{Fingerprint, FingerprintBuilder, Keyer};
use crate::protocol::api::Protocol;
use crate::protocol::permify::Permify;
use crate::protocol::permify::rest::*;
use crate::protocol::problem::Rejection;
use crate::protocol::reply::ReplyItem;
use crate::protocol::stored_response::StoredResponse;
use crate::protocol::testing;
use crate::protocol::testing::ReadCall;
use crate::protocol::testing::{claimed, json, nearly_json, parts, spell};
use crate::token::permify::Engine;

const CHECK: &str = "/v1/tenants/t1/permissions/check";
const BULK: &str = "/v1/tenants/t1/permissions/bulk-check";
const EXPAND: &str = "/v1/tenants/t1/permissions/expand";
const LOOKUP: &str = "/v1/tenants/t1/permissions/lookup-entity";
const WRITE: &str = "/v1/tenants/t1/data/write";
const SCHEMA: &str = "/v1/tenants/t1/schemas/write";
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

fn api() -> Permify {
    Permify::new(Engine::Postgres)
}

fn base() -> FingerprintBuilder {
    Keyer::random().question("test")
}

fn route(path: &str) -> Route {
    match claimed(&api(), &parts("POST", path, JSON)) {
        Claim::Parts(route) | Claim::Body(route) | Claim::Floor(route) => route,
        Claim::Pass => panic!("{path} passes"),
    }
}

fn read(path: &str, headers: &[(&str, &str)], body: &str, base: &FingerprintBuilder) -> Result<ReadCall, Unreadable> {
    let parts = parts("POST", path, headers);
    testing::read(&api(), route(parts.uri.path()), &parts, body.as_bytes(), base)
}

fn check(body: &str, base: &FingerprintBuilder) -> Result<ReadCall, Unreadable> {
    read(CHECK, JSON, body, base)
}

fn bulk(body: &str, base: &FingerprintBuilder) -> Result<ReadCall, Unreadable> {
    read(BULK, JSON, body, base)
}

fn question(body: &Value, base: &FingerprintBuilder) -> Fingerprint {
    testing::question(&check(&body.to_string(), base).unwrap())
}

fn questions(body: &str, base: &FingerprintBuilder) -> Vec<Fingerprint> {
    match bulk(body, base).unwrap().kind {
        Kind::Bulk(questions) => questions,
        kind => panic!("{kind:?} is no bulk"),
    }
}

fn item() -> Value {
    json!({
        "entity": {"type": "document", "id": "plan"},
        "permission": "view",
        "subject": {"type": "user", "id": "alice"},
    })
}

fn plain() -> Value {
    let mut request = item();
    request["metadata"] = json!({"schema_version": "", "snap_token": "", "depth": 20});
    request
}

fn with(path: &str, value: Value) -> Value {
    let mut request = plain();
    let (parent, member) = path.rsplit_once('/').unwrap();
    request.pointer_mut(parent).unwrap()[member] = value;
    request
}

fn without(path: &str) -> Value {
    let mut request = plain();
    let (parent, member) = path.rsplit_once('/').unwrap();
    let parent = request.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.remove(member);
    request
}

/// A check with this metadata.
fn with_metadata(metadata: &str) -> String {
    format!(r#"{{"metadata":{metadata},"permission":"view"}}"#)
}

/// The outcome of a JSON reply.
fn learned(call: &ReadCall, message: &str, asked: &[usize], (status, body): (u16, &str)) -> ReplyOutcome {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let reply = Reply {
        status: StatusCode::from_u16(status).unwrap(),
        headers: &headers,
        body: &Bytes::copy_from_slice(body.as_bytes()),
        trailers: None,
    };
    api().learn(call.with(&Bytes::copy_from_slice(message.as_bytes())), asked, &reply)
}

fn stored(body: &str) -> StoredResponse {
    let json = HeaderValue::from_static("application/json");
    StoredResponse::new(StatusCode::OK, json, Bytes::copy_from_slice(body.as_bytes()))
}
