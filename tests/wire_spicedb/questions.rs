//! Which recorded calls ask the same question.

use bytes::Bytes;
use http::Request;
use tower_zookie_testing::wire::spicedb::{ConsistencyLevel, consistency, is_check, questions, without_consistency};
use tower_zookie_testing::wire::table::Then;
use tower_zookie_testing::wire::{Case, Session};

use crate::table::RECORDINGS;

/// Whether the other call asks the same endpoint, for the same caller, at least everything that this call asks.
fn is_within(asked: &Request<Bytes>, all: &Request<Bytes>) -> bool {
    let all_questions = questions(all);
    asked.uri().path() == all.uri().path()
        && asked.headers().get("authorization") == all.headers().get("authorization")
        && questions(asked).iter().all(|question| all_questions.contains(question))
}

#[tokio::test(start_paused = true)]
async fn rule_10_an_answer_is_served_only_to_its_own_question() {
    for table in RECORDINGS {
        let (name, engine, _) = table;
        let mut checks = Case::of(table);
        checks.retain(|case| is_check(&case.call) && !case.then.is_unreadable() && case.call.case != "bulk-empty");
        let mut shared = 0;
        for Case {
            recording,
            call: stored,
            then,
            ..
        } in &checks
        {
            let needs_no_named_token = matches!(
                consistency(&stored.request),
                ConsistencyLevel::Full | ConsistencyLevel::Any
            );
            if !matches!(then, Then::Stored | Then::StoredForOthers) || !needs_no_named_token {
                continue;
            }
            let session = Session::new(recording, engine);
            for Case { call: other, then, .. } in &checks {
                session.layer.handle().purge();
                session.send(&stored.request).await;
                let same = is_within(&other.request, &stored.request) && !matches!(then, Then::NotStored("a trace", _));
                let reply = session.try_send(&without_consistency(&other.request)).await;
                let hit = reply.is_ok_and(|reply| reply.is_hit());
                assert_eq!(hit, same, "{name}: {} after {}", other.case, stored.case);
                shared += usize::from(same && stored.n != other.n);
            }
        }
        assert!(shared > 4, "{name}: few calls ask the same");
    }
}
