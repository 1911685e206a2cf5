//! Memory of all heads of the node together: who has to give some back.

use std::sync::Mutex;

use crate::model::ShardId;

/// What each shard's heads take, as of its last look.
pub(super) struct Pressure {
    bytes_max: u64,
    by_shard: Mutex<Vec<u64>>,
}

impl Pressure {
    pub(super) fn new(n_shards: usize, bytes_max: u64) -> Pressure {
        Pressure { bytes_max, by_shard: Mutex::new(vec![0; n_shards]) }
    }

    /// Notes what a shard takes, and answers how much of it the shard must give back: the excess
    /// where it is the largest, else nothing.
    pub(super) fn observe(&self, shard: ShardId, bytes: u64) -> u64 {
        let mut by_shard = self.by_shard.lock().expect("nobody panics holding it");
        by_shard[shard.0 as usize] = bytes;
        let excess = by_shard.iter().sum::<u64>().saturating_sub(self.bytes_max);
        let largest = by_shard.iter().max().is_some_and(|largest| *largest == bytes);
        if largest { excess } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_gives_back() {
        let pressure = Pressure::new(2, 100);
        assert_eq!(pressure.observe(ShardId(0), 60), 0);
        assert_eq!(pressure.observe(ShardId(1), 70), 30);
        assert_eq!(pressure.observe(ShardId(0), 60), 0);
        assert_eq!(pressure.observe(ShardId(1), 10), 0);
    }
}
