//! Which shard a stream lives on: a pure function of the tenant, the labels and the shard count.

use crate::model::{Labels, ShardId, Tenant};

/// The shard of a stream, one of `0..n_shards`.
///
/// It decides where acknowledged data is found again, so it never changes for a data directory:
/// XXH3-64 of the tenant, mixed with [`Labels::hash64`], modulo the number of shards.
pub fn shard_of(tenant: &Tenant, labels: &Labels, n_shards: u32) -> ShardId {
    assert!(n_shards > 0, "a node has at least one shard");
    let tenant = xxhash_rust::xxh3::xxh3_64(tenant.as_str().as_bytes());
    let hash = tenant.rotate_left(32) ^ labels.hash64();
    let shard = hash % u64::from(n_shards);
    ShardId(u32::try_from(shard).expect("a remainder below a u32 is a u32"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_and_stays() {
        let mut counts = [0_u32; 8];
        for i in 0..8000 {
            let labels = Labels::from_pairs([("pod", format!("p-{i}"))]).expect("unique");
            counts[shard_of(&Tenant::single(), &labels, 8).0 as usize] += 1;
        }
        assert!(counts.iter().all(|n| (800..1200).contains(n)), "{counts:?}");
    }
}
