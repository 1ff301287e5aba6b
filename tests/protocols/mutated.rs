use bytes::{Bytes, BytesMut};
use http::StatusCode;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tower_zookie::protocol::{FeedWire, StoredResponse};
use tower_zookie_testing::api::{
    Case, Does, QUESTIONS, STORED, Wire, apis, base, cases, items, json_values, map, nearly_json, stored, ways,
};
use tower_zookie_testing::frame::frame;

/// A real message of an operation.
fn request(case: Case) -> Bytes {
    match case.does() {
        _ if STORED.contains(&case.does()) => case.body(&case.with_token(&case.everything())),
        Does::Write | Does::WriteSchema | Does::Import => case.body(&case.message()),
        _ => case.body(&case.with_token(&case.message())),
    }
}

/// A body with some of its bytes changed, and cut off.
fn changed(wire: Wire, body: &Bytes, changes: &[(Index, u8)], end: Index) -> Bytes {
    let mut changed = body.to_vec();
    for (at, byte) in changes.iter().filter(|_| !body.is_empty()) {
        changed[at.index(body.len())] = *byte;
    }
    match wire {
        Wire::Grpc => frame(&changed[5..5 + end.index(changed.len() - 4)]),
        Wire::Json => changed.into(),
    }
}

/// Does with a request and a reply everything that the layer does.
fn play(case: Case, body: &Bytes, reply: &Bytes, open: &[usize]) {
    let Ok(question) = case.request_of(body.clone()).read(&base()) else {
        return;
    };
    for (at, token) in ways() {
        if let Some(forwarded) = question.forwarded(open, &at, token) {
            assert!(case.request_of(forwarded).read(&base()).is_ok(), "{case} {at:?}");
        }
    }
    let learned = items(question.learn_of(open, &case.api.reply_of(reply.clone())));
    let _ = question.learn_of(open, &case.api.error(3, "x").with_body(reply.clone()));
    let found: Vec<_> = question
        .all()
        .iter()
        .map(|nth| learned.get(*nth).map(|item| &item.response))
        .collect();
    let _ = question.merge(&found, Some("t"));
    for wire in [FeedWire::Grpc, FeedWire::Http] {
        if let Some(feed) = case.api.system.protocol().feed(wire) {
            let _ = feed.reports(reply);
            let _ = feed.relationship(reply);
            let _ = feed.next(&mut BytesMut::from(&**reply), 1000);
        }
    }
}

fn body() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        any::<Vec<u8>>().prop_map(Bytes::from),
        any::<Vec<u8>>().prop_map(|message| frame(&message)),
        nearly_json().prop_map(Bytes::from),
        json_values().prop_map(|value| value.to_string().into()),
    ]
}

/// Which of up to four questions are asked.
fn open() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::btree_set(0_usize..4, 0..4).prop_map(|open| open.into_iter().collect())
}

proptest! {
    #[test]
    fn rule_15_arbitrary_bytes_never_panic(api in select(apis()), bodies in [body(), body()], open in open()) {
        let [asked, reply] = bodies;
        for case in api.all() {
            play(case, &asked, &reply, &open);
            play(case, &request(case), &reply, &open);
        }
        let stored = StoredResponse::of(StatusCode::OK, &map(&[]), reply);
        let _ = api.bulk().call().merge(&[Some(&stored), None], None);
    }

    #[test]
    fn rule_15_changed_bytes_never_panic(
        api in select(apis()), changes in prop::array::uniform2(prop::collection::vec(any::<(Index, u8)>(), 0..3)),
        ends: [Index; 2], open in open(),
    ) {
        for case in api.all() {
            let reply = changed(api.wire, &case.answer(true).body, &changes[0], ends[0]);
            play(case, &request(case), &reply, &open);
            play(case, &changed(api.wire, &request(case), &changes[1], ends[1]), &reply, &open);
        }
    }

    #[test]
    fn rule_11_a_changed_reply_is_stored_only_unmodified(
        case in select(cases(apis(), QUESTIONS)), at: Index, byte: u8,
    ) {
        let reply = case.answer(true);
        let mut changed = reply.body.to_vec();
        changed[at.index(reply.body.len())] = byte;
        for item in stored(case.call().learn(&reply.with_body(changed.clone()))) {
            prop_assert_eq!(&item.response.body, &changed, "{}", case);
        }
    }
}
