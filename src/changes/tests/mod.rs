mod era;
mod stamps;
#[cfg(feature = "store")]
mod store_feed;
mod stream_feed;
mod structure;
mod timeline;

use std::future::poll_fn;
use std::task::Poll;

use crate::changes::{Event, FeedError, Opened};

impl Opened {
    /// The next event, if one is ready.
    async fn ready(&mut self) -> Option<Result<Event, FeedError>> {
        poll_fn(|context| match self.events.as_mut().poll_next(context) {
            Poll::Ready(event) => Poll::Ready(event),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// All events that are ready.
    async fn all_ready(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.ready().await {
            events.push(event.unwrap());
        }
        events
    }
}
