//! Signed tokens in every carrier, and what is forwarded of them.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use serde_json::json;
use tower_zookie::token::{Signing, SigningKey, Zookie};
use tower_zookie::{ByteSize, OldTokens};
use tower_zookie_testing::scripted::{Client, Seen, Upstream, z};

fn signing() -> Signing {
    Signing::new(SigningKey::new("k1", [1; 32]).unwrap())
}

fn client(upstream: &Upstream) -> Client {
    Client::with(upstream, |builder| builder.signing(signing()))
}

fn signed(revision: u64) -> String {
    signing().sign(&Zookie::new(&z(revision), 4096).unwrap()).to_string()
}

fn of_query(text: &str) -> String {
    text.replace('=', "%3D")
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('.', "%2E")
}

fn unsigned(seen: &[Seen]) {
    for seen in seen {
        let everything = format!("{seen:?}").replace("%2E", ".");
        assert!(!everything.contains("zs1."), "{everything}");
        assert!(!seen.asked.as_ref().is_some_and(|asked| {
            asked
                .zookie
                .as_ref()
                .is_some_and(|zookie| Signing::is_signed(zookie.as_str()))
        }));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_signed_token_of_every_carrier_is_named() {
    for nth in 0..5 {
        let upstream = Upstream::new();
        let client = client(&upstream);
        client.check("other").send().await;
        let revision = upstream.grant("a");
        let token = signed(revision);
        let request = || match nth {
            0 => client.check("a").header("zookie", &token),
            1 => client.check("a").header("cookie", &format!("x=1; zookie={token}; y=2")),
            2 => client.get(&format!("/check?resource=a&zookie={}", of_query(&token))),
            3 => client.post("/allow", &json!({ "resource": "a", "at": token })),
            _ => client.check("a").header("zookie", &format!("{}, {token}", signed(1))),
        };
        let reply = request().send().await;
        assert_eq!((reply.status, reply.allowed()), (StatusCode::OK, true), "carrier {nth}");
        unsigned(&upstream.seen());
        let asked = upstream.last().header("zookie").map(str::to_owned);
        assert_eq!(asked, Some(z(revision)), "carrier {nth}: asked at it, and not at head");
        assert!(request().send().await.is_hit(), "carrier {nth}");
        let stats = client.layer.handle().stats();
        let all = |tokens: tower_zookie::cache::Tokens| [tokens.header, tokens.cookie, tokens.query, tokens.message];
        assert_eq!(all(stats.tokens), all(stats.tokens_signed), "carrier {nth}");
        assert_eq!(stats.token_age_seconds.count(), all(stats.tokens).iter().sum::<u64>());
    }
}

#[tokio::test(start_paused = true)]
async fn replies_carry_signed_tokens() {
    let upstream = Upstream::new();
    let client = client(&upstream);
    let stays = client.check("a").cookie(1).send().await;
    assert!(stays.header("zookie").unwrap().starts_with("zs1.k1.") && stays.header("set-cookie").is_none());
    let hit = client.check("a").send().await;
    assert!(hit.is_hit() && hit.header("zookie").unwrap().starts_with("zs1.k1."));
    let written = client.post("/relationships", &json!({ "grant": "a" })).send().await;
    let carried = written.header("zookie").unwrap();
    assert_eq!(signing().verify(carried).unwrap().zookie.as_str(), z(2));
    assert!(written.header("set-cookie").unwrap().starts_with("zookie=zs1.k1."));
    assert_eq!(written.json()["zookie"], z(2), "the message is the service's own");
}

#[tokio::test(start_paused = true)]
async fn rule_09_every_way_upstream_takes_signatures_off() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| {
        builder
            .signing(signing())
            .max_request_body(ByteSize::bytes(200))
            .forward_bad_tokens(true)
    });
    client.check("a").send().await;
    let token = signed(1);
    let (query, long) = (of_query(&token), "x".repeat(300));
    let before = upstream.calls();
    for request in [
        client.get(&format!("/unknown?token={query}&a=%2E")),
        client.post("/relationships", &json!({ "grant": "b" })),
        client.request("PUT", &format!("/schema?zookie={query}"), ""),
        client.check("b").header("range", "bytes=0-1"),
        client.check("b").header("x-http-method-override", "PUT"),
        client.check("b").consistency("fully-consistent"),
        client.check("b").consistency("at-exact-snapshot"),
        client
            .check("b")
            .header("signature", "sig=:AA==:")
            .header("signature-input", "sig=()"),
        client.check("b").header("cookie", "zookie=garbage!"),
        client.post("/allow", &json!({ "resource": "b", "more": long })),
        client.post("/allow", &json!({ "resource": "b", "at": "garbage!" })),
    ] {
        let uri_or_cookie = request
            .header("zookie", &token)
            .header("cookie", &format!("a=1;zookie={token}"));
        uri_or_cookie.send().await;
    }
    assert!(upstream.calls() - before >= 10, "{}", upstream.calls() - before);
    unsigned(&upstream.seen());
    let passed = upstream
        .seen()
        .into_iter()
        .find(|seen| seen.uri.path() == "/unknown")
        .unwrap();
    assert_eq!(passed.header("zookie"), Some(&*z(1)));
    assert_eq!(passed.uri.query(), Some(&*format!("token={}&a=%2E", of_query(&z(1)))));
    assert_eq!(
        passed.header("cookie"),
        Some(&*format!("a=1; zookie={}", of_query(&z(1))))
    );
}

