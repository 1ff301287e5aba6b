//! An upstream that answers as a real server did when it was recorded.

use std::convert::Infallible;
use std::net::SocketAddr;

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tower::ServiceExt;
use tower_zookie_testing::wire::{Recording, Replay};

pub(crate) struct Recorded {
    pub(crate) address: SocketAddr,
    pub(crate) recording: Recording,
    pub(crate) replay: Replay,
    serving: AbortHandle,
}

impl Recorded {
    /// As in `tests/wire/NAME.jsonl`.
    pub(crate) async fn server(name: &str) -> Self {
        let recording = Recording::load(name);
        let replay = Replay::new(&recording);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, replay.clone())).abort_handle();
        Self {
            address,
            recording,
            replay,
            serving,
        }
    }

    /// Stops, and drops all connections.
    pub(crate) fn die(&self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, replay: Replay) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let replay = replay.clone();
        connections.spawn(async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                let replay = replay.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body: Full<_> = body.collect().await.unwrap().to_bytes().into();
                    let reply = replay.oneshot(Request::from_parts(parts, body));
                    Ok::<_, Infallible>(reply.await.unwrap())
                }
            });
            let builder = Builder::new(TokioExecutor::new());
            drop(builder.serve_connection(TokioIo::new(stream), answer).await);
        });
    }
}
