//! A server that does with HTTP/2 what gRPC's server in Go does, where that matters here: it bounds neither resets nor
//! frames that come late, waits for a message that is missing, and keeps deadlines itself.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};

use super::{EMPTY, LONG, System};
use crate::upstream::read;

/// The largest head of Go's servers.
const HEADERS: u32 = 16 << 20;
const TICK: Duration = Duration::from_millis(20);

/// How a server differs from the usual one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Serves {
    /// How many streams at a time a connection may have.
    pub(super) at_a_time: Option<u32>,
    /// It is so far away: what is on its way when a call is cancelled comes late.
    pub(super) away: Duration,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    serving: AbortHandle,
    connections: Arc<AtomicUsize>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    pub(super) async fn new(system: System, serves: Serves) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                connections.spawn(connection(stream, system, serves));
            }
        });
        Self {
            address,
            serving: serving.abort_handle(),
            connections,
        }
    }

    /// How many connections there have been.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The connection at the end of a long line.
fn far(near: TcpStream, away: Duration) -> DuplexStream {
    let (ours, theirs) = duplex(1 << 20);
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = split(theirs);
    tokio::spawn(carry(from_near, to_far, away));
    tokio::spawn(carry(from_far, to_near, away));
    ours
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin + Send + 'static, away: Duration) {
    let (send, mut sent) = mpsc::unbounded_channel::<(Instant, Bytes)>();
    tokio::spawn(async move {
        while let Some((at, data)) = sent.recv().await {
            sleep_until(at).await;
            if to.write_all(&data).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    });
    let mut data = BytesMut::new();
    while from.read_buf(&mut data).await.is_ok_and(|read| read > 0) {
        if send.send((Instant::now() + away, data.split().freeze())).is_err() {
            return;
        }
    }
}

#[derive(Clone)]
struct Check {
    path: String,
    reply: Bytes,
}

async fn connection(stream: TcpStream, system: System, serves: Serves) {
    stream.set_nodelay(true).unwrap();
    match serves.away.is_zero() {
        true => serve(stream, system, serves).await,
        false => serve(far(stream, serves.away), system, serves).await,
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, system: System, serves: Serves) {
    let mut builder = Builder::new();
    builder
        .max_header_list_size(HEADERS)
        .max_pending_accept_reset_streams(usize::MAX)
        .max_concurrent_reset_streams(1 << 16)
        .max_local_error_reset_streams(None);
    if let Some(at_a_time) = serves.at_a_time {
        builder.max_concurrent_streams(at_a_time);
    }
    let Ok(mut connection) = builder.handshake(stream).await else {
        return;
    };
    let check = Check {
        path: system.check().0.uri().path().to_owned(),
        reply: system.recorded().response.body(),
    };
    while let Some(Ok((request, reply))) = connection.accept().await {
        tokio::spawn(answer(request, reply, system, check.clone()));
    }
}

async fn answer(request: Request<RecvStream>, reply: SendResponse<Bytes>, system: System, check: Check) {
    let path = request.uri().path().to_owned();
    if request
        .headers()
        .get("authorization")
        .is_some_and(|key| key == "Bearer wrong")
    {
        fail(reply, "16", "wrong key");
    } else if path == system.watch() {
        if let Some(stream) = began(reply) {
            watch(stream).await;
        }
    } else if path == system.rows() {
        let count = number(&request, "x-rows").unwrap_or(1);
        let size = number(&request, "x-row-size").unwrap_or(5);
        if let Some(stream) = began(reply) {
            send_rows(stream, count, size).await;
        }
    } else {
        let deadline = request.headers().get("grpc-timeout").map_or(LONG, deadline);
        let message = if path == check.path { check.reply } else { EMPTY };
        unary(request, reply, message, deadline).await;
    }
}

async fn unary(request: Request<RecvStream>, mut reply: SendResponse<Bytes>, message: Bytes, deadline: Duration) {
    let takes = number(&request, "x-takes-ms").unwrap_or(0);
    let trailer = number(&request, "x-trailer");
    let metadata = request.headers().get("x-large").map_or(0, HeaderValue::len);
    // Nothing follows the head, so that the message never comes.
    let never = request.body().is_end_stream();
    let answering = async {
        let (received, _) = read(request.into_body()).await.ok()?;
        if never {
            std::future::pending::<()>().await;
        }
        sleep(Duration::from_millis(takes)).await;
        Some(received)
    };
    let received = tokio::select! {
        answered = timeout(deadline, answering) => answered,
        _ = poll_fn(|cx| reply.poll_reset(cx)) => return,
    };
    match received {
        Err(_) => reply.send_reset(Reason::CANCEL),
        Ok(None) => {}
        Ok(Some(received)) if received.is_empty() => fail(reply, "2", "EOF"),
        Ok(Some(_)) if trailer.is_some() => {
            let details = "d".repeat(trailer.unwrap_or(0));
            let response = Response::builder()
                .header("content-type", "application/grpc")
                .header("grpc-status", "9")
                .header("grpc-status-details-bin", details);
            let _ = reply.send_response(response.body(()).unwrap(), true);
        }
        Ok(Some(_)) => {
            let Some(mut stream) = began(reply) else { return };
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            trailers.insert("x-large-length", metadata.into());
            // The caller may be gone.
            let _ = stream.send_data(message, false);
            let _ = stream.send_trailers(trailers);
        }
    }
}

/// Sends rows as gRPC's server in Go does: each in a frame of its own, as far as the caller's windows go.
async fn send_rows(mut stream: SendStream<Bytes>, count: usize, size: usize) {
    let row = Bytes::from(vec![0; size]);
    for n in 0..count {
        // It reads them as it goes.
        if n % 10 == 1 {
            sleep(Duration::from_millis(1)).await;
        }
        if send(&mut stream, row.clone()).await.is_none() {
            return;
        }
    }
    succeed(stream);
}

async fn send(stream: &mut SendStream<Bytes>, message: Bytes) -> Option<()> {
    stream.reserve_capacity(message.len());
    while stream.capacity() < message.len() {
        poll_fn(|cx| stream.poll_capacity(cx)).await?.ok()?;
    }
    stream.send_data(message, false).ok()
}

async fn watch(mut stream: SendStream<Bytes>) {
    let mut ticks = interval(TICK);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = poll_fn(|cx| stream.poll_reset(cx)) => return,
        }
        if send(&mut stream, EMPTY).await.is_none() {
            return;
        }
    }
}

/// Begins a reply, unless the call was cancelled.
fn began(mut reply: SendResponse<Bytes>) -> Option<SendStream<Bytes>> {
    let response = Response::builder().header("content-type", "application/grpc");
    reply.send_response(response.body(()).unwrap(), false).ok()
}

fn succeed(mut stream: SendStream<Bytes>) {
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let _ = stream.send_trailers(trailers);
}

/// Trailers alone, and where the request goes on, no more of it is wanted.
fn fail(mut reply: SendResponse<Bytes>, status: &str, message: &str) {
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", status)
        .header("grpc-message", message);
    let _ = reply.send_response(response.body(()).unwrap(), true);
}

fn number<T: FromStr>(request: &Request<RecvStream>, name: &str) -> Option<T> {
    request.headers().get(name)?.to_str().ok()?.parse().ok()
}

fn deadline(value: &HeaderValue) -> Duration {
    let text = value.to_str().unwrap();
    let (number, unit) = text.split_at(text.len() - 1);
    let number = number.parse().unwrap();
    match unit {
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => LONG,
    }
}
