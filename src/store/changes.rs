use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::watch;

use crate::store::change::Change;
use crate::store::error::WatchError;
use crate::store::state::State;

type NextHead = Pin<Box<dyn Future<Output = (watch::Receiver<u64>, bool)> + Send + Sync>>;

/// A store's changes in ascending order, each exactly once: first the changes after the start revision of the watch,
/// then every new change.
///
/// The stream has no buffer: it reads the store's own log. A reader that falls behind the log gets
/// [`WatchError::Lagged`], and the stream ends. The settings `max_revisions` and `gc_window` of
/// [`StoreBuilder`](crate::store::StoreBuilder) limit the log. The stream also ends, without an error, when the store
/// is dropped.
pub struct Changes {
    state: Arc<RwLock<State>>,
    after: u64,
    wait: Wait,
}

enum Wait {
    Reading(watch::Receiver<u64>),
    Waiting(NextHead),
    Ended,
}

impl Changes {
    pub(super) fn new(state: Arc<RwLock<State>>, head: watch::Receiver<u64>, after: u64) -> Self {
        Self {
            state,
            after,
            wait: Wait::Reading(head),
        }
    }

    /// The next change; `None` when the stream has ended.
    ///
    /// # Errors
    ///
    /// [`WatchError`]; the stream ends after it.
    pub async fn next(&mut self) -> Option<Result<Change, WatchError>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    fn read(&self) -> Result<Option<Change>, WatchError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let (after, current, oldest) = (self.after, state.head(), state.oldest());
        if after > current {
            return Err(WatchError::NotReached { after, current });
        }
        if after < oldest {
            return Err(WatchError::Lagged { after, oldest });
        }
        Ok(state.change(after + 1))
    }
}

impl Stream for Changes {
    type Item = Result<Change, WatchError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let mut head = match std::mem::replace(&mut this.wait, Wait::Ended) {
                Wait::Ended => return Poll::Ready(None),
                Wait::Reading(head) => head,
                Wait::Waiting(mut next) => match next.as_mut().poll(context) {
                    Poll::Pending => {
                        this.wait = Wait::Waiting(next);
                        return Poll::Pending;
                    }
                    Poll::Ready((_, false)) => return Poll::Ready(None),
                    Poll::Ready((head, true)) => head,
                },
            };
            // This must come before the log is read: a write in between then wakes the wait that follows.
            head.mark_unchanged();
            match this.read() {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(Some(change)) => {
                    this.after = change.revision();
                    this.wait = Wait::Reading(head);
                    return Poll::Ready(Some(Ok(change)));
                }
                Ok(None) => {
                    this.wait = Wait::Waiting(Box::pin(async move {
                        let alive = head.changed().await.is_ok();
                        (head, alive)
                    }));
                }
            }
        }
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}
