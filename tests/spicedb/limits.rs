//! What callers with forged tokens, wrong keys and slow questions cost the others.

use std::time::Duration;

use tokio::time::{Instant, advance, sleep};
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::grpc::{OK, UNAVAILABLE};
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{Requirement, at_least, check, exactly};

use crate::forged::heads;
use crate::server::{Called, Server, WRONG_KEY};

#[tokio::test(start_paused = true)]
async fn rule_15_head_reads_of_unknown_tokens_are_limited() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    client.check(&check("plan", "ada", None)).await;
    server.calls();
    for n in 0..1000 {
        let forged = server.token(5000 + n);
        let reply = client.check(&check("plan", "mallory", at_least(&forged))).await;
        assert!([OK, UNAVAILABLE].contains(&reply.status()));
        assert!(!reply.is_hit());
        advance(Duration::from_millis(1)).await;
    }
    let calls = server.calls();
    let at_head = heads(&calls);
    assert!(
        at_head < 500,
        "{at_head} head reads for a thousand forgeries in a second"
    );
    let own = |call: &&Called| matches!(&call.consistency, Some(Requirement::AtLeastAsFresh(token)) if server.point(&token.token).number() >= 5000);
    let forwarded = calls.iter().filter(own).count();
    assert!(
        forwarded > 0 && at_head + forwarded >= 1000,
        "{at_head} and {forwarded} of {}",
        calls.len()
    );
    // Above the limit SpiceDB echoes the adversary's token, and nothing of that is stored.
    let reply = client.check(&check("plan", "mallory", None)).await;
    assert!(server.point(&reply.at()).number() <= 1000);
    // A caller with another key asks at head as before.
    let written = server.set("plan", "ada", true);
    server.calls();
    let other = client.metadata("authorization", "Bearer another-key");
    let reply = other.check(&check("plan", "ada", at_least(&written))).await;
    assert!(reply.has());
    assert_eq!(heads(&server.calls()), 1);
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_slow_question_delays_no_other_caller() {
    for engine in [Engine::Postgres, Engine::CockroachDb, Engine::MySql] {
        let server = Server::new(engine);
        server.state().latency = Duration::from_millis(20);
        server.state().slow = Some(("slow", Duration::from_secs(29)));
        let took = async |client: &Client, document: &str, token: &str| {
            let began = Instant::now();
            let reply = client.check(&check(document, "ada", at_least(token))).await;
            assert_eq!(reply.status(), OK, "{reply:?}");
            assert!(server.point(&reply.at()) >= server.point(token));
            began.elapsed()
        };
        let alone = took(
            &Client::new(&server, engine),
            "alone",
            &server.set("alone", "ada", true),
        )
        .await;
        let client = Client::new(&server, engine);
        let slow = tokio::spawn({
            let (client, token) = (client.clone(), server.set("slow", "ada", true));
            async move { client.check(&check("slow", "ada", at_least(&token))).await }
        });
        sleep(Duration::from_millis(1)).await;
        for n in 0..20 {
            let document = format!("plan{n}");
            let token = server.set(&document, "ada", true);
            let elapsed = took(&client, &document, &token).await;
            assert!(elapsed <= alone, "{engine:?}: {elapsed:?}, and alone {alone:?}");
            sleep(Duration::from_millis(700)).await;
        }
        assert!(slow.await.unwrap().has());
    }
}

/// Honest callers ask ten questions, one every 20 ms. How many of 500 are hits.
async fn hits_of_500(client: &Client, server: &Server, token: Option<&str>) -> usize {
    let mut hits = 0;
    for n in 0..500 {
        if n % 250 == 0 {
            server.quantize();
        }
        let consistency = token.filter(|_| n % 2 == 0).and_then(at_least);
        let reply = client
            .check(&check(&format!("plan{}", n % 10), "ada", consistency))
            .await;
        assert_eq!(reply.status(), OK);
        hits += usize::from(reply.is_hit());
        sleep(Duration::from_millis(20)).await;
    }
    hits
}

#[tokio::test(start_paused = true)]
async fn rule_15_wrong_keys_with_forged_tokens_cost_no_hits() {
    for engine in [Engine::Postgres, Engine::CockroachDb] {
        let server = Server::new(engine);
        server.state().latency = Duration::from_millis(5);
        let client = Client::new(&server, engine);
        let token = client.set("plan0", "ada", true).await;
        let before = hits_of_500(&client, &server, Some(&token)).await;
        let forger = tokio::spawn({
            let (client, server) = (client.metadata("authorization", WRONG_KEY), server.clone());
            async move {
                for n in 0_usize.. {
                    let forged = if n % 2 == 0 {
                        server.future()
                    } else {
                        server.set("map", "somebody", n % 4 == 1)
                    };
                    let document = format!("plan{}", n % 10);
                    for consistency in [at_least(&forged), exactly(&forged)] {
                        client.check(&check(&document, "ada", consistency)).await;
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            }
        });
        let during = hits_of_500(&client, &server, Some(&token)).await;
        forger.abort();
        assert!(
            before >= 450 && during >= 450,
            "{engine:?}: {before} before, {during} during"
        );
    }
}
