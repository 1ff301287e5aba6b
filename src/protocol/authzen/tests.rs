use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::testing::{Numbers, head, json, learn, nearly_json, question, read, spell};
use super::*;
use crate::cache::{Fingerprint, Keyer, Parts};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

fn base() -> Parts {
    Keyer::random().question("test")
}

fn single(body: &str, base: &Parts) -> Result<Call, Unreadable> {
    let head = head("POST", "/access/v1/evaluation", JSON);
    read(&AuthZen::new(Numbers), EVALUATION, &head, body.as_bytes(), base)
}

fn bulk(body: &str, base: &Parts) -> Result<Call, Unreadable> {
    let head = head("POST", "/access/v1/evaluations", JSON);
    read(&AuthZen::new(Numbers), EVALUATIONS, &head, body.as_bytes(), base)
}

fn questions(body: &str, base: &Parts) -> Vec<Fingerprint> {
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
    let claim = |api: &AuthZen, method, path| api.claim(&head(method, path, JSON));
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
    for invalid in ["/", "", "pdp", "/pdp/"] {
        assert!(AuthZen::new(Numbers).base_path(invalid).is_err(), "{invalid}");
    }
}

#[test]
fn rule_10_everything_is_in_the_key() {
    let base = base();
    let texts = [
        plain(),
        with("/subject/type", json!("group")),
        with("/subject/id", json!("u2")),
        with("/subject/properties", json!({})),
        with("/subject/properties", json!({"a": 1})),
        with("/subject/properties", json!({"a": "1"})),
        with("/subject/properties", json!({"a": null})),
        with("/subject/properties", json!({"a": [1, [2]]})),
        with("/subject/properties", json!({"a": [[1], 2]})),
        with("/subject/properties", json!({"a": [2, [1]]})),
        with("/subject/a", json!(1)),
        with("/action/name", json!("write")),
        with("/action/properties", json!({"a": 1})),
        with("/resource/type", json!("user")),
        with("/resource/id", json!("2")),
        with("/resource/properties", json!({"a": 1})),
        with("/context", json!({})),
        with("/context", json!({"a": 1})),
        with("/context", json!({"a": 1, "b": 2})),
        with("/context", json!({"a": 2, "b": 1})),
        with("/context", json!({"a": {"b": 1}})),
        with("/unknown", json!({"a": 1})),
        with("/unknown", json!(null)),
    ]
    .map(|request| request.to_string())
    .into_iter()
    .chain(
        [
            "1.0",
            "1e0",
            "10000000000000000000000000001",
            "10000000000000000000000000002",
        ]
        .map(|number| {
            with("/context", json!({"a": "NUMBER"}))
                .to_string()
                .replace("\"NUMBER\"", number)
        }),
    );
    let mut seen = std::collections::HashMap::new();
    for text in texts {
        let question = question(&single(&text, &base).unwrap());
        assert_eq!(seen.insert(question, text.clone()), None, "{text}");
    }
}

#[test]
fn rule_10_head_and_caller_are_in_the_key() {
    let (base, other) = (base(), base());
    let api = AuthZen::new(Numbers).base_path("/{pdp}").unwrap();
    let ask = |uri: &str, content_type, base| {
        let head = head("POST", uri, &[("content-type", content_type)]);
        let call = read(&api, EVALUATION, &head, plain().to_string().as_bytes(), base);
        question(&call.unwrap())
    };
    let usual = ask("/a/access/v1/evaluation", "application/json", &base);
    for (uri, content_type) in [
        ("/a/access/v1/evaluation?zookie=1", "application/json"),
        ("/a/access/v1/evaluation", "Application/JSON; charset=UTF-8"),
    ] {
        assert_eq!(ask(uri, content_type, &base), usual);
    }
    for (uri, content_type) in [
        ("/b/access/v1/evaluation", "application/json"),
        ("/a/access/v1/evaluation?model=1", "application/json"),
        ("/a/access/v1/evaluation", "application/json; charset=latin1"),
    ] {
        assert_ne!(ask(uri, content_type, &base), usual, "{uri} {content_type}");
    }
    assert_ne!(ask("/a/access/v1/evaluation", "application/json", &other), usual);
}

