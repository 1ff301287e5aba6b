//! What only Permify's gateway has: a token in two spellings, of which not every build reads both.

use std::collections::HashMap;

use serde_json::{Value, json};
use tower_zookie::cache::ReadAt;
use tower_zookie::protocol::Kind;
use tower_zookie_testing::api::{Api, Case, Does, Learned, Question, STATING, STORED, base, permify, revision, with};

fn gateway() -> Api {
    permify()[1]
}

fn read(case: Case, text: &str) -> Option<Question> {
    case.request_of(text.to_owned()).read(&base()).ok()
}

/// A check with this metadata, amid space and escapes.
fn with_metadata(metadata: &str) -> String {
    format!(r#"{{ "metadata": {metadata}, "permission" : "v\u0069ew", "n":1e0 }}"#)
}

/// What is forwarded for a check with this metadata, if that differs from the check.
fn asked(metadata: &str, at: &ReadAt, token: Option<&str>) -> Option<String> {
    let asked = read(gateway().check(), &with_metadata(metadata))
        .unwrap()
        .forwarded(&[0], at, token)?;
    Some(String::from_utf8(asked.to_vec()).unwrap())
}

#[test]
fn rule_01_a_token_is_written_in_snake_case() {
    let at = ReadAt::Exact(revision());
    for (metadata, expected) in [
        ("{}", r#"{"snap_token":"x"}"#),
        ("{ }", r#"{"snap_token":"x"}"#),
        (r#"{ "depth":20}"#, r#"{"snap_token":"x", "depth":20}"#),
        (r#"{"snap_token":"y"}"#, r#"{"snap_token":"x"}"#),
        (
            r#"{"depth":20 , "snap_token" : "" }"#,
            r#"{"depth":20 , "snap_token" : "x" }"#,
        ),
        (
            r#"{"snap\u005ftoken":null,"depth":20}"#,
            r#"{"snap\u005ftoken":"x","depth":20}"#,
        ),
        // Not every build reads the other spelling.
        (r#"{"snapToken":"y"}"#, r#"{"snap_token":"x"}"#),
        (r#"{"snapToken":"x"}"#, r#"{"snap_token":"x"}"#),
        (r#"{"snapToken":null}"#, r#"{"snap_token":"x"}"#),
        (
            r#"{"depth":20 , "snap\u0054oken" : "x" ,"a":"\"snapToken\""}"#,
            r#"{"depth":20 , "snap_token" : "x" ,"a":"\"snapToken\""}"#,
        ),
    ] {
        assert_eq!(
            asked(metadata, &at, Some("x")),
            Some(with_metadata(expected)),
            "{metadata}"
        );
    }
    let unmodified = asked(r#"{"snapToken":"x"}"#, &ReadAt::Unmodified(revision()), Some("x"));
    assert_eq!(unmodified, Some(with_metadata(r#"{"snap_token":"x"}"#)));
    for metadata in [
        r#"{"snap_token":"x"}"#,
        r#"{"depth":20, "snap\u005ftoken" : "\u0078"}"#,
        r#"{"snap_token":"x","schemaVersion":"v1"}"#,
    ] {
        assert_eq!(asked(metadata, &at, Some("x")), None, "{metadata}: it already asks so");
    }
}

#[test]
fn rule_03_head_is_asked_without_a_token() {
    for at in [ReadAt::Head, ReadAt::Any] {
        for (metadata, expected) in [
            (r#"{"snap_token":"x"}"#, r#"{"snap_token":""}"#),
            (r#"{"snapToken":"x", "depth":20}"#, r#"{"snap_token":"", "depth":20}"#),
            (
                r#"{"depth":20, "snap_token" : "\u0078" }"#,
                r#"{"depth":20, "snap_token" : "" }"#,
            ),
        ] {
            assert_eq!(asked(metadata, &at, None), Some(with_metadata(expected)), "{metadata}");
        }
        for metadata in [
            "{}",
            r#"{"depth":20}"#,
            r#"{"snap_token":null}"#,
            r#"{"snapToken":""}"#,
            r#"{"snapToken":null}"#,
        ] {
            assert_eq!(asked(metadata, &at, None), None, "{metadata}");
        }
    }
}

#[test]
fn rule_16_the_rest_of_a_bulk_is_forwarded_byte_for_byte() {
    let text = |items: &str, metadata: &str| format!(r#"{{ "items": [{items}] ,"metadata" : {metadata}}}"#);
    let all = text(
        r#" {"permission":"a"}, {"permission":"b", "n":1e0} ,{ }"#,
        r#"{"depth":20}"#,
    );
    let ask = |open: &[usize], at, token| read(gateway().bulk(), &all).unwrap().forwarded(open, &at, token);
    let asked = ask(&[1, 2], ReadAt::Head, None).unwrap();
    assert_eq!(asked, text(r#"{"permission":"b", "n":1e0},{ }"#, r#"{"depth":20}"#));
    let asked = ask(&[0], ReadAt::Exact(revision()), Some("x")).unwrap();
    assert_eq!(asked, text(r#"{"permission":"a"}"#, r#"{"snap_token":"x","depth":20}"#));
    assert_eq!(ask(&[0, 1, 2], ReadAt::Head, None), None);
}

#[test]
fn rule_01_the_token_of_the_message_is_read_in_both_spellings() {
    for name in ["snap_token", "snapToken", "snap\\u005ftoken", "snap\\u0054oken"] {
        for (token, expected) in [
            ("null", None),
            ("\"\"", None),
            ("\"\\u0061\\/=\"", Some("a/=")),
            (" \"noop\" ", Some("noop")),
            ("\"ä\"", Some("ä")),
        ] {
            let metadata = format!(r#"{{"depth":20,"{name}":{token}}}"#);
            let question = read(gateway().check(), &with_metadata(&metadata)).unwrap();
            assert_eq!(
                question.call.token.as_deref(),
                expected.map(str::as_bytes),
                "{metadata}"
            );
        }
    }
    let elsewhere = r#"{"metadata":{},"snap_token":"x","context":{"snap_token":"x"}}"#;
    assert_eq!(read(gateway().check(), elsewhere).unwrap().call.token, None);
}

#[test]
fn rule_09_odd_spellings_of_the_metadata_are_unreadable() {
    for case in gateway().of(STATING) {
        for metadata in [
            r#"{"SnapToken":"x"}"#,
            r#"{"snaptoken":"x"}"#,
            r#"{"snap_token":"x","SNAP_TOKEN":"y"}"#,
            r#"{"snap_token":"x","snapToken":"x"}"#,
            r#"{"snap_token":"","snapToken":null}"#,
            r#"{"snap_token":{}}"#,
            "[]",
            "nul",
            r#"{},"METADATA":{}"#,
        ] {
            assert!(read(case, &with_metadata(metadata)).is_none(), "{case} {metadata}");
        }
    }
    let deep = format!(r#"{{"schema_version":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let both = r#"{"schema_version":"x","schemaVersion":"x"}"#;
    for (case, metadata) in gateway()
        .of(STORED)
        .into_iter()
        .flat_map(|case| [(case, both), (case, &deep)])
    {
        assert!(read(case, &with_metadata(metadata)).is_none(), "{case} {metadata}");
    }
}

#[test]
fn rule_04_a_version_in_camel_case_pins_no_schema() {
    let unpinned = |metadata| read(gateway().check(), &with_metadata(metadata)).unwrap().call.unpinned;
    assert!(unpinned(r#"{"schemaVersion":"v1"}"#) && !unpinned(r#"{"schema\u005fversion":"v1"}"#));
}

#[test]
fn rule_11_cursors_are_read_in_both_spellings() {
    let read = |members: &str| {
        read(
            gateway().named("LookupEntity"),
            &format!(r#"{{"metadata":{{}},{members}}}"#),
        )
    };
    for name in ["continuous_token", "continuousToken"] {
        for (cursor, kind) in [("\"x\"", Kind::Page), ("\"\"", Kind::read()), ("null", Kind::read())] {
            assert_eq!(
                read(&format!(r#""{name}":{cursor}"#)).unwrap().call.kind,
                kind,
                "{name} {cursor}"
            );
        }
    }
    assert!(read(r#""continuous_token":"x","continuousToken":"x""#).is_none());
    assert!(read(r#""continuous_token":null,"continuousToken":null"#).is_none());
}

#[test]
fn rule_11_of_a_reply_only_known_texts_are_stored() {
    let answer = || gateway().check().answer(true);
    let text = String::from_utf8(answer().body.to_vec()).unwrap();
    let stored = |text: String| {
        gateway().check().call().learned(&answer().with_body(text)) == Learned::Answers(vec![true], None)
    };
    for text in [
        text.replace("check_count", "checkCount"),
        text.replace(":4", ":0"),
        r#" {"metadata" : {"check_count" : 1}, "can" : "CHECK_RESULT_DENIED"} "#.to_owned(),
    ] {
        assert!(stored(text.clone()), "{text}");
    }
    for (old, new) in [
        ("\"CHECK_RESULT_ALLOWED\"", "true"),
        ("{\"check_count\":4}", "[]"),
        ("{\"check_count\":4}", "{\"check_count\":{}}"),
        ("{\"check_count\":4}", "{\"check_count\":\"x\"}"),
        ("\"can\"", "\"unknown\":null,\"can\""),
        (&text, "\"CHECK_RESULT_ALLOWED\""),
        (&text, r#"{"tree":{}}"#),
    ] {
        assert!(!stored(text.replace(old, new)), "{new}");
    }
    let expand = gateway().of(&[Does::Expand])[0];
    for text in [r#"{"tree":[]}"#, r#"{"trees":{}}"#, &text] {
        let learned = expand.call().learned(&answer().with_body(text.to_owned()));
        assert_ne!(learned, Learned::Answers(vec![true], None), "{text}");
    }
}

#[test]
fn a_writes_token_is_read_in_both_spellings() {
    for write in gateway().of(&[Does::Write]) {
        for (text, token) in [
            (r#"{"snapToken":"0BczRpzw6Rg="}"#, Some("0BczRpzw6Rg=")),
            (r#"{"unknown":1, "snap_token":"t"}"#, Some("t")),
            // Permify replies this to a filter that matches nothing.
            (r#"{"snap_token":""}"#, None),
            (r#"{"snap_token":"t"}x"#, None),
        ] {
            let learned = write.call().learned(&gateway().reply_of(text));
            assert_eq!(
                learned,
                Learned::Wrote(token.map(str::to_owned), false),
                "{write} {text}"
            );
        }
    }
}

#[test]
fn rule_10_only_the_token_is_not_in_the_key() {
    let (base, check) = (base(), gateway().check());
    let plain = check.message();
    let mut seen = HashMap::from([(check.key(&plain, &base), plain.clone())]);
    for (pointer, value) in [
        ("/metadata/schema_version", json!("")),
        ("/metadata", json!({"depth": 20, "schemaVersion": "v1"})),
        ("/entity", json!({})),
        ("/context", json!({})),
        ("/context", json!({"data": {"snap_token": "x"}})),
        ("/context", json!({"data": {"snap_token": "y"}})),
        ("/tenant_id", json!("t2")),
        ("/items", json!([])),
        ("/snap_token", json!("x")),
        ("/snapToken", json!("x")),
    ] {
        let message = with(&plain, pointer, value);
        assert_eq!(
            seen.insert(check.key(&message, &base), message.clone()),
            None,
            "{message}"
        );
    }
    for name in ["snap_token", "snapToken"] {
        for token in [json!(null), json!("x"), json!("y")] {
            let message: Value = with(&plain, &format!("/metadata/{name}"), token);
            assert!(seen[&check.key(&message, &base)] == plain, "{message}");
        }
    }
}
