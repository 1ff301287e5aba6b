//! One upstream, and the service that hands requests on to it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::TRANSFER_ENCODING;
use http::{Request, Response, Version};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::Service;

use super::connect::Connector;
use super::origin::Origin;
use super::{hop, windows};

/// What gRPC servers written in Go let pass without hanging up is a ping in five minutes.
const PING: Duration = Duration::from_secs(5 * 60 + 10);
const PONG_WITHIN: Duration = Duration::from_secs(20);

/// The body of a request on its way in, in a box that the layer can read and refill.
pub type RequestBody = UnsyncBoxBody<Bytes, hyper::Error>;

/// How an upstream is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/2, with prior knowledge where there is no TLS.
    Grpc,
    /// HTTP/1.1, or HTTP/2 if the TLS handshake says so.
    Http,
}

#[derive(Clone, Debug)]
pub struct Upstream {
    pub origin: Origin,
    pub speaks: Speaks,
    pub connector: Connector,
}

impl Upstream {
    /// A client with connections of its own.
    pub fn client<B>(&self) -> Client<Connector, B>
    where
        B: Body<Data: Send> + Send,
    {
        Client::builder(TokioExecutor::new())
            .http2_only(self.speaks == Speaks::Grpc)
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PONG_WITHIN)
            .http2_initial_stream_window_size(windows::STREAM)
            .http2_initial_connection_window_size(windows::TO_UPSTREAM)
            .http2_max_header_list_size(windows::HEADERS)
            .build(self.connector.clone())
    }

    pub fn forward(&self) -> Forward {
        Forward { client: self.client() }
    }
}

/// Hands on requests whose URI is the upstream's. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Forward {
    client: Client<Connector, RequestBody>,
}

impl Service<Request<RequestBody>> for Forward {
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        // The connection decides, whatever the caller's own spoke.
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().remove(TRANSFER_ENCODING);
        let reply = self.client.request(request);
        Box::pin(async move {
            let mut reply = reply.await?;
            hop::strip_reply(reply.headers_mut());
            Ok(reply)
        })
    }
}
