//! Which patterns the lines of streams have, and how often each came when.
//!
//! In: a selector and a range. Out: patterns, most frequent first. Every block is drained for
//! itself, and what that gives is kept in memory by what the block holds: blocks do not change, so
//! whoever asks again reads only what is new. Clusters of blocks and heads are then drained once
//! more into those of the answer.

mod cache;
mod drain;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Error, PARTIALS_MAX};
use crate::model::level::{DETECTED_LEVEL, Level};
use crate::model::{Labels, Rows, Selector, Sight, TimeRange, Timestamp};
use crate::scan::{BlockMeta, Columns, Order, Request, Scanner, Selection, Stats, Visit};
use drain::{Cluster, Drain};

pub use cache::Cache;

/// Patterns of one answer.
const PATTERNS_MAX: usize = 300;

/// One pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As `|>` takes it.
    pub text: String,
    /// The detected level of its lines.
    pub level: String,
    /// How many lines came in each step, by its start.
    pub samples: BTreeMap<Timestamp, u64>,
}

/// Finds the patterns. `step` is the width of a sample in nanoseconds, at least ten seconds.
pub async fn run(
    scanner: &Scanner,
    cache: &Arc<Cache>,
    sight: &Sight,
    selector: &Selector,
    range: &TimeRange,
    step: i64,
) -> Result<Vec<Pattern>, Error> {
    let request = Request {
        selection: Selection::Selector(selector.clone()),
        range: range.clone(),
        order: Order::Any,
        above: None,
    };
    let snapshot = scanner.snapshot(sight).await?;
    let stats = Arc::new(Stats::default());
    let (out, mut parts) = mpsc::channel::<Vec<Arc<[Cluster]>>>(PARTIALS_MAX);
    let finder = Arc::new(Finder { cache: Arc::clone(cache) });
    let scan = scanner.run(&snapshot, &request, finder, &stats, out);
    let join = async {
        let mut drain = Drain::default();
        while let Some(part) = parts.recv().await {
            part.iter().flat_map(|clusters| clusters.iter()).for_each(|own| drain.join(own));
        }
        Ok(drain)
    };
    let ((), drain) = futures::try_join!(scan, join)?;
    let clusters = drain.finish();
    Ok(clusters.iter().take(PATTERNS_MAX).map(|cluster| pattern(cluster, step)).collect())
}

fn pattern(cluster: &Cluster, step: i64) -> Pattern {
    let step = step.max(drain::COUNT_NANOS);
    let mut samples = BTreeMap::new();
    for (at, n) in &cluster.counts {
        *samples.entry(Timestamp(at - at.rem_euclid(step))).or_default() += n;
    }
    Pattern { text: cluster.pattern(), level: cluster.level().into(), samples }
}

struct Finder {
    cache: Arc<Cache>,
}

impl Visit for Finder {
    type Partial = Vec<Arc<[Cluster]>>;
    type Error = Error;

    fn start(&self) -> Self::Partial {
        Vec::new()
    }

    fn columns(&self, _stream: &Labels) -> Columns {
        Columns { lines: true, metadata: true }
    }

    fn block(&self, found: &mut Self::Partial, stream: &Labels, block: &BlockMeta) -> bool {
        let known = self.cache.get(key(stream, block));
        let is_known = known.is_some();
        found.extend(known);
        is_known
    }

    fn rows(&self, found: &mut Self::Partial, _: &Labels, rows: Rows) -> Result<(), Error> {
        found.push(drained(&rows));
        Ok(())
    }

    fn rows_of_block(
        &self,
        found: &mut Self::Partial,
        stream: &Labels,
        rows: Rows,
        block: &BlockMeta,
    ) -> Result<(), Error> {
        let clusters = drained(&rows);
        if rows.len() == block.n_rows as usize {
            self.cache.insert(key(stream, block), &clusters);
        }
        found.push(clusters);
        Ok(())
    }
}

/// A block is known by what it holds: copies of it in other chunks have the same patterns.
fn key(stream: &Labels, block: &BlockMeta) -> (u64, u64) {
    (stream.hash64(), block.fingerprint())
}

fn drained(rows: &Rows) -> Arc<[Cluster]> {
    let lines = rows.lines.as_ref().expect("lines were asked for");
    let levels: Vec<&str> = rows.metadata.as_ref().map_or(Vec::new(), |metadata| {
        let level = |set: &crate::model::Metadata| -> &'static str {
            let level = set.get(DETECTED_LEVEL).and_then(Level::from_normal);
            level.unwrap_or(Level::Unknown).as_str()
        };
        metadata.sets.iter().map(level).collect()
    });
    let mut drain = Drain::default();
    for (row, timestamp) in rows.timestamps.iter().enumerate() {
        let set = rows.metadata.as_ref().map(|metadata| metadata.ids[row] as usize);
        let level = set.map_or(Level::Unknown.as_str(), |set| levels[set]);
        drain.add(level, *timestamp, lines.text(row));
    }
    drain.finish().into()
}
