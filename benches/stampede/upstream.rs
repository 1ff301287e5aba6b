//! The upstream that all callers wait for.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::Service;
use tower_zookie::token::RevisionToken;
use tower_zookie_benches::peers::CACHE_CONTROL;

/// How long the upstream takes to answer a check.
pub(crate) const CHECK_TAKES: Duration = Duration::from_millis(20);

/// The revision of the first write.
pub(crate) const FIRST_REVISION: u64 = 1;

/// The token of a revision.
pub(crate) fn zookie(revision: u64) -> String {
    RevisionToken::new("n1", revision).encode()
}

/// An authorization service: a check is evaluated at the head of the instant when it comes in, and its reply says at
/// which revision that was. A write takes no time.
#[derive(Clone)]
pub(crate) struct Upstream(Arc<State>);

struct State {
    head: AtomicU64,
    checks: AtomicUsize,
}

impl Upstream {
    pub(crate) fn new() -> Self {
        Self(Arc::new(State {
            head: AtomicU64::new(FIRST_REVISION - 1),
            checks: AtomicUsize::new(0),
        }))
    }

    /// How many checks have begun.
    pub(crate) fn checks(&self) -> usize {
        self.0.checks.load(Ordering::Relaxed)
    }

    /// The last write's revision.
    pub(crate) fn head(&self) -> u64 {
        self.0.head.load(Ordering::Relaxed)
    }

    async fn check(self) -> Response<Full<Bytes>> {
        self.0.checks.fetch_add(1, Ordering::Relaxed);
        let revision = self.head();
        tokio::time::sleep(CHECK_TAKES).await;
        let body = format!(r#"{{"allowed":true,"revision":{revision}}}"#);
        Response::builder()
            .header("content-type", "application/json")
            .header("cache-control", CACHE_CONTROL)
            .header("zookie", zookie(revision))
            .body(Full::from(body))
            .expect("all parts are valid")
    }

    fn write(&self) -> Response<Full<Bytes>> {
        let revision = self.0.head.fetch_add(1, Ordering::Relaxed) + 1;
        Response::builder()
            .header("zookie", zookie(revision))
            .body(Full::default())
            .expect("all parts are valid")
    }
}

impl Service<Request<Body>> for Upstream {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let upstream = self.clone();
        Box::pin(async move {
            Ok(match *request.method() {
                Method::POST => upstream.write(),
                _ => upstream.check().await,
            })
        })
    }
}
