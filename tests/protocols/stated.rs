use serde_json::{Value, json};
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::Kind;
use tower_zookie_testing::api::{Does, READS, STATING, apis, base, cases, with};

#[test]
fn rule_01_every_stated_freshness_is_read() {
    for case in cases(apis(), STATING) {
        for stated in case.api.system.states() {
            for seed in 0..3 {
                let body = case.respelled(&case.stating(&case.message(), *stated), seed);
                let call = case.request_of(body).read(&base()).unwrap().call;
                let understood = (call.consistency, call.token);
                assert_eq!(understood, case.api.system.understood(*stated), "{case} {stated:?}");
            }
        }
    }
}

#[test]
fn rule_09_a_freshness_of_another_type_cannot_be_read() {
    for case in cases(apis(), STATING) {
        for pointer in [case.api.system.freshness(), "/consistency", "/metadata"] {
            if case.with_token(&case.message()).pointer(pointer).is_none() {
                continue;
            }
            for value in [json!(1), json!(true)] {
                let message = with(&case.with_token(&case.message()), pointer, value);
                assert!(!case.is_readable(&message), "{case} {message}");
            }
        }
    }
}

#[test]
fn a_read_at_head_is_at_head_whatever_it_states() {
    for case in cases(apis(), &[Does::ReadHead]) {
        for stated in case.api.system.states() {
            let call = case.read(&case.stating(&case.message(), *stated)).unwrap().call;
            assert_eq!(
                call.consistency,
                Some(Consistency::FullyConsistent),
                "{case} {stated:?}"
            );
            assert_eq!((call.kind, call.token), (Kind::read(), None));
        }
    }
}

#[test]
fn rule_11_pages_are_not_stored() {
    for case in cases(apis(), READS) {
        let message = case.with_token(&case.message());
        let kind = |message: &Value| {
            let call = case.read(message).unwrap().call;
            let stated = *case.api.system.states().last().unwrap();
            assert_eq!(
                (call.consistency, call.token),
                case.api.system.understood(stated),
                "{case}"
            );
            call.kind
        };
        let whole = match case.does() {
            Does::Read => Kind::read(),
            _ => Kind::read().streamed(),
        };
        assert_eq!(kind(&message), whole, "{case}");
        assert_eq!(kind(&with(&message, "/unknown", "x")), whole, "{case}");
        for (member, value) in case.pages() {
            assert_eq!(
                kind(&with(&message, &format!("/{member}"), value)),
                Kind::Page,
                "{case} {member}"
            );
        }
    }
}
