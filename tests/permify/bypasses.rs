//! Calls that can't be answered from memory: their requirement is still checked, and is in the forwarded request. Also
//! tokens that have no join.

use std::time::Duration;

use tokio::time::sleep;
use tower_zookie::protocol::permify::{Engine, Permify};
use tower_zookie_testing::grpc::{INTERNAL, INVALID_ARGUMENT, OK, UNIMPLEMENTED};
use tower_zookie_testing::permify::Client;

use crate::api::check;
use crate::bypass::{BYPASSES, Bypass};
use crate::freshness::beside_head;
use crate::server::Server;
use crate::store::legacy;

const CHECK: &str = "Permission/Check";

#[tokio::test(start_paused = true)]
async fn rule_09_no_bypass_drops_a_carriers_requirement() {
    for bypass in BYPASSES {
        let server = Server::new(Engine::Postgres);
        let client = Client::new(&server, Engine::Postgres);
        let token = client.set("plan", "ada", true).await;
        server.calls();
        for (client, stated) in [
            (client.metadata("zookie", &token), &*token),
            (client.cookie(&token), &*token),
            (client.metadata("zookie-consistency", "fully-consistent"), ""),
            (client.metadata("cache-control", "no-cache"), ""),
        ] {
            let reply = bypass.send(&client, CHECK, &check("plan", "ada", "")).await;
            let asked = server.asked();
            match reply.status() {
                UNIMPLEMENTED => assert!(asked.is_empty(), "{bypass:?}: {asked:?}"),
                status => {
                    assert_eq!((status, asked), (OK, vec![stated.to_owned()]), "{bypass:?}");
                    assert!(reply.allowed(), "{bypass:?}");
                }
            }
        }
        assert_eq!(client.handle().stats().entries, 0, "{bypass:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_bypassed_message_keeps_its_own_token() {
    for bypass in BYPASSES {
        let server = Server::new(Engine::Postgres);
        let client = Client::new(&server, Engine::Postgres);
        let token = client.set("plan", "ada", true).await;
        client.set("plan", "ada", false).await;
        server.calls();
        let request = check("plan", "ada", &token);
        let reply = bypass.send(&client, CHECK, &request).await;
        let calls = server.calls();
        assert_eq!((calls.len(), &calls[0].body), (1, &bypass.body(&request)), "{bypass:?}");
        if bypass == Bypass::BrokenOff {
            assert_eq!(reply.status(), INTERNAL);
        } else {
            assert!(reply.allowed() && !reply.is_stored(), "{bypass:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_required_token_is_required_of_bypasses_too() {
    let server = Server::new(Engine::Postgres);
    let api = Permify::new(Engine::Postgres);
    let client = Client::with(&server, api, |builder| builder.require_token(true));
    let token = client.set("plan", "ada", true).await;
    server.calls();
    for bypass in BYPASSES.into_iter().filter(|bypass| bypass.is_of_headers()) {
        let reply = bypass.send(&client, CHECK, &check("plan", "ada", "")).await;
        assert_eq!(
            (reply.status(), server.calls().len()),
            (INVALID_ARGUMENT, 0),
            "{bypass:?}"
        );
        let reply = bypass.send(&client, CHECK, &check("plan", "ada", &token)).await;
        assert_eq!(
            (reply.status(), server.asked()),
            (OK, vec![token.clone()]),
            "{bypass:?}"
        );
        let rubbish = client.metadata("zookie", "cnViYmlzaA==");
        let reply = bypass.send(&rubbish, CHECK, &check("plan", "ada", &token)).await;
        assert_eq!(
            (reply.status(), server.calls().len()),
            (INVALID_ARGUMENT, 0),
            "{bypass:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_a_forwarded_bad_token_is_never_dropped() {
    let server = Server::new(Engine::Postgres);
    let api = Permify::new(Engine::Postgres);
    let client = Client::with(&server, api, |builder| builder.forward_bad_tokens(true));
    let token = client.set("plan", "ada", true).await;
    server.calls();
    let client = client.metadata("zookie", "rubbish");
    for message in ["", &*token] {
        let reply = client.check(&check("plan", "ada", message)).await;
        let calls = server.calls();
        let handed_on = calls
            .iter()
            .all(|call| call.headers.get("zookie").is_some_and(|value| value == "rubbish"));
        assert!(handed_on && !reply.is_hit(), "{calls:?}");
        assert!(!calls.is_empty() || matches!(reply.status(), UNIMPLEMENTED | INVALID_ARGUMENT));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_02_exact_beside_no_cache_is_rejected() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    server.calls();
    let exact = client.metadata("zookie-consistency", "at-exact-snapshot");
    let contradicts = exact.metadata("cache-control", "no-cache");
    for (client, in_message) in [
        (contradicts.clone(), &*token),
        (contradicts.metadata("zookie", &token), ""),
    ] {
        let reply = client.check(&check("plan", "ada", in_message)).await;
        assert_eq!((reply.status(), server.calls().len()), (INVALID_ARGUMENT, 0));
    }
    assert!(exact.check(&check("plan", "ada", &token)).await.allowed());
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_watermark_covers_tokens_without_a_join() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let (lower, higher) = beside_head(&client, &server).await;
    let both = format!("{lower},{higher}");
    let requests = [
        (client.metadata("zookie", &higher), &*lower),
        (client.metadata("zookie", &both), ""),
        (client.metadata("zookie", &lower).cookie(&higher), ""),
    ];
    server.calls();
    for (client, in_message) in &requests {
        let reply = client.check(&check("plan", "ada", in_message)).await;
        assert_eq!(
            (reply.status(), server.calls().len()),
            (INVALID_ARGUMENT, 0),
            "{in_message}"
        );
    }
    let watermark = client.set("map", "bob", false).await;
    server.calls();
    for (nth, (client, in_message)) in requests.iter().enumerate() {
        let reply = client.check(&check("plan", "ada", in_message)).await;
        assert!(reply.allowed());
        assert_eq!(reply.header("zookie"), Some(&*watermark));
        assert_eq!(reply.is_hit(), nth > 0, "all share its answer");
    }
    assert_eq!(server.asked(), [watermark]);
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_probe_covers_tokens_without_a_join() {
    let server = Server::new(Engine::Postgres);
    let api = Permify::new(Engine::Postgres).probe_by_writing("probes");
    let client = Client::with(&server, api, |builder| builder);
    let (lower, higher) = beside_head(&client, &server).await;
    sleep(Duration::from_secs(1)).await;
    server.calls();
    let reply = client
        .metadata("zookie", &higher)
        .check(&check("plan", "ada", &lower))
        .await;
    assert!(reply.allowed());
    let calls = server.calls();
    let (probe, asked) = (&calls[0], &calls[1]);
    assert_eq!((calls.len(), &*probe.method), (2, "Data/Delete"));
    assert_eq!(reply.header("zookie"), Some(&*asked.token), "the probe's own token");
    assert!(asked.token != lower && asked.token != higher);
}

/// Two tokens of writes one after the other that have no join, because a third one is open.
async fn without_a_join(client: &Client, server: &Server) -> (String, String) {
    let open = tokio::spawn({
        let client = client.holding();
        async move { client.set("plan", "bob", true).await }
    });
    sleep(Duration::from_millis(1)).await;
    server.state().store.advance(0);
    let first = client.set("plan", "ada", true).await;
    let reply = client.cookie(&first).try_set("t1", "map", "ada").await;
    let second = reply.header("zookie").unwrap().to_owned();
    let cookie = reply.cookie().expect("a write sets the cookie");
    let mut tokens: Vec<&str> = cookie.split(',').collect();
    tokens.sort_unstable();
    let mut expected = vec![&*first, &*second];
    expected.sort_unstable();
    assert_eq!(tokens, expected, "side by side");
    server.state().store.advance(0);
    open.await.unwrap();
    (cookie, second)
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_writes_cookie_covers_tokens_without_a_join() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let (cookie, second) = without_a_join(&client, &server).await;
    let client = client.cookie(&cookie.replace(',', "%2C"));
    let apart = client.check(&check("plan", "ada", "")).await;
    assert_eq!(apart.status(), INVALID_ARGUMENT, "no read here is sure to cover both");
    let written = client.try_set("t1", "map", "bob").await;
    let watermark = written.header("zookie").unwrap().to_owned();
    assert!(watermark != second);
    assert_eq!(written.cookie(), Some(watermark.clone()), "it covers both");
    server.calls();
    let reply = client.check(&check("plan", "ada", "")).await;
    assert!(reply.allowed());
    assert_eq!((server.asked(), reply.header("set-cookie")), (vec![watermark], None));
}

#[tokio::test(start_paused = true)]
async fn rule_06_a_writes_cookie_is_the_later_of_two() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let first = client.set("plan", "ada", true).await;
    for client in [client.cookie(&first), client.metadata("zookie", &first), client.clone()] {
        let reply = client.try_set("t1", "map", "ada").await;
        assert_eq!(reply.cookie().as_deref(), reply.header("zookie"));
        assert_ne!(reply.header("zookie"), Some(&*first));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_06_reads_leave_a_good_cookie_alone() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let token = client.set("plan", "ada", true).await;
    let with_cookie = client.cookie(&token);
    for in_message in ["", "", &*token] {
        let reply = with_cookie.check(&check("plan", "ada", in_message)).await;
        assert_eq!((reply.status(), reply.header("set-cookie")), (OK, None));
    }
    let exact = client.metadata("zookie-consistency", "at-exact-snapshot");
    let reply = exact.cookie(&token).check(&check("plan", "ada", &token)).await;
    assert_eq!((reply.allowed(), reply.header("set-cookie")), (true, None));
}

#[tokio::test(start_paused = true)]
async fn rule_05_an_unnamed_token_is_never_claimed() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let unmet = Client::direct(&server).set("plan", "ada", true).await;
    let old = legacy(server.state().store.parse(&unmet).unwrap().xid);
    server.calls();
    for token in [&unmet, &old] {
        let reply = client.check(&check("plan", "ada", token)).await;
        assert!(reply.allowed() && !reply.is_stored());
        assert_eq!(reply.header("zookie"), None, "Permify's reply names none");
        assert_eq!(server.asked(), std::slice::from_ref(token));
    }
}
