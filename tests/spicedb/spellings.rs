//! How a revision is spelled: the caller's own spelling reaches no other caller, and the store's spelling is stored.

use std::time::Duration;

use prost::Message;
use tokio::time::sleep;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::frame::frame;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{Consistency, at_least, check, exactly};

use crate::forged::{contains, mentions};
use crate::server::Server;
use crate::spelling::{PostgresRevision, Spelling};

/// Other spellings of a named revision.
fn spellings(token: &str) -> [String; 3] {
    let spelling = Spelling::read(token).unwrap();
    let revision = PostgresRevision::read(&spelling.revision).unwrap();
    let with = |revision: &PostgresRevision| {
        Spelling {
            revision: revision.write(),
            ..spelling.clone()
        }
        .write()
    };
    let fields = PostgresRevision {
        optional_txid: 666,
        optional_timestamp: 667,
        ..revision.clone()
    };
    let mut longer = revision;
    longer.relative_xips.push(longer.relative_xmax);
    longer.relative_xmax += 1;
    let hash = Spelling {
        schema_hash: b"adversary".to_vec(),
        ..spelling.clone()
    };
    [with(&fields), with(&longer), hash.write()]
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_callers_spelling_reaches_no_other_caller() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    for (nth, spelled) in spellings(&token).into_iter().enumerate() {
        assert_eq!(server.point(&spelled), server.point(&token));
        server.calls();
        let question = |consistency: Option<Consistency>| check("plan", &format!("user{nth}"), consistency);
        for asked in [at_least(&spelled), exactly(&spelled)] {
            client.check(&question(asked)).await;
            for consistency in [None, at_least(&token), exactly(&token)] {
                let reply = client.check(&question(consistency)).await;
                assert!(!mentions(&reply, &spelled), "{nth}: {reply:?}");
            }
        }
        // The adversary asks, and another caller waits for the same call.
        server.state().latency = Duration::from_millis(20);
        let leader = tokio::spawn({
            let (client, request) = (client.clone(), check("map", &format!("user{nth}"), at_least(&spelled)));
            async move { client.check(&request).await }
        });
        sleep(Duration::from_millis(5)).await;
        let request = check("map", &format!("user{nth}"), at_least(&token));
        let follower = client.check(&request).await;
        assert!(!mentions(&follower, &spelled), "{nth}: {follower:?}");
        leader.await.unwrap();
        assert!(!mentions(&client.check(&request).await, &spelled));
        server.state().latency = Duration::ZERO;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_shared_calls_spell_a_revision_canonically() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    let [fields, longer, _] = spellings(&token);
    for spelled in [fields, longer] {
        server.calls();
        let reply = client.check(&check("plan", "ada", at_least(&spelled))).await;
        assert_eq!(server.point(&reply.at()), server.point(&token));
        for call in server.calls() {
            assert!(!contains(&call.body, &spelled), "{call:?}");
            assert!(call.headers.values().all(|value| !contains(value.as_bytes(), &spelled)));
        }
        client.handle().purge();
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_tokens_other_fields_are_not_stored() {
    let server = Server::new(Engine::Postgres);
    server.state().says_all = true;
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    let canonical = server.token_at(&server.point(&token));
    assert_ne!(token, canonical);
    let request = check("plan", "ada", at_least(&token));
    client.check(&request).await;
    let hit = client.check(&request).await;
    assert!(hit.is_hit() && hit.has());
    assert_eq!(hit.at(), canonical);
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_token_with_a_schema_hash_is_unmodified() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    let [.., spelled] = spellings(&token);
    for consistency in [at_least(&spelled), exactly(&spelled)] {
        for _ in 0..2 {
            server.calls();
            let request = check("plan", "ada", consistency.clone());
            let reply = client.check(&request).await;
            assert!(reply.has() && !reply.is_hit());
            assert_eq!(reply.at(), spelled, "the upstream's own word");
            let calls = server.calls();
            assert!(
                calls.iter().any(|call| call.body == frame(&request.encode_to_vec())),
                "{calls:?}"
            );
        }
    }
    assert!(
        !client.check(&check("plan", "ada", None)).await.is_hit(),
        "nothing was stored"
    );
}
