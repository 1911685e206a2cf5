//! The patterns of blocks that were looked at before, by bytes: the least recently used go first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::drain::Cluster;

/// Patterns by block.
pub struct Cache {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

/// A stream's hash and a block's fingerprint.
type Key = (u64, u64);

#[derive(Default)]
struct Kept {
    by_block: HashMap<Key, Block>,
    bytes: usize,
    uses: u64,
}

struct Block {
    clusters: Arc<[Cluster]>,
    bytes: usize,
    used: u64,
}

impl Cache {
    /// Keeps at most this many bytes.
    pub fn new(bytes_max: usize) -> Cache {
        Cache { bytes_max, kept: Mutex::default() }
    }

    pub(super) fn get(&self, key: Key) -> Option<Arc<[Cluster]>> {
        let mut kept = self.lock();
        kept.uses += 1;
        let used = kept.uses;
        let block = kept.by_block.get_mut(&key)?;
        block.used = used;
        Some(Arc::clone(&block.clusters))
    }

    pub(super) fn insert(&self, key: Key, clusters: &Arc<[Cluster]>) {
        let bytes = 64 + clusters.iter().map(Cluster::memory_bytes).sum::<usize>();
        let mut kept = self.lock();
        kept.uses += 1;
        let block = Block { clusters: Arc::clone(clusters), bytes, used: kept.uses };
        let before = kept.by_block.insert(key, block);
        kept.bytes = kept.bytes + bytes - before.map_or(0, |block| block.bytes);
        if kept.bytes > self.bytes_max {
            kept.shrink(self.bytes_max / 2);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nobody panics holding it")
    }
}

impl Kept {
    /// Forgets the least recently used until no more than this many bytes are left: seldom, and
    /// much at once.
    fn shrink(&mut self, bytes_max: usize) {
        let mut by_use: Vec<(u64, Key)> =
            self.by_block.iter().map(|(key, block)| (block.used, *key)).collect();
        by_use.sort_unstable();
        for (_, key) in by_use {
            if self.bytes <= bytes_max {
                return;
            }
            let block = self.by_block.remove(&key).expect("it was just listed");
            self.bytes -= block.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::drain::Drain;
    use super::*;

    #[test]
    fn the_least_recently_used_go_first() {
        let clusters = || {
            let mut drain = Drain::default();
            drain.add("info", 0, "a line");
            Arc::<[Cluster]>::from(drain.finish())
        };
        let one = 64 + clusters()[0].memory_bytes();
        let cache = Cache::new(10 * one);
        for i in 0..10 {
            cache.insert((i, 0), &clusters());
        }
        assert_eq!(cache.get((0, 0)).map(|clusters| clusters.len()), Some(1));
        cache.insert((10, 0), &clusters());
        let left: Vec<u64> = (0..11).filter(|i| cache.get((*i, 0)).is_some()).collect();
        assert_eq!(left, [0, 7, 8, 9, 10]);
        cache.insert((10, 0), &clusters());
        assert_eq!(cache.lock().bytes, 5 * one);
    }
}
