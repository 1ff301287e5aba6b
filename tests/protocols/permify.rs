//! What only Permify has, over both wires.

use std::collections::HashMap;

use serde_json::{Value, json};
use tower_zookie::cache::ReadAt;
use tower_zookie::protocol::{Claim, Kind};
use tower_zookie_testing::api::{
    Does, Learned, QUESTIONS, READS, STATING, STORED, WRITES, Wire, base, cases, items, permify, revision, ways, with,
    without,
};

fn answers(stored: &[bool]) -> Learned {
    Learned::Answers(stored.to_vec(), None)
}

#[test]
fn calls_without_a_snapshot_pass() {
    let grpc = [
        "/base.v1.Watch/Watch",
        "/base.v1.Schema/Read",
        "/base.v1.Schema/List",
        "/base.v1.Bundle/Write",
        "/base.v1.Bundle/Read",
        "/base.v1.Bundle/Delete",
        "/base.v1.Tenancy/Create",
        "/base.v1.Tenancy/List",
        "/base.v1.Permission/Nope",
        "/base.v2.Permission/Check",
        "/base.v1.Data/Check",
    ];
    let http = [
        "/v1/tenants/t1/permissions/entity-filter",
        "/v1/tenants/t1/permissions/Check",
        "/v1/tenants/t1/watch",
        "/v1/tenants/t1/schemas/read",
        "/v1/tenants/t1/schemas/list",
        "/v1/tenants/t1/bundle/write",
        "/v1/tenants/t1/bundle/read",
        "/v1/tenants/t1/bundle/delete",
        "/v1/tenants//permissions/check",
        "/v1/tenants/a%2fb/permissions/check",
        "/v1/tenants/a/b/permissions/check",
        "/v1/tenants/permissions/check",
        "/v1/tenants/create",
        "/v1/tenants/list",
        "/v1/tenants/a%2Fb",
        "/v1/tenants/",
        "/v1/tenants",
    ];
    for (api, paths) in permify().into_iter().zip([&grpc[..], &http]) {
        for path in paths {
            assert_eq!(api.claim(&api.parts("POST", path)), Claim::Pass, "{path}");
        }
    }
    for path in ["/v1/tenants/", "/v1/tenants", "/v1/tenants/t1/", "/v1/tenants/a%2Fb"] {
        assert_eq!(
            permify()[1].claim(&permify()[1].parts("DELETE", path)),
            Claim::Pass,
            "{path}"
        );
    }
}

#[test]
fn rule_10_the_tenant_is_in_the_key() {
    let [grpc, rest] = permify()[..] else { panic!() };
    for case in rest.all() {
        for tenant in ["acme", "t%31", "a.b", "a:b@c+d", "*", "create", "..", "a%5Cb"] {
            let parts = rest.parts(case.method(), &case.path().replace("t1", tenant));
            assert_eq!(rest.claim(&parts), case.claim(), "{case} {tenant}");
        }
    }
    let (base, mut seen) = (base(), HashMap::new());
    for tenant in ["t1", "t2", "t%31"] {
        let request = rest.check().request(&rest.check().message());
        let in_path = request.uri(&rest.check().path().replace("t1", tenant)).key(&base);
        let in_message = grpc
            .check()
            .key(&with(&grpc.check().message(), "/tenant_id", tenant), &base);
        assert_eq!(
            (seen.insert(in_path, tenant), seen.insert(in_message, tenant)),
            (None, None),
            "{tenant}"
        );
    }
    let without_tenant = grpc
        .check()
        .read(&without(&grpc.check().message(), "/tenant_id"))
        .unwrap();
    assert!(
        matches!(without_tenant.call.kind, Kind::Check(_)),
        "an error is never stored"
    );
}

#[test]
fn rule_09_odd_metadata_is_unreadable() {
    for case in cases(permify(), STATING) {
        for metadata in [
            json!({"snap_token": "t", "snap_token#2": "t"}),
            json!({"snap_token": "", "snap_token#2": "t"}),
            json!({"snap_token": "t", "snap_token#2": ""}),
            json!({"snap_token": 1}),
            json!("#$"),
        ] {
            let message = with(&case.message(), "/metadata", metadata);
            assert!(!case.is_readable(&message), "{case} {message}");
        }
        assert!(
            !case.is_readable(&with(&case.message(), "/metadata#2", json!({}))),
            "{case}"
        );
    }
    for case in cases(permify(), STORED) {
        let wrong_version = with(&case.message(), "/metadata/schema_version", 1);
        assert!(!case.is_readable(&wrong_version), "{case}: a version that is no text");
        let (twice, inside) = ("/context#2", "/context/data#2");
        for message in [twice, inside].map(|pointer| with(&case.everything(), pointer, json!({}))) {
            assert!(!case.is_readable(&message), "{case} {message}");
        }
    }
}

