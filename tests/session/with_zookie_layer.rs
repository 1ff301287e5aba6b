//! `PropagateLayer` above a `ZookieLayer`.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use tower_zookie::protocol::{CheckRoute, Routes, Verdict, WriteRoute};
use tower_zookie::session::{PropagateBody, PropagateLayer, SessionBody};
use tower_zookie::token::CounterTokens;
use tower_zookie::{ZookieBody, ZookieLayer};

use super::support::{Body, builder, header};

/// A store that starts at revision 1, behind a cache. A write allows what checks ask for.
fn permissions() -> BoxCloneSyncService<Request<Body>, Response<ZookieBody<Body>>, Infallible> {
    let revision = Arc::new(AtomicU64::new(1));
    let store = service_fn(move |request: Request<Body>| {
        let path = request.uri().path();
        let (imported, failed) = (path == "/import", path == "/refuse");
        let wrote = path == "/grant" || imported;
        let now = revision.fetch_add(u64::from(wrote), Ordering::Relaxed) + u64::from(wrote);
        let verdict = format!(r#"{{"allowed":{}}}"#, now > 1);
        let mut reply = Response::new(Full::from(verdict));
        if failed {
            *reply.status_mut() = StatusCode::CONFLICT;
        } else if !imported {
            reply.headers_mut().insert("zookie", now.into());
        }
        std::future::ready(Ok::<_, Infallible>(reply))
    });
    let api = Routes::builder(CounterTokens::new("a"))
        .check(CheckRoute::post("/check").verdict(Verdict::json("allowed")))
        .write(WriteRoute::post("/grant"))
        .write(WriteRoute::post("/import"))
        .write(WriteRoute::post("/refuse"));
    let layer = ZookieLayer::builder(api.build().unwrap()).build().unwrap();
    BoxCloneSyncService::new(layer.layer(store))
}

/// The body of a reply that has come through all layers.
type Returned = SessionBody<PropagateBody<ZookieBody<Body>>>;

/// A service in between, which passes on the path that it is asked for.
#[derive(Clone)]
struct Between(BoxCloneSyncService<Request<Body>, Response<Returned>, Infallible>);

impl Between {
    fn new() -> Self {
        let client = PropagateLayer::new().layer(permissions());
        let service = service_fn(move |request: Request<Body>| {
            let call = Request::post(request.uri().path()).body(Full::from("{}")).unwrap();
            client.clone().oneshot(call)
        });
        let sessions = builder().set_cookies(true).build().unwrap();
        Self(BoxCloneSyncService::new(sessions.layer(service)))
    }

    /// The headers and the body of its answer to a client with this cookie.
    async fn ask(&self, path: &str, cookie: Option<&str>) -> (HeaderMap, String) {
        let mut request = Request::new(Full::<Bytes>::default());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.parse().unwrap();
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", cookie.parse().unwrap());
        }
        let (parts, body) = self.0.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }
}

const DENIED: &str = r#"{"allowed":false}"#;
const ALLOWED: &str = r#"{"allowed":true}"#;

#[tokio::test]
async fn rule_01_a_caller_reads_its_own_write_from_a_cache() {
    let service = Between::new();
    let before = Some("zookie=1");
    let (first, said) = service.ask("/check", None).await;
    assert_eq!(
        (said.as_str(), header(&first, "zookie-session")),
        (DENIED, Some("read"))
    );

    // The cache says that this was a write, and that the others are none, although all are POSTs.
    let (written, _) = service.ask("/grant", before).await;
    assert_eq!(
        (header(&written, "zookie"), header(&written, "zookie-session")),
        (Some("2"), Some("written"))
    );
    assert!(header(&written, "set-cookie").unwrap().starts_with("zookie=2;"));

    let (stale, said) = service.ask("/check", before).await;
    assert_eq!(
        (said.as_str(), header(&stale, "cache-status")),
        (DENIED, Some("tower-zookie; hit"))
    );
    let (fresh, said) = service.ask("/check", Some("zookie=2")).await;
    assert_eq!((said.as_str(), header(&fresh, "set-cookie")), (ALLOWED, None));
}

#[tokio::test]
async fn rule_06_a_write_that_names_no_token_is_not_forgotten() {
    let service = Between::new();
    service.ask("/check", None).await;
    let (refused, _) = service.ask("/refuse", Some("zookie=1")).await;
    assert_eq!(header(&refused, "set-cookie"), None, "nothing was written");
    let (imported, _) = service.ask("/import", Some("zookie=1")).await;
    assert_eq!(header(&imported, "zookie-consistency"), Some("fully-consistent"));
    let set = header(&imported, "set-cookie").unwrap();
    let (fresh, said) = service.ask("/check", set.split(';').next()).await;
    assert_eq!(said, ALLOWED);
    assert!(header(&fresh, "set-cookie").unwrap().starts_with("zookie=2;"));
}
