//! Signed tokens before a Permify, whose replies name no revision: two replicas, and what the other one asks.

use std::time::Duration;

use tokio::time::sleep;
use tower_zookie::protocol::permify::{Engine, Permify};
use tower_zookie::token::{Signing, SigningKey};
use tower_zookie_testing::grpc::INVALID_ARGUMENT;
use tower_zookie_testing::permify::Client;

use crate::api::{bulk, check};
use crate::server::Server;

fn signing() -> Signing {
    Signing::new(SigningKey::new("k1", [1; 32]).unwrap())
}

fn replica(server: &Server, signs: bool, probes: bool) -> Client {
    let api = Permify::new(Engine::Postgres);
    let api = if probes { api.probe_by_writing("probes") } else { api };
    Client::with(server, api, |builder| match signs {
        true => builder.signing(signing()),
        false => builder,
    })
}

/// A write's token, as the metadata of the reply has it.
async fn write(client: &Client, views: bool) -> String {
    let reply = client.write_in("t1", "plan", "ada", views).await;
    reply.header("zookie").unwrap().to_owned()
}

/// The measurement of two replicas, in calls.
#[tokio::test(start_paused = true)]
async fn two_replicas_with_signed_tokens_probe_once_a_window() {
    const WRITES: usize = 100;
    let mut counted = Vec::new();
    for (signs, probes) in [(false, false), (false, true), (true, false), (true, true)] {
        let server = Server::new(Engine::Postgres);
        let (one, other) = (replica(&server, signs, probes), replica(&server, signs, probes));
        let (mut probed, mut asked) = (0, 0);
        for nth in 0..WRITES {
            let views = nth % 2 == 0;
            let token = write(&one, views).await;
            server.calls();
            for question in ["plan", "map", "plan", "plan"] {
                let reply = other
                    .metadata("zookie", &token)
                    .check(&check(question, "ada", ""))
                    .await;
                assert_eq!(reply.allowed(), views && question == "plan");
            }
            let calls = server.calls();
            probed += calls.iter().filter(|call| call.method == "Data/Delete").count();
            asked += calls.iter().filter(|call| call.method == "Permission/Check").count();
            assert!(calls.iter().all(|call| !call.token.starts_with("zs1.")));
            sleep(Duration::from_millis(200)).await;
        }
        println!(
            "Permify, {WRITES} writes at one replica in 20 s, 4 checks each at the other, signed: {signs}, probes allowed: \
             {probes}: {probed} probes, {asked} checks upstream"
        );
        counted.push((probed, asked));
    }
    let [(0, unsigned), (probes, _), (0, signed), (signed_probes, signed_asked)] = counted[..] else {
        panic!("{counted:?}");
    };
    assert_eq!(unsigned, 4 * WRITES, "without anything nothing is stored");
    assert_eq!(probes, WRITES);
    assert!(signed_probes <= 5, "one in a window of 5 s: {signed_probes}");
    assert_eq!(signed_asked, 2 * WRITES);
    // Without probes there is no watermark, and what covers none is not stored.
    assert_eq!(signed, 4 * WRITES);
}

#[tokio::test(start_paused = true)]
async fn rule_08_the_messages_signed_token_is_unwrapped() {
    let server = Server::new(Engine::Postgres);
    let (one, other) = (replica(&server, true, true), replica(&server, true, true));
    let signed = write(&one, true).await;
    let inner = signed.rsplit('.').next().unwrap().to_owned();
    server.calls();
    assert!(other.check(&check("plan", "ada", &signed)).await.allowed());
    let exactly = other.metadata("zookie-consistency", "at-exact-snapshot");
    assert!(exactly.check(&check("plan", "ada", &signed)).await.allowed());
    assert_eq!(
        other
            .bulk(&bulk(&[("plan", "ada"), ("map", "ada")], &signed))
            .await
            .decisions(),
        [true, false]
    );
    let calls = server.calls();
    assert!(calls.iter().any(|call| call.token == inner));
    assert!(calls.iter().all(|call| !call.token.starts_with("zs1.")), "{calls:?}");
    let forged = format!("{}.{inner}x", signed.rsplit_once('.').unwrap().0);
    let reply = other.check(&check("plan", "ada", &forged)).await;
    assert_eq!(reply.status(), INVALID_ARGUMENT);
    assert!(server.calls().is_empty());
}
