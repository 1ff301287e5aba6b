use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

use crate::objects::error::ObjectsError;
use crate::objects::postgres::builder::LONGEST_TIMEOUT;
use crate::objects::postgres::changes::{Pages, records};
use crate::objects::postgres::database::{CLOCK, Database};
use crate::objects::postgres::failure::Failure;
use crate::objects::postgres::held::Held;
use crate::objects::store::{FeedBatch, ObjectFeed, Reply};

/// By how much a poll looks back behind the last one.
///
/// A row has the time of its change, which comes before its commit. An update succeeds within its replica's timeout, or not at
/// all. So a row whose update had not succeeded at the last poll was changed at most the longest timeout before it. The rest is
/// for the clocks of CockroachDB's nodes, which differ by less than a second.
const OVERLAP: Duration = LONGEST_TIMEOUT.saturating_add(Duration::from_secs(5));

/// A feed by queries, where there is no LISTEN.
pub(super) struct PolledFeed {
    database: Arc<Database>,
    interval: Duration,
    next_poll: Instant,
    pages: Pages,
    /// The database's clock at the last poll.
    last: Option<SystemTime>,
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
        let (held, clock) = self.database.in_time(self.poll()).await?;
        // What a write stored while the clock was back may be older than what is looked at.
        if self.last_clock().is_some_and(|last| clock < last) {
            return Err(ObjectsError::new(
                "PostgreSQL: the database's clock has gone back; the feed begins again",
            ));
        }
        self.last = Some(clock);
        self.next_poll = began + self.interval;
        let versions = held.iter().map(|held| (held.key.clone(), held.version)).collect();
        let known = std::mem::replace(&mut self.reported, versions);
        let is_new = |held: &Held| known.get(&held.key) != Some(&held.version);
        Ok(FeedBatch {
            changed: records(held.into_iter().filter(is_new)),
            complete_to: Some(began),
        })
    }

    fn last_clock(&self) -> Option<SystemTime> {
        self.last.or(self.pages.began)
    }

    async fn poll(&self) -> Result<(Vec<Held>, SystemTime), Failure> {
        let since = self.last_clock().unwrap_or(SystemTime::UNIX_EPOCH) - OVERLAP;
        let answer = self.database.run(&self.database.statements.changed, &[&since]).await?;
        let row = answer.rows.first().ok_or(Failure::NoRow)?;
        Ok((self.database.read(&answer)?, row.try_get(CLOCK)?))
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
