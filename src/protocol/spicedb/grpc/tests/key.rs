use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Map, Value as Json, json};

use crate::protocol::spicedb::grpc::tests::*;
use crate::protocol::testing::{json, structure};

fn key(message: &[u8], base: &FingerprintBuilder) -> Fingerprint {
    question(&ask(CHECK, &framed(message), base).unwrap())
}

fn with(more: &[u8]) -> Vec<u8> {
    [&plain()[..], more].concat()
}

fn context(value: &Json, seed: u64) -> Vec<u8> {
    let members = Map::from_iter([("a".to_owned(), value.clone()), ("b".to_owned(), json!(1))]);
    structure(&members, &mut StdRng::seed_from_u64(seed))
}

/// Different questions. `first` is the number of the field with the resource.
fn different(first: u32) -> Vec<Vec<u8>> {
    let subject = |subject: &[u8]| [&tuple(first, "plan", "alice")[..], &bytes(first + 2, subject)].concat();
    let context = |context: &[u8]| [tuple(first, "plan", "alice"), bytes(first + 3, context)].concat();
    vec![
        tuple(first, "plan", "alice"),
        tuple(first, "plan2", "alice"),
        tuple(first, "plan", "bob"),
        [tuple(first, "plan", "alice"), bytes(first + 1, b"edit")].concat(),
        [tuple(first, "plan", "alice"), bytes(first, &object("folder", "plan"))].concat(),
        subject(&bytes(2, b"member")),
        subject(&bytes(2, b"")),
        subject(&bytes(1, &object("team", "alice"))),
        context(b""),
        context(&structure(
            &Map::from_iter([("a".into(), json!(1))]),
            &mut StdRng::seed_from_u64(0),
        )),
        context(&structure(
            &Map::from_iter([("a".into(), json!("1"))]),
            &mut StdRng::seed_from_u64(0),
        )),
        [tuple(first, "plan", "alice"), bytes(127, b"abc")].concat(),
        [tuple(first, "plan", "alice"), varint(127, 0)].concat(),
    ]
}

#[test]
#[ignore = "differs"]
fn rule_10_every_part_of_the_question_is_in_the_key() {
    let base = base();
    let checks = different(2).into_iter().chain([with(&varint(6, 0))]);
    let mut seen = std::collections::HashMap::new();
    for message in checks {
        assert_eq!(seen.insert(key(&message, &base), message.clone()), None, "{message:x?}");
    }
    let items: Vec<u8> = different(1).iter().flat_map(|item| bytes(2, item)).collect();
    for path in [BULK, BULK_TWIN] {
        let bulk = ask(path, &framed(&items), &base).unwrap();
        for (nth, question) in questions(&bulk).iter().enumerate() {
            assert_eq!(seen.insert(*question, items.clone()), None, "{path} {nth}");
        }
    }
}

#[test]
fn rule_10_consistency_is_not_in_the_key() {
    let base = base();
    let usual = key(&plain(), &base);
    for consistency in [minimal(), fully(), at_least("a"), at_least("b"), exactly("a")] {
        assert_eq!(key(&[&consistency[..], &plain()].concat(), &base), usual);
        assert_eq!(key(&[&plain()[..], &consistency].concat(), &base), usual);
    }
    let recorded = decoded(recorded::CHECK);
    assert_eq!(question(&ask(CHECK, &recorded, &base).unwrap()), usual);
    let least = decoded(recorded::LEAST);
    assert_eq!(question(&ask(CHECK, &least, &base).unwrap()), usual);
}

#[test]
fn rule_10_parts_and_caller_are_in_the_key() {
    let (base, other) = (base(), base());
    let ask = |headers, base| question(&ask_with(CHECK, headers, &framed(&plain()), base).unwrap());
    let usual = ask(&[], &base);
    for headers in [
        &[("grpc-timeout", "10S")][..],
        &[("user-agent", "grpc-python/1.85.1")],
        &[("grpc-accept-encoding", "identity, gzip")],
        &[("x-request-id", "req-42")],
        &[("io.spicedb.requestoverlapkey", "k")],
        &[("content-type", "application/grpc")],
    ] {
        assert_eq!(ask(headers, &base), usual, "{headers:?}");
    }
    assert_ne!(ask(&[("content-type", "application/grpc+proto")], &base), usual);
    assert_ne!(ask(&[], &other), usual);
}

