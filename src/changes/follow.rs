use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval, sleep};

use crate::changes::era::{Era, Memory};
use crate::changes::feed::{ChangeFeed, Event, FeedError, Opened};
use crate::changes::following::Following;
use crate::changes::schema_reader::SchemaReader;
use crate::changes::state::{FeedCounters, Notice};
use crate::changes::structure_reader::StructureReader;
use crate::knowledge::Knowledge;

const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often the follower looks whether the store was replaced, and asks again for a schema that it could not get.
const LOOK: Duration = Duration::from_secs(1);

/// Follows one feed until it is dropped.
pub(crate) struct Follower<'a, F> {
    pub(crate) feed: F,
    pub(crate) following: &'a Following,
    pub(crate) knowledge: &'a Knowledge,
    pub(crate) counters: &'a FeedCounters,
    pub(crate) memory: Memory,
    pub(crate) notify: &'a (dyn Fn(Notice) + Send + Sync),
}

/// Why a feed is left.
enum Left {
    /// It can go on at its frontier.
    Broke(FeedError),
    /// The changes since the frontier are lost.
    Lost(FeedError),
    /// The store has another history now.
    Replaced,
    /// It is the feed of another store than the one that answers.
    Foreign,
}

/// Ends the era when the follower is dropped.
struct Ending<'a> {
    following: &'a Following,
    era: Option<Arc<Era>>,
}

impl Ending<'_> {
    fn end(&mut self) {
        if let Some(era) = self.era.take() {
            self.following.end(&era);
        }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<F: ChangeFeed> Follower<'_, F> {
    /// Goes on for ever: when the feed ends it is opened again at the frontier, after a pause of half a second that doubles
    /// up to half a minute.
    pub(crate) async fn run(self) -> Infallible {
        let mut following = Ending {
            following: self.following,
            era: None,
        };
        let mut pause = SHORTEST_PAUSE;
        loop {
            let began = Instant::now();
            let left = self.once(&mut following).await;
            // A feed that went on for long is not one that fails all the time.
            if began.elapsed() > LONGEST_PAUSE {
                pause = SHORTEST_PAUSE;
            }
            self.counters.ended();
            match left {
                Left::Broke(error) => (self.notify)(Notice::Ended { error, pause }),
                Left::Lost(error) => {
                    // What was followed begins anew at once.
                    if following.era.is_some() {
                        pause = SHORTEST_PAUSE;
                    }
                    following.end();
                    (self.notify)(Notice::Lost(error));
                }
                Left::Replaced => following.end(),
                Left::Foreign => {
                    following.end();
                    (self.notify)(Notice::Foreign);
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once(&self, following: &mut Ending<'_>) -> Left {
        let history = self.knowledge.history();
        if following.era.as_ref().is_some_and(|era| !era.is_of(history)) {
            following.end();
        }
        let from = following.era.as_ref().map(|era| era.frontier());
        let opened = match self.feed.open(from.as_ref()).await {
            Ok(opened) => opened,
            Err(error @ FeedError::Lost(_)) => return Left::Lost(error),
            Err(error) => return Left::Broke(error),
        };
        let Opened {
            start,
            schema,
            mut events,
        } = opened;
        if self.knowledge.is_foreign(&start) {
            return Left::Foreign;
        }
        let era = match (&following.era, from) {
            (Some(era), Some(from)) if from.is_at_or_after(&start) => Arc::clone(era),
            (Some(_), _) => return Left::Lost(FeedError::Lost(None)),
            (None, _) => {
                let era = Arc::new(Era::new(start.clone(), history, self.feed.is_complete(), self.memory));
                self.following.begin(self.feed.tenant(), Arc::clone(&era));
                following.era = Some(Arc::clone(&era));
                self.counters.began();
                era
            }
        };
        self.knowledge.recall(&start);
        let mut reader = SchemaReader::new(&self.feed, self.notify);
        if let Some(schema) = schema {
            reader.take(schema);
        }
        let limit = if era.is_complete { self.memory.structure } else { 0 };
        let mut structure = StructureReader::new(&self.feed, self.notify, limit);
        let mut look = interval(LOOK);
        loop {
            reader.adopt(&era);
            let event = tokio::select! {
                event = poll_fn(|cx| events.as_mut().poll_next(cx)) => event,
                () = reader.read(&era) => continue,
                () = structure.read(&era) => continue,
                _ = look.tick() => {
                    reader.may_try_again();
                    structure.may_try_again();
                    match self.knowledge.history() == history {
                        true => continue,
                        false => return Left::Replaced,
                    }
                }
            };
            let event = match event {
                None => return Left::Broke(FeedError::interrupted("it ended")),
                Some(Err(error @ FeedError::Lost(_))) => return Left::Lost(error),
                Some(Err(error)) => return Left::Broke(error),
                Some(Ok(event)) => event,
            };
            if event.at().store() != start.store() {
                return Left::Foreign;
            }
            if self.knowledge.history() != history {
                return Left::Replaced;
            }
            self.hear(&era, &event);
        }
    }

    fn hear(&self, era: &Era, event: &Event) {
        // The store named it. From now on a token of this revision costs no head read.
        self.knowledge.recall(event.at());
        let is_new = match event {
            Event::Changed { at, changes } => era.changed(at, changes),
            Event::SchemaChanged { at } => era.schema_changed(at),
            Event::AnythingChanged { at } => era.anything_changed(at),
            Event::Checkpoint { at } => {
                era.checkpoint(at);
                self.counters.checkpoint();
                return;
            }
        };
        if is_new {
            self.counters.changed();
        } else {
            self.counters.repeated();
        }
    }
}
