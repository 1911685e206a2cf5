//! What is always true of a shard, one function each. They look at everything: for tests, the
//! simulation and audits, not for every push.
//!
//! | function | sentence |
//! |---|---|
//! | [`indexes_ascend`] | `flushed <= sealed <= applied` |
//! | [`regions_are_apart`] | an entry is above one index and up to the next, in one place |
//! | [`totals_add_up`] | a head's totals are the sums over its batches |
//! | [`covers_are_disjoint`] | no entry is readable from two chunks |
//! | [`rows_match_heads`] | a chunk is in memory until it is flushed, and not after |
//! | [`names_are_unique`] | erasing one chunk erases no other |
//! | [`streams_cover_entries`] | no entry is outside the bounds of its stream |

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::manifest::{Chunk, ChunkState, Covers};
use super::streams::{Hours, StreamKey};
use super::view::ShardView;
use super::{Head, Totals};
use crate::model::{Index, Tenant};

/// All of them, in the order of the table.
pub fn check(view: &ShardView) {
    indexes_ascend(view);
    regions_are_apart(view);
    totals_add_up(view);
    covers_are_disjoint(view);
    rows_match_heads(view);
    names_are_unique(view);
    streams_cover_entries(view);
}

/// `flushed <= sealed <= applied`.
pub fn indexes_ascend(view: &ShardView) {
    assert!(view.flushed() <= view.sealed(), "what is flushed was sealed");
    assert!(view.sealed() <= view.applied(), "what is sealed was applied");
    let last_cut = view.sealed_heads().last().map_or(view.flushed(), |sealed| sealed.chunk);
    assert_eq!(last_cut, view.sealed(), "the youngest head was cut by the last seal");
}

/// Every batch lies above the seal before its head and up to its own.
pub fn regions_are_apart(view: &ShardView) {
    let mut start = view.flushed();
    for sealed in view.sealed_heads() {
        assert!(!sealed.head.is_empty(), "seal {} cut something", sealed.chunk);
        within(&sealed.head, start, sealed.chunk);
        start = sealed.chunk;
    }
    within(view.head(), start, view.applied());
}

fn within(head: &Head, after: Index, up_to: Index) {
    for (index, _) in head.iter() {
        assert!(after < index && index <= up_to, "batch {index} is not in {after}..={up_to}");
    }
}

/// A head's totals are the sums over its batches.
pub fn totals_add_up(view: &ShardView) {
    let sealed = view.sealed_heads().iter().map(|sealed| &sealed.head);
    for head in sealed.chain([view.head()]) {
        let mut totals = Totals::default();
        head.iter().for_each(|(_, batch)| totals.add(batch));
        assert_eq!(totals, head.totals());
    }
}

/// The covers of a tenant's visible chunks are disjoint.
pub fn covers_are_disjoint(view: &ShardView) {
    let mut visible: Vec<(&Tenant, Covers)> =
        chunks(view).filter(|c| c.is_visible()).map(|c| (&c.key.tenant, c.covers)).collect();
    visible.sort_unstable();
    for pair in visible.windows(2) {
        let apart = pair[0].0 != pair[1].0 || !pair[0].1.overlaps(&pair[1].1);
        assert!(apart, "two visible chunks of {} cover the same seals: {pair:?}", pair[0].0);
    }
    assert!(visible.iter().all(|(_, covers)| covers.first <= covers.last));
}

/// A chunk is `Sealed` exactly while its entries are in a sealed head, and other chunks lie below
/// `flushed`.
pub fn rows_match_heads(view: &ShardView) {
    let mut in_memory: BTreeSet<(Index, &Tenant)> = BTreeSet::new();
    for sealed in view.sealed_heads() {
        in_memory.extend(sealed.tenants.iter().map(|tenant| (sealed.chunk, tenant)));
    }
    for chunk in chunks(view) {
        let (id, tenant) = (chunk.key.id, &chunk.key.tenant);
        if chunk.state == ChunkState::Sealed {
            assert!(in_memory.remove(&(id, tenant)), "sealed chunk {id} of {tenant} has a head");
            assert_eq!(chunk.covers, Covers::one(id), "a sealed chunk covers its seal");
        } else {
            assert!(chunk.covers.last <= view.flushed(), "chunk {id} of {tenant} is flushed");
        }
        assert!(chunk.covers.last <= id && id <= view.applied(), "a chunk is made of the past");
        assert!(chunk.min_ts <= chunk.max_ts, "a chunk holds an entry");
    }
    assert_eq!(in_memory, BTreeSet::new(), "a sealed head has a row per tenant");
}

/// No two rows name the same object.
pub fn names_are_unique(view: &ShardView) {
    let mut names = HashSet::new();
    for chunk in chunks(view) {
        let path = chunk.path(view.shard());
        assert!(names.insert(path.clone()), "two chunks are called {path}");
    }
}

/// Every entry in a head lies within the hours of its stream, and every visible chunk has streams.
pub fn streams_cover_entries(view: &ShardView) {
    let sealed = view.sealed_heads().iter().map(|sealed| &sealed.head);
    for segment in sealed
        .chain([view.head()])
        .flat_map(|head| head.iter())
        .flat_map(|(_, batch)| batch.segments())
    {
        let hours = Hours::of(segment);
        let key = StreamKey::new(segment.tenant.clone(), segment.labels.clone());
        let known = view.streams().get(&key);
        assert!(known.is_some_and(|known| known.contains(&hours)), "{key:?} misses {hours:?}");
    }
    let mut reach: BTreeMap<&Tenant, Hours> = BTreeMap::new();
    for (key, hours) in view.streams().iter() {
        let all = reach.entry(key.tenant()).or_insert(hours);
        all.start = all.start.min(hours.start);
        all.end = all.end.max(hours.end);
    }
    for chunk in chunks(view).filter(|chunk| chunk.is_visible()) {
        let all = reach.get(&chunk.key.tenant).expect("a tenant with entries has streams");
        assert!(all.contains(&Hours::around(chunk.min_ts, chunk.max_ts)), "{chunk:?} in {all:?}");
    }
}

fn chunks(view: &ShardView) -> impl Iterator<Item = &Chunk> {
    view.manifest().iter().map(|(_, chunk)| chunk)
}
