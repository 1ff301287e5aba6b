//! The change feed of the recorded history, on the simulated clock.

use std::fmt;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tower_zookie::changes::{
    Change, ChangeFeed, Event, FeedError, Opened, Pending, SchemaText, StoreFeed, TupleFilter,
};
use tower_zookie::revision::{Counter, Revision};
use tower_zookie::token::{CounterTokens, TokenFormat};

use crate::world::{Millis, World};

/// How long the feed is up, and then down, where it is lost half of the time.
const PHASE: Millis = 10_000;

/// How the feed of a run behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeedTerms {
    /// How long after a write it is reported.
    pub(crate) delay: Duration,
    /// Every other 10 s there is no feed, and what is written meanwhile is never reported.
    pub(crate) is_lost_half_the_time: bool,
}

impl FeedTerms {
    /// Every write is reported when it is made.
    pub(crate) const AT_ONCE: Self = Self {
        delay: Duration::ZERO,
        is_lost_half_the_time: false,
    };
}

/// Reports each write some time after it was made.
pub(crate) struct RecordedFeed {
    world: World,
    terms: FeedTerms,
    /// The whole history, also what is written later in the run.
    recorded: StoreFeed,
    revisions: CounterTokens,
    started: Instant,
}

impl RecordedFeed {
    /// To be made when the run starts.
    pub(crate) fn new(world: &World, terms: FeedTerms, revisions: CounterTokens) -> Self {
        Self {
            world: world.clone(),
            terms,
            recorded: world.recorded().feed(revisions.clone()),
            revisions,
            started: Instant::now(),
        }
    }

    fn instant(&self, at: Millis) -> Instant {
        self.started + Duration::from_millis(at.max(0) as u64)
    }

    /// When the present phase ends, and whether the feed is up in it.
    fn phase(&self) -> (Instant, bool) {
        let now = self.started.elapsed().as_millis() as Millis;
        let phase = now / PHASE;
        (self.instant((phase + 1) * PHASE), phase % 2 == 0)
    }

    async fn begin(&self, from: Option<&Revision>) -> Result<Opened, FeedError> {
        let mut ends = None;
        if self.terms.is_lost_half_the_time {
            if from.is_some() {
                return Err(FeedError::Lost(None));
            }
            let (mut end, is_up) = self.phase();
            if !is_up {
                sleep_until(end).await;
                (end, _) = self.phase();
            }
            ends = Some(end);
        }
        let delay = self.terms.delay.as_millis() as Millis;
        let now = self.started.elapsed().as_millis() as Millis;
        let start = match from {
            Some(from) => from.point().map_or(0, |Counter(number)| *number),
            None => self.world.head_at(now - delay),
        };
        let (events, reported) = unbounded_channel();
        let reports: Vec<_> = self
            .world
            .writes_after(self.world.committed(start))
            .map(|(at, number)| (self.instant(at + delay), self.revision(number), number))
            .collect();
        let world = self.world.clone();
        tokio::spawn(async move { report(&events, &world, reports, ends).await });
        Ok(
            Opened::new(self.revision(start), UnboundedReceiverStream::new(reported))
                .with_schema(self.schema_at(start)),
        )
    }

    fn schema_at(&self, number: u64) -> SchemaText {
        SchemaText {
            text: self.world.recorded().schema().to_owned(),
            at: self.revision(number),
        }
    }

    fn revision(&self, number: u64) -> Revision {
        let revision = self.revisions.decode(&number.to_string());
        revision.expect("a number is a token")
    }
}

type Events = UnboundedSender<Result<Event, FeedError>>;

/// Reports each write at its instant, until the feed is lost or closed.
async fn report(events: &Events, world: &World, reports: Vec<(Instant, Revision, u64)>, ends: Option<Instant>) {
    for (at, revision, number) in reports {
        if ends.is_some_and(|ends| ends < at) {
            break;
        }
        sleep_until(at).await;
        let changed = Event::Changed {
            at: revision.clone(),
            changes: world.recorded().changes(number).to_vec(),
        };
        let checkpoint = Event::Checkpoint { at: revision };
        if events.send(Ok(changed)).and(events.send(Ok(checkpoint))).is_err() {
            return;
        }
    }
    if let Some(ends) = ends {
        sleep_until(ends).await;
        // Nobody is there to hear it if the run is over.
        let _ = events.send(Err(FeedError::Lost(None)));
    } else {
        events.closed().await;
    }
}

impl fmt::Debug for RecordedFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedFeed")
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

impl ChangeFeed for RecordedFeed {
    fn open<'a>(&'a self, from: Option<&'a Revision>) -> Pending<'a, Opened> {
        Box::pin(self.begin(from))
    }

    fn schema(&self) -> Pending<'_, Option<SchemaText>> {
        // The recorded schema never changes.
        Box::pin(std::future::ready(Ok(None)))
    }

    fn relationships<'a>(&'a self, filter: TupleFilter<'a>, at: &'a Revision) -> Pending<'a, Option<Vec<Change>>> {
        self.recorded.relationships(filter, at)
    }
}