#[test]
fn rule_04_without_a_version_the_schema_is_unpinned() {
    for case in cases(permify(), STATING) {
        for (metadata, unpinned) in [
            (json!({"schema_version": "v1"}), false),
            (json!({"schema_version": "v1", "snap_token": "t"}), false),
            (json!({"schema_version": ""}), true),
            (json!({"schema_version": null}), true),
            (json!({"snap_token": "v1"}), true),
            (json!({}), true),
        ] {
            // Data does not depend on a schema.
            let is_of_data = case.operation.grpc.starts_with("Data");
            if !is_of_data || metadata.get("schema_version").is_none() {
                let call = case
                    .read(&with(&case.message(), "/metadata", metadata.clone()))
                    .unwrap()
                    .call;
                assert_eq!(call.unpinned, unpinned && !is_of_data, "{case} {metadata}");
            }
        }
    }
}

#[test]
fn rule_11_requests_without_metadata_are_never_stored() {
    for case in cases(permify(), STORED) {
        let without = [
            without(&case.message(), "/metadata"),
            with(&case.message(), "/metadata", json!(null)),
        ];
        for question in without.map(|message| case.read(&message).unwrap()) {
            let call = &question.call;
            assert_eq!((&call.kind, &call.token), (&Kind::read(), &None), "{case}");
            assert_eq!(question.learned(&case.answer(true)), Learned::Nothing, "{case}");
            for (at, token) in ways() {
                assert_eq!(
                    question.forwarded(&[], &at, token),
                    None,
                    "{case}: Permify shall say so itself"
                );
            }
        }
    }
}

#[test]
fn rule_11_without_metadata_no_token_is_inserted() {
    for case in cases(permify(), READS) {
        let question = case.read(&without(&case.message(), "/metadata")).unwrap();
        for (at, token) in ways() {
            assert_eq!(question.forwarded(&[], &at, token), None, "{case}");
        }
    }
}

#[test]
fn rule_08_an_unknown_floor_never_makes_a_read_older() {
    for case in cases(permify(), STATING) {
        for at_head in &case.api.system.states()[..2] {
            let question = case.read(&case.stating(&case.message(), *at_head)).unwrap();
            let asked = question.forwarded(&question.all(), &ReadAt::Unmodified(revision()), Some("t"));
            assert_eq!(asked, None, "{case}: head is not older than the floor");
        }
    }
}

#[test]
fn the_first_page_is_like_any_read() {
    for case in cases(permify(), READS)
        .into_iter()
        .filter(|case| !case.pages().is_empty())
    {
        let kind = |message: &Value| case.read(message).unwrap().call.kind;
        for (member, value) in [("/continuous_token", json!("")), ("/page_size", json!(10))] {
            assert_eq!(
                kind(&with(&case.message(), member, value)),
                kind(&case.message()),
                "{case} {member}"
            );
        }
    }
}

#[test]
fn rule_11_only_plain_decisions_are_stored() {
    for case in cases(permify(), QUESTIONS) {
        let answer = case.api.system.answer(case.does(), true);
        let odd = match case.does() {
            Does::Expand => vec![("/tree", json!(null)), ("/tree", json!(1))],
            _ => vec![
                ("/can", json!("CHECK_RESULT_UNSPECIFIED")),
                ("/can", json!("CHECK_RESULT_NEW")),
                ("/can", json!(3)),
                ("/can", json!("1")),
                ("/metadata", json!(1)),
                ("/metadata", json!({"unknown": 1})),
                ("/metadata", json!({"check_count": 4, "unknown": 1})),
                ("/metadata", json!({"check_count": 4, "check_count#2": 4})),
            ],
        };
        for (pointer, value) in odd {
            let learned = case.call().learned_from(&with(&answer, pointer, value.clone()));
            assert_ne!(learned, answers(&[true]), "{case} {pointer} {value}");
        }
    }
}

