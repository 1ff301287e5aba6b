//! A caller that sees every HTTP/2 frame.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::upstream::read;

#[derive(Clone)]
pub(crate) struct Caller {
    requests: SendRequest<Bytes>,
}

impl Caller {
    pub(crate) async fn new(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap()).await
    }

    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self { requests }
    }

    /// A caller as gRPC's client in Go is: it bounds neither resets nor small frames, and takes large heads.
    pub(crate) async fn patient(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut builder = h2::client::Builder::new();
        builder
            .max_header_list_size(16 << 20)
            .initial_connection_window_size(1 << 30)
            .data_frame_budget(usize::MAX)
            .max_concurrent_reset_streams(1 << 16)
            .max_local_error_reset_streams(None);
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self { requests }
    }

    /// Waits until a call can be made.
    pub(crate) async fn ready(&self) -> Result<SendRequest<Bytes>, h2::Error> {
        self.requests.clone().ready().await
    }

    /// Begins a call whose body is still to be sent.
    pub(crate) async fn begin(&self, request: Request<()>) -> (ResponseFuture, SendStream<Bytes>) {
        let mut ready = self.ready().await.unwrap();
        ready.send_request(request, false).unwrap()
    }

    /// Makes a call with this body.
    pub(crate) async fn call(
        &self,
        request: Request<()>,
        body: impl Into<Bytes>,
    ) -> Result<Response<RecvStream>, h2::Error> {
        let (reply, mut stream) = self.begin(request).await;
        stream.send_data(body.into(), true)?;
        reply.await
    }
}

/// A gRPC request to `/test.Raw/…`.
pub(crate) fn post(method: &str) -> Request<()> {
    let request = Request::post(format!("http://caller.example/test.Raw/{method}"));
    request
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    /// It had one HEADERS frame and nothing else.
    pub(crate) trailers_only: bool,
}

impl Whole {
    pub(crate) async fn of(reply: Response<RecvStream>) -> Result<Self, h2::Error> {
        let (parts, body) = reply.into_parts();
        let trailers_only = body.is_end_stream();
        let (body, trailers) = read(body).await?;
        Ok(Self {
            headers: parts.headers,
            body,
            trailers,
            trailers_only,
        })
    }

    /// The gRPC status of a reply that is nothing else.
    pub(crate) fn status_alone(&self) -> &str {
        assert!(self.trailers_only, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/grpc");
        self.headers["grpc-status"].to_str().unwrap()
    }

    pub(crate) fn trailer(&self, name: &str) -> &str {
        let trailers = self.trailers.as_ref().expect("there are trailers");
        trailers[name].to_str().unwrap()
    }
}
