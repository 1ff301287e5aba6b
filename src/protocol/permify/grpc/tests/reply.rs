use http::StatusCode;

use crate::protocol::permify::grpc::tests::*;
use crate::protocol::reply::Reply;

fn call(path: &str) -> ReadCall {
    ask(path, &[tenant(), at_t(), asked(path)].concat(), &base()).unwrap()
}

/// The answer in a reply to one question, if there is one.
fn learned(path: &str, reply: &[u8]) -> Option<ReplyItem> {
    match learn(&call(path), reply) {
        ReplyOutcome::Answers { items, token: None } => {
            assert_eq!(items.len(), 1);
            items.into_iter().next()
        }
        ReplyOutcome::Nothing => None,
        other => panic!("{other:?}"),
    }
}

fn tree() -> Vec<u8> {
    bytes(1, &tuple(1, "plan", "alice"))
}

#[test]
fn rule_11_only_the_answer_of_a_reply_is_stored() {
    for (path, reply) in [
        (CHECK, decoded(recorded::ALLOWED)),
        (CHECK, decoded(recorded::DENIED)),
        (CHECK, framed(&result(1, 1)).into()),
        (EXPAND, framed(&tree()).into()),
    ] {
        let known = learned(path, &reply).unwrap();
        assert!(known.store, "{path} {reply:x?}");
        assert_eq!(known.expires_in, None);
        let stored = known.response;
        assert_eq!(stored.body, reply, "the count is the server's");
        assert_eq!(stored.status, 200);
        assert_eq!(stored.content_type.unwrap(), "application/grpc");
        assert_eq!(stored.content_encoding, None);
        assert_eq!(stored.trailers, Some(map(OK)));
    }
}

#[test]
fn the_status_message_stays_unmodified() {
    let message = |trailers: &[(&str, &str)]| {
        let learned = learn_of(&call(CHECK), &[0], &decoded(recorded::ALLOWED), trailers);
        items_of(learned)[0].response.trailers.clone().unwrap()
    };
    let bare = [("grpc-status", "0")];
    assert_eq!(message(&bare), map(&bare));
    let with_message = [("grpc-status", "0"), ("grpc-message", "fine%21")];
    assert_eq!(message(&with_message), map(&with_message));
    let more = [("grpc-status", "0"), ("x-request-id", "1")];
    assert_eq!(message(&more), map(&bare), "of one caller's");
}

#[test]
fn a_stored_reply_does_not_hold_the_receive_buffer() {
    for (path, body) in [
        (CHECK, decoded(recorded::ALLOWED)),
        (EXPAND, framed(&tree()).into()),
        (BULK, framed(&bytes(1, &result(1, 1)).repeat(2)).into()),
    ] {
        let reply = Reply {
            status: StatusCode::OK,
            headers: &map(&[("content-type", "application/grpc+proto")]),
            body: &body,
            trailers: Some(&map(OK)),
        };
        let items = items_of(api().learn(call(path).with(&Bytes::new()), &[0, 1], &reply));
        for known in items {
            assert_eq!(known.response.content_type.unwrap(), "application/grpc+proto");
            assert!(!body.as_ptr_range().contains(&known.response.body.as_ptr()), "{path}");
        }
    }
}

