use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tower_zookie::protocol::Kind;
use tower_zookie_testing::api::{
    Does, STORED, Wire, apis, base, cases, doubles, edits, json_values, pointers, stored, with, without,
};

#[test]
fn rule_10_every_part_of_the_question_is_in_the_key() {
    for api in apis() {
        let (base, mut seen) = (base(), HashMap::new());
        for case in api.of(STORED) {
            let everything = case.everything();
            let mut unkeyed = 0;
            for message in edits(&everything).iter().chain([&everything]) {
                let question = case.request(message).read(&base).unwrap();
                let Some(key) = question.keys().first().copied() else {
                    unkeyed += 1;
                    continue;
                };
                // Over gRPC, an empty list is no list.
                let body = (case.path(), question.body);
                assert_eq!(*seen.entry(key).or_insert(body.clone()), body, "{case} {message}");
            }
            assert!(unkeyed <= 3, "{case}: without metadata or items");
        }
    }
}

#[test]
fn rule_10_the_freshness_is_not_in_the_key() {
    for case in cases(apis(), STORED) {
        let (base, message) = (base(), case.everything());
        let usual = case.key(&message, &base);
        for stated in case.api.system.states() {
            for seed in 0..5 {
                let body = case.respelled(&case.stating(&message, *stated), seed);
                assert_eq!(case.request_of(body).key(&base), usual, "{case} {stated:?}");
            }
        }
    }
}

#[test]
fn rule_10_callers_and_operations_share_no_answers() {
    for api in apis() {
        let (base, other) = (base(), base());
        let check = api.checking(1, "alice");
        let bulks = api.of(&[Does::Bulk]);
        let keys = bulks.iter().map(|bulk| bulk.key(&api.checking_all(&[1]), &base));
        let keys: HashSet<_> = keys
            .chain([&base, &other].map(|base| api.check().key(&check, base)))
            .collect();
        assert_eq!(
            keys.len(),
            bulks.len() + 2,
            "{api}: answers of a bulk are spelled in another way"
        );
    }
}

#[test]
fn the_same_item_has_the_same_key_in_every_bulk() {
    for bulk in cases(apis(), &[Does::Bulk]) {
        let base = base();
        let keys = |message: &Value| bulk.request(message).read(&base).unwrap().keys();
        let all = |documents: &[usize]| bulk.api.checking_all(documents);
        let (a, b) = (keys(&all(&[1, 2, 1])), keys(&bulk.with_token(&all(&[3, 1]))));
        assert!(
            a[0] == a[2] && a[0] == b[1] && a[0] != a[1] && !a.contains(&b[0]),
            "{bulk}"
        );
        let beside = keys(&with(&all(&[1, 1]), "/unknown", "x"));
        assert!(
            beside[0] == beside[1] && beside[0] != a[0],
            "{bulk}: it may change every answer"
        );
    }
}

#[test]
fn rule_10_a_repeated_field_never_has_the_usual_key() {
    for case in cases(apis(), STORED) {
        let base = base();
        let message = case.with_token(&case.everything());
        let usual = case.key(&message, &base);
        let values = format!("{}/", case.api.system.context(case.does()));
        for pointer in pointers(&message) {
            let Some((parent, _)) = pointer.rsplit_once('/') else {
                continue;
            };
            let is_field = message.pointer(parent).unwrap().is_object() && !pointer.contains("/value/");
            if !is_field || pointer.starts_with(&values) {
                continue;
            }
            for value in [message.pointer(&pointer).unwrap(), &Value::Null] {
                let repeated = case
                    .request(&with(&message, &format!("{pointer}#2"), value.clone()))
                    .read(&base);
                match case.api.wire {
                    // A list in two parts is one list.
                    Wire::Grpc if value.is_null() || pointer == "/items" => {}
                    Wire::Grpc => assert!(
                        repeated.map_or(true, |read| read.keys()[0] != usual),
                        "{case} {pointer}"
                    ),
                    Wire::Json => assert!(repeated.is_err(), "{case} {pointer} {value}"),
                }
            }
        }
    }
}

#[test]
fn rule_15_questions_are_bounded() {
    for api in apis() {
        let most = api.system.most_questions();
        let documents: Vec<_> = (0..=most).collect();
        let bulk = |documents: &[usize]| api.bulk().read(&api.checking_all(documents));
        let keys: HashSet<_> = bulk(&documents[1..]).unwrap().keys().into_iter().collect();
        assert_eq!(keys.len(), most, "{api}");
        assert!(bulk(&documents).is_err(), "{api}");
    }
}

#[test]
fn rule_11_a_bulk_without_items_is_not_stored() {
    for api in apis() {
        let none = api.checking_all(&[]);
        for message in [with(&none, "/items", json!(null)), without(&none, "/items"), none] {
            let question = api.bulk().read(&message).unwrap();
            let call = &question.call;
            assert!(stored(question.learn(&api.bulk().answer(true))).is_empty(), "{api}");
            assert_eq!(call.kind, Kind::read(), "{api}: only its token is of use");
        }
    }
}

proptest! {
    #[test]
    fn rule_10_contexts_count_by_value(
        api in select(apis()), values in [json_values(), json_values()], seeds: [u64; 3],
    ) {
        let base = base();
        let [a, b] = values.map(|value| json!({"a": value, "b": 1}));
        for case in api.of(STORED) {
            let key = |values: &Value, seed| {
                let message = with(&case.everything(), api.system.context(case.does()), values.clone());
                case.request_of(case.respelled(&message, seed)).key(&base)
            };
            prop_assert_eq!(key(&a, seeds[0]), key(&a, seeds[1]), "{}", case);
            prop_assert_eq!(key(&a, seeds[0]) == key(&b, seeds[2]), doubles(&a) == doubles(&b), "{}", case);
        }
    }

    #[test]
    fn rule_10_different_questions_have_different_keys(
        api in select(apis()), names in prop::array::uniform4("[ab]{0,3}"), seeds: [u64; 2],
    ) {
        let (base, check) = (base(), api.check());
        let key = |document: &String, user: &str, seed| {
            check.request_of(check.respelled(&api.checking(document, user), seed)).key(&base)
        };
        let [a, b, c, d] = &names;
        prop_assert_eq!(key(a, b, seeds[0]) == key(c, d, seeds[1]), (a, b) == (c, d), "{}", api);
    }

    #[test]
    fn rule_10_unknown_members_count_by_value(
        api in select(apis()), values in ["[ab]{0,2}", "[ab]{0,2}"], items in prop::collection::vec(0_usize..3, 1..5),
    ) {
        let base = base();
        let [one, two] = [&values[0], &values[1]].map(|value| {
            let message = with(&api.checking_all(&items), "/unknown", value.as_str());
            api.bulk().request(&message).read(&base).unwrap().keys()
        });
        for (nth, key) in one.iter().enumerate() {
            for (other, document) in two.iter().zip(&items) {
                prop_assert_eq!(key == other, values[0] == values[1] && items[nth] == *document, "{}", api);
            }
        }
    }
}
