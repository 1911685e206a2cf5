//! Objects that no row names go away: what a merge wrote that was killed, or came too late.
//!
//! ```text
//!   list ---> Fence ---> a view that holds the fence ---> delete what it does not name
//! ```
//!
//! Who wrote an object may stand still between writing it and proposing the `Replace` that names it,
//! for as long as it likes, on any node; and clocks may say anything. So age proves nothing. After
//! the fence no `Replace` succeeds that was planned before it; one that is planned later has another
//! name for its object, and cannot have written what was listed before. What a head becomes is named
//! by its row before it is written. So what the view does not name nobody ever will.
//!
//! A fence makes merges that are under way in vain. That is why only old objects are looked at.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::TryStreamExt;

use crate::cluster::Cluster;
use crate::model::{ShardId, Timestamp};
use crate::objects::Objects;
use crate::shard::{Command, ObjectName, Reply, ShardView};

/// An attempt ends long before this, unless a clock jumps: then it is made once more.
const AGE_MIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Deletes old objects that no row of the shards led here names; how many there were.
pub(super) async fn sweep(
    cluster: &Cluster,
    objects: &Objects,
    now: Timestamp,
) -> Result<u64, super::Error> {
    let mut swept = 0;
    for (shard, names) in unnamed(cluster, objects, now).await? {
        let (fence, reply) = cluster.propose(shard, &Command::Fence).await?;
        let Reply::Done { .. } = reply else { continue };
        let Ok(view) = cluster.mirror(shard).await else { continue };
        assert!(view.applied() >= fence, "a view holds what was acknowledged before it");
        let named = named_by(&view);
        for name in names.iter().filter(|name| !named.contains(&name.content)) {
            objects.delete(&name.path()).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Old objects that no row of the shards led here names, as far as this node knows.
async fn unnamed(
    cluster: &Cluster,
    objects: &Objects,
    now: Timestamp,
) -> Result<HashMap<ShardId, Vec<ObjectName>>, crate::objects::Error> {
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
    Ok(unnamed)
}

/// The content of every chunk in the manifest, which is in its object's name. Two that are alike by
/// chance keep an object that nobody needs.
fn named_by(view: &ShardView) -> HashSet<u64> {
    view.manifest().iter().map(|(_, chunk)| chunk.content).collect()
}
