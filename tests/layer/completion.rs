//! A future of the layer ends once.

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use tokio_test::{assert_pending, task};
use tower::{Layer, Service, service_fn};
use tower_test::mock;
use tower_zookie::ZookieLayer;

use tower_zookie_testing::scripted::{Both, both, z};

type Boxed = UnsyncBoxBody<Bytes, Infallible>;
type Answer = Response<Full<Bytes>>;

fn layer() -> ZookieLayer<Both> {
    ZookieLayer::builder(both()).build().unwrap()
}

fn get(uri: &str) -> Request<Boxed> {
    Request::get(uri).body(Full::default().boxed_unsync()).unwrap()
}

/// A body of which nothing arrives.
struct Never;

impl Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// Awaits the future, polls it once more, and returns its output.
async fn ends_once<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let output = future.as_mut().await;
    let mut context = Context::from_waker(Waker::noop());
    let again = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context).is_ready()));
    let panic = again.expect_err("the second poll did not panic");
    let message = panic.downcast_ref::<&str>();
    assert_eq!(message, Some(&"`ResponseFuture` polled after completion"));
    output
}

#[tokio::test(start_paused = true)]
async fn a_completed_future_panics_when_polled_again() {
    let mut service = layer().layer(service_fn(async |_: Request<Boxed>| {
        let reply = Response::builder().header("content-type", "application/json");
        reply
            .header("zookie", z(1))
            .body(Full::from(r#"{"allowed":true}"#))
            .map_err(io::Error::other)
    }));
    let asked = ends_once(service.call(get("/check?resource=a"))).await.unwrap();
    assert_eq!(
        asked.headers()["cache-status"].to_str().unwrap()[..22],
        *"tower-zookie; fwd=miss"
    );
    let hit = ends_once(service.call(get("/check?resource=a"))).await.unwrap();
    assert_eq!(hit.headers()["cache-status"], "tower-zookie; hit");
    let forwarded = ends_once(service.call(get("/other"))).await.unwrap();
    assert!(!forwarded.headers().contains_key("cache-status"));

    let silent = Request::post("/access/v1/evaluation").header("content-type", "application/json");
    let silent = silent.body(Never.boxed_unsync()).unwrap();
    let late = ends_once(service.call(silent)).await.unwrap();
    assert_eq!(late.status(), StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_future_that_waited_panics_when_polled_again() {
    let (inner, mut handle) = mock::pair::<Request<Boxed>, Answer>();
    let mut service = layer().layer(inner);
    handle.allow(0);
    let mut waiting = task::spawn(service.call(get("/other")));
    assert_pending!(waiting.poll());
    handle.allow(1);
    assert_pending!(waiting.poll());
    let (_, reply) = handle.next_request().await.unwrap();
    reply.send_response(Response::new(Full::default()));
    assert!(ends_once(waiting).await.is_ok());

    let mut broken = task::spawn(service.call(get("/other")));
    assert_pending!(broken.poll());
    handle.send_error(io::Error::other("down"));
    let error = ends_once(broken).await.unwrap_err();
    assert_eq!(error.to_string(), "down");
}
