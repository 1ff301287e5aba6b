use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::shared::Shared;
use crate::protocol::Protocol;

/// The wait for the outcome of a call that has begun.
///
/// It runs in its caller's future. When the caller leaves it moves to the runtime, where it has a flight's time and takes
/// a flight's place. If all places are taken, it ends with its caller.
pub(super) struct Outliving<P: Protocol, T: 'static> {
    shared: Arc<Shared<P>>,
    /// Whom the cap on flights counts it for.
    caller: u64,
    outcome: Option<Outcome<T>>,
}

type Outcome<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<P: Protocol, T: 'static> Outliving<P, T> {
    pub(super) fn new(shared: Arc<Shared<P>>, caller: u64, outcome: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            shared,
            caller,
            outcome: Some(Box::pin(outcome)),
        }
    }
}

impl<P: Protocol, T: 'static> Future for Outliving<P, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // One that panics is not put back, and so never polled again.
        let Some(mut outcome) = self.outcome.take() else {
            return Poll::Pending;
        };
        let polled = outcome.as_mut().poll(cx);
        if polled.is_pending() {
            self.outcome = Some(outcome);
        }
        polled
    }
}

impl<P: Protocol, T: 'static> Drop for Outliving<P, T> {
    fn drop(&mut self) {
        let Some(outcome) = self.outcome.take() else { return };
        let (Some(place), Ok(runtime)) = (self.shared.cache.place_for(self.caller), Handle::try_current()) else {
            tracing::debug!("a write ends with its caller: there are too many flights, or no runtime");
            return;
        };
        let limit = self.shared.cache.flight_timeout();
        let waiting = async move {
            if timeout(limit, outcome).await.is_err() {
                tracing::debug!("a write whose caller has left did not end in time");
            }
            drop(place);
        };
        runtime.spawn(waiting);
    }
}
