//! Opening a connection, and keeping it going.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use http::Uri;
use hyper::client::conn::http2;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tower::ServiceExt;

use super::heard::{Ears, Listening};
use super::state::Shared;
use crate::proxy::connect::{ConnectError, Connector};
use crate::proxy::limits::{CANCELLED, REMEMBERED, STREAM, TO_UPSTREAM, UNDER_WAY};
use crate::proxy::upstream::RequestBody;

/// What gRPC servers written in Go let pass without hanging up is a ping in five minutes.
pub(crate) const PING: Duration = Duration::from_secs(5 * 60 + 10);
pub(crate) const PONG_WITHIN: Duration = Duration::from_secs(20);

pub(super) type Sender = http2::SendRequest<RequestBody>;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

type Connection = http2::Connection<Listening<Stream>, RequestBody, Executor>;

/// How connections are opened.
pub(super) struct Connecting {
    connector: Connector,
    uri: Uri,
    headers: u32,
}

/// A connection whose settings are known.
pub(super) struct Connected {
    pub(super) sender: Sender,
    pub(super) room: Room,
    pub(super) going: Going,
}

/// How many calls at a time a connection takes. The upstream may change its mind.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<AtomicUsize>);

impl Room {
    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed).min(UNDER_WAY)
    }
}

/// Does a connection's work.
pub(super) struct Going {
    connection: Connection,
    room: Room,
    polled: Arc<Notify>,
}

impl Connecting {
    pub(super) fn new(connector: Connector, uri: Uri, headers: u32) -> Self {
        Self {
            connector,
            uri,
            headers,
        }
    }

    /// Connects, and waits for the upstream's settings: only then is it known that it speaks HTTP/2, and how many calls it
    /// takes at a time.
    pub(super) async fn open(&self) -> Result<Connected, ConnectError> {
        let within = self.connector.within();
        let stream = self.connector.clone().oneshot(self.uri.clone()).await?;
        let opened = match timeout(within, self.greet(stream)).await {
            Ok(opened) => opened,
            Err(_) => Err(ConnectError::Silent { within }),
        };
        if let Err(error) = &opened {
            self.connector.failed(error);
        }
        opened
    }

    async fn greet(&self, stream: Stream) -> Result<Connected, ConnectError> {
        let ears = Ears::default();
        let stream = Listening::new(stream, ears.clone());
        let not_http2 = |source| ConnectError::NotHttp2 {
            heard: ears.heard(),
            source,
        };
        let polled = Arc::new(Notify::new());
        let executor = Executor {
            polled: Arc::clone(&polled),
        };
        let (sender, connection) = http2::Builder::new(executor)
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG_WITHIN)
            .initial_stream_window_size(STREAM)
            .initial_connection_window_size(TO_UPSTREAM)
            .max_header_list_size(self.headers)
            // Until its settings are there, it takes none.
            .initial_max_send_streams(0)
            .max_concurrent_reset_streams(CANCELLED)
            .reset_stream_duration(REMEMBERED)
            .max_local_error_reset_streams(None)
            .handshake(stream)
            .await
            .map_err(|error| not_http2(Some(error)))?;
        let room = Room(Arc::default());
        let mut going = Going {
            connection,
            room: room.clone(),
            polled,
        };
        going.settings().await.map_err(not_http2)?;
        Ok(Connected { sender, room, going })
    }
}

impl Going {
    /// Waits until it is known how many calls the upstream takes. Fails if the connection ends first.
    async fn settings(&mut self) -> Result<(), Option<hyper::Error>> {
        loop {
            let polled = Arc::clone(&self.polled);
            tokio::select! {
                ended = poll_fn(|cx| self.poll(cx)) => {
                    return Err(ended.err());
                }
                () = polled.notified() => {}
            }
            self.room
                .0
                .store(self.connection.current_max_send_streams(), Ordering::Relaxed);
            if self.room.get() > 0 {
                return Ok(());
            }
        }
    }

    fn poll(&mut self, cx: &mut std::task::Context<'_>) -> Poll<hyper::Result<()>> {
        let ended = Pin::new(&mut self.connection).poll(cx);
        self.room
            .0
            .store(self.connection.current_max_send_streams(), Ordering::Relaxed);
        ended
    }

    /// Goes on until the connection takes no more calls. Those under way go on without it.
    pub(super) async fn go_on(mut self, pool: Weak<Shared>, id: u64) {
        let ended = poll_fn(|cx| self.poll(cx)).await;
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection to the upstream broke");
        }
        if let Some(pool) = pool.upgrade() {
            pool.remove(id);
        }
    }
}

/// Runs a connection's parts as tasks, and says when one of them was polled: the settings come in through another part
/// than the one that can be asked for them.
#[derive(Clone)]
pub(super) struct Executor {
    polled: Arc<Notify>,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, part: F) {
        let polled = Arc::clone(&self.polled);
        tokio::spawn(async move {
            let mut part = std::pin::pin!(part);
            poll_fn(|cx| {
                let ended = part.as_mut().poll(cx);
                polled.notify_one();
                ended
            })
            .await;
        });
    }
}
