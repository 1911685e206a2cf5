//! A reader: everything a view names, from wherever it says it is.

use std::collections::BTreeMap;

use drave::model::{Labels, Tenant, TimeRange, Timestamp};
use drave::shard::{Hours, ShardView};

use crate::objects::Objects;
use crate::replica::SHARD;
use crate::twin::{Placed, decode};
use crate::world::tenants;

/// A view shows exactly these entries in a range, each once, and its stream table knows of all of
/// them.
pub(crate) fn check(
    view: &ShardView,
    objects: &Objects,
    range: &TimeRange,
    mut expected: Vec<Placed>,
) {
    let mut seen = from_heads(view);
    for tenant in tenants() {
        let chunks = from_chunks(view, objects, tenant, range);
        assert!(chunks.iter().all(|placed| placed.entry.tenant == *tenant), "of {tenant} only");
        seen.extend(chunks);
    }
    seen.retain(|placed| range.contains(&Timestamp(placed.entry.ts)));
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected, "what is read at index {}", view.applied());

    let streams = |tenant| -> BTreeMap<&Labels, Hours> { view.streams().of(tenant).collect() };
    let streams: BTreeMap<&Tenant, _> = tenants().iter().map(|t| (t, streams(t))).collect();
    for Placed { entry, .. } in &seen {
        let hours = streams[&entry.tenant].get(&entry.labels);
        let hours = hours.expect("the stream of an entry is in the table");
        let at = Timestamp(entry.ts)..Timestamp(entry.ts + 1);
        assert!(hours.overlaps(&at), "{hours:?} miss {at:?}");
    }
}

fn from_chunks(
    view: &ShardView,
    objects: &Objects,
    tenant: &Tenant,
    range: &TimeRange,
) -> Vec<Placed> {
    let chunks = view.chunks(tenant, range);
    let in_order = chunks.windows(2).all(|pair| pair[0].covers.last < pair[1].covers.first);
    assert!(in_order, "chunks come in the order of their seals");
    let mut seen = Vec::new();
    for chunk in chunks {
        let path = chunk.path(SHARD);
        let object = objects.get(&path).unwrap_or_else(|| panic!("{path} is gone: {chunk:?}"));
        assert_eq!(Some(&object.info()), chunk.object(), "the row tells of its object");
        let within = |placed: &Placed| chunk.times().contains(&Timestamp(placed.entry.ts));
        assert!(object.entries.iter().all(within), "{chunk:?} holds its times");
        seen.extend(object.entries.iter().cloned());
    }
    seen
}

fn from_heads(view: &ShardView) -> Vec<Placed> {
    let mut seen = Vec::new();
    for (index, batch) in view.batches() {
        let entries = decode(batch).into_iter().flatten().enumerate();
        seen.extend(entries.map(|(row, entry)| Placed { index, row, entry }));
    }
    seen
}
