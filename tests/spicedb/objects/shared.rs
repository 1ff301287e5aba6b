//! A store of objects' tokens that all replicas share, and that fails as a test wants.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tower_zookie::objects::{
    FeedBatch, MemoryObjects, ObjectFeed, ObjectKey, ObjectTokens, ObjectsError, Record, Reply, Update,
};
use tower_zookie::token::Zookie;

#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tokens: MemoryObjects,
    script: Mutex<Script>,
    /// Look-ups that were made don't reply while this is set.
    held: watch::Sender<bool>,
    feed: watch::Sender<Feed>,
}

#[derive(Debug, Default)]
pub(crate) struct Script {
    /// The keys of each look-up.
    pub(crate) look_ups: Vec<Vec<ObjectKey>>,
    /// The keys of each update.
    pub(crate) updates: Vec<Vec<ObjectKey>>,
    pub(crate) look_up: LookUp,
    pub(crate) update: Updated,
    /// How long the store takes before it does something, and afterwards.
    pub(crate) before: Duration,
    pub(crate) after: Duration,
}

#[derive(Clone, Debug, Default)]
pub(crate) enum LookUp {
    #[default]
    Works,
    Fails,
    /// One record is missing.
    OneLess,
    /// Each record has this token too.
    Also(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Updated {
    #[default]
    Works,
    FailsBefore,
    /// All has been written when it fails.
    FailsAfter,
    /// Some has been written when it fails.
    FailsHalfway,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Feed {
    #[default]
    Works,
    /// It neither says anything nor ends.
    Stalls,
    /// What it says arrives this much later.
    Lags(Duration),
    /// It ends, and can't be opened.
    Ends,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self::of(MemoryObjects::new(10_000).unwrap())
    }

    pub(crate) fn of(tokens: MemoryObjects) -> Self {
        Self(Arc::new(Inner {
            tokens,
            script: Mutex::default(),
            held: watch::channel(false).0,
            feed: watch::channel(Feed::Works).0,
        }))
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.0.script.lock().unwrap()
    }

    /// From now on look-ups are made at once, and reply later.
    pub(crate) fn hold_replies(&self) {
        self.0.held.send_replace(true);
    }

    pub(crate) fn let_go(&self) {
        self.0.held.send_replace(false);
    }

    pub(crate) fn set_feed(&self, feed: Feed) {
        self.0.feed.send_replace(feed);
    }

    /// How many have this store.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// What is remembered of an object.
    pub(crate) async fn record(&self, key: &str) -> Record {
        let keys = [ObjectKey::parse(key).unwrap()];
        self.0.tokens.look_up(&keys).await.unwrap().remove(0)
    }

    /// How many look-ups there were since the last time this was read.
    pub(crate) fn look_ups(&self) -> Vec<Vec<ObjectKey>> {
        std::mem::take(&mut self.script().look_ups)
    }
}

fn failed<T>() -> Result<T, ObjectsError> {
    Err(ObjectsError::new("the store is down"))
}

async fn wait(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

impl ObjectTokens for Shared {
    fn look_up<'a>(&'a self, keys: &'a [ObjectKey]) -> Reply<'a, Vec<Record>> {
        let (before, after, how) = {
            let mut script = self.script();
            script.look_ups.push(keys.to_vec());
            (script.before, script.after, script.look_up.clone())
        };
        Box::pin(async move {
            wait(before).await;
            let mut records = self.0.tokens.look_up(keys).await?;
            wait(after).await;
            let mut held = self.0.held.subscribe();
            held.wait_for(|held| !held).await.unwrap();
            match how {
                LookUp::Works => {}
                LookUp::Fails => return failed(),
                LookUp::OneLess => drop(records.pop()),
                LookUp::Also(token) => {
                    let token = Zookie::new(&token, 4096).unwrap();
                    records.iter_mut().for_each(|record| record.tokens.push(token.clone()));
                }
            }
            Ok(records)
        })
    }

    fn update<'a>(&'a self, updates: &'a [(ObjectKey, Update)]) -> Reply<'a, ()> {
        let (before, after, how) = {
            let mut script = self.script();
            script
                .updates
                .push(updates.iter().map(|(key, _)| key.clone()).collect());
            (script.before, script.after, script.update)
        };
        Box::pin(async move {
            wait(before).await;
            let tokens = &self.0.tokens;
            match how {
                Updated::FailsBefore => return failed(),
                Updated::FailsHalfway => {
                    tokens.update(&updates[..updates.len() / 2]).await?;
                    return failed();
                }
                Updated::Works | Updated::FailsAfter => tokens.update(updates).await?,
            }
            wait(after).await;
            match how {
                Updated::FailsAfter => failed(),
                _ => Ok(()),
            }
        })
    }

    fn follow(&self, heartbeat: Duration) -> Reply<'_, Box<dyn ObjectFeed>> {
        Box::pin(async move {
            if *self.0.feed.borrow() == Feed::Ends {
                return failed();
            }
            let feed = self.0.tokens.follow(heartbeat).await?;
            let state = self.0.feed.subscribe();
            Ok(Box::new(ScriptedFeed { feed, state }) as Box<dyn ObjectFeed>)
        })
    }
}

#[derive(Debug)]
struct ScriptedFeed {
    feed: Box<dyn ObjectFeed>,
    state: watch::Receiver<Feed>,
}

impl ObjectFeed for ScriptedFeed {
    fn next(&mut self) -> Reply<'_, FeedBatch> {
        Box::pin(async {
            loop {
                let stalls = |state: &Feed| *state != Feed::Stalls;
                if *self.state.wait_for(stalls).await.unwrap() == Feed::Ends {
                    return failed();
                }
                let batch = tokio::select! {
                    biased;
                    changed = self.state.changed() => {
                        changed.unwrap();
                        continue;
                    }
                    batch = self.feed.next() => batch,
                };
                let state = *self.state.borrow();
                if let Feed::Lags(time) = state {
                    sleep(time).await;
                }
                return batch;
            }
        })
    }
}
