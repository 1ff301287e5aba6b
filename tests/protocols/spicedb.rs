//! What only SpiceDB has, over both wires.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tower_zookie::protocol::{Claim, Kind};
use tower_zookie_testing::api::{
    Api, Learned, STATING, STORED, Wire, base, cases, items, spicedb, stored, with, without,
};

fn answers(stored: &[bool]) -> Learned {
    Learned::Answers(stored.to_vec(), Some("t".to_owned()))
}

#[test]
fn calls_without_a_consistency_pass() {
    let grpc = [
        "/authzed.api.v1.WatchService/Watch",
        "/authzed.api.v1.PermissionsService/Nope",
        "/authzed.api.v0.PermissionsService/CheckPermission",
        "/authzed.api.v1.SchemaService/CheckPermission",
    ];
    let http = [
        "/v1/watch",
        "/v1/experimental/countrelationships",
        "/v1/permissions/Check",
    ];
    for (api, paths) in spicedb().into_iter().zip([&grpc[..], &http]) {
        for path in paths {
            assert_eq!(api.claim(&api.parts("POST", path)), Claim::Pass, "{path}");
        }
    }
}

#[test]
fn rule_09_odd_consistencies_are_unreadable() {
    let odd = [
        // Without one of the four, or with one that is false.
        json!({}),
        json!({"minimizeLatency": false}),
        json!({"fullyConsistent": false}),
        json!({"minimizeLatency": 2}),
        json!({"minimizeLatency": "\u{1}"}),
        json!({"unknown": true}),
        json!({"atLeastAsFresh": 1}),
        json!({"atLeastAsFresh": "x"}),
        json!({"fullyConsistent": "x"}),
        json!("#$"),
        // Two of them, or one with something unknown.
        json!({"fullyConsistent": true, "minimizeLatency": true}),
        json!({"fullyConsistent": true, "atLeastAsFresh": {"token": "t"}}),
        json!({"fullyConsistent": true, "fullyConsistent#2": true}),
        json!({"fullyConsistent": true, "unknown": "1s"}),
        // Without exactly one token.
        json!({"atLeastAsFresh": {}}),
        json!({"atLeastAsFresh": {"token": ""}}),
        json!({"atLeastAsFresh": {"token": "t", "token#2": "t"}}),
        json!({"atExactSnapshot": {"token": "t", "unknown": 1}}),
        json!({"atExactSnapshot": {"token": 1}}),
        json!({"atExactSnapshot": {"unknown": 1}}),
    ];
    for case in cases(spicedb(), STATING) {
        for consistency in &odd {
            let message = with(&case.message(), "/consistency", consistency.clone());
            assert!(!case.is_readable(&message), "{case} {message}");
        }
        for stated in &case.api.system.states()[1..] {
            let once = case.stating(&case.message(), *stated);
            let twice = with(&once, "/consistency#2", once["consistency"].clone());
            assert!(!case.is_readable(&twice), "{case} {twice}");
        }
    }
}

#[test]
fn rule_10_fields_of_another_type_are_unreadable() {
    for api in spicedb() {
        for (pointer, value) in [
            ("/context", json!(1)),
            ("/context", json!("x")),
            ("/withTracing", json!("x")),
        ] {
            let message = with(&api.check().message(), pointer, value);
            assert!(!api.check().is_readable(&message), "{api} {message}");
        }
        for item in [
            json!(1),
            json!("\n\t"),
            json!({"context": 1}),
            json!({"context": {}, "context#2": {}}),
        ] {
            assert!(!api.bulk().is_readable(&json!({ "items": [item] })), "{api} {item}");
        }
    }
}

#[test]
fn rule_11_requests_for_traces_are_never_stored() {
    for case in cases(spicedb(), STORED) {
        for stated in case.api.system.states() {
            let plain = case.stating(&case.message(), *stated);
            let prefix = if case.api.wire == Wire::Grpc {
                ""
            } else {
                "Grpc-Metadata-"
            };
            let names = [
                "io.spicedb.requestdebuginfo",
                "io.spicedb.requestversion",
                "io.spicedb.unheardof",
            ];
            let headers = names.iter().flat_map(|name| [(name, "1"), (name, "")]);
            let debugged = headers.map(|(name, value)| {
                case.request(&plain)
                    .more_headers(&[(&format!("{prefix}{name}"), value)])
            });
            for request in debugged.chain([case.request(&with(&plain, "/withTracing", true))]) {
                let question = request.read(&base()).unwrap();
                assert_eq!(question.call.kind, Kind::read(), "{case}");
                // A carrier raises its floor like that of any other call.
                let understood = (question.call.consistency, question.call.token.clone());
                assert_eq!(understood, case.api.system.understood(*stated), "{case}");
                assert_eq!(question.learned(&case.answer(true)), answers(&[]), "{case}");
            }
        }
    }
}

