mod declared;

use http::HeaderMap;
use http::header::HeaderName;
use proptest::prelude::*;

use crate::cache::{Fingerprint, FingerprintBuilder, Keyer};
use crate::protocol::routes::*;
use crate::protocol::testing::{
    Numbers, ReadCall, claimed, json, learn, nearly_json, parts, question, read, revision, spell,
};

fn base() -> FingerprintBuilder {
    Keyer::random().question("test")
}

fn allowed() -> Verdict {
    Verdict::json("allowed")
}

fn api() -> Routes {
    Routes::builder(Numbers)
        .check(CheckRoute::get("/check").verdict(allowed()).reply_token("/meta/zookie"))
        .check(CheckRoute::post("/v1/{tenant}/allow").verdict(Verdict::status(200, 403)))
        .check(CheckRoute::post("/in-body").verdict(allowed()).request_token("zookie"))
        .check(
            CheckRoute::get("/files/{*path}")
                .verdict(allowed())
                .key_header(HeaderName::from_static("x-tenant")),
        )
        .write(WriteRoute::post("/relationships").reply_token("zookie"))
        .write(WriteRoute::put("/schema").schema())
        .write(WriteRoute::delete("/relationships"))
        .write(WriteRoute::patch("/relationships"))
        .build()
        .unwrap()
}

