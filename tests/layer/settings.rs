//! The builder, and the ways to name a protocol.

use std::sync::Arc;
use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderName, StatusCode};
use tower_zookie::cache::Capabilities;
use tower_zookie::consistency::Staleness;
use tower_zookie::protocol::{AuthZen, CheckRoute, Protocol, Routes, Verdict, WriteRoute};
use tower_zookie::token::{Carrier, Carriers, InferaDb, OpaqueTokens, TokenFormat};
use tower_zookie::{ByteSize, OldTokens, ZookieLayer, ZookieLayerBuilder};
use tower_zookie_testing::scripted::{Both, Client, Upstream, both, routes, z};

#[test]
fn rule_15_every_setting_of_the_layer_is_checked() {
    type Set = fn(ZookieLayerBuilder<Both>) -> ZookieLayerBuilder<Both>;
    const MORE_THAN_A_DAY: Duration = Duration::from_secs(24 * 60 * 60 + 1);
    let wrong: [(Set, &str); 16] = [
        (|b| b.max_request_body(ByteSize::bytes(0)), "max_request_body"),
        (|b| b.max_reply_body(ByteSize::bytes(0)), "max_reply_body"),
        (|b| b.read_timeout(Duration::ZERO), "read_timeout"),
        (|b| b.read_timeout(MORE_THAN_A_DAY), "read_timeout"),
        (|b| b.max_token_len(ByteSize::bytes(0)), "max_token_len"),
        (|b| b.max_token_len(ByteSize::bytes((16 << 10) + 1)), "max_token_len"),
        (|b| b.token_memo(ByteSize::bytes((1 << 30) + 1)), "token_memo"),
        (|b| b.token_memo(ByteSize::bytes(u64::MAX)), "token_memo"),
        (
            |b| b.oldest_token(Duration::from_secs(5), OldTokens::Reject),
            "oldest_token",
        ),
        (|b| b.carriers(Carriers::default().max_tokens(0)), "max_tokens"),
        (
            |b| b.carriers(Carriers::default().max_age(Duration::from_millis(999))),
            "max_age",
        ),
        (|b| b.cache(|cache| cache.capacity(ByteSize::bytes(1))), "capacity"),
        (
            |b| b.cache(|cache| cache.window(Duration::ZERO, Staleness::percent(1))),
            "window",
        ),
        (
            |b| b.cache(|cache| cache.window(Duration::from_secs(5), Staleness::percent(101))),
            "window",
        ),
        (
            |b| b.cache(|cache| cache.flight_timeout(Duration::ZERO)),
            "flight_timeout",
        ),
        (|b| b.cache(|cache| cache.max_flights(0, 0)), "max_flights"),
    ];
    for (set, name) in wrong {
        let error = set(ZookieLayer::builder(both())).build().unwrap_err();
        assert_eq!(error.setting(), name);
        let text = error.to_string();
        assert!(text.starts_with(name), "{text}");
        assert!(text.contains("; "), "it does not say what to do: {text}");
    }
    assert!(ZookieLayer::builder(both()).build().is_ok());
}

#[test]
fn rule_17_settings_that_contradict_each_other_are_named() {
    type Set = fn(ZookieLayerBuilder<Both>) -> ZookieLayerBuilder<Both>;
    let wrong: [(Set, &str); 9] = [
        (
            |b| b.oldest_token(Duration::from_secs(5), OldTokens::Reject),
            "oldest_token has an age of 5s, less than 5.5s, the greatest age of an answer; \
             choose 5.5s or more, or a shorter window",
        ),
        (
            |b| b.cache(|cache| cache.time_to_live(Duration::from_secs(1))),
            "time_to_live is 1s, less than the window's interval of 5s; choose 5s or more, or a shorter window",
        ),
        (
            |b| b.credential_headers([COOKIE]),
            "credential_headers names the header `cookie`, whose cookies are in the key anyway, except the zookie's; \
             leave it out, so that requests with other tokens share answers",
        ),
        (
            |b| b.key_headers([HeaderName::from_static("zookie")]),
            "key_headers names the header `zookie`, in which zookies travel; \
             leave it out, so that requests with other tokens share answers",
        ),
        (
            |b| b.key_headers([HeaderName::from_static("zookie-consistency")]),
            "key_headers names the header `zookie-consistency`, which says how fresh an answer must be; \
             leave it out, so that requests with other tokens share answers",
        ),
        (
            |b| {
                let place = Carrier::Header(HeaderName::from_static("x-at"));
                b.carriers(Carriers::new([place]).unwrap())
                    .credential_headers([HeaderName::from_static("x-at")])
            },
            "credential_headers names the header `x-at`, in which zookies travel; \
             leave it out, so that requests with other tokens share answers",
        ),
        (
            |b| b.carriers(Carriers::new([]).unwrap().max_age(Duration::from_secs(5))),
            "max_age is set, but zookies travel in no cookie; add a `Carrier::Cookie`, or leave it out",
        ),
        (
            |b| b.carriers(Carriers::new([Carrier::Query("at".into())]).unwrap().secure(true)),
            "secure is set, but zookies travel in no cookie; add a `Carrier::Cookie`, or leave it out",
        ),
        (
            |b| b.carriers(Carriers::default().max_tokens(0)),
            "max_tokens is 0, so every request with a token would be rejected; set it to 1 or more",
        ),
    ];
    for (set, message) in wrong {
        let error = set(ZookieLayer::builder(both())).build().unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(message.starts_with(error.setting()));
    }
}

