use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::revision::Revision;

/// How many revisions' places are remembered. Forgetting one costs working it out again.
const MOST: usize = 4096;

/// Where a revision stands among the numbered changes of a feed.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) revision: Revision,
    /// The revision sees every change up to this number, from the start of the feed on.
    position: AtomicU64,
    /// It does not see the next one.
    is_settled: AtomicBool,
}

impl Place {
    pub(super) fn new(revision: Revision, position: u64) -> Self {
        Self {
            revision,
            position: AtomicU64::new(position),
            is_settled: AtomicBool::new(false),
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Acquire)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Acquire)
    }

    pub(super) fn reaches(&self, position: u64) {
        self.position.fetch_max(position, Ordering::AcqRel);
    }

    /// To be called after the last [`reaches`](Self::reaches).
    pub(super) fn settle(&self) {
        self.is_settled.store(true, Ordering::Release);
    }
}

/// The places of the revisions that were asked for last. Answers at one revision share its place, so that it is worked out
/// once.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    places: HashMap<Revision, Arc<Place>>,
    oldest_first: VecDeque<Revision>,
}

impl Places {
    pub(super) fn of(&self, revision: &Revision, first: impl FnOnce() -> u64) -> Arc<Place> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = remembered.places.get(revision) {
            return Arc::clone(place);
        }
        if remembered.oldest_first.len() >= MOST
            && let Some(oldest) = remembered.oldest_first.pop_front()
        {
            remembered.places.remove(&oldest);
        }
        let place = Arc::new(Place::new(revision.clone(), first()));
        remembered.places.insert(revision.clone(), Arc::clone(&place));
        remembered.oldest_first.push_back(revision.clone());
        place
    }
}
