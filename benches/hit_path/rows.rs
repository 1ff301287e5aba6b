//! What is compared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use tower::{Layer, Service};
use tower_http::map_response_body::MapResponseBodyLayer;
use tower_zookie::ZookieLayer;
use tower_zookie::protocol::Protocol;
use tower_zookie::token::RevisionToken;

use crate::by_hand::ByHand;
use crate::checks::Check;
use crate::measure::{Calls, LookUp};
use crate::permify::{self, Permify};
use crate::row::{Asked, MOKA, Row, ask_each};
use crate::services::{self, Grpc, Http, ZED_TOKEN};
use crate::{peer_rows, requests};

/// Calls of a service without a cache, or calls that the cache does not claim.
fn plain<B, S, R>(name: &'static str, service: &S, request: fn() -> Request<B>) -> Row
where
    S: Asked<B> + Service<Request<B>, Response = Response<R>>,
    B: 'static,
    R: http_body::Body + 'static,
{
    Row::new(name, |_| Box::new(Calls::new(service.clone(), move |_| request())))
}

/// Hits: `warm` asks the check of a rank first, and `request` then finds its answer.
fn hits<B, S, R, P>(
    name: &'static str,
    distinct: usize,
    (layer, service): (&ZookieLayer<P>, S),
    warm: impl Fn(usize) -> Request<B>,
    request: impl Fn(usize) -> Request<B> + Clone + Send + 'static,
) -> Row
where
    S: Asked<B> + Service<Request<B>, Response = Response<R>>,
    B: 'static,
    R: http_body::Body + 'static,
    P: Protocol,
{
    ask_each(&service, (0..distinct).map(warm));
    let handle = layer.handle();
    let warmed = handle.stats().upstream_calls;
    assert!(warmed >= distinct as u64, "{name}: every check is asked once");
    let row = Row::new(name, |_| Box::new(Calls::new(service.clone(), request.clone())));
    let verify = move || {
        let stats = handle.stats();
        assert_eq!(stats.upstream_calls, warmed, "{name}: all are hits: {stats:?}");
        assert_eq!(
            (stats.bypassed, stats.rejected),
            (0, 0),
            "{name}: all are hits: {stats:?}"
        );
    };
    Row {
        verify: Box::new(verify),
        ..row
    }
}

/// All rows for so many distinct checks.
pub(crate) fn all(distinct: usize) -> Vec<Row> {
    let mut rows = vec![moka(distinct), by_hand(distinct)];
    rows.extend(around_a_bare_service(distinct));
    rows.extend(around_a_router(distinct));
    rows.push(miss());
    rows.extend(peer_rows::all(distinct));
    rows
}

/// The rows that other routes are compared with.
const NO_LAYER: &str = "not ours: no layer";
const NO_LAYER_ROUTER: &str = "not ours, Router: no layer";

fn moka(distinct: usize) -> Row {
    let cache = moka::sync::Cache::new(2 * distinct as u64);
    let keys: Arc<[u128]> = (0..distinct).map(|_| rand::random()).collect();
    for key in &*keys {
        cache.insert(*key, Arc::new([0u8; 64]));
    }
    cache.run_pending_tasks();
    let row = Row::new(MOKA, |_| {
        let (cache, keys) = (cache.clone(), Arc::clone(&keys));
        Box::new(LookUp(move |rank: usize| cache.get(&keys[rank]).expect("a hit")))
    });
    let verify = move || assert_eq!(cache.entry_count(), distinct as u64);
    Row {
        verify: Box::new(verify),
        ..row
    }
}

/// How long a hit takes if its work is written by hand for these checks alone.
fn by_hand(distinct: usize) -> Row {
    let token = services::head(3).encode();
    let carried = token.clone();
    let request = move |rank| requests::by_path_with_header(&Check::ranked(rank), Some(&carried));
    let service = ByHand::knowing((0..distinct).map(&request), &token);
    Row::new("by hand: key, look-up, reply", |_| {
        Box::new(Calls::new(service.clone(), request.clone()))
    })
}

fn around_a_bare_service(distinct: usize) -> Vec<Row> {
    type B = Full<Bytes>;
    let head = services::head(3);
    let token = head.encode();
    let mut rows = vec![
        routes_hits(
            "Routes GET, header token",
            distinct,
            &head,
            requests::by_path_with_header,
        ),
        routes_hits(
            "Routes GET, cookie token",
            distinct,
            &head,
            requests::by_path_with_cookie,
        ),
        routes_hits("Routes GET, no token", distinct, &head, |check, _| {
            requests::by_path(check)
        }),
    ];
    let layer = services::authzen();
    let service = layer.layer(Http::<B>::at(&head));
    rows.push(hits(
        "AuthZEN POST, header token",
        distinct,
        (&layer, service),
        |rank| requests::authzen(&Check::ranked(rank), None),
        move |rank| requests::authzen(&Check::ranked(rank), Some(&token)),
    ));
    let layer = services::spicedb();
    rows.push(hits(
        "SpiceDB gRPC, message token",
        distinct,
        (&layer, layer.layer(Grpc::<B>::default())),
        |rank| requests::spicedb(&Check::ranked(rank), None),
        |rank| requests::spicedb(&Check::ranked(rank), Some(ZED_TOKEN)),
    ));
    let layer = services::permify();
    let service = layer.layer(Permify::<B>::default());
    // Its token opens the window.
    ask_each(&service, [permify::write()].into_iter());
    let check = |rank| permify::check(&Check::ranked(rank));
    rows.push(hits(
        "Permify gRPC, message token",
        distinct,
        (&layer, service),
        check,
        check,
    ));
    rows.extend([3, 10].map(|nodes| new_tokens(distinct, nodes)));
    let layered = services::routes().layer(Http::<B>::at(&head));
    let not_ours = [
        plain(NO_LAYER, &Http::<B>::at(&head), requests::not_ours),
        plain(
            "not ours: MapResponseBodyLayer",
            &map_body::<B>().layer(Http::<B>::at(&head)),
            requests::not_ours,
        ),
        plain("not ours: layer", &layered, requests::not_ours),
    ];
    rows.extend(not_ours.map(|row| row.compared_with(NO_LAYER)));
    rows
}

/// Checks by path with the token of the head.
fn routes_hits(
    name: &'static str,
    distinct: usize,
    head: &RevisionToken,
    request: fn(&Check, Option<&str>) -> Request<Full<Bytes>>,
) -> Row {
    let layer = services::routes();
    let service = layer.layer(Http::at(head));
    let token = head.encode();
    hits(
        name,
        distinct,
        (&layer, service),
        |rank| request(&Check::ranked(rank), None),
        move |rank| request(&Check::ranked(rank), Some(&token)),
    )
}

/// Turns every response body into another type, as every layer must that answers with its own bodies.
fn map_body<R>() -> MapResponseBodyLayer<fn(R) -> Either<R, R>> {
    MapResponseBodyLayer::new(Either::Left)
}

/// Each request with a token that was never there before.
fn new_tokens(distinct: usize, nodes: usize) -> Row {
    type B = Full<Bytes>;
    let name = match nodes {
        3 => "Routes GET, new token of 3 nodes",
        _ => "Routes GET, new token of 10 nodes",
    };
    let layer = services::routes();
    let service = layer.layer(Http::<B>::at(&services::head(nodes)));
    let next = Arc::new(AtomicU64::new(1 << 40));
    hits(
        name,
        distinct,
        (&layer, service),
        |rank| requests::by_path(&Check::ranked(rank)),
        move |rank| {
            let first = next.fetch_add(1, Ordering::Relaxed);
            let token = services::clock(nodes, |node| first + node as u64).encode();
            requests::by_path_with_header(&Check::ranked(rank), Some(&token))
        },
    )
}

fn around_a_router(distinct: usize) -> Vec<Row> {
    let head = services::head(3);
    let token = head.encode();
    let router = || services::router(&head);
    let (by_path, by_body) = (token.clone(), token);
    let (routes, authzen, spicedb) = (services::routes(), services::authzen(), services::spicedb());
    let map_body = router().layer(map_body::<Body>());
    let mut rows = vec![
        hits(
            "Routes GET, header token, Router",
            distinct,
            (&routes, router().layer(routes.clone())),
            |rank| requests::by_path::<Body>(&Check::ranked(rank)),
            move |rank| requests::by_path_with_header(&Check::ranked(rank), Some(&by_path)),
        ),
        hits(
            "AuthZEN POST, header token, Router",
            distinct,
            (&authzen, router().layer(authzen.clone())),
            |rank| requests::authzen::<Body>(&Check::ranked(rank), None),
            move |rank| requests::authzen(&Check::ranked(rank), Some(&by_body)),
        ),
        hits(
            "SpiceDB gRPC, message token, Router",
            distinct,
            (&spicedb, router().layer(spicedb.clone())),
            |rank| requests::spicedb::<Body>(&Check::ranked(rank), None),
            |rank| requests::spicedb(&Check::ranked(rank), Some(ZED_TOKEN)),
        ),
    ];
    let not_ours = [
        plain(NO_LAYER_ROUTER, &router(), requests::not_ours::<Body>),
        plain(
            "not ours, Router: MapResponseBodyLayer",
            &map_body,
            requests::not_ours::<Body>,
        ),
        plain(
            "not ours, Router: layer",
            &router().layer(services::routes()),
            requests::not_ours::<Body>,
        ),
    ];
    rows.extend(not_ours.map(|row| row.compared_with(NO_LAYER_ROUTER)));
    rows
}

/// Checks that were never asked before.
fn miss() -> Row {
    let layer = services::routes();
    let layered = layer.layer(Http::<Full<Bytes>>::at(&services::head(3)));
    let next = Arc::new(AtomicUsize::new(0));
    let row = Row::new("Routes GET, a miss", |_| {
        let next = Arc::clone(&next);
        let request = move |_| requests::by_path(&Check::ranked(next.fetch_add(1, Ordering::Relaxed)));
        Box::new(Calls::new(layered.clone(), request))
    });
    let verify = move || {
        let stats = layer.handle().stats();
        assert_eq!((stats.hits, stats.bypassed), (0, 0), "all are misses: {stats:?}");
    };
    Row {
        verify: Box::new(verify),
        ..row
    }
}
