use crate::protocol::permify::rest::tests::*;

fn stated(metadata: &str) -> (Option<Bytes>, bool) {
    let call = check(&with_metadata(metadata), &base()).unwrap();
    assert_eq!(call.consistency, None);
    (call.token, call.unpinned)
}

#[test]
fn rule_01_the_token_of_the_message_is_read_in_both_spellings() {
    for name in ["snap_token", "snapToken", "snap\\u005ftoken", "snap\\u0054oken"] {
        for (token, expected) in [
            ("null", None),
            ("\"\"", None),
            ("\"a+/=\"", Some("a+/=")),
            ("\"\\u0061\\/=\"", Some("a/=")),
            (" \"noop\" ", Some("noop")),
            ("\"ä\"", Some("ä")),
        ] {
            let (token_read, _) = stated(&format!(r#"{{"depth":20,"{name}":{token}}}"#));
            assert_eq!(token_read, expected.map(Bytes::from), "{name} {token}");
        }
    }
    assert_eq!(stated(r#"{"depth":20}"#).0, None);
    let elsewhere = r#"{"metadata":{},"snap_token":"x","context":{"snap_token":"x"}}"#;
    assert_eq!(check(elsewhere, &base()).unwrap().token, None);
}

#[test]
fn rule_09_a_token_in_another_case_cannot_be_read() {
    for body in [
        r#"{"Metadata":{"snap_token":"x"}}"#,
        r#"{"metadata":{},"METADATA":{}}"#,
        r#"{"metadata":{"Snap_Token":"x"}}"#,
        r#"{"metadata":{"SnapToken":"x"}}"#,
        r#"{"metadata":{"snaptoken":"x"}}"#,
        r#"{"metadata":{"snap_token":"x","SNAP_TOKEN":"y"}}"#,
        "{\"metadata\":{\"\u{17f}nap_token\":\"x\"}}",
    ] {
        for path in [CHECK, BULK, EXPAND, LOOKUP] {
            assert!(read(path, JSON, body, &base()).is_err(), "{path} {body}");
        }
    }
}

#[test]
fn without_a_schema_version_a_check_is_unpinned() {
    for (metadata, unpinned) in [
        (r#"{"schema_version":"v1"}"#, false),
        (r#"{"schema\u005fversion":"v1","snap_token":"x"}"#, false),
        (r#"{"schema_version":""}"#, true),
        (r#"{"schema_version":null}"#, true),
        (r#"{"schemaVersion":"v1"}"#, true),
        (r#"{"snap_token":"v1"}"#, true),
        ("{}", true),
    ] {
        assert_eq!(stated(metadata).1, unpinned, "{metadata}");
        let items = format!(r#"{{"items":[{{}}],"metadata":{metadata}}}"#);
        assert_eq!(bulk(&items, &base()).unwrap().unpinned, unpinned, "{metadata}");
    }
}

#[test]
fn rule_11_a_check_without_metadata_is_not_stored() {
    let base = base();
    for body in [without("/metadata"), with("/metadata", json!(null))] {
        for path in [CHECK, EXPAND] {
            let call = read(path, JSON, &body.to_string(), &base).unwrap();
            assert_eq!(call.kind, Kind::Read { stream: false }, "{path} {body}");
        }
    }
    let call = bulk(r#"{"items":[{}]}"#, &base).unwrap();
    assert_eq!(call.kind, Kind::Read { stream: false });
}

#[test]
fn listings_state_their_floor() {
    let base = base();
    for (path, stream) in [
        ("permissions/lookup-entity", false),
        ("permissions/lookup-entity-stream", true),
        ("permissions/lookup-subject", false),
        ("permissions/subject-permission", false),
        ("data/relationships/read", false),
        ("data/attributes/read", false),
    ] {
        let body = r#"{"metadata":{"snap_token":"x","depth":20},"page_size":10,"continuous_token":""}"#;
        let call = read(&format!("/v1/tenants/t1/{path}"), JSON, body, &base).unwrap();
        assert_eq!(call.kind, Kind::Read { stream }, "{path}");
        assert_eq!(call.token.unwrap(), "x", "{path}");
    }
}

#[test]
fn rule_11_pages_are_forwarded_unmodified() {
    let base = base();
    let read = |members: &str| read(LOOKUP, JSON, &format!(r#"{{"metadata":{{}},{members}}}"#), &base);
    for name in ["continuous_token", "continuousToken"] {
        assert_eq!(read(&format!(r#""{name}":"x""#)).unwrap().kind, Kind::Page, "{name}");
        for first in ["null", "\"\""] {
            let whole = read(&format!(r#""{name}":{first}"#)).unwrap();
            assert_eq!(whole.kind, Kind::Read { stream: false }, "{name} {first}");
        }
    }
    assert!(read(r#""continuous_token":"x","continuousToken":"x""#).is_err());
    assert!(read(r#""continuous_token":null,"continuousToken":null"#).is_err());
}

proptest! {
    #[test]
    fn rule_15_no_request_panics(
        body in prop_oneof![nearly_json(), json().prop_map(|value| value.to_string()), mutated()],
        path in prop::sample::select(vec![CHECK, BULK, EXPAND, LOOKUP, WRITE]),
        open in prop::collection::vec(0usize..4, 0..4),
    ) {
        let call = read(path, JSON, &body, &base());
        let other = ReadCall::new(route(BULK), Kind::Bulk(vec![question(&plain(), &base()); 4]));
        for call in call.iter().chain([&other]) {
            let zookie = Zookie::new("x", 9).unwrap();
            let message = Bytes::copy_from_slice(body.as_bytes());
            let _ = api().ask(call.with(&message), &open, &ReadAt::Head, Some(&zookie));
            let _ = api().ask(call.with(&message), &open, &ReadAt::Unmodified(testing::revision(1)), Some(&zookie));
        }
    }
}

/// A request with some characters changed.
fn mutated() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), "[{}\\[\\]:,\"\\\\0a ]?"), 1..4);
    let request = json!({"items": [item(), item()], "metadata": {"depth": 20, "snapToken": "x"}});
    edits.prop_map(move |edits| {
        let mut text = request.to_string();
        for (index, new) in edits {
            let at = index.index(text.len());
            text.replace_range(at..=at, &new);
        }
        text
    })
}
