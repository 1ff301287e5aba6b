use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use tower_zookie::cache::ReadAt;
use tower_zookie::protocol::StoredResponse;
use tower_zookie_testing::api::{Api, Does, Learned, apis, base, cases, items, revision, with};

/// The reply about these documents: whether alice may view each.
fn answers(api: Api, answers: &[(usize, bool)]) -> Value {
    let answers = answers
        .iter()
        .map(|(document, allowed)| (api.question(document, "alice"), *allowed));
    api.system.answers(&answers.collect::<Vec<_>>())
}

#[test]
fn rule_11_replies_with_other_items_are_not_stored() {
    for bulk in cases(apis(), &[Does::Bulk]) {
        let learned = |reply: &Value| bulk.call().learned_from(reply);
        let both = answers(bulk.api, &[(0, true), (1, true)]);
        assert!(
            matches!(learned(&both), Learned::Answers(stored, _) if stored == [true, true]),
            "{bulk}"
        );
        for other in [&[][..], &[(0, true)], &[(0, true), (1, true), (1, true)]] {
            assert_eq!(learned(&answers(bulk.api, other)), Learned::Nothing, "{bulk} {other:?}");
        }
        // It may concern any.
        let more = learned(&with(&both, "/unknown", "x"));
        assert!(
            matches!(more, Learned::Answers(stored, _) if stored == [false, false]),
            "{bulk}"
        );
    }
}

#[test]
fn rule_15_the_largest_bulk_is_merged() {
    for api in apis() {
        let all: Vec<_> = (0..api.system.most_questions()).collect();
        let call = api.bulk().read(&api.checking_all(&all)).unwrap();
        let reply = api.bulk().reply(&answers(
            api,
            &all.iter().map(|document| (*document, true)).collect::<Vec<_>>(),
        ));
        let items = items(call.learn(&reply));
        let found: Vec<_> = items
            .iter()
            .map(|item| Some(&item.response).filter(|_| item.store))
            .collect();
        assert_eq!(call.merge(&found, Some("t")).body, reply.body, "{api}");
        let odd: Vec<_> = all.iter().copied().skip(1).step_by(2).collect();
        let asked = call.forwarded(&odd, &ReadAt::Exact(revision()), Some("t")).unwrap();
        let keys = api.bulk().request_of(asked).read(&base()).unwrap().keys();
        assert_eq!(keys.len(), odd.len(), "{api}");
    }
}

proptest! {
    #[test]
    fn rule_16_a_merged_reply_is_what_the_server_would_send(
        api in select(apis()), verdicts in prop::collection::vec((0_usize..4, any::<bool>(), any::<bool>()), 1..8),
        comma in select(vec![",", ", "]),
    ) {
        let documents: Vec<_> = verdicts.iter().map(|(document, ..)| *document).collect();
        let call = api.bulk().read(&api.checking_all(&documents)).unwrap();
        let server = |indexes: &[usize]| {
            let verdicts: Vec<_> = indexes.iter().map(|&nth| (verdicts[nth].0, verdicts[nth].1)).collect();
            api.bulk().reply_with(&answers(api, &verdicts), comma)
        };
        let whole = items(call.learn(&server(&call.all())));
        let found = whole.iter().zip(&verdicts).map(|(item, (.., found))| found.then_some(&item.response));
        let found: Vec<_> = found.collect();
        let open = api.system.protocol().needed(call.received(), &found);
        let asked = items(call.learn_of(&open, &server(&open)));
        prop_assert!(open.is_empty() || asked.len() == open.len(), "{}", api);
        let mut merged: Vec<Option<&StoredResponse>> = found.clone();
        for (item, &nth) in asked.iter().zip(&open) {
            prop_assert_eq!(item.store, verdicts[nth].1 || api.system.stores_denials(), "{}", api);
            prop_assert!(item.expires_in.is_none());
            merged[nth] = Some(&item.response);
        }
        let merged = call.merge(&merged, Some("t"));
        prop_assert_eq!(merged.body, server(&call.all()).body, "{}", api);
        prop_assert_eq!(merged.status, 200);
        prop_assert_eq!(merged.content_type.unwrap(), api.content_type());
    }
}
