//! The other caches, asked the same checks by path with a token in the header, which they don't read.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get_service;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use tower::{Service, ServiceExt};
use tower_zookie_benches::peers;

use crate::checks::Check;
use crate::measure::Calls;
use crate::requests;
use crate::row::{Asked, Row, ask_each};
use crate::services::{self, Http};

type B = Full<Bytes>;

/// All rows for so many distinct checks.
pub(crate) fn all(distinct: usize) -> Vec<Row> {
    let token = services::head(3).encode();
    let bare = token.clone();
    let bare = move |rank| requests::by_path_with_header::<B>(&Check::ranked(rank), Some(&bare));
    let relative = bare.clone();
    let absolute = move |rank| with_absolute_uri(relative(rank));
    let routed = move |rank| requests::by_path_with_header::<Body>(&Check::ranked(rank), Some(&token));
    vec![
        hits("http-cache-tower", distinct, absolute, |counter| {
            peers::http_cache_tower(upstream(counter))
        }),
        hits("http-cache-tower-server", distinct, bare.clone(), |counter| {
            peers::http_cache_tower_server(upstream(counter))
        }),
        hits("tower-http-cache", distinct, bare, |counter| {
            peers::tower_http_cache(upstream(counter))
        }),
        hits("axum-response-cache, Router", distinct, routed, |counter| {
            let inner = upstream(counter).map_request(|request: Request<Body>| request.map(|_| B::default()));
            let cached = peers::axum_response_cache(get_service(inner));
            Router::new().route_service("/check", cached)
        }),
    ]
}

/// The service that our layer is put around, but with replies that these caches may store. It counts its calls.
fn upstream(
    counter: Arc<AtomicUsize>,
) -> impl Service<Request<B>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + Sync {
    Http::at(&services::head(3)).map_response(move |mut response: Response<_>| {
        counter.fetch_add(1, Ordering::Relaxed);
        let storable = HeaderValue::from_static(peers::CACHE_CONTROL);
        response.headers_mut().insert("cache-control", storable);
        response
    })
}

fn with_absolute_uri<B>(mut request: Request<B>) -> Request<B> {
    let uri = format!("http://authz.example.com{}", request.uri());
    *request.uri_mut() = uri.parse().expect("valid");
    request
}

fn hits<Q, S, R>(
    name: &'static str,
    distinct: usize,
    request: impl Fn(usize) -> Request<Q> + Clone + Send + 'static,
    cached: impl FnOnce(Arc<AtomicUsize>) -> S,
) -> Row
where
    S: Asked<Q> + Service<Request<Q>, Response = Response<R>>,
    Q: 'static,
    R: http_body::Body + 'static,
{
    let counter = Arc::new(AtomicUsize::new(0));
    let service = cached(Arc::clone(&counter));
    ask_each(&service, (0..distinct).map(&request));
    let verify = move || {
        let calls = counter.load(Ordering::Relaxed);
        assert_eq!(calls, distinct, "{name}: every check is asked once, and then a hit");
    };
    let row = Row::new(name, |_| Box::new(Calls::new(service.clone(), request.clone())));
    Row {
        verify: Box::new(verify),
        ..row
    }
}
