//! A SpiceDB of which each reply is scripted.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tower::Service;
use tower_zookie::changes::{ChangeFeed, Event, FeedError, Opened};
use tower_zookie::protocol::SpiceDb;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::{ApiFeed, Handle, ZookieLayer};

pub(crate) const WATCH: &str = "/authzed.api.v1.WatchService/Watch";
pub(crate) const READ_SCHEMA: &str = "/authzed.api.v1.SchemaService/ReadSchema";
pub(crate) const REFLECT: &str = "/authzed.api.v1.SchemaService/ReflectSchema";
pub(crate) const READ: &str = "/authzed.api.v1.PermissionsService/ReadRelationships";

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Frames = UnboundedReceiverStream<Result<Frame<Bytes>, io::Error>>;

/// Each path has a queue of replies. Without one, a call waits for ever.
#[derive(Clone, Default)]
pub(crate) struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    asked: Vec<Request<Bytes>>,
    replies: HashMap<&'static str, VecDeque<Response<Body>>>,
}

/// A reply under way: the test sends its frames.
pub(crate) struct Sending(mpsc::UnboundedSender<Result<Frame<Bytes>, io::Error>>);

impl Sending {
    pub(crate) fn data(&self, data: impl Into<Bytes>) {
        self.0.send(Ok(Frame::data(data.into()))).unwrap();
    }

    pub(crate) fn trailers(&self, status: &str) {
        self.0.send(Ok(Frame::trailers(trailers(status)))).unwrap();
    }

    pub(crate) fn break_off(&self) {
        self.0.send(Err(io::Error::other("reset"))).unwrap();
    }

    /// Whether the client still reads it.
    pub(crate) fn is_read(&self) -> bool {
        !self.0.is_closed()
    }
}

fn trailers(status: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_str(status).unwrap());
    trailers.insert("grpc-message", HeaderValue::from_static("secret"));
    trailers
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn push(&self, path: &'static str, reply: Response<Body>) {
        self.state().replies.entry(path).or_default().push_back(reply);
    }

    /// The next call is answered with this message.
    pub(crate) fn reply(&self, path: &'static str, message: &Bytes) {
        let sending = self.stream(path);
        sending.data(message.clone());
        sending.trailers("0");
    }

    /// The next call fails with this status alone.
    pub(crate) fn fail(&self, path: &'static str, status: &str) {
        let mut reply = Response::new(Full::default().map_err(|never| match never {}).boxed_unsync());
        *reply.headers_mut() = trailers(status);
        self.push(path, reply);
    }

    pub(crate) fn refuse(&self, path: &'static str, status: StatusCode, body: &'static str) {
        let body = Full::from(body).map_err(|never| match never {}).boxed_unsync();
        let reply = Response::builder().status(status).body(body).unwrap();
        self.push(path, reply);
    }

    /// The next call has this stream for a reply.
    pub(crate) fn stream(&self, path: &'static str) -> Sending {
        self.stream_of(path, "application/grpc")
    }

    pub(crate) fn stream_of(&self, path: &'static str, content_type: &'static str) -> Sending {
        let (sender, receiver) = mpsc::unbounded_channel();
        let body = StreamBody::new(Frames::new(receiver)).boxed_unsync();
        let reply = Response::builder().header("content-type", content_type);
        self.push(path, reply.body(body).unwrap());
        Sending(sender)
    }

    /// All requests so far, and only once.
    pub(crate) fn asked(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut self.state().asked)
    }

    /// The paths of all requests so far, and only once.
    pub(crate) fn paths(&self) -> Vec<String> {
        let asked = self.asked();
        asked.iter().map(|request| request.uri().path().to_owned()).collect()
    }

    pub(crate) fn feed(&self, engine: Engine) -> (Handle<SpiceDb>, ApiFeed<SpiceDb, Self, Full<Bytes>>) {
        let handle = ZookieLayer::spicedb(engine).handle();
        let feed = handle.feed(self.clone()).unwrap();
        (handle, feed)
    }
}

impl Service<Request<Full<Bytes>>> for Server {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let path = parts.uri.path().to_owned();
            let reply = {
                let mut state = server.state();
                state.asked.push(Request::from_parts(parts, body));
                state.replies.get_mut(&*path).and_then(VecDeque::pop_front)
            };
            match reply {
                Some(reply) => Ok(reply),
                None => std::future::pending().await,
            }
        })
    }
}

/// The next event. It must not need to wait.
pub(crate) async fn next(opened: &mut Opened) -> Result<Event, FeedError> {
    let event = std::future::poll_fn(|cx| opened.events.as_mut().poll_next(cx));
    event.await.expect("the feed has ended")
}

/// What an error is, and its text with those of its sources.
pub(crate) fn told(error: &FeedError) -> (bool, String) {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    (matches!(error, FeedError::Lost(_)), text)
}

/// Opens a feed at the head.
pub(crate) async fn opened(feed: &impl ChangeFeed) -> Opened {
    feed.open(None).await.unwrap()
}
