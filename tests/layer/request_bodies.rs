//! Request bodies, as they arrive on real connections.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::time::{Sleep, sleep};
use tower_zookie::ByteSize;
use tower_zookie_testing::scripted::{Body, Both, Client, Sent, Upstream, both, bulk_body};

/// One step of a body that arrives in pieces.
enum Step {
    Data(&'static [u8]),
    Trailers,
    Wait(Duration),
}

struct Pieces {
    steps: VecDeque<Step>,
    sleeping: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(sleeping) = &mut self.sleeping {
                if sleeping.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.sleeping = None;
            }
            return Poll::Ready(match self.steps.pop_front() {
                None => None,
                Some(Step::Data(data)) => Some(Ok(Frame::data(Bytes::from_static(data)))),
                Some(Step::Trailers) => {
                    let mut trailers = HeaderMap::new();
                    trailers.insert("checksum", "1".parse().unwrap());
                    Some(Ok(Frame::trailers(trailers)))
                }
                Some(Step::Wait(time)) => {
                    self.sleeping = Some(Box::pin(sleep(time)));
                    continue;
                }
            });
        }
    }
}

fn pieces(steps: impl IntoIterator<Item = Step>) -> Body {
    let steps = steps.into_iter().collect();
    Pieces { steps, sleeping: None }.boxed_unsync()
}

const QUESTION: &[u8] =
    br#"{"subject":{"type":"user","id":"ada"},"action":{"name":"read"},"resource":{"type":"doc","id":"a"}}"#;
const MOMENT: Duration = Duration::from_millis(1);

fn evaluation(client: &Client, body: Body) -> Sent<Both> {
    let request = Request::post("/access/v1/evaluation")
        .header("content-type", "application/json")
        .body(body)
        .unwrap();
    client.sent(request)
}

