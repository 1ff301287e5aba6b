//! Which callers share an answer.

use std::time::Duration;

use tokio::time::{Instant, advance};
use tower_zookie::token::RevisionToken;
use tower_zookie::{ZookieLayer, ZookieLayerBuilder};
use tower_zookie_testing::scripted::{Both, Client, Sent, Upstream, both, z};

async fn mallory_misses(alice: impl Fn(&Client) -> Sent<Both>, mallory: &[(&'static str, &str)]) {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| {
        builder.credential_headers(["x-user".parse().unwrap()])
    });
    upstream.grant("a");
    assert!(alice(&client).send().await.allowed());
    assert!(alice(&client).send().await.is_hit());
    let mut request = client.check("a");
    for (name, value) in mallory {
        request = request.header(name, value);
    }
    let reply = request.send().await;
    assert_eq!(reply.outcome(), "fwd=miss; stored", "{mallory:?}");
}

#[tokio::test(start_paused = true)]
async fn rule_10_callers_with_other_credentials_share_nothing() {
    for (name, alices, mallorys) in [
        ("authorization", "Bearer alice", "Bearer mallory"),
        ("proxy-authorization", "Basic alice", "Basic mallory"),
        ("cookie", "session=alice", "session=mallory"),
        ("cookie", "session=alice", "session=alice; more=1"),
        ("x-user", "alice", "mallory"),
        ("host", "alice.example", "mallory.example"),
        ("accept", "application/json", "text/html"),
        ("accept-encoding", "gzip", "br"),
        ("x-forwarded-host", "alice.example", "mallory.example"),
        ("x-forwarded-prefix", "/alice", "/mallory"),
    ] {
        let alice = |client: &Client| client.check("a").header(name, alices);
        mallory_misses(alice, &[(name, mallorys)]).await;
        mallory_misses(alice, &[]).await;
        mallory_misses(|client: &Client| client.check("a"), &[(name, mallorys)]).await;
        mallory_misses(alice, &[(name, alices), (name, mallorys)]).await;
    }
    let moved = |client: &Client| client.check("a").header("authorization", "alice");
    mallory_misses(moved, &[("proxy-authorization", "alice")]).await;
    mallory_misses(moved, &[("cookie", "alice")]).await;
}

#[tokio::test(start_paused = true)]
async fn rule_10_the_authority_of_http_2_is_in_the_key() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.get("http://alice.example/check?resource=a").send().await;
    assert!(
        client
            .get("http://alice.example/check?resource=a")
            .send()
            .await
            .is_hit()
    );
    assert!(
        !client
            .get("http://mallory.example/check?resource=a")
            .send()
            .await
            .is_hit()
    );
}

#[tokio::test(start_paused = true)]
async fn rule_10_zookies_and_request_ids_are_never_in_the_key() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let session = |zookie: &str| client.check("a").header("cookie", &format!("session=alice{zookie}"));
    session("").send().await;
    let one = z(1);
    assert!(session(&format!("; zookie={one}")).send().await.is_hit());
    let reply = client
        .check("a")
        .header("cookie", &format!("zookie={one}; session=alice"))
        .send()
        .await;
    assert!(reply.is_hit());
    let reply = session("")
        .zookie(1)
        .header("x-request-id", "7")
        .header("traceparent", "x")
        .send()
        .await;
    assert!(reply.is_hit());
}

