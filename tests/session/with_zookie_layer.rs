//! `PropagateLayer` above a `ZookieLayer`.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};
use tower_zookie::ZookieLayer;
use tower_zookie::protocol::{CheckRoute, Routes, Verdict, WriteRoute};
use tower_zookie::session::PropagateLayer;
use tower_zookie::token::CounterTokens;

use super::support::{Body, builder, header};

/// A store that starts at revision 1, behind a cache. A write allows what checks ask for.
fn permissions() -> BoxCloneService<Request<Body>, Response<tower_zookie::ZookieBody<Body>>, Infallible> {
    let revision = Arc::new(AtomicU64::new(1));
    let store = service_fn(move |request: Request<Body>| {
        let wrote = request.uri().path() == "/grant";
        let now = revision.fetch_add(u64::from(wrote), Ordering::Relaxed) + u64::from(wrote);
        let verdict = format!(r#"{{"allowed":{}}}"#, now > 1);
        let reply = Response::builder()
            .header("zookie", now.to_string())
            .body(Full::from(verdict));
        std::future::ready(Ok::<_, Infallible>(reply.unwrap()))
    });
    let api = Routes::builder(CounterTokens::new("a"))
        .check(CheckRoute::post("/check").verdict(Verdict::json("allowed")))
        .write(WriteRoute::post("/grant"));
    let layer = ZookieLayer::builder(api.build().unwrap()).build().unwrap();
    BoxCloneService::new(layer.layer(store))
}

#[tokio::test]
async fn rule_01_a_caller_reads_its_own_write_from_a_cache() {
    let client = PropagateLayer::new().layer(permissions());
    // It passes on the path that it is asked for.
    let service = service_fn(move |request: Request<Body>| {
        let call = Request::post(request.uri().path()).body(Full::from("{}")).unwrap();
        client.clone().oneshot(call)
    });
    let service = builder().set_cookies(true).build().unwrap().layer(service);
    let ask = |path: &'static str, cookie: Option<&'static str>| {
        let mut request = Request::new(Full::<Bytes>::default());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.parse().unwrap();
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", cookie.parse().unwrap());
        }
        let service = service.clone();
        async move {
            let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
            let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
            (parts.headers, String::from_utf8(body.to_vec()).unwrap())
        }
    };
    let (denied, no) = (r#"{"allowed":false}"#, Some("zookie=1"));
    let (first, said) = ask("/check", None).await;
    assert_eq!(
        (said.as_str(), header(&first, "zookie-session")),
        (denied, Some("read"))
    );
    let (_, said) = ask("/check", no).await;
    assert_eq!(said, denied);

    // The cache says that this was a write, and that the others are none, although all are POSTs.
    let (written, _) = ask("/grant", no).await;
    assert_eq!(
        (header(&written, "zookie"), header(&written, "zookie-session")),
        (Some("2"), Some("written"))
    );
    assert!(header(&written, "set-cookie").unwrap().starts_with("zookie=2;"));

    let (stale, said) = ask("/check", no).await;
    assert_eq!(
        (said.as_str(), header(&stale, "cache-status")),
        (denied, Some("tower-zookie; hit"))
    );
    let (fresh, said) = ask("/check", Some("zookie=2")).await;
    assert_eq!(
        (said.as_str(), header(&fresh, "set-cookie")),
        (r#"{"allowed":true}"#, None)
    );
}
