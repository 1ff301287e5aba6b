//! What only JSON gateways have.

use std::time::Duration;

use serde_json::{Value, json};
use tower_zookie::protocol::Rejection;
use tower_zookie::token::TokenErrorKind;
use tower_zookie_testing::api::{
    Api, Case, Learned, STATING, STORED, Wire, base, cases, edits, map, over, stored, with,
};

const JSON: (&str, &str) = ("content-type", "application/json");

fn json() -> Vec<Api> {
    over(Wire::Json)
}

#[test]
fn a_path_may_be_escaped() {
    for case in json().into_iter().flat_map(|api| api.all()) {
        let (usual, path) = (case.claim(), case.path());
        let escaped: String = path[1..].bytes().map(|byte| format!("%{byte:02X}")).collect();
        let parts = case.api.parts(case.method(), &format!("/{escaped}"));
        assert_eq!(case.api.claim(&parts), usual, "{case}: the whole path");
        for at in 1..path.len() {
            let (before, rest) = path.split_at(at);
            let byte = rest.as_bytes()[0];
            let claim = |escaped: String| {
                let path = format!("{before}{escaped}{}", &rest[1..]);
                case.api.claim(&case.api.parts(case.method(), &path))
            };
            assert_eq!(claim(format!("%{byte:02X}")), usual, "{case} {at}");
            assert_eq!(claim(format!("%{byte:02x}")), usual, "{case} {at}");
            // A tenant has any name.
            if !before.starts_with("/v1/tenants/") || before.len() > "/v1/tenants/t".len() {
                assert_ne!(claim(format!("%25{byte:02X}")), usual, "{case} {at}");
                assert_ne!(claim(format!("%{}", byte / 16)), usual, "{case} {at}");
            }
        }
    }
}

#[test]
fn rule_10_what_the_server_reads_of_the_parts_is_in_the_key() {
    for api in json() {
        let (base, check) = (base(), api.check());
        let request = |query: &str| check.request(&check.message()).uri(&format!("{}{query}", check.path()));
        let key = |query: &str, headers: &[(&str, &str)]| request(query).headers(headers).key(&base);
        let usual = key("", &[JSON]);
        for (query, headers) in [
            ("?zookie=1", &[JSON][..]),
            ("", &[]),
            ("", &[("content-type", "Application/JSON; charset=UTF-8")]),
            ("", &[JSON, ("x-request-id", "7")]),
            ("", &[JSON, ("grpc-timeout", "1S")]),
        ] {
            assert_eq!(key(query, headers), usual, "{api} {query} {headers:?}");
        }
        let (a, b) = (("grpc-metadata-a", "1"), ("grpc-metadata-a", "2"));
        let mut seen = vec![
            usual,
            request("").uri(&check.path().replace("check", "%63heck")).key(&base),
        ];
        for (query, headers) in [
            ("?a=b", &[JSON][..]),
            ("", &[("content-type", "application/json; charset=latin1")]),
            ("", &[a]),
            ("", &[b]),
            ("", &[a, b]),
            ("", &[("Grpc-Metadata-X", "1")]),
        ] {
            let key = key(query, headers);
            assert!(!seen.contains(&key), "{api} {query} {headers:?}");
            seen.push(key);
        }
        let x = ("grpc-metadata-x", "1");
        assert_eq!(key("", &[a, x]), key("", &[x, a]));
        assert!(request("?a=1&a=2").read(&base).is_err(), "{api}");
    }
}

#[test]
fn rule_10_bodies_of_another_type_have_no_key() {
    for case in cases(json(), STATING) {
        for headers in [
            &[("content-type", "text/plain")][..],
            &[("content-type", "application/x-www-form-urlencoded")],
            &[JSON, JSON],
            &[JSON, ("content-encoding", "gzip")],
            &[("content-encoding", "gzip")],
        ] {
            let request = case.request(&case.message()).headers(headers);
            assert!(request.read(&base()).is_err(), "{case} {headers:?}");
        }
    }
}

