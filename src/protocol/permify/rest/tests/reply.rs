use crate::protocol::permify::rest::tests::*;
use crate::token::TokenErrorKind;

fn merge(answers: &[Option<&StoredResponse>]) -> String {
    let call = ReadCall::new(route(BULK), Kind::Bulk(Vec::new()));
    let merged = api().merge(call.with(&Bytes::new()), answers, Some(&Zookie::new("x", 9).unwrap()));
    assert_eq!(merged.status, 200);
    assert_eq!(merged.content_type.unwrap(), "application/json");
    String::from_utf8(merged.body.to_vec()).unwrap()
}

fn answer(allowed: bool, count: usize, comma: &str) -> String {
    let can = if allowed { "ALLOWED" } else { "DENIED" };
    format!(r#"{{"can":"CHECK_RESULT_{can}"{comma}"metadata":{{"check_count":{count}}}}}"#)
}

#[test]
fn rule_14_a_missing_answer_is_a_denial() {
    let yes = answer(true, 4, ",");
    let no = r#"{"can":"CHECK_RESULT_DENIED","metadata":{"check_count":0}}"#;
    assert_eq!(
        merge(&[None, Some(&stored(&yes)), None]),
        format!(r#"{{"results":[{no},{yes},{no}]}}"#)
    );
    assert_eq!(merge(&[None]), format!(r#"{{"results":[{no}]}}"#));
}

#[test]
fn rejections_have_the_gateways_form() {
    for (why, status, code) in [
        (Rejection::BadToken(TokenErrorKind::Malformed("cut off")), 400, 3),
        (Rejection::BadToken(TokenErrorKind::Expired), 400, 11),
        (Rejection::TokensDoNotJoin, 400, 3),
        (Rejection::ExactNeedsOneToken, 400, 3),
        (Rejection::FloorUnstated, 501, 12),
        (Rejection::RequestTimeout, 504, 4),
        (Rejection::UpstreamTimeout, 504, 4),
        (Rejection::UpstreamFailed, 503, 14),
    ] {
        let response = api().reject(route(CHECK), &HeaderMap::new(), &why);
        assert_eq!(response.status(), status, "{why:?}");
        assert_eq!(response.headers()["content-type"], "application/json");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body, json!({"code": code, "message": why.detail(), "details": []}));
    }
}

#[test]
fn the_callers_deadline_is_read() {
    let mut headers = HeaderMap::new();
    assert_eq!(api().timeout(route(CHECK), &headers), None);
    headers.insert("grpc-timeout", HeaderValue::from_static("250m"));
    let timeout = std::time::Duration::from_millis(250);
    assert_eq!(api().timeout(route(CHECK), &headers), Some(timeout));
}

proptest! {
    #[test]
    fn rule_16_a_merged_reply_is_what_the_server_would_send(
        verdicts in prop::collection::vec((any::<bool>(), 0usize..9, any::<bool>()), 1..8), spaced: bool,
    ) {
        let comma = if spaced { ", " } else { "," };
        let texts: Vec<_> = verdicts.iter().map(|(allowed, count, _)| answer(*allowed, *count, comma)).collect();
        let server = |indexes: &[usize]| {
            let results: Vec<_> = indexes.iter().map(|&index| &*texts[index]).collect();
            format!(r#"{{"results":[{}]}}"#, results.join(comma))
        };
        let items: Vec<_> = (0..texts.len()).map(|nth| json!({"permission": nth.to_string()})).collect();
        let message = json!({ "metadata": {}, "items": items }).to_string();
        let call = bulk(&message, &base()).unwrap();
        let found: Vec<_> = verdicts.iter().zip(&texts).map(|((.., found), text)| found.then(|| stored(text))).collect();
        let known: Vec<_> = found.iter().map(Option::as_ref).collect();
        let open = api().needed(call.with(&Bytes::new()), &known);

        let mut answers = found.clone();
        if !open.is_empty() {
            let ReplyOutcome::Answers { items, .. } = learned(&call, &message, &open, (200, &server(&open))) else {
                panic!("nothing learned");
            };
            for (known, &index) in items.into_iter().zip(&open) {
                prop_assert_eq!(known.store, verdicts[index].0);
                answers[index] = Some(known.response);
            }
        }
        let answers: Vec<_> = answers.iter().map(Option::as_ref).collect();
        let all: Vec<_> = (0..texts.len()).collect();
        prop_assert_eq!(merge(&answers), server(&all));
    }
}
