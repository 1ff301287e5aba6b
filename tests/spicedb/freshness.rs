//! Consistency and floors: from the message, and from the carriers.

use std::time::Duration;

use prost::Message;
use tokio::time::advance;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::{PostgresSnapshot, Revision, StoreId};
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::ZedTokens;
use tower_zookie_testing::frame::{frame, written};
use tower_zookie_testing::grpc::{INVALID_ARGUMENT, OUT_OF_RANGE};
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{
    Consistency, Requirement, ZedToken, at_least, check, exactly, full, minimize_latency,
};

use crate::server::Server;

const ENGINES: [Engine; 4] = [Engine::Postgres, Engine::CockroachDb, Engine::MySql, Engine::Memory];

fn asked(server: &Server) -> Vec<Option<Requirement>> {
    server.calls().into_iter().map(|call| call.consistency).collect()
}

fn requirement(consistency: Option<Consistency>) -> Option<Requirement> {
    consistency.and_then(|consistency| consistency.requirement)
}

#[tokio::test(start_paused = true)]
async fn rule_01_the_new_enemy_is_denied() {
    for engine in ENGINES {
        let server = Server::new(engine);
        let client = Client::new(&server, engine);
        let granted = client.set("plan", "mallory", true).await;
        assert!(client.check(&check("plan", "mallory", at_least(&granted))).await.has());
        advance(Duration::from_millis(1)).await;
        let cached = client.check(&check("plan", "mallory", at_least(&granted))).await;
        // A number of MySQL says too little: a caller with one is answered by calls that begin after the request.
        let stored_for_floors = engine != Engine::MySql;
        assert!(cached.has() && cached.is_hit() == stored_for_floors, "{engine:?}");

        let revoked = client.set("plan", "mallory", false).await;
        let stale = client.check(&check("plan", "mallory", minimize_latency())).await;
        assert!(
            stale.has() && stale.is_hit(),
            "who names no revision may see an older one"
        );
        let reply = client.check(&check("plan", "mallory", at_least(&revoked))).await;
        assert!(!reply.has() && !reply.is_hit());
        assert!(server.number(&reply.at()) >= server.number(&revoked));
        advance(Duration::from_millis(1)).await;
        let reply = client.check(&check("plan", "mallory", at_least(&revoked))).await;
        assert!(!reply.has() && reply.is_hit() == stored_for_floors, "{engine:?}");
    }
}

#[tokio::test]
async fn rule_01_a_carrier_raises_the_floor_in_the_message() {
    let server = Server::new(Engine::CockroachDb);
    let client = Client::new(&server, Engine::CockroachDb);
    let older = client.set("plan", "ada", true).await;
    let newer = client.set("plan", "ada", false).await;
    server.calls();
    for (user, consistency) in [("a", None), ("b", minimize_latency()), ("c", at_least(&older))] {
        let reply = client
            .metadata("zookie", &newer)
            .check(&check("plan", user, consistency))
            .await;
        assert_eq!(reply.at(), newer);
        let calls = server.calls();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].consistency, requirement(at_least(&newer)));
        let metadata = &calls[0].headers;
        assert!(!metadata.contains_key("zookie") && !metadata.contains_key("zookie-consistency"));
    }
    let cookie = format!("zookie={}", newer.replace('=', "%3D"));
    client
        .metadata("cookie", &cookie)
        .check(&check("plan", "d", at_least(&older)))
        .await;
    assert_eq!(asked(&server), [requirement(at_least(&newer))]);
    let lower = client
        .metadata("zookie", &older)
        .check(&check("plan", "e", at_least(&newer)))
        .await;
    assert_eq!(
        (lower.at(), asked(&server)),
        (newer.clone(), vec![requirement(at_least(&newer))])
    );
    client
        .metadata("zookie", &older)
        .check(&check("plan", "f", full()))
        .await;
    assert_eq!(asked(&server), [requirement(full())]);
}