fn ask(
    base: &FingerprintBuilder,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<ReadCall, Unreadable> {
    let api = api();
    let parts = parts(method, uri, headers);
    let route = match claimed(&api, &parts) {
        Claim::Parts(route) | Claim::Body(route) | Claim::Floor(route) => route,
        Claim::Pass => panic!("{method} {uri} passes"),
    };
    read(&api, route, &parts, body.as_bytes(), base)
}

fn get(base: &FingerprintBuilder, uri: &str) -> Fingerprint {
    question(&ask(base, "GET", uri, &[], "").unwrap())
}

#[test]
fn rule_10_path_and_query_are_in_the_key() {
    let base = base();
    let usual = get(&base, "/check?user=u1&doc=1");
    for same in [
        "/check?user=u1&doc=1&zookie=7",
        "/check?zookie=8&user=u1&doc=1",
        "/check?user=u1&%74oken=x&doc=1",
    ] {
        assert_eq!(get(&base, same), usual, "{same}");
    }
    for other in [
        "/check",
        "/check?user=u1",
        "/check?user=u1&doc=2",
        "/check?user=u1&doc=1&more",
        "/check?user=u1&doc=1&more=",
        "/check?doc=1&user=u1",
        "/check?user=u1%26doc=1",
        "/check?user=u%31&doc=1",
        "/check?user=u1&doc=1&Zookie=7",
        "/files/check?user=u1&doc=1",
    ] {
        assert_ne!(get(&base, other), usual, "{other}");
    }
    assert_ne!(get(&self::base(), "/check?user=u1&doc=1"), usual);
    assert_eq!(get(&base, "/check?"), get(&base, "/check"));
    assert_ne!(get(&base, "/files/a%20b"), get(&base, "/files/a+b"));
    assert_ne!(get(&base, "/check?a=%FF"), get(&base, "/check?a=%FE"));
    for repeated in ["/check?a=1&a=1", "/check?a=1&%61=2", "/check?a&b&a=1"] {
        assert!(ask(&base, "GET", repeated, &[], "").is_err(), "{repeated}");
    }
    assert!(ask(&base, "GET", "/check?zookie=1&token=2&zookie=3", &[], "").is_ok());
}

#[test]
fn rule_10_bodies_and_declared_headers_are_in_the_key() {
    let base = base();
    let post = |uri: &str, headers: &[_], body| question(&ask(&base, "POST", uri, headers, body).unwrap());
    let json = ("content-type", "application/json");
    let usual = post("/v1/t1/allow", &[json], "{}");
    assert_eq!(post("/v1/t1/allow", &[json], "{}"), usual);
    for (uri, headers, body) in [
        ("/v1/t2/allow", &[json][..], "{}"),
        ("/v1/t1/allow", &[json], "{} "),
        ("/v1/t1/allow", &[json], ""),
        ("/v1/t1/allow", &[], "{}"),
        ("/v1/t1/allow", &[("content-type", "text/plain")], "{}"),
        ("/v1/t1/allow", &[json, ("content-encoding", "br")], "{}"),
    ] {
        assert_ne!(post(uri, headers, body), usual, "{uri} {headers:?} {body}");
    }
    let tenant = |headers: &[_]| question(&ask(&base, "GET", "/files/a", headers, "").unwrap());
    assert_eq!(tenant(&[("x-other", "1")]), tenant(&[]));
    let keys = [
        tenant(&[]),
        tenant(&[("x-tenant", "")]),
        tenant(&[("x-tenant", "a")]),
        tenant(&[("x-tenant", "a"), ("x-tenant", "b")]),
        tenant(&[("x-tenant", "b"), ("x-tenant", "a")]),
    ];
    assert_eq!(keys.iter().collect::<std::collections::HashSet<_>>().len(), keys.len());
}

#[test]
fn a_token_in_the_body_is_read_and_not_keyed() {
    let base = base();
    let post = |body| ask(&base, "POST", "/in-body", &[("content-type", "application/json")], body);
    let usual = post(r#"{"doc":1,"user":"u1"}"#).unwrap();
    assert_eq!(usual.token, None);
    for (body, token) in [
        (r#"{"doc":1,"zookie":"7","user":"u1"}"#, Some("7")),
        (r#"{ "user":"u1", "zookie":"\u0038", "doc":1}"#, Some("8")),
        (r#"{"zookie":"","doc":1,"user":"u1"}"#, Some("")),
        (r#"{"zookie":null,"doc":1,"user":"u1"}"#, None),
    ] {
        let call = post(body).unwrap();
        assert_eq!(call.token.as_deref(), token.map(str::as_bytes));
        assert_eq!(question(&call), question(&usual), "{body}");
    }
    for other in [
        r#"{"doc":1}"#,
        r#"{"doc":"1","user":"u1"}"#,
        r#"{"doc":{"zookie":"7"},"user":"u1"}"#,
    ] {
        assert_ne!(question(&post(other).unwrap()), question(&usual), "{other}");
    }
    for unreadable in [
        "",
        "[]",
        r#"{"zookie":7}"#,
        r#"{"zookie":{}}"#,
        r#"{"zookie":"1","zookie":"2"}"#,
        r#"{"a":1}}"#,
    ] {
        assert!(post(unreadable).is_err(), "{unreadable}");
    }
    assert!(ask(&base, "POST", "/in-body", &[], "{}").is_err());
}

#[test]
fn a_token_in_the_body_is_replaced_by_the_one_asked_at() {
    let api = api();
    let forward = |body: &str, at: ReadAt| {
        let call = ask(
            &base(),
            "POST",
            "/in-body",
            &[("content-type", "application/json")],
            body,
        )
        .unwrap();
        let zookie = at.revision().and_then(|named| Numbers.encode(named));
        api.ask(call.with(&Bytes::from(body.to_owned())), &[0], &at, zookie.as_ref())
    };
    let body = r#"{"zookie":"7", "doc": 1.0}"#;
    assert_eq!(forward(body, ReadAt::AtLeast(revision(7))), None);
    assert_eq!(
        forward(body, ReadAt::AtLeast(revision(9))).unwrap(),
        r#"{"zookie":"9", "doc": 1.0}"#
    );
    assert_eq!(
        forward(body, ReadAt::Exact(revision(9))).unwrap(),
        r#"{"zookie":"9", "doc": 1.0}"#
    );
    assert_eq!(forward(body, ReadAt::Any).unwrap(), r#"{ "doc": 1.0}"#);
    assert_eq!(forward(body, ReadAt::Head).unwrap(), r#"{ "doc": 1.0}"#);
    assert_eq!(forward(r#"{"zookie":"7"}"#, ReadAt::Head).unwrap(), "{}");
    assert_eq!(forward("{}", ReadAt::Head), None);
    assert_eq!(
        forward("{}", ReadAt::AtLeast(revision(9))).unwrap(),
        r#"{"zookie":"9"}"#
    );
    let call = ask(&base(), "GET", "/check", &[], "").unwrap();
    assert_eq!(
        api.ask(call.with(&Bytes::new()), &[0], &ReadAt::AtLeast(revision(9)), None),
        None
    );
}

/// An API with its token at `/at/token`.
fn inner() -> Routes {
    Routes::builder(Numbers)
        .check(CheckRoute::post("/check").verdict(allowed()).request_token("/at/token"))
        .build()
        .unwrap()
}

fn ask_inner(base: &FingerprintBuilder, body: &str) -> Result<ReadCall, Unreadable> {
    let parts = parts("POST", "/check", &[("content-type", "application/json")]);
    read(&inner(), Route(0), &parts, body.as_bytes(), base)
}

#[test]
fn rule_01_a_token_inside_an_object_is_read() {
    let base = base();
    let post = |body| ask_inner(&base, body);
    let usual = post(r#"{"q":1}"#).unwrap();
    for (body, token) in [
        (r#"{"q":1,"at":{"token":"7"}}"#, Some("7")),
        (r#"{ "at" : {"token":"8"} , "q":1}"#, Some("8")),
        (r#"{"q":1,"at":{"token":null}}"#, None),
    ] {
        let call = post(body).unwrap();
        assert_eq!(call.token.as_deref(), token.map(str::as_bytes), "{body}");
        assert_eq!(question(&call), question(&usual), "{body}");
    }
    let more = post(r#"{"q":1,"at":{"token":"7","mode":"strict"}}"#).unwrap();
    assert_eq!(more.token.as_deref(), Some(&b"7"[..]));
    assert_eq!(
        question(&more),
        question(&post(r#"{"q":1,"at":{"mode":"strict"}}"#).unwrap())
    );
    for other in [
        r#"{"q":1,"at":{"mode":"strict"}}"#,
        r#"{"q":1,"at":{}}"#,
        r#"{"q":1,"at":null}"#,
        r#"{"q":1,"token":"7"}"#,
        r#"{"q":1,"in":{"at":{"token":"7"}}}"#,
    ] {
        let other_call = post(other).unwrap();
        assert_eq!(other_call.token, None, "{other}");
        assert_ne!(question(&other_call), question(&usual), "{other}");
    }
    for unreadable in [
        r#"{"at":"7"}"#,
        r#"{"at":["7"]}"#,
        r#"{"at":{"token":7}}"#,
        r#"{"at":{"Token":"7"}}"#,
        r#"{"At":{"token":"7"}}"#,
        r#"{"at":{"token":"7","token":"8"}}"#,
        r#"{"at":{"token":"7"},"at":{}}"#,
    ] {
        assert!(post(unreadable).is_err(), "{unreadable}");
    }
}

#[test]
fn a_token_inside_an_object_is_replaced_there() {
    let forward = |body: &str, at: ReadAt| {
        let call = ask_inner(&base(), body).unwrap();
        let zookie = at.revision().and_then(|named| Numbers.encode(named));
        inner().ask(call.with(&Bytes::from(body.to_owned())), &[0], &at, zookie.as_ref())
    };
    let newer = || ReadAt::AtLeast(revision(9));
    for (body, at, forwarded) in [
        (
            r#"{"at": {"token":"7"}, "q": 1.0}"#,
            newer(),
            Some(r#"{"at": {"token":"9"}, "q": 1.0}"#),
        ),
        (
            r#"{"at": {"token":"7"}, "q": 1.0}"#,
            ReadAt::Head,
            Some(r#"{ "q": 1.0}"#),
        ),
        (
            r#"{"q":1,"at":{"token":"7", "mode":2}}"#,
            ReadAt::Head,
            Some(r#"{"q":1,"at":{ "mode":2}}"#),
        ),
        (r#"{"q":1}"#, newer(), Some(r#"{"at":{"token":"9"},"q":1}"#)),
        (r#"{"q":1,"at":{}}"#, newer(), Some(r#"{"q":1,"at":{"token":"9"}}"#)),
        (r#"{"q":1,"at":null}"#, newer(), Some(r#"{"q":1,"at":{"token":"9"}}"#)),
        (r#"{"q":1,"at":{"token":"9"}}"#, newer(), None),
        (r#"{"q":1,"at":{}}"#, ReadAt::Head, None),
    ] {
        assert_eq!(forward(body, at).as_deref(), forwarded.map(str::as_bytes), "{body}");
    }
}

fn learned(call: &ReadCall, reply: (u16, &str)) -> ReplyOutcome {
    learn(&api(), call, b"", &[0], reply)
}

#[test]
fn rule_09_a_token_member_in_another_case_is_unreadable() {
    let base = base();
    let in_body = |body: &str| ask(&base, "POST", "/in-body", &[("content-type", "application/json")], body);
    for name in ["Zookie", "ZOOKIE", "zooKie", "zoo\u{212a}ie", "\\u005aookie"] {
        let body = format!(r#"{{"{name}":"7","user":"u1"}}"#);
        assert!(in_body(&body).is_err(), "{body}");
        let both = format!(r#"{{"zookie":"8","{name}":"7"}}"#);
        assert!(in_body(&both).is_err(), "{both}");
    }
    for name in ["zookies", "zooki", "z\u{f6}okie", "zookle"] {
        assert!(in_body(&format!(r#"{{"{name}":"7"}}"#)).is_ok(), "{name}");
    }
    assert!(in_body(r#"{"zookie":"8","inner":{"Zookie":"7"}}"#).is_ok());
}

#[test]
fn rule_11_a_json_decision_is_a_boolean_in_a_200() {
    let call = ask(&base(), "GET", "/check", &[], "").unwrap();
    for body in [r#"{"allowed":true}"#, r#"{"why":"no","allowed":false}"#] {
        let ReplyOutcome::Answers { items, token: None } = learned(&call, (200, body)) else {
            panic!("{body} teaches nothing");
        };
        assert!(items.len() == 1 && items[0].store && items[0].response.body == body);
    }
    for reply in [
        (200, ""),
        (200, "true"),
        (200, r#"{"allowed":"true"}"#),
        (200, r#"{"allowed":1}"#),
        (200, r#"{"other":true}"#),
        (200, r#"{"allowed":true,"allowed":false}"#),
        (201, r#"{"allowed":true}"#),
        (403, r#"{"allowed":false}"#),
        (500, r#"{"allowed":false}"#),
    ] {
        assert!(matches!(learned(&call, reply), ReplyOutcome::Nothing), "{reply:?}");
    }
    for status in [409, 410, 412] {
        assert!(
            matches!(learned(&call, (status, "")), ReplyOutcome::RevisionRejected),
            "{status}"
        );
    }
}

#[test]
fn rule_11_a_status_decision_is_200_or_403() {
    let call = ask(&base(), "POST", "/v1/t1/allow", &[], "").unwrap();
    for status in [200, 403] {
        let ReplyOutcome::Answers { items, .. } = learned(&call, (status, "any")) else {
            panic!("{status} teaches nothing");
        };
        assert_eq!(items[0].response.status, status);
    }
    for status in [201, 204, 401, 404, 500] {
        assert!(
            matches!(learned(&call, (status, "")), ReplyOutcome::Nothing),
            "{status}"
        );
    }
    let mut headers = HeaderMap::new();
    headers.insert("content-encoding", "gzip".parse().unwrap());
    let reply = Reply {
        status: StatusCode::OK,
        headers: &headers,
        body: &Bytes::new(),
        trailers: None,
    };
    assert!(matches!(
        api().learn(call.with(&Bytes::new()), &[0], &reply),
        ReplyOutcome::Nothing
    ));
}

#[test]
fn a_replys_token_is_read() {
    let token = |method, uri, reply| match learned(&ask(&base(), method, uri, &[], "").unwrap(), reply) {
        ReplyOutcome::Answers { token, .. } | ReplyOutcome::Wrote { token, .. } => token,
        other => panic!("{other:?}"),
    };
    let check = r#"{"allowed":true,"meta":{"zookie":"\u0037"}}"#;
    assert_eq!(token("GET", "/check", (200, check)).as_deref(), Some("7"));
    assert_eq!(token("GET", "/check", (200, r#"{"allowed":true,"zookie":"7"}"#)), None);
    assert_eq!(
        token("POST", "/relationships", (201, r#"{"zookie":"8"}"#)).as_deref(),
        Some("8")
    );
    assert_eq!(token("POST", "/relationships", (201, r#"{"zookie":8}"#)), None);
    assert_eq!(token("POST", "/relationships", (204, "")), None);
}

#[test]
fn only_successful_writes_count() {
    let write = |method, uri, status| {
        let call = ask(&base(), method, uri, &[], "").unwrap();
        assert!(matches!(call.kind, Kind::Write { .. }));
        learned(&call, (status, ""))
    };
    assert!(matches!(
        write("PUT", "/schema", 204),
        ReplyOutcome::Wrote { schema: true, .. }
    ));
    assert!(matches!(
        write("DELETE", "/relationships", 200),
        ReplyOutcome::Wrote { schema: false, .. }
    ));
    for status in [304, 400, 409, 500] {
        assert!(
            matches!(write("PATCH", "/relationships", status), ReplyOutcome::Nothing),
            "{status}"
        );
    }
}

proptest! {
    #[test]
    fn rule_10_a_body_with_a_token_is_keyed_by_value(a in json(), b in json(), seeds: (u64, u64)) {
        let base = base();
        let post = |value: &serde_json::Value, token: &str, seed| {
            let body = spell(&serde_json::json!({"zookie": token, "q": value}), seed);
            question(&ask(&base, "POST", "/in-body", &[("content-type", "application/json")], &body).unwrap())
        };
        prop_assert_eq!(post(&a, "1", seeds.0) == post(&b, "2", seeds.1), a == b);
    }

    #[test]
    fn only_the_token_is_rewritten(value in json(), seed: u64, token in prop::option::of("[a-z\"]{0,3}")) {
        let mut body = serde_json::json!({"q": value, "a\"b": 1, "zookie": "old"});
        let name = ["zookie".to_owned()];
        let rewritten = body::with_token(spell(&body, seed).as_bytes(), &name, token.as_deref()).unwrap();
        match token {
            Some(token) => body["zookie"] = token.into(),
            None => drop(body.as_object_mut().unwrap().remove("zookie")),
        }
        prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&rewritten).unwrap(), body);
    }

    #[test]
    fn rule_10_a_body_with_an_inner_token_is_keyed_by_value(a in json(), b in json(), seeds: (u64, u64)) {
        let base = base();
        let post = |value: &serde_json::Value, token: &str, seed| {
            let body = spell(&serde_json::json!({"at": {"token": token, "mode": value}, "q": 1}), seed);
            question(&ask_inner(&base, &body).unwrap())
        };
        prop_assert_eq!(post(&a, "1", seeds.0) == post(&b, "2", seeds.1), a == b);
    }

    #[test]
    fn only_the_inner_token_is_rewritten(value in json(), seed: u64, token in prop::option::of("[a-z\"]{0,3}")) {
        let mut body = serde_json::json!({"q": value, "at": {"more": value, "token": "old"}});
        let names = ["at".to_owned(), "token".to_owned()];
        let rewritten = body::with_token(spell(&body, seed).as_bytes(), &names, token.as_deref()).unwrap();
        match token {
            Some(token) => body["at"]["token"] = token.into(),
            None => drop(body["at"].as_object_mut().unwrap().remove("token")),
        }
        prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&rewritten).unwrap(), body);
    }

    #[test]
    fn rule_15_no_input_panics(
        message in nearly_json(), query in "[a-c=&%+0-9]{0,12}", reply in nearly_json(), status in 200u16..600,
    ) {
        let (api, base) = (api(), base());
        let _ = ask(&base, "GET", &format!("/check?{query}"), &[], "");
        let _ = ask(&base, "POST", "/in-body", &[("content-type", "application/json")], &message);
        let _ = ask_inner(&base, &message);
        let names = ["at".to_owned(), "token".to_owned()];
        let _ = body::with_token(message.as_bytes(), &names, Some("7"));
        let _ = body::with_token(message.as_bytes(), &names, None);
        for route in 0..9 {
            let call = ReadCall::new(Route(route), Kind::Write { schema: false, stream: false });
            let _ = learned(&call, (status, &reply));
            let _ = api.ask(call.with(&Bytes::from(message.clone())), &[0], &ReadAt::Head, None);
        }
    }
}
