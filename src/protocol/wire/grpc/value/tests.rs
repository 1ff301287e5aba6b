use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};

use crate::cache::Keyer;
use crate::protobuf::{write_bytes, write_number};
use crate::protocol::testing::{json, structure};
use crate::protocol::wire::grpc::value::*;

fn values() -> Values {
    Values::new(&Keyer::random().question("test"))
}

fn spell(value: &Json, seed: u64) -> Vec<u8> {
    let Json::Object(members) = value else {
        panic!("{value} is no object")
    };
    structure(members, &mut StdRng::seed_from_u64(seed))
}

/// A struct of one member with this value.
fn one(value: &[u8]) -> Vec<u8> {
    let (mut entry, mut message) = (Vec::new(), Vec::new());
    write_bytes(&mut entry, 1, b"a");
    write_bytes(&mut entry, 2, value);
    write_bytes(&mut message, 1, &entry);
    message
}

fn number(bits: u64) -> Vec<u8> {
    let mut value = vec![0x11];
    value.extend_from_slice(&bits.to_le_bytes());
    one(&value)
}

/// The value with all numbers as doubles.
fn doubles(value: &Json) -> Json {
    match value {
        Json::Number(number) => json!(number.as_f64()),
        Json::Array(elements) => elements.iter().map(doubles).collect(),
        Json::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), doubles(value)))
            .collect(),
        scalar => scalar.clone(),
    }
}

#[test]
fn rule_10_similar_values_have_different_hashes() {
    let values = values();
    let texts = [
        json!({}),
        json!({"a": null}),
        json!({"a": false}),
        json!({"a": true}),
        json!({"a": 0}),
        json!({"a": 1}),
        json!({"a": ""}),
        json!({"a": "1"}),
        json!({"a": "true"}),
        json!({"a": []}),
        json!({"a": {}}),
        json!({"a": [[]]}),
        json!({"a": [{}]}),
        json!({"a": [null]}),
        json!({"a": [1, [2]]}),
        json!({"a": [[1], 2]}),
        json!({"a": [[1, 2]]}),
        json!({"a": [1, 2]}),
        json!({"a": [2, 1]}),
        json!({"a": ["]"]}),
        json!({"a": {"b": 1}}),
        json!({"a": {"b": {"b": 1}}}),
        json!({"a": 1, "b": 2}),
        json!({"a": 2, "b": 1}),
        json!({"": 1}),
        json!({"a": {"a": 1, "b": 2}}),
        json!({"a": {"a": 1}, "b": 2}),
    ]
    .map(|value| spell(&value, 0));
    let bits = [-0.0_f64, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN].map(|double| number(double.to_bits()));
    let mut seen = std::collections::HashMap::new();
    for message in texts.into_iter().chain(bits).chain([one(&[])]) {
        let hashed = values.structure(&message).unwrap();
        assert_eq!(seen.insert(hashed, message.clone()), None, "{message:?}");
    }
}

#[test]
fn rule_10_malformed_values_are_not_hashed() {
    let values = values();
    let two_values = [spell(&json!({"a": 1}), 0), spell(&json!({"a": 1}), 0)].concat();
    let mut two_names = Vec::new();
    write_bytes(&mut two_names, 1, b"a");
    write_bytes(&mut two_names, 1, b"a");
    let mut unknown_in_entry = Vec::new();
    write_number(&mut unknown_in_entry, 3, 1);
    let wrap = |entry: &[u8]| {
        let mut message = Vec::new();
        write_bytes(&mut message, 1, entry);
        message
    };
    for message in [
        two_values,
        wrap(&two_names),
        wrap(&unknown_in_entry),
        // An unknown field of a struct, of a list and of a value, and a value of two kinds.
        vec![0x10, 1],
        one(&[0x32, 2, 0x10, 1]),
        one(&[0x38, 1]),
        one(&[0x08, 0, 0x08, 0]),
        one(&[0x08, 0, 0x20, 1]),
        // A number that is not a double, a name that is not text, a value that is not a message.
        one(&[0x10, 1]),
        wrap(&[0x0a, 1, 0xff]),
        wrap(&[0x10, 1]),
        vec![0x08, 1],
        vec![0x0a, 9],
    ] {
        assert!(values.structure(&message).is_err(), "{message:x?}");
    }
}

#[test]
fn rule_15_depth_is_bounded() {
    let values = values();
    let deep = |levels: usize, wrap: fn(Json) -> Json| {
        let value = (1..levels).fold(json!(1), |value, _| wrap(value));
        values.structure(&spell(&json!({"a": value}), 0))
    };
    for wrap in [|value| json!([value]), |value| json!({"a": value})] {
        assert!(deep(MAX_LEVELS, wrap).is_ok());
        assert_eq!(deep(MAX_LEVELS + 1, wrap), Err(DEEP));
    }
}

#[test]
fn many_names_are_all_compared() {
    let values = values();
    let members: Json = (0..10_000).map(|n| (n.to_string(), json!(n))).collect();
    let message = spell(&members, 1);
    assert_eq!(
        values.structure(&message),
        values.structure(&spell(&members, 2)),
        "in whatever order"
    );
    let again = [message, spell(&json!({"9999": 9999}), 0)].concat();
    assert!(values.structure(&again).is_err());
}

proptest! {
    #[test]
    fn rule_10_structs_share_a_hash_only_when_equal(a in json(), b in json(), seeds: (u64, u64)) {
        let values = values();
        let (a, b) = (json!({"a": doubles(&a)}), json!({"a": doubles(&b)}));
        let hash = |value, seed| values.structure(&spell(value, seed)).unwrap();
        prop_assert_eq!(hash(&a, seeds.0), hash(&a, seeds.1));
        prop_assert_eq!(hash(&a, seeds.0) == hash(&b, seeds.1), a == b);
    }

    #[test]
    fn rule_10_one_changed_byte_changes_the_hash(value in json(), seed: u64, at: prop::sample::Index, other in 1_u8..) {
        let values = values();
        let message = spell(&json!({"a": doubles(&value), "b": 1}), seed);
        let mut changed = message.clone();
        changed[at.index(message.len())] ^= other;
        prop_assert_ne!(values.structure(&changed), values.structure(&message));
    }

    #[test]
    fn never_panics(message: Vec<u8>) {
        let _ = values().structure(&message);
    }
}
