//! Which recorded calls ask the same question.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Request;
use tower_zookie_testing::wire::permify::{is_check, questions, token, with_token};
use tower_zookie_testing::wire::table::Then;
use tower_zookie_testing::wire::{Case, Session};

use crate::table::RECORDINGS;

/// Whether two requests ask the same of the same endpoint.
fn is_same(one: &Request<Bytes>, other: &Request<Bytes>) -> bool {
    one.uri().path() == other.uri().path() && questions(one) == questions(other)
}

#[tokio::test(start_paused = true)]
async fn rule_10_an_answer_is_served_only_to_its_own_question() {
    for table in RECORDINGS {
        let (name, engine, _) = table;
        let mut checks = Case::of(table);
        checks.retain(|case| is_check(&case.call) && !case.then.is_unreadable());
        let mut shared = BTreeSet::new();
        for Case {
            recording,
            call: stored,
            then,
            ..
        } in &checks
        {
            if *then != Then::Stored {
                continue;
            }
            let at = token(&stored.request);
            let session = Session::new(recording, engine);
            for Case { call: other, .. } in &checks {
                session.layer.handle().purge();
                session.see(recording, at.as_deref().unwrap()).await;
                session.upstream.skip_to(stored.n);
                session.send(&stored.request).await;
                // As fresh as the stored one, whatever token it was recorded with.
                let reply = session.try_send(&with_token(&other.request, at.as_deref())).await;
                let hit = reply.is_ok_and(|reply| reply.is_hit());
                let same = is_same(&stored.request, &other.request);
                assert_eq!(hit, same, "{name}: {} after {}", other.case, stored.case);
                if same && stored.n != other.n {
                    shared.insert((&stored.case, &other.case));
                }
            }
        }
        assert_eq!(shared.len() >= 10, name.contains("grpc"), "{name}: {shared:?}");
    }
}
