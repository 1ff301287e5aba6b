//! The age of an answer: it counts from the newest revision that the store chose and the answer covers.

use std::time::Duration;

use tokio::time::{Instant, advance, sleep};
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::grpc::{OK, UNAVAILABLE};
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{Requirement, ZedToken, at_least, check, full};

use crate::server::{Called, Server};

/// The calls with a token or at head, without the background reads that renew the newest watermark.
fn demanded(server: &Server) -> Vec<Requirement> {
    let calls = server.calls().into_iter().filter(|call| !is_default(call));
    calls.filter_map(|call| call.consistency).collect()
}

fn is_default(call: &Called) -> bool {
    matches!(call.consistency, None | Some(Requirement::MinimizeLatency(_)))
}

#[tokio::test(start_paused = true)]
async fn rule_04_age_counts_from_the_watermark_not_from_the_call() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    // A write through this replica, and another one that is not in its snapshot; the next write's snapshot lacks it
    // too.
    let unseen = server.begin("map", "somebody", true);
    server.state().write_takes = Duration::from_millis(10);
    let written = tokio::spawn({
        let client = client.clone();
        async move { client.set("plan", "ada", true).await }
    });
    sleep(Duration::from_millis(5)).await;
    server.commit(unseen);
    let other = server.begin("map", "anybody", true);
    let written = written.await.unwrap();
    server.commit(other);
    let quantized = server.state().store.of_transaction(0).unwrap();
    let written_point = server.point(&written);
    assert_eq!(
        quantized.point.partial_cmp(&written_point),
        None,
        "concurrent, so SpiceDB answers at the token"
    );
    for node in 0..2 {
        server.quantize_at(node, quantized.clone());
    }
    sleep(Duration::from_secs(4)).await;
    let first = client.check(&check("plan", "ada", at_least(&written))).await;
    assert!(first.has());
    let at_the_token = server.point(&first.at()) == written_point;
    sleep(Duration::from_secs(2)).await;
    // Six seconds after the write, two after the call.
    for consistency in [at_least(&written), None] {
        let reply = client.check(&check("plan", "ada", consistency)).await;
        assert!(!at_the_token || server.point(&reply.at()) != written_point, "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_a_floor_is_asked_at_the_window_revision() {
    let server = Server::new(Engine::CockroachDb);
    let client = Client::new(&server, Engine::CockroachDb);
    let older = client.set("plan", "ada", true).await;
    server.quantize();
    let of_the_window = client.check(&check("plan", "somebody", None)).await.at();
    let newer = client.set("plan", "ada", true).await;
    server.calls();
    client.check(&check("plan", "a", at_least(&older))).await;
    client.check(&check("plan", "b", at_least(&newer))).await;
    let at = |token: &str| Requirement::AtLeastAsFresh(ZedToken::new(token));
    assert_eq!(
        demanded(&server),
        [at(&of_the_window), at(&newer)],
        "the newer one only where it has to be"
    );
    client.check(&check("plan", "c", at_least(&older))).await;
    assert_eq!(
        demanded(&server),
        [at(&of_the_window)],
        "and no other call was made for that"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_old_token_is_asked_at_head() {
    let server = Server::new(Engine::CockroachDb);
    let client = Client::new(&server, Engine::CockroachDb);
    let token = client.set("plan", "ada", true).await;
    advance(Duration::from_secs(6)).await;
    server.calls();
    let reply = client.check(&check("plan", "a", at_least(&token))).await;
    assert!(server.point(&reply.at()) > server.point(&token));
    assert_eq!(demanded(&server), [Requirement::FullyConsistent(true)]);
    // That read named the revision at which all other questions are asked, or found in memory.
    client.check(&check("plan", "b", at_least(&token))).await;
    assert!(!demanded(&server).contains(&Requirement::FullyConsistent(true)));
}

#[tokio::test(start_paused = true)]
async fn rule_04_a_quiet_store_with_tokens_only_still_hits() {
    for engine in [Engine::Postgres, Engine::CockroachDb] {
        for of_this_replica in [false, true] {
            let server = Server::new(engine);
            server.state().latency = Duration::from_millis(5);
            let client = Client::new(&server, engine);
            let token = match of_this_replica {
                true => client.set("plan", "ada", true).await,
                false => server.set("plan", "ada", true),
            };
            server.quantize();
            let mut hits = 0;
            for n in 0..600 {
                let request = check(&format!("plan{}", n % 5), "ada", at_least(&token));
                let reply = client.check(&request).await;
                assert_eq!(reply.status(), OK);
                hits += usize::from(reply.is_hit());
                sleep(Duration::from_millis(100)).await;
            }
            assert!(
                hits >= 540,
                "{engine:?}, of this replica: {of_this_replica}: {hits} of 600"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_on_memory_a_repeated_question_with_a_token_hits() {
    for of_this_replica in [false, true] {
        let server = Server::new(Engine::Memory);
        let client = Client::new(&server, Engine::Memory);
        let token = match of_this_replica {
            true => client.set("plan", "ada", true).await,
            false => server.set("plan", "ada", true),
        };
        let request = check("plan", "ada", at_least(&token));
        let mut hits = 0;
        for n in 0..100 {
            // Default reads are labelled by the clock.
            if n % 50 == 1 {
                server.quantize();
            }
            let reply = client.check(&request).await;
            assert!(reply.has() && server.point(&reply.at()) >= server.point(&token));
            hits += usize::from(reply.is_hit());
            sleep(Duration::from_millis(100)).await;
        }
        assert!(hits >= 90, "of this replica: {of_this_replica}: {hits} of 100");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_on_memory_no_entry_outlives_its_call_plus_the_bound() {
    let server = Server::new(Engine::Memory);
    let client = Client::new(&server, Engine::Memory);
    let token = client.set("plan", "ada", true).await;
    // Its revision is above all later default reads, because the quantized revision stays.
    let request = check("plan", "bob", at_least(&token));
    assert!(!client.check(&request).await.has());
    server.set("plan", "bob", true);
    for _ in 0..3 {
        advance(Duration::from_secs(2)).await;
        client.check(&check("plan", "somebody", None)).await;
    }
    assert!(
        !client.check(&request).await.is_hit(),
        "six seconds old, whatever default reads say"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_head_that_lags_is_asked_once_more() {
    for engine in [Engine::Postgres, Engine::CockroachDb, Engine::MySql] {
        let server = Server::new(engine);
        let client = Client::new(&server, engine);
        server.share_head(1);
        let token = server.set("plan", "ada", true);
        let reply = client.check(&check("plan", "ada", at_least(&token))).await;
        assert!(
            reply.has() && server.point(&reply.at()) >= server.point(&token),
            "{engine:?}"
        );
        let full = Requirement::FullyConsistent(true);
        assert_eq!(demanded(&server), [full.clone(), full.clone()], "{engine:?}");

        server.share_head(2);
        let token = server.set("plan", "ada", true);
        let reply = client.check(&check("plan", "ada", at_least(&token))).await;
        assert_eq!(reply.status(), UNAVAILABLE, "{engine:?}: {reply:?}");
        assert_eq!(demanded(&server), [full.clone(), full]);
        assert!(client.check(&check("plan", "ada", at_least(&token))).await.has());
    }
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_lagging_head_is_not_taken_as_newer() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    server.set("plan", "ada", true);
    server.share_head(1);
    let token = client.set("plan", "ada", false).await;
    let late = client.check(&check("plan", "ada", full())).await;
    assert!(
        late.has() && server.point(&late.at()) < server.point(&token),
        "the store's own lag"
    );
    let reply = client.check(&check("plan", "ada", at_least(&token))).await;
    assert!(!reply.has() && !reply.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_04_one_background_read_keeps_entries_young() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    server.quantize();
    let request = check("plan", "ada", at_least(&token));
    client.check(&request).await;
    server.calls();
    server.state().latency = Duration::from_millis(30);
    for n in 0..200 {
        let began = Instant::now();
        let reply = client.check(&request).await;
        assert!(
            reply.is_hit() && began.elapsed().is_zero(),
            "{n}: no caller waits for it: {reply:?}"
        );
        sleep(Duration::from_millis(100)).await;
    }
    let calls = server.calls();
    assert!((4..=12).contains(&calls.len()), "{} reads in 20 seconds", calls.len());
    for call in calls {
        assert!(call.method == "CheckPermission" && is_default(&call), "{call:?}");
        assert_eq!(call.headers["authorization"], "Bearer example-key");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_on_mysql_no_answer_is_renewed() {
    let server = Server::new(Engine::MySql);
    let client = Client::new(&server, Engine::MySql);
    // An answer labelled above a transaction that it lacks.
    let late = server.begin("plan", "bob", true);
    server.set("map", "somebody", true);
    server.quantize();
    assert!(!client.check(&check("plan", "bob", None)).await.has());
    server.commit(late);
    for _ in 0..3 {
        advance(Duration::from_secs(2)).await;
        // The store names the same label again.
        client.check(&check("map", "nobody", None)).await;
        client.check(&check("map", "nobody", full())).await;
    }
    assert!(client.check(&check("plan", "bob", None)).await.has());
}

#[tokio::test(start_paused = true)]
async fn rule_01_on_mysql_two_floors_are_both_covered() {
    let server = Server::new(Engine::MySql);
    let client = Client::new(&server, Engine::MySql);
    let late = server.begin("plan", "bob", true);
    let higher = client.set("map", "somebody", true).await;
    for consistency in [None, at_least(&higher), full()] {
        assert!(!client.check(&check("plan", "bob", consistency)).await.has());
    }
    advance(Duration::from_millis(10)).await;
    // The lower number commits after those reads.
    let lower = server.commit(late);
    let both = client.metadata("zookie", &higher);
    assert!(both.check(&check("plan", "bob", at_least(&lower))).await.has());
    assert!(client.check(&check("plan", "bob", at_least(&lower))).await.has());
    assert!(client.check(&check("plan", "bob", at_least(&higher))).await.has());
}
