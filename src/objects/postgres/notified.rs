use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_postgres::{Client, Notification};

use crate::objects::error::ObjectsError;
use crate::objects::key::ObjectKey;
use crate::objects::postgres::changes::{Pages, records};
use crate::objects::postgres::database::Database;
use crate::objects::postgres::failure::{Failure, connecting};
use crate::objects::record::Record;
use crate::objects::store::{FeedBatch, ObjectFeed, Reply};

/// How many notifications may wait for the follower.
const MOST_WAITING: usize = 1 << 16;

/// How many changed rows are read at once.
const MOST_KEYS: usize = 1000;

/// A feed by LISTEN, on a connection of its own.
///
/// How far it is complete is found out by a notification of its own, the fence. PostgreSQL's documentation of NOTIFY says that
/// notifications of different transactions are delivered in the order in which the transactions committed. The server writes
/// them to one queue for all channels, under a lock that it holds until the transaction has committed, and acknowledges the
/// commit only after that (`PreCommit_Notify` and `AtCommit_Notify` in `src/backend/commands/async.c`). So an update whose
/// success was known before the fence was sent stands before the fence in the queue. A listener gets a notification only after its
/// transaction is visible to new snapshots: the row that is read afterwards has the change. No clocks are compared.
pub(super) struct NotifiedFeed {
    database: Arc<Database>,
    client: Client,
    run: JoinHandle<()>,
    notifications: Receiver<Notification>,
    /// The channel of this feed's fences.
    fences: String,
    /// The number of the last fence.
    fence: u64,
    heartbeat: Duration,
    next_fence: Instant,
    /// The rows that were there when the feed began.
    pages: Pages,
    /// Whose rows have changed. A key leaves it only with the batch that reports it, so that a caller may stop to wait.
    changed: BTreeSet<String>,
}

impl NotifiedFeed {
    pub(super) async fn open(database: Arc<Database>, heartbeat: Duration) -> Result<Self, ObjectsError> {
        let (sender, notifications) = mpsc::channel(MOST_WAITING);
        let mut sender = Some(sender);
        let notified = move |notification| {
            // After a notification was lost the feed ends.
            sender.take_if(|sender| sender.try_send(notification).is_err());
        };
        let open = timeout(database.connect_timeout, database.link.open(notified)).await;
        let opened = open.map_err(|_| Failure::Late(database.connect_timeout))?;
        let (client, run) = opened.map_err(connecting)?;
        let fences = format!("zookie_fence_{:032x}", rand::random::<u128>());
        let listen = format!("LISTEN {}; LISTEN {fences}", database.statements.channel);
        let feed = Self {
            client,
            run,
            notifications,
            fences,
            fence: 0,
            heartbeat,
            next_fence: Instant::now(),
            pages: Pages::default(),
            changed: BTreeSet::new(),
            database,
        };
        // What is committed after this is notified, and what was committed before is in the pages.
        let listening = async { Ok(feed.client.batch_execute(&listen).await?) };
        feed.database.in_time(listening).await?;
        Ok(feed)
    }

    async fn batch(&mut self) -> Result<FeedBatch, ObjectsError> {
        if !self.pages.at_end {
            let changed = self.database.in_time(self.pages.next(&self.database)).await?;
            return Ok(FeedBatch {
                changed,
                complete_to: None,
            });
        }
        let complete_to = self.wait().await?;
        while let Ok(notification) = self.notifications.try_recv() {
            self.take(&notification);
        }
        let changed = self.read_changed().await?;
        Ok(FeedBatch { changed, complete_to })
    }

    /// Waits until something has changed, or until it is known that nothing has up to the returned instant.
    async fn wait(&mut self) -> Result<Option<Instant>, ObjectsError> {
        if !self.changed.is_empty() {
            // The last caller has not waited for them.
            return Ok(None);
        }
        tokio::select! {
            biased;
            () = sleep_until(self.next_fence) => self.pass_fence().await.map(Some),
            notification = self.notifications.recv() => {
                self.take(&notification.ok_or_else(ended)?);
                Ok(None)
            }
        }
    }

    async fn pass_fence(&mut self) -> Result<Instant, ObjectsError> {
        let began = Instant::now();
        self.fence += 1;
        let word = self.fence.to_string();
        let database = self.database.clone();
        let pass = async {
            let notify = format!("NOTIFY {}, '{word}'", self.fences);
            self.client.batch_execute(&notify).await?;
            while let Some(notification) = self.notifications.recv().await {
                if notification.channel() == self.fences && notification.payload() == word {
                    return Ok(true);
                }
                self.take(&notification);
            }
            Ok(false)
        };
        if !database.in_time(pass).await? {
            return Err(ended());
        }
        self.next_fence = began + self.heartbeat / 2;
        Ok(began)
    }

    fn take(&mut self, notification: &Notification) {
        if notification.channel() != self.fences {
            self.changed.insert(notification.payload().to_owned());
        }
    }

    async fn read_changed(&mut self) -> Result<Vec<(ObjectKey, Record)>, ObjectsError> {
        let keys: Vec<_> = self.changed.iter().collect();
        let mut changed = Vec::new();
        for keys in keys.chunks(MOST_KEYS) {
            changed.extend(records(self.database.in_time(self.database.held(keys)).await?));
        }
        self.changed.clear();
        Ok(changed)
    }
}

fn ended() -> ObjectsError {
    ObjectsError::new("PostgreSQL: the feed's connection was lost, or the follower is too far behind; it begins again")
}

impl ObjectFeed for NotifiedFeed {
    fn next(&mut self) -> Reply<'_, FeedBatch> {
        Box::pin(self.batch())
    }
}

impl Drop for NotifiedFeed {
    fn drop(&mut self) {
        self.run.abort();
    }
}

impl fmt::Debug for NotifiedFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotifiedFeed")
            .field("heartbeat", &self.heartbeat)
            .finish_non_exhaustive()
    }
}
