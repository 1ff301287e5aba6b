use proptest::prelude::*;

use crate::protocol::spicedb::grpc::tests::*;

/// The call that the protocol reads from a request.
fn outcome(path: &str, body: &[u8], base: &FingerprintBuilder) -> Option<(Kind, Option<Consistency>, Option<Bytes>)> {
    let call = ask(path, body, base).ok()?;
    Some((call.kind, call.consistency, call.token))
}

fn requests() -> Vec<(&'static str, Bytes)> {
    vec![
        (CHECK, decoded(recorded::CHECK)),
        (CHECK, decoded(recorded::LEAST)),
        (CHECK, decoded(recorded::WITH_CONTEXT)),
        (CHECK, framed(&[minimal(), plain(), varint(6, 0)].concat()).into()),
        (
            CHECK,
            framed(&[exactly("token"), plain(), bytes(127, b"abc")].concat()).into(),
        ),
        (BULK, decoded(recorded::DUPLICATES)),
        (BULK, decoded(recorded::CAVEATS)),
        (BULK_TWIN, framed(&[at_least("token"), items(0..3)].concat()).into()),
    ]
}

/// Every byte of a request counts: a changed byte gives another question, another consistency, or an unreadable
/// request.
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
    let Ok(call) = ask(path, &body, &base()) else { return };
    for (at, token) in [
        (ReadAt::Any, None),
        (ReadAt::Head, None),
        (at_least_ask(), Some(zookie("t"))),
        (exact_ask(), Some(zookie("t"))),
    ] {
        if let Some(rewritten) = api().ask(call.with(&body), open, &at, token.as_ref()) {
            assert!(ask(path, &rewritten, &base()).is_ok());
        }
    }
    let learned = learn_of(&call, request, open, reply, OK);
    if let (Kind::Bulk(questions), ReplyOutcome::Answers { items, .. }) = (&call.kind, learned) {
        let found: Vec<_> = (0..questions.len())
            .map(|nth| items.get(nth).map(|item| &item.response))
            .collect();
        api().merge(call.with(&body), &found, Some(&zookie("t")));
    }
}

fn replies() -> Vec<Bytes> {
    [
        recorded::HAS,
        recorded::CONDITIONAL,
        recorded::DUPLICATES_REPLY,
        recorded::CAVEATS_REPLY,
        recorded::WRITTEN,
        recorded::COMPUTABLE,
    ]
    .map(decoded)
    .into()
}

proptest! {
    #[test]
    fn never_panics_on_arbitrary_bytes(message: Vec<u8>, reply: Vec<u8>, open in open()) {
        for path in [CHECK, BULK, READ_RELATIONSHIPS, WRITE] {
            play(path, &framed(&message), &framed(&reply), &open);
            play(path, &message, &reply, &open);
        }
    }

    #[test]
    fn never_panics_on_changed_bytes(
        request in prop::sample::select(requests()), reply in prop::sample::select(replies()),
        changes in [Changes::few(), Changes::few()], open in open(),
    ) {
        let ((path, request), changed) = (request, changes[1].make(&reply));
        play(path, &changes[0].make(&request), &changed, &open);
        play(path, &request, &changed, &open);
    }

    /// A reply with one changed byte is either not stored or stored unmodified.
    #[test]
    fn rule_11_a_changed_reply_is_stored_only_unmodified(
        reply in prop::sample::select(replies()), at: prop::sample::Index, byte: u8,
    ) {
        let mut changed = reply.to_vec();
        changed[at.index(reply.len())] = byte;
        let call = ask(CHECK, &decoded(recorded::CHECK), &base()).unwrap();
        if let ReplyOutcome::Answers { items, token } = learn(&call, &decoded(recorded::CHECK), &changed, OK) {
            prop_assert!(token.is_some_and(|token| !token.is_empty()));
            prop_assert_eq!(items.len(), 1);
            prop_assert_eq!(&items[0].response.body, &changed);
        }
    }
}
