//! Connecting, against an upstream that takes its time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Uri;
use tokio::time::{Instant, advance, sleep};
use tower::{Service, ServiceExt, service_fn};
use tower_zookie_sidecar::proxy::connect::{ConnectError, Connector};

use crate::AnyError;

const WITHIN: Duration = Duration::from_secs(2);

type Connecting = Pin<Box<dyn Future<Output = Result<(), AnyError>> + Send>>;

/// A connector before an upstream that is down for the first `down` attempts, each of which takes `takes`.
fn connector(
    down: usize,
    takes: Duration,
) -> (
    Connector<impl Service<Uri, Response = (), Error = AnyError, Future = Connecting> + Clone>,
    Arc<AtomicUsize>,
) {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let inner = service_fn(move |_: Uri| -> Connecting {
        let up = counted.fetch_add(1, Ordering::SeqCst) >= down;
        Box::pin(async move {
            sleep(takes).await;
            if up { Ok(()) } else { Err("down".into()) }
        })
    });
    (Connector::new(inner, WITHIN), attempts)
}

#[tokio::test(start_paused = true)]
async fn a_slow_connection_attempt_times_out() {
    let (connector, _) = connector(0, Duration::from_secs(3600));
    let begun = Instant::now();
    let failed = connector.oneshot(Uri::default()).await;
    assert_eq!(begun.elapsed(), WITHIN);
    assert!(matches!(failed, Err(ConnectError::TimedOut { within: WITHIN })));
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_upstream_is_not_retried_at_once() {
    let (connector, attempts) = connector(1, Duration::ZERO);
    let connect = || connector.clone().oneshot(Uri::default());
    assert!(matches!(connect().await, Err(ConnectError::Failed { .. })));
    for _ in 0..100 {
        assert!(matches!(connect().await, Err(ConnectError::Resting)));
    }
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    advance(Duration::from_millis(100)).await;
    assert!(connect().await.is_ok());
    assert!(connect().await.is_ok(), "a success is followed by no rest");
}
