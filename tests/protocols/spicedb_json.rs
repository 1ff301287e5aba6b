//! What only SpiceDB's gateway has: two spellings of each field, and three of an absent one.

use bytes::Bytes;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tower_zookie::cache::{Fingerprint, ReadAt};
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::Kind;
use tower_zookie_testing::api::{
    Api, Base, Case, Field, Holds, Learned, Question, base, doubles, json_values, pointers, revision, spicedb, with,
    without,
};

fn gateway() -> Api {
    spicedb()[1]
}

fn read(case: Case, text: &str) -> Option<Question> {
    case.request_of(text.to_owned()).read(&base()).ok()
}

fn key(text: impl Into<Bytes>, base: &Base) -> Fingerprint {
    gateway().check().request_of(text).key(base)
}

/// A check with this text as its consistency.
fn stating(consistency: &str) -> String {
    format!(r#"{{"permission":"view","consistency":{consistency}}}"#)
}

#[test]
fn rule_01_a_consistency_is_read_in_both_spellings() {
    for (text, expected, at, token) in [
        ("null", None, ReadAt::Any, None),
        (
            r#"{"minimize_latency":true}"#,
            Some(Consistency::MinimizeLatency),
            ReadAt::Any,
            None,
        ),
        (
            r#"{"fully_consistent": true}"#,
            Some(Consistency::FullyConsistent),
            ReadAt::Head,
            None,
        ),
        (
            r#"{"fullyConsistent":true,"minimizeLatency":null,"atLeastAsFresh":null}"#,
            Some(Consistency::FullyConsistent),
            ReadAt::Head,
            None,
        ),
        (
            r#"{"at_least_as_fresh":{"token":"\u0061\/="}}"#,
            Some(Consistency::AtLeastAsFresh),
            ReadAt::AtLeast(revision()),
            Some("a/="),
        ),
        (
            r#"{"at_exact_snapshot":{"token":"x"}}"#,
            Some(Consistency::AtExactSnapshot),
            ReadAt::Exact(revision()),
            Some("x"),
        ),
    ] {
        let question = read(gateway().check(), &stating(text)).unwrap();
        assert_eq!(question.call.consistency, expected, "{text}");
        assert_eq!(question.call.token.as_deref(), token.map(str::as_bytes), "{text}");
        assert_eq!(question.forwarded(&[0], &at, token), None, "{text}: it already asks so");
    }
    for text in [
        "[]",
        r#"{"fullyConsistent":null}"#,
        r#"{"minimizeLatency":"true"}"#,
        r#"{"minimizeLatency":1}"#,
        r#"{"atLeastAsFresh":{"token":null}}"#,
        r#"{"atLeastAsFresh":{"token":"x"},"at_least_as_fresh":{"token":"x"}}"#,
        r#"{"atLeastAsFresh":{"token":"x"},"at_least_as_fresh":null}"#,
        r#"{"fullyconsistent":true}"#,
        r#"{"FullyConsistent":true}"#,
        r#"{"atLeastAsFresh":{"Token":"x"}}"#,
        r#"{"fullyConsistent":true},"consistency":null"#,
    ] {
        assert!(read(gateway().check(), &stating(text)).is_none(), "{text}");
    }
}

#[test]
fn the_rest_of_a_message_is_forwarded_byte_for_byte() {
    let (check, bulk, listing) = (gateway().check(), gateway().bulk(), gateway().named("LookupResources"));
    for (case, text, open, expected) in [
        (check, "{}", &[0][..], "{STATED}"),
        (check, " { } ", &[0], " {STATED} "),
        (
            check,
            r#"{ "a" : "v\u0069ew", "n":1e0 }"#,
            &[0],
            r#"{STATED, "a" : "v\u0069ew", "n":1e0 }"#,
        ),
        (
            check,
            r#"{ "a":1, "consistency" : { "minimizeLatency":true } , "b":2}"#,
            &[0],
            r#"{ "a":1, "consistency" : {"fullyConsistent":true} , "b":2}"#,
        ),
        (
            check,
            r#"{ "a":1, "c\u006fnsistency" : null }"#,
            &[0],
            r#"{ "a":1, "c\u006fnsistency" : {"fullyConsistent":true} }"#,
        ),
        (
            listing,
            r#"{"permission":"view"}"#,
            &[],
            r#"{STATED,"permission":"view"}"#,
        ),
        (
            bulk,
            r#"{ "items": [ {"permission":"a"}, {"permission":"b", "n":1e0} ,{ }] ,"consistency" : {"fullyConsistent":true}}"#,
            &[1, 2],
            r#"{ "items": [{"permission":"b", "n":1e0},{ }] ,"consistency" : {"fullyConsistent":true}}"#,
        ),
        (
            bulk,
            r#"{ "items": [ {"permission":"a"}, {}] }"#,
            &[0],
            r#"{STATED, "items": [{"permission":"a"}] }"#,
        ),
    ] {
        let expected = expected.replace("STATED", r#""consistency":{"fullyConsistent":true}"#);
        assert_eq!(
            read(case, text).unwrap().forwarded(open, &ReadAt::Head, None).unwrap(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn rule_11_limits_cursors_and_tracing_are_read_in_both_spellings() {
    let kind = |member: &str| {
        let text = format!(r#"{{"permission":"view",{member}}}"#);
        read(gateway().named("LookupResources"), &text).unwrap().call.kind
    };
    for page in [
        r#""optional_cursor":{}"#,
        r#""optionalLimit":"10""#,
        r#""optional_limit":1"#,
    ] {
        assert_eq!(kind(page), Kind::Page, "{page}");
    }
    for whole in [
        r#""optionalCursor":null"#,
        r#""optionalLimit":null"#,
        r#""optional_limit":"0""#,
    ] {
        assert_eq!(kind(whole), Kind::read().streamed(), "{whole}");
    }
    let (base, plain) = (base(), gateway().check().message());
    for name in ["/withTracing", "/with_tracing"] {
        let traced = read(gateway().check(), &with(&plain, name, true).to_string()).unwrap();
        assert_eq!(traced.call.kind, Kind::read(), "{name}");
        let off = [json!(false), json!(null)].map(|off| key(with(&plain, name, off).to_string(), &base));
        assert_eq!(off, [key(plain.to_string(), &base); 2], "{name}");
    }
}

#[test]
fn rule_10_a_field_in_both_spellings_or_of_another_type_is_unreadable() {
    for (old, new) in [
        ("\"objectId\"", "\"object_id\":\"a\",\"objectId\""),
        ("\"objectId\"", "\"object_id\":null,\"objectId\""),
        (
            "\"permission\"",
            "\"withTracing\":false,\"with_tracing\":false,\"permission\"",
        ),
        ("\"permission\"", "\"withTracing\":1,\"permission\""),
        ("\"permission\"", "\"context\":[],\"permission\""),
        ("\"view\"", "1"),
        ("\"alice\"", "{}"),
    ] {
        let text = gateway().check().message().to_string().replace(old, new);
        assert!(read(gateway().check(), &text).is_none(), "{text}");
    }
}

#[test]
fn rule_10_numbers_in_a_context_are_doubles() {
    let base = base();
    let text = |number: &str| format!(r#"{{"context":{{"a":[{number}]}}}}"#);
    for (a, b) in [
        ("1", "1.0"),
        ("1", "1e0"),
        ("1", "0.01E+2"),
        ("9007199254740993", "9007199254740992"),
        ("1e-400", "0"),
    ] {
        assert_eq!(key(text(a), &base), key(text(b), &base), "{a} {b}");
    }
    for (a, b) in [
        ("1", "2"),
        ("0", "-0"),
        ("1", "\"1\""),
        ("1", "true"),
        ("0", "null"),
        ("1", "1.0000000000000002"),
    ] {
        assert_ne!(key(text(a), &base), key(text(b), &base), "{a} {b}");
    }
    assert!(
        read(gateway().check(), &text("1e309")).is_none(),
        "the server rejects it"
    );
    assert!(read(gateway().check(), &text("1e308")).is_some());
    // A newer server may read an unknown member in another way.
    let unknown = |value: &str| key(format!(r#"{{"unknown":{value}}}"#), &base);
    assert!(unknown("1") != unknown("1.0") && unknown("null") != key("{}", &base));
    assert_ne!(
        key(r#"{"context":{"objectType":1}}"#, &base),
        key(r#"{"context":{"object_type":1}}"#, &base)
    );
}

#[test]
fn rule_11_an_unreadable_expiry_is_not_stored() {
    let reply = with(
        &gateway().system.answer(gateway().check().does(), true),
        "/optionalExpiresAt",
        "soon",
    );
    let learned = gateway().check().call().learned_from(&reply);
    assert_ne!(learned, Learned::Answers(vec![true], Some("t".to_owned())));
}

/// The message with its fields in either spelling, and absent ones as null or as empty text.
fn vary(fields: &[Field], message: &Value, chance: &mut StdRng) -> Value {
    let Value::Object(members) = message else {
        return message.clone();
    };
    let mut varied = members.clone();
    for Field(_, name, holds) in fields {
        let is_text = matches!(holds, Holds::Scalar) && *name != "withTracing";
        let value = match (varied.remove(*name), holds) {
            (Some(value), Holds::Message(fields)) => vary(fields, &value, chance),
            (Some(value), _) => value,
            (None, _) if chance.random() => continue,
            (None, _) if is_text && chance.random() => json!(""),
            (None, _) => json!(null),
        };
        let snake = name.replace('T', "_t").replace('I', "_i").replace('R', "_r");
        varied.insert(if chance.random() { snake } else { (*name).to_owned() }, value);
    }
    varied.into()
}

/// Questions with some of all fields, so that two questions are often equal.
fn any_question() -> impl Strategy<Value = Value> {
    let everything = without(&gateway().check().everything(), "/context");
    let all = pointers(&everything).into_iter().skip(1).collect::<Vec<_>>();
    let context = prop::option::of(prop::collection::btree_map("[ab]{0,2}", json_values(), 0..3));
    (prop::sample::subsequence(all, 0..3), context).prop_map(move |(absent, context)| {
        let present = |message: &Value, pointer: &String| message.pointer(pointer).is_some();
        let question = absent.iter().rev().fold(everything.clone(), |message, pointer| {
            if present(&message, pointer) {
                without(&message, pointer)
            } else {
                message
            }
        });
        match context {
            Some(context) => with(&question, "/context", context.into_iter().collect::<Value>()),
            None => question,
        }
    })
}

proptest! {
    #[test]
    fn rule_10_only_equal_questions_share_a_key(a in any_question(), b in any_question(), seeds: [u64; 3]) {
        let (base, check) = (base(), gateway().check());
        let key = |question: &Value, seed| {
            let varied = vary(check.operation.asks, question, &mut StdRng::seed_from_u64(seed));
            key(check.respelled(&varied, seed), &base)
        };
        prop_assert_eq!(key(&a, seeds[0]), key(&a, seeds[1]));
        prop_assert_eq!(key(&a, seeds[0]) == key(&b, seeds[2]), doubles(&a) == doubles(&b));
    }
}
