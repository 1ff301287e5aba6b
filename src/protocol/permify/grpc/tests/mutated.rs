use proptest::prelude::*;

use crate::protocol::permify::grpc::tests::*;

/// The call that the protocol reads from a request.
fn outcome(path: &str, body: &[u8], base: &FingerprintBuilder) -> Option<(Kind, bool, Option<Bytes>)> {
    let call = ask_with(path, &[], body, base).ok()?;
    Some((call.kind, call.unpinned, call.token))
}

fn requests() -> Vec<(&'static str, Bytes)> {
    vec![
        (CHECK, decoded(recorded::CHECK)),
        (CHECK, decoded(recorded::WITH_TUPLE)),
        (CHECK, framed(&with(&bytes(127, b"abc"))).into()),
        (BULK, decoded(recorded::BULK)),
        (
            BULK,
            framed(&[bulk(0..3), bytes(4, &bytes(1, b"tuple"))].concat()).into(),
        ),
        (EXPAND, decoded(recorded::EXPAND)),
    ]
}

/// Every byte of a request counts: a changed byte gives another question, another token, or an unreadable request.
#[test]
fn rule_10_every_byte_counts() {
    let base = base();
    for (path, body) in requests() {
        let usual = outcome(path, &body, &base);
        assert!(usual.is_some(), "{path}");
        for at in 0..body.len() {
            for other in 0..=u8::MAX {
                let mut changed = body.to_vec();
                if std::mem::replace(&mut changed[at], other) == other {
                    continue;
                }
                let changed = outcome(path, &changed, &base);
                assert!(changed.is_none() || changed != usual, "{path} {at} {other}");
            }
        }
    }
}

/// No reply panics, however broken it is.
fn play(path: &str, request: &[u8], reply: &[u8], open: &[usize]) {
    let body = Bytes::copy_from_slice(request);
    let Ok(call) = ask_with(path, &[], &body, &base()) else {
        return;
    };
    for (at, token) in [
        (ReadAt::Any, None),
        (ReadAt::Head, None),
        (at_least_ask(), Some(zookie("t"))),
        (exact_ask(), Some(zookie("t"))),
        (as_it_came(), Some(zookie("t"))),
    ] {
        if let Some(rewritten) = api().ask(call.with(&body), open, &at, token.as_ref()) {
            let again = ask_with(path, &[], &rewritten, &base()).unwrap();
            let said = token.filter(|_| !matches!(at, ReadAt::Unmodified(_)) || call.token.is_some());
            assert_eq!(
                again.token.as_deref(),
                said.as_ref().map(|token| token.as_str().as_bytes())
            );
        }
    }
    let learned = learn_of(&call, open, reply, OK);
    if let (Kind::Bulk(questions), ReplyOutcome::Answers { items, .. }) = (&call.kind, learned) {
        let found: Vec<_> = (0..questions.len())
            .map(|nth| items.get(nth).map(|item| &item.response))
            .collect();
        api().merge(call.with(&body), &found, Some(&zookie("t")));
    }
}

fn replies() -> Vec<Bytes> {
    let bodies = [
        recorded::ALLOWED,
        recorded::DENIED,
        recorded::BULK_REPLY,
        recorded::WRITTEN,
    ];
    let mut replies: Vec<_> = bodies.into_iter().map(decoded).collect();
    replies.push(framed(&bytes(1, &tuple(1, "plan", "alice"))).into());
    replies
}

proptest! {
    #[test]
    fn never_panics_on_arbitrary_bytes(message: Vec<u8>, reply: Vec<u8>, open in open()) {
        let reads = READS.map(|(path, ..)| path);
        for path in reads.into_iter().chain([CHECK, BULK, EXPAND, WRITE, WRITE_SCHEMA]) {
            play(path, &framed(&message), &framed(&reply), &open);
            play(path, &message, &reply, &open);
        }
        let _ = api().feed_token(&message);
    }

    #[test]
    fn never_panics_on_changed_bytes(
        request in prop::sample::select(requests()), reply in prop::sample::select(replies()),
        changes in [Changes::few(), Changes::few()], open in open(),
    ) {
        let ((path, request), changed) = (request, changes[1].make(&reply));
        play(path, &changes[0].make(&request), &changed, &open);
        play(path, &request, &changed, &open);
        let _ = api().feed_token(&changed[5..]);
    }

    /// A reply with one changed byte is either not stored or stored unmodified.
    #[test]
    fn rule_11_a_changed_reply_is_stored_only_unmodified(
        reply in prop::sample::select(replies()), at: prop::sample::Index, byte: u8,
    ) {
        let mut changed = reply.to_vec();
        changed[at.index(reply.len())] = byte;
        for path in [CHECK, EXPAND] {
            let call = ask(path, &plain(), &base()).unwrap();
            if let ReplyOutcome::Answers { items, .. } = learn(&call, &changed) {
                prop_assert_eq!(items.len(), 1);
                prop_assert_eq!(&items[0].response.body, &changed);
            }
        }
    }
}
