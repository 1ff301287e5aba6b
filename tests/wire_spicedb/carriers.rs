//! Consistency and tokens in headers: the forwarded message states the same as a recorded one.

use http::HeaderValue;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::wire::spicedb::{
    ConsistencyLevel, consistency, in_canonical_spelling, is_check, without_consistency,
};
use tower_zookie_testing::wire::table::Then;
use tower_zookie_testing::wire::{Case, is_grpc};

use crate::table::RECORDINGS;

#[tokio::test(start_paused = true)]
async fn rule_01_header_consistency_is_forwarded_in_the_message() {
    for table in RECORDINGS {
        let (name, engine, _) = table;
        let mut tried = [0; 3];
        for case in Case::of(table) {
            let call = &case.call;
            let stored = matches!(case.then, Then::Stored | Then::StoredForOthers);
            if !is_check(call) || !stored {
                continue;
            }
            let (nth, said, token) = match consistency(&call.request) {
                ConsistencyLevel::Any => continue,
                ConsistencyLevel::Full => (0, "fully-consistent", None),
                ConsistencyLevel::Least(token) => (1, "at-least-as-fresh", Some(token)),
                ConsistencyLevel::Exact(token) => (2, "at-exact-snapshot", Some(token)),
            };
            let session = case.session().await;
            let mut request = without_consistency(&call.request);
            let headers = request.headers_mut();
            headers.insert("zookie-consistency", HeaderValue::from_static(said));
            if let Some(token) = token {
                headers.insert("zookie", HeaderValue::from_str(&token).unwrap());
            }
            let before = session.upstream.calls();
            let reply = session.send(&request).await;
            let asked = &session.upstream.asked()[before..];
            assert_eq!(asked.len(), 1, "{name}: {}", call.case);
            // Other callers may share the call, so it contains no caller's own spelling.
            let expected = in_canonical_spelling(&call.request);
            assert_eq!(
                consistency(&asked[0].request),
                consistency(&expected),
                "{name}: {}",
                call.case
            );
            if is_grpc(call.request.uri().path()) {
                assert_eq!(asked[0].request.body(), expected.body(), "{name}: {}", call.case);
            }
            for carrier in ["zookie", "zookie-consistency"] {
                assert!(!asked[0].request.headers().contains_key(carrier));
            }
            assert_eq!(reply.body, call.response.body());
            tried[nth] += 1;
        }
        let exact = usize::from(engine == Engine::Postgres);
        assert!(tried[0] > 1 && tried[1] > 1 && tried[2] >= exact, "{name}: {tried:?}");
    }
}
