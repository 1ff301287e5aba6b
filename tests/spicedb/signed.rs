//! Signed tokens: two replicas with one key before one SpiceDB, and callers who have no key.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use prost::Message;
use tokio::time::advance;
use tower_zookie::protocol::spicedb::{Engine, SpiceDb};
use tower_zookie::token::{Signing, SigningKey, Zookie};
use tower_zookie_testing::frame::frame;
use tower_zookie_testing::grpc::{INVALID_ARGUMENT, OK, Reply, UNIMPLEMENTED};
use tower_zookie_testing::model;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{
    LookupResourcesRequest, Requirement, ZedToken, at_least, bulk, check, exactly, full, user,
};

use crate::choice::{Answered, Chosen};
use crate::forged::{contains, heads};
use crate::server::{Called, Server};

const ENGINES: [Engine; 2] = [Engine::Postgres, Engine::CockroachDb];

fn key(id: &str, secret: u8) -> SigningKey {
    SigningKey::new(id, [secret; 32]).unwrap()
}

fn signing() -> Signing {
    Signing::new(key("k1", 1))
}

fn replica_with(server: &Server, engine: Engine, signing: Signing) -> Client {
    Client::with(server, SpiceDb::new(engine), |builder| builder.signing(signing))
}

fn replica(server: &Server, engine: Engine) -> Client {
    replica_with(server, engine, signing())
}

fn sign(token: &str) -> String {
    signing().sign(&Zookie::new(token, 4096).unwrap()).to_string()
}

/// A write's token, as the metadata of the reply has it.
async fn write(client: &Client, document: &str, user: &str, views: bool) -> String {
    let reply = client.write(document, user, views).await;
    reply.header("zookie").unwrap().to_owned()
}

/// Nothing of a signature came upstream.
fn unsigned(calls: &[Called]) {
    for call in calls {
        assert!(!contains(&call.body, "zs1."), "{call:?}");
        let mut headers = call.headers.values();
        assert!(headers.all(|value| !contains(value.as_bytes(), "zs1.")), "{call:?}");
    }
}

