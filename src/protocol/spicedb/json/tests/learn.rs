use std::time::{Duration, UNIX_EPOCH};

use crate::protocol::spicedb::json::tests::*;

const ANSWER: &str = r#"{"checkedAt":{"token":"t"}, "permissionship":"PERMISSIONSHIP_HAS_PERMISSION", "partialCaveatInfo":null, "debugTrace":null, "optionalExpiresAt":null}"#;

fn call() -> ReadCall {
    check(&plain().to_string(), &base()).unwrap()
}

/// The answer and the token in a reply to a check.
fn answer(body: &str) -> Option<(ReplyItem, String)> {
    match learned(&call(), &plain().to_string(), &[0], (200, body)) {
        ReplyOutcome::Answers { mut items, token } => {
            assert_eq!(items.len(), 1);
            Some((items.remove(0), token.unwrap()))
        }
        ReplyOutcome::Nothing => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rule_11_decisions_are_stored_unmodified() {
    for body in [
        ANSWER.to_owned(),
        ANSWER.replace("HAS", "NO"),
        ANSWER.replace("HAS", "CONDITIONAL").replace(
            "\"partialCaveatInfo\":null",
            r#""partialCaveatInfo":{"missingRequiredContext":["amount"]}"#,
        ),
        ANSWER.replace(", ", ","),
        r#"{"checkedAt":{"token":"t"},"permissionship":"PERMISSIONSHIP_HAS_PERMISSION"}"#.to_owned(),
    ] {
        let (known, token) = answer(&body).unwrap();
        assert!(known.store, "{body}");
        assert_eq!(known.expires_in, None);
        assert_eq!(token, "t");
        let json = HeaderValue::from_static("application/json");
        assert_eq!(known.response, StoredResponse::new(StatusCode::OK, json, body.into()));
    }
}

#[test]
#[ignore = "differs"]
fn rule_11_only_plain_decisions_are_stored() {
    for body in [
        ANSWER.replace("PERMISSIONSHIP_HAS_PERMISSION", "PERMISSIONSHIP_UNSPECIFIED"),
        ANSWER.replace("PERMISSIONSHIP_HAS_PERMISSION", "PERMISSIONSHIP_NEW"),
        ANSWER.replace("\"PERMISSIONSHIP_HAS_PERMISSION\"", "2"),
        ANSWER.replace("\"debugTrace\":null", r#""debugTrace":{}"#),
        ANSWER.replace("\"optionalExpiresAt\":null", r#""optionalExpiresAt":1"#),
        ANSWER.replace("\"optionalExpiresAt\":null", r#""unknown":null"#),
        r#"{"checkedAt":{"token":"t"}}"#.to_owned(),
    ] {
        let (known, token) = answer(&body).unwrap();
        assert!(!known.store, "{body}");
        assert_eq!(token, "t", "the revision is one all the same");
    }
    for body in [
        "",
        "{}",
        "[]",
        "null",
        &ANSWER[..ANSWER.len() - 1],
        &format!("{ANSWER}x"),
        &ANSWER.replace("{\"token\":\"t\"}", "null"),
        &ANSWER.replace("{\"token\":\"t\"}", "{}"),
        &ANSWER.replace("{\"token\":\"t\"}", "{\"token\":1}"),
        &ANSWER.replace("checkedAt", "checked_at"),
        &ANSWER.replace("partialCaveatInfo", "permissionship"),
        &ANSWER.replace("\"optionalExpiresAt\":null", r#""optionalExpiresAt":"soon""#),
    ] {
        assert!(answer(body).is_none(), "{body}");
    }
}

#[test]
fn rule_12_an_expiry_in_the_reply_is_honoured() {
    let at = |end: &str| ANSWER.replace("\"optionalExpiresAt\":null", &format!(r#""optionalExpiresAt":"{end}""#));
    let (known, _) = answer(&at("1971-01-01T00:00:00Z")).unwrap();
    assert_eq!((known.store, known.expires_in), (true, Some(Duration::ZERO)));
    let (known, _) = answer(&at("9999-12-31T23:59:59.5Z")).unwrap();
    let ends = UNIX_EPOCH + Duration::from_millis(253_402_300_799_500);
    let left = ends.duration_since(std::time::SystemTime::now()).unwrap();
    assert!(known.store);
    assert!(known.expires_in.unwrap().abs_diff(left) < Duration::from_secs(3600));
}

#[test]
fn rule_11_replies_of_another_form_are_ignored() {
    let body = Bytes::from_static(ANSWER.as_bytes());
    let learn = |status, headers: &[(&'static str, &'static str)]| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let reply = Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &map,
            body: &body,
            trailers: None,
        };
        api().learn(call().with(&Bytes::new()), &[0], &reply)
    };
    assert!(matches!(learn(200, JSON_HEADERS), ReplyOutcome::Answers { .. }));
    assert!(matches!(learn(200, &[]), ReplyOutcome::Nothing));
    assert!(matches!(
        learn(200, &[("content-type", "text/html")]),
        ReplyOutcome::Nothing
    ));
    let encoded = [("content-type", "application/json"), ("content-encoding", "gzip")];
    assert!(matches!(learn(200, &encoded), ReplyOutcome::Nothing));
    for status in [201, 204, 206, 302, 400, 401, 403, 404, 429, 500, 503] {
        assert!(matches!(learn(status, JSON_HEADERS), ReplyOutcome::Nothing), "{status}");
    }
}

const JSON_HEADERS: &[(&str, &str)] = &[("content-type", "application/json")];

#[test]
fn an_upstream_that_rejects_the_revision_is_understood() {
    let error = |code: u16, message: &str| json!({"code": code, "message": message, "details": []}).to_string();
    let foreign = "ZedToken specified references a different datastore instance but at-exact-snapshot was requested";
    for (code, message, rejected) in [
        (11, "invalid revision: revision has expired", true),
        (2, foreign, true),
        (3, "invalid revision requested", true),
        (2, "something else", false),
        (3, "validation error", false),
        (9, "object definition `nothing` not found", false),
        (13, "an internal error occurred while accessing the datastore", false),
        (99, "", false),
    ] {
        for call in [call(), read("/v1/permissions/expand", JSON, "{}", &base()).unwrap()] {
            let learned = learned(&call, "{}", &[0], (400, &error(code, message)));
            assert_eq!(
                matches!(learned, ReplyOutcome::RevisionRejected),
                rejected,
                "{code} {message}"
            );
            assert_eq!(matches!(learned, ReplyOutcome::Nothing), !rejected, "{code} {message}");
        }
    }
    assert!(matches!(
        learned(&call(), "{}", &[0], (200, &error(11, ""))),
        ReplyOutcome::Nothing
    ));
}

#[test]
fn writes_are_learned_from() {
    let base = base();
    let learn = |path: &str, status, body: &str| {
        let call = read(path, &[], "", &base).unwrap();
        learned(&call, "", &[], (status, body))
    };
    let wrote = |path, body| match learn(path, 200, body) {
        ReplyOutcome::Wrote { token, schema } => (token, schema),
        other => panic!("{other:?}"),
    };
    let token = || Some("t".to_owned());
    let written = r#"{"writtenAt":{"token":"t"}}"#;
    let deleted = r#"{"deletedAt":{"token":"t"}, "deletionProgress":"DELETION_PROGRESS_COMPLETE", "more":1}"#;
    assert_eq!(wrote("/v1/relationships/write", written), (token(), false));
    assert_eq!(wrote("/v1/relationships/delete", deleted), (token(), false));
    assert_eq!(wrote("/v1/schema/write", written), (token(), true));
    assert_eq!(
        wrote("/v1/relationships/importbulk", r#"{"numLoaded":"1"}"#),
        (None, false)
    );
    for unread in ["", "{}", "[]", r#"{"writtenAt":null}"#, r#"{"writtenAt":{"token":"t"}"#] {
        assert_eq!(wrote("/v1/relationships/write", unread), (None, false), "{unread}");
    }
    for code in 0..18 {
        let learned = learn("/v1/schema/write", 400, &json!({ "code": code }).to_string());
        let undone = matches!(learned, ReplyOutcome::NotWritten);
        assert_eq!(undone, [3, 5, 6, 7, 9, 11, 12, 16].contains(&code), "{code}");
        assert!(undone || matches!(learned, ReplyOutcome::Nothing), "{code}");
    }
    for body in ["", "Bad Gateway", "{}", r#"{"code":"3"}"#] {
        assert!(
            matches!(learn("/v1/relationships/write", 502, body), ReplyOutcome::Nothing),
            "{body}"
        );
    }
}

#[test]
fn reads_that_are_not_stored_have_their_revision() {
    let base = base();
    let traced = check(&with("/withTracing", json!(true)).to_string(), &base).unwrap();
    let expand = read("/v1/permissions/expand", JSON, "{}", &base).unwrap();
    let reflect = read("/v1/schema/reflectschema", JSON, "{}", &base).unwrap();
    let stream = read("/v1/permissions/resources", JSON, "{}", &base).unwrap();
    let body = |member: &str| format!(r#"{{"{member}":{{"token":"t"}}, "more":{{"token":"u"}}}}"#);
    for (call, member) in [(traced, "checkedAt"), (expand, "expandedAt"), (reflect, "readAt")] {
        let ReplyOutcome::Answers { items, token } = learned(&call, "{}", &[], (200, &body(member))) else {
            panic!("nothing learned from {member}");
        };
        assert!(items.is_empty());
        assert_eq!(token.as_deref(), Some("t"));
        assert!(matches!(
            learned(&call, "{}", &[], (200, &body("other"))),
            ReplyOutcome::Nothing
        ));
    }
    assert!(matches!(
        learned(&stream, "{}", &[], (200, &body("readAt"))),
        ReplyOutcome::Nothing
    ));
}

const REQUEST: &str = r#"{"resource":{"objectType":"document","objectId":"plan"},"permission":"view","subject":{"object":{"objectType":"user","objectId":"alice"},"optionalRelation":""},"context":{"a":1}}"#;

/// For each of two items in a reply of these pairs, whether it may be stored.
fn pairs(pairs: &[&str]) -> Option<Vec<bool>> {
    pairs_in(&format!(
        r#"{{"checkedAt":{{"token":"t"}},"pairs":[{}]}}"#,
        pairs.join(",")
    ))
}

fn pairs_in(body: &str) -> Option<Vec<bool>> {
    let message = json!({"items": [with("/context", json!({"a": 1})), plain()]}).to_string();
    let call = bulk(&message, &base()).unwrap();
    match learned(&call, &message, &[0, 1], (200, body)) {
        ReplyOutcome::Answers { items, token } => {
            assert_eq!(token.as_deref(), Some("t"));
            Some(items.iter().map(|item| item.store).collect())
        }
        ReplyOutcome::Nothing => None,
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "differs"]
fn rule_11_only_decisions_of_a_bulk_are_stored() {
    let pair = |answer: &str| format!(r#"{{"request":{REQUEST},{answer}}}"#);
    let yes = pair(r#""item":{"permissionship":"PERMISSIONSHIP_HAS_PERMISSION","partialCaveatInfo":null}"#);
    assert_eq!(pairs(&[&yes, &yes]), Some(vec![true, true]));
    for other in [
        r#""error":{"code":9,"message":"","details":[]}"#,
        r#""item":{"permissionship":"PERMISSIONSHIP_HAS_PERMISSION","debugTrace":{}}"#,
        r#""item":{"permissionship":"PERMISSIONSHIP_HAS_PERMISSION","unknown":null}"#,
        r#""item":{"permissionship":"PERMISSIONSHIP_UNSPECIFIED"}"#,
        r#""item":{}"#,
        r#""unknown":1"#,
        r#""item":{"permissionship":"PERMISSIONSHIP_HAS_PERMISSION"},"unknown":1"#,
        r#""item":{"permissionship":"PERMISSIONSHIP_HAS_PERMISSION"},"error":null"#,
    ] {
        assert_eq!(pairs(&[&yes, &pair(other)]), Some(vec![true, false]), "{other}");
    }
    for unread in [
        r#""item":null"#,
        r#""item":1"#,
        r#""item":{"permissionship":"PERMISSIONSHIP_HAS_PERMISSION","permissionship":"PERMISSIONSHIP_NO_PERMISSION"}"#,
    ] {
        assert_eq!(pairs(&[&yes, &pair(unread)]), None, "{unread}");
    }
    assert_eq!(pairs(&[&yes]), None, "too few");
    assert_eq!(pairs(&[&yes, &yes, &yes]), None, "too many");
    assert_eq!(pairs(&[&yes, "1"]), None);
    let unknown = format!(r#"{{"checkedAt":{{"token":"t"}},"pairs":[{yes},{yes}],"unknown":1}}"#);
    assert_eq!(pairs_in(&unknown), Some(vec![false, false]));
    for body in [
        "",
        "{}",
        r#"{"checkedAt":{"token":"t"},"pairs":{}}"#,
        &unknown.replace("{\"token\":\"t\"}", "null"),
    ] {
        assert_eq!(pairs_in(body), None, "{body}");
    }
}

#[test]
fn rule_11_a_pair_about_another_item_is_ignored() {
    let pair = |request: &str| {
        format!(r#"{{"request":{request},"item":{{"permissionship":"PERMISSIONSHIP_HAS_PERMISSION"}}}}"#)
    };
    let yes = pair(REQUEST);
    for (old, new) in [
        ("plan", "other"),
        ("document", "folder"),
        ("view", "edit"),
        ("alice", "bob"),
        ("user", "team"),
        ("\"optionalRelation\":\"\"", "\"optionalRelation\":\"member\""),
    ] {
        assert_eq!(pairs(&[&yes, &pair(&REQUEST.replace(old, new))]), None, "{old}");
    }
    let reworded = REQUEST.replace("{\"a\":1}", "null");
    assert_eq!(
        pairs(&[&yes, &pair(&reworded)]),
        Some(vec![true, true]),
        "contexts are spelled anew"
    );
    let nothing = r#"{"item":{"permissionship":"PERMISSIONSHIP_HAS_PERMISSION"}}"#;
    assert_eq!(pairs(&[&yes, nothing]), None);
}

proptest! {
    #[test]
    fn rule_15_no_reply_panics(
        body in prop_oneof![nearly_json(), json().prop_map(|value| value.to_string())],
        status in prop::sample::select(vec![200, 400, 503]),
        open in prop::collection::vec(0usize..4, 0..4),
    ) {
        let message = json!({"items": [plain(), plain()]}).to_string();
        let base = base();
        let calls = [
            call(),
            bulk(&message, &base).unwrap(),
            read("/v1/schema/write", &[], "", &base).unwrap(),
            read("/v1/permissions/expand", &[], "{}", &base).unwrap(),
        ];
        for call in calls {
            let _ = learned(&call, &message, &open, (status, &body));
            let _ = learned(&call, &body, &open, (status, ANSWER));
        }
        let stored = StoredResponse::new(StatusCode::OK, HeaderValue::from_static("application/json"), body.into());
        let _ = api().merge(call().with(&Bytes::new()), &[Some(&stored), None], None);
    }
}