#[test]
fn rule_10_what_cannot_be_read_is_not_keyed() {
    let base = base();
    for body in [
        "",
        "[]",
        "{}",
        r#"{"subject":{},"action":{}}"#,
        r#"{"subject":{},"action":{},"resource":{}}x"#,
        r#"{"subject":{},"subject":{},"action":{},"resource":{}}"#,
        r#"{"subject":{"a":1,"\u0061":2},"action":{},"resource":{}}"#,
        r#"{"subject":null,"action":{},"resource":{}}"#,
        r#"{"subject":"u1","action":{},"resource":{}}"#,
        r#"{"subject":{},"action":{},"resource":{},"context":null}"#,
        r#"{"subject":{},"action":{},"resource":{},"context":[]}"#,
    ] {
        assert!(single(body, &base).is_err(), "{body}");
        assert!(bulk(body, &base).is_err(), "{body}");
    }
    let deep = with("/context", json!({"a": "DEEP"})).to_string();
    let deep = deep.replace("\"DEEP\"", &format!("{}{}", "[".repeat(200), "]".repeat(200)));
    assert!(single(&deep, &base).is_err());
    for body in [
        r#"{"subject":{},"action":{},"evaluations":[{"resource":{}},{}]}"#,
        r#"{"subject":{},"action":{},"evaluations":[{"resource":{}}],"evaluations":[]}"#,
        r#"{"subject":{},"action":{},"evaluations":[{"resource":{},"subject":null}]}"#,
        r#"{"subject":{},"action":{},"evaluations":null,"resource":{}}"#,
        r#"{"subject":{},"action":{},"evaluations":[1],"resource":{}}"#,
        r#"{"subject":{},"action":{},"evaluations":[{"resource":{}}],"options":{"explain":true}}"#,
        r#"{"subject":{},"action":{},"evaluations":[{"resource":{}}],"options":{"evaluations_semantic":"some"}}"#,
        r#"{"subject":{},"action":{},"evaluations":[{"resource":{}}],"options":null}"#,
    ] {
        assert!(bulk(body, &base).is_err(), "{body}");
    }
    let api = AuthZen::new(Numbers);
    for headers in [
        &[][..],
        &[("content-type", "text/plain")],
        &[
            ("content-type", "application/json"),
            ("content-type", "application/json"),
        ],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
    ] {
        let head = head("POST", "/access/v1/evaluation", headers);
        assert!(
            read(&api, EVALUATION, &head, plain().to_string().as_bytes(), &base).is_err(),
            "{headers:?}"
        );
    }
    let twice = head("POST", "/access/v1/evaluation?a=1&a=2", JSON);
    assert!(read(&api, EVALUATION, &twice, plain().to_string().as_bytes(), &base).is_err());
}

#[test]
fn rule_15_evaluations_are_bounded() {
    let items = |count| json!({"subject": {}, "action": {}, "evaluations": vec![json!({"resource": {}}); count]});
    let base = base();
    assert_eq!(questions(&items(10_000).to_string(), &base).len(), 10_000);
    assert!(bulk(&items(10_001).to_string(), &base).is_err());
}

#[test]
fn a_bulk_shares_its_questions_with_single_evaluations() {
    let base = base();
    let ask = |request: Value| question(&single(&request.to_string(), &base).unwrap());
    let request = json!({
        "evaluations": [
            {},
            {"resource": {"type": "doc", "id": "2"}},
            {"action": {}, "context": {"a": 1}},
            {"context": {}, "unknown": 1},
        ],
        "subject": {"type": "user", "id": "u1"},
        "action": {"name": "read"},
        "resource": {"type": "doc", "id": "1"},
        "context": {"b": 2},
    });
    let singles = [
        with("/context", json!({"b": 2})),
        json!({
            "subject": {"type": "user", "id": "u1"},
            "action": {"name": "read"},
            "resource": {"type": "doc", "id": "2"},
            "context": {"b": 2},
        }),
        json!({
            "subject": {"type": "user", "id": "u1"},
            "action": {},
            "resource": {"type": "doc", "id": "1"},
            "context": {"a": 1},
        }),
        json!({
            "subject": {"type": "user", "id": "u1"},
            "action": {"name": "read"},
            "resource": {"type": "doc", "id": "1"},
            "context": {},
            "unknown": 1,
        }),
    ];
    assert_eq!(questions(&request.to_string(), &base), singles.map(ask));
}