#[test]
fn rule_11_only_plain_decisions_are_stored() {
    for api in spicedb() {
        let answer = json!({"checkedAt": {"token": "t"}, "permissionship": "PERMISSIONSHIP_HAS_PERMISSION"});
        let learned = |reply: &Value| api.check().call().learned_from(reply);
        let conditional = with(&answer, "/permissionship", "PERMISSIONSHIP_CONDITIONAL_PERMISSION");
        let caveat = with(
            &conditional,
            "/partialCaveatInfo",
            json!({"missingRequiredContext": ["amount"]}),
        );
        for reply in [&answer, &conditional, &caveat] {
            assert_eq!(learned(reply), answers(&[true]), "{api} {reply}");
        }
        for (pointer, value) in [
            ("/permissionship", json!("PERMISSIONSHIP_UNSPECIFIED")),
            ("/permissionship", json!("PERMISSIONSHIP_NEW")),
            ("/permissionship", json!(4)),
            ("/debugTrace", json!({})),
            ("/unknown", json!("x")),
        ] {
            let reply = with(&answer, pointer, value);
            assert_eq!(
                learned(&reply),
                answers(&[false]),
                "{api} {reply}: the revision is one all the same"
            );
        }
        assert_eq!(
            learned(&without(&answer, "/permissionship")),
            answers(&[false]),
            "{api}"
        );
        for checked_at in [
            json!(null),
            json!({}),
            json!({"token": 1}),
            json!({"unknown": "t"}),
            json!("t"),
        ] {
            let reply = with(&answer, "/checkedAt", checked_at);
            assert_eq!(learned(&reply), Learned::Nothing, "{api} {reply}");
        }
        let expiring = with(&caveat, "/optionalExpiresAt", "9999-12-31T23:59:59Z");
        for member in [
            "/checkedAt",
            "/permissionship",
            "/partialCaveatInfo",
            "/optionalExpiresAt",
        ] {
            let twice = with(
                &expiring,
                &format!("{member}#2"),
                expiring.pointer(member).unwrap().clone(),
            );
            assert!(
                stored(api.check().call().learn(&api.check().reply(&twice))).is_empty(),
                "{api} {twice}"
            );
        }
    }
}

#[test]
fn rule_12_an_expiry_in_the_reply_is_honoured() {
    for api in spicedb() {
        let left = |time: &str| {
            let reply = with(&api.system.answer(api.check().does(), true), "/optionalExpiresAt", time);
            stored(api.check().call().learn(&api.check().reply(&reply)))
                .remove(0)
                .expires_in
                .unwrap()
        };
        for past in ["1971-01-01T00:00:00Z", "1969-12-31T23:59:59Z"] {
            assert_eq!(left(past), Duration::ZERO, "{api} {past}");
        }
        let end = UNIX_EPOCH + Duration::from_millis(253_402_300_799_500);
        let expected = end.duration_since(SystemTime::now()).unwrap();
        assert!(
            left("9999-12-31T23:59:59.5Z").abs_diff(expected) < Duration::from_secs(60),
            "{api}"
        );
    }
}

#[test]
fn an_upstream_that_rejects_the_revision_is_understood() {
    let elsewhere = "ZedToken specified references a different datastore instance";
    for case in cases(spicedb(), STATING) {
        for (code, message) in [
            (11, "invalid revision: revision has expired"),
            (11, "invalid revision: revision was invalid"),
            (2, &format!("{elsewhere} but at-exact-snapshot was requested")),
            (
                2,
                &format!("{elsewhere} and SpiceDB is configured to raise an error in this scenario"),
            ),
            (3, "invalid revision requested"),
        ] {
            let learned = case.call().learned(&case.api.error(code, message));
            assert_eq!(learned, Learned::RevisionRejected, "{case} {message}");
        }
    }
}

/// A bulk of two questions, the second with a userset and a context, and its reply.
fn bulk(api: Api) -> (Value, Value) {
    let second = api.bulk().everything()["items"][0].clone();
    let questions = [api.question(0, "alice"), second];
    let reply = api.system.answers(&questions.clone().map(|question| (question, true)));
    (api.bulk_of(&questions), reply)
}