#[test]
fn rule_10_text_that_is_no_message_has_no_key() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let is_readable = |case: Case, text: String| case.request_of(text).read(&base()).is_ok();
    for case in cases(json(), STORED) {
        let whole = case.everything().to_string();
        let values = |text: &str| {
            let message = with(
                &case.everything(),
                case.api.system.context(case.does()),
                json!({"a": "HERE"}),
            );
            message.to_string().replace("\"HERE\"", text)
        };
        assert!(
            is_readable(case, whole.clone()) && is_readable(case, values("{}")),
            "{case}"
        );
        let (more, twice, bare) = (format!("{whole}x"), whole.repeat(2), whole.replace("\"view\"", "nul"));
        let texts = ["", "null", "[]", "{"]
            .map(str::to_owned)
            .into_iter()
            .chain([more, twice, bare]);
        let nested = values(&deep);
        let names = [values("1,\"a\":1"), values("1,\"\\u0061\":1")];
        for text in texts.chain(names).chain([nested]) {
            assert!(!is_readable(case, text.clone()), "{case} {text}");
        }
    }
    for api in json() {
        let bulk = api.bulk();
        for items in [
            json!({}),
            json!([null]),
            json!([1]),
            json!([[]]),
            json!([{"permission": 1, "permission#2": 1}]),
        ] {
            let message = with(&api.checking_all(&[]), "/items", items);
            assert!(!bulk.is_readable(&message), "{api} {message}");
        }
        assert!(
            !bulk.is_readable(&with(&api.checking_all(&[0]), "/items#2", json!([]))),
            "{api}"
        );
        assert!(
            bulk.is_readable(&with(&api.checking_all(&[]), "/items", json!([{}]))),
            "{api}"
        );
    }
}

#[test]
fn rule_09_a_freshness_in_another_case_cannot_be_read() {
    for case in cases(json(), STATING) {
        for stated in &case.api.system.states()[1..] {
            let text = case.stating(&case.message(), *stated).to_string();
            for name in case.api.system.freshness().split('/').skip(1) {
                let capital = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
                for other in [capital, name.to_uppercase(), name.replacen('s', "\u{17f}", 1)] {
                    let text = text.replacen(&format!("\"{name}\""), &format!("\"{other}\""), 1);
                    let read = case.request_of(text.clone()).read(&base());
                    assert!(read.is_err() || other == name, "{case} {text}");
                }
            }
        }
    }
}

#[test]
fn rule_10_space_order_and_escapes_are_not_in_the_key() {
    for case in cases(json(), STORED) {
        let base = base();
        for (seed, message) in (0..).zip(edits(&case.everything())) {
            let keys = |seed| {
                case.request_of(case.respelled(&message, seed))
                    .read(&base)
                    .unwrap()
                    .keys()
            };
            assert_eq!(keys(seed), keys(1000 + seed), "{case} {message}");
        }
    }
}

#[test]
fn rule_11_replies_of_another_form_are_ignored() {
    for case in cases(json(), STORED) {
        assert_ne!(case.call().learned(&case.answer(true)), Learned::Nothing, "{case}");
        let statuses = [201, 204, 206, 302, 400, 401, 403, 404, 429, 500, 503, 504];
        let statuses = statuses.map(|status| case.answer(true).with_status(status));
        let types = [
            &[][..],
            &[("content-type", "text/html")],
            &[JSON, ("content-encoding", "gzip")],
        ];
        let types = types.map(|headers| case.answer(true).with_headers(headers));
        for reply in statuses.into_iter().chain(types) {
            assert_eq!(case.call().learned(&reply), Learned::Nothing, "{case} {reply:?}");
        }
        assert!(
            stored(case.call().learn(&case.api.error(11, "").with_status(200))).is_empty(),
            "{case}"
        );
    }
}

#[test]
fn rejections_have_the_gateways_form() {
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
        for api in json() {
            let response = api.system.protocol().reject(api.check().route(), &map(&[]), &why);
            assert_eq!(
                (
                    response.status().as_u16(),
                    response.headers()["content-type"].as_bytes()
                ),
                (status, JSON.1.as_bytes()),
                "{why:?}"
            );
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(
                body,
                json!({"code": code, "message": why.detail(), "details": []}),
                "{api}"
            );
        }
    }
}

#[test]
fn the_callers_deadline_is_read() {
    for api in json() {
        let timeout = |headers| api.system.protocol().timeout(api.check().route(), &map(headers));
        assert_eq!(timeout(&[]), None, "{api}");
        assert_eq!(
            timeout(&[("grpc-timeout", "250m")]),
            Some(Duration::from_millis(250)),
            "{api}"
        );
    }
}
