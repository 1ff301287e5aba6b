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

/// From now on SIGHUP does not end the process: a terminal that is closed, or a manager that asks for a reload, sends it.
pub fn outlive_hangups() {
    // The handler stays when what it reports to is dropped.
    #[cfg(unix)]
    drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()));
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
