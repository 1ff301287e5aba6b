//! Tokens that are learned after the head of a response was sent.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_zookie::session::{PropagateLayer, Session};
use tower_zookie::token::CounterTokens;

use super::support::{builder, header, request};

/// A body of these frames, during which the current session may learn a token of a write.
struct Late {
    frames: VecDeque<Frame<Bytes>>,
    learns: Option<&'static str>,
}

impl Late {
    fn new(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Self {
        let frames = frames.into_iter().collect();
        Self { frames, learns: None }
    }

    fn learning(mut self, token: &'static str) -> Self {
        self.learns = Some(token);
        self
    }
}

impl Body for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(token) = self.learns.take() {
            Session::current().unwrap().absorb_written(token).unwrap();
        }
        Poll::Ready(self.frames.pop_front().map(Ok))
    }
}

fn data() -> Frame<Bytes> {
    Frame::data(Bytes::from_static(b"message"))
}

fn trailers(lines: &[(&'static str, &'static str)]) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    for (name, value) in lines {
        trailers.insert(*name, value.parse().unwrap());
    }
    Frame::trailers(trailers)
}

/// The head and the trailers of a response with this body, under a session at 7.
async fn answered(body: impl FnOnce() -> Late + Clone + Send + 'static) -> (HeaderMap, Option<HeaderMap>) {
    let service = service_fn(move |_: Request<Full<Bytes>>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(body.clone()())))
    });
    let service = builder().build().unwrap().layer(service);
    let response = service
        .oneshot(request(Method::POST, &[("zookie", "7")]))
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned();
    assert_eq!(body.to_bytes(), "message");
    (parts.headers, trailers)
}

#[tokio::test]
async fn what_is_learned_during_the_body_reaches_its_trailers() {
    let (head, trailers) = answered(|| Late::new([data(), trailers(&[("grpc-status", "0")])]).learning("9")).await;
    let trailers = trailers.unwrap();
    assert_eq!(
        (header(&head, "zookie"), header(&trailers, "zookie")),
        (Some("7"), Some("9"))
    );
    assert_eq!(
        (header(&head, "zookie-session"), header(&trailers, "zookie-session")),
        (Some("read"), Some("written"))
    );
    assert_eq!(header(&trailers, "grpc-status"), Some("0"));
}

#[tokio::test]
async fn trailers_say_nothing_that_the_head_has_said() {
    let (_, trailers) = answered(|| Late::new([data(), trailers(&[("grpc-status", "0")])])).await;
    assert_eq!(trailers.unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_without_trailers_gets_none() {
    let (head, trailers) = answered(|| Late::new([data()]).learning("9")).await;
    assert_eq!((header(&head, "zookie"), trailers), (Some("7"), None));
}

#[tokio::test]
async fn tokens_in_the_trailers_of_a_reply_reach_the_session() {
    let called = service_fn(|_: Request<Full<Bytes>>| {
        let body = Late::new([data(), trailers(&[("zookie", "9"), ("zookie-session", "written")])]);
        let response = Response::builder()
            .header("zookie", "7")
            .header("zookie-session", "read")
            .body(body);
        std::future::ready(Ok::<_, Infallible>(response.unwrap()))
    });
    let client = PropagateLayer::new().layer(called);
    let session = Session::new(CounterTokens::new("a"));
    let reply = session.scope(client.oneshot(request(Method::POST, &[]))).await.unwrap();
    assert_eq!(session.tokens()[0].as_str(), "7");
    reply.into_body().collect().await.unwrap();
    assert_eq!(session.tokens()[0].as_str(), "9");
}
