//! Objects that no row names go away: what a compaction wrote that was killed, or came too late.
//!
//! An object is older than any attempt that could still name it, by the clock of whoever wrote it,
//! and a view of everything acknowledged since it was listed does not name it: then nobody ever will,
//! for no name is used twice.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::TryStreamExt;

use crate::cluster::Cluster;
use crate::model::{ShardId, Timestamp};
use crate::objects::Objects;
use crate::shard::{ObjectName, ShardView};

/// An attempt ends long before this: merging, proposing, and clocks that differ.
pub(super) const AGE_MIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Deletes old objects that no row of the shards led here names; how many there were.
pub(super) async fn sweep(
    cluster: &Cluster,
    objects: &Objects,
    now: Timestamp,
) -> Result<u64, crate::objects::Error> {
    let led: Vec<ShardId> = cluster.shard_ids().filter(|shard| cluster.leads(*shard)).collect();
    let views = led.iter().filter_map(|shard| Some((*shard, cluster.local_view(*shard)?)));
    let named: HashMap<ShardId, HashSet<u64>> =
        views.map(|(shard, view)| (shard, named_by(&view))).collect();
    let is_old = |written: Timestamp| now.since(written) >= AGE_MIN;
    let mut unnamed: HashMap<ShardId, Vec<ObjectName>> = HashMap::new();
    let mut listed = objects.list();
    while let Some(object) = listed.try_next().await? {
        // What is called otherwise is somebody else's.
        let Some(name) = ObjectName::parse(&object.name) else { continue };
        let known = named.get(&name.shard);
        if is_old(object.written) && known.is_some_and(|known| !known.contains(&name.content)) {
            unnamed.entry(name.shard).or_default().push(name);
        }
    }
    let mut swept = 0;
    for (shard, names) in unnamed {
        // Of now: what was seen before the listing may be behind what is committed.
        let Ok(view) = cluster.mirror(shard).await else { continue };
        let named = named_by(&view);
        for name in names.iter().filter(|name| !named.contains(&name.content)) {
            objects.delete(&name.path()).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// The content of every chunk in the manifest, which is in its object's name. Two that are alike by
/// chance keep an object that nobody needs.
fn named_by(view: &ShardView) -> HashSet<u64> {
    view.manifest().iter().map(|(_, chunk)| chunk.content).collect()
}