#[tokio::test(start_paused = true)]
async fn a_body_in_many_late_frames_is_one_question() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let reply = evaluation(&client, Full::from(QUESTION).boxed_unsync()).send().await;
    assert_eq!(reply.outcome(), "fwd=miss; stored");
    let (start, rest) = QUESTION.split_at(20);
    let (middle, end) = rest.split_at(1);
    let steps = [
        Step::Wait(MOMENT),
        Step::Data(start),
        Step::Data(b""),
        Step::Data(middle),
        Step::Wait(MOMENT),
        Step::Data(end),
    ];
    assert!(evaluation(&client, pieces(steps)).send().await.is_hit());
    assert_eq!(upstream.last().body, QUESTION);
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_body_over_the_limit_is_forwarded_whole() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.max_request_body(ByteSize::bytes(50)));
    let (start, end) = QUESTION.split_at(40);
    let steps = [
        Step::Wait(MOMENT),
        Step::Data(start),
        Step::Data(end),
        Step::Wait(MOMENT),
        Step::Trailers,
    ];
    for body in [pieces(steps), Full::from(QUESTION).boxed_unsync()] {
        let reply = evaluation(&client, body).send().await;
        assert_eq!(
            (reply.outcome(), reply.header("cache-control")),
            ("fwd=bypass", Some("no-store"))
        );
        assert_eq!(upstream.last().body, QUESTION);
    }
    assert_eq!(upstream.seen()[0].trailers.as_ref().unwrap()["checksum"], "1");
    assert_eq!(upstream.last().asked, Some(tower_zookie::Asked::default()));
    assert_eq!(client.layer.handle().stats().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn trailers_after_a_pause_are_forwarded() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let steps = [Step::Data(QUESTION), Step::Trailers, Step::Wait(MOMENT)];
    let reply = evaluation(&client, pieces(steps)).send().await;
    assert_eq!(reply.outcome(), "fwd=bypass");
    let seen = upstream.last();
    assert_eq!(
        (&*seen.body, &seen.trailers.unwrap()["checksum"]),
        (QUESTION, &"1".parse().unwrap())
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_at_the_limit_is_read() {
    let upstream = Upstream::new();
    let limit = ByteSize::bytes(QUESTION.len() as u64);
    let client = Client::with(&upstream, |builder| builder.max_request_body(limit));
    let reply = evaluation(&client, Full::from(QUESTION).boxed_unsync()).send().await;
    assert_eq!(reply.outcome(), "fwd=miss; stored");
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_body_that_does_not_arrive_is_a_408() {
    let upstream = Upstream::new();
    let client = Client::with(&upstream, |builder| builder.read_timeout(Duration::from_secs(3)));
    let drip = |seconds| {
        [
            Step::Data(&QUESTION[..5]),
            Step::Wait(Duration::from_secs(seconds)),
            Step::Data(&QUESTION[5..]),
        ]
    };
    let reply = evaluation(&client, pieces(drip(2))).send().await;
    assert_eq!(reply.status, StatusCode::OK);
    let reply = evaluation(&client, pieces(drip(4)))
        .header("x-request-id", "7")
        .send()
        .await;
    assert_eq!(reply.status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(reply.json()["type"], "urn:tower-zookie:request-timeout");
    assert_eq!(reply.header("x-request-id"), Some("7"));
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_without_a_key_are_bypassed() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    let asked = json!({ "subject": {}, "action": {}, "resource": {} });
    let question = || client.post("/access/v1/evaluation", &asked);
    assert_eq!(question().send().await.outcome(), "fwd=miss; stored");
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("if-none-match", "\"a\""),
        ("if-match", "*"),
        ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("range", "bytes=0-1"),
        ("signature", "sig1=:AA==:"),
        ("signature-input", "sig1=()"),
        ("content-digest", "sha-256=:AA==:"),
        ("digest", "SHA-256=AA"),
    ] {
        let calls = upstream.calls();
        let reply = question().header(name, value).send().await;
        assert_eq!((reply.outcome(), upstream.calls()), ("fwd=bypass", calls + 1), "{name}");
        assert_eq!(upstream.last().header(name), Some(value));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    assert!(question().send().await.is_hit());
    assert_eq!(client.layer.handle().stats().bypassed, 9);
}

#[tokio::test(start_paused = true)]
async fn a_get_with_a_body_is_bypassed() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.check("a").send().await;
    let announced = client
        .request("GET", "/check?resource=a", "body")
        .header("content-length", "4");
    let chunked = client
        .request("GET", "/check?resource=a", "body")
        .header("transfer-encoding", "chunked");
    for request in [client.request("GET", "/check?resource=a", "body"), announced, chunked] {
        let reply = request.send().await;
        assert_eq!(
            (reply.outcome(), reply.header("cache-control")),
            ("fwd=bypass", Some("no-store"))
        );
        assert_eq!(upstream.last().body, "body");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_bulk_has_a_correct_content_length() {
    let upstream = Upstream::new();
    let client = Client::new(&upstream);
    client.bulk(&["a"], None).send().await;
    let body = bulk_body(&["a", "b"], None).to_string();
    let length = body.len().to_string();
    let reply = client
        .bulk(&["a", "b"], None)
        .header("content-length", &length)
        .send()
        .await;
    assert_eq!(reply.decisions(), [false, false]);
    let seen = upstream.last();
    assert!(seen.body.len() < body.len(), "only the missing one was asked: {seen:?}");
    assert_eq!(seen.header("content-length"), Some(&*seen.body.len().to_string()));
    let reply = client
        .bulk(&["a", "c"], None)
        .header("transfer-encoding", "chunked")
        .send()
        .await;
    assert_eq!(reply.decisions(), [false, false]);
    assert_eq!(upstream.last().header("transfer-encoding"), None);
}

#[tokio::test(start_paused = true)]
async fn a_forwarded_body_has_its_original_size() {
    let hints = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let inner = {
        let hints = hints.clone();
        tower::service_fn(move |request: Request<Body>| {
            hints.lock().unwrap().push(request.body().size_hint());
            std::future::ready(Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::default())))
        })
    };
    let layer = tower_zookie::ZookieLayer::builder(both())
        .max_request_body(ByteSize::bytes(50))
        .build()
        .unwrap();
    let service = tower::ServiceBuilder::new().layer(layer).service(inner);
    let send = |body: Body| {
        let request = Request::post("/access/v1/evaluation").body(body).unwrap();
        tower::ServiceExt::oneshot(service.clone(), request)
    };
    send(Full::from(QUESTION).boxed_unsync()).await.unwrap();
    send(Full::from(&QUESTION[..20]).boxed_unsync()).await.unwrap();
    send(pieces([Step::Data(QUESTION), Step::Wait(MOMENT)])).await.unwrap();
    let hints = hints.lock().unwrap();
    assert_eq!(hints[0].exact(), Some(QUESTION.len() as u64), "untouched");
    assert_eq!(hints[1].exact(), Some(20), "read whole");
    assert_eq!(
        (hints[2].lower(), hints[2].upper()),
        (QUESTION.len() as u64, None),
        "read in part"
    );
}