#[test]
fn rule_10_unreadable_questions_have_no_key() {
    let base = base();
    let twice = with(&[bytes(5, b""), bytes(5, b"")].concat());
    for message in [
        twice,
        with(&bytes(5, &context(&json!(1), 0).repeat(2))),
        with(&bytes(5, &varint(9, 1))),
        with(&varint(5, 0)),
        with(&bytes(6, b"")),
        with(b"\x3a\x09"),
        with(b"\x3b\x3c"),
    ] {
        assert!(ask(CHECK, &framed(&message), &base).is_err(), "{message:x?}");
    }
    let whole = framed(&plain());
    for body in [
        b"".to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], b"x"].concat(),
        whole.repeat(2),
        decoded(recorded::GZIPPED).to_vec(),
    ] {
        assert!(ask(CHECK, &body, &base).is_err(), "{body:x?}");
    }
    let item = tuple(1, "plan", "alice");
    for items in [
        varint(2, 1),
        bytes(2, b"\x0a\x09"),
        bytes(2, &[&item[..], &bytes(4, b""), &bytes(4, b"")].concat()),
        bytes(2, &[&item[..], &bytes(4, &varint(9, 1))].concat()),
    ] {
        assert!(ask(BULK, &framed(&items), &base).is_err(), "{items:x?}");
    }
}

#[test]
#[ignore = "differs"]
fn rule_11_requests_for_traces_are_never_stored() {
    let base = base();
    let token = at_least("t");
    let never_stored = |path, headers: &[(&str, &str)], message: &[u8]| {
        let call = ask_with(path, headers, &framed(&[&token, message].concat()), &base).unwrap();
        assert_eq!(call.kind, Kind::Read { stream: false }, "{path}");
        // A carrier raises its floor like that of any other call.
        assert_eq!(call.token.as_deref(), Some(&b"t"[..]));
    };
    never_stored(CHECK, &[], &with(&varint(6, 1)));
    never_stored(BULK, &[], &[items(0..2), varint(3, 1)].concat());
    never_stored(BULK_TWIN, &[], &[varint(3, 7), items(0..2)].concat());
    for name in [
        "io.spicedb.requestdebuginfo",
        "io.spicedb.requestversion",
        "io.spicedb.unheardof",
    ] {
        for value in ["1", ""] {
            never_stored(CHECK, &[(name, value)], &plain());
            never_stored(BULK, &[(name, value)], &items(0..2));
        }
    }
}

#[test]
fn the_order_of_a_recorded_context_does_not_matter() {
    let base = base();
    let recorded = decoded(recorded::WITH_CONTEXT);
    let usual = question(&ask(CHECK, &recorded, &base).unwrap());
    let list = json!([1, "1", null, true, {"b": []}]);
    let members = Map::from_iter([("amount".into(), json!(1)), ("nested".into(), json!({"a": list}))]);
    for seed in 0..20 {
        let context = structure(&members, &mut StdRng::seed_from_u64(seed));
        assert_eq!(key(&with(&bytes(5, &context)), &base), usual, "{seed}");
        let anywhere = [bytes(5, &context), plain()].concat();
        assert_eq!(key(&anywhere, &base), usual, "{seed}");
    }
}

proptest! {
    #[test]
    fn rule_10_contexts_count_by_value(a in json(), b in json(), seeds: (u64, u64)) {
        let base = base();
        let check = |value, seed| key(&with(&bytes(5, &context(value, seed))), &base);
        let item = |value, seed| {
            let item = [tuple(1, "plan", "alice"), bytes(4, &context(value, seed))].concat();
            let call = ask(BULK, &framed(&bytes(2, &item)), &base).unwrap();
            questions(&call)[0]
        };
        prop_assert_eq!(check(&a, seeds.0), check(&a, seeds.1));
        prop_assert_eq!(item(&a, seeds.0), item(&a, seeds.1));
        // Every number is a double.
        let text = |value: &Json| value.to_string().replace("1.0", "1");
        let same = text(&a) == text(&b);
        prop_assert_eq!(check(&a, seeds.0) == check(&b, seeds.1), same);
        prop_assert_eq!(item(&a, seeds.0) == item(&b, seeds.1), same);
    }

    #[test]
    fn rule_10_different_questions_have_different_keys(names in prop::array::uniform4("[ab]{0,3}")) {
        let base = base();
        let [a, b, c, d] = names;
        let same = (&a, &b) == (&c, &d);
        prop_assert_eq!(key(&tuple(2, &a, &b), &base) == key(&tuple(2, &c, &d), &base), same);
    }
}
