use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A fixed number of entries, the most recently used ones.
pub(crate) struct Lru<K, V> {
    entries: HashMap<K, (u64, V)>,
    /// The keys in the order of their last use.
    used: BTreeMap<u64, K>,
    uses: u64,
    capacity: usize,
}

impl<K: Copy + Eq + Hash, V: Copy> Lru<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            used: BTreeMap::new(),
            uses: 0,
            capacity,
        }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        let (used, value) = self.entries.get_mut(key)?;
        self.uses += 1;
        self.used.remove(used);
        self.used.insert(self.uses, *key);
        *used = self.uses;
        Some(*value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.uses += 1;
        self.used.insert(self.uses, key);
        if let Some((used, _)) = self.entries.insert(key, (self.uses, value)) {
            self.used.remove(&used);
        }
        if self.entries.len() > self.capacity
            && let Some((_, oldest)) = self.used.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }
}
