//! Tokens made by hand: SpiceDB may give the forger any answer, and no other caller sees anything of it.

use std::time::Duration;

use prost::Message;
use tokio::time::{advance, sleep};
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::PostgresSnapshot;
use tower_zookie_testing::frame::frame;
use tower_zookie_testing::grpc::{INVALID_ARGUMENT, OK, OUT_OF_RANGE, Reply, UNAVAILABLE};
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{Requirement, at_least, bulk, check, exactly, full, minimize_latency};

use crate::server::{Called, Server};
use crate::spelling::Point;

const TOO_OLD: &str = "the service answered at an older revision than the request demands";

fn snapshot(xmin: u64, xmax: u64, in_progress: &[u64]) -> Point {
    Point::Snapshot(PostgresSnapshot::new(xmin, xmax, in_progress.iter().copied()).unwrap())
}

pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Whether a text occurs anywhere in a reply.
pub(crate) fn mentions(reply: &Reply, text: &str) -> bool {
    contains(&reply.body, text) || reply.headers.values().any(|value| contains(value.as_bytes(), text))
}

/// The calls with a token or at head, without the background reads that renew the newest watermark.
fn demanded(calls: Vec<Called>) -> Vec<Requirement> {
    let consistencies = calls.into_iter().filter_map(|call| call.consistency);
    consistencies
        .filter(|asked| !matches!(asked, Requirement::MinimizeLatency(_)))
        .collect()
}

pub(crate) fn heads(calls: &[Called]) -> usize {
    let full = |call: &&Called| call.consistency == Some(Requirement::FullyConsistent(true));
    calls.iter().filter(full).count()
}

/// Transaction 8812 revokes mallory, and 9148 is anything else.
fn mallory_is_revoked(server: &Server) -> (String, String, String) {
    server.jump(8811);
    let granted = server.set("plan", "mallory", true);
    assert_eq!(server.point(&granted), snapshot(8812, 8812, &[]));
    server.quantize();
    let revoked = server.set("plan", "mallory", false);
    assert_eq!(server.point(&revoked), snapshot(8813, 8813, &[]));
    (granted, revoked, server.token_at(&snapshot(8812, 9149, &[8812])))
}

