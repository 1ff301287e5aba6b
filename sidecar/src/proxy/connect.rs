//! Connections to an upstream.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::ClientConfig;
use tower::Service;

use super::pool::Heard;
use super::speaks::Speaks;
use crate::AnyError;

/// How long an upstream that could not be reached is left alone.
const REST: Duration = Duration::from_millis(100);

/// Far below what firewalls forget, so that an upstream that vanished is noticed. HTTP/2's own pings can't do it: gRPC
/// servers written in Go, SpiceDB among them, hang up on whoever sends one oftener than every five minutes.
const PROBE_TCP: Duration = Duration::from_secs(20);

/// Connects within a bound, and fails at once for a moment after that failed.
///
/// All requests that wait for a connection try one after another when it can't be made. Without the moment, each would
/// wait for as long again.
#[derive(Clone)]
pub struct Connector<C = HttpsConnector<HttpConnector>> {
    inner: C,
    within: Duration,
    failed: Arc<Mutex<Option<Instant>>>,
}

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("no connection within {} ms", within.as_millis())]
    TimedOut { within: Duration },
    #[error("connecting failed a moment ago")]
    Resting,
    #[error("connecting failed")]
    Failed { source: AnyError },
    #[error("it does not speak HTTP/2")]
    NotHttp2 { heard: Heard, source: Option<hyper::Error> },
    #[error("it said nothing within {} ms", within.as_millis())]
    Silent { within: Duration },
}

/// Over TCP, or TLS where the URL says `https`.
pub fn connector(tls: ClientConfig, within: Duration, speaks: Speaks) -> Connector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(within));
    tcp.set_keepalive(Some(PROBE_TCP));
    tcp.set_keepalive_interval(Some(PROBE_TCP / 4));
    tcp.set_keepalive_retries(Some(4));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(PROBE_TCP * 2));
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let connector = match speaks {
        Speaks::Grpc => builder.enable_http2().wrap_connector(tcp),
        Speaks::Http => builder.enable_http1().wrap_connector(tcp),
    };
    Connector::new(connector, within)
}

impl<C> Connector<C> {
    pub fn new(inner: C, within: Duration) -> Self {
        Self {
            inner,
            within,
            failed: Arc::default(),
        }
    }

    pub(super) fn within(&self) -> Duration {
        self.within
    }

    /// A connection can't be used.
    pub(super) fn failed(&self, error: &ConnectError) {
        rest(&self.failed, error);
    }

    fn rests(&self) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|failed| failed.elapsed() < REST)
    }
}

impl<C> Service<Uri> for Connector<C>
where
    C: Service<Uri, Response: Send + 'static, Error: Into<AnyError>, Future: Send + 'static>,
{
    type Response = C::Response;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        let ready = self.inner.poll_ready(cx);
        ready.map_err(|error| ConnectError::Failed { source: error.into() })
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if self.rests() {
            return Box::pin(std::future::ready(Err(ConnectError::Resting)));
        }
        let connecting = timeout(self.within, self.inner.call(uri));
        let within = self.within;
        let failed = Arc::clone(&self.failed);
        Box::pin(async move {
            let error = match connecting.await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => ConnectError::Failed { source: error.into() },
                Err(_) => ConnectError::TimedOut { within },
            };
            rest(&failed, &error);
            Err(error)
        })
    }
}

/// Begins the rest after a failure.
fn rest(failed: &Mutex<Option<Instant>>, error: &ConnectError) {
    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    tracing::warn!(error = error as &dyn std::error::Error, "the upstream can't be reached");
}

impl<C> fmt::Debug for Connector<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}