#[tokio::test(start_paused = true)]
async fn what_has_no_signature_is_forwarded_byte_for_byte() {
    let upstream = Upstream::new();
    let client = client(&upstream);
    let cookie = "a=1;b=%2e ; zookie=x%2Ey;c";
    client
        .get("/unknown?zookie=%61&&token=a+b")
        .header("cookie", cookie)
        .header("zookie", "a,  b")
        .send()
        .await;
    let seen = upstream.last();
    assert_eq!(
        (seen.header("cookie"), seen.header("zookie")),
        (Some(cookie), Some("a,  b"))
    );
    assert_eq!(seen.uri, "/unknown?zookie=%61&&token=a+b");
}

#[tokio::test(start_paused = true)]
async fn rule_08_bad_signatures_are_rejected_though_bad_tokens_are_forwarded() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.signing(signing()).forward_bad_tokens(true));
    let forged = signed(1).replace("zs1.k1.1", "zs1.k1.2");
    let reply = client.check("a").header("zookie", &forged).send().await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        reply.cache_status(),
        "tower-zookie; detail=\"rejected: zookie-wrong-signature\""
    );
    assert_eq!(reply.json()["type"], "urn:tower-zookie:zookie-wrong-signature");
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_named_again_is_young_again() {
    let upstream = Upstream::new();
    let day = Duration::from_secs(24 * 3600);
    let client = Client::with(&upstream, |builder| builder.signing(signing().max_age(day)));
    client.check("a").send().await;
    let old = signing().sign_at(&Zookie::new(&z(1), 99).unwrap(), SystemTime::now() - day / 2);
    let reply = client.check("a").header("zookie", old.as_str()).send().await;
    let verified = signing().verify(reply.header("zookie").unwrap()).unwrap();
    assert!(
        verified.issued > SystemTime::now() - day / 4,
        "the store has named it here"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_08_a_replica_makes_no_token_younger_by_itself() {
    let upstream = Upstream::new();
    let client = client(&upstream);
    client.check("other").send().await;
    let revision = upstream.grant("a");
    upstream.pin(Some(1));
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let old = signing().sign_at(&Zookie::new(&z(revision), 99).unwrap(), hour_ago);
    let reply = client
        .check("a")
        .header("zookie", old.as_str())
        .consistency("at-exact-snapshot")
        .send()
        .await;
    assert_eq!(reply.header("zookie"), Some(old.as_str()));
}

#[tokio::test(start_paused = true)]
async fn settings_of_signing_are_checked() {
    use tower_zookie::ZookieLayer;
    use tower_zookie_testing::scripted::both;
    let repeated = signing().accept(SigningKey::new("k1", [2; 32]).unwrap());
    for signing in [repeated, signing().max_age(Duration::ZERO)] {
        let error = ZookieLayer::builder(both()).signing(signing).build().unwrap_err();
        assert_eq!(error.setting(), "signing");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cookie_that_is_too_long_with_its_signature_has_none() {
    let upstream = Upstream::new();
    let node = "n".repeat(1495);
    upstream.become_store(&node);
    let client = Client::with(&upstream, |builder| builder.signing(signing()));
    let written = client.post("/relationships", &json!({ "grant": "a" })).send().await;
    assert!(written.header("zookie").unwrap().starts_with("zs1."));
    assert!(written.header("set-cookie").unwrap().starts_with("zookie=eyJ"));
}

#[tokio::test(start_paused = true)]
async fn signed_tokens_age_as_others_do() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| {
        builder
            .signing(signing())
            .oldest_token(Duration::from_secs(60), OldTokens::Reject)
    });
    let first = client.check("a").send().await.header("zookie").unwrap().to_owned();
    upstream.grant("b");
    tokio::time::sleep(Duration::from_secs(10)).await;
    client.check("a").send().await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    client.check("b").send().await;
    let reply = client.check("a").header("zookie", &first).send().await;
    assert_eq!(reply.status, StatusCode::GONE);
}
