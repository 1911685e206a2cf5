//! Which chunks should become one: a pure function of a view and a policy.
//!
//! In: a [`ShardView`]. Out: neighbours of one tenant, as their seals cut them, that are worth a
//! rewrite. Invariants:
//!
//! - nothing visible lies between the inputs, so that order among equal timestamps stays;
//! - the largest input is at most a quarter of the outcome: an entry is rewritten at most as often
//!   as its chunk grows fourfold, whatever else comes;
//! - inputs end on one day (UTC): retention drops whole chunks, and must not wait longer for one
//!   that was merged.

use std::collections::HashSet;
use std::ops::Range;

use super::command::ChunkKey;
use super::manifest::{Chunk, rows_of};
use super::object::ObjectInfo;
use super::view::ShardView;
use crate::model::Tenant;

/// When chunks are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The largest chunk that a merge makes.
    pub target_bytes: u64,
    /// Bytes of lines and metadata that one merge takes, at most: where a stream has all of its
    /// entries at one time, they are in memory at once.
    pub raw_bytes_max: u64,
    /// Chunks that one merge takes, at most: each is a row of the manifest, and an object to read.
    pub inputs_max: usize,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { target_bytes: 64 << 20, raw_bytes_max: 512 << 20, inputs_max: 64 }
    }
}

/// The outcome is at least so many times its largest input.
const GROWTH: u64 = 4;

/// The next chunks to merge, in the order of their seals; none of those to leave alone.
pub fn compactable(
    view: &ShardView,
    sizes: Sizes,
    leave: &HashSet<ChunkKey>,
) -> Option<Vec<Chunk>> {
    let mut after: Option<Tenant> = None;
    loop {
        let next =
            view.manifest().iter_after(|key| after.as_ref().is_some_and(|t| key.tenant <= *t));
        let tenant = next.map(|(key, _)| key.tenant.clone()).next()?;
        if let Some(chunks) = compactable_of(view, &tenant, sizes, leave) {
            return Some(chunks);
        }
        after = Some(tenant);
    }
}

fn compactable_of(
    view: &ShardView,
    tenant: &Tenant,
    sizes: Sizes,
    leave: &HashSet<ChunkKey>,
) -> Option<Vec<Chunk>> {
    let mut chunks: Vec<&Chunk> =
        rows_of(view.manifest(), tenant).filter(|chunk| chunk.object().is_some()).collect();
    chunks.sort_unstable_by_key(|chunk| chunk.covers);
    let stays = |chunk: &Chunk| leave.contains(&chunk.key);
    let runs = chunks.chunk_by(|a, b| day_of(a) == day_of(b) && !stays(a) && !stays(b));
    for run in runs {
        let objects: Vec<ObjectInfo> =
            run.iter().filter_map(|chunk| chunk.object().copied()).collect();
        if let Some(range) = worth_it(&objects, sizes) {
            return Some(run[range].iter().copied().cloned().collect());
        }
    }
    None
}

/// The day, since the Unix epoch, on which a chunk ends.
fn day_of(chunk: &Chunk) -> i64 {
    const DAY: i64 = 86_400 * 1_000_000_000;
    chunk.max_ts.nanos().div_euclid(DAY)
}