#[test]
fn rule_17_a_protocol_needs_a_check_route() {
    let writes = || Routes::builder(InferaDb::new("test")).write(WriteRoute::post("/relationships"));
    let why = "protocol has no check route, so nothing would be answered from the cache; declare one, with `.check(…)`";
    let error = ZookieLayer::builder(writes().build().unwrap()).build().unwrap_err();
    assert_eq!((error.setting(), &*error.to_string()), ("protocol", why));
    let api: Arc<dyn Protocol> = Arc::new(writes().build().unwrap());
    assert_eq!(ZookieLayer::builder(api).build().unwrap_err().to_string(), why);
    // Beside an API that has checks, one with only writes makes sense.
    let api = (AuthZen::new(InferaDb::new("test")), writes().build().unwrap());
    assert!(ZookieLayer::builder(api).build().is_ok());
}

#[test]
fn rule_17_the_limits_of_a_token_format_are_checked() {
    fn message(format: impl TokenFormat) -> String {
        ZookieLayer::builder(AuthZen::new(format))
            .build()
            .unwrap_err()
            .to_string()
    }
    let length = "max_len is 0 bytes, so every token would be rejected; set it to 1 byte or more";
    assert_eq!(message(OpaqueTokens::new("test").max_len(ByteSize::bytes(0))), length);
    assert_eq!(message(InferaDb::new("test").max_len(ByteSize::bytes(0))), length);
    assert_eq!(
        message(InferaDb::cluster("test").max_nodes(0)),
        "max_nodes is 0, so every token would be rejected; set it to 1 or more"
    );
}

#[tokio::test(start_paused = true)]
async fn settings_of_the_cache_add_up() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| {
        builder
            .cache(|cache| cache.window(Duration::from_secs(60), Staleness::percent(0)))
            .cache(|cache| {
                cache
                    .capacity(ByteSize::mebi(1))
                    .time_to_live(Duration::from_secs(3600))
            })
    });
    client.check("a").send().await;
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(
        client.check("a").send().await.is_hit(),
        "the window of the first call counts"
    );
}

#[tokio::test(start_paused = true)]
async fn a_protocol_can_be_chosen_at_run_time() {
    let upstream = Upstream::new();
    let api: Arc<dyn Protocol> = Arc::new(routes());
    let client = Client::of(&upstream, ZookieLayer::builder(api));
    client.check("a").send().await;
    assert!(client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn clones_of_a_layer_share_a_cache_that_a_purge_empties() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let twin = Client {
        service: tower::Layer::layer(&client.layer.clone(), upstream.clone()),
        layer: client.layer.clone(),
    };
    client.check("a").send().await;
    assert!(twin.check("a").send().await.is_hit());
    twin.layer.handle().purge();
    assert_eq!(client.layer.handle().newest_revision(), None);
    assert!(!client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_05_without_revisions_only_tokenless_calls_hit() {
    let upstream = Upstream::new();
    upstream.send_zookies(false);
    let api = Routes::builder(InferaDb::new("test"))
        .capabilities(Capabilities::unversioned())
        .check(CheckRoute::get("/check").verdict(Verdict::json("allowed")))
        .build()
        .unwrap();
    let client = Client::of(&upstream, ZookieLayer::builder(api));
    client.check("a").send().await;
    let hit = client.check("a").send().await;
    assert_eq!((hit.is_hit(), hit.header("zookie")), (true, None));
    let reply = client.check("a").zookie(1).send().await;
    assert_eq!((reply.status, reply.is_hit()), (StatusCode::OK, false));
    assert_eq!(upstream.last().header("zookie"), Some(&*z(1)));
    assert!(
        !client.check("a").zookie(1).send().await.is_hit(),
        "the store never named that floor"
    );
    tokio::time::advance(Duration::from_secs(6)).await;
    assert!(!client.check("a").send().await.is_hit());
}
