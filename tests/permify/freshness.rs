//! At which token a check is asked, and what is stored: one behaviour each.

use std::time::Duration;

use prost::Message;
use tokio::time::sleep;
use tower_zookie::protocol::permify::{Engine, Permify};
use tower_zookie_testing::frame::{frame, unframed, written};
use tower_zookie_testing::grpc::INVALID_ARGUMENT;
use tower_zookie_testing::permify::Client;
use tower_zookie_testing::permify::messages::{PermissionBulkCheckRequest, PermissionCheckRequest};

use crate::api::{bulk, check, lookup};
use crate::server::Server;

fn before(server: &Server) -> Client {
    Client::new(server, Engine::Postgres)
}

async fn seconds(count: u64) {
    sleep(Duration::from_secs(count)).await;
}

fn pinned(request: PermissionCheckRequest, version: &str) -> PermissionCheckRequest {
    let mut metadata = request.metadata.clone().unwrap();
    metadata.schema_version = version.to_owned();
    PermissionCheckRequest {
        metadata: Some(metadata),
        ..request
    }
}

fn exactly(client: &Client) -> Client {
    client.metadata("zookie-consistency", "at-exact-snapshot")
}

#[tokio::test(start_paused = true)]
async fn rule_01_the_new_enemy_is_denied() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let granted = client.set("plan", "mallory", true).await;
    assert!(client.check(&check("plan", "mallory", &granted)).await.allowed());
    let revoked = client.set("plan", "mallory", false).await;
    let reply = client.check(&check("plan", "mallory", &revoked)).await;
    assert!(!reply.allowed() && !reply.is_hit());
    assert!(client.check(&check("plan", "mallory", &revoked)).await.is_hit());
    let older = client.check(&check("plan", "mallory", &granted)).await;
    assert!(
        !older.allowed() && older.is_hit(),
        "a token is a demand to be at least that fresh"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_higher_number_is_not_a_later_write() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let lower = tokio::spawn({
        let client = client.holding();
        async move { client.set("plan", "ada", true).await }
    });
    sleep(Duration::from_millis(1)).await;
    server.state().store.advance(0);
    let higher = client.set("map", "bob", true).await;
    let reply = client.check(&check("plan", "ada", &higher)).await;
    assert!(!reply.allowed() && reply.is_stored());
    server.state().store.advance(0);
    let lower = lower.await.unwrap();
    let reply = client.check(&check("plan", "ada", &lower)).await;
    assert!(reply.allowed() && !reply.is_hit());
}

/// The token of a write that head lacks, because a higher one took its snapshot before this one ended.
pub(crate) async fn beside_head(client: &Client, server: &Server) -> (String, String) {
    let lower = tokio::spawn({
        let client = client.holding();
        async move { client.set("plan", "ada", true).await }
    });
    sleep(Duration::from_millis(1)).await;
    server.state().store.advance(0);
    client.set("map", "bob", true).await;
    let higher = client.set("map", "ada", true).await;
    server.state().store.advance(0);
    (lower.await.unwrap(), higher)
}

#[tokio::test(start_paused = true)]
async fn rule_01_headers_never_weaken_the_messages_token() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let (lower, higher) = beside_head(&client, &server).await;
    seconds(20).await;
    let request = check("plan", "ada", &lower);
    assert!(
        !client.check(&check("plan", "ada", "")).await.allowed(),
        "head lacks it"
    );
    for client in [
        client.clone(),
        client.metadata("cookie", "zookie=garbage!"),
        client.metadata("cache-control", "no-cache"),
    ] {
        let reply = client.check(&request).await;
        assert!(reply.allowed() && !reply.is_hit(), "{}", reply.cache_status());
        assert_eq!(server.asked().last(), Some(&lower));
    }
    for (name, value) in [
        ("zookie", &*higher),
        ("cookie", &*format!("zookie={}", higher.replace('=', "%3D"))),
        ("zookie-consistency", "fully-consistent"),
        ("zookie-consistency", "bounded-staleness=2s"),
    ] {
        let calls = server.asked().len();
        let reply = client.metadata(name, value).check(&request).await;
        assert_eq!(
            (reply.status(), server.asked().len()),
            (INVALID_ARGUMENT, calls),
            "{name}: {value}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rule_04_all_callers_of_a_window_share_its_revision() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let older = [
        client.set("plan", "ada", true).await,
        client.set("plan", "bob", true).await,
    ];
    seconds(7).await;
    let of_the_window = client.set("map", "ada", true).await;
    server.calls();
    let asked = client.check(&check("plan", "ada", &older[0])).await;
    let shared = client.check(&check("plan", "ada", &older[1])).await;
    assert!(asked.is_stored() && shared.is_hit() && shared.body == asked.body);
    assert_eq!(server.asked(), [of_the_window]);
}

