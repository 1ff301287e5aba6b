use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::objects::ancestors::Ancestors;
use crate::objects::counters::ObjectCounters;
use crate::objects::error::ObjectsError;
use crate::objects::key::{ObjectKey, STORE, spell};
use crate::objects::known::{Joining, Known, Picture, Remembered, Strict, later};
use crate::objects::store::{FeedBatch, ObjectTokens};
use crate::protocol::{Object, Unreadable};
use crate::token::TokenFormat;

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// This process's picture of all objects' tokens, as the store's feed reports them.
pub(super) struct Followed {
    format: Arc<dyn TokenFormat>,
    lag: Duration,
    keep: Duration,
    capacity: usize,
    picture: RwLock<Entries>,
}

#[derive(Default)]
struct Entries {
    entries: HashMap<ObjectKey, Entry>,
    /// Every update that had succeeded then is in the picture.
    complete_to: Option<Instant>,
    /// Until when records are missing that had no room.
    incomplete_until: Option<Instant>,
    cleaned: Option<Instant>,
}

struct Entry {
    known: Known,
    expires: Instant,
}

impl Followed {
    pub(super) fn new(format: Arc<dyn TokenFormat>, lag: Duration, keep: Duration, capacity: usize) -> Self {
        Self {
            format,
            lag,
            keep,
            capacity,
            picture: RwLock::default(),
        }
    }

    /// What is known of the objects that `name` names, and of their ancestors, if the picture is young enough. It makes no keys.
    pub(super) fn find(
        &self,
        name: impl FnOnce(&mut dyn FnMut(Object<'_>)) -> Result<(), Unreadable>,
        ancestors: &Ancestors,
        now: Instant,
    ) -> Option<Remembered> {
        let picture = self.fresh(now)?;
        let mut joining = Joining::new(now);
        let mut is_missing = false;
        let mut key = String::with_capacity(64);
        let mut look = |key: &str| match picture.entries.get(key) {
            Some(entry) => joining.add(&entry.known),
            None => is_missing = true,
        };
        let mut look_up = |object: Object<'_>| {
            key.clear();
            spell(&object, &mut key);
            look(&key);
        };
        let named = name(&mut |object| {
            look_up(object);
            ancestors.visit_known(&object, &mut look_up);
        });
        look(STORE);
        match named {
            Err(_) => Some(Remembered::Strict(Strict::Unnamed)),
            Ok(()) if is_missing && picture.is_incomplete(now) => None,
            Ok(()) => Some(joining.joined()),
        }
    }

    /// What is known of each of these objects, if the picture is young enough.
    pub(super) fn find_each(&self, keys: &[ObjectKey], now: Instant) -> Option<Picture> {
        let picture = self.fresh(now)?;
        if picture.is_incomplete(now) && !keys.iter().all(|key| picture.entries.contains_key(key)) {
            return None;
        }
        let each = keys
            .iter()
            .filter_map(|key| Some((key.clone(), picture.entries.get(key)?.known.clone())));
        Some(Picture::of(each, false))
    }

    fn fresh(&self, now: Instant) -> Option<RwLockReadGuard<'_, Entries>> {
        let picture = self.read();
        let is_fresh = now.saturating_duration_since(picture.complete_to?) <= self.lag;
        is_fresh.then_some(picture)
    }

    /// How old the picture is, and how many records it has.
    pub(super) fn lag(&self) -> (Option<Duration>, usize) {
        let picture = self.read();
        let age = picture.complete_to.map(|complete_to| complete_to.elapsed());
        (age, picture.entries.len())
    }

    /// Adds what the feed reports. `name` is called with what each record says.
    fn take(&self, batch: FeedBatch, name: &dyn Fn(&Known)) {
        let now = Instant::now();
        let changed: Vec<_> = batch
            .changed
            .into_iter()
            .map(|(key, record)| (key, Known::of(&record, &*self.format, now)))
            .collect();
        changed.iter().for_each(|(_, known)| name(known));
        let mut picture = self.write();
        for (key, known) in changed {
            if !picture.entries.contains_key(&key) && picture.entries.len() >= self.capacity {
                picture.remove_expired(now);
                if picture.entries.len() >= self.capacity {
                    picture.incomplete_until = Some(later(now, self.keep));
                    continue;
                }
            }
            let expires = later(now, self.keep);
            picture.entries.insert(key, Entry { known, expires });
        }
        if picture.cleaned.is_none_or(|last| last.elapsed() > self.keep / 4) {
            picture.remove_expired(now);
            picture.cleaned = Some(now);
        }
        picture.complete_to = picture.complete_to.max(batch.complete_to);
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.picture.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.picture.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Whether records are missing that had no room.
    fn is_incomplete(&self, now: Instant) -> bool {
        self.incomplete_until.is_some_and(|until| until > now)
    }

    fn remove_expired(&mut self, now: Instant) {
        self.entries.retain(|_, entry| entry.expires > now);
    }
}

/// Follows the store's feed until the layer is gone.
pub(super) async fn follow(
    followed: Weak<Followed>,
    store: Arc<dyn ObjectTokens>,
    counters: Arc<ObjectCounters>,
    name: impl Fn(&Known) + Send,
    warn: impl Fn(&ObjectsError) + Send,
) {
    let mut pause = SHORTEST_PAUSE;
    let Some(lag) = followed.upgrade().map(|followed| followed.lag) else {
        return;
    };
    let (heartbeat, silence) = (lag / 4, lag.max(Duration::from_secs(1)) * 5);
    loop {
        let feed = timeout(silence, store.follow(heartbeat)).await;
        let ended = match feed {
            Err(_) => None,
            Ok(Err(error)) => Some(error),
            Ok(Ok(mut feed)) => loop {
                // A batch that never comes, not even a heartbeat, is a lost connection.
                match timeout(silence, feed.next()).await {
                    Err(_) => break None,
                    Ok(Err(error)) => break Some(error),
                    Ok(Ok(batch)) => {
                        let Some(followed) = followed.upgrade() else { return };
                        followed.take(batch, &name);
                        pause = SHORTEST_PAUSE;
                    }
                }
            },
        };
        if followed.strong_count() == 0 {
            return;
        }
        counters.feeds_ended.add();
        let silent = || ObjectsError::new("the store's feed was silent for too long");
        warn(&ended.unwrap_or_else(silent));
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
