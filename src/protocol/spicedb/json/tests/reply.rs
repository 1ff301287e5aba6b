use crate::protocol::spicedb::json::tests::*;

fn pair(id: &str, verdict: &str) -> String {
    format!(
        r#"{{"request":{{"resource":{{"objectType":"document", "objectId":"{id}"}}, "permission":"view", "subject":{{"object":{{"objectType":"user", "objectId":"alice"}}, "optionalRelation":""}}, "context":null}}, "item":{{"permissionship":"{verdict}", "partialCaveatInfo":null, "debugTrace":null}}}}"#
    )
}

fn stored(body: &str) -> StoredResponse {
    StoredResponse::new(
        StatusCode::OK,
        HeaderValue::from_static("application/json"),
        Bytes::copy_from_slice(body.as_bytes()),
    )
}

fn merge(answers: &[Option<&StoredResponse>], zookie: Option<&Zookie>) -> String {
    let call = ReadCall::new(route(BULK), Kind::Bulk(Vec::new()));
    let merged = api().merge(call.with(&Bytes::new()), answers, zookie);
    assert_eq!(merged.status, 200);
    assert_eq!(merged.content_type.unwrap(), "application/json");
    String::from_utf8(merged.body.to_vec()).unwrap()
}

fn merge_of<const N: usize>(pairs: [&String; N], zookie: &Zookie) -> String {
    let pairs = pairs.map(|pair| stored(pair));
    merge(&pairs.each_ref().map(Some), Some(zookie))
}

#[test]
fn a_merged_reply_is_spelled_as_the_server_spells_it() {
    let (yes, no) = (
        pair("a", "PERMISSIONSHIP_HAS_PERMISSION"),
        pair("b", "PERMISSIONSHIP_NO_PERMISSION"),
    );
    let zookie = Zookie::new("Gh8/+=", 100).unwrap();
    let spaced = format!(r#"{{"checkedAt":{{"token":"Gh8/+="}}, "pairs":[{yes}, {no}, {yes}]}}"#);
    assert_eq!(merge_of([&yes, &no, &yes], &zookie), spaced);

    let tight = |text: &str| text.replace(", ", ",");
    let (yes, no) = (tight(&yes), tight(&no));
    assert_eq!(merge_of([&yes, &no, &yes], &zookie), tight(&spaced));
}

#[test]
fn rule_16_a_mix_of_revisions_has_no_token() {
    let yes = pair("a", "PERMISSIONSHIP_HAS_PERMISSION");
    let merged: Value = serde_json::from_str(&merge(&[Some(&stored(&yes))], None)).unwrap();
    assert_eq!(merged["checkedAt"], Value::Null);
    assert_eq!(merged["pairs"].as_array().unwrap().len(), 1);
}

#[test]
fn rule_14_a_missing_answer_is_an_error() {
    let yes = pair("a", "PERMISSIONSHIP_HAS_PERMISSION");
    let merged: Value = serde_json::from_str(&merge(&[Some(&stored(&yes)), None], None)).unwrap();
    assert_eq!(
        merged["pairs"][0]["item"]["permissionship"],
        "PERMISSIONSHIP_HAS_PERMISSION"
    );
    assert_eq!(merged["pairs"][1]["error"]["code"], 14);
    assert!(merged["pairs"][1].get("item").is_none());
}

#[test]
fn rejections_have_the_gateways_form() {
    use crate::token::TokenErrorKind;
    for (why, status, code) in [
        (Rejection::BadToken(TokenErrorKind::Malformed("cut off")), 400, 3),
        (Rejection::BadToken(TokenErrorKind::Foreign), 400, 3),
        (Rejection::BadToken(TokenErrorKind::Expired), 400, 11),
        (Rejection::TokensDoNotJoin, 400, 3),
        (Rejection::TokenRequired, 400, 3),
        (Rejection::ExactNeedsOneToken, 400, 3),
        (Rejection::UnknownConsistency, 400, 3),
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

proptest! {
    #[test]
    fn rule_16_a_merged_reply_is_what_the_server_would_send(
        verdicts in prop::collection::vec((0u8..3, any::<bool>()), 1..8), spaced: bool,
    ) {
        const VERDICTS: [&str; 3] = [
            "PERMISSIONSHIP_HAS_PERMISSION",
            "PERMISSIONSHIP_NO_PERMISSION",
            "PERMISSIONSHIP_CONDITIONAL_PERMISSION",
        ];
        let comma = if spaced { ", " } else { "," };
        let pairs: Vec<_> = verdicts.iter().enumerate().map(|(nth, (verdict, _))| {
            pair(&nth.to_string(), VERDICTS[usize::from(*verdict)]).replace(", ", comma)
        }).collect();
        let server = |indexes: &[usize]| {
            let pairs: Vec<_> = indexes.iter().map(|&index| &*pairs[index]).collect();
            format!(r#"{{"checkedAt":{{"token":"x"}}{comma}"pairs":[{}]}}"#, pairs.join(comma))
        };
        let items: Vec<_> = (0..pairs.len()).map(|nth| with("/resource/objectId", json!(nth.to_string()))).collect();
        let message = json!({ "items": items }).to_string();
        let call = bulk(&message, &base()).unwrap();
        let found: Vec<_> = verdicts.iter().zip(&pairs).map(|((_, found), pair)| found.then(|| stored(pair))).collect();
        let known: Vec<_> = found.iter().map(Option::as_ref).collect();
        let open = api().needed(call.with(&Bytes::new()), &known);

        let mut answers = found.clone();
        if !open.is_empty() {
            let ReplyOutcome::Answers { items, token } = learned(&call, &message, &open, (200, &server(&open))) else {
                panic!("nothing learned");
            };
            prop_assert_eq!(token.as_deref(), Some("x"));
            for (known, &index) in items.into_iter().zip(&open) {
                prop_assert!(known.store);
                answers[index] = Some(known.response);
            }
        }
        let answers: Vec<_> = answers.iter().map(Option::as_ref).collect();
        let all: Vec<_> = (0..pairs.len()).collect();
        prop_assert_eq!(merge(&answers, Some(&Zookie::new("x", 9).unwrap())), server(&all));
    }
}
