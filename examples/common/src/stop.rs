//! When to stop.

use std::future::{Future, pending};

/// Comes with Ctrl-C or SIGTERM, and listens for both before it is first awaited.
pub fn told_to_stop() -> impl Future<Output = ()> + Send + 'static {
    let terminated = terminated();
    async move {
        tokio::select! {
            Ok(()) = tokio::signal::ctrl_c() => {}
            () = terminated => {}
            // Without signals there is no other way to end than from outside.
            else => pending().await,
        }
    }
}

#[cfg(unix)]
fn terminated() -> impl Future<Output = ()> + Send {
    use tokio::signal::unix::{SignalKind, signal};

    let signals = signal(SignalKind::terminate());
    async move {
        match signals {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => pending().await,
        }
    }
}

#[cfg(not(unix))]
fn terminated() -> impl Future<Output = ()> + Send {
    pending()
}
