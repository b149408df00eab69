//! A bounded map that lets go of what was not used for the longest time.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// At most `limit` of summed weights.
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    limit: u64,
    weight: u64,
    clock: u64,
    entries: HashMap<K, Entry<V>>,
    /// Keys by the time of their last use.
    order: BTreeMap<u64, K>,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: u64,
    used: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> Lru<K, V> {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, weight: 0, clock: 0, entries: HashMap::new(), order: BTreeMap::new() }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.get_mut(key)?;
        self.clock += 1;
        self.order.remove(&entry.used);
        entry.used = self.clock;
        self.order.insert(self.clock, key.clone());
        Some(entry.value.clone())
    }

    /// Keeps a value; what weighs more than the limit is not kept.
    pub(super) fn insert(&mut self, key: K, value: V, weight: u64) {
        self.remove(&key);
        if weight > self.limit {
            return;
        }
        self.clock += 1;
        self.order.insert(self.clock, key.clone());
        self.entries.insert(key, Entry { value, weight, used: self.clock });
        self.weight += weight;
        while self.weight > self.limit {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.weight -= entry.weight;
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.weight -= entry.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_goes_first() {
        let mut lru = Lru::new(10);
        for (key, weight) in [("a", 4), ("b", 4)] {
            lru.insert(key, key, weight);
        }
        assert_eq!(lru.get(&"a"), Some("a"));
        lru.insert("c", "c", 4);
        assert_eq!((lru.get(&"a"), lru.get(&"b"), lru.get(&"c")), (Some("a"), None, Some("c")));
        lru.insert("large", "large", 11);
        assert_eq!((lru.get(&"large"), lru.weight), (None, 8));
        lru.remove(&"a");
        assert_eq!((lru.weight, lru.order.len()), (4, 1));
    }
}
