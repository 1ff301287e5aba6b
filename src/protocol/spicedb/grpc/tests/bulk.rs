use crate::protocol::reply::Reply;
use crate::protocol::spicedb::grpc::tests::*;

fn read(request: &str) -> (Bytes, ReadCall) {
    let body = decoded(request);
    let call = ask(BULK, &body, &base()).unwrap();
    (body, call)
}

fn stored(items: &[ReplyItem]) -> Vec<Option<&StoredResponse>> {
    items.iter().map(|item| Some(&item.response)).collect()
}

/// A pair of an item of [`items`] and its answer.
fn pair(document: usize, answer: &[u8]) -> Vec<u8> {
    let item = tuple(1, &document.to_string(), "alice");
    bytes(2, &[&bytes(1, &item)[..], answer].concat())
}

fn verdict(permissionship: u64) -> Vec<u8> {
    bytes(2, &varint(1, permissionship))
}

fn checked_at() -> Vec<u8> {
    bytes(1, &zed_token("head"))
}

/// For each of two items of this reply, whether it may be stored.
fn keeps(reply: &[u8]) -> Option<Vec<bool>> {
    let body = framed(&items(0..2));
    let call = ask(BULK, &body, &base()).unwrap();
    match learn(&call, &body, &framed(reply), OK) {
        ReplyOutcome::Answers { items, token } => {
            assert_eq!(token.as_deref(), Some("head"));
            Some(items.iter().map(|item| item.store).collect())
        }
        ReplyOutcome::Nothing => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rule_16_a_recorded_bulk_is_merged_byte_for_byte() {
    for (request, reply) in [
        (recorded::DUPLICATES, recorded::DUPLICATES_REPLY),
        (recorded::CAVEATS, recorded::CAVEATS_REPLY),
    ] {
        let (body, call) = read(request);
        let reply = decoded(reply);
        let (items, token) = answers(learn(&call, &body, &reply, OK));
        assert_eq!(token.as_deref(), Some(recorded::HEAD));
        assert!(items.iter().all(|item| item.store && item.expires_in.is_none()));
        let merged = api().merge(call.with(&body), &stored(&items), Some(&zookie(recorded::HEAD)));
        assert_eq!(merged.body, reply);
        assert_eq!(merged.status, 200);
        assert_eq!(merged.content_type.unwrap(), "application/grpc");
        assert_eq!(
            merged.trailers,
            Some(support::map(&[
                ("grpc-status", "0"),
                ("grpc-message", ""),
                ("io.spicedb.respmeta.dispatchedoperationscount", "0"),
                ("io.spicedb.respmeta.cachedoperationscount", "1"),
            ]))
        );
    }
}

#[test]
fn one_stored_item_does_not_hold_the_whole_reply() {
    let (body, call) = read(recorded::DUPLICATES);
    let reply = Reply {
        status: http::StatusCode::OK,
        headers: &map(&[("content-type", "application/grpc")]),
        body: &decoded(recorded::DUPLICATES_REPLY),
        trailers: Some(&map(OK)),
    };
    let (items, _) = answers(api().learn(call.with(&body), &[0, 1, 2, 3], &reply));
    let inside = |item: &ReplyItem| reply.body.as_ptr_range().contains(&item.response.body.as_ptr());
    assert!(!items.iter().any(inside));
}

#[test]
fn the_same_item_has_the_same_key_in_every_bulk() {
    let base = base();
    let of = |message: &[u8]| questions(&ask(BULK, &framed(message), &base).unwrap()).to_vec();
    let (a, b) = (of(&items([1, 2, 1])), of(&[items([3]), fully(), items([1])].concat()));
    assert_eq!(a[0], a[2]);
    assert_eq!(a[0], b[1]);
    assert!(!a.contains(&b[0]));
    // A field beside the items may change every answer.
    assert_ne!(of(&[items([1]), bytes(127, b"x")].concat()), of(&items([1])));
    assert_eq!(
        of(&[items([1]), bytes(127, b"x")].concat()),
        of(&[bytes(127, b"x"), items([1])].concat()),
    );
}

#[test]
fn rule_16_items_asked_again_keep_their_places() {
    let (body, call) = read(recorded::DUPLICATES);
    let reply = decoded(recorded::DUPLICATES_REPLY);
    let (whole, _) = answers(learn(&call, &body, &reply, OK));
    let asked = [1, 3];
    let part = api()
        .ask(call.with(&body), &asked, &exact_ask(), Some(&zookie(recorded::HEAD)))
        .unwrap();
    assert!(part.len() < body.len() + recorded::HEAD.len());

    let token = bytes(1, &zed_token(recorded::HEAD));
    let partial: Vec<u8> = asked
        .iter()
        .flat_map(|&index| bytes(2, &whole[index].response.body))
        .collect();
    let partial = framed(&[token, partial].concat());
    let (items, _) = answers(learn_of(&call, &body, &asked, &partial, OK));
    let mut found = stored(&whole);
    for (index, item) in asked.iter().zip(&items) {
        found[*index] = Some(&item.response);
    }
    let merged = api().merge(call.with(&body), &found, Some(&zookie(recorded::HEAD)));
    assert_eq!(merged.body, reply);
}

#[test]
fn rule_11_only_plain_decisions_of_items_are_stored() {
    let reply = |first: &[u8]| [checked_at(), pair(0, first), pair(1, &verdict(2))].concat();
    for permissionship in 1..=3 {
        assert_eq!(keeps(&reply(&verdict(permissionship))), Some(vec![true, true]));
    }
    let on_condition = bytes(2, &[varint(1, 3), bytes(2, b"")].concat());
    assert_eq!(keeps(&reply(&on_condition)), Some(vec![true, true]));
    for answer in [
        b"".to_vec(),
        verdict(0),
        verdict(4),
        bytes(2, b""),
        bytes(2, &[varint(1, 2), varint(1, 2)].concat()),
        bytes(2, &[varint(1, 2), bytes(2, b""), bytes(2, b"")].concat()),
        bytes(2, &[varint(1, 2), bytes(3, b"trace")].concat()),
        bytes(2, &[varint(1, 2), bytes(4, b"unknown")].concat()),
        bytes(3, &varint(1, 9)),
        [verdict(2), bytes(3, &varint(1, 9))].concat(),
        [verdict(2), verdict(2)].concat(),
        [verdict(2), bytes(9, b"unknown")].concat(),
        [verdict(2), bytes(1, &tuple(1, "0", "alice"))].concat(),
    ] {
        assert_eq!(keeps(&reply(&answer)), Some(vec![false, true]), "{answer:x?}");
    }
    let unknown = [reply(&verdict(2)), bytes(9, b"unknown")].concat();
    assert_eq!(keeps(&unknown), Some(vec![false, false]), "it may concern any");
}

#[test]
fn rule_11_replies_that_do_not_fit_are_not_stored() {
    let (first, second) = (pair(0, &verdict(2)), pair(1, &verdict(1)));
    assert_eq!(
        keeps(&[&checked_at()[..], &first, &second].concat()),
        Some(vec![true, true])
    );
    for reply in [
        // Too few, too many, in another order, about something else, without a revision.
        vec![checked_at(), first.clone()],
        vec![checked_at(), first.clone(), second.clone(), second.clone()],
        vec![checked_at(), second.clone(), first.clone()],
        vec![checked_at(), first.clone(), pair(2, &verdict(1))],
        vec![checked_at(), first.clone(), bytes(2, &verdict(1))],
        vec![first.clone(), second.clone()],
        vec![bytes(1, b""), first.clone(), second],
        vec![checked_at(), first.clone(), bytes(2, b"\x0a\x09")],
        vec![checked_at(), first.clone(), pair(1, &bytes(2, b"\x0a\x09"))],
        vec![checked_at(), first.clone(), pair(1, &varint(2, 1))],
        vec![checked_at(), first, varint(2, 1)],
    ] {
        assert_eq!(keeps(&reply.concat()), None, "{reply:x?}");
    }
}

#[test]
fn rule_11_a_pair_about_another_tuple_is_ignored() {
    let item = [tuple(1, "plan", "alice"), bytes(3, &bytes(2, b"member"))].concat();
    let body = framed(&bytes(2, &item));
    let call = ask(BULK, &body, &base()).unwrap();
    let learned = |request: &[u8]| {
        let pair = [bytes(1, request), verdict(2)].concat();
        let reply = framed(&[checked_at(), bytes(2, &pair)].concat());
        matches!(learn(&call, &body, &reply, OK), ReplyOutcome::Answers { .. })
    };
    assert!(learned(&item));
    assert!(
        learned(&[&item[..], &bytes(4, b"")].concat()),
        "contexts are spelled anew"
    );
    for other in [
        bytes(1, &object("folder", "plan")),
        bytes(1, &object("document", "plan2")),
        bytes(2, b"edit"),
        bytes(3, &bytes(1, &object("team", "alice"))),
        bytes(3, &bytes(1, &object("user", "bob"))),
        bytes(3, &bytes(2, b"")),
    ] {
        assert!(!learned(&[&item[..], &other].concat()), "{other:x?}");
    }
}

#[test]
fn unanswered_items_are_errors() {
    let (body, call) = read(recorded::DUPLICATES);
    let (whole, _) = answers(learn(&call, &body, &decoded(recorded::DUPLICATES_REPLY), OK));
    let mut found = stored(&whole);
    found[1] = None;
    let merged = api().merge(call.with(&body), &found, Some(&zookie(recorded::HEAD)));
    let (items, _) = answers(learn(&call, &body, &merged.body, OK));
    let keeps: Vec<_> = items.iter().map(|item| item.store).collect();
    assert_eq!(keeps, [true, false, true, true]);
    let error = bytes(
        3,
        &[varint(1, 14), bytes(2, b"the upstream did not answer this item")].concat(),
    );
    assert!(items[1].response.body.ends_with(&error));
}

#[test]
fn a_mixed_bulk_has_no_revision() {
    let (body, call) = read(recorded::DUPLICATES);
    let reply = decoded(recorded::DUPLICATES_REPLY);
    let (whole, _) = answers(learn(&call, &body, &reply, OK));
    let merged = api().merge(call.with(&body), &stored(&whole), None);
    let token = bytes(1, &zed_token(recorded::HEAD));
    assert_eq!(merged.body[5..], reply[5 + token.len()..]);
    assert!(matches!(learn(&call, &body, &merged.body, OK), ReplyOutcome::Nothing));
}

#[test]
fn rule_15_at_most_ten_thousand_items_are_read() {
    let message = |count| [fully(), items(0..count)].concat();
    let most = Bytes::from(framed(&message(10_000)));
    let call = ask(BULK, &most, &base()).unwrap();
    let distinct: std::collections::HashSet<_> = questions(&call).iter().collect();
    assert_eq!(distinct.len(), 10_000);
    assert!(ask(BULK, &framed(&message(10_001)), &base()).is_err());

    let pairs: Vec<u8> = (0..10_000).flat_map(|document| pair(document, &verdict(2))).collect();
    let reply = framed(&[checked_at(), pairs].concat());
    let (items, _) = answers(learn(&call, &most, &reply, OK));
    assert_eq!(items.iter().filter(|item| item.store).count(), 10_000);
    let merged = api().merge(call.with(&most), &stored(&items), Some(&zookie("head")));
    assert_eq!(merged.body, reply);
    let odd: Vec<usize> = (1..10_000).step_by(2).collect();
    let asked = api()
        .ask(call.with(&most), &odd, &exact_ask(), Some(&zookie("head")))
        .unwrap();
    let asked = ask(BULK, &asked, &base()).unwrap();
    assert_eq!(questions(&asked).len(), odd.len());
}