#[tokio::test]
async fn rule_01_metadata_consistency_is_put_into_the_message() {
    let server = Server::new(Engine::CockroachDb);
    let client = Client::new(&server, Engine::CockroachDb);
    let token = client.set("plan", "ada", true).await;
    server.calls();
    let with_consistency = |consistency: &str| client.metadata("zookie-consistency", consistency);
    with_consistency("fully-consistent")
        .check(&check("plan", "a", None))
        .await;
    with_consistency("bounded-staleness=1s")
        .check(&check("plan", "b", minimize_latency()))
        .await;
    with_consistency("at-exact-snapshot")
        .metadata("zookie", &token)
        .check(&check("plan", "c", None))
        .await;
    with_consistency("minimize-latency")
        .check(&check("plan", "d", full()))
        .await;
    assert_eq!(
        asked(&server),
        [full(), full(), exactly(&token), full()].map(requirement)
    );
    let rejected = with_consistency("whatever").check(&check("plan", "a", None)).await;
    assert_eq!((rejected.status(), asked(&server)), (INVALID_ARGUMENT, vec![]));
}

#[tokio::test]
async fn rule_01_concurrent_tokens_of_postgres_are_joined() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    server.jump(2000);
    let store = StoreId::new(["spicedb", "postgres", "6349aaf2"]);
    let token = |in_progress: [u64; 2]| {
        let snapshot = PostgresSnapshot::new(1010, 1014, in_progress).unwrap();
        let revision = Revision::new(store.clone(), snapshot);
        ZedTokens::new(Engine::Postgres)
            .encode(&revision)
            .unwrap()
            .as_str()
            .to_owned()
    };
    client.check(&check("plan", "somebody", full())).await;
    server.calls();
    let (even, odd) = (token([1010, 1012]), token([1011, 1013]));
    client
        .metadata("zookie", &even)
        .check(&check("plan", "ada", at_least(&odd)))
        .await;
    let Some(Requirement::AtLeastAsFresh(joined)) = asked(&server).remove(0) else {
        panic!("not at least as fresh")
    };
    let read = |text: &str| ZedTokens::new(Engine::Postgres).decode(text).unwrap();
    assert!(read(&joined.token) >= read(&even) && read(&joined.token) >= read(&odd));
}

#[tokio::test]
async fn rule_01_tokens_that_have_no_join_are_asked_at_head() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Opaque);
    let (one, another) = (server.set("plan", "ada", true), server.set("plan", "ada", false));
    client
        .metadata("zookie", &one)
        .check(&check("plan", "ada", at_least(&another)))
        .await;
    assert_eq!(asked(&server)[0], requirement(full()));
}

#[tokio::test]
async fn rule_02_a_repeatable_exact_read_is_stored_unmodified() {
    for engine in ENGINES {
        let server = Server::new(engine);
        let client = Client::new(&server, engine);
        let granted = client.set("plan", "ada", true).await;
        client.set("plan", "ada", false).await;
        server.quantize();
        // A window's revision that covers the snapshot.
        client.check(&check("plan", "somebody", None)).await;
        server.calls();
        let request = check("plan", "ada", exactly(&granted));
        let (first, second) = (client.check(&request).await, client.check(&request).await);
        assert!(first.has() && second.has() && first.at() == granted && second.at() == granted);
        let repeatable = matches!(engine, Engine::Postgres | Engine::CockroachDb);
        assert_eq!((first.is_hit(), second.is_hit()), (false, repeatable), "{engine:?}");
        let calls = server.calls();
        assert!(calls.iter().all(|call| call.body == frame(&request.encode_to_vec())));
        assert!(!client.check(&check("plan", "ada", full())).await.has());
    }
}