/// By transaction 9148, which the quantized revision lacks: so it does not cover what lacks 8812.
async fn something_is_written(server: &Server, client: &Client) -> String {
    server.jump(9148);
    server.quantize();
    let written = client.set("map", "somebody", true).await;
    assert_eq!(server.point(&written), snapshot(9149, 9149, &[]));
    written
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_forged_token_grants_access_to_no_other_caller() {
    for carried in [false, true] {
        for exact in [false, true] {
            let server = Server::new(Engine::Postgres);
            let client = Client::new(&server, Engine::Postgres);
            let (_, revoked, forged) = mallory_is_revoked(&server);
            advance(Duration::from_secs(20)).await;
            let written = something_is_written(&server, &client).await;
            let mallory = async || match (carried, exact) {
                (false, false) => client.check(&check("plan", "mallory", at_least(&forged))).await,
                (false, true) => client.check(&check("plan", "mallory", exactly(&forged))).await,
                (true, exact) => {
                    let client = client.metadata("zookie", &forged);
                    let client = if exact {
                        client.metadata("zookie-consistency", "at-exact-snapshot")
                    } else {
                        client
                    };
                    client.check(&check("plan", "mallory", None)).await
                }
            };
            let everybody = async || {
                let consistencies = [
                    None,
                    minimize_latency(),
                    at_least(&revoked),
                    at_least(&written),
                    exactly(&written),
                    full(),
                ];
                for consistency in consistencies {
                    let reply = client.check(&check("plan", "mallory", consistency.clone())).await;
                    assert_eq!(reply.status(), OK);
                    assert!(!reply.has(), "{consistency:?}: {reply:?}");
                    assert!(!mentions(&reply, &forged));
                }
                let both = client
                    .bulk(&bulk(&[("plan", "mallory"), ("map", "nobody")], None))
                    .await;
                assert!(
                    both.bulk()
                        .pairs
                        .iter()
                        .all(|pair| format!("{pair:?}").contains("permissionship: 1"))
                );
            };
            let let_in = mallory().await;
            assert_eq!(let_in.status(), OK);
            if exact {
                assert!(let_in.has(), "SpiceDB itself takes it for a revision");
            }
            let directly = Client::direct(&server)
                .check(&check("plan", "mallory", at_least(&forged)))
                .await;
            assert!(
                directly.has(),
                "SpiceDB is asked for at least this, and answers at exactly this"
            );
            everybody().await;
            for _ in 0..40 {
                mallory().await;
                advance(Duration::from_millis(300)).await;
                everybody().await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_no_caller_joins_a_forgers_flight() {
    for exact in [false, true] {
        let server = Server::new(Engine::Postgres);
        let client = Client::new(&server, Engine::Postgres);
        let (_, revoked, forged) = mallory_is_revoked(&server);
        something_is_written(&server, &client).await;
        server.state().latency = Duration::from_millis(20);
        for _ in 0..5 {
            let mallory = tokio::spawn({
                let (client, forged) = (client.clone(), forged.clone());
                let consistency = if exact { exactly(&forged) } else { at_least(&forged) };
                async move { client.check(&check("plan", "mallory", consistency)).await }
            });
            sleep(Duration::from_millis(5)).await;
            let others = [None, at_least(&revoked), full()].map(|consistency| {
                let client = client.clone();
                tokio::spawn(async move { client.check(&check("plan", "mallory", consistency)).await })
            });
            for other in others {
                assert!(!other.await.unwrap().has());
            }
            mallory.await.unwrap();
            sleep(Duration::from_millis(2600)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_settled_but_unnamed_snapshot_is_not_shared() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let (granted, ..) = mallory_is_revoked(&server);
    // A token from before the revocation, and young: the forged token covers it, so its age is not suspicious.
    client.check(&check("map", "nobody", None)).await;
    something_is_written(&server, &client).await;
    client.check(&check("map", "somebody", full())).await;
    server.calls();
    // The head covers all of these, and the store never had any of them.
    for in_progress in [&[8812][..], &[8812, 9000], &[9140], &[9147]] {
        let point = snapshot(in_progress[0], 9149, in_progress);
        let unnamed = server.token_at(&point);
        for _ in 0..3 {
            let own = client.check(&check("plan", "mallory", exactly(&unnamed))).await;
            assert_eq!(own.at(), unnamed, "an exact read is never rewritten");
            for consistency in [None, at_least(&granted), at_least(&unnamed)] {
                let reply = client.check(&check("plan", "mallory", consistency)).await;
                assert_ne!(server.point(&reply.at()), point, "{reply:?}");
                assert!(!reply.has());
            }
            for asked in demanded(server.calls()) {
                if let Requirement::AtLeastAsFresh(token) = asked {
                    assert_ne!(server.point(&token.token), point, "asked at least at what has no name");
                }
            }
            advance(Duration::from_millis(700)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_forged_future_floor_is_rejected() {
    for engine in [Engine::Postgres, Engine::CockroachDb, Engine::MySql] {
        let server = Server::new(engine);
        let client = Client::new(&server, engine);
        server.set("plan", "mallory", true);
        let forged = server.future();
        for carried in [false, true] {
            server.calls();
            let reply = match carried {
                true => {
                    client
                        .metadata("zookie", &forged)
                        .check(&check("plan", "mallory", None))
                        .await
                }
                false => client.check(&check("plan", "mallory", at_least(&forged))).await,
            };
            assert_eq!(reply.status(), UNAVAILABLE, "{engine:?}: {reply:?}");
            assert!(reply.header("grpc-message").unwrap().starts_with(TOO_OLD), "{reply:?}");
            assert!(!mentions(&reply, &forged), "not echoed");
            let calls = server.calls();
            let of_hers = demanded(calls.clone()).len();
            assert_eq!(
                (heads(&calls), of_hers),
                (2, 2),
                "asked at head, and once more: {calls:?}"
            );
            assert!(calls.iter().all(|call| !contains(&call.body, &forged)));
        }
        let revoked = server.set("plan", "mallory", false);
        advance(Duration::from_millis(200)).await;
        for consistency in [at_least(&revoked), full()] {
            let judged = client.check(&check("plan", "mallory", consistency)).await;
            assert!(!judged.has() && !judged.is_hit(), "{engine:?}");
        }
        let judged = client.check(&check("plan", "mallory", at_least(&forged))).await;
        assert_eq!(judged.status(), UNAVAILABLE, "not even for the forger");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_on_memory_a_future_floor_is_forwarded() {
    let server = Server::new(Engine::Memory);
    let client = Client::new(&server, Engine::Memory);
    server.set("plan", "mallory", true);
    let forged = server.future();
    for _ in 0..2 {
        server.calls();
        let request = check("plan", "mallory", at_least(&forged));
        let reply = client.check(&request).await;
        assert_eq!(reply.status(), OUT_OF_RANGE, "{reply:?}");
        let calls = server.calls();
        assert_eq!(calls.last().unwrap().body, frame(&request.encode_to_vec()));
    }
    let reply = client.check(&check("plan", "mallory", None)).await;
    assert!(server.point(&reply.at()) < server.point(&forged));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_forged_exact_snapshot_makes_nothing_fresh() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    client.check(&check("plan", "mallory", full())).await;
    // It sees a transaction that never began, and lacks one that every read sees. SpiceDB does not notice.
    let forged = server.token_at(&snapshot(900, 5000, &[900]));
    server.set("plan", "mallory", true);
    for _ in 0..2 {
        let reply = client.check(&check("plan", "mallory", exactly(&forged))).await;
        assert!(reply.status() == OK && reply.has() && !reply.is_hit());
        advance(Duration::from_millis(200)).await;
    }
    let revoked = server.set("plan", "mallory", false);
    for consistency in [at_least(&revoked), exactly(&forged)] {
        let reply = client.check(&check("plan", "mallory", consistency)).await;
        assert!(!reply.has() && !reply.is_hit());
    }
    let reply = client.check(&check("plan", "mallory", at_least(&forged))).await;
    assert_eq!(reply.status(), UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn rule_02_an_exact_read_with_a_bound_is_rejected() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    server.calls();
    for (name, value) in [
        ("cache-control", "no-cache"),
        ("zookie-consistency", "bounded-staleness=1s"),
        ("zookie-consistency", "fully-consistent"),
    ] {
        let torn = client.metadata(name, value);
        let rejected = torn.check(&check("plan", "ada", exactly(&token))).await;
        assert_eq!(rejected.status(), INVALID_ARGUMENT, "{name}: {value}");
        assert!(server.calls().is_empty());
    }
}
