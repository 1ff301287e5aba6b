//! What the extractor `Asked` returns if the layer did not handle the request.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_zookie::{Asked, ZookieLayer};
use tower_zookie_testing::scripted::{both, z};

async fn report(asked: Asked) -> String {
    let zookie = asked
        .zookie
        .map_or("none".to_owned(), |zookie| zookie.as_str().to_owned());
    format!("{} {zookie}", asked.consistency)
}

async fn text<B: http_body::Body>(reply: Response<B>) -> (u16, String)
where
    B::Error: std::fmt::Debug,
{
    let status = reply.status().as_u16();
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

/// What a handler of an unclaimed path sees, behind the layer and without it.
async fn seen_by_handlers(headers: &[(&str, &str)]) -> [(u16, String); 2] {
    let router = || Router::new().fallback(report);
    let request = || {
        let request = Request::get("/elsewhere");
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(Body::empty()).unwrap()
    };
    let layer = ZookieLayer::builder(both()).build().unwrap();
    let behind = layer.layer(router()).oneshot(request()).await.unwrap();
    let bare = router().oneshot(request()).await.unwrap();
    [text(behind).await, text(bare).await]
}

#[tokio::test(start_paused = true)]
async fn rule_09_asked_falls_back_to_the_headers() {
    let token = z(7);
    let at = |consistency: &str| (200, format!("{consistency} {token}"));
    let zookie = ("zookie", &*token);
    for (headers, expected) in [
        (vec![], (200, "minimize-latency none".to_owned())),
        (vec![zookie], at("at-least-as-fresh")),
        (
            vec![zookie, ("zookie-consistency", "at-exact-snapshot")],
            at("at-exact-snapshot"),
        ),
        (
            vec![zookie, ("zookie-consistency", "bounded-staleness=2s")],
            at("bounded-staleness=2000ms"),
        ),
        (
            vec![("zookie-consistency", "fully-consistent")],
            (200, "fully-consistent none".to_owned()),
        ),
    ] {
        for seen in seen_by_handlers(&headers).await {
            assert_eq!(seen, expected, "{headers:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rule_09_asked_never_ignores_an_unreadable_header() {
    for headers in [
        vec![("zookie-consistency", "fresh")],
        vec![("zookie-consistency", "")],
        vec![("zookie", "")],
        vec![("zookie", "a b")],
    ] {
        for (status, seen) in seen_by_handlers(&headers).await {
            let strictest = seen.starts_with("fully-consistent");
            assert!(status == 400 || strictest, "{headers:?}: {status} {seen}");
        }
    }
}
