use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use moka::notification::RemovalCause;

use crate::cache::decision::Decision;
use crate::cache::fingerprint::{Fingerprint, Prehashed};
use crate::cache::settings::Settings;
use crate::cache::weigh::Weigh;

/// What moka needs for an entry beside key and value, as measured with 64-bit pointers, and the label's share.
const ENTRY_OVERHEAD: usize = 256;

/// How many updates can go on at the same time.
const LOCKS: usize = 64;

/// Decisions by fingerprint, in a bounded number of bytes.
pub(super) struct Entries<V> {
    cache: moka::sync::Cache<Fingerprint, Arc<Decision<V>>, Prehashed>,
    /// An update holds its question's lock from the look at the entry until the new one is in its place.
    locks: [Mutex<()>; LOCKS],
    /// How many were dropped because the bytes were used up.
    evictions: Arc<AtomicU64>,
}

impl<V: Weigh> Entries<V> {
    pub(super) fn new(capacity: u64, settings: &Settings) -> Self {
        let evictions = Arc::new(AtomicU64::new(0));
        let evicted = Arc::clone(&evictions);
        let cache = moka::sync::Cache::builder()
            .max_capacity(capacity)
            .weigher(|_, decision: &Arc<Decision<V>>| {
                let bytes = size_of::<Decision<V>>() + decision.heap_bytes() + ENTRY_OVERHEAD;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            // Frees memory; what may be served is decided by each entry's own instants.
            .time_to_live(settings.longest_life())
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    evicted.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build_with_hasher(Prehashed::default());
        Self {
            cache,
            locks: std::array::from_fn(|_| Mutex::new(())),
            evictions,
        }
    }

    pub(super) fn get(&self, question: Fingerprint) -> Option<Arc<Decision<V>>> {
        self.cache.get(&question)
    }

    pub(super) fn contains(&self, question: Fingerprint) -> bool {
        self.cache.contains_key(&question)
    }

    pub(super) fn insert(&self, question: Fingerprint, decision: Arc<Decision<V>>) {
        self.cache.insert(question, decision);
    }

    /// Puts what `successor` makes of the entry in its place; `None`: the entry stays.
    pub(super) fn update(
        &self,
        question: Fingerprint,
        successor: impl FnOnce(Option<&Arc<Decision<V>>>) -> Option<Arc<Decision<V>>>,
    ) {
        let lock = &self.locks[question.low_half() as usize % LOCKS];
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(successor) = successor(self.get(question).as_ref()) {
            self.insert(question, successor);
        }
    }

    pub(super) fn clear(&self) {
        self.cache.invalidate_all();
    }

    /// How many were dropped because the bytes were used up.
    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// How many entries there are, and their bytes.
    pub(super) fn size(&self) -> (u64, u64) {
        self.cache.run_pending_tasks();
        (self.cache.entry_count(), self.cache.weighted_size())
    }
}