#[test]
#[ignore = "differs"]
fn rule_11_only_plain_decisions_are_stored() {
    let count = bytes(2, &varint(1, 3));
    for can in [1, 2] {
        for metadata in [&count[..], &bytes(2, b""), b""] {
            let reply = framed(&[&varint(1, can), metadata].concat());
            assert!(learned(CHECK, &reply).unwrap().store, "{reply:x?}");
        }
    }
    for reply in [
        b"".to_vec(),
        count.clone(),
        result(0, 1),
        result(3, 1),
        result(u64::MAX, 1),
        [result(1, 1), varint(1, 1)].concat(),
        [result(2, 1), varint(1, 1)].concat(),
        [result(1, 1), count].concat(),
        [result(1, 1), bytes(3, b"unknown")].concat(),
        [varint(1, 1), bytes(2, &varint(1, 1).repeat(2))].concat(),
        [varint(1, 1), bytes(2, &varint(2, 1))].concat(),
    ] {
        assert!(!learned(CHECK, &framed(&reply)).unwrap().store, "{reply:x?}");
    }
    for reply in [
        framed(&bytes(1, b"1")),
        framed(&[varint(1, 1), varint(2, 1)].concat()),
        framed(&[varint(1, 1), bytes(2, &bytes(1, b""))].concat()),
        framed(b"\x08"),
        [&[1], &framed(&result(1, 1))[1..]].concat(),
        framed(&result(1, 1)).repeat(2),
        Vec::new(),
    ] {
        assert!(learned(CHECK, &reply).is_none(), "{reply:x?}");
    }
}

#[test]
fn rule_11_only_one_complete_tree_is_stored() {
    assert!(learned(EXPAND, &framed(&tree())).unwrap().store);
    for reply in [
        b"".to_vec(),
        bytes(1, b""),
        tree().repeat(2),
        [tree(), bytes(2, b"unknown")].concat(),
        bytes(2, b"unknown"),
    ] {
        assert!(!learned(EXPAND, &framed(&reply)).unwrap().store, "{reply:x?}");
    }
    for reply in [framed(&varint(1, 1)), framed(b"\x0a\x09"), Vec::new()] {
        assert!(learned(EXPAND, &reply).is_none(), "{reply:x?}");
    }
}

#[test]
fn rule_11_replies_that_are_not_grpc_are_ignored() {
    let learned = |status: u16, headers: &[(&str, &str)], trailers: Option<&[(&str, &str)]>| {
        let trailers = trailers.map(map);
        let reply = Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &map(headers),
            body: &decoded(recorded::ALLOWED),
            trailers: trailers.as_ref(),
        };
        !matches!(
            api().learn(call(CHECK).with(&Bytes::new()), &[0], &reply),
            ReplyOutcome::Nothing
        )
    };
    let grpc = ("content-type", "application/grpc");
    assert!(learned(200, &[grpc], Some(OK)));
    assert!(!learned(200, &[grpc], None), "broken off");
    assert!(!learned(200, &[grpc], Some(&[])));
    assert!(
        !learned(200, &[grpc], Some(&[("grpc-status", "13")])),
        "it failed after all"
    );
    assert!(!learned(200, &[("content-type", "text/html")], Some(OK)));
    assert!(!learned(200, &[grpc, ("content-encoding", "gzip")], Some(OK)));
    assert!(!learned(502, &[grpc], Some(OK)));
}

#[test]
fn rule_11_errors_are_never_stored() {
    let reads = READS.map(|(path, ..)| path);
    for path in reads.into_iter().chain([CHECK, BULK, EXPAND]) {
        for (code, message) in [
            (
                "3",
                "invalid PermissionCheckRequest.Metadata: embedded message failed validation",
            ),
            ("5", "ERROR_CODE_SCHEMA_NOT_FOUND"),
            // A malformed token. Permify never rejects a revision.
            ("13", "ERROR_CODE_INTERNAL"),
            ("13", "failed to evaluate expression: no such key: floor"),
            ("1", "ERROR_CODE_CANCELLED"),
            ("4", "context deadline exceeded"),
            ("16", "ERROR_CODE_UNAUTHENTICATED"),
            ("14", "connection refused"),
            ("11", "out of range"),
            ("99", "no such code"),
            ("0", ""),
        ] {
            let learned = learn_error(&call(path), code, message);
            assert!(matches!(learned, ReplyOutcome::Nothing), "{path} {code}");
        }
    }
}

#[test]
fn reads_that_are_not_stored_teach_nothing() {
    for (path, ..) in READS {
        let reply = framed(&[bytes(1, b"plan"), bytes(2, b"")].concat());
        assert!(matches!(learn(&call(path), &reply), ReplyOutcome::Nothing), "{path}");
    }
}
