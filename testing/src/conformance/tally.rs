/// How often something happened in all histories together. A suite that never saw a hit proves nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub requests: usize,
    pub answered: usize,
    pub hits: usize,
    /// Bulks of which a part came from the cache.
    pub partial: usize,
    /// Answers that the adversary got.
    pub forged: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.answered += other.answered;
        self.hits += other.hits;
        self.partial += other.partial;
        self.forged += other.forged;
    }

    pub(super) fn count(&mut self, cache_status: &str) {
        self.answered += 1;
        self.hits += usize::from(cache_status.contains("; hit"));
        self.partial += usize::from(cache_status.contains("from the cache"));
    }
}
