use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::changes::feed::{Event, FeedError};
use crate::revision::Revision;

/// A checkpoint comes after at most this many events, also while there is no pause between them.
const MOST_WITHOUT_CHECKPOINT: u32 = 256;

/// The events of a store that reports whole revisions in ascending order, so that each of them is a checkpoint too. One
/// checkpoint follows all that is ready.
pub(super) struct InOrder<S> {
    /// `None` when it has ended.
    events: Option<Pin<Box<S>>>,
    /// The newest revision that has no checkpoint yet.
    unconfirmed: Option<Revision>,
    /// How many events came since the last checkpoint.
    count: u32,
}

impl<S> InOrder<S> {
    pub(super) fn new(events: S) -> Self {
        Self {
            events: Some(Box::pin(events)),
            unconfirmed: None,
            count: 0,
        }
    }

    fn checkpoint(&mut self) -> Option<Event> {
        let at = self.unconfirmed.take()?;
        self.count = 0;
        Some(Event::Checkpoint { at })
    }
}

impl<S: Stream<Item = Result<Event, FeedError>>> Stream for InOrder<S> {
    type Item = Result<Event, FeedError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.count == MOST_WITHOUT_CHECKPOINT
                && let Some(checkpoint) = this.checkpoint()
            {
                return Poll::Ready(Some(Ok(checkpoint)));
            }
            let Some(events) = &mut this.events else {
                return Poll::Ready(None);
            };
            let event = match events.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(event))) => event,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    this.events = None;
                    return Poll::Ready(this.checkpoint().map(Ok));
                }
                Poll::Pending => {
                    return match this.checkpoint() {
                        Some(checkpoint) => Poll::Ready(Some(Ok(checkpoint))),
                        None => Poll::Pending,
                    };
                }
            };
            this.unconfirmed = Some(event.at().clone());
            this.count += 1;
            if !matches!(event, Event::Checkpoint { .. }) {
                return Poll::Ready(Some(Ok(event)));
            }
        }
    }
}
