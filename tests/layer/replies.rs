//! What callers get, and what of it is stored.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::time::sleep;
use tower::Layer;
use tower_zookie::ZookieLayer;
use tower_zookie_testing::scripted::{Client, Trouble, Upstream, both};

#[tokio::test(start_paused = true)]
async fn rule_11_a_hit_contains_nothing_of_another_caller() {
    let upstream = Upstream::new();
    for (name, value) in [
        ("set-cookie", "session=alice"),
        ("x-request-id", "alices"),
        ("etag", "\"1\""),
        ("x-powered-by", "scripts"),
        ("via", "1.1 alice"),
    ] {
        upstream.extra_header(name, value);
    }
    let client = Client::new(&upstream);
    let own = client.check("a").send().await;
    assert_eq!(own.header("set-cookie"), Some("session=alice"));
    assert_eq!(own.header("server"), Some("scripted"));
    let hit = client.check("a").header("x-request-id", "bobs").send().await;
    assert!(hit.is_hit());
    let mut names: Vec<_> = hit.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["cache-control", "cache-status", "content-type", "zookie"]);
    assert_eq!(hit.body, own.body);
}

#[tokio::test(start_paused = true)]
async fn request_ids_are_echoed_where_the_api_promises_it() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let asked = json!({ "subject": {}, "action": {}, "resource": {} });
    for id in ["1", "2"] {
        let reply = client
            .post("/access/v1/evaluation", &asked)
            .header("x-request-id", id)
            .send()
            .await;
        assert_eq!(reply.header("x-request-id"), Some(id));
    }
    assert_eq!(upstream.calls(), 1);
    let reply = client.post("/access/v1/evaluation", &asked).send().await;
    assert_eq!((reply.is_hit(), reply.header("x-request-id")), (true, None));
}

