use crate::protocol::authzen::tests::*;

#[test]
fn rule_11_only_decisions_are_stored() {
    let api = AuthZen::new(Numbers);
    let call = single(&plain().to_string(), &base()).unwrap();
    let learned = |reply: (u16, &str)| match learn(&api, &call, plain().to_string().as_bytes(), &[0], reply) {
        ReplyOutcome::Answers { items, token: None } => items.into_iter().next(),
        ReplyOutcome::Nothing => None,
        other => panic!("{other:?}"),
    };
    for body in [
        r#"{"decision":true}"#,
        r#"{"decision":false,"context":{"reason":"no"}}"#,
        r#"{"context":null,"decision":true,"more":[1]}"#,
    ] {
        let known = learned((200, &format!(" {body}\n"))).unwrap();
        assert!(known.store, "{body}");
        assert_eq!(
            known.response,
            StoredResponse::new(
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
        assert!(!learned((200, body)).unwrap().store, "{body}");
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
    for status in [201, 204, 206, 302, 400, 401, 403, 404, 429, 500, 503] {
        assert!(learned((status, r#"{"decision":true}"#)).is_none(), "{status}");
    }
    for status in [409, 410, 412] {
        let rejected = learn(&api, &call, b"", &[0], (status, ""));
        assert!(matches!(rejected, ReplyOutcome::RevisionRejected), "{status}");
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
        api.learn(call.with(&Bytes::new()), &[0], &reply),
        ReplyOutcome::Nothing
    ));
}

#[test]
fn rule_11_replies_that_do_not_fit_are_not_stored() {
    let api = AuthZen::new(Numbers);
    let body = |semantic: &str| request(&[0, 2], semantic).to_string();
    let items = |semantic: &str, reply: &str| {
        let body = body(semantic);
        let call = bulk(&body, &base()).unwrap();
        match learn(&api, &call, body.as_bytes(), &[0, 1], (200, reply)) {
            ReplyOutcome::Answers { items, .. } => Some(items.iter().map(|item| item.store).collect::<Vec<_>>()),
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
fn request_ids_are_echoed() {
    assert_eq!(AuthZen::new(Numbers).echoed(EVALUATION), ["x-request-id"]);
}
