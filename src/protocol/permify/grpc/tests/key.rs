use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Map, Value as Json, json};

use crate::protocol::permify::grpc::tests::*;
use crate::protocol::testing::{json, structure};

fn key(message: &[u8], base: &FingerprintBuilder) -> Fingerprint {
    question(&ask(CHECK, message, base).unwrap())
}

/// The key of the only item of a bulk that asks the same as [`plain`], with these fields beside its items.
fn item_key(more: &[u8], base: &FingerprintBuilder) -> Fingerprint {
    let item = bytes(3, &tuple(1, "plan", "alice"));
    let call = ask(BULK, &[tenant(), at_t(), item, more.to_vec()].concat(), base).unwrap();
    questions(&call)[0]
}

fn data(value: &Json, seed: u64) -> Vec<u8> {
    let members = Map::from_iter([("a".to_owned(), value.clone()), ("b".to_owned(), json!(1))]);
    bytes(3, &structure(&members, &mut StdRng::seed_from_u64(seed)))
}

fn contextual(document: &str, user: &str) -> Vec<u8> {
    bytes(1, &tuple(1, document, user))
}

/// Different contexts.
fn contexts() -> Vec<Vec<u8>> {
    let (one, other) = (contextual("plan", "bob"), contextual("plan2", "bob"));
    let attribute = bytes(2, &bytes(2, b"public"));
    vec![
        b"".to_vec(),
        bytes(3, b""),
        data(&json!(1), 0),
        data(&json!("1"), 0),
        data(&json!([1]), 0),
        one.clone(),
        contextual("plan", "carol"),
        [one.clone(), other.clone()].concat(),
        [other, one.clone()].concat(),
        attribute.clone(),
        [attribute, one.clone()].concat(),
        [one, data(&json!(1), 0)].concat(),
        bytes(9, b"unknown"),
    ]
}

/// Requests to `path` with different questions. `context` is the number of the field with the context.
fn different(path: &str, context: u32) -> Vec<Vec<u8>> {
    let usual = [tenant(), at_t(), asked(path)].concat();
    let by = |metadata: &[u8]| [tenant(), bytes(2, metadata), asked(path)].concat();
    let more = |more: &[u8]| [&usual, more].concat();
    let mut all = vec![
        usual.clone(),
        usual[tenant().len()..].to_vec(),
        more(&bytes(1, b"t9")),
        more(&bytes(3, &object("folder", "plan"))),
        more(&bytes(3, &object("document", "plan2"))),
        more(&bytes(4, b"edit")),
        by(b""),
        by(&varint(3, 20)),
        by(&bytes(1, b"v1")),
        by(&[bytes(1, b""), varint(3, 20)].concat()),
        by(&[bytes(1, b"v2"), varint(3, 20)].concat()),
        by(&[bytes(1, b"v1"), varint(3, 21)].concat()),
        by(&[bytes(1, b"v1"), varint(3, 20), bytes(9, b"unknown")].concat()),
        more(&bytes(context + 1, b"argument")),
        more(&bytes(context + 1, b"another")),
        more(&bytes(127, b"abc")),
        more(&varint(127, 0)),
    ];
    all.extend(contexts().iter().map(|message| more(&bytes(context, message))));
    all
}

#[test]
fn rule_10_every_part_of_the_question_is_in_the_key() {
    let base = base();
    let mut seen = std::collections::HashMap::new();
    let subjects = [
        object("team", "alice"),
        object("user", "bob"),
        [object("user", "alice"), bytes(3, b"member")].concat(),
    ];
    let subjects = subjects.map(|subject| with(&bytes(5, &subject)));
    for message in different(CHECK, 6).into_iter().chain(subjects) {
        let key = key(&message, &base);
        assert_eq!(seen.insert(key, message.clone()), None, "{message:x?}");
    }
    for message in different(EXPAND, 5) {
        let key = question(&ask(EXPAND, &message, &base).unwrap());
        assert_eq!(seen.insert(key, message.clone()), None, "expand {message:x?}");
    }
    for document in 0..3 {
        let bulk = ask(BULK, &bulk([document]), &base).unwrap();
        assert_eq!(seen.insert(questions(&bulk)[0], Vec::new()), None, "item {document}");
    }
    for context in contexts() {
        let key = item_key(&bytes(4, &context), &base);
        assert_eq!(seen.insert(key, context.clone()), None, "bulk {context:x?}");
    }
}