#[tokio::test(start_paused = true)]
async fn rule_11_replies_that_vary_or_forbid_it_are_not_stored() {
    for (name, value) in [
        ("vary", "accept-language"),
        ("vary", "*"),
        ("cache-control", "no-store"),
        ("cache-control", "max-age=1, No-Store"),
        ("cache-control", "private"),
        ("cache-control", "no-cache"),
        ("cache-control", "No-Cache=\"set-cookie\""),
        ("cache-control", "max-age=0, must-revalidate"),
        ("cache-control", "max-age=60, s-maxage=0"),
        ("cache-control", "max-age=a"),
        ("cache-control", "max-age"),
        ("expires", "0"),
        ("expires", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        let upstream = Upstream::new();
        upstream.extra_header(name, value);
        let client = Client::new(&upstream);
        for _ in 0..2 {
            let reply = client.check("a").send().await;
            assert_eq!(
                (reply.outcome(), reply.header("cache-control")),
                ("fwd=miss", Some("no-store"))
            );
        }
        assert_eq!(upstream.calls(), 2, "{name}: {value}");
        let stats = client.layer.handle().stats();
        assert_eq!(
            (stats.not_stored_by_reply, stats.kept_shorter),
            (2, 0),
            "{name}: {value}"
        );
    }
}

/// The upstream's replies are dated 1970.
#[tokio::test(start_paused = true)]
async fn rule_12_a_replys_own_lifetime_limits_its_entry() {
    for headers in [
        &[("cache-control", "public, max-age=2")][..],
        &[("cache-control", "Max-Age=\"2\"")],
        &[("cache-control", "max-age=2, max-age=4")],
        &[("cache-control", "max-age=4, s-maxage=2")],
        &[("cache-control", "max-age=0, s-maxage=2")],
        &[("cache-control", "max-age=4"), ("age", "2")],
        &[("expires", "Thu, 01 Jan 1970 00:00:02 GMT")],
        &[("expires", "Thu, 01 Jan 1970 00:00:04 GMT"), ("age", "2")],
        &[("expires", "0"), ("cache-control", "max-age=2")],
    ] {
        let upstream = Upstream::new();
        headers
            .iter()
            .for_each(|(name, value)| upstream.extra_header(name, value));
        let client = Client::new(&upstream);
        upstream.hold();
        let first = client.check("a").spawn();
        sleep(Duration::from_millis(500)).await;
        upstream.release();
        assert_eq!(
            first.await.unwrap().unwrap().outcome(),
            "fwd=miss; stored",
            "{headers:?}"
        );
        sleep(Duration::from_millis(1499)).await;
        assert!(client.check("a").send().await.is_hit(), "{headers:?}");
        sleep(Duration::from_millis(1)).await;
        let over = client.check("a").send().await;
        assert_eq!(
            over.outcome(),
            "fwd=stale; stored",
            "{headers:?}, counted from the call's start"
        );
        let stats = client.layer.handle().stats();
        assert_eq!((stats.not_stored_by_reply, stats.kept_shorter), (0, 2), "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_12_a_replys_long_lifetime_extends_nothing() {
    let upstream = Upstream::new();
    upstream.extra_header("cache-control", "max-age=99999999999999999999, no-transform");
    let client = Client::new(&upstream);
    client.check("a").send().await;
    assert!(client.check("a").send().await.is_hit());
    sleep(Duration::from_secs(6)).await;
    assert!(!client.check("a").send().await.is_hit());
    assert_eq!(client.layer.handle().stats().kept_shorter, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_11_vary_origin_is_stored_for_requests_without_one() {
    let upstream = Upstream::new();
    upstream.extra_header("vary", "Origin");
    let client = Client::new(&upstream);
    client.check("a").send().await;
    assert!(client.check("a").send().await.is_hit());
    for _ in 0..2 {
        let reply = client.check("a").header("origin", "https://a.example").send().await;
        assert_eq!(reply.outcome(), "fwd=miss");
    }
    assert_eq!(upstream.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn rule_11_errors_are_forwarded_and_not_stored() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    for status in [403, 404, 429, 500, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        upstream.trouble(Trouble::Status(status));
        let reply = client.check("a").send().await;
        assert_eq!((reply.status, &*reply.body), (status, &b"no"[..]));
        assert_eq!(
            (reply.outcome(), reply.header("cache-control")),
            ("fwd=miss", Some("no-store"))
        );
    }
    upstream.trouble(None);
    assert_eq!(client.check("a").send().await.outcome(), "fwd=miss; stored");
}

#[tokio::test(start_paused = true)]
async fn a_second_layer_outside_still_caches() {
    let upstream = Upstream::new();
    let layer = || ZookieLayer::builder(both()).build().unwrap();
    let outer = layer();
    let service = outer.layer(layer().layer(upstream.clone()));
    let check = || async {
        let request = http::Request::get("/check?resource=a")
            .body(http_body_util::Full::<bytes::Bytes>::default())
            .unwrap();
        tower::ServiceExt::oneshot(service.clone(), request).await.unwrap()
    };
    check().await;
    let response = check().await;
    assert_eq!(response.headers()["cache-status"], "tower-zookie; hit");
    assert_eq!(outer.handle().stats().hits, 1);

    upstream.extra_header("cache-control", "no-store");
    outer.handle().purge();
    let check = || async {
        let request = http::Request::get("/check?resource=b")
            .body(http_body_util::Full::<bytes::Bytes>::default())
            .unwrap();
        tower::ServiceExt::oneshot(service.clone(), request).await.unwrap()
    };
    check().await;
    check().await;
    assert_eq!(
        upstream.calls(),
        3,
        "neither layer stores what the upstream forbids to store"
    );
}

#[tokio::test(start_paused = true)]
async fn every_cache_status_states_its_reason() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let outcomes = [
        (client.check("a"), "fwd=miss; stored"),
        (client.check("a"), "hit"),
        (client.check("a").consistency("fully-consistent"), "fwd=request; stored"),
        (client.check("a").zookie(1).consistency("at-exact-snapshot"), "hit"),
        (
            client.check("b").zookie(1).consistency("at-exact-snapshot"),
            "fwd=request; stored",
        ),
        (client.get("/check?resource=a&resource=b"), "fwd=bypass"),
        (client.post("/relationships", &json!({ "grant": "a" })), "fwd=method"),
        (client.check("a").zookie(2), "fwd=stale; stored"),
    ];
    for (request, outcome) in outcomes {
        let reply = request.send().await;
        assert_eq!(reply.outcome(), outcome);
        assert!(
            reply.is_hit() || reply.cache_status().contains("; detail=\""),
            "{}",
            reply.cache_status()
        );
        if outcome != "fwd=method" {
            assert_eq!(reply.header("cache-control"), Some("no-store"));
        }
    }
    upstream.hold();
    let (first, second) = (client.check("c").spawn(), client.check("c").spawn());
    tokio::task::yield_now().await;
    upstream.release();
    assert_eq!(first.await.unwrap().unwrap().outcome(), "fwd=miss; stored");
    assert_eq!(second.await.unwrap().unwrap().outcome(), "fwd=miss; collapsed");
    let stats = client.layer.handle().stats();
    assert_eq!((stats.coalesced, stats.bypassed), (1, 1));
}
