use http::StatusCode;
use serde_json::json;
use tower_zookie::protocol::{ReplyOutcome, StoredResponse};
use tower_zookie_testing::api::{Does, Learned, QUESTIONS, READS, STATING, STORED, apis, cases, stored, with, without};

#[test]
fn rule_11_decisions_are_stored_unmodified() {
    for case in cases(apis(), QUESTIONS) {
        for (allowed, comma) in [(true, ","), (false, ","), (true, ", "), (false, ", ")] {
            let answer = case.api.system.answer(case.does(), allowed);
            let reply = case.reply_with(&answer, comma);
            let ReplyOutcome::Answers { items, token } = case.call().learn(&reply) else {
                panic!("{case}")
            };
            let [item] = &items[..] else { panic!("{case} {items:?}") };
            assert!(item.store && item.expires_in.is_none(), "{case} {answer}");
            assert_eq!(
                token.map(|token| case.api.system.token(&token)).as_ref(),
                answer.get("checkedAt"),
                "{case}"
            );
            let content_type = case.api.content_type().parse().unwrap();
            let mut whole = StoredResponse::new(StatusCode::OK, content_type, reply.body);
            whole.trailers = item.response.trailers.clone();
            assert_eq!(item.response, whole, "{case}");
        }
    }
}

#[test]
fn a_stored_answer_does_not_hold_the_receive_buffer() {
    for case in cases(apis(), STORED) {
        let reply = case.answer(true);
        let items = stored(case.call().learn(&reply));
        let is_inside = |body: &bytes::Bytes| reply.body.as_ptr_range().contains(&body.as_ptr());
        assert!(
            !items.is_empty() && !items.iter().any(|item| is_inside(&item.response.body)),
            "{case}"
        );
    }
}

#[test]
fn rule_11_broken_replies_are_not_stored() {
    for case in cases(apis(), STORED) {
        let (call, reply) = (case.call(), case.answer(true));
        let cut = (0..reply.body.len()).map(|end| reply.body.slice(..end));
        let more = [[&reply.body[..], b"x"].concat(), reply.body.repeat(2)].map(Into::into);
        for body in cut.chain(more) {
            assert_eq!(
                call.learned(&reply.clone().with_body(body.clone())),
                Learned::Nothing,
                "{case} {body:?}"
            );
        }
    }
}

#[test]
fn rule_11_a_reply_with_more_or_less_than_the_answer_is_not_stored() {
    for case in cases(apis(), QUESTIONS) {
        let answer = case.api.system.answer(case.does(), true);
        let verdict = ["/permissionship", "/can", "/tree"]
            .into_iter()
            .find(|name| answer.pointer(name).is_some());
        let verdict = verdict.unwrap();
        let twice = with(
            &answer,
            &format!("{verdict}#2"),
            answer.pointer(verdict).unwrap().clone(),
        );
        for reply in [
            json!({}),
            with(&answer, "/unknown", "x"),
            without(&answer, verdict),
            twice,
        ] {
            assert!(
                stored(case.call().learn(&case.reply(&reply))).is_empty(),
                "{case} {reply}"
            );
        }
    }
}

#[test]
fn rule_11_errors_are_never_stored() {
    for case in cases(apis(), STATING) {
        for (code, message) in [
            (1, "context canceled"),
            (2, "something else"),
            (3, "validation error: resource.object_id: does not match regex pattern"),
            (3, "invalid revision requested by someone else"),
            (4, "context deadline exceeded"),
            (5, "ERROR_CODE_SCHEMA_NOT_FOUND"),
            (7, "invalid preshared key: invalid token"),
            (8, "too much"),
            (9, "object definition `nothing` not found"),
            (12, "unknown method"),
            (13, "an internal error occurred while accessing the datastore"),
            (14, "connection refused"),
            (16, "ERROR_CODE_UNAUTHENTICATED"),
            (99, "no such code"),
        ] {
            let learned = case.call().learned(&case.api.error(code, message));
            assert_eq!(learned, Learned::Nothing, "{case} {code} {message}");
        }
    }
}

#[test]
fn reads_that_are_not_stored_teach_only_their_revision() {
    for case in cases(apis(), &[READS, &[Does::ReadHead]].concat()) {
        let member = format!("/{}", case.operation.replies[0].1);
        let unknown = json!({"unknown": "x"});
        let learned = case
            .call()
            .learned_from(&with(&unknown, &member, case.api.system.token("t")));
        let answers = |_| Learned::Answers(Vec::new(), Some("t".to_owned()));
        assert_eq!(
            learned,
            case.operation.token.map_or(Learned::Nothing, answers),
            "{case}"
        );
        assert_eq!(case.call().learned_from(&unknown), Learned::Nothing, "{case}");
    }
}
