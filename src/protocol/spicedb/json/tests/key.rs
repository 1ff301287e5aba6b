use crate::protocol::spicedb::json::tests::*;

#[test]
fn rule_10_every_part_of_the_question_is_in_the_key() {
    let base = base();
    let texts = [
        plain(),
        with("/resource/objectType", json!("folder")),
        with("/resource/objectId", json!("2")),
        with("/resource/unknown", json!(1)),
        without("/resource/objectId"),
        without("/resource"),
        with("/resource", json!({})),
        with("/permission", json!("edit")),
        without("/permission"),
        with("/subject/object/objectType", json!("team")),
        with("/subject/object/objectId", json!("bob")),
        with("/subject/object/unknown", json!(null)),
        with("/subject/optionalRelation", json!("member")),
        with("/subject/unknown", json!(1)),
        without("/subject/object"),
        without("/subject"),
        with("/context", json!({})),
        with("/context", json!({"a": 1})),
        with("/context", json!({"a": 2})),
        with("/context", json!({"a": "1"})),
        with("/context", json!({"a": true})),
        with("/context", json!({"a": "true"})),
        with("/context", json!({"a": null})),
        with("/context", json!({"a": 1, "b": 2})),
        with("/context", json!({"a": 2, "b": 1})),
        with("/context", json!({"a": [1, [2]]})),
        with("/context", json!({"a": [[1], 2]})),
        with("/context", json!({"a": [[1, 2]]})),
        with("/context", json!({"a": [2, [1]]})),
        with("/context", json!({"a": {"b": 1}})),
        with("/context", json!({"objectType": 1})),
        with("/context", json!({"object_type": 1})),
        with("/unknown", json!({"a": 1})),
        with("/unknown", json!({"a": 1.0})),
        with("/unknown", json!(null)),
        with("/items", json!([])),
        json!({"resource": {"objectType": "a", "objectId": "b"}}),
        json!({"resource": {"objectType": "ab"}}),
        json!({"resource": {"objectId": "ab"}}),
        json!({"subject": {"object": {"objectType": "a", "objectId": "b"}}}),
    ];
    let mut seen = std::collections::HashMap::new();
    for text in texts {
        assert_eq!(seen.insert(question(&text, &base), text.clone()), None, "{text}");
    }
}

#[test]
fn rule_10_numbers_in_a_context_are_doubles() {
    let base = base();
    let ask = |number: &str| {
        let body = with("/context", json!({"a": ["NUMBER"]})).to_string();
        check(&body.replace("\"NUMBER\"", number), &base).map(|call| testing::question(&call))
    };
    for (a, b) in [
        ("1", "1.0"),
        ("1", "1e0"),
        ("1", "0.01E+2"),
        ("9007199254740993", "9007199254740992"),
        ("1e-400", "0"),
    ] {
        assert_eq!(ask(a).unwrap(), ask(b).unwrap(), "{a} {b}");
    }
    for (a, b) in [
        ("1", "2"),
        ("0", "-0"),
        ("1", "\"1\""),
        ("1", "true"),
        ("0", "null"),
        ("1", "1.0000000000000002"),
    ] {
        assert_ne!(ask(a).unwrap(), ask(b).unwrap(), "{a} {b}");
    }
    assert!(ask("1e309").is_err(), "the server rejects it");
    assert!(ask("1e308").is_ok());
}

#[test]
fn rule_10_parts_and_caller_are_in_the_key() {
    let (base, other) = (base(), base());
    let body = plain().to_string();
    let ask = |uri: &str, headers: &[(&str, &str)], base| testing::question(&read(uri, headers, &body, base).unwrap());
    let usual = ask(CHECK, JSON, &base);
    for (uri, headers) in [
        ("/v1/permissions/check?zookie=1", JSON),
        (CHECK, &[]),
        (CHECK, &[("content-type", "Application/JSON; charset=UTF-8")]),
        (CHECK, &[("content-type", "application/json"), ("x-request-id", "7")]),
        (CHECK, &[("content-type", "application/json"), ("grpc-timeout", "1S")]),
    ] {
        assert_eq!(ask(uri, headers, &base), usual, "{uri} {headers:?}");
    }
    let others: &[(&str, &[(&str, &str)])] = &[
        ("/v1/permissions/check?a=b", JSON),
        ("/v1/permissions/%63heck", JSON),
        (CHECK, &[("content-type", "application/json; charset=latin1")]),
        (CHECK, &[("grpc-metadata-authorization", "Bearer a")]),
        (CHECK, &[("grpc-metadata-authorization", "Bearer b")]),
        (
            CHECK,
            &[
                ("grpc-metadata-authorization", "Bearer a"),
                ("grpc-metadata-authorization", "Bearer b"),
            ],
        ),
        (CHECK, &[("Grpc-Metadata-X", "Bearer a")]),
    ];
    let mut seen = vec![usual, ask(CHECK, JSON, &other)];
    for (uri, headers) in others {
        let question = ask(uri, headers, &base);
        assert!(!seen.contains(&question), "{uri} {headers:?}");
        seen.push(question);
    }
    let (one, two) = (("grpc-metadata-a", "1"), ("grpc-metadata-b", "2"));
    assert_eq!(ask(CHECK, &[one, two], &base), ask(CHECK, &[two, one], &base));
}

