use crate::protocol::spicedb::json::tests::*;
use crate::revision::Revision;
use crate::token::{OpaqueTokens, TokenFormat};

fn zookie(text: &str) -> Zookie {
    Zookie::new(text, 100).unwrap()
}

fn revision() -> Revision {
    OpaqueTokens::new("test").decode("x").unwrap()
}

fn ask(path: &str, body: &str, open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<String> {
    let call = read(path, JSON, body, &base()).unwrap();
    let asked = api().ask(call.with(&Bytes::copy_from_slice(body.as_bytes())), open, at, zookie)?;
    Some(String::from_utf8(asked.to_vec()).unwrap())
}

/// Every `ReadAt`, and how a message states it.
fn ways() -> [(ReadAt, Option<Zookie>, Value); 5] {
    let x = || Some(zookie("x"));
    [
        (ReadAt::Any, None, json!({"minimizeLatency": true})),
        (ReadAt::Head, None, json!({"fullyConsistent": true})),
        (
            ReadAt::AtLeast(revision()),
            x(),
            json!({"atLeastAsFresh": {"token": "x"}}),
        ),
        (
            ReadAt::Unmodified(revision()),
            x(),
            json!({"atLeastAsFresh": {"token": "x"}}),
        ),
        (
            ReadAt::Exact(revision()),
            x(),
            json!({"atExactSnapshot": {"token": "x"}}),
        ),
    ]
}

#[test]
fn a_message_that_already_asks_so_is_forwarded_unmodified() {
    let statements = [
        (json!(null), json!({"minimizeLatency": true})),
        (json!({"minimize_latency": true}), json!({"minimizeLatency": true})),
        (json!({"fully_consistent": true}), json!({"fullyConsistent": true})),
        (
            json!({"at_least_as_fresh": {"token": "x"}}),
            json!({"atLeastAsFresh": {"token": "x"}}),
        ),
        (
            json!({"at_exact_snapshot": {"token": "x"}}),
            json!({"atExactSnapshot": {"token": "x"}}),
        ),
        (json!({"atLeastAsFresh": {"token": "y"}}), json!("another token")),
        (json!({"atExactSnapshot": {"token": "y"}}), json!("another token")),
    ];
    for (stated, meaning) in statements {
        let body = with("/consistency", stated.clone()).to_string();
        for (at, zookie, spelled) in ways() {
            let asked = ask(CHECK, &body, &[0], &at, zookie.as_ref());
            assert_eq!(asked.is_none(), meaning == spelled, "{stated} {at:?}");
            if let Some(asked) = asked {
                assert_eq!(serde_json::from_str::<Value>(&asked).unwrap()["consistency"], spelled);
            }
        }
    }
    let silent = plain().to_string();
    assert_eq!(ask(CHECK, &silent, &[0], &ReadAt::Any, None), None);
}

#[test]
fn the_rest_of_a_message_is_forwarded_byte_for_byte() {
    let full = |path, body: &str, open: &[usize]| ask(path, body, open, &ReadAt::Head, None).unwrap();
    assert_eq!(full(CHECK, "{}", &[0]), r#"{"consistency":{"fullyConsistent":true}}"#);
    assert_eq!(
        full(CHECK, " { } ", &[0]),
        r#" {"consistency":{"fullyConsistent":true} } "#
    );
    assert_eq!(
        full(CHECK, r#"{ "permission" : "v\u0069ew", "n":1e0 }"#, &[0]),
        r#"{"consistency":{"fullyConsistent":true}, "permission" : "v\u0069ew", "n":1e0 }"#
    );
    assert_eq!(
        full(
            CHECK,
            r#"{ "a":1, "c\u006fnsistency" : { "minimizeLatency":true } , "b":2}"#,
            &[0]
        ),
        r#"{ "a":1, "c\u006fnsistency" : {"fullyConsistent":true} , "b":2}"#
    );
    assert_eq!(
        full(CHECK, r#"{"consistency":null}"#, &[0]),
        r#"{"consistency":{"fullyConsistent":true}}"#
    );
    let listing = "/v1/permissions/resources";
    assert_eq!(
        full(listing, r#"{"permission":"view"}"#, &[]),
        r#"{"consistency":{"fullyConsistent":true},"permission":"view"}"#
    );
}

#[test]
fn rule_16_only_the_open_items_are_asked() {
    let body = r#"{ "items": [ {"permission":"a"}, {"permission":"b", "n":1e0} ,{ }] ,"consistency" : {"fullyConsistent":true}}"#;
    let ask = |open: &[usize], at: &ReadAt, zookie: Option<&Zookie>| ask(BULK, body, open, at, zookie);
    assert_eq!(
        ask(&[1, 2], &ReadAt::Head, None).unwrap(),
        r#"{ "items": [{"permission":"b", "n":1e0},{ }] ,"consistency" : {"fullyConsistent":true}}"#
    );
    assert_eq!(
        ask(&[0], &ReadAt::Exact(revision()), Some(&zookie("x"))).unwrap(),
        r#"{ "items": [{"permission":"a"}] ,"consistency" : {"atExactSnapshot":{"token":"x"}}}"#
    );
    assert_eq!(
        ask(&[0, 1, 2], &ReadAt::Any, None).unwrap(),
        body.replace("fullyConsistent", "minimizeLatency")
    );
    assert_eq!(ask(&[0, 1, 2], &ReadAt::Head, None), None);
}

#[test]
fn rule_01_a_revision_without_a_token_is_asked_at_head() {
    let asked = ask(CHECK, "{}", &[0], &ReadAt::AtLeast(revision()), None).unwrap();
    assert_eq!(asked, r#"{"consistency":{"fullyConsistent":true}}"#);
}

#[test]
fn writes_are_never_rewritten() {
    let call = read("/v1/relationships/write", JSON, "", &base()).unwrap();
    assert_eq!(
        api().ask(call.with(&Bytes::from_static(b"{}")), &[], &ReadAt::Head, None),
        None
    );
}

proptest! {
    #[test]
    fn rewriting_changes_only_the_consistency_and_the_items(
        items in prop::collection::vec(any_question(), 1..5),
        stated in prop::option::of(0usize..5),
        way in 0usize..5,
        picked in prop::collection::vec(any::<bool>(), 5),
        seed: u64,
    ) {
        let mut request = json!({ "items": items, "unknown": [1] });
        if let Some(stated) = stated {
            request["consistency"] = ways()[stated].2.clone();
        }
        let body = vary(&request, seed);
        let mut open: Vec<usize> = (0..items.len()).filter(|&index| picked[index]).collect();
        if open.is_empty() {
            open.push(0);
        }
        let (at, zookie, spelled) = &ways()[way];
        let base = base();
        let call = bulk(&body, &base).unwrap();
        let asked = ask(BULK, &body, &open, at, zookie.as_ref()).unwrap_or_else(|| body.clone());

        let asked_call = bulk(&asked, &base).unwrap();
        let (Kind::Bulk(all), Kind::Bulk(some)) = (&call.kind, &asked_call.kind) else { panic!("no bulks") };
        prop_assert_eq!(open.iter().map(|&index| all[index]).collect::<Vec<_>>(), some.clone());
        let minimal = json!({"minimizeLatency": true});
        let said = asked_call.consistency.map_or(minimal.clone(), |_| {
            let value: Value = serde_json::from_str(&asked).unwrap();
            if value["consistency"].is_null() { minimal } else { value["consistency"].clone() }
        });
        prop_assert_eq!(&said, spelled);

        let neutral = |text: &str| {
            let mut value: Value = serde_json::from_str(text).unwrap();
            value.as_object_mut().unwrap().remove("consistency");
            value.as_object_mut().unwrap().remove("items");
            value
        };
        prop_assert_eq!(neutral(&asked), neutral(&body));
    }
}
