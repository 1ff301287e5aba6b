//! Bulks: allowed items are stored, and a denied item may hide an error.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::wire::permify::{allowed_items, token, with_items, with_results};
use tower_zookie_testing::wire::table::Then;
use tower_zookie_testing::wire::{Call, Case, Recording, Session};

use crate::exact::exactly;
use crate::table::RECORDINGS;

/// A recorded bulk with a token, and the reply to its denied items alone.
struct Bulk {
    recording: Recording,
    engine: Engine,
    call: Arc<Call>,
    allowed: Vec<usize>,
    denied: Vec<usize>,
    /// The bulk of the denied items alone.
    denials: Request<Bytes>,
}

fn bulks() -> impl Iterator<Item = Bulk> {
    let bulks = Case::all(RECORDINGS)
        .filter(|case| matches!(case.then, Then::InPart(_)) && token(&case.call.request).is_some());
    bulks.map(|case| Bulk::new(case.recording, case.engine, case.call))
}

impl Bulk {
    fn new(recording: Recording, engine: Engine, call: Arc<Call>) -> Self {
        let decisions = allowed_items(&call);
        let (allowed, denied): (Vec<_>, Vec<_>) = (0..decisions.len()).partition(|&nth| decisions[nth]);
        let denials = with_items(&call.request, &denied);
        let replied = call.response.with_body(with_results(&call, &denied));
        Self {
            recording: recording.and("denials", denials.clone(), replied),
            engine,
            call,
            allowed,
            denied,
            denials,
        }
    }

    async fn session(&self) -> Session<Engine> {
        Session::before(&self.recording, self.engine, &self.call).await
    }

    fn body(&self) -> Bytes {
        self.call.response.body()
    }
}

#[test]
fn the_recorded_bulks_have_duplicates_and_items_of_both_kinds() {
    let bulks: Vec<_> = bulks().collect();
    assert_eq!(bulks.len(), 6);
    for bulk in &bulks {
        assert!(!bulk.allowed.is_empty() && !bulk.denied.is_empty());
        let every: Vec<_> = (0..bulk.allowed.len() + bulk.denied.len()).collect();
        assert_eq!(with_results(&bulk.call, &every), bulk.body());
    }
    assert!(bulks.iter().filter(|bulk| bulk.allowed.len() > 1).count() >= 4);
}

#[tokio::test(start_paused = true)]
async fn rule_16_only_denied_items_are_asked_again() {
    for bulk in bulks().filter(|bulk| bulk.engine == Engine::Postgres) {
        for (request, why) in [
            (bulk.call.request.clone(), "no_verdict"),
            (exactly(&bulk.call.request), "exact"),
        ] {
            let session = bulk.session().await;
            assert_eq!(session.send(&request).await.body, bulk.body());
            let before = session.upstream.calls();
            for _ in 0..2 {
                let again = session.send(&request).await;
                assert_eq!(again.body, bulk.body());
                assert_eq!(again.trailers, bulk.call.response.trailers);
                assert_eq!(again.header("zookie"), token(&request).as_deref());
                let (stored, of) = (bulk.allowed.len(), bulk.allowed.len() + bulk.denied.len());
                let said = format!("detail=\"{why}: {stored} of {of} from the cache\"");
                assert!(again.cache_status().ends_with(&said), "{}", again.cache_status());
            }
            assert_eq!(session.asked(before), ["denials", "denials"], "{}", bulk.call.case);
        }
    }
}

/// In memory two answers need not be of one moment, even at the same token.
#[tokio::test(start_paused = true)]
async fn rule_16_in_memory_a_bulk_is_asked_whole() {
    for bulk in bulks().filter(|bulk| bulk.engine == Engine::Memory) {
        let session = bulk.session().await;
        let before = session.upstream.calls();
        for _ in 0..2 {
            assert_eq!(session.send(&bulk.call.request).await.body, bulk.body());
        }
        assert_eq!(session.asked(before), [&*bulk.call.case; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_11_denied_and_failed_items_are_not_stored() {
    for bulk in bulks() {
        let session = bulk.session().await;
        let before = session.upstream.calls();
        for _ in 0..2 {
            let reply = session.send(&bulk.denials).await;
            assert!(!reply.is_hit() && !reply.cache_status().contains("; stored"));
        }
        assert_eq!(session.asked(before), ["denials", "denials"]);
        assert_eq!(session.layer.handle().stats().entries, 0);

        session.send(&bulk.call.request).await;
        let before = session.upstream.calls();
        session.send(&bulk.denials).await;
        assert_eq!(session.asked(before), ["denials"], "nor of a bulk with others");
    }
}

#[tokio::test(start_paused = true)]
async fn an_allowed_item_is_served_alone_and_repeatedly() {
    for bulk in bulks() {
        let session = bulk.session().await;
        session.send(&bulk.call.request).await;
        let before = session.upstream.calls();
        let nth = bulk.allowed[0];
        let alone = session.send(&with_items(&bulk.call.request, &[nth])).await;
        assert!(alone.is_hit(), "{}", alone.cache_status());
        assert_eq!(alone.body, with_results(&bulk.call, &[nth]));
        if bulk.engine == Engine::Postgres {
            let thrice = session.send(&with_items(&bulk.call.request, &[nth, nth, nth])).await;
            assert!(thrice.is_hit(), "{}", thrice.cache_status());
            assert_eq!(thrice.body, with_results(&bulk.call, &[nth, nth, nth]));
        }
        assert_eq!(session.upstream.calls(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_16_reordered_items_get_their_own_answers() {
    for bulk in bulks().filter(|bulk| bulk.engine == Engine::Postgres) {
        let every = bulk.allowed.len() + bulk.denied.len();
        let order: Vec<_> = bulk.denied.iter().copied().chain((0..every).rev()).collect();
        let shuffled = with_items(&bulk.call.request, &order);
        // The denied items of it, in their new order.
        let open: Vec<_> = order.iter().copied().filter(|nth| bulk.denied.contains(nth)).collect();
        let asked = with_items(&bulk.call.request, &open);
        let replied = bulk.call.response.with_body(with_results(&bulk.call, &open));
        let again = Bulk {
            recording: bulk.recording.clone().and("shuffled denials", asked, replied),
            ..bulk
        };
        let session = again.session().await;
        session.send(&again.call.request).await;
        let before = session.upstream.calls();
        let reply = session.send(&shuffled).await;
        assert_eq!(session.asked(before), ["shuffled denials"]);
        assert_eq!(reply.body, with_results(&again.call, &order));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_16_answers_without_a_revision_make_no_bulk() {
    for engine in [Engine::Memory, Engine::Postgres] {
        let name = match engine {
            Engine::Memory => "permify/grpc-memory",
            _ => "permify/grpc-postgres",
        };
        let recording = Recording::load(name);
        let call = recording.call("bulk-head");
        for session in [Session::new(&recording, engine), Session::windowed(&recording, engine)] {
            for _ in 0..2 {
                assert_eq!(session.send(&call.request).await.body, call.response.body());
            }
            assert_eq!(session.asked(0), ["bulk-head", "bulk-head"]);
        }
    }
}