#[tokio::test]
async fn rule_02_errors_of_exact_reads_are_forwarded() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    client.check(&check("plan", "ada", full())).await;
    server.calls();
    let expired = check("plan", "ada", exactly(&server.token(3)));
    let ahead = check("plan", "ada", exactly(&server.token(9999)));
    let foreign = check("plan", "ada", exactly(&server.token_of(1000, "anothers")));
    for (request, status) in [(expired, OUT_OF_RANGE), (ahead, OUT_OF_RANGE), (foreign, 2)] {
        for _ in 0..2 {
            let reply = client.check(&request).await;
            assert_eq!((reply.status(), reply.header("grpc-message").is_some()), (status, true));
            assert_eq!(reply.trailers, None);
            let calls = server.calls();
            assert_eq!(calls.len(), 1, "asked each time");
            assert_eq!(calls[0].body, frame(&request.encode_to_vec()));
        }
    }
}

#[tokio::test]
async fn rule_02_an_exact_read_that_also_asks_head_is_rejected() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    server.calls();
    let torn = client.metadata("zookie-consistency", "fully-consistent");
    let rejected = torn.check(&check("plan", "ada", exactly(&token))).await;
    assert_eq!((rejected.status(), asked(&server)), (INVALID_ARGUMENT, vec![]));
}

#[tokio::test]
async fn rule_03_full_reads_go_upstream_and_others_take_their_answers() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    server.calls();
    for _ in 0..2 {
        let reply = client.check(&check("plan", "ada", full())).await;
        assert!(!reply.is_hit() && reply.has());
    }
    assert_eq!(asked(&server), [requirement(full()), requirement(full())]);
    assert!(client.check(&check("plan", "ada", at_least(&token))).await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_04_a_token_does_not_lift_the_age_bound() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    let request = check("plan", "ada", at_least(&token));
    client.check(&request).await;
    advance(Duration::from_millis(1000)).await;
    server.set("plan", "ada", false);
    server.quantize();
    advance(Duration::from_millis(3999)).await;
    let young = client.check(&request).await;
    assert!(young.is_hit() && young.has());
    advance(Duration::from_millis(502)).await;
    assert!(!client.check(&request).await.has());
}

#[tokio::test]
async fn a_request_that_already_asks_so_is_unmodified() {
    let server = Server::new(Engine::CockroachDb);
    let client = Client::new(&server, Engine::CockroachDb);
    let token = client.set("plan", "ada", true).await;
    server.calls();
    let consistencies = [None, minimize_latency(), at_least(&token), exactly(&token), full()];
    for (nth, consistency) in consistencies.into_iter().enumerate() {
        // The consistency last and an unknown field in between, as no encoder writes it.
        let mut message = check("plan", &format!("user{nth}"), None).encode_to_vec();
        message.extend(written(127, b"hi"));
        if let Some(consistency) = &consistency {
            message.extend(written(1, &consistency.encode_to_vec()));
        }
        let body = frame(&message);
        let reply = client.send("PermissionsService/CheckPermission", body.clone()).await;
        assert!(reply.cache_status().contains("; stored"), "{reply:?}");
        let calls = server.calls();
        assert_eq!((calls.len(), &calls[0].body), (1, &body));
    }
}

#[tokio::test]
async fn rule_09_bad_tokens_are_rejected_in_metadata_only() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    for bad in ["%%%", "CAESAA", "not a token"] {
        let rejected = client.metadata("zookie", bad).check(&check("plan", "ada", None)).await;
        assert_eq!((rejected.status(), asked(&server).len()), (INVALID_ARGUMENT, 0));
        assert_eq!((&*rejected.body, rejected.trailers.is_none()), (&b""[..], true));
        assert_eq!(rejected.header("content-type"), Some("application/grpc"));
        let message = rejected.header("grpc-message").unwrap();
        assert!(message.contains("zookie") && !message.contains(bad), "{message}");
        assert_eq!(
            rejected.cache_status(),
            "tower-zookie; detail=\"rejected: zookie-malformed\""
        );

        for _ in 0..2 {
            let judged = client.check(&check("plan", "ada", at_least(bad))).await;
            assert_eq!(judged.status(), INVALID_ARGUMENT);
            assert_eq!(judged.header("grpc-message"), Some("invalid zedtoken"));
            assert_eq!(asked(&server), [Some(Requirement::AtLeastAsFresh(ZedToken::new(bad)))]);
        }
    }
}
