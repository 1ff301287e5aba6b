use crate::protocol::permify::grpc::tests::*;

fn read(documents: impl IntoIterator<Item = usize>) -> (Bytes, ReadCall) {
    let message = bulk(documents);
    let call = ask(BULK, &message, &base()).unwrap();
    (framed(&message).into(), call)
}

fn reply(results: &[Vec<u8>]) -> Vec<u8> {
    let results: Vec<u8> = results.iter().flat_map(|result| bytes(1, result)).collect();
    framed(&results)
}

fn stored(items: &[ReplyItem]) -> Vec<Option<&StoredResponse>> {
    items.iter().map(|item| Some(&item.response)).collect()
}

fn merge(call: &ReadCall, answers: &[Option<&StoredResponse>]) -> StoredResponse {
    api().merge(call.with(&Bytes::new()), answers, Some(&zookie("t")))
}

/// For each of two items of this reply, whether it may be stored.
fn keeps(reply: &[u8]) -> Option<Vec<bool>> {
    let (_, call) = read(0..2);
    match learn(&call, &framed(reply)) {
        ReplyOutcome::Answers { items, token: None } => Some(items.iter().map(|item| item.store).collect()),
        ReplyOutcome::Nothing => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rule_16_a_recorded_bulk_is_merged_byte_for_byte() {
    let call = ask_with(BULK, &[], &decoded(recorded::BULK), &base()).unwrap();
    let reply = decoded(recorded::BULK_REPLY);
    let items = items_of(learn(&call, &reply));
    let merged = merge(&call, &stored(&items));
    assert_eq!(merged.body, reply);
    assert_eq!(merged.status, 200);
    assert_eq!(merged.content_type.unwrap(), "application/grpc");
    assert_eq!(merged.trailers, Some(map(OK)));
}

#[test]
fn rule_11_only_grants_of_a_bulk_are_stored() {
    let call = ask_with(BULK, &[], &decoded(recorded::BULK), &base()).unwrap();
    let items = items_of(learn(&call, &decoded(recorded::BULK_REPLY)));
    let keep: Vec<_> = items.iter().map(|item| item.store).collect();
    assert_eq!(keep, [true, false, false, true], "an error looks like a denial");

    let second = bytes(1, &result(1, 1));
    let after = |first: &[u8]| keeps(&[&bytes(1, first)[..], &second].concat());
    assert_eq!(after(&result(1, 7)), Some(vec![true, true]));
    for first in [
        b"".to_vec(),
        result(0, 1),
        result(2, 1),
        result(3, 1),
        [result(2, 1), varint(1, 1)].concat(),
        [result(1, 1), bytes(3, b"unknown")].concat(),
        [varint(1, 1), bytes(2, &varint(2, 1))].concat(),
    ] {
        assert_eq!(after(&first), Some(vec![false, true]), "{first:x?}");
    }
    let unknown = [bytes(1, &result(1, 1)), second, bytes(9, b"unknown")].concat();
    assert_eq!(keeps(&unknown), Some(vec![false, false]), "it may concern any");
}

#[test]
fn rule_11_replies_that_do_not_fit_are_not_stored() {
    let one = bytes(1, &result(1, 1));
    assert_eq!(keeps(&one.repeat(2)), Some(vec![true, true]));
    for reply in [
        b"".to_vec(),
        one.clone(),
        one.repeat(3),
        [one.clone(), varint(1, 1)].concat(),
        [one.clone(), bytes(1, b"\x08")].concat(),
        [one.clone(), bytes(1, &bytes(1, b"1"))].concat(),
        [one.clone(), one, b"\x0a\x09".to_vec()].concat(),
    ] {
        assert_eq!(keeps(&reply), None, "{reply:x?}");
    }
}

#[test]
fn the_same_item_has_the_same_key_in_every_bulk() {
    let base = base();
    let of = |message: &[u8]| questions(&ask(BULK, message, &base).unwrap()).to_vec();
    let (a, b) = (of(&bulk([1, 2, 1])), of(&bulk([3, 1])));
    assert_eq!(a[0], a[2]);
    assert_eq!(a[0], b[1]);
    assert!(!a.contains(&b[0]));
    // A field beside the items may change every answer.
    let beside = bytes(5, b"argument");
    assert_ne!(of(&[bulk([1]), beside.clone()].concat()), of(&bulk([1])));
    let before = [tenant(), at_t(), beside.clone(), items([1])].concat();
    assert_eq!(of(&[bulk([1]), beside].concat()), of(&before));
    let deeper = [tenant(), metadata("v1", "t", 21), items([1])].concat();
    assert_ne!(of(&deeper), of(&bulk([1])));
}

#[test]
fn rule_16_items_asked_again_keep_their_places() {
    let (body, call) = read([7, 8, 7, 9]);
    let results = [result(1, 1), result(2, 2), result(1, 3), result(1, 4)];
    let whole = items_of(learn(&call, &reply(&results)));
    let asked = [1, 3];
    let part = api()
        .ask(call.with(&body), &asked, &exact_ask(), Some(&zookie("t")))
        .unwrap();
    assert_eq!(questions(&ask_with(BULK, &[], &part, &base()).unwrap()).len(), 2);

    let again = [result(1, 5), result(2, 6)];
    let items = items_of(learn_of(&call, &asked, &reply(&again), OK));
    let mut found = stored(&whole);
    for (index, item) in asked.iter().zip(&items) {
        found[*index] = Some(&item.response);
    }
    let expected = [result(1, 1), result(1, 5), result(1, 3), result(2, 6)];
    assert_eq!(merge(&call, &found).body, reply(&expected));
}

#[test]
fn rule_14_unanswered_items_are_denied() {
    let (_, call) = read(0..3);
    let whole = items_of(learn(&call, &reply(&[result(1, 1), result(1, 2), result(1, 3)])));
    let mut found = stored(&whole);
    found[1] = None;
    let denied = [varint(1, 2), bytes(2, b"")].concat();
    let expected = reply(&[result(1, 1), denied, result(1, 3)]);
    assert_eq!(merge(&call, &found).body, expected);
    let none = merge(&call, &[None]);
    assert_eq!(none.content_type.unwrap(), "application/grpc");
    assert_eq!(none.trailers, Some(map(OK)));
}

#[test]
#[ignore = "differs"]
fn rule_15_at_most_a_hundred_items_are_read() {
    let (most, call) = read(0..100);
    let distinct: std::collections::HashSet<_> = questions(&call).iter().collect();
    assert_eq!(distinct.len(), 100);
    let more = ask(BULK, &bulk(0..101), &base());
    assert_eq!(more.unwrap_err(), Unreadable("the bulk has more than 100 items"));

    let results: Vec<_> = (0..100).map(|nth| result(1, nth)).collect();
    let items = items_of(learn(&call, &reply(&results)));
    assert_eq!(items.iter().filter(|item| item.store).count(), 100);
    assert_eq!(merge(&call, &stored(&items)).body, reply(&results));
    let odd: Vec<usize> = (1..100).step_by(2).collect();
    let asked = api()
        .ask(call.with(&most), &odd, &exact_ask(), Some(&zookie("t")))
        .unwrap();
    let asked = ask_with(BULK, &[], &asked, &base()).unwrap();
    assert_eq!(questions(&asked).len(), odd.len());
}

#[test]
fn a_bulk_without_items_is_forwarded() {
    let (body, call) = read([]);
    assert_eq!(call.kind, Kind::Read { stream: false });
    assert!(matches!(learn(&call, &reply(&[])), ReplyOutcome::Nothing));
    let asked = api()
        .ask(call.with(&body), &[], &exact_ask(), Some(&zookie("u")))
        .unwrap();
    assert_eq!(asked, framed(&[tenant(), metadata("v1", "u", 20)].concat()));
}