#[test]
fn rule_11_only_plain_decisions_of_items_are_stored() {
    let yes = "PERMISSIONSHIP_HAS_PERMISSION";
    for api in spicedb() {
        let (message, reply) = bulk(api);
        let call = api.bulk().read(&message).unwrap();
        let learned = |pointer: &str, value: &Value| {
            call.learned_from(&with(&reply, &format!("/pairs/1{pointer}"), value.clone()))
        };
        for (pointer, value) in [
            ("/item/permissionship", json!("PERMISSIONSHIP_NO_PERMISSION")),
            ("/item/permissionship", json!("PERMISSIONSHIP_CONDITIONAL_PERMISSION")),
            // Contexts are spelled anew.
            ("/request/context", json!(null)),
            ("/request/context", json!({})),
        ] {
            assert_eq!(
                learned(pointer, &value),
                answers(&[true, true]),
                "{api} {pointer} {value}"
            );
        }
        for (pointer, value) in [
            ("/item/permissionship", json!("PERMISSIONSHIP_UNSPECIFIED")),
            ("/item/permissionship", json!("PERMISSIONSHIP_NEW")),
            ("/item", json!({})),
            ("/item", json!({"permissionship": yes, "debugTrace": {}})),
            ("/item", json!({"permissionship": yes, "unknown": "x"})),
            ("/error", json!({"code": 9, "message": ""})),
            ("/unknown", json!("x")),
        ] {
            assert_eq!(
                learned(pointer, &value),
                answers(&[true, false]),
                "{api} {pointer} {value}"
            );
        }
        for (pointer, value) in [
            ("/item", json!(1)),
            ("/item", json!("\n\t")),
            ("/request", json!(null)),
            // About something else.
            ("/request/resource/objectType", json!("folder")),
            ("/request/resource/objectId", json!("plan2")),
            ("/request/permission", json!("edit")),
            ("/request/subject/object/objectType", json!("team")),
            ("/request/subject/object/objectId", json!("bob")),
            ("/request/subject/optionalRelation", json!("")),
            ("/request/subject/optionalRelation", json!("owner")),
        ] {
            assert_eq!(learned(pointer, &value), Learned::Nothing, "{api} {pointer} {value}");
        }
        for (pointer, value) in [
            ("/item", json!(null)),
            ("/item/permissionship#2", json!(yes)),
            ("/item#2", json!({"permissionship": yes})),
        ] {
            let learned = learned(pointer, &value);
            assert!(
                learned == answers(&[true, false]) || learned == Learned::Nothing,
                "{api} {pointer} {learned:?}"
            );
        }
    }
}

#[test]
fn rule_11_a_bulk_without_its_order_or_revision_is_not_stored() {
    for api in spicedb() {
        let (message, reply) = bulk(api);
        let reversed = json!([reply["pairs"][1], reply["pairs"][0]]);
        for (pointer, value) in [
            ("/pairs", reversed),
            ("/pairs", json!(1)),
            ("/pairs", json!([1, 1])),
            ("/checkedAt", json!(null)),
            ("/checkedAt", json!({})),
            ("/checkedAt", json!("t")),
        ] {
            let learned = api
                .bulk()
                .read(&message)
                .unwrap()
                .learned_from(&with(&reply, pointer, value.clone()));
            assert_eq!(learned, Learned::Nothing, "{api} {pointer} {value}");
        }
    }
}

#[test]
fn rule_14_an_unanswered_item_is_an_error() {
    for api in spicedb() {
        let (message, mut reply) = bulk(api);
        let call = api.bulk().read(&message).unwrap();
        let items = items(call.learn(&api.bulk().reply(&reply)));
        let merged = call.merge(&[Some(&items[0].response), None], Some("t"));
        let error = json!({"code": 14, "message": "the upstream did not answer this item", "details": []});
        reply["pairs"][1] = json!({"request": message["items"][1], "error": error});
        let body = if api.wire == Wire::Grpc {
            merged.body.clone()
        } else {
            // The item is repeated as the caller spelled it.
            let merged: Value = serde_json::from_slice(&merged.body).unwrap();
            api.bulk().reply(&merged).body
        };
        assert_eq!(body, api.bulk().reply(&reply).body, "{api}");
        assert_eq!(
            call.learned(&api.reply_of(merged.body)),
            answers(&[true, false]),
            "{api}"
        );
    }
}

#[test]
fn rule_16_items_with_a_caveat_are_merged_byte_for_byte() {
    for api in spicedb() {
        let (message, reply) = bulk(api);
        let reply = with(
            &reply,
            "/pairs/1/item/permissionship",
            "PERMISSIONSHIP_CONDITIONAL_PERMISSION",
        );
        let caveat = json!({"missingRequiredContext": ["amount"]});
        let reply = api
            .bulk()
            .reply(&with(&reply, "/pairs/1/item/partialCaveatInfo", caveat));
        let call = api.bulk().read(&message).unwrap();
        let items = stored(call.learn(&reply));
        let found: Vec<_> = items.iter().map(|item| Some(&item.response)).collect();
        assert_eq!(call.merge(&found, Some("t")).body, reply.body, "{api}");
    }
}

#[test]
fn rule_16_a_mix_of_revisions_has_no_token() {
    for api in spicedb() {
        let (message, mut reply) = bulk(api);
        let call = api.bulk().read(&message).unwrap();
        let items = stored(call.learn(&api.bulk().reply(&reply)));
        let merged = call.merge(&[Some(&items[0].response), Some(&items[1].response)], None);
        reply["checkedAt"] = json!(null);
        assert_eq!(merged.body, api.bulk().reply(&reply).body, "{api}");
        assert_eq!(call.learned(&api.reply_of(merged.body)), Learned::Nothing, "{api}");
    }
}

#[test]
fn the_callers_request_id_is_echoed_by_the_gateway() {
    let api = spicedb()[1];
    assert_eq!(api.system.protocol().echoed(api.check().route()), ["x-request-id"]);
}
