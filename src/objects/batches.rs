use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::objects::error::ObjectsError;
use crate::objects::key::ObjectKey;

/// The most keys that one batch is begun with. More wait for the next one.
const LONGEST_BATCH: usize = 1024;

/// What callers share.
pub(super) trait Work: Send + Sync + 'static {
    /// What a caller wants for one key.
    type Item: Send + 'static;
    /// What all of them get.
    type Done: Send + Sync + 'static;

    /// What two callers want for the same key.
    fn merge(first: Self::Item, second: Self::Item) -> Self::Item;

    /// Does it.
    fn run(
        &self,
        items: Vec<(ObjectKey, Self::Item)>,
    ) -> impl Future<Output = Result<Self::Done, ObjectsError>> + Send + '_;
}

type Outcome<W> = Option<Result<Arc<<W as Work>::Done>, Arc<ObjectsError>>>;

/// Work of many callers at once: what is wanted before a batch begins joins it. What is wanted later waits for another one,
/// so that each caller's work begins after the caller has asked for it.
pub(super) struct Batches<W: Work>(Arc<Shared<W>>);

struct Shared<W: Work> {
    work: W,
    /// The last batch, which may not have begun.
    last: Mutex<Arc<Batch<W>>>,
    /// How many batches run at once.
    permits: Semaphore,
}

struct Batch<W: Work> {
    /// What is wanted. `None`: it has begun.
    items: Mutex<Option<HashMap<ObjectKey, W::Item>>>,
    outcome: watch::Sender<Outcome<W>>,
}

impl<W: Work> Batches<W> {
    pub(super) fn new(work: W, at_once: usize) -> Self {
        Self(Arc::new(Shared {
            work,
            last: Mutex::new(Arc::new(Batch::begun())),
            permits: Semaphore::new(at_once),
        }))
    }

    /// Does the work for these keys, also if the caller leaves.
    pub(super) async fn join(&self, items: Vec<(ObjectKey, W::Item)>) -> Result<Arc<W::Done>, Arc<ObjectsError>> {
        let mut outcome = self.add(items);
        let outcome = outcome.wait_for(Option::is_some).await;
        match outcome.ok().and_then(|outcome| outcome.clone()) {
            Some(outcome) => outcome,
            // Its task was cancelled, with the runtime.
            None => Err(Arc::new(ObjectsError::new(
                "the runtime ended before the store of objects' tokens replied",
            ))),
        }
    }

    fn add(&self, items: Vec<(ObjectKey, W::Item)>) -> watch::Receiver<Outcome<W>> {
        let mut last = lock(&self.0.last);
        if let Some(wanted) = lock(&last.items).as_mut().filter(|wanted| wanted.len() < LONGEST_BATCH) {
            items.into_iter().for_each(|item| want::<W>(wanted, item));
            return last.outcome.subscribe();
        }
        let batch = Arc::new(Batch::of(items));
        *last = Arc::clone(&batch);
        drop(last);
        let outcome = batch.outcome.subscribe();
        tokio::spawn(run(Arc::clone(&self.0), batch));
        outcome
    }
}

async fn run<W: Work>(shared: Arc<Shared<W>>, batch: Arc<Batch<W>>) {
    // The semaphore is never closed.
    let Ok(_permit) = shared.permits.acquire().await else {
        return;
    };
    let items = lock(&batch.items).take().unwrap_or_default();
    let done = shared.work.run(items.into_iter().collect()).await;
    batch.outcome.send_replace(Some(done.map(Arc::new).map_err(Arc::new)));
}

impl<W: Work> Batch<W> {
    fn begun() -> Self {
        Self {
            items: Mutex::new(None),
            outcome: watch::Sender::new(None),
        }
    }

    fn of(items: Vec<(ObjectKey, W::Item)>) -> Self {
        let mut wanted = HashMap::new();
        items.into_iter().for_each(|item| want::<W>(&mut wanted, item));
        Self {
            items: Mutex::new(Some(wanted)),
            ..Self::begun()
        }
    }
}

fn want<W: Work>(wanted: &mut HashMap<ObjectKey, W::Item>, (key, item): (ObjectKey, W::Item)) {
    let merged = match wanted.remove(&key) {
        Some(other) => W::merge(other, item),
        None => item,
    };
    wanted.insert(key, merged);
}

/// Nothing panics while it holds one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Work> fmt::Debug for Batches<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches").finish_non_exhaustive()
    }
}
