use crate::protocol::authzen::tests::*;

#[test]
fn rule_10_every_part_of_the_question_is_in_the_key() {
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
        with("/subject/properties", json!({"a": [[1, 2]]})),
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
fn rule_10_parts_and_caller_are_in_the_key() {
    let (base, other) = (base(), base());
    let api = AuthZen::new(Numbers).base_path("/{pdp}").unwrap();
    let ask = |uri: &str, content_type, base| {
        let parts = parts("POST", uri, &[("content-type", content_type)]);
        let call = read(&api, EVALUATION, &parts, plain().to_string().as_bytes(), base);
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
fn rule_10_unreadable_questions_have_no_key() {
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
        let parts = parts("POST", "/access/v1/evaluation", headers);
        assert!(
            read(&api, EVALUATION, &parts, plain().to_string().as_bytes(), &base).is_err(),
            "{headers:?}"
        );
    }
    let twice = parts("POST", "/access/v1/evaluation?a=1&a=2", JSON);
    assert!(read(&api, EVALUATION, &twice, plain().to_string().as_bytes(), &base).is_err());
}

proptest! {
    #[test]
    fn rule_10_spelling_does_not_change_the_key(
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
}
