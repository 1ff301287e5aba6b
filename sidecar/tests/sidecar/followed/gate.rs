//! A reverse proxy before SpiceDB that can cut and freeze its change feed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;

const WATCH: &str = "/authzed.api.v1.WatchService/Watch";

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

pub(super) struct Gate {
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    upstream: String,
    client: Client<HttpConnector, Incoming>,
    /// Counts up with each cut.
    cuts: watch::Sender<u64>,
    frozen: watch::Sender<bool>,
}

impl Gate {
    pub(super) async fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            client: Client::builder(TokioExecutor::new()).http2_only(true).build(connector),
            cuts: watch::Sender::new(0),
            frozen: watch::Sender::new(false),
        });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let state = Arc::clone(&serving);
                let service = service_fn(move |request| Arc::clone(&state).pass(request));
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, state }
    }

    /// Ends every open feed with an error.
    pub(super) fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Stops every feed, or lets it go on.
    pub(super) fn freeze(&self, frozen: bool) {
        self.state.frozen.send_replace(frozen);
    }
}

impl State {
    async fn pass(self: Arc<Self>, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let is_feed = request.uri().path() == WATCH;
        *request.uri_mut() = format!("{}{}", self.upstream, request.uri().path())
            .parse::<Uri>()
            .unwrap();
        let reply = match self.client.request(request).await {
            Ok(reply) => reply,
            Err(_) => {
                let empty = http_body_util::Empty::new().map_err(|never: Infallible| match never {});
                let mut reply = Response::new(empty.boxed_unsync());
                reply
                    .headers_mut()
                    .insert("content-type", "application/grpc".parse().unwrap());
                reply.headers_mut().insert("grpc-status", "14".parse().unwrap());
                return Ok(reply);
            }
        };
        if !is_feed {
            return Ok(reply.map(|body| body.map_err(Into::into).boxed_unsync()));
        }
        let (parts, body) = reply.into_parts();
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(self.feed(body, sender));
        Ok(Response::from_parts(
            parts,
            StreamBody::new(ReceiverStream::new(receiver)).boxed_unsync(),
        ))
    }

    async fn feed(
        self: Arc<Self>,
        mut body: Incoming,
        sender: mpsc::Sender<Result<Frame<Bytes>, Box<dyn std::error::Error + Send + Sync>>>,
    ) {
        let mut cuts = self.cuts.subscribe();
        let mut frozen = self.frozen.subscribe();
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                _ = cuts.changed() => {
                    let _ = sender.send(Err("the feed was cut".into())).await;
                    return;
                }
            };
            let Some(frame) = frame else { return };
            let thawed = async {
                while *frozen.borrow_and_update() {
                    if frozen.changed().await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = thawed => {}
                _ = cuts.changed() => {
                    let _ = sender.send(Err("the feed was cut".into())).await;
                    return;
                }
            }
            if sender.send(frame.map_err(Into::into)).await.is_err() {
                return;
            }
        }
    }
}
