mod bulk;
mod key;
mod reply;

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cache::{Fingerprint, FingerprintBuilder, Keyer};
use crate::protocol::authzen::*;
use crate::protocol::testing::{Numbers, ReadCall, claimed, json, learn, nearly_json, parts, question, read, spell};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

fn base() -> FingerprintBuilder {
    Keyer::random().question("test")
}

fn single(body: &str, base: &FingerprintBuilder) -> Result<ReadCall, Unreadable> {
    let parts = parts("POST", "/access/v1/evaluation", JSON);
    read(&AuthZen::new(Numbers), EVALUATION, &parts, body.as_bytes(), base)
}

fn bulk(body: &str, base: &FingerprintBuilder) -> Result<ReadCall, Unreadable> {
    let parts = parts("POST", "/access/v1/evaluations", JSON);
    read(&AuthZen::new(Numbers), EVALUATIONS, &parts, body.as_bytes(), base)
}

fn questions(body: &str, base: &FingerprintBuilder) -> Vec<Fingerprint> {
    match bulk(body, base).unwrap().kind {
        Kind::Bulk(questions) => questions,
        kind => panic!("{kind:?} is no bulk"),
    }
}

fn plain() -> Value {
    json!({
        "subject": {"type": "user", "id": "u1"},
        "action": {"name": "read"},
        "resource": {"type": "doc", "id": "1"},
    })
}

fn with(path: &str, value: Value) -> Value {
    let mut request = plain();
    let (parent, member) = path.rsplit_once('/').unwrap();
    request.pointer_mut(parent).unwrap()[member] = value;
    request
}

#[test]
fn claims_its_two_endpoints() {
    let claim = |api: &AuthZen, method, path| claimed(api, &parts(method, path, JSON));
    let root = AuthZen::new(Numbers);
    assert_eq!(claim(&root, "POST", "/access/v1/evaluation"), Claim::Body(EVALUATION));
    assert_eq!(
        claim(&root, "POST", "/access/v1/evaluations?a=b"),
        Claim::Body(EVALUATIONS)
    );
    for (method, path) in [
        ("GET", "/access/v1/evaluation"),
        ("POST", "/access/v1/search/subject"),
        ("POST", "/access/v1/evaluation/"),
        ("POST", "/pdp/access/v1/evaluation"),
        ("POST", "//access/v1/evaluation"),
    ] {
        assert_eq!(claim(&root, method, path), Claim::Pass, "{method} {path}");
    }
    let stores = AuthZen::new(Numbers).base_path("/stores/{store}").unwrap();
    assert_eq!(
        claim(&stores, "POST", "/stores/s1/access/v1/evaluation"),
        Claim::Body(EVALUATION)
    );
    assert_eq!(claim(&stores, "POST", "/access/v1/evaluation"), Claim::Pass);
    for (invalid, cure) in [
        ("/", "; omit the base path if the API is at the root"),
        ("", "; add the `/`"),
        ("pdp", "; add the `/`"),
        ("/pdp/", "; leave out the `/` that is too many"),
        ("/:tenant", "; write `{tenant}`, "),
        (
            "/pdp/access/v1",
            "`/access/v1` follows the base path anyway; leave it out",
        ),
        ("/access/v1/evaluation", "; leave it out"),
    ] {
        let error = AuthZen::new(Numbers).base_path(invalid).unwrap_err().to_string();
        assert!(error.starts_with(invalid) && error.contains(cure), "{error}");
    }
}

/// A bulk of these resources.
fn request(ids: &[u8], semantic: &str) -> Value {
    let items: Vec<_> = ids.iter().map(|id| json!({"resource": {"id": id}})).collect();
    json!({
        "subject": {"id": "u1"},
        "action": {"name": "read"},
        "options": {"evaluations_semantic": semantic},
        "evaluations": items,
    })
}
