//! What only gRPC has.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use prost::Message;
use serde_json::json;
use tower_zookie::protocol::{Claim, Rejection};
use tower_zookie_testing::api::{
    Api, Case, Learned, QUESTIONS, Request, STATING, STORED, Stated, WRITES, Wire, base, cases, map, over, stored,
    with, without,
};
use tower_zookie_testing::frame::{frame, framed, unframed};
use tower_zookie_testing::permify::messages as permify;
use tower_zookie_testing::spicedb::messages as spicedb;

const GRPC: (&str, &str) = ("content-type", "application/grpc");
const DISPATCHED: &str = "io.spicedb.respmeta.dispatchedoperationscount";
const CACHED: &str = "io.spicedb.respmeta.cachedoperationscount";

fn grpc() -> Vec<Api> {
    over(Wire::Grpc)
}

fn check(api: Api) -> Request {
    api.check().request(&api.check().message())
}

#[test]
fn claims_nothing_but_grpc() {
    for api in grpc() {
        let claim = |content_type: &str| api.claim(&check(api).headers(&[("content-type", content_type)]).parts);
        for more in ["", "+proto", ";v=1", "+proto; charset=utf-8", "+json"] {
            assert!(
                matches!(claim(&format!("application/grpc{more}")), Claim::Body(_)),
                "{api} {more}"
            );
        }
        for other in ["application/grpc-web", "application/json", "text/plain", ""] {
            assert_eq!(claim(other), Claim::Pass, "{api} {other}");
        }
        assert_eq!(api.claim(&check(api).headers(&[]).parts), Claim::Pass);
    }
}

#[test]
fn rule_10_of_the_headers_only_the_content_type_is_in_the_key() {
    for api in grpc() {
        let base = base();
        let usual = check(api).key(&base);
        for header in [
            ("grpc-timeout", "10S"),
            ("user-agent", "grpc-python/1.85.1"),
            ("grpc-accept-encoding", "identity, gzip"),
            ("x-request-id", "req-42"),
            ("io.spicedb.requestoverlapkey", "k"),
        ] {
            assert_eq!(check(api).more_headers(&[header]).key(&base), usual, "{api} {header:?}");
        }
        let of_type = |content_type| check(api).headers(&[("content-type", content_type)]);
        assert_ne!(of_type("application/grpc+proto").key(&base), usual, "{api}");
        assert!(of_type("application/grpc+json").read(&base).is_err(), "{api}");
    }
}

#[test]
fn rule_10_malformed_bodies_have_no_key() {
    for case in cases(grpc(), STATING) {
        let whole = case.body(&case.message());
        let compressed = [&[1], &whole[1..]].concat();
        let cut = whole[..whole.len() - 1].to_vec();
        let message = |more: &[u8]| frame(&[&whole[5..], more].concat()).to_vec();
        let (short_field, group) = (message(b"\x7a\x09"), message(b"\x7b\x7c"));
        let more = [&whole[..], b"x"].concat();
        for body in [Vec::new(), cut, more, whole.repeat(2), compressed, short_field, group] {
            assert!(case.request_of(body.clone()).read(&base()).is_err(), "{case} {body:x?}");
        }
    }
    for case in cases(grpc(), STORED) {
        // The values are another type, or have an unknown field.
        for values in [json!(1), json!("H\u{1}"), json!("x")] {
            let message = with(&case.everything(), case.api.system.context(case.does()), values);
            assert!(!case.is_readable(&message), "{case} {message}");
        }
    }
}

#[test]
fn a_token_is_a_slice_of_the_message_and_may_be_no_text() {
    for case in cases(grpc(), STATING) {
        let body = case.body(&case.stating(&case.message(), Stated::Exactly("~")));
        let body: Bytes = body
            .iter()
            .map(|byte| if *byte == b'~' { 0xff } else { *byte })
            .collect();
        let token = case.request_of(body.clone()).read(&base()).unwrap().call.token.unwrap();
        assert_eq!(token, &b"\xff"[..], "{case}: for the layer to judge");
        assert!(body.as_ptr_range().contains(&token.as_ptr()), "{case}");
    }
}

/// A changed byte gives another question, another freshness, or an unreadable request.
#[test]
fn rule_10_every_byte_counts() {
    for case in grpc().into_iter().flat_map(|api| [api.check(), api.bulk()]) {
        let base = base();
        let mut request = case.request(&case.with_token(&with(&case.everything(), "/unknown", "x")));
        let body = request.body.clone();
        let mut read = |body: Vec<u8>| {
            request.body = body.into();
            let call = request.read(&base).ok()?.call;
            Some((call.kind, call.consistency, call.token, call.unpinned))
        };
        let usual = read(body.to_vec());
        assert!(usual.is_some(), "{case}");
        for at in 0..body.len() {
            for other in (0..=u8::MAX).filter(|other| *other != body[at]) {
                let mut changed = body.to_vec();
                changed[at] = other;
                let read = read(changed);
                assert!(read.is_none() || read != usual, "{case} {at} {other}");
            }
        }
    }
}

/// The trailers that are stored.
fn kept(api: Api, ended: &[(&str, &str)]) -> Option<HeaderMap> {
    let counts = [(DISPATCHED, "0"), (CACHED, "1")];
    let counts = if api.system.name() == "SpiceDB" {
        &counts[..]
    } else {
        &[]
    };
    Some(map(&[ended, counts].concat()))
}

