//! Reply bodies: stored, streamed, truncated.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{Layer, Service, ServiceExt};
use tower_zookie::{ByteSize, ZookieBody, ZookieLayer, ZookieService};
use tower_zookie_testing::scripted::{Client, Upstream, routes, z};

type Reply = UnsyncBoxBody<Bytes, io::Error>;
type Frames = Vec<Result<Frame<Bytes>, ()>>;

/// A service that sends these frames in every reply.
fn scripted(
    frames: impl Fn() -> Frames + Clone + Send + 'static,
) -> impl Service<Request<Full<Bytes>>, Response = Response<Reply>, Error = io::Error, Future: Send> + Clone + Send {
    tower::service_fn(move |_: Request<Full<Bytes>>| {
        let frames: VecDeque<_> = frames()
            .into_iter()
            .map(|frame| frame.map_err(|()| io::Error::other("the body broke off")))
            .collect();
        let body = StreamBody::new(tokio_stream::iter(frames)).boxed_unsync();
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("zookie", z(1))
            .body(body)
            .unwrap();
        std::future::ready(Ok(response))
    })
}

fn layer(max_reply: u64) -> ZookieLayer<tower_zookie::protocol::Routes> {
    ZookieLayer::builder(routes())
        .max_reply_body(ByteSize::bytes(max_reply))
        .build()
        .unwrap()
}

fn check() -> Request<Full<Bytes>> {
    Request::get("/check?resource=a").body(Full::default()).unwrap()
}

fn data(text: &'static str) -> Result<Frame<Bytes>, ()> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

fn trailers() -> Result<Frame<Bytes>, ()> {
    let mut trailers = HeaderMap::new();
    trailers.insert("checksum", "1".parse().unwrap());
    Ok(Frame::trailers(trailers))
}

async fn send<S>(service: &ZookieService<S, tower_zookie::protocol::Routes>) -> Response<ZookieBody<Reply>>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Reply>, Error = io::Error, Future: Send>
        + Clone
        + Send
        + 'static,
{
    service.clone().oneshot(check()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn sizes_are_exact_only_without_trailers() {
    let service = layer(1000).layer(scripted(|| vec![data(r#"{"allowed""#), data(":true}"), trailers()]));
    let mut own = send(&service).await.into_body();
    assert_eq!((own.size_hint().lower(), own.size_hint().upper()), (16, None));
    assert!(!own.is_end_stream());
    assert_eq!(
        own.frame().await.unwrap().unwrap().into_data().unwrap(),
        r#"{"allowed":true}"#
    );
    assert!(!own.is_end_stream(), "or HTTP/2 would drop the trailers");
    assert_eq!(
        own.frame().await.unwrap().unwrap().into_trailers().unwrap()["checksum"],
        "1"
    );
    assert!(own.is_end_stream());

    let mut hit = send(&service).await.into_body();
    assert_eq!(hit.size_hint().exact(), Some(16));
    assert!(!hit.is_end_stream());
    assert!(hit.frame().await.unwrap().unwrap().is_data());
    assert!(hit.is_end_stream());
    assert!(hit.frame().await.is_none());
    assert!(ZookieBody::<Reply>::default().is_end_stream());
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_reply_over_the_limit_streams_and_is_not_stored() {
    let service = layer(8).layer(scripted(|| vec![data(r#"{"allowed""#), data(":true}"), trailers()]));
    for _ in 0..2 {
        let response = send(&service).await;
        let status = response.headers()["cache-status"].to_str().unwrap().to_owned();
        assert!(status.starts_with("tower-zookie; fwd=miss; detail="), "{status}");
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["checksum"], "1");
        assert_eq!(body.to_bytes(), r#"{"allowed":true}"#);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_truncated_reply_is_not_stored() {
    let service = layer(1000).layer(scripted(|| vec![data(r#"{"allowed":true}"#), Err(())]));
    for _ in 0..2 {
        let mut body = send(&service).await.into_body();
        assert_eq!(
            body.frame().await.unwrap().unwrap().into_data().unwrap(),
            r#"{"allowed":true}"#
        );
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the body broke off");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_reply_over_the_limit_each_follower_asks_alone() {
    let upstream = Upstream::new();
    upstream.pad(100);
    let client = Client::with(&upstream, |builder| builder.max_reply_body(ByteSize::bytes(50)));
    upstream.hold();
    let waiting: Vec<_> = (0..3).map(|_| client.check("a").spawn()).collect();
    tokio::task::yield_now().await;
    assert_eq!(upstream.calls(), 1);
    upstream.release();
    for reply in waiting {
        let reply = reply.await.unwrap().unwrap();
        assert_eq!(
            (reply.outcome(), reply.allowed(), reply.body.len() > 100),
            ("fwd=miss", false, true)
        );
    }
    assert_eq!(upstream.calls(), 3);
    assert_eq!(client.layer.handle().stats().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn an_unclaimed_routes_body_is_the_inner_one() {
    let polled = Arc::new(Mutex::new(0));
    let inner = {
        let polled = Arc::clone(&polled);
        scripted(move || {
            *polled.lock().unwrap() += 1;
            vec![data("x"), Err(())]
        })
    };
    let service = layer(1).layer(inner);
    let request = Request::get("/other").body(Full::default()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.headers().get("cache-status"), None);
    assert_eq!(response.headers().get("cache-control"), None);
    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_err());
    assert_eq!(*polled.lock().unwrap(), 1);
}