#[test]
fn rule_10_endpoints_share_no_answers() {
    let base = base();
    let single = question(&plain(), &base);
    let items = json!({"items": [plain(), plain()]});
    let bulk = questions(&items, &base);
    assert_eq!(bulk[0], bulk[1]);
    assert_ne!(bulk[0], single, "their answers are spelled differently");
    let path = "/v1/experimental/permissions/bulkcheckpermission";
    let twin = read(path, JSON, &items.to_string(), &base).unwrap();
    assert_ne!(twin.kind, Kind::Bulk(bulk));
}

#[test]
fn rule_10_unknown_members_of_a_bulk_count_for_every_item() {
    let base = base();
    let usual = questions(&json!({"items": [plain()]}), &base);
    for unknown in [json!(1), json!(2), json!(null)] {
        let asked = questions(&json!({"items": [plain(), plain()], "unknown": unknown}), &base);
        assert_ne!(asked[0], usual[0], "{unknown}");
        assert_eq!(asked[0], asked[1]);
        assert_eq!(
            asked[0],
            questions(&json!({"unknown": unknown, "items": [plain()]}), &base)[0]
        );
    }
}

#[test]
fn rule_10_unreadable_questions_have_no_key() {
    let base = base();
    let plain = plain().to_string();
    let more = |member: &str| format!("{},{member}}}", plain.strip_suffix('}').unwrap());
    for body in [
        "",
        "null",
        "[]",
        "{",
        &format!("{plain}x"),
        &format!("{plain}{plain}"),
        &more(r#""permission":"edit""#),
        &more(r#""permission":null"#),
        &more(r#""consistency":{"fullyConsistent":true},"consistency":null"#),
        &more(r#""withTracing":false,"with_tracing":false"#),
        &more(r#""withTracing":1"#),
        &more(r#""withTracing":"true""#),
        &more(r#""context":[]"#),
        &more(r#""context":"{}""#),
        &more(r#""context":{"a":1,"a":1}"#),
        &more(r#""context":{"a":1,"\u0061":1}"#),
        &plain.replace("\"view\"", "1"),
        &plain.replace("\"view\"", "nul"),
        &plain.replace("\"alice\"", "{}"),
        &plain.replace("\"objectId\"", "\"object_id\":\"a\",\"objectId\""),
        &plain.replace("\"objectId\"", "\"object_id\":null,\"objectId\""),
    ] {
        assert!(check(body, &base).is_err(), "{body}");
    }
    let deep = with("/context", json!({"a": "DEEP"})).to_string();
    let deep = deep.replace("\"DEEP\"", &format!("{}{}", "[".repeat(200), "]".repeat(200)));
    assert!(check(&deep, &base).is_err());
    for body in [
        r#"{"items":{}}"#,
        r#"{"items":[null]}"#,
        r#"{"items":[1]}"#,
        r#"{"items":[],"items":[]}"#,
        r#"{"items":[{"permission":"a","permission":"b"}]}"#,
        r#"{"items":[{"context":[]}]}"#,
        r#"{"items":[]}x"#,
    ] {
        assert!(bulk(body, &base).is_err(), "{body}");
    }
    for headers in [
        &[("content-type", "text/plain")][..],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[
            ("content-type", "application/json"),
            ("content-type", "application/json"),
        ],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
        &[("content-encoding", "gzip")],
    ] {
        assert!(read(CHECK, headers, &plain, &base).is_err(), "{headers:?}");
    }
    assert!(read("/v1/permissions/check?a=1&a=2", JSON, &plain, &base).is_err());
}

#[test]
fn rule_15_items_are_bounded() {
    let base = base();
    let items = |count| json!({ "items": vec![json!({}); count] });
    assert_eq!(questions(&items(10_000), &base).len(), 10_000);
    assert!(bulk(&items(10_001).to_string(), &base).is_err());
    for none in [items(0), json!({"items": null}), json!({})] {
        let kind = bulk(&none.to_string(), &base).unwrap().kind;
        assert_eq!(kind, Kind::Read { stream: false }, "only its token is of use");
    }
}

proptest! {
    #[test]
    fn rule_10_spelling_does_not_change_the_key(asked in any_question(), seeds: (u64, u64)) {
        let base = base();
        let ask = |seed| testing::question(&check(&vary(&asked, seed), &base).unwrap());
        prop_assert_eq!(ask(seeds.0), ask(seeds.1));
        let bulk_of = |seed| bulk(&vary(&json!({"items": [asked]}), seed), &base).unwrap().kind;
        prop_assert_eq!(bulk_of(seeds.0), bulk_of(seeds.1));
    }

    #[test]
    fn rule_10_different_questions_have_different_keys(a in any_question(), b in any_question(), seeds: (u64, u64)) {
        let base = base();
        let ask = |value: &Value, seed| testing::question(&check(&vary(value, seed), &base).unwrap());
        prop_assert_eq!(ask(&a, seeds.0) == ask(&b, seeds.1), doubles(&a) == doubles(&b));
    }
}

/// The value with all numbers as doubles.
fn doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(elements) => elements.iter().map(doubles).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), doubles(value)))
            .collect(),
        other => other.clone(),
    }
}