#[test]
fn rule_11_only_grants_of_a_bulk_are_stored() {
    for api in permify() {
        let learned = |results: &[&Value]| {
            let documents: Vec<_> = (0..results.len()).collect();
            api.bulk()
                .read(&api.checking_all(&documents))
                .unwrap()
                .learned_from(&json!({ "results": results }))
        };
        let [yes, no] = [true, false].map(|allowed| api.system.answer(Does::Check, allowed));
        let mixed = learned(&[&yes, &no, &no, &yes]);
        assert_eq!(
            mixed,
            answers(&[true, false, false, true]),
            "{api}: an error looks like a denial"
        );
        for odd in [
            json!({}),
            with(&yes, "/can", "CHECK_RESULT_UNSPECIFIED"),
            with(&yes, "/can", "CHECK_RESULT_NEW"),
            with(&yes, "/unknown", "x"),
            with(&yes, "/metadata", json!({"unknown": 1})),
        ] {
            assert_eq!(learned(&[&yes, &odd]), answers(&[true, false]), "{api} {odd}");
        }
        for unread in [json!(1), json!("\u{8}"), json!(null)] {
            assert_eq!(learned(&[&yes, &unread]), Learned::Nothing, "{api} {unread}");
        }
        let twice = learned(&[&yes, &with(&yes, "/can#2", "CHECK_RESULT_ALLOWED")]);
        assert_ne!(twice, answers(&[true, true]), "{api}");
    }
}

#[test]
fn rule_14_an_unanswered_item_is_denied() {
    for api in permify() {
        let call = api.bulk().call();
        let yes = items(call.learn(&api.bulk().answer(true))).remove(0).response;
        let merged = call.merge(&[None, Some(&yes)], Some("t"));
        let count = if api.wire == Wire::Grpc {
            json!({})
        } else {
            json!({"check_count": 0})
        };
        let no = json!({"can": "CHECK_RESULT_DENIED", "metadata": count});
        let expected = json!({ "results": [no, api.system.answer(Does::Check, true)] });
        assert_eq!(merged.body, api.bulk().reply(&expected).body, "{api}");
    }
}

#[test]
fn an_empty_write_in_memory_changes_nothing() {
    for write in cases(permify(), WRITES) {
        let learned = write
            .call()
            .learned_from(&json!({write.operation.replies[0].1: "noop"}));
        // A schema's version is no token.
        let expected = write
            .operation
            .token
            .map_or(Learned::Wrote(None, true), |_| Learned::Unchanged);
        assert_eq!(learned, expected, "{write}");
    }
}

#[test]
fn permify_rejects_no_revision() {
    for case in cases(permify(), STATING) {
        for (code, message) in [(11, "out of range"), (3, "invalid revision requested")] {
            let learned = case.call().learned(&case.api.error(code, message));
            assert_eq!(learned, Learned::Nothing, "{case} {code}");
        }
        assert!(case.api.system.protocol().echoed(case.route()).is_empty());
    }
}

#[test]
fn rule_10_attributes_of_every_type_are_in_the_key() {
    let attributes = [
        ("BooleanValue", json!([null, true])),
        ("StringValue", json!([null, "1", "true"])),
        ("IntegerValue", json!([null, 1, -1])),
        ("DoubleValue", json!([null, 1.0, -0.0])),
        ("BooleanArrayValue", json!([[true, false], [false, true]])),
        ("StringArrayValue", json!([["a", "b"], ["ab"]])),
        ("IntegerArrayValue", json!([[1, 2], [2, 1]])),
    ];
    for case in cases(permify(), STORED) {
        let (base, mut seen) = (base(), HashMap::new());
        for (kind, data) in &attributes {
            for data in data.as_array().unwrap() {
                let value = json!({"@type": format!("type.googleapis.com/base.v1.{kind}"), "data": data});
                let message = with(&case.everything(), "/context/attributes/0/value", value);
                let question = case.request(&message).read(&base).unwrap();
                assert_eq!(
                    seen.insert(question.keys()[0], (kind, data)),
                    None,
                    "{case} {kind} {data}"
                );
                let asked = question.forwarded(&question.all(), &ReadAt::Exact(revision()), Some("u"));
                assert_eq!(
                    asked,
                    Some(case.body(&with(&message, "/metadata/snap_token", "u"))),
                    "{case} {kind}"
                );
            }
        }
        for list in ["/context/attributes", "/context/tuples"] {
            let one = case.everything().pointer(list).unwrap()[0].clone();
            let other = with(&one, "/entity/id", "plan2");
            let key = |elements| case.key(&with(&case.everything(), list, elements), &base);
            assert_ne!(
                key(json!([one, other])),
                key(json!([other, one])),
                "{case}: the order may count"
            );
        }
    }
}
