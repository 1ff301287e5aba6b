use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;
use tower_zookie::cache::ReadAt;
use tower_zookie::consistency::Consistency;
use tower_zookie_testing::api::{
    Does, READS, STATING, Stated, WRITES, Wire, apart, apis, base, cases, revision, ways, with,
};

#[test]
fn rule_01_the_message_names_the_revision_asked_at() {
    for case in cases(apis(), STATING) {
        let message = with(&case.message(), "/unknown", "x");
        for stated in case.api.system.states() {
            let question = case.read(&case.stating(&message, *stated)).unwrap();
            for (at, token) in ways() {
                let asked = question.forwarded(&question.all(), &at, token);
                let expected = case.api.system.forwarded(case.api.wire, *stated, &at, token);
                let body = || case.body(&case.stating(&message, expected));
                assert_eq!(asked, (expected != *stated).then(body), "{case} {stated:?} {at:?}");
            }
        }
    }
}

#[test]
fn writes_and_pages_are_forwarded_unmodified() {
    let pages = cases(apis(), READS).into_iter().flat_map(|case| {
        let message = case.with_token(&case.message());
        let pages = case.pages().into_iter();
        pages.map(move |(member, value)| case.read(&with(&message, &format!("/{member}"), value)).unwrap())
    });
    let writes = cases(apis(), WRITES).into_iter().map(|write| {
        let check = write.api.check();
        write
            .request_of(check.body(&check.with_token(&check.message())))
            .read(&base())
            .unwrap()
    });
    for question in pages.chain(writes) {
        for (at, token) in ways() {
            assert_eq!(question.forwarded(&[], &at, token), None, "{}", question.case);
        }
    }
}

#[test]
fn rule_16_only_the_open_items_are_asked() {
    for bulk in cases(apis(), &[Does::Bulk]) {
        let body = |token, documents: &[usize]| {
            let message = with(&bulk.api.checking_all(documents), "/unknown", "x");
            bulk.body(&bulk.stating(&message, Stated::Exactly(token)))
        };
        let question = bulk.request_of(body("t", &[7, 8, 7, 9])).read(&base()).unwrap();
        let asked = |token, open: &[usize]| question.forwarded(open, &ReadAt::Exact(revision()), Some(token));
        assert_eq!(asked("u", &[0]), Some(body("u", &[7])), "{bulk}");
        assert_eq!(asked("u", &[1, 2]), Some(body("u", &[8, 7])), "{bulk}");
        assert_eq!(asked("u", &[0, 1, 2, 3]), Some(body("u", &[7, 8, 7, 9])), "{bulk}");
        assert_eq!(asked("t", &[3]), Some(body("t", &[9])), "{bulk}: the same token");
        assert_eq!(asked("t", &[0, 1, 2, 3]), None, "{bulk}");

        let none = bulk.request_of(body("t", &[])).read(&base()).unwrap();
        assert_eq!(
            none.forwarded(&[], &ReadAt::Exact(revision()), Some("u")),
            Some(body("u", &[])),
            "{bulk}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn rewriting_changes_only_the_freshness_and_the_items(
        api in select(apis()), documents in prop::collection::vec(0_usize..5, 1..6), text in "[ab\"]{0,3}",
        stated: Index, way in 0_usize..7, open: u8, seed: u64,
    ) {
        let (bulk, base) = (api.bulk(), base());
        let stated = *stated.get(api.system.states());
        let (at, token) = ways()[way].clone();
        let mut message = with(&api.checking_all(&documents), "/unknown", text.as_str());
        message["items"][0]["unknown"] = json!(text);
        message = bulk.stating(&message, stated);
        if let Some(metadata) = message.get_mut("metadata") {
            metadata["unknown"] = json!(text);
        }
        if api.wire == Wire::Grpc {
            message["unknown#2"] = json!(text);
        }
        let question = bulk.request_of(bulk.respelled(&message, seed)).read(&base).unwrap();
        let open: Vec<usize> = question.all().into_iter().filter(|nth| *nth == 0 || open & 1 << nth != 0).collect();
        let expected = api.system.forwarded(api.wire, stated, &at, token);
        let Some(forwarded) = question.forwarded(&open, &at, token) else {
            prop_assert_eq!((expected, open), (stated, question.all()), "{}", api);
            return Ok(());
        };

        let (before, after) = (apart(bulk, &question.body), apart(bulk, &forwarded));
        prop_assert_eq!(&after.others, &before.others, "{}", api);
        let asked: Vec<_> = open.iter().map(|&nth| before.items[nth].clone()).collect();
        prop_assert_eq!(&after.items, &asked, "{}", api);

        let again = bulk.request_of(forwarded).read(&base).unwrap();
        let (consistency, token_stated) = api.system.understood(expected);
        // A part of a bulk may state the weakest consistency, which is also that of a silent message.
        let weakest = |consistency: Option<Consistency>| consistency.unwrap_or(Consistency::MinimizeLatency);
        prop_assert_eq!(weakest(again.call.consistency), weakest(consistency), "{}", api);
        prop_assert_eq!(&again.call.token, &token_stated, "{}", api);
        prop_assert_eq!(again.call.unpinned, question.call.unpinned);
        let keys: Vec<_> = open.iter().map(|&nth| question.keys()[nth]).collect();
        prop_assert_eq!(again.keys(), keys, "{}", api);
        prop_assert_eq!(again.forwarded(&again.all(), &at, token), None, "{}: it already asks so", api);
    }
}
