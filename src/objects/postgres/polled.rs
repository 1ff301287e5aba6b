use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

use crate::objects::error::ObjectsError;
use crate::objects::postgres::builder::LONGEST_TIMEOUT;
use crate::objects::postgres::changes::{Pages, records};
use crate::objects::postgres::clock::Sample;
use crate::objects::postgres::database::Database;
use crate::objects::postgres::failure::Failure;
use crate::objects::postgres::held::Held;
use crate::objects::store::{FeedBatch, ObjectFeed, Reply};

/// By how much a poll looks back behind the last one.
///
/// A row has the time of its change, which comes before its commit. An update succeeds within its replica's timeout, or not at
/// all. So a row whose update had not succeeded at the last poll was changed at most the longest timeout before it. The rest is
/// for steps back of the clock that are not noticed, which are shorter than [`MOST_BACK`] and the time of two polls together,
/// and for the clocks of CockroachDB's nodes, which differ by less than a second.
const OVERLAP: Duration = Duration::from_secs(3 * LONGEST_TIMEOUT.as_secs() + 5);

/// By how much the clock may go back between two polls, in seconds.
const MOST_BACK: f64 = 3.0;

/// A feed by queries, where there is no LISTEN.
pub(super) struct PolledFeed {
    database: Arc<Database>,
    interval: Duration,
    next_poll: Instant,
    pages: Pages,
    /// The database's clock at the last poll.
    last: Option<Sample>,
    /// The versions of the rows in the last poll, which need not be reported again.
    reported: HashMap<String, i64>,
}

impl PolledFeed {
    pub(super) fn open(database: Arc<Database>, heartbeat: Duration) -> Self {
        Self {
            database,
            interval: heartbeat / 2,
            next_poll: Instant::now(),
            pages: Pages::default(),
            last: None,
            reported: HashMap::new(),
        }
    }

    async fn batch(&mut self) -> Result<FeedBatch, ObjectsError> {
        if !self.pages.at_end {
            let changed = self.database.in_time(self.pages.next(&self.database)).await?;
            return Ok(FeedBatch {
                changed,
                complete_to: None,
            });
        }
        sleep_until(self.next_poll).await;
        let began = Instant::now();
        let (held, sample) = self.database.in_time(self.poll()).await?;
        // What was written while the clock was back may be older than what a poll looks at.
        let (_, deviation) = self.last().map_or((0.0, 0.0), |last| last.deviation(&sample));
        if deviation < -MOST_BACK {
            return Err(ObjectsError::new(
                "PostgreSQL: the database's clock has gone back; the feed begins again",
            ));
        }
        self.last = Some(sample);
        self.next_poll = began + self.interval;
        let versions = held.iter().map(|held| (held.key.clone(), held.version)).collect();
        let known = std::mem::replace(&mut self.reported, versions);
        let is_new = |held: &Held| known.get(&held.key) != Some(&held.version);
        Ok(FeedBatch {
            changed: records(held.into_iter().filter(is_new)),
            complete_to: Some(began),
        })
    }

    fn last(&self) -> Option<Sample> {
        self.last.or(self.pages.began)
    }

    async fn poll(&self) -> Result<(Vec<Held>, Sample), Failure> {
        let last = self.last().map_or(SystemTime::UNIX_EPOCH, |last| last.clock);
        let since = last - OVERLAP;
        let answer = self.database.run(&self.database.statements.changed, &[&since]).await?;
        Ok((self.database.read(&answer)?, answer.sample()?))
    }
}

impl ObjectFeed for PolledFeed {
    fn next(&mut self) -> Reply<'_, FeedBatch> {
        Box::pin(self.batch())
    }
}

impl fmt::Debug for PolledFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolledFeed")
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
