//! Which recorded calls ask the same question.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Request;

use crate::common::wire::Recording;
use crate::common::wire::table::Then;
use crate::message::{is_check, questions, token, with_token};
use crate::session::Session;
use crate::table::RECORDINGS;

/// Whether two requests ask the same of the same endpoint.
fn is_same(one: &Request<Bytes>, other: &Request<Bytes>) -> bool {
    one.uri().path() == other.uri().path() && questions(one) == questions(other)
}

#[tokio::test(start_paused = true)]
async fn rule_10_an_answer_is_served_only_to_its_own_question() {
    for (name, engine, table) in RECORDINGS {
        let recording = Recording::load(name);
        let rows = recording.calls.iter().zip(table);
        let checks = rows.map(|(call, row)| (call, row.on(engine)));
        let checks: Vec<_> = checks
            .filter(|(call, then)| is_check(call) && !then.is_unreadable())
            .collect();
        let mut shared = BTreeSet::new();
        for (stored, then) in &checks {
            if *then != Then::Stored {
                continue;
            }
            let at = token(&stored.request);
            let session = Session::new(&recording, engine);
            for (other, _) in &checks {
                session.layer.handle().purge();
                session.see(&recording, at.as_deref().unwrap()).await;
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
