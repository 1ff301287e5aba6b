use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio::time::{Instant, timeout};

use crate::invalid_setting::InvalidSetting;
use crate::objects::error::ObjectsError;
use crate::objects::key::ObjectKey;
use crate::objects::record::{Record, Update};
use crate::objects::store::{FeedBatch, ObjectFeed, ObjectTokens, Reply};

/// How many changes a feed may be behind before it has to be opened again.
const LONGEST_FEED: usize = 1024;

const TOO_FAR_BEHIND: &str = "the feed is too far behind the changes; it begins again";

/// Tokens of objects in this process's memory, for one replica. Clones share the tokens.
///
/// It holds a limited number of records. Beyond it, records that have not expired can't be dropped without losing a write, so
/// an update then fails, and with it the write's reply.
#[derive(Clone)]
pub struct MemoryObjects(Arc<Shared>);

struct Shared {
    capacity: usize,
    held: Mutex<Held>,
    changes: broadcast::Sender<ObjectKey>,
}

#[derive(Default)]
struct Held {
    entries: HashMap<ObjectKey, Entry>,
    /// When entries that have expired were last removed.
    cleaned: Option<Instant>,
}

struct Entry {
    record: Record,
    updated: Instant,
    expires: Instant,
}

impl Entry {
    fn record(&self, now: Instant) -> Record {
        let passed = now.saturating_duration_since(self.updated);
        let left = |unsettled: Duration| unsettled.checked_sub(passed).filter(|left| !left.is_zero());
        Record {
            unsettled: self.record.unsettled.and_then(left),
            ..self.record.clone()
        }
    }
}

impl MemoryObjects {
    /// A store of at most `capacity` records. A record takes some 300 bytes with a usual token.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] if it could hold no record.
    pub fn new(capacity: usize) -> Result<Self, InvalidSetting> {
        if capacity == 0 {
            let problem = "is 0 records, so no write could be recorded; set it to 1 or more";
            return Err(InvalidSetting::new("capacity", problem));
        }
        let (changes, _) = broadcast::channel(LONGEST_FEED);
        Ok(Self(Arc::new(Shared {
            capacity,
            held: Mutex::default(),
            changes,
        })))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while it holds the lock.
        self.0.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn update_one(&self, held: &mut Held, key: &ObjectKey, update: &Update, now: Instant) -> Result<(), ObjectsError> {
        let current = held.entries.get(key).map(|entry| entry.record(now)).unwrap_or_default();
        let Some(record) = update.apply(&current) else {
            return Ok(());
        };
        if !held.entries.contains_key(key) && held.entries.len() >= self.0.capacity {
            held.remove_expired(now);
            if held.entries.len() >= self.0.capacity {
                return Err(ObjectsError::new(format!(
                    "the store in memory is full with {} records; give it a larger capacity, or keep records for less time",
                    self.0.capacity
                )));
            }
        }
        let entry = Entry {
            record,
            updated: now,
            expires: now + update.keep(),
        };
        held.entries.insert(key.clone(), entry);
        // Without a feed there is no receiver.
        let _ = self.0.changes.send(key.clone());
        Ok(())
    }
}

impl Held {
    fn remove_expired(&mut self, now: Instant) {
        const AT_MOST_EVERY: Duration = Duration::from_millis(100);
        if self.cleaned.is_some_and(|last| now < last + AT_MOST_EVERY) {
            return;
        }
        self.cleaned = Some(now);
        self.entries.retain(|_, entry| entry.expires > now);
    }
}

impl ObjectTokens for MemoryObjects {
    fn look_up<'a>(&'a self, keys: &'a [ObjectKey]) -> Reply<'a, Vec<Record>> {
        let (held, now) = (self.held(), Instant::now());
        let record = |key| held.entries.get(key).map(|entry| entry.record(now)).unwrap_or_default();
        let records = keys.iter().map(record).collect();
        Box::pin(async { Ok(records) })
    }

    fn update<'a>(&'a self, updates: &'a [(ObjectKey, Update)]) -> Reply<'a, ()> {
        let (mut held, now) = (self.held(), Instant::now());
        let mut each = updates.iter();
        let updated = each.try_for_each(|(key, update)| self.update_one(&mut held, key, update, now));
        Box::pin(async { updated })
    }

    fn follow(&self, heartbeat: Duration) -> Reply<'_, Box<dyn ObjectFeed>> {
        let feed = MemoryFeed {
            objects: self.clone(),
            changes: self.0.changes.subscribe(),
            heartbeat,
            has_begun: false,
        };
        Box::pin(async { Ok(Box::new(feed) as Box<dyn ObjectFeed>) })
    }
}

impl fmt::Debug for MemoryObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryObjects")
            .field("capacity", &self.0.capacity)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct MemoryFeed {
    objects: MemoryObjects,
    changes: broadcast::Receiver<ObjectKey>,
    heartbeat: Duration,
    has_begun: bool,
}

impl MemoryFeed {
    async fn batch(&mut self) -> Result<FeedBatch, ObjectsError> {
        let mut keys = Vec::new();
        if self.has_begun {
            match timeout(self.heartbeat, self.changes.recv()).await {
                Ok(Ok(key)) => keys.push(key),
                Ok(Err(_)) => return Err(ObjectsError::new(TOO_FAR_BEHIND)),
                Err(_) => {}
            }
        }
        let (held, now) = (self.objects.held(), Instant::now());
        loop {
            match self.changes.try_recv() {
                Ok(key) => keys.push(key),
                Err(TryRecvError::Lagged(_)) => return Err(ObjectsError::new(TOO_FAR_BEHIND)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        if !self.has_begun {
            keys = held.entries.keys().cloned().collect();
            self.has_begun = true;
        }
        let changed = keys
            .into_iter()
            .filter_map(|key| Some((key.clone(), held.entries.get(&key)?.record(now))));
        Ok(FeedBatch {
            changed: changed.collect(),
            complete_to: Some(now),
        })
    }
}

impl ObjectFeed for MemoryFeed {
    fn next(&mut self) -> Reply<'_, FeedBatch> {
        Box::pin(self.batch())
    }
}
