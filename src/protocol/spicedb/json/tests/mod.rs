mod ask;
mod key;
mod learn;
mod message;
mod reply;

use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use crate::cache::{Fingerprint, FingerprintBuilder, Keyer};
use crate::consistency::Consistency;
use crate::protocol::api::Protocol;
use crate::protocol::call::Claim;
use crate::protocol::problem::Rejection;
use crate::protocol::reply::ReplyItem;
use crate::protocol::spicedb::SpiceDb;
use crate::protocol::spicedb::json::*;
use crate::protocol::stored_response::StoredResponse;
use crate::protocol::testing;
use crate::protocol::testing::ReadCall;
use crate::protocol::testing::{claimed, json, nearly_json, parts, spell};
use crate::token::spicedb::Engine;

const CHECK: &str = "/v1/permissions/check";
const BULK: &str = "/v1/permissions/checkbulk";
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

fn api() -> SpiceDb {
    SpiceDb::new(Engine::Postgres)
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

fn questions(body: &Value, base: &FingerprintBuilder) -> Vec<Fingerprint> {
    match bulk(&body.to_string(), base).unwrap().kind {
        Kind::Bulk(questions) => questions,
        kind => panic!("{kind:?} is no bulk"),
    }
}

fn plain() -> Value {
    json!({
        "resource": {"objectType": "document", "objectId": "plan"},
        "permission": "view",
        "subject": {"object": {"objectType": "user", "objectId": "alice"}},
    })
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
    request
        .pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap()
        .remove(member);
    request
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

#[test]
fn claims_the_gateways_calls() {
    let claim = |method, path| claimed(&api(), &parts(method, path, &[]));
    for (path, expected) in [
        ("/v1/permissions/check", "body"),
        ("/v1/permissions/check?a=b", "body"),
        ("/v1/permissions/checkbulk", "body"),
        ("/v1/experimental/permissions/bulkcheckpermission", "body"),
        ("/v1/relationships/write", "head"),
        ("/v1/relationships/delete", "head"),
        ("/v1/relationships/importbulk", "head"),
        ("/v1/experimental/relationships/bulkimport", "head"),
        ("/v1/schema/write", "head"),
        ("/v1/permissions/expand", "body"),
        ("/v1/permissions/resources", "floor"),
        ("/v1/permissions/subjects", "floor"),
        ("/v1/relationships/read", "floor"),
        ("/v1/relationships/exportbulk", "floor"),
        ("/v1/experimental/relationships/bulkexport", "floor"),
        ("/v1/schema/reflectschema", "body"),
        ("/v1/schema/permissions/computable", "body"),
        ("/v1/schema/permissions/dependent", "body"),
        ("/v1/schema/diffschema", "body"),
        ("/v1/experimental/reflectschema", "body"),
        ("/v1/experimental/permissions/computable", "body"),
        ("/v1/experimental/permissions/dependent", "body"),
        ("/v1/experimental/diffschema", "body"),
        ("/v1/schema/read", "body"),
        ("/v1/watch", "pass"),
        ("/v1/experimental/countrelationships", "pass"),
        ("/v1/permissions/check/", "pass"),
        ("/v1//permissions/check", "pass"),
        ("/v1/permissions/%63heck", "body"),
        ("/v1/%70ermissions/check", "body"),
        ("/%76%31%2Fpermissions%2fcheck", "body"),
        ("/v1/relationships/writ%65", "head"),
        ("/v1/relationships/rea%64", "floor"),
        ("/v1/permissions/%2563heck", "pass"),
        ("/v1/permissions/%43heck", "pass"),
        ("/v1/permissions/%6", "pass"),
        ("/v1/permissions/Check", "pass"),
        ("/healthz", "pass"),
        ("/", "pass"),
    ] {
        let claimed = match claim("POST", path) {
            Claim::Body(_) => "body",
            Claim::Parts(_) => "head",
            Claim::Floor(_) => "floor",
            Claim::Pass => "pass",
        };
        assert_eq!(claimed, expected, "{path}");
        for method in ["GET", "PUT", "DELETE", "post"] {
            assert_eq!(claim(method, path), Claim::Pass, "{method} {path}");
        }
    }
}

#[test]
fn writes_are_recognized_by_their_paths() {
    let base = base();
    for (path, schema, stream) in [
        ("/v1/relationships/write", false, false),
        ("/v1/relationships/delete", false, false),
        ("/v1/relationships/importbulk", false, true),
        ("/v1/experimental/relationships/bulkimport", false, true),
        ("/v1/schema/write", true, false),
    ] {
        let call = read(path, &[], "", &base).unwrap();
        assert_eq!(call.kind, Kind::Write { schema, stream }, "{path}");
    }
}

#[test]
fn the_callers_request_id_is_echoed() {
    assert_eq!(api().echoed(route(CHECK)), ["x-request-id"]);
    assert_eq!(api().timeout(route(CHECK), &HeaderMap::new()), None);
}

/// One of the many texts of a message: members in either spelling, and absent members as null or as empty text.
fn vary(message: &Value, seed: u64) -> String {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut varied = message.clone();
    let members = varied.as_object_mut().unwrap();
    for name in ["consistency", "withTracing"] {
        fill(members, name, Value::Null, &mut rng);
    }
    respell(members, "withTracing", "with_tracing", &mut rng);
    match members.get_mut("items").and_then(Value::as_array_mut) {
        Some(items) => items.iter_mut().for_each(|item| vary_question(item, &mut rng)),
        None => vary_question(&mut varied, &mut rng),
    }
    spell(&varied, rng.random())
}

fn vary_question(question: &mut Value, rng: &mut StdRng) {
    let members = question.as_object_mut().unwrap();
    for name in ["resource", "subject", "context"] {
        fill(members, name, Value::Null, rng);
    }
    fill(members, "permission", json!(""), rng);
    if let Some(Value::Object(object)) = members.get_mut("resource") {
        vary_object(object, rng);
    }
    if let Some(Value::Object(subject)) = members.get_mut("subject") {
        fill(subject, "optionalRelation", json!(""), rng);
        fill(subject, "object", Value::Null, rng);
        respell(subject, "optionalRelation", "optional_relation", rng);
        if let Some(Value::Object(object)) = subject.get_mut("object") {
            vary_object(object, rng);
        }
    }
}

fn vary_object(object: &mut Map<String, Value>, rng: &mut StdRng) {
    for (camel, snake) in [("objectType", "object_type"), ("objectId", "object_id")] {
        fill(object, camel, json!(""), rng);
        respell(object, camel, snake, rng);
    }
}

fn fill(members: &mut Map<String, Value>, name: &str, empty: Value, rng: &mut StdRng) {
    if !members.contains_key(name) && rng.random_bool(0.5) {
        let null = rng.random_bool(0.5);
        members.insert(name.to_owned(), if null { Value::Null } else { empty });
    }
}

fn respell(members: &mut Map<String, Value>, camel: &str, snake: &str, rng: &mut StdRng) {
    if rng.random_bool(0.5)
        && let Some(value) = members.remove(camel)
    {
        members.insert(snake.to_owned(), value);
    }
}

/// Questions from a few values, so that two questions are often equal.
fn any_question() -> impl Strategy<Value = Value> {
    let text = || prop::option::of(prop::sample::select(vec!["a", "b"])).prop_map(|text| text.map(Value::from));
    let object = move || {
        let both = (text(), text());
        prop::option::of(both.prop_map(|(kind, id)| members([("objectType", kind), ("objectId", id)])))
    };
    let subject = (object(), text());
    let subject = subject.prop_map(|(object, relation)| members([("object", object), ("optionalRelation", relation)]));
    let context = prop::collection::btree_map("[ab]{0,2}", json(), 0..3);
    let context = prop::option::of(context.prop_map(|members| members.into_iter().collect()));
    (object(), text(), prop::option::of(subject), context).prop_map(|(resource, permission, subject, context)| {
        members([
            ("resource", resource),
            ("permission", permission),
            ("subject", subject),
            ("context", context),
        ])
    })
}

/// An object of the members that are present.
fn members<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect())
}