#[tokio::test(start_paused = true)]
async fn rule_04_age_counts_from_the_write_that_is_asked_at() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    seconds(1).await;
    let token = client.set("plan", "ada", true).await;
    seconds(3).await;
    assert!(client.check(&check("plan", "ada", &token)).await.is_stored());
    sleep(Duration::from_millis(1900)).await;
    assert!(client.check(&check("plan", "ada", &token)).await.is_hit());
    sleep(Duration::from_millis(700)).await;
    assert!(!client.check(&check("plan", "ada", &token)).await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_08_an_unknown_token_is_unmodified_and_not_stored() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let token = Client::direct(&server).set("plan", "ada", true).await;
    server.calls();
    // An unknown field, and the metadata last, as no encoder writes it.
    let mut message = check("plan", "ada", &token).encode_to_vec();
    message.splice(0..0, written(127, b"hi"));
    let body = frame(&message);
    for _ in 0..2 {
        let reply = client.send("Permission/Check", body.clone()).await;
        assert!(reply.allowed() && !reply.is_hit() && !reply.is_stored());
        let calls = server.calls();
        assert_eq!((calls.len(), &calls[0].body), (1, &body));
    }
    assert_eq!(client.handle().stats().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_old_token_outside_any_window_is_unmodified() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let token = client.set("plan", "ada", true).await;
    seconds(12).await;
    server.calls();
    let request = check("plan", "ada", &token);
    for _ in 0..2 {
        assert!(!client.check(&request).await.is_stored());
        let calls = server.calls();
        assert_eq!((calls.len(), &calls[0].body), (1, &frame(&request.encode_to_vec())));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_fresh_write_is_asked_at_its_token_and_stored() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    client.set("map", "ada", true).await;
    let token = client.set("plan", "ada", true).await;
    server.calls();
    let request = check("plan", "ada", &token);
    let asked = client.check(&request).await;
    assert!(asked.allowed() && asked.is_stored());
    assert_eq!(asked.header("zookie"), Some(&*token));
    assert!(client.check(&request).await.is_hit());
    assert_eq!(server.asked(), [token]);
}

#[tokio::test(start_paused = true)]
async fn rule_02_exact_answers_are_stored_once_settled() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let open = tokio::spawn({
        let client = client.holding();
        async move { client.set("plan", "ada", true).await }
    });
    sleep(Duration::from_millis(1)).await;
    // Between its snapshot and its number: a transaction that began meanwhile looks visible.
    let other = tokio::spawn({
        let client = client.holding();
        async move { client.set("map", "ada", true).await }
    });
    sleep(Duration::from_millis(1)).await;
    for held in [0, 1, 1] {
        server.state().store.advance(held);
    }
    let unsettled = other.await.unwrap();
    server.calls();
    let request = pinned(check("plan", "ada", &unsettled), "v0");
    for _ in 0..2 {
        let reply = exactly(&client).check(&request).await;
        assert!(!reply.allowed() && !reply.is_stored());
    }
    server.state().store.advance(0);
    open.await.unwrap();
    let reply = exactly(&client).check(&request).await;
    assert!(
        reply.allowed() && !reply.is_stored(),
        "the same token, and another answer"
    );
    // Its reply says that all before it have ended.
    client.set("map", "bob", true).await;
    assert!(exactly(&client).check(&request).await.is_stored());
    assert_eq!(server.calls().len(), 5);
    for _ in 0..2 {
        assert!(exactly(&client).check(&request).await.is_hit());
        seconds(29).await;
    }
    seconds(3).await;
    assert!(!exactly(&client).check(&request).await.is_hit(), "time to live");
}

#[tokio::test(start_paused = true)]
async fn rule_10_an_unpinned_exact_answer_ends_with_the_bound() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let token = client.set("plan", "ada", true).await;
    let (latest, by_version) = (check("plan", "ada", &token), pinned(check("plan", "ada", &token), "v0"));
    for request in [&latest, &by_version] {
        assert!(exactly(&client).check(request).await.is_stored());
    }
    seconds(5).await;
    assert!(exactly(&client).check(&latest).await.is_hit());
    seconds(1).await;
    assert!(!exactly(&client).check(&latest).await.is_hit());
    assert!(exactly(&client).check(&by_version).await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_forwarded_schema_write_ends_all_answers() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let token = client.set("plan", "ada", true).await;
    let request = check("plan", "ada", &token);
    client.check(&request).await;
    Client::direct(&server).write_schema("t1").await;
    assert!(client.check(&request).await.is_hit(), "the layer did not see it");
    client.write_schema("t1").await;
    assert!(client.check(&request).await.is_stored());
    assert!(client.check(&request).await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_03_tokenless_reads_ask_head_by_default() {
    for windowed in [false, true] {
        let server = Server::new(Engine::Postgres);
        let api = Permify::new(Engine::Postgres);
        let api = if windowed {
            api.window_reads_without_token()
        } else {
            api
        };
        let client = Client::with(&server, api, |builder| builder);
        let token = client.set("plan", "ada", true).await;
        server.calls();
        let request = check("plan", "ada", "");
        assert!(client.check(&request).await.is_stored());
        assert_eq!(client.check(&request).await.is_hit(), windowed);
        let expected = if windowed { vec![token] } else { vec![String::new(); 2] };
        assert_eq!(server.asked(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_10_tenants_and_versions_share_nothing() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    client.write_schema("t1").await;
    let token = client.set("plan", "ada", true).await;
    let request = check("plan", "ada", &token);
    let mut of_another = request.clone();
    of_another.tenant_id = "t2".to_owned();
    let requests = [
        pinned(request.clone(), "v0"),
        pinned(request.clone(), "v1"),
        request,
        of_another,
    ];
    let decisions = [true, true, true, false];
    for hit in [false, true] {
        for (request, decision) in requests.iter().zip(decisions) {
            let reply = client.check(request).await;
            assert_eq!((reply.is_hit(), reply.allowed()), (hit, decision), "{request:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_16_missing_items_are_asked_at_the_others_revision() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let token = client.set("plan", "ada", true).await;
    assert_eq!(
        client
            .bulk(&bulk(&[("plan", "ada"), ("map", "ada")], &token))
            .await
            .decisions(),
        [true, false]
    );
    client.set("map", "ada", true).await;
    server.calls();
    let items = [("plan", "ada"), ("map", "ada"), ("plan", "ada"), ("plan", "bob")];
    let reply = client.bulk(&bulk(&items, &token)).await;
    assert_eq!(reply.decisions(), [true, false, true, false], "as of the first token");
    assert!(reply.cache_status().contains("2 of 4 from the cache"), "{reply:?}");
    let calls = server.calls();
    let asked: PermissionBulkCheckRequest = unframed(&calls[0].body);
    assert_eq!((calls.len(), &calls[0].token, asked.items.len()), (1, &token, 2));
}

#[tokio::test(start_paused = true)]
async fn rule_01_only_carriers_raise_a_lookups_floor() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let older = client.set("plan", "ada", true).await;
    let newer = client.set("map", "ada", true).await;
    let unnamed = Client::direct(&server).set("plan", "ada", false).await;
    server.calls();
    for token in ["", &*older] {
        let request = lookup("ada", token);
        client.call("Permission/LookupEntity", &request).await;
        assert_eq!(
            server.calls()[0].body,
            frame(&request.encode_to_vec()),
            "no carrier, no change"
        );
    }
    for (header, message, asked) in [
        (&newer, "", &*newer),
        (&newer, &*older, &*newer),
        (&older, &*newer, &*newer),
        (&unnamed, &*newer, &*unnamed),
        // The store has not named it, and Permify itself would read head.
        (&unnamed, "", ""),
    ] {
        let client = client.metadata("zookie", header);
        client.call("Permission/LookupEntity", &lookup("ada", message)).await;
        let calls = server.calls();
        assert_eq!((calls.len(), &*calls[0].token), (1, asked));
        assert!(!calls[0].headers.contains_key("zookie"));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_an_unknown_token_is_never_put_into_the_message() {
    let server = Server::new(Engine::Postgres);
    let client = before(&server);
    let direct = Client::direct(&server);
    let older = direct.set("plan", "ada", false).await;
    direct.set("plan", "ada", true).await;
    server.calls();
    for client in [client.metadata("zookie", &older), client.cookie(&older)] {
        let reply = client.check(&check("plan", "ada", "")).await;
        assert!(reply.allowed() && !reply.is_stored());
        assert_eq!(server.asked(), [""]);
    }
}
