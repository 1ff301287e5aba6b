//! One port.

use std::io;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::front::Front;
use super::greeting::{Greeted, Greeting, begins_tls, greeted};
use super::limits::{CALLS, CANCELLED_UNSEEN, FROM_CALLER, LATE_FRAMES, STREAM};
use super::pool::Limits;
use super::silent::{Place, Silent};
use super::tls::Stream;

/// How long a caller may take to say what it speaks, TLS included.
const SPEAKS_WITHIN: Duration = Duration::from_secs(10);
/// How long a caller may take for the head of a request over HTTP/1, and between requests.
const HEAD_WITHIN: Duration = Duration::from_secs(60);
/// A caller that vanished without a word must not keep its streams for ever.
const PING: Duration = Duration::from_secs(60);
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// When no connection can be accepted, for want of file descriptors say.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// The same, where others were closed for it.
const ACCEPT_SOON: Duration = Duration::from_millis(5);

/// Is there as long as the sidecar serves: gone, everything ends.
pub(crate) type Serving = watch::Receiver<()>;

#[derive(Clone)]
pub(crate) struct Port {
    builder: Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
    front: Front,
}

impl Port {
    /// Speaks HTTP/1.1 and HTTP/2, also where only gRPC is expected: a silent caller can then be distinguished from one
    /// that is about to speak.
    pub(crate) fn new(tls: Option<TlsAcceptor>, front: Front, limits: Limits) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .auto_date_header(false)
            .max_buf_size(limits.http1_buffer())
            .http2()
            .timer(TokioTimer::new())
            .auto_date_header(false)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG_WITHIN)
            .initial_stream_window_size(STREAM)
            .initial_connection_window_size(FROM_CALLER)
            .max_concurrent_streams(CALLS)
            .max_header_list_size(limits.headers)
            .max_pending_accept_reset_streams(CANCELLED_UNSEEN)
            .max_local_error_reset_streams(LATE_FRAMES);
        Self { builder, tls, front }
    }

    /// Serves until `serving` is gone. Then it accepts nothing more, says so on every connection, and waits for the calls
    /// under way; those that go on after `drain` are cut off.
    pub(crate) async fn serve(self, listener: TcpListener, silent: Silent, mut serving: Serving, drain: Duration) {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = accept(&listener, &silent) => {
                    let place = silent.enter();
                    let connected = self.clone().connected(accepted, place, graceful.watcher(), serving.clone());
                    connections.spawn(connected);
                }
                Some(_) = connections.join_next() => {}
                // Nothing is ever sent: this is the end.
                _ = serving.changed() => break,
            }
        }
        drop(listener);
        if timeout(drain, graceful.shutdown()).await.is_err() {
            tracing::warn!(
                connections = connections.len(),
                "cut off calls that were still under way"
            );
        }
        connections.shutdown().await;
    }

    async fn connected(self, tcp: TcpStream, mut place: Place, watcher: Watcher, mut serving: Serving) {
        // Small messages must not wait for one another; without it they only come later.
        drop(tcp.set_nodelay(true));
        let greeted = async {
            let stream = match &self.tls {
                None => Stream::Plain(tcp),
                Some(_) if !begins_tls(&tcp).await? => {
                    self.front.mix_ups.plaintext_from_caller();
                    return Ok(None);
                }
                Some(tls) => Stream::Tls(Box::new(tls.accept(tcp).await?)),
            };
            greeted(stream).await.map(Some)
        };
        let greeted = tokio::select! {
            greeted = timeout(SPEAKS_WITHIN, greeted) => greeted,
            () = place.closed() => return tracing::debug!("a silent connection was closed for others"),
            _ = serving.changed() => return,
        };
        drop(place);
        match greeted {
            Ok(Ok(None | Some((Greeting::Nothing, _)))) => {}
            Ok(Ok(Some((Greeting::Tls, _)))) => self.front.mix_ups.tls_from_caller(),
            Ok(Ok(Some((Greeting::Http1 | Greeting::Http2, stream)))) => self.speak(stream, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "a connection broke before it said what it speaks"),
            Err(_) => tracing::debug!("a connection was closed that said nothing"),
        }
    }

    async fn speak(&self, stream: Greeted<Stream>, watcher: Watcher) {
        let connection = self.builder.serve_connection(TokioIo::new(stream), self.front.clone());
        if let Err(error) = watcher.watch(connection.into_owned()).await {
            tracing::debug!(error, "a connection broke");
        }
    }
}

async fn accept(listener: &TcpListener, silent: &Silent) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                match silent.close_older_half() {
                    true => sleep(ACCEPT_SOON).await,
                    false => sleep(ACCEPT_AGAIN).await,
                }
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
