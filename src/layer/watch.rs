use std::convert::Infallible;
use std::future::poll_fn;
use std::time::Duration;

use tokio::time::sleep;

use crate::changes::{ChangeFeed, Event, FeedError};
use crate::layer::handle::Handle;
use crate::protocol::Protocol;
use crate::warnings::Warning;

const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl<P: Protocol> Handle<P> {
    /// Follows a change feed, so that revisions which others wrote are named. Goes on until it is dropped: when the feed
    /// ends or fails it is opened again, after a pause of half a second that doubles up to half a minute.
    pub async fn watch(&self, feed: &dyn ChangeFeed) -> Infallible {
        let mut pause = SHORTEST_PAUSE;
        loop {
            let (ended, has_reported) = self.watch_once(feed).await;
            if has_reported {
                pause = SHORTEST_PAUSE;
            }
            self.0.warnings.give(Warning::FeedEnded.name(), || {
                tracing::warn!(
                    %ended,
                    ?pause,
                    "the change feed ended: the layer does not see what others write until it is open again; check that \
                     the service has its feed switched on, and the feed's credentials"
                );
            });
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn watch_once(&self, feed: &dyn ChangeFeed) -> (FeedError, bool) {
        let mut opened = match feed.open(None).await {
            Ok(opened) => opened,
            Err(error) => return (error, false),
        };
        let mut has_reported = false;
        loop {
            match poll_fn(|cx| opened.events.as_mut().poll_next(cx)).await {
                Some(Ok(
                    Event::Changed { at, .. }
                    | Event::SchemaChanged { at }
                    | Event::AnythingChanged { at }
                    | Event::Checkpoint { at },
                )) => {
                    self.0.cache.wrote(&at);
                    has_reported = true;
                }
                Some(Err(error)) => return (error, has_reported),
                None => return (FeedError::interrupted("it ended"), has_reported),
            }
        }
    }
}
