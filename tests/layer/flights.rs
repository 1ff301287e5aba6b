//! Readiness, and callers that arrive together, hang up, or meet a failing upstream.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::time::sleep;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::{Layer, Service};
use tower_test::mock;
use tower_zookie::{ZookieLayer, ZookieLayerBuilder};
use tower_zookie_testing::scripted::{Both, Client, Trouble, Upstream, both, routes, z};

type Asked = Request<Full<Bytes>>;
type Answer = Response<Full<Bytes>>;

fn check(resource: &str) -> Asked {
    Request::get(format!("/check?resource={resource}"))
        .body(Full::default())
        .unwrap()
}

fn foreign() -> Asked {
    Request::get("/other").body(Full::default()).unwrap()
}

fn allowed() -> Answer {
    Response::builder()
        .header("content-type", "application/json")
        .header("zookie", z(1))
        .body(Full::from(r#"{"allowed":true}"#))
        .unwrap()
}

fn layer() -> ZookieLayer<tower_zookie::protocol::Routes> {
    ZookieLayer::builder(routes()).build().unwrap()
}

/// Settles the tasks of flights.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn hits_need_no_ready_inner_service() {
    let (inner, mut handle) = mock::pair::<Asked, Answer>();
    let mut service = layer().layer(inner);
    handle.allow(1);
    let mut asking = task::spawn(service.call(check("a")));
    assert_pending!(asking.poll());
    settle().await;
    handle.next_request().await.unwrap().1.send_response(allowed());
    settle().await;
    assert_ready_ok!(asking.poll());

    handle.allow(0);
    for _ in 0..3 {
        assert_ready_ok!(
            task::spawn(std::future::poll_fn(|cx| {
                Service::<Asked>::poll_ready(&mut service, cx)
            }))
            .poll()
        );
        let hit = assert_ready_ok!(task::spawn(service.call(check("a"))).poll());
        assert_eq!(hit.headers()["cache-status"], "tower-zookie; hit");
    }
    handle.send_error(io::Error::other("down"));
    let hit = assert_ready_ok!(task::spawn(service.call(check("a"))).poll());
    assert_eq!(hit.headers()["cache-status"], "tower-zookie; hit");
    let mut miss = task::spawn(service.call(check("b")));
    let error = match miss.poll() {
        std::task::Poll::Ready(Err(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error.to_string(), "down", "the leader has the inner error by value");
}

#[tokio::test(start_paused = true)]
async fn a_miss_waits_for_readiness() {
    let (inner, mut handle) = mock::pair::<Asked, Answer>();
    let mut service = layer().layer(inner);
    handle.allow(0);
    let mut asking = task::spawn(service.call(check("a")));
    assert_pending!(asking.poll());
    settle().await;
    assert!(task::spawn(handle.next_request()).poll().is_pending());
    handle.allow(1);
    assert!(asking.is_woken());
    assert_pending!(asking.poll());
    handle.next_request().await.unwrap().1.send_response(allowed());
    assert!(asking.is_woken());
    assert_ready_ok!(asking.poll());
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_is_not_ready_moves_into_the_future() {
    let (inner, mut handle) = mock::pair::<Asked, Answer>();
    let mut service = layer().layer(inner);
    handle.allow(0);
    let mut first = task::spawn(service.call(foreign()));
    let mut second = task::spawn(service.call(foreign()));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    handle.allow(1);
    assert!(first.is_woken(), "the polled one keeps its place in the queue");
    assert_pending!(first.poll());
    handle
        .next_request()
        .await
        .unwrap()
        .1
        .send_response(Response::new(Full::default()));
    let response = assert_ready_ok!(first.poll());
    assert!(response.headers().is_empty());
    assert_pending!(second.poll());
    handle.allow(1);
    assert!(second.is_woken());
    assert_pending!(second.poll());
    handle
        .next_request()
        .await
        .unwrap()
        .1
        .send_response(Response::new(Full::default()));
    assert_ready_ok!(second.poll());
}

fn patient(builder: ZookieLayerBuilder<Both>) -> ZookieLayerBuilder<Both> {
    builder.cache(|cache| cache.flight_timeout(Duration::from_secs(3)))
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_leader_that_hangs_up_strands_no_follower() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.grant("a");
    upstream.hold();
    let leader = client.check("a").spawn();
    settle().await;
    let follower = client.check("a").spawn();
    settle().await;
    leader.abort();
    settle().await;
    upstream.release();
    let reply = follower.await.unwrap().unwrap();
    assert_eq!((reply.allowed(), reply.outcome()), (true, "fwd=miss; collapsed"));
    assert_eq!(upstream.calls(), 1);
    assert!(client.check("a").send().await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_07_a_flight_outlives_its_callers_by_a_short_grace() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.hold();
    let brief = |resource| tokio::time::timeout(Duration::from_millis(50), client.check(resource).send());
    assert!(brief("a").await.is_err());
    upstream.release();
    settle().await;
    assert!(
        client.check("a").send().await.is_hit(),
        "a short deadline fills the cache nevertheless"
    );

    upstream.hold();
    assert!(brief("b").await.is_err());
    sleep(Duration::from_secs(2)).await;
    upstream.release();
    settle().await;
    assert!(
        !client.check("b").send().await.is_hit(),
        "no caller waited for it too long"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_14_a_panic_is_a_502_for_all() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.trouble(Trouble::Panic);
    upstream.hold();
    let waiting: Vec<_> = (0..3).map(|_| client.check("a").spawn()).collect();
    settle().await;
    upstream.release();
    for reply in waiting {
        let reply = reply.await.unwrap().unwrap();
        assert_eq!(reply.status, StatusCode::BAD_GATEWAY);
        assert_eq!(reply.json()["type"], "urn:tower-zookie:upstream-failed");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    assert_eq!(upstream.calls(), 1);
    upstream.trouble(None);
    assert_eq!(client.check("a").send().await.outcome(), "fwd=miss; stored");
}

#[tokio::test(start_paused = true)]
async fn rule_14_the_leader_has_the_error_and_followers_a_rejection() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    upstream.trouble(Trouble::Error);
    upstream.hold();
    let leader = client.check("a").spawn();
    settle().await;
    let follower = client.check("a").spawn();
    settle().await;
    upstream.release();
    let error = leader.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the upstream fails on purpose");
    let reply = follower.await.unwrap().unwrap();
    assert_eq!((reply.status, upstream.calls()), (StatusCode::BAD_GATEWAY, 1));
}

#[tokio::test(start_paused = true)]
async fn rule_14_a_hanging_upstream_is_a_504_and_followers_retry() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, patient);
    upstream.hold();
    let leader = client.check("a").spawn();
    sleep(Duration::from_secs(2)).await;
    let follower = client.check("a").spawn();
    let reply = leader.await.unwrap().unwrap();
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(reply.json()["type"], "urn:tower-zookie:upstream-timeout");
    settle().await;
    upstream.release();
    let reply = follower.await.unwrap().unwrap();
    assert_eq!((reply.status, upstream.calls()), (StatusCode::OK, 2));
}

#[tokio::test(start_paused = true)]
async fn rule_07_followers_join_only_what_serves_them() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("other").send().await;
    upstream.hold();
    let _tokenless = client.check("a").spawn();
    settle().await;
    let _floor = client.check("a").zookie(1).spawn();
    let _full = client.check("a").consistency("fully-consistent").spawn();
    let _exact = client.check("a").zookie(1).consistency("at-exact-snapshot").spawn();
    settle().await;
    assert_eq!(
        upstream.calls(),
        5,
        "each asks something stronger than what is under way"
    );
    let _late = client.check("a").consistency("fully-consistent").spawn();
    let _joins = client.check("a").spawn();
    let _joins = client.check("a").zookie(1).spawn();
    settle().await;
    assert_eq!(
        upstream.calls(),
        6,
        "a fully consistent one joins no call that has begun"
    );
    upstream.release();
    settle().await;
    assert_eq!(client.layer.handle().stats().coalesced, 2);
}

#[tokio::test(start_paused = true)]
async fn rule_15_over_the_cap_on_flights_requests_run_alone() {
    let upstream = Upstream::new();
    let builder = ZookieLayer::builder(both()).cache(|cache| cache.max_flights(1, 1).max_waiters(1));
    let client = Client::of(&upstream, builder);
    upstream.hold();
    let waiting: Vec<_> = ["a", "a", "a", "b"].map(|name| client.check(name).spawn()).into();
    settle().await;
    assert_eq!(upstream.calls(), 3);
    upstream.release();
    for reply in waiting {
        assert_eq!(reply.await.unwrap().unwrap().status, StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_15_the_cap_on_flights_counts_only_credentials() {
    let upstream = Upstream::new();
    let builder = ZookieLayer::builder(both()).cache(|cache| cache.max_flights(10, 1));
    let client = Client::of(&upstream, builder);
    upstream.hold();
    let check = |resource, name, accept| {
        let check = client.check(resource).header("authorization", name);
        check.header("accept", accept).header("host", accept).spawn()
    };
    let alices = [check("a", "alice", "text/html"), check("b", "alice", "text/plain")];
    let bobs = check("b", "bob", "text/plain");
    settle().await;
    upstream.release();
    let [first, second] = alices;
    assert_eq!(first.await.unwrap().unwrap().outcome(), "fwd=miss; stored");
    let second = second.await.unwrap().unwrap();
    assert_eq!((second.outcome(), second.status), ("fwd=miss", StatusCode::OK));
    assert_eq!(bobs.await.unwrap().unwrap().outcome(), "fwd=miss; stored");
}

/// A service that becomes ready at its second poll, and logs which of its clones was polled and called.
struct Numbered {
    number: usize,
    polled: bool,
    log: Arc<Mutex<Vec<(&'static str, usize)>>>,
    clones: Arc<AtomicUsize>,
}

impl Clone for Numbered {
    fn clone(&self) -> Self {
        Self {
            number: self.clones.fetch_add(1, Ordering::SeqCst) + 1,
            polled: false,
            log: Arc::clone(&self.log),
            clones: Arc::clone(&self.clones),
        }
    }
}

impl Service<Asked> for Numbered {
    type Response = Answer;
    type Error = io::Error;
    type Future = std::future::Ready<Result<Answer, io::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.log.lock().unwrap().push(("polled", self.number));
        if std::mem::replace(&mut self.polled, true) {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, _: Asked) -> Self::Future {
        self.log.lock().unwrap().push(("called", self.number));
        std::future::ready(Ok(allowed()))
    }
}

#[tokio::test(start_paused = true)]
async fn the_polled_service_is_the_one_called() {
    let log = Arc::<Mutex<Vec<_>>>::default();
    let inner = Numbered {
        number: 0,
        polled: false,
        log: Arc::clone(&log),
        clones: Arc::default(),
    };
    let mut service = layer().layer(inner);
    service.call(foreign()).await.unwrap();
    assert_eq!(*log.lock().unwrap(), [("polled", 0), ("polled", 0), ("called", 0)]);
    service.call(foreign()).await.unwrap();
    assert_eq!(log.lock().unwrap()[3..], [("polled", 1), ("polled", 1), ("called", 1)]);
}
