//! What a request costs on the heap: a test binary of its own, because it counts all allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service};
use tower_zookie::ZookieLayer;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::frame::framed;
use tower_zookie_testing::scripted::{both, bulk_body, z};
use tower_zookie_testing::spicedb::messages::{
    CheckPermissionResponse, HAS_PERMISSION, ZedToken, at_least, check, full,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator unmodified.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

type Asked = Request<Full<Bytes>>;

/// Allocates nothing itself: replies are made before, on misses only.
#[derive(Clone)]
struct Bare;

impl Service<Asked> for Bare {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Asked) -> Self::Future {
        let text = match request.uri().path() {
            "/check" => r#"{"allowed":true}"#,
            "/access/v1/evaluation" => r#"{"decision":true}"#,
            "/access/v1/evaluations" => r#"{"evaluations":[{"decision":true},{"decision":true}]}"#,
            _ => return ready(Ok(Response::new(Full::default()))),
        };
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("zookie", z(1))
            .body(Full::from(text));
        ready(Ok(response.unwrap()))
    }
}

fn asked(method: &str, uri: &str, body: String) -> Asked {
    Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "example.com")
        .header("user-agent", "test")
        .header("accept", "*/*")
        .header("content-type", "application/json")
        .header("zookie", z(1))
        .body(Full::from(body))
        .unwrap()
}

/// How many allocations a call makes that is ready at once, including the end of its reply.
fn cost<S>(service: &mut S, request: Asked) -> (usize, bool)
where
    S: Service<Asked, Error = Infallible>,
    S::Response: HasStatus,
{
    let before = ALLOCATIONS.get();
    let mut future = std::pin::pin!(service.call(request));
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("not ready at once");
    };
    let spent = ALLOCATIONS.get() - before;
    (spent, response.is_hit())
}

trait HasStatus {
    fn is_hit(&self) -> bool;
}

impl<R> HasStatus for Response<R> {
    fn is_hit(&self) -> bool {
        let status = self.headers().get("cache-status");
        status.is_some_and(|status| status == "tower-zookie; hit")
    }
}

#[tokio::test]
async fn an_unclaimed_route_allocates_nothing() {
    let mut layered = ZookieLayer::builder(both()).build().unwrap().layer(Bare);
    // Until a request matches a route, the layer looks for the cause in some of those that do not.
    let claimed = layered.call(asked("GET", "/check?resource=a", "".into()));
    drop(claimed);
    for _ in 0..3 {
        let request = || asked("POST", "/other?a=1", "body".into());
        let (bare, _) = cost(&mut Bare, request());
        let (spent, _) = cost(&mut layered, request());
        assert_eq!((bare, spent), (0, 0));
    }
}

async fn hit_costs(method: &str, uri: &str, body: &str) -> usize {
    let mut layered = ZookieLayer::builder(both()).build().unwrap().layer(Bare);
    for _ in 0..3 {
        layered.call(asked(method, uri, body.to_owned())).await.unwrap();
    }
    // The cache's store does its housekeeping during some of the calls, so the usual call counts.
    let mut spent: Vec<usize> = (0..101)
        .map(|_| {
            let (spent, hit) = cost(&mut layered, asked(method, uri, body.to_owned()));
            assert!(hit);
            spent
        })
        .collect();
    spent.sort_unstable();
    spent[50]
}

#[tokio::test]
async fn a_hit_by_path_with_a_token_allocates_at_most_twice() {
    let spent = hit_costs("GET", "/check?resource=a&subject=user:ada", "").await;
    assert!(spent <= 2, "{spent}");
}

#[tokio::test]
async fn a_hit_by_body_with_a_token_allocates_at_most_twice() {
    let body = r#"{"subject":{"type":"user","id":"ada"},"action":{"name":"read"},"resource":{"type":"doc","id":"a"}}"#;
    let spent = hit_costs("POST", "/access/v1/evaluation", body).await;
    assert!(spent <= 2, "{spent}");
}

#[tokio::test]
async fn a_bulk_hit_allocates_only_a_few_lists() {
    let spent = hit_costs(
        "POST",
        "/access/v1/evaluations",
        &bulk_body(&["a", "b"], None).to_string(),
    )
    .await;
    assert!(spent <= 32, "{spent}");
}

/// A token of a SpiceDB on PostgreSQL.
const TOKEN: &str = "GiQKGENJSUlJSUVJS0lDaytKK0dpZnowR0E9PRIIZmE1ZmY1NWI=";

/// Yes, at the token.
fn spicedb_reply() -> Bytes {
    framed(&CheckPermissionResponse {
        checked_at: Some(ZedToken::new(TOKEN)),
        permissionship: HAS_PERMISSION,
        ..CheckPermissionResponse::default()
    })
}

/// Answers every call with the same reply.
#[derive(Clone)]
struct BareSpiceDb;

impl Service<Asked> for BareSpiceDb {
    type Response = Response<WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Asked) -> Self::Future {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        trailers.insert("grpc-message", HeaderValue::from_static(""));
        let body = Full::from(spicedb_reply()).with_trailers(ready(Some(Ok(trailers))));
        let mut response = Response::new(body);
        response
            .headers_mut()
            .insert("content-type", HeaderValue::from_static("application/grpc"));
        ready(Ok(response))
    }
}

fn spicedb_check(message: &Bytes) -> Asked {
    Request::post("http://localhost/authzed.api.v1.PermissionsService/CheckPermission")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-accept-encoding", "identity, deflate, gzip")
        .header("grpc-timeout", "10S")
        .header("user-agent", "grpc-python/1.85.1 grpc-c/58.0.0 (linux; chttp2)")
        .header("authorization", "Bearer example-key")
        .body(Full::from(message.clone()))
        .unwrap()
}

#[tokio::test]
async fn a_grpc_hit_with_a_token_allocates_at_most_three_times() {
    let mut layered = ZookieLayer::spicedb(Engine::Postgres).layer(BareSpiceDb);
    // A revision that was read at head is named from then on.
    layered
        .call(spicedb_check(&framed(&check("plan", "alice", full()))))
        .await
        .unwrap();
    let message = framed(&check("plan", "alice", at_least(TOKEN)));
    let mut spent: Vec<usize> = (0..101)
        .map(|_| {
            let request = spicedb_check(&message);
            let before = ALLOCATIONS.get();
            let cx = &mut Context::from_waker(Waker::noop());
            let mut future = std::pin::pin!(layered.call(request));
            let Poll::Ready(Ok(response)) = future.as_mut().poll(cx) else {
                panic!("not ready at once");
            };
            assert!(response.is_hit());
            let mut body = std::pin::pin!(response.into_body());
            let mut frames = 0;
            while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(cx) {
                frames += 1;
                std::mem::forget(frame);
            }
            assert_eq!(frames, 2, "the message and the trailers");
            ALLOCATIONS.get() - before
        })
        .collect();
    spent.sort_unstable();
    println!("a hit over gRPC: {} allocations", spent[50]);
    assert!(spent[50] <= 3, "{}", spent[50]);
}
