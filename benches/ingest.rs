//! What each step costs between a push and a chunk: CPU seconds per GiB of lines on one core.
//!
//! `cargo bench --bench ingest -- SET.pb [sent]` reads pushes as the load generator of `benches/run`
//! writes them, up to 256 MiB of lines, and takes them through every step but disk and network; with
//! `sent`, as where other nodes get the batches, too. Times of two builds are compared by running them
//! in turns: what another job on the machine costs is in them.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drave::chunk::{ChunkWriter, WriteOptions};
use drave::ingest::{self, Context, StreamCache};
use drave::model::batch::Effort;
use drave::model::limits::Limits;
use drave::model::merge::Merged;
use drave::model::{Batch, BatchBuilder, Labels, Rows, Tenant, Timestamp};

/// When the load generator's logs end, in seconds of Unix time.
const NOW: i64 = 1_795_176_000;
const N_SHARDS: u32 = 8;
/// So many pushes of a shard become one batch, as eight clients at full speed make it.
const PUSHES_PER_BATCH: usize = 4;
/// Lines in a head, as it is sealed.
const HEAD_BYTES: usize = 64 << 20;
const RAW_BYTES_MAX: usize = 256 << 20;
const ROUNDS: usize = 3;
const GIB: f64 = (1_u64 << 30) as f64;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let Some(path) = words.next() else {
        eprintln!("ingest: name a file of encoded pushes");
        return ExitCode::FAILURE;
    };
    let pushes = match std::fs::read(&path) {
        Ok(bytes) => pushes(&Bytes::from(bytes)),
        Err(error) => {
            eprintln!("ingest: {path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let effort =
        if words.next().is_some_and(|word| word == "sent") { Effort::Sent } else { Effort::Kept };
    let best =
        (0..ROUNDS).map(|_| run(&pushes, effort)).reduce(|a, b| a.least(&b)).expect("some rounds");
    for (name, time) in best.steps() {
        println!("{name:8} {:6.3} s/GiB", time.as_secs_f64() * GIB / best.raw_bytes as f64);
    }
    println!("{:8} {:6.2} raw/stored", "batches", best.raw_bytes as f64 / best.batch_bytes as f64);
    println!("{:8} {:6.2} raw/stored", "chunks", best.raw_bytes as f64 / best.chunk_bytes as f64);
    ExitCode::SUCCESS
}

/// The bodies in a file of the load generator, as many as are measured.
fn pushes(file: &Bytes) -> Vec<Bytes> {
    // Four bytes say what file it is.
    let (mut at, mut raw, mut out) = (4, 0, Vec::new());
    let number = |at: usize, n: usize| {
        file[at..at + n].iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    // Each begins with its agent, its lines, their bytes, and its own length.
    while at < file.len() && raw < RAW_BYTES_MAX {
        raw += number(at + 8, 8);
        let length = number(at + 16, 4);
        out.push(file.slice(at + 20..at + 20 + length));
        at += 20 + length;
    }
    out
}

#[derive(Clone, Default)]
struct Times {
    raw_bytes: usize,
    batch_bytes: usize,
    chunk_bytes: usize,
    read: Duration,
    batch: Duration,
    open: Duration,
    decode: Duration,
    chunk: Duration,
}

impl Times {
    fn steps(&self) -> [(&'static str, Duration); 6] {
        let steps = [self.read, self.batch, self.open, self.decode, self.chunk];
        let [read, batch, open, decode, chunk] = steps;
        [
            ("read", read),
            ("batch", batch),
            ("open", open),
            ("decode", decode),
            ("chunk", chunk),
            ("all", steps.iter().sum()),
        ]
    }

    fn least(&self, other: &Times) -> Times {
        Times {
            read: self.read.min(other.read),
            batch: self.batch.min(other.batch),
            open: self.open.min(other.open),
            decode: self.decode.min(other.decode),
            chunk: self.chunk.min(other.chunk),
            ..*self
        }
    }
}

fn timed<T>(sum: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = work();
    *sum += start.elapsed();
    value
}

fn run(pushes: &[Bytes], effort: Effort) -> Times {
    let mut times = Times::default();
    let (limits, cache) = (Limits::default(), StreamCache::default());
    let tenant = Tenant::single();
    let mut shards: Vec<Shard> = (0..N_SHARDS).map(|_| Shard::default()).collect();
    for body in pushes {
        let context = Context {
            tenant: &tenant,
            limits: &limits,
            now: Timestamp::from_secs(NOW),
            n_shards: N_SHARDS,
            atomic: false,
            policy: None,
            backfill: None,
            cache: &cache,
        };
        let kind = Some("application/x-protobuf");
        let accepted = timed(&mut times.read, || ingest::push(body.clone(), kind, None, &context));
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(refused) => panic!("a push of the load generator: {}", refused.message),
        };
        assert!(accepted.n_entries > 0, "refused: {:?}", accepted.discarded);
        times.raw_bytes += accepted.line_bytes;
        for (shard, builder) in accepted.shards {
            shards[shard.0 as usize].push(builder, &tenant, effort, &mut times);
        }
    }
    for shard in &mut shards {
        shard.seal(&tenant, effort, &mut times);
    }
    times
}

#[derive(Default)]
struct Shard {
    waiting: Vec<BatchBuilder>,
    head: Vec<Batch>,
}

impl Shard {
    fn push(&mut self, builder: BatchBuilder, tenant: &Tenant, effort: Effort, times: &mut Times) {
        self.waiting.push(builder);
        if self.waiting.len() == PUSHES_PER_BATCH {
            self.commit(effort, times);
        }
        let raw_bytes: u64 = self.head.iter().map(Batch::raw_bytes).sum();
        if raw_bytes >= HEAD_BYTES as u64 {
            self.seal(tenant, effort, times);
        }
    }

    fn commit(&mut self, effort: Effort, times: &mut Times) {
        let waiting = std::mem::take(&mut self.waiting);
        let bytes = timed(&mut times.batch, || BatchBuilder::concat(waiting).encode_for(effort));
        times.batch_bytes += bytes.len();
        self.head.push(timed(&mut times.open, || Batch::open(bytes).expect("as it was written")));
    }

    fn seal(&mut self, tenant: &Tenant, effort: Effort, times: &mut Times) {
        self.commit(effort, times);
        let head = std::mem::take(&mut self.head);
        let decoded: Vec<Vec<Rows>> = timed(&mut times.decode, || {
            head.iter().map(|batch| batch.decode().expect("as it was written")).collect()
        });
        let (bytes, _) = timed(&mut times.chunk, || {
            let mut streams: BTreeMap<&Labels, Vec<&Rows>> = BTreeMap::new();
            for (batch, rows) in head.iter().zip(&decoded) {
                for (segment, rows) in batch.segments().iter().zip(rows) {
                    streams.entry(&segment.labels).or_default().push(rows);
                }
            }
            let mut writer = ChunkWriter::new(tenant, WriteOptions::default().of_head());
            for (labels, pieces) in streams {
                writer.stream(labels, &Merged::of(pieces));
            }
            writer.finish()
        });
        times.chunk_bytes += bytes.len();
        timed(&mut times.chunk, || drop((head, decoded)));
    }
}