#[test]
fn rule_10_the_token_is_not_in_the_key() {
    let base = base();
    let usual = key(&plain(), &base);
    let (version, depth) = (bytes(1, b"v1"), varint(3, 20));
    for metadata in [
        [&version[..], &depth].concat(),
        [&version[..], &bytes(2, b""), &depth].concat(),
        [&version[..], &bytes(2, b"u"), &depth].concat(),
        [&bytes(2, b"u")[..], &version, &depth].concat(),
        [&version[..], &depth, &bytes(2, b"u")].concat(),
    ] {
        let message = [tenant(), bytes(2, &metadata), tuple(3, "plan", "alice")].concat();
        assert_eq!(key(&message, &base), usual, "{metadata:x?}");
    }
}

#[test]
fn rule_10_parts_and_caller_are_in_the_key() {
    let (base, other) = (base(), base());
    let ask = |headers, base| question(&ask_with(CHECK, headers, &framed(&plain()), base).unwrap());
    let usual = ask(&[], &base);
    for headers in [
        &[("grpc-timeout", "10S")][..],
        &[("user-agent", "grpc-python/1.85.1")],
        &[("grpc-accept-encoding", "identity, deflate, gzip")],
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
    let context = |context: &[u8]| with(&bytes(6, context));
    for message in [
        with(&bytes(6, b"").repeat(2)),
        context(&data(&json!(1), 0).repeat(2)),
        context(&bytes(3, &varint(9, 1))),
        context(&varint(3, 1)),
        context(b"\x0a\x09"),
        with(&varint(6, 0)),
        with(b"\x3a\x09"),
        with(b"\x3b\x3c"),
    ] {
        assert!(ask(CHECK, &message, &base).is_err(), "{message:x?}");
    }
    let whole = framed(&plain());
    for body in [
        b"".to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], b"x"].concat(),
        whole.repeat(2),
        [&[1], &whole[1..]].concat(),
    ] {
        assert!(ask_with(CHECK, &[], &body, &base).is_err(), "{body:x?}");
    }
    for more in [bytes(4, b"").repeat(2), bytes(4, &bytes(3, b"").repeat(2))] {
        let message = [bulk(0..2), more].concat();
        assert!(ask(BULK, &message, &base).is_err(), "{message:x?}");
    }
}

#[test]
fn the_order_of_a_recorded_context_does_not_matter() {
    let base = base();
    let recorded = decoded(recorded::CHECK);
    let usual = question(&ask_with(CHECK, &[], &recorded, &base).unwrap());
    let without = beside(&recorded[5..], 6);
    let members = Map::from_iter([("floor".into(), json!(3))]);
    for seed in 0..20 {
        let context = bytes(3, &structure(&members, &mut StdRng::seed_from_u64(seed)));
        let context = bytes(6, &context);
        assert_eq!(key(&[&without[..], &context].concat(), &base), usual, "{seed}");
        assert_eq!(key(&[&context[..], &without].concat(), &base), usual, "{seed}");
    }
}

proptest! {
    #[test]
    fn rule_10_data_counts_by_value(a in json(), b in json(), seeds: (u64, u64)) {
        let base = base();
        let check = |value, seed| key(&with(&bytes(6, &data(value, seed))), &base);
        let item = |value, seed| item_key(&bytes(4, &data(value, seed)), &base);
        prop_assert_eq!(check(&a, seeds.0), check(&a, seeds.1));
        prop_assert_eq!(item(&a, seeds.0), item(&a, seeds.1));
        // Every number is a double.
        let text = |value: &Json| value.to_string().replace("1.0", "1");
        let same = text(&a) == text(&b);
        prop_assert_eq!(check(&a, seeds.0) == check(&b, seeds.1), same);
        prop_assert_eq!(item(&a, seeds.0) == item(&b, seeds.1), same);
    }

    #[test]
    fn rule_10_different_questions_have_different_keys(names in prop::array::uniform4("[ab]{0,3}"), depths: (u8, u8)) {
        let base = base();
        let [a, b, c, d] = names;
        let key = |version: &str, document: &str, depth: u8| {
            let metadata = metadata(version, "t", depth.into());
            key(&[tenant(), metadata, tuple(3, document, "alice")].concat(), &base)
        };
        let same = (&a, &b, depths.0) == (&c, &d, depths.1);
        prop_assert_eq!(key(&a, &b, depths.0) == key(&c, &d, depths.1), same);
    }
}
