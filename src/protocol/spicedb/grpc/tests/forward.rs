use proptest::prelude::*;

use crate::protocol::spicedb::grpc::tests::*;
use crate::token::Zookie;

fn forwarded(path: &str, message: &[u8], open: &[usize], at: &ReadAt, zookie: Option<&Zookie>) -> Option<Vec<u8>> {
    let body = Bytes::from(framed(message));
    let call = ask(path, &body, &base()).unwrap();
    let rewritten = api().ask(call.with(&body), open, at, zookie)?;
    let message = crate::protocol::kit::grpc::message(&rewritten).expect("one whole frame");
    Some(message.to_vec())
}

fn checked(consistency: &[u8], at: &ReadAt, token: Option<&str>) -> Option<Vec<u8>> {
    let zookie = token.map(zookie);
    let message = [consistency, &plain()[..]].concat();
    forwarded(CHECK, &message, &[0], at, zookie.as_ref())
}

#[test]
fn a_message_that_already_asks_so_is_forwarded_unmodified() {
    assert_eq!(checked(b"", &ReadAt::Any, None), None);
    assert_eq!(checked(&minimal(), &ReadAt::Any, None), None);
    assert_eq!(checked(&fully(), &ReadAt::Head, None), None);
    assert_eq!(checked(&at_least("t"), &at_least_ask(), Some("t")), None);
    assert_eq!(checked(&at_least("t"), &as_it_came(), Some("t")), None);
    assert_eq!(checked(&exactly("t"), &exact_ask(), Some("t")), None);
}

#[test]
fn rule_01_the_message_names_the_revision_asked_at() {
    let saying = |consistency: Vec<u8>| Some([consistency, plain()].concat());
    let all = [
        b"".to_vec(),
        minimal(),
        fully(),
        at_least("t"),
        exactly("t"),
        at_least("u"),
        exactly("u"),
    ];
    for stated in &all {
        for (at, token, said) in [
            (ReadAt::Any, None, minimal()),
            (ReadAt::Head, None, fully()),
            (at_least_ask(), Some("t"), at_least("t")),
            (as_it_came(), Some("t"), at_least("t")),
            (exact_ask(), Some("t"), exactly("t")),
            // The revision has no token, but head covers it.
            (at_least_ask(), None, fully()),
            (exact_ask(), None, fully()),
        ] {
            let same = *stated == said || stated.is_empty() && said == minimal();
            let expected = if same { None } else { saying(said) };
            assert_eq!(checked(stated, &at, token), expected, "{stated:x?} {at:?}");
        }
    }
}

#[test]
fn reads_that_are_not_stored_are_rewritten_too() {
    let filter = [bytes(2, b"filter"), bytes(127, b"more")].concat();
    let message = [at_least("t"), filter.clone()].concat();
    let ask = |at: &ReadAt, token: &str| forwarded(READ_RELATIONSHIPS, &message, &[], at, Some(&zookie(token)));
    assert_eq!(ask(&at_least_ask(), "t"), None);
    assert_eq!(ask(&at_least_ask(), "u"), Some([at_least("u"), filter].concat()));
    let traced = [items(0..3), varint(3, 1)].concat();
    let rewritten = forwarded(BULK, &traced, &[], &ReadAt::Head, None);
    assert_eq!(rewritten, Some([fully(), traced].concat()), "whole");
}

#[test]
fn writes_are_forwarded_unmodified() {
    let call = ask(WRITE, b"", &base()).unwrap();
    let body = Bytes::from(framed(&plain()));
    assert_eq!(api().ask(call.with(&body), &[], &ReadAt::Head, None), None);
}

#[test]
fn only_the_open_items_of_a_bulk_are_asked() {
    let message = [fully(), items([7, 8, 7, 9]), bytes(127, b"more")].concat();
    let exact = |open: &[usize]| forwarded(BULK, &message, open, &exact_ask(), Some(&zookie("t")));
    let asking = |documents: &[usize]| {
        let items = items(documents.iter().copied());
        Some([exactly("t"), items, bytes(127, b"more")].concat())
    };
    assert_eq!(exact(&[0]), asking(&[7]));
    assert_eq!(exact(&[1, 2]), asking(&[8, 7]));
    assert_eq!(exact(&[3]), asking(&[9]));
    assert_eq!(exact(&[0, 1, 2, 3]), asking(&[7, 8, 7, 9]));
    assert_eq!(forwarded(BULK, &message, &[0, 1, 2, 3], &ReadAt::Head, None), None);
    let same_wish = forwarded(BULK, &message, &[2], &ReadAt::Head, None);
    assert_eq!(same_wish, Some([fully(), items([7]), bytes(127, b"more")].concat()));
}

#[derive(Clone, Debug)]
enum Part {
    Item(usize),
    Other(u32, Vec<u8>),
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        3 => (0_usize..5).prop_map(Part::Item),
        1 => (4_u32..200, any::<[u8; 3]>()).prop_map(|(number, text)| Part::Other(number, text.to_vec())),
    ]
}

proptest! {
    #[test]
    #[ignore = "differs"]
    fn rewriting_changes_only_the_consistency_and_the_items(
        parts in prop::collection::vec(part(), 0..8), place: prop::sample::Index, open: u8, stated in 0_usize..4,
    ) {
        let consistency = [b"".to_vec(), fully(), at_least("t"), exactly("t")][stated].clone();
        let place = place.index(parts.len() + 1);
        let (mut message, mut stored, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        let mut count = 0;
        for (nth, part) in parts.iter().enumerate() {
            if nth == place {
                message.extend_from_slice(&consistency);
            }
            let (field, stays) = match part {
                Part::Item(document) => {
                    let stays = open & 1 << count != 0;
                    asked.extend(stays.then_some(count));
                    count += 1;
                    (items([*document]), stays)
                }
                Part::Other(number, text) => (bytes(*number, text), true),
            };
            message.extend_from_slice(&field);
            stored.extend(stays.then_some(field));
        }
        if place == parts.len() {
            message.extend_from_slice(&consistency);
        }
        let rewritten = forwarded(BULK, &message, &asked, &exact_ask(), Some(&zookie("t")));
        let unchanged = asked.len() == count && consistency == exactly("t");
        let expected = [exactly("t"), stored.concat()].concat();
        prop_assert_eq!(rewritten, (!unchanged).then_some(expected));
    }
}
