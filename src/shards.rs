//! One value for each thread, so that threads don't write to the same memory.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

/// A `T` for each thread that can run at the same time. If there are more threads, some of them share one.
#[derive(Debug)]
pub(crate) struct Shards<T>(Box<[Apart<T>]>);

/// Aligned to two cache lines, because the prefetcher fetches lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

impl<T> Shards<T> {
    /// The number of shards, the same for every type.
    pub(crate) fn count() -> usize {
        const MAX: usize = 64;
        static COUNT: OnceLock<usize> = OnceLock::new();
        *COUNT.get_or_init(|| available_parallelism().map_or(1, usize::from).min(MAX))
    }

    pub(crate) fn new(mut make: impl FnMut() -> T) -> Self {
        Self((0..Self::count()).map(|_| Apart(make())).collect())
    }

    /// The shard of the current thread.
    pub(crate) fn mine(&self) -> &T {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        &self.0[MINE.with(Cell::get) % self.0.len()].0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter().map(|Apart(shard)| shard)
    }
}