#[derive(Clone)]
struct Peer(&'static str, Option<Instant>);

type Builder = ZookieLayerBuilder<Both>;

fn with_peers(upstream: &Upstream, set: impl FnOnce(Builder) -> Builder) -> Client {
    let builder = ZookieLayer::builder(both()).credentials(|extensions, credential| {
        if let Some(Peer(name, ends)) = extensions.get() {
            credential.identify(name.as_bytes());
            ends.iter().for_each(|ends| credential.ends_at(ends.into_std()));
        }
    });
    Client::of(upstream, set(builder))
}

#[tokio::test(start_paused = true)]
async fn rule_10_an_extractor_separates_callers() {
    let upstream = Upstream::new();
    let client = with_peers(&upstream, |builder| builder);
    let peer = |name| client.check("a").extension(Peer(name, None));
    peer("alice").send().await;
    assert!(peer("alice").send().await.is_hit());
    assert!(!peer("mallory").send().await.is_hit());
    assert!(!client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_cookie_is_not_mistaken_for_a_peer() {
    let upstream = Upstream::new();
    let client = with_peers(&upstream, |builder| builder);
    client.check("a").extension(Peer("alice", None)).send().await;
    let reply = client.check("a").header("cookie", "alice").send().await;
    assert_eq!(reply.outcome(), "fwd=miss; stored");
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_header_value_is_not_mistaken_for_a_name() {
    let upstream = Upstream::new();
    let user = "x-user".parse().unwrap();
    let client = with_peers(&upstream, |builder| builder.credential_headers([user]));
    client.check("a").header("x-user", "alice").send().await;
    let mallory = client
        .check("a")
        .header("host", "x-user")
        .extension(Peer("alice", None));
    assert_eq!(mallory.send().await.outcome(), "fwd=miss; stored");
}

#[tokio::test(start_paused = true)]
async fn rule_12_an_entry_expires_with_its_credential() {
    let upstream = Upstream::new();
    let client = with_peers(&upstream, |builder| builder);
    let ends = Instant::now() + Duration::from_secs(2);
    let peer = || client.check("a").extension(Peer("alice", Some(ends)));
    peer().send().await;
    advance(Duration::from_millis(1999)).await;
    assert!(peer().send().await.is_hit());
    advance(Duration::from_millis(1)).await;
    assert!(!peer().send().await.is_hit());
    assert!(
        !peer().send().await.is_hit(),
        "what a credential brought that is over is over at once"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_01_a_reply_under_an_expired_credential_is_compared_with_the_token() {
    let upstream = Upstream::new();
    let client = with_peers(&upstream, |builder| builder);
    upstream.grant("a");
    upstream.send_zookies(false);
    upstream.extra_header("zookie", &z(1));
    let ended = || Peer("alice", Some(Instant::now()));
    let check = client.check("b").extension(ended()).zookie(2).send().await;
    let bulk = client.bulk(&["b", "c"], None).extension(ended()).zookie(2).send().await;
    for reply in [check, bulk] {
        assert_eq!(reply.status.as_u16(), 503, "{}", reply.cache_status());
    }
    let another = RevisionToken::new("another", 9).encode();
    upstream.extra_header("zookie", &another);
    let foreign = client.check("b").extension(ended()).zookie(2).send().await;
    assert_eq!(foreign.status.as_u16(), 400, "{}", foreign.cache_status());
}

#[tokio::test(start_paused = true)]
async fn rule_12_an_expired_credential_is_only_forwarded() {
    let upstream = Upstream::new();
    let client = with_peers(&upstream, |builder| builder);
    let valid = || Peer("alice", None);
    let ended = || Peer("alice", Some(Instant::now()));
    client.check("a").extension(valid()).send().await;
    client.bulk(&["a"], None).extension(valid()).send().await;
    for request in [client.check("a").zookie(1), client.bulk(&["a", "b"], None).zookie(1)] {
        let reply = request.extension(ended()).send().await;
        assert_eq!((reply.status.as_u16(), reply.outcome()), (200, "fwd=bypass"));
        assert!(reply.cache_status().contains("credential"), "{}", reply.cache_status());
        assert_eq!(upstream.last().header("zookie"), Some(&*z(1)));
    }
    let evaluations = serde_json::from_slice::<serde_json::Value>(&upstream.last().body).unwrap();
    assert_eq!(evaluations["evaluations"].as_array().unwrap().len(), 2);

    let before = upstream.calls();
    upstream.hold();
    let waiting = [ended(), valid(), ended(), valid()].map(|peer| client.check("b").extension(peer).spawn());
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(upstream.calls() - before, 3, "only the valid ones share a call");
    upstream.release();
    for reply in waiting {
        assert!(reply.await.unwrap().unwrap().status.is_success());
    }
    client.check("c").extension(ended()).send().await;
    let reply = client.check("c").extension(valid()).send().await;
    assert_eq!(
        reply.outcome(),
        "fwd=miss; stored",
        "no answer of the expired credential was stored"
    );
    assert!(client.check("a").extension(valid()).send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_10_a_hop_by_hop_credential_makes_a_bypass() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    for (names, readable) in [
        ("keep-alive", true),
        ("Close, TE", true),
        ("upgrade, HTTP2-Settings", true),
        ("authorization", false),
        ("keep-alive, Authorization", false),
        ("close,x-user", false),
    ] {
        let request = || {
            let check = client.check("a").header("authorization", names);
            check.header("connection", names)
        };
        request().send().await;
        let again = request().send().await;
        assert_eq!(again.is_hit(), readable, "{names}");
        assert_eq!(again.outcome().starts_with("fwd=bypass"), !readable, "{names}");
    }
}

const OVERRIDING: [&str; 5] = [
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

#[tokio::test(start_paused = true)]
async fn rule_10_a_method_or_path_override_makes_a_bypass() {
    for name in OVERRIDING {
        let upstream = Upstream::new();
        let client = Client::new(&upstream);
        client.check("a").send().await;
        for value in ["/check?resource=b", "", "GET"] {
            let reply = client.check("a").header(name, value).zookie(1).send().await;
            assert_eq!(reply.outcome(), "fwd=bypass", "{name}: {value}");
            assert_eq!(upstream.last().header("zookie"), Some(&*z(1)));
        }
        let reply = client.bulk(&["a"], None).header(name, "PUT").send().await;
        assert_eq!(reply.outcome(), "fwd=bypass", "{name}");
        let granted = serde_json::json!({ "grant": "a" });
        let reply = client.post("/relationships", &granted).header(name, "GET").send().await;
        assert_eq!(reply.outcome(), "fwd=bypass", "{name}: it may not have been a write");
        assert_eq!(client.layer.handle().newest_revision().unwrap().as_str(), z(1));
    }
}

#[tokio::test(start_paused = true)]
async fn rule_10_headers_named_by_a_setting_are_in_the_key() {
    let names = || OVERRIDING.map(|name| name.parse().unwrap());
    let set: [fn(Builder, Vec<http::HeaderName>) -> Builder; 2] = [
        |builder, names| builder.key_headers(names),
        |builder, names| builder.credential_headers(names),
    ];
    for set in set {
        let upstream = Upstream::new();
        let client = Client::with(&upstream, |builder| set(builder, names().to_vec()));
        for name in OVERRIDING {
            let check = |value| client.check("a").header(name, value);
            assert_eq!(check("/x").send().await.outcome(), "fwd=miss; stored", "{name}");
            assert!(check("/x").send().await.is_hit(), "{name}");
            assert!(!check("/y").send().await.is_hit(), "{name}");
        }
    }
}
