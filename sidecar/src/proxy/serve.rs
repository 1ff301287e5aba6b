//! One port.

use std::io;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::front::Front;
use super::limits::{CALLS, CANCELLED_UNSEEN, FROM_CALLER, LATE_FRAMES, STREAM};
use super::pool::Limits;

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// A caller that vanished without a word must not keep its streams for ever.
const PING: Duration = Duration::from_secs(60);
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// When no connection can be accepted, for want of file descriptors say.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

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
    pub(crate) async fn serve(self, listener: TcpListener, mut serving: Serving, drain: Duration) {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = accept(&listener) => {
                    let connected = self.clone().connected(accepted, graceful.watcher(), serving.clone());
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

    async fn connected(self, tcp: TcpStream, watcher: Watcher, mut serving: Serving) {
        // Small messages must not wait for one another; without it they only come later.
        drop(tcp.set_nodelay(true));
        let Some(tls) = &self.tls else {
            return self.speak(tcp, watcher).await;
        };
        let handshake = tokio::select! {
            handshake = timeout(HANDSHAKE_WITHIN, tls.accept(tcp)) => handshake,
            _ = serving.changed() => return,
        };
        match handshake {
            Ok(Ok(stream)) => self.speak(stream, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn speak(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, watcher: Watcher) {
        let connection = self.builder.serve_connection(TokioIo::new(stream), self.front.clone());
        if let Err(error) = watcher.watch(connection.into_owned()).await {
            tracing::debug!(error, "a connection broke");
        }
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