/// Which of some neighbours to merge: as many as possible from the first on from which it is worth
/// it.
fn worth_it(objects: &[ObjectInfo], sizes: Sizes) -> Option<Range<usize>> {
    let from = |start: usize| {
        let (mut sum, mut raw, mut largest, mut end) = (0_u64, 0_u64, 0, None);
        for (n, object) in objects[start..].iter().take(sizes.inputs_max).enumerate() {
            sum = sum.saturating_add(object.bytes);
            raw = raw.saturating_add(object.raw_bytes);
            largest = largest.max(object.bytes);
            if sum > sizes.target_bytes || raw > sizes.raw_bytes_max {
                break;
            }
            if n > 0 && largest.saturating_mul(GROWTH) <= sum {
                end = Some(start + n + 1);
            }
        }
        end.map(|end| start..end)
    };
    (0..objects.len()).find_map(from)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{BatchBuilder, Labels, ShardId, Timestamp};
    use crate::shard::{Command, Flushed, Reply, Shard};

    const SIZES: Sizes = Sizes { target_bytes: 100, raw_bytes_max: 1000, inputs_max: 6 };

    /// Objects of these sizes, with ten times as much in them.
    fn objects(bytes: &[u64]) -> Vec<ObjectInfo> {
        let object = |bytes: &u64| ObjectInfo {
            bytes: *bytes,
            n_entries: 1,
            raw_bytes: 10 * bytes,
            n_streams: 1,
            hash: 0,
        };
        bytes.iter().map(object).collect()
    }

    #[test]
    fn neighbours_of_a_size_merge() {
        let check = |bytes: &[u64], expected: Option<Range<usize>>| {
            assert_eq!(worth_it(&objects(bytes), SIZES), expected, "{bytes:?}");
        };
        check(&[], None);
        check(&[5], None);
        check(&[5, 5, 5], None);
        check(&[5, 5, 5, 5], Some(0..4));
        check(&[5, 5, 5, 5, 5], Some(0..5));
        // Not more than one merge may take, in number or in bytes.
        check(&[5; 9], Some(0..6));
        check(&[20; 9], Some(0..5));
        check(&[30; 9], None);
        check(&[101, 5, 5, 5, 5], Some(1..5));
        // A large one waits until enough have come beside it.
        check(&[20, 5, 5, 5], None);
        check(&[20, 5, 5, 5, 5], Some(1..5));
        check(&[20, 20, 20, 5], None);
        check(&[20, 20, 20, 5, 15], Some(0..5));
        check(&[5, 5, 5, 30, 5, 5], None);
        check(&[0, 0], Some(0..2));
        let raw = Sizes { raw_bytes_max: 250, ..SIZES };
        assert_eq!(worth_it(&objects(&[5; 9]), raw), Some(0..5));
        assert_eq!(worth_it(&objects(&[7; 9]), raw), None);
    }

    /// An entry is rewritten a few times and not with every seal, and few chunks are left.
    #[test]
    fn work_is_bounded_and_so_are_chunks() {
        let sizes = Sizes { target_bytes: 4096, raw_bytes_max: u64::MAX, inputs_max: 64 };
        let (mut chunks, mut written, n) = (Vec::new(), 0, 20_000_u64);
        for i in 0..n {
            chunks.push(1 + i % 3);
            while let Some(range) = worth_it(&objects(&chunks), sizes) {
                let sum = chunks[range.clone()].iter().sum();
                written += sum;
                chunks.splice(range, [sum]);
            }
        }
        let all: u64 = chunks.iter().sum();
        assert!(written <= all * 6, "{written} bytes were written for {all}");
        assert!(
            chunks.len() as u64 <= 2 * all / sizes.target_bytes + 20,
            "{} are left",
            chunks.len()
        );
    }

    /// A shard with a flushed chunk for each of these tenants, which ends on a day.
    pub(crate) fn shard(chunks: &[(&str, i64)]) -> Shard {
        let mut shard = Shard::new(ShardId(0));
        let mut index = 0;
        let mut apply = |shard: &mut Shard, command: Command| {
            index += 1;
            shard.apply(index, &command.encode()).expect("no divergence").0
        };
        for (tenant, day) in chunks {
            let tenant = Tenant::parse(tenant).expect("a tenant");
            let mut builder = BatchBuilder::new();
            builder.segment(&tenant, &Labels::empty());
            builder.push(day * 86_400 * 1_000_000_000, "a line", 0);
            apply(&mut shard, Command::Append { batch: builder.encode() });
            apply(&mut shard, Command::Seal);
            let view = shard.view().expect("nothing to replay");
            let chunk = view.sealed();
            let content = view.chunk(chunk, &tenant).expect("a row").content;
            let object =
                ObjectInfo { bytes: 5, n_entries: 1, raw_bytes: 1, n_streams: 1, hash: chunk };
            let tenants = vec![Flushed { tenant, content, object }];
            apply(&mut shard, Command::Flush { chunk, tenants });
        }
        shard
    }

    /// Puts one chunk in the place of others.
    pub(crate) fn replace(shard: &mut Shard, chunks: &[Chunk]) {
        let replace = Command::Replace {
            base: shard.view().expect("a view").applied(),
            at: Timestamp::from_secs(1),
            tenant: chunks[0].key.tenant.clone(),
            retire: chunks.iter().map(|chunk| chunk.key.id).collect(),
            object: ObjectInfo { bytes: 5, n_entries: 4, raw_bytes: 4, n_streams: 1, hash: 9 },
        };
        let index = shard.view().expect("a view").applied() + 1;
        let (reply, _) = shard.apply(index, &replace.encode()).expect("no divergence");
        assert_eq!(reply, Reply::Done { index });
    }

    fn ids(view: &ShardView, leave: &[Chunk]) -> Option<Vec<u64>> {
        let leave = leave.iter().map(|chunk| chunk.key.clone()).collect();
        let chunks = compactable(view, SIZES, &leave)?;
        Some(chunks.iter().map(|chunk| chunk.key.id).collect())
    }

    #[test]
    fn tenants_and_days_stay_apart() {
        let a = ("a", 7);
        assert_eq!(ids(&shard(&[a, a, a]).view().expect("a view"), &[]), None);
        let mixed = shard(&[a, ("b", 7), a, a, ("b", 7), ("b", 7), a]).view().expect("a view");
        assert_eq!(ids(&mixed, &[]), Some(vec![2, 8, 11, 20]));
        let b = [a, ("b", 7), a, ("b", 7), ("b", 7), ("b", 7)];
        assert_eq!(ids(&shard(&b).view().expect("a view"), &[]), Some(vec![5, 11, 14, 17]));
        let days = [a, a, ("a", 8), a, a];
        assert_eq!(ids(&shard(&days).view().expect("a view"), &[]), None);
        let before_1970 = [("a", -1), ("a", 0), ("a", 0), ("a", 0)];
        assert_eq!(ids(&shard(&before_1970).view().expect("a view"), &[]), None);
    }

    #[test]
    fn what_was_merged_is_a_neighbour_and_what_is_left_alone_is_none() {
        let mut shard = shard(&[("a", 7); 5]);
        let view = shard.view().expect("a view");
        let all = compactable(&view, SIZES, &HashSet::new()).expect("five of a size");
        assert_eq!(all.len(), 5);
        assert_eq!(ids(&view, &all[4..]), Some(vec![2, 5, 8, 11]));
        assert_eq!(ids(&view, &all[2..3]), None);
        replace(&mut shard, &all[..4]);
        let view = shard.view().expect("a view");
        assert_eq!(ids(&view, &[]), None, "two chunks are left");
        assert_eq!(view.chunks(&all[0].key.tenant, &(Timestamp::MIN..Timestamp::MAX)).len(), 2);
    }
}
