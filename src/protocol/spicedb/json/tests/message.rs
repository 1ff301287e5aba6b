use crate::protocol::spicedb::json::tests::*;

fn stated(consistency: &str) -> Result<(Option<Consistency>, Option<Bytes>), Unreadable> {
    let plain = plain().to_string();
    let body = format!("{},\"consistency\":{consistency}}}", plain.strip_suffix('}').unwrap());
    check(&body, &base()).map(|call| (call.consistency, call.token))
}

#[test]
#[ignore = "differs"]
fn rule_01_the_consistency_of_the_message_is_read() {
    for (consistency, meaning, token) in [
        ("null", None, None),
        (r#"{"minimizeLatency":true}"#, Some(Consistency::MinimizeLatency), None),
        (r#"{"minimize_latency":true}"#, Some(Consistency::MinimizeLatency), None),
        (r#"{"fullyConsistent": true}"#, Some(Consistency::FullyConsistent), None),
        (r#"{"fully_consistent":true}"#, Some(Consistency::FullyConsistent), None),
        (
            r#"{"fullyConsistent":true,"minimizeLatency":null,"atLeastAsFresh":null}"#,
            Some(Consistency::FullyConsistent),
            None,
        ),
        (
            r#"{"atLeastAsFresh":{"token":"a+/="}}"#,
            Some(Consistency::AtLeastAsFresh),
            Some("a+/="),
        ),
        (
            r#"{"at_least_as_fresh":{"token":"\u0061\/="}}"#,
            Some(Consistency::AtLeastAsFresh),
            Some("a/="),
        ),
        (r#"{"atLeastAsFresh":{}}"#, Some(Consistency::AtLeastAsFresh), Some("")),
        (
            r#"{"atLeastAsFresh":{"token":null}}"#,
            Some(Consistency::AtLeastAsFresh),
            Some(""),
        ),
        (
            r#"{"atExactSnapshot":{"token":"x"}}"#,
            Some(Consistency::AtExactSnapshot),
            Some("x"),
        ),
        (
            r#"{"at_exact_snapshot":{"token":"x"}}"#,
            Some(Consistency::AtExactSnapshot),
            Some("x"),
        ),
    ] {
        let token = token.map(Bytes::from);
        assert_eq!(stated(consistency), Ok((meaning, token)), "{consistency}");
    }
}

#[test]
fn rule_09_a_consistency_that_the_server_rejects_cannot_be_read() {
    for consistency in [
        "{}",
        "true",
        "[]",
        "\"fullyConsistent\"",
        r#"{"fullyConsistent":null}"#,
        r#"{"fullyConsistent":false}"#,
        r#"{"minimizeLatency":false}"#,
        r#"{"minimizeLatency":"true"}"#,
        r#"{"minimizeLatency":1}"#,
        r#"{"fullyConsistent":true,"minimizeLatency":true}"#,
        r#"{"fullyConsistent":true,"atLeastAsFresh":{"token":"x"}}"#,
        r#"{"atLeastAsFresh":{"token":"x"},"at_least_as_fresh":{"token":"x"}}"#,
        r#"{"atLeastAsFresh":{"token":"x"},"at_least_as_fresh":null}"#,
        r#"{"atLeastAsFresh":"x"}"#,
        r#"{"atLeastAsFresh":{"token":1}}"#,
        r#"{"atLeastAsFresh":{"token":"x","token":"y"}}"#,
        r#"{"atLeastAsFresh":{"token":"x","more":1}}"#,
        r#"{"fullyConsistent":true,"boundedBy":"1s"}"#,
        r#"{"fullyconsistent":true}"#,
    ] {
        assert!(stated(consistency).is_err(), "{consistency}");
    }
}

#[test]
fn rule_09_a_consistency_in_another_case_cannot_be_read() {
    let consistency = r#"{"fullyConsistent":true}"#;
    for name in ["Consistency", "CONSISTENCY", "con\u{17f}istency"] {
        let body = format!(r#"{{"{name}":{consistency},"permission":"view"}}"#);
        for path in [CHECK, BULK, "/v1/permissions/resources"] {
            assert!(read(path, JSON, &body, &base()).is_err(), "{path} {body}");
        }
    }
    assert!(stated(r#"{"FullyConsistent":true}"#).is_err());
    assert!(stated(r#"{"atLeastAsFresh":{"Token":"x"}}"#).is_err());
}

#[test]
fn rule_11_traces_are_never_stored() {
    let base = base();
    let full = json!({"fullyConsistent": true});
    for name in ["withTracing", "with_tracing"] {
        let mut asked = with("/consistency", full.clone());
        asked[name] = json!(true);
        let call = check(&asked.to_string(), &base).unwrap();
        assert_eq!(call.kind, Kind::Read { stream: false });
        assert_eq!(
            call.consistency,
            Some(Consistency::FullyConsistent),
            "a floor counts all the same"
        );
        let bulk = bulk(&json!({"items": [plain()], name: true}).to_string(), &base).unwrap();
        assert_eq!(bulk.kind, Kind::Read { stream: false });
        for off in [json!(false), json!(null)] {
            assert_eq!(
                question(&with(&format!("/{name}"), off), &base),
                question(&plain(), &base)
            );
        }
    }
    let debug = [("grpc-metadata-io.spicedb.requestdebuginfo", "1")];
    for headers in [&debug[..], &[("Grpc-Metadata-IO.SpiceDB.RequestVersion", "1")]] {
        let asked = with("/consistency", full.clone()).to_string();
        let call = read(CHECK, headers, &asked, &base).unwrap();
        assert_eq!(call.kind, Kind::Read { stream: false });
        assert_eq!(call.consistency, Some(Consistency::FullyConsistent));
        let items = json!({ "items": [plain()] }).to_string();
        assert_eq!(
            read(BULK, headers, &items, &base).unwrap().kind,
            Kind::Read { stream: false }
        );
    }
}

#[test]
fn listings_state_their_floor() {
    let base = base();
    for (path, stream) in [
        ("/v1/permissions/resources", true),
        ("/v1/relationships/read", true),
        ("/v1/permissions/expand", false),
        ("/v1/schema/diffschema", false),
    ] {
        let body = r#"{"permission":"view","consistency":{"atLeastAsFresh":{"token":"x"}},"optionalLimit":0}"#;
        let call = read(path, JSON, body, &base).unwrap();
        assert_eq!(call.kind, Kind::Read { stream }, "{path}");
        assert_eq!(call.consistency, Some(Consistency::AtLeastAsFresh));
        assert_eq!(call.token.unwrap(), "x");
    }
}

#[test]
#[ignore = "differs"]
fn rule_11_pages_are_forwarded_unmodified() {
    let base = base();
    let read = |member: &str| {
        let body = format!(r#"{{"permission":"view",{member}}}"#);
        read("/v1/permissions/resources", JSON, &body, &base)
    };
    for page in [
        r#""optionalCursor":{"token":"x"}"#,
        r#""optional_cursor":{}"#,
        r#""optionalLimit":1"#,
        r#""optionalLimit":"10""#,
        r#""optional_limit":1"#,
        r#""optionalConcreteLimit":1"#,
        r#""optional_concrete_limit":1"#,
    ] {
        assert_eq!(read(page).unwrap().kind, Kind::Page, "{page}");
    }
    for whole in [
        r#""optionalCursor":null"#,
        r#""optionalLimit":null"#,
        r#""optional_limit":"0""#,
    ] {
        assert!(read(whole).is_ok(), "{whole}");
    }
}

proptest! {
    #[test]
    fn rule_15_no_request_panics(
        body in prop_oneof![nearly_json(), json().prop_map(|value| value.to_string()), mutated()],
        path in prop::sample::select(vec![CHECK, BULK, "/v1/permissions/resources"]),
    ) {
        let _ = read(path, JSON, &body, &base());
    }
}

/// A request with some characters changed.
fn mutated() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), "[{}\\[\\]:,\"\\\\0a ]?"), 1..4);
    let request =
        json!({"items": [with("/context", json!({"a": [1, "b"]}))], "consistency": {"atLeastAsFresh": {"token": "x"}}});
    edits.prop_map(move |edits| {
        let mut text = request.to_string();
        for (index, new) in edits {
            let at = index.index(text.len());
            text.replace_range(at..=at, &new);
        }
        text
    })
}