#[test]
fn rule_11_of_the_headers_and_trailers_only_the_status_and_type_are_stored() {
    for case in cases(grpc(), QUESTIONS) {
        let status = ("grpc-status", "0");
        for ended in [
            &[status][..],
            &[status, ("grpc-message", "")],
            &[status, ("grpc-message", "fine%21")],
        ] {
            let trailers = [ended, &[("x-request-id", "1"), (DISPATCHED, "7")]].concat();
            let headers = [("content-type", "application/grpc+proto"), ("x-request-id", "1")];
            let reply = case.answer(true).with_headers(&headers).with_trailers(&trailers);
            let response = stored(case.call().learn(&reply)).remove(0).response;
            assert_eq!(response.trailers, kept(case.api, ended), "{case}");
            assert_eq!(response.content_type.unwrap(), "application/grpc+proto", "{case}");
            assert_eq!(response.content_encoding, None);
        }
    }
    for api in grpc() {
        let merged = api.bulk().call().merge(&[None, None], Some("t"));
        assert_eq!(
            merged.trailers,
            kept(api, &[("grpc-status", "0"), ("grpc-message", "")]),
            "{api}"
        );
        assert_eq!(merged.content_type.unwrap(), "application/grpc");
    }
}

#[test]
fn rule_11_replies_that_are_not_grpc_are_ignored() {
    let writes = cases(grpc(), WRITES);
    for case in [cases(grpc(), STORED), writes].concat() {
        let answer = || {
            if STORED.contains(&case.does()) {
                case.answer(true)
            } else {
                case.api.reply_of(vec![0; 5])
            }
        };
        let learned = |reply| case.call().learned(&reply);
        let announced = answer().with_headers(&[GRPC, ("grpc-encoding", "gzip")]);
        assert_ne!(
            learned(announced),
            Learned::Nothing,
            "{case}: the frame says what it is"
        );
        let mut broken_off = answer();
        broken_off.trailers = None;
        for odd in [
            broken_off,
            answer().with_trailers(&[]),
            answer().with_trailers(&[("grpc-status", "13"), ("grpc-message", "")]),
            answer().with_trailers(&[("grpc-status", "x")]),
            answer().with_status(502),
        ] {
            assert_eq!(learned(odd.clone()), Learned::Nothing, "{case} {odd:?}");
        }
    }
    for case in cases(grpc(), STORED) {
        let compressed = [&[1], &case.answer(true).body[1..]].concat();
        let html = case.answer(true).with_headers(&[("content-type", "text/html")]);
        let encoded = case.answer(true).with_headers(&[GRPC, ("content-encoding", "gzip")]);
        for odd in [
            html,
            encoded,
            case.answer(true).with_body(compressed),
            case.api.error(0, ""),
        ] {
            assert_eq!(case.call().learned(&odd), Learned::Nothing, "{case} {odd:?}");
        }
    }
}

#[test]
fn a_write_without_a_message_succeeded_too() {
    for write in cases(grpc(), WRITES) {
        let learned = write.call().learned(&write.api.error(0, ""));
        assert!(matches!(learned, Learned::Wrote(None, _)), "{write} {learned:?}");
    }
}

#[test]
fn deadlines_and_rejections_are_grpcs_own() {
    for api in grpc() {
        let (protocol, route) = (api.system.protocol(), api.check().route());
        let timeout = |timeout| protocol.timeout(route, &map(&[("grpc-timeout", timeout)]));
        assert_eq!(
            (timeout("10S"), timeout("soon")),
            (Some(Duration::from_secs(10)), None),
            "{api}"
        );
        let rejection = protocol.reject(route, &map(&[]), &Rejection::UnknownConsistency);
        assert_eq!(
            (
                rejection.status().as_u16(),
                rejection.headers()["grpc-status"].as_bytes()
            ),
            (200, &b"3"[..])
        );
        assert!(protocol.echoed(route).is_empty());
    }
}

#[test]
fn the_fields_of_the_tests_are_those_of_the_messages() {
    fn same<M: Message + Default>(method: &str, body: impl Fn(Case) -> Bytes) {
        let mut all = grpc().into_iter().flat_map(|api| api.all());
        let body = body(all.find(|case| case.operation.grpc == method).unwrap());
        assert_eq!(framed(&unframed::<M>(&body)), body, "{method}");
    }
    let asked = |case: Case| case.body(&without(&case.with_token(&case.everything()), "/arguments"));
    let answered = |case: Case| case.answer(true).body;
    let page = |case: Case| {
        let mut message = case.with_token(&case.message());
        message.as_object_mut().unwrap().extend(
            case.pages()
                .into_iter()
                .map(|(member, value)| (member.to_owned(), value)),
        );
        case.body(&message)
    };
    same::<spicedb::CheckPermissionRequest>("PermissionsService/CheckPermission", asked);
    same::<spicedb::CheckPermissionResponse>("PermissionsService/CheckPermission", answered);
    same::<spicedb::CheckBulkPermissionsRequest>("PermissionsService/CheckBulkPermissions", asked);
    same::<spicedb::CheckBulkPermissionsResponse>("PermissionsService/CheckBulkPermissions", answered);
    same::<spicedb::LookupResourcesRequest>("PermissionsService/LookupResources", page);
    same::<spicedb::LookupSubjectsRequest>("PermissionsService/LookupSubjects", page);
    same::<spicedb::ReadRelationshipsRequest>("PermissionsService/ReadRelationships", page);
    same::<permify::PermissionCheckRequest>("Permission/Check", asked);
    same::<permify::PermissionCheckResponse>("Permission/Check", answered);
    same::<permify::PermissionBulkCheckRequest>("Permission/BulkCheck", asked);
    same::<permify::PermissionBulkCheckResponse>("Permission/BulkCheck", answered);
    same::<permify::PermissionExpandRequest>("Permission/Expand", asked);
    same::<permify::PermissionLookupEntityRequest>("Permission/LookupEntity", page);
    same::<permify::RelationshipReadRequest>("Data/ReadRelationships", page);
}
