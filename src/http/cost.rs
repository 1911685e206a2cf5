//! What a query cost: the `stats` of its answer, in Loki's shape, and a block of our own.
//!
//! Grafana's inspector and logcli read all of it, so whatever Loki has is there; what has no meaning
//! here (caches, ingesters, splits) is zero.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::scan::Stats;

/// What a query cost.
pub(super) struct Cost<'a> {
    pub(super) stats: &'a Stats,
    pub(super) elapsed: Duration,
    pub(super) n_entries: usize,
    /// What the reader must know of the answer.
    pub(super) warnings: Vec<String>,
}

/// The caches that Loki has, by their names.
const CACHES: [&str; 10] = [
    "chunk",
    "index",
    "result",
    "statsResult",
    "volumeResult",
    "seriesResult",
    "labelResult",
    "instantMetricResult",
    "logResult",
    "taskResult",
];

/// Writes `,"stats":{...}`.
pub(super) fn stats(out: &mut String, cost: &Cost<'_>) {
    let nothing = Stats::default();
    let caches: serde_json::Map<String, Value> =
        CACHES.iter().map(|name| ((*name).to_owned(), cache())).collect();
    let body = json!({
        "summary": summary(cost),
        "querier": { "store": store(cost.stats, cost.n_entries) },
        "ingester": {
            "totalReached": 0,
            "totalChunksMatched": 0,
            "totalBatches": 0,
            "totalLinesSent": 0,
            "store": store(&nothing, 0),
        },
        "cache": caches,
        "index": index(cost.stats),
        "drave": own(cost.stats),
    });
    let _ = write!(out, ",\"stats\":{body}");
}

fn of(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn summary(cost: &Cost<'_>) -> Value {
    let (rows, bytes) = (of(&cost.stats.rows), of(&cost.stats.line_bytes));
    let seconds = cost.elapsed.as_secs_f64().max(1e-9);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let per_second = |n: u64| n as f64 / seconds;
    json!({
        "bytesProcessedPerSecond": per_second(bytes).round(),
        "linesProcessedPerSecond": per_second(rows).round(),
        "totalBytesProcessed": bytes,
        "totalLinesProcessed": rows,
        "execTime": seconds,
        "queueTime": 0,
        "subqueries": 0,
        "totalEntriesReturned": cost.n_entries,
        "splits": 0,
        "shards": 0,
        "totalPostFilterLines": cost.n_entries,
        "totalStructuredMetadataBytesProcessed": 0,
    })
}

/// Everything is read from chunks or from heads by the node that was asked, or for it.
fn store(stats: &Stats, n_entries: usize) -> Value {
    json!({
        "totalChunksRef": of(&stats.chunks),
        "totalChunksDownloaded": of(&stats.chunks),
        "chunksDownloadTime": of(&stats.phases.fetch),
        "chunkRefsFetchTime": of(&stats.phases.plan),
        "queryReferencedStructuredMetadata": false,
        "queryUsedV2Engine": false,
        "congestionControlLatency": 0,
        "pipelineWrapperFilteredLines": 0,
        "chunk": {
            "headChunkBytes": 0,
            "headChunkLines": 0,
            "headChunkStructuredMetadataBytes": 0,
            "decompressedBytes": of(&stats.line_bytes),
            "decompressedLines": of(&stats.rows),
            "decompressedStructuredMetadataBytes": 0,
            "compressedBytes": of(&stats.object_bytes),
            "postFilterLines": n_entries,
            "totalDuplicates": 0,
        },
    })
}

fn cache() -> Value {
    json!({
        "entriesFound": 0,
        "entriesRequested": 0,
        "entriesStored": 0,
        "bytesReceived": 0,
        "bytesSent": 0,
        "requests": 0,
        "downloadTime": 0,
        "queryLengthServed": 0,
    })
}

fn index(stats: &Stats) -> Value {
    json!({
        "totalChunks": of(&stats.chunks),
        "postFilterChunks": of(&stats.chunks),
        "totalStreams": of(&stats.streams),
        "chunkRefsLookupTime": of(&stats.phases.plan),
        "shardsDuration": 0,
        "usedBloomFilters": of(&stats.blocks_filtered) > 0,
        "bloomFilterTime": 0,
    })
}

fn own(stats: &Stats) -> Value {
    let seconds_of = |phase: &AtomicU64| Duration::from_nanos(of(phase)).as_secs_f64();
    json!({
        "streams": of(&stats.streams),
        "chunks": of(&stats.chunks),
        "blocksPruned": of(&stats.blocks_pruned),
        "blocksFromMetadata": of(&stats.blocks_skipped),
        "blocksFiltered": of(&stats.blocks_filtered),
        "blocksRead": of(&stats.blocks_read),
        "unitsUnmatched": of(&stats.units_unmatched),
        "headBatches": of(&stats.head_batches),
        "objectBytes": of(&stats.object_bytes),
        "objectReads": of(&stats.object_reads),
        "remoteShards": of(&stats.remote_shards),
        "remoteBytes": of(&stats.remote_bytes),
        "phases": {
            "plan": seconds_of(&stats.phases.plan),
            "wait": seconds_of(&stats.phases.wait),
            "head": seconds_of(&stats.phases.head),
            "fetch": seconds_of(&stats.phases.fetch),
            "compute": seconds_of(&stats.phases.compute),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_clients_of_loki_look_at_is_there() {
        let stats_of = Stats::default();
        stats_of.rows.store(7, Ordering::Relaxed);
        let cost = Cost {
            stats: &stats_of,
            elapsed: Duration::from_millis(500),
            n_entries: 3,
            warnings: Vec::new(),
        };
        let mut out = String::new();
        stats(&mut out, &cost);
        let text = out.strip_prefix(",\"stats\":").expect("a member of an object");
        let body: Value = serde_json::from_str(text).expect("JSON");
        let check = |path: &str, expected: Value| {
            assert_eq!(body.pointer(path), Some(&expected), "{path}");
        };
        check("/summary/totalLinesProcessed", json!(7));
        check("/summary/linesProcessedPerSecond", json!(14.0));
        check("/summary/totalEntriesReturned", json!(3));
        check("/querier/store/chunk/decompressedLines", json!(7));
        check("/ingester/store/chunk/decompressedLines", json!(0));
        check("/ingester/totalReached", json!(0));
        check("/cache/result/queryLengthServed", json!(0));
        check("/index/usedBloomFilters", json!(false));
    }
}