#[test]
fn rule_10_unknown_members_of_a_bulk_count_for_every_evaluation() {
    let base = base();
    let ask = |extra: Value| {
        let mut request = json!({"subject": {}, "action": {}, "evaluations": [{"resource": {}}]});
        request
            .as_object_mut()
            .unwrap()
            .append(&mut extra.as_object().unwrap().clone());
        questions(&request.to_string(), &base)[0]
    };
    let unknown = json!({"subject": {}, "action": {}, "resource": {}, "unknown": 1});
    assert_ne!(ask(json!({"unknown": 1})), ask(json!({})));
    assert_ne!(
        ask(json!({"unknown": 1})),
        question(&single(&unknown.to_string(), &base).unwrap())
    );
}

#[test]
fn a_bulk_without_evaluations_is_a_single_evaluation() {
    let base = base();
    let alone = question(&single(&plain().to_string(), &base).unwrap());
    for request in [plain(), with("/evaluations", json!([]))] {
        let call = bulk(&request.to_string(), &base).unwrap();
        assert_eq!(question(&call), alone);
        let body = request.to_string();
        let Learned::Answers { items, .. } = learn(
            &AuthZen::new(Numbers),
            &call,
            body.as_bytes(),
            &[0],
            (200, r#"{"decision":true}"#),
        ) else {
            panic!("nothing learned");
        };
        assert!(items[0].keep);
    }
}

#[test]
fn rule_11_only_verdicts_are_kept() {
    let api = AuthZen::new(Numbers);
    let call = single(&plain().to_string(), &base()).unwrap();
    let learned = |reply: (u16, &str)| match learn(&api, &call, plain().to_string().as_bytes(), &[0], reply) {
        Learned::Answers { items, token: None } => items.into_iter().next(),
        Learned::Nothing => None,
        other => panic!("{other:?}"),
    };
    for body in [
        r#"{"decision":true}"#,
        r#"{"decision":false,"context":{"reason":"no"}}"#,
        r#"{"context":null,"decision":true,"more":[1]}"#,
    ] {
        let known = learned((200, &format!(" {body}\n"))).unwrap();
        assert!(known.keep, "{body}");
        assert_eq!(
            known.kept,
            Kept::new(
                StatusCode::OK,
                HeaderValue::from_static("application/json"),
                body.to_owned().into()
            )
        );
    }
    for body in [
        r#"{"decision":false,"context":{"error":{"status":500}}}"#,
        r#"{"decision":false,"context":{"error":null}}"#,
        r#"{"decision":false,"context":"down"}"#,
        r#"{"decision":false,"error":"down"}"#,
    ] {
        assert!(!learned((200, body)).unwrap().keep, "{body}");
    }
    for body in [
        "",
        "true",
        "[]",
        "{}",
        r#"{"decision":"true"}"#,
        r#"{"decision":null}"#,
        r#"{"decision":true,"decision":true}"#,
        r#"{"decision":true}}"#,
    ] {
        assert!(learned((200, body)).is_none(), "{body}");
    }
    for status in [201, 204, 206, 302, 401, 403, 404, 429, 500, 503] {
        assert!(learned((status, r#"{"decision":true}"#)).is_none(), "{status}");
    }
    for status in [400, 409, 410, 412] {
        let refused = learn(&api, &call, b"", &[0], (status, ""));
        assert!(matches!(refused, Learned::RevisionRefused), "{status}");
    }
    let mut headers = HeaderMap::new();
    headers.insert("content-encoding", HeaderValue::from_static("br"));
    let reply = Reply {
        status: StatusCode::OK,
        headers: &headers,
        body: &Bytes::from_static(br#"{"decision":true}"#),
        trailers: None,
    };
    assert!(matches!(
        api.learn(&call, &Bytes::new(), &[0], &reply),
        Learned::Nothing
    ));
}

#[test]
fn rule_11_replies_that_do_not_fit_teach_nothing() {
    let api = AuthZen::new(Numbers);
    let body = |semantic: &str| request(&[0, 2], semantic).to_string();
    let items = |semantic: &str, reply: &str| {
        let body = body(semantic);
        let call = bulk(&body, &base()).unwrap();
        match learn(&api, &call, body.as_bytes(), &[0, 1], (200, reply)) {
            Learned::Answers { items, .. } => Some(items.iter().map(|item| item.keep).collect::<Vec<_>>()),
            _ => None,
        }
    };
    let (yes, no, why) = (
        r#"{"decision":true}"#,
        r#"{"decision":false}"#,
        r#"{"decision":false,"context":{"reason":"stopped"}}"#,
    );
    let reply = |items: &[&str]| format!(r#"{{"evaluations":[{}]}}"#, items.join(","));
    assert_eq!(items("execute_all", &reply(&[yes, why])), Some(vec![true, true]));
    assert_eq!(items("execute_all", &reply(&[yes])), None);
    assert_eq!(items("execute_all", &reply(&[yes, no, no])), None);
    assert_eq!(items("execute_all", &reply(&[yes, "1"])), None);
    assert_eq!(items("execute_all", r#"{"evaluations":[]}"#), None);
    assert_eq!(items("execute_all", yes), None);
    let mixed = format!(r#"{{"decision":false,"evaluations":[{yes},{no}]}}"#);
    assert_eq!(items("execute_all", &mixed), Some(vec![true, true]));
    let failed = format!(r#"{{"error":"half","evaluations":[{yes},{no}]}}"#);
    assert_eq!(items("execute_all", &failed), None);
    assert_eq!(items("deny_on_first_deny", &reply(&[no])), Some(vec![true]));
    assert_eq!(items("deny_on_first_deny", &reply(&[why])), Some(vec![false]));
    assert_eq!(items("deny_on_first_deny", &reply(&[yes])), None);
    assert_eq!(items("permit_on_first_permit", &reply(&[yes])), Some(vec![true]));
    assert_eq!(items("permit_on_first_permit", &reply(&[no])), None);
}

#[test]
fn what_is_asked_keeps_the_callers_bytes() {
    let api = AuthZen::new(Numbers);
    let body = r#"{ "subject":{},"evaluations": [ {"resource":{"id": "1"}}, {"resource":{"n":1e0}} ,{"resource":{}} ] ,"action":{} }"#;
    let call = bulk(body, &base()).unwrap();
    let message = Bytes::from(body);
    let ask = |open: &[usize]| api.ask(&call, &message, open, &Ask::Unasked);
    assert_eq!(
        ask(&[1, 2]).unwrap(),
        r#"{ "subject":{},"evaluations": [{"resource":{"n":1e0}},{"resource":{}}] ,"action":{} }"#
    );
    assert_eq!(ask(&[0, 1, 2]), None);
    assert_eq!(ask(&[]), None);
}

#[test]
fn an_answer_that_never_came_is_a_denial() {
    let api = AuthZen::new(Numbers);
    let message = Bytes::from(request(&[0, 2], "execute_all").to_string());
    let call = bulk(std::str::from_utf8(&message).unwrap(), &base()).unwrap();
    let kept = Kept::new(
        StatusCode::OK,
        HeaderValue::from_static("application/json"),
        r#"{"decision":true}"#.into(),
    );
    let merged = api.merge(&call, &message, &[Some(&kept), None]);
    let merged: Value = serde_json::from_slice(&merged.body).unwrap();
    assert_eq!(merged["evaluations"][0]["decision"], true);
    assert_eq!(merged["evaluations"][1]["decision"], false);
    assert_eq!(merged["evaluations"][1]["context"]["error"]["status"], 502);
}

#[test]
fn request_ids_are_echoed() {
    assert_eq!(AuthZen::new(Numbers).echoed(EVALUATION), ["x-request-id"]);
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

/// Grants even resources, and answers some of them at length.
fn decide(id: u64) -> Value {
    match id % 6 {
        0 | 2 => json!({"decision": true}),
        1 => json!({"decision": false}),
        3 => json!({"decision": false, "context": {"reason": "odd", "n": 1.0}}),
        4 => json!({"decision": true, "context": {}}),
        _ => json!({"decision": false, "context": {"error": {"status": 500}}}),
    }
}

/// What an upstream replies to a bulk.
fn upstream(body: &[u8]) -> Value {
    let body: Value = serde_json::from_slice(body).unwrap();
    let mut answers = Vec::new();
    for item in body["evaluations"].as_array().unwrap() {
        let answer = decide(item["resource"]["id"].as_u64().unwrap());
        let decision = answer["decision"].as_bool().unwrap();
        answers.push(answer);
        match body["options"]["evaluations_semantic"].as_str() {
            Some("deny_on_first_deny") if !decision => break,
            Some("permit_on_first_permit") if decision => break,
            _ => {}
        }
    }
    json!({ "evaluations": answers })
}

proptest! {
    #[test]
    fn rule_10_one_question_has_one_key_however_it_is_spelled(
        subject in json(), context in json(), seeds: (u64, u64),
    ) {
        let mut request = with("/context", json!({"a": context}));
        request["subject"]["properties"] = subject;
        let base = base();
        let ask = |seed| question(&single(&spell(&request, seed), &base).unwrap());
        prop_assert_eq!(ask(seeds.0), ask(seeds.1));
    }

    #[test]
    fn rule_10_different_questions_have_different_keys(a in json(), b in json(), path in 0usize..5, seeds: (u64, u64)) {
        let path = ["/subject/properties", "/action/properties", "/resource/properties", "/unknown", "/context"][path];
        let base = base();
        let ask = |value: &Value, seed| {
            let value = if path == "/context" { json!({"a": value}) } else { value.clone() };
            question(&single(&spell(&with(path, value), seed), &base).unwrap())
        };
        prop_assert_eq!(ask(&a, seeds.0) == ask(&b, seeds.1), a == b);
    }

    #[test]
    fn rule_16_a_merged_reply_is_what_the_upstream_would_say(
        items in prop::collection::vec((0u8..12, any::<bool>()), 1..12),
        semantic in prop::sample::select(vec!["execute_all", "deny_on_first_deny", "permit_on_first_permit"]),
        seed: u64,
    ) {
        let ids: Vec<_> = items.iter().map(|(id, _)| *id).collect();
        let api = AuthZen::new(Numbers);
        let message = Bytes::from(spell(&request(&ids, semantic), seed));
        let call = bulk(std::str::from_utf8(&message).unwrap(), &base()).unwrap();
        let cached: Vec<_> = items.iter().map(|(id, cached)| {
            let body = decide(u64::from(*id)).to_string();
            cached.then(|| Kept::new(StatusCode::OK, HeaderValue::from_static("application/json"), body.into()))
        }).collect();
        let found: Vec<_> = cached.iter().map(Option::as_ref).collect();

        let needed = api.needed(&call, &message, &found);
        let stop = found.iter().position(|kept| kept.is_some_and(|kept| {
            let Kept { body, .. } = kept;
            let decision = serde_json::from_slice::<Value>(body).unwrap()["decision"].as_bool().unwrap();
            semantic == "deny_on_first_deny" && !decision || semantic == "permit_on_first_permit" && decision
        })).unwrap_or(found.len());
        let expected: Vec<_> = (0..stop).filter(|&index| found[index].is_none()).collect();
        prop_assert_eq!(&needed, &expected);

        let mut answers = cached.clone();
        if !needed.is_empty() {
            let asked = api.ask(&call, &message, &needed, &Ask::Unasked).unwrap_or_else(|| message.clone());
            let reply = upstream(&asked).to_string();
            let Learned::Answers { items, .. } = learn(&api, &call, &message, &needed, (200, &reply)) else {
                panic!("nothing learned");
            };
            for (known, &index) in items.into_iter().zip(&needed) {
                answers[index] = Some(known.kept);
            }
        }
        let answers: Vec<_> = answers.iter().map(Option::as_ref).collect();
        let merged = api.merge(&call, &message, &answers);
        prop_assert_eq!(serde_json::from_slice::<Value>(&merged.body).unwrap(), upstream(&message));
    }

    #[test]
    fn rule_15_nothing_panics_on_what_others_send(
        message in prop_oneof![nearly_json(), json().prop_map(|value| value.to_string())],
        reply in nearly_json(),
        open in prop::collection::vec(0usize..9, 0..4),
    ) {
        let (api, base) = (AuthZen::new(Numbers), base());
        let _ = single(&message, &base);
        let _ = bulk(&message, &base);
        let questions = vec![question(&single(&plain().to_string(), &base).unwrap()); open.len()];
        let call = Call::new(EVALUATIONS, Kind::Bulk(questions));
        let kept = Kept::new(StatusCode::OK, HeaderValue::from_static("application/json"), reply.clone().into());
        let bytes = Bytes::from(message);
        api.needed(&call, &bytes, &vec![Some(&kept); open.len()]);
        let _ = api.ask(&call, &bytes, &open, &Ask::Unasked);
        let _ = learn(&api, &call, &bytes, &open, (200, &reply));
        api.merge(&call, &bytes, &vec![Some(&kept); open.len()]);
    }
}
