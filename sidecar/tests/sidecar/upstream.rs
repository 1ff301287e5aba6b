//! An upstream that does with each HTTP/2 stream whatever a test wants.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    lost: Arc<Notify>,
    leaving: Arc<Notify>,
}

pub(crate) type Reply = SendResponse<Bytes>;

impl Upstream {
    pub(crate) async fn new<F, Fut>(handle: F) -> Self
    where
        F: Fn(Request<RecvStream>, Reply) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, handle)
    }

    pub(crate) fn on<F, Fut>(listener: TcpListener, handle: F) -> Self
    where
        F: Fn(Request<RecvStream>, Reply) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let (lost, leaving) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (losing, leave) = (Arc::clone(&lost), Arc::clone(&leaving));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(connection(
                    stream,
                    handle.clone(),
                    Arc::clone(&losing),
                    Arc::clone(&leave),
                ));
            }
        });
        Self { address, lost, leaving }
    }

    /// Drops all connections.
    pub(crate) fn lose_connections(&self) {
        self.lost.notify_waiters();
    }

    /// Ends all connections as a server does that restarts: GOAWAY, and what is under way goes on.
    pub(crate) fn leave(&self) {
        self.leaving.notify_waiters();
    }
}

async fn connection<F, Fut>(stream: TcpStream, handle: F, lost: Arc<Notify>, leaving: Arc<Notify>)
where
    F: Fn(Request<RecvStream>, Reply) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut connection = h2::server::Builder::new().handshake(stream).await.unwrap();
    let lost = lost.notified();
    tokio::pin!(lost);
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, reply))) => drop(tokio::spawn(handle(request, reply))),
                _ => return,
            },
            () = leaving.notified() => connection.graceful_shutdown(),
            () = &mut lost => return,
        }
    }
}

/// Begins a gRPC reply with a body to come.
pub(crate) fn begin(mut reply: Reply) -> SendStream<Bytes> {
    let response = Response::builder().header("content-type", "application/grpc");
    reply.send_response(response.body(()).unwrap(), false).unwrap()
}

/// All that comes in a stream.
pub(crate) async fn read(mut body: RecvStream) -> Result<(Bytes, Option<http::HeaderMap>), h2::Error> {
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        all.extend_from_slice(&data);
    }
    Ok((all.into(), body.trailers().await?))
}

/// Ends a call with a status only: 12, UNIMPLEMENTED.
pub(crate) fn unimplemented(mut reply: Reply) {
    let response = Response::builder().header("content-type", "application/grpc");
    let response = response.header("grpc-status", "12").body(()).unwrap();
    reply.send_response(response, true).unwrap();
}