/// The calls to check something, without those in the background.
fn asked(calls: Vec<Called>) -> Vec<Called> {
    let in_background = Some(Requirement::MinimizeLatency(true));
    calls
        .into_iter()
        .filter(|call| call.consistency != in_background)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_signed_token_is_named_in_every_replica() {
    for engine in ENGINES {
        let server = Server::new(engine);
        let (one, other) = (replica(&server, engine), replica(&server, engine));
        other.check(&check("map", "ada", None)).await;
        server.calls();
        let token = write(&one, "plan", "ada", true).await;
        assert!(token.starts_with("zs1.k1."));
        let inner = token.rsplit('.').next().unwrap().to_owned();
        server.calls();
        for question in ["plan", "map", "plan"] {
            other
                .metadata("zookie", &token)
                .check(&check(question, "ada", None))
                .await;
        }
        let calls = server.calls();
        unsigned(&calls);
        let at_it = Some(Requirement::AtLeastAsFresh(ZedToken::new(&inner)));
        assert_eq!(calls.len(), 2, "the third is a hit: {calls:?}");
        assert!(calls.iter().all(|call| call.consistency == at_it), "{calls:?}");
        let reply = other
            .metadata("zookie", &token)
            .check(&check("plan", "ada", None))
            .await;
        assert!(reply.has() && reply.is_hit());
        assert!(
            reply.header("zookie").unwrap().starts_with("zs1."),
            "it signs what it heard from another replica"
        );
    }
}

/// The measurement of two replicas, in calls.
#[tokio::test(start_paused = true)]
async fn two_replicas_with_signed_tokens_read_no_heads() {
    const WRITES: usize = 100;
    for engine in ENGINES {
        let mut counted = Vec::new();
        for signs in [false, true] {
            let server = Server::new(engine);
            let replica = || match signs {
                true => replica(&server, engine),
                false => Client::new(&server, engine),
            };
            let (one, other) = (replica(), replica());
            other.check(&check("doc", "ada", None)).await;
            server.calls();
            let (mut head_reads, mut calls) = (0, 0);
            for nth in 0..WRITES {
                let views = nth % 2 == 0;
                let token = write(&one, "doc", "ada", views).await;
                for question in ["doc", "other", "doc"] {
                    let reply = other
                        .metadata("zookie", &token)
                        .check(&check(question, "ada", None))
                        .await;
                    assert_eq!(reply.has(), views && question == "doc");
                }
                let made = server.calls();
                unsigned(&made);
                head_reads += heads(&made);
                calls += made.iter().filter(|call| call.method == "CheckPermission").count();
                server.quantize();
                advance(Duration::from_millis(50)).await;
            }
            println!(
                "SpiceDB on {engine:?}, {WRITES} writes at one replica, 3 checks each at the other, signed: {signs}: \
                 {head_reads} fully consistent reads of {calls} calls"
            );
            counted.push((head_reads, calls));
        }
        let [(heads_without, _), (heads_with, calls)] = counted[..] else {
            unreachable!()
        };
        assert_eq!((heads_without, heads_with), (WRITES, 0));
        assert!(calls <= 2 * WRITES + 10);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_token_without_a_right_signature_is_rejected() {
    let server = Server::new(Engine::Postgres);
    let by_other_key = |id| Signing::new(key(id, 9));
    let now = SystemTime::now();
    let hour = Duration::from_secs(3600);
    let client = replica_with(&server, Engine::Postgres, signing().accept(key("k2", 2)).max_age(hour));
    let token = client.set("plan", "ada", true).await;
    let zookie = Zookie::new(&token, 4096).unwrap();
    let signed = sign(&token);
    server.calls();
    for (bad, name) in [
        (by_other_key("k1").sign(&zookie).to_string(), "zookie-wrong-signature"),
        (signed.replacen(".k1.", ".k2.", 1), "zookie-wrong-signature"),
        (
            signing().purpose("other").sign(&zookie).to_string(),
            "zookie-wrong-signature",
        ),
        (format!("{signed}A"), "zookie-wrong-signature"),
        (signed[..signed.len() - 2].to_owned(), "zookie-wrong-signature"),
        (signed[..30].to_owned(), "zookie-malformed"),
        (by_other_key("gone").sign(&zookie).to_string(), "zookie-unknown-key"),
        (signing().sign_at(&zookie, now - 2 * hour).to_string(), "zookie-too-old"),
        (signing().sign_at(&zookie, now + hour).to_string(), "zookie-from-future"),
        (sign("bm90IGEgdG9rZW4="), "zookie-malformed"),
    ] {
        let status = format!("tower-zookie; detail=\"rejected: {name}\"");
        let explicit = client.metadata("zookie", &bad).check(&check("plan", "ada", None)).await;
        assert_eq!(
            (explicit.status(), explicit.cache_status()),
            (INVALID_ARGUMENT, &*status)
        );
        if name != "zookie-malformed" {
            let in_message = client.check(&check("plan", "ada", at_least(&bad))).await;
            assert_eq!(
                (in_message.status(), in_message.cache_status()),
                (INVALID_ARGUMENT, &*status)
            );
        }
        assert!(server.calls().is_empty(), "{name}");
        // A browser sends its cookie by itself.
        let cookie = client.cookie(&bad).check(&check("plan", "ada", None)).await;
        assert!(
            cookie.has() && cookie.header("set-cookie").unwrap().starts_with("zookie=zs1."),
            "{name}"
        );
        let calls = asked(server.calls());
        unsigned(&calls);
        assert_eq!((calls.len(), heads(&calls)), (1, 1), "{name}");
    }
    let refused = client.handle().stats().tokens_refused;
    assert_eq!((refused.wrong_signature, refused.unknown_key), (15, 3));
    assert_eq!((refused.too_old, refused.from_future), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_layer_without_a_key_rejects_signed_tokens() {
    let server = Server::new(Engine::Postgres);
    let client = Client::new(&server, Engine::Postgres);
    let signed = sign(&client.set("plan", "ada", true).await);
    server.calls();
    for reply in [
        client
            .metadata("zookie", &signed)
            .check(&check("plan", "ada", None))
            .await,
        client.check(&check("plan", "ada", at_least(&signed))).await,
    ] {
        assert_eq!(
            reply.cache_status(),
            "tower-zookie; detail=\"rejected: zookie-unknown-key\""
        );
    }
    assert!(server.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_signed_token_of_another_datastore_stays_foreign() {
    let server = Server::new(Engine::Postgres);
    let client = replica(&server, Engine::Postgres);
    client.set("plan", "ada", true).await;
    let foreign = server.token_of(5000, "anothers");
    let rejected = client
        .metadata("zookie", &sign(&foreign))
        .check(&check("plan", "ada", None))
        .await;
    assert_eq!(
        rejected.cache_status(),
        "tower-zookie; detail=\"rejected: zookie-foreign\""
    );
    let in_message = client.check(&check("plan", "ada", at_least(&sign(&foreign)))).await;
    assert!(
        in_message.has() && !in_message.is_hit(),
        "SpiceDB judges it, and answers at head"
    );
    unsigned(&server.calls());
    assert_eq!(client.handle().stats().warnings.values().sum::<u64>(), 0);
    assert!(client.check(&check("plan", "ada", None)).await.has());
}

#[tokio::test(start_paused = true)]
async fn rule_08_only_named_revisions_are_signed() {
    let server = Server::new(Engine::Postgres);
    let client = replica(&server, Engine::Postgres);
    server.jump(2000);
    let granted = client.set("plan", "ada", true).await;
    client.check(&check("map", "ada", full())).await;
    // A snapshot of a caller's making, which SpiceDB answers at.
    let forged = server.token(1500);
    for consistency in [exactly(&forged), at_least(&forged)] {
        let reply = client.check(&check("plan", "ada", consistency)).await;
        assert_eq!(reply.status(), OK);
        let carried = reply.header("zookie").unwrap();
        assert_eq!(carried.starts_with("zs1."), !carried.ends_with(&forged), "{carried}");
    }
    let reply = client.check(&check("plan", "ada", at_least(&granted))).await;
    assert!(reply.header("zookie").unwrap().starts_with("zs1."));
}

#[tokio::test(start_paused = true)]
async fn rule_09_no_signature_comes_upstream() {
    let server = Server::new(Engine::Postgres);
    let (one, other) = (replica(&server, Engine::Postgres), replica(&server, Engine::Postgres));
    let token = one.set("plan", "ada", true).await;
    let signed = sign(&token);
    server.calls();
    let lookup = |consistency, cursor| LookupResourcesRequest {
        consistency,
        resource_object_type: "document".to_owned(),
        permission: "view".to_owned(),
        subject: user("ada"),
        optional_limit: 0,
        optional_cursor: cursor,
        ..LookupResourcesRequest::default()
    };
    let check_in_message = check("plan", "ada", at_least(&signed));
    assert!(other.check(&check_in_message).await.has());
    assert!(other.check(&check_in_message).await.is_hit());
    assert!(other.check(&check("plan", "ada", exactly(&signed))).await.has());
    other
        .bulk(&bulk(&[("plan", "ada"), ("map", "ada")], at_least(&signed)))
        .await;
    for other in [
        other.metadata("zookie", &signed),
        other.cookie(&signed),
        other.metadata("range", "1"),
    ] {
        other.check(&check("plan", "bob", at_least(&signed))).await;
        for method in [
            "PermissionsService/LookupResources",
            "PermissionsService/ExpandPermissionTree",
            "Unknown/Method",
        ] {
            other.call(method, &lookup(at_least(&signed), None)).await;
            other.call(method, &lookup(None, None)).await;
        }
        other.write("plan", "ada", true).await;
    }
    let calls = server.calls();
    assert!(calls.len() > 20, "{}", calls.len());
    // What no protocol claims is not read: only its metadata is without signatures.
    let claimed: Vec<Called> = calls
        .into_iter()
        .filter(|call| !call.method.contains("Method"))
        .collect();
    unsigned(&claimed);
    // A message that can't be read can't be rewritten.
    let mut twice = check_in_message.encode_to_vec();
    twice.extend(check_in_message.encode_to_vec());
    let reply = other.send("PermissionsService/CheckPermission", frame(&twice)).await;
    assert_eq!(reply.status(), UNIMPLEMENTED);
    assert_eq!(
        reply.cache_status(),
        "tower-zookie; detail=\"rejected: signed-zookie-in-unreadable-message\""
    );
    assert!(server.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_restored_store_ends_what_was_signed_before() {
    let server = Server::new(Engine::Postgres);
    let (one, other) = (replica(&server, Engine::Postgres), replica(&server, Engine::Postgres));
    server.jump(2000);
    let lost = write(&one, "plan", "ada", true).await;
    server.quantize();
    other.check(&check("map", "ada", full())).await;
    advance(Duration::from_millis(500)).await;
    server.restore(1500);
    for _ in 0..2 {
        other.check(&check("map", "somebody", full())).await;
        advance(Duration::from_millis(5100)).await;
    }
    // The replica has seen that the store was restored. The signature is right, and proves nothing any more.
    other.check(&check("map", "ada", None)).await;
    server.calls();
    let reply = other.metadata("zookie", &lost).check(&check("plan", "ada", None)).await;
    assert!(!reply.is_hit(), "{}", reply.cache_status());
    assert!(heads(&server.calls()) > 0, "it is asked as an unsigned token is");
    if let Some(carried) = reply.header("zookie") {
        assert!(!carried.ends_with(lost.rsplit('.').next().unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_signed_token_ends_no_epoch() {
    // Its revision lies above what this replica's heads reach, as when another region has written.
    let server = Server::new(Engine::CockroachDb);
    let client = replica(&server, Engine::CockroachDb);
    client.check(&check("plan", "ada", full())).await;
    let ahead = sign(&server.token(3_000_000_000_000_000_000));
    for _ in 0..4 {
        client
            .metadata("zookie", &ahead)
            .check(&check("map", "ada", None))
            .await;
        client.check(&check("plan", "ada", full())).await;
        advance(Duration::from_secs(6)).await;
    }
    client.check(&check("plan", "ada", None)).await;
    let reply = client.check(&check("plan", "ada", None)).await;
    assert!(reply.is_hit(), "{}", reply.cache_status());
    assert_eq!(
        client
            .handle()
            .stats()
            .warnings
            .get("store_replaced")
            .copied()
            .unwrap_or(0),
        0
    );
}

/// How an attacker makes a token out of signed ones and of its own.
#[derive(Clone, Debug)]
enum Made {
    Replayed(usize),
    /// A signed token's signature before a token of its own making.
    Moved(usize, u64),
    /// A token of its own making, without a signature.
    Unsigned(u64),
    /// Signed with a key of its own.
    OwnKey(u64),
    Changed(usize, prop::sample::Index, u8),
}

fn made() -> impl Strategy<Value = Made> {
    let number = || 900_u64..1200;
    prop_oneof![
        (0_usize..8).prop_map(Made::Replayed),
        ((0_usize..8), number()).prop_map(|(of, number)| Made::Moved(of, number)),
        number().prop_map(Made::Unsigned),
        number().prop_map(Made::OwnKey),
        ((0_usize..8), any::<prop::sample::Index>(), b'0'..b'z').prop_map(|(of, at, byte)| Made::Changed(of, at, byte)),
    ]
}

#[test]
fn rule_08_no_attacker_makes_a_revision_named() {
    let steps = proptest::collection::vec((made(), 0_usize..4, any::<bool>()), 1..24);
    model::each("signed tokens", 200, &steps, async |steps| {
        let server = Server::new(Engine::Postgres);
        let (one, other) = (replica(&server, Engine::Postgres), replica(&server, Engine::Postgres));
        let mut issued = Vec::new();
        for nth in 0..8 {
            issued.push(write(&one, "plan", "ada", nth % 2 == 0).await);
            server.jump(1020 + nth * 20);
            server.quantize();
        }
        other.check(&check("map", "ada", None)).await;
        let named = |text: &str| issued.iter().any(|known| known.ends_with(&format!(".{text}")));
        for (made, how, exact) in steps {
            let text = match made {
                Made::Replayed(of) => issued[of].clone(),
                Made::Moved(of, number) => {
                    let (signature, _) = issued[of].rsplit_once('.').unwrap();
                    format!("{signature}.{}", server.token(number))
                }
                Made::Unsigned(number) => server.token(number),
                Made::OwnKey(number) => {
                    let zookie = Zookie::new(&server.token(number), 4096).unwrap();
                    Signing::new(key("k1", 7)).sign(&zookie).to_string()
                }
                Made::Changed(of, at, byte) => {
                    let mut bytes = issued[of].clone().into_bytes();
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                    String::from_utf8(bytes).unwrap()
                }
            };
            let consistency = if exact { exactly(&text) } else { at_least(&text) };
            let attacker: Reply = match how {
                0 => other.metadata("zookie", &text).check(&check("plan", "ada", None)).await,
                1 => other.cookie(&text).check(&check("plan", "ada", None)).await,
                2 => {
                    other
                        .metadata("cookie", &format!("zookie={}", issued[0]))
                        .metadata("zookie", &text)
                        .check(&check("plan", "bob", None))
                        .await
                }
                _ => other.check(&check("plan", "ada", consistency)).await,
            };
            // What is signed was named by the store: in a write's reply, or in one whose revision it chose itself.
            for reply in [&attacker, &other.check(&check("plan", "ada", None)).await] {
                let Some(carried) = reply.header("zookie").filter(|text| text.starts_with("zs1.")) else {
                    continue;
                };
                let inner = carried.splitn(5, '.').last().unwrap();
                let point = server.point(inner);
                let is_own = |answered: &Answered| answered.chosen != Chosen::Echoed && answered.point == point;
                let chosen = server.state().answered.iter().any(is_own);
                prop_assert!(named(inner) || chosen, "signed: {inner}, made as {text}");
                let verified = signing().verify(carried).unwrap();
                prop_assert_eq!(verified.zookie.as_str(), inner);
            }
        }
        unsigned(&server.calls());
        Ok(())
    });
}
