use crate::protocol::authzen::tests::*;

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
    assert_ne!(ask(json!({"unknown": 1})), ask(json!({"unknown": 2})));
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
        let ReplyOutcome::Answers { items, .. } = learn(
            &AuthZen::new(Numbers),
            &call,
            body.as_bytes(),
            &[0],
            (200, r#"{"decision":true}"#),
        ) else {
            panic!("nothing learned");
        };
        assert!(items[0].store);
    }
}

#[test]
fn rewritten_bulks_keep_the_callers_bytes() {
    let api = AuthZen::new(Numbers);
    let body = r#"{ "subject":{},"evaluations": [ {"resource":{"id": "1"}}, {"resource":{"n":1e0}} ,{"resource":{}} ] ,"action":{} }"#;
    let call = bulk(body, &base()).unwrap();
    let message = Bytes::from(body);
    let ask = |open: &[usize]| api.ask(call.with(&message), open, &ReadAt::Any, None);
    assert_eq!(
        ask(&[1, 2]).unwrap(),
        r#"{ "subject":{},"evaluations": [{"resource":{"n":1e0}},{"resource":{}}] ,"action":{} }"#
    );
    assert_eq!(ask(&[0, 1, 2]), None);
    assert_eq!(ask(&[]), None);
}

#[test]
fn a_missing_answer_is_a_denial() {
    let api = AuthZen::new(Numbers);
    let message = Bytes::from(request(&[0, 2], "execute_all").to_string());
    let call = bulk(std::str::from_utf8(&message).unwrap(), &base()).unwrap();
    let stored = StoredResponse::new(
        StatusCode::OK,
        HeaderValue::from_static("application/json"),
        r#"{"decision":true}"#.into(),
    );
    let merged = api.merge(call.with(&message), &[Some(&stored), None], None);
    let merged: Value = serde_json::from_slice(&merged.body).unwrap();
    assert_eq!(merged["evaluations"][0]["decision"], true);
    assert_eq!(merged["evaluations"][1]["decision"], false);
    assert_eq!(merged["evaluations"][1]["context"]["error"]["status"], 502);
}

/// Grants even resources, and gives some of them a long answer.
fn decide(id: u64) -> Value {
    match id % 6 {
        0 | 2 => json!({"decision": true}),
        1 => json!({"decision": false}),
        3 => json!({"decision": false, "context": {"reason": "odd", "n": 1.0}}),
        4 => json!({"decision": true, "context": {}}),
        _ => json!({"decision": false, "context": {"error": {"status": 500}}}),
    }
}

/// An upstream's reply to a bulk.
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
    fn rule_16_a_merged_reply_is_what_the_upstream_would_send(
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
            cached.then(|| StoredResponse::new(StatusCode::OK, HeaderValue::from_static("application/json"), body.into()))
        }).collect();
        let found: Vec<_> = cached.iter().map(Option::as_ref).collect();

        let needed = api.needed(call.with(&message), &found);
        let stop = found.iter().position(|stored| stored.is_some_and(|stored| {
            let StoredResponse { body, .. } = stored;
            let decision = serde_json::from_slice::<Value>(body).unwrap()["decision"].as_bool().unwrap();
            semantic == "deny_on_first_deny" && !decision || semantic == "permit_on_first_permit" && decision
        })).unwrap_or(found.len());
        let expected: Vec<_> = (0..stop).filter(|&index| found[index].is_none()).collect();
        prop_assert_eq!(&needed, &expected);

        let mut answers = cached.clone();
        if !needed.is_empty() {
            let asked = api.ask(call.with(&message), &needed, &ReadAt::Any, None).unwrap_or_else(|| message.clone());
            let reply = upstream(&asked).to_string();
            let ReplyOutcome::Answers { items, .. } = learn(&api, &call, &message, &needed, (200, &reply)) else {
                panic!("nothing learned");
            };
            for (known, &index) in items.into_iter().zip(&needed) {
                answers[index] = Some(known.response);
            }
        }
        let answers: Vec<_> = answers.iter().map(Option::as_ref).collect();
        let merged = api.merge(call.with(&message), &answers, None);
        prop_assert_eq!(serde_json::from_slice::<Value>(&merged.body).unwrap(), upstream(&message));
    }

    #[test]
    fn rule_15_no_input_panics(
        message in prop_oneof![nearly_json(), json().prop_map(|value| value.to_string())],
        reply in nearly_json(),
        open in prop::collection::vec(0usize..9, 0..4),
    ) {
        let (api, base) = (AuthZen::new(Numbers), base());
        let _ = single(&message, &base);
        let _ = bulk(&message, &base);
        let questions = vec![question(&single(&plain().to_string(), &base).unwrap()); open.len()];
        let call = ReadCall::new(EVALUATIONS, Kind::Bulk(questions));
        let stored = StoredResponse::new(StatusCode::OK, HeaderValue::from_static("application/json"), reply.clone().into());
        let bytes = Bytes::from(message);
        api.needed(call.with(&bytes), &vec![Some(&stored); open.len()]);
        let _ = api.ask(call.with(&bytes), &open, &ReadAt::Any, None);
        let _ = learn(&api, &call, &bytes, &open, (200, &reply));
        api.merge(call.with(&bytes), &vec![Some(&stored); open.len()], None);
    }
}
