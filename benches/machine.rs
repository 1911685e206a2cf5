//! How fast this machine is, measured with what an ingest does most: zstd and Snappy over log text.
//!
//! CPU seconds of two machines cannot be compared; their ratio to this can. Prints MB/s per core of
//! each, and how the compression by zstd compares to the machine that the peers were measured on.
//!
//! `cargo bench --bench machine -- TEXT`

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

use std::process::ExitCode;
use std::time::Instant;

const BLOCK_BYTES: usize = 1 << 20;
const ROUNDS: usize = 5;
/// MB/s of zstd level 1 over blocks of 1 MiB where Loki and VictoriaLogs were measured: 870 to 910.
const PEERS_MB_PER_S: f64 = 890.0;

fn main() -> ExitCode {
    // Cargo adds a flag of its own.
    let Some(path) = std::env::args().skip(1).find(|word| !word.starts_with("--")) else {
        eprintln!("machine: name a file of log lines");
        return ExitCode::FAILURE;
    };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("machine: {path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let blocks: Vec<&[u8]> = text.chunks(BLOCK_BYTES).collect();
    let compressed: Vec<Vec<u8>> =
        blocks.iter().map(|block| zstd::bulk::compress(block, 1).expect("memory")).collect();
    let mut compressor = zstd::bulk::Compressor::new(1).expect("a level of zstd");
    let zstd_mb = best(text.len(), || {
        for block in &blocks {
            std::hint::black_box(compressor.compress(block).expect("memory"));
        }
    });
    let mut decompressor = zstd::bulk::Decompressor::new().expect("memory");
    let unzstd_mb = best(text.len(), || {
        for block in &compressed {
            std::hint::black_box(decompressor.decompress(block, BLOCK_BYTES).expect("own block"));
        }
    });
    let mut encoder = snap::raw::Encoder::new();
    let snappy: Vec<Vec<u8>> =
        blocks.iter().map(|block| encoder.compress_vec(block).expect("memory")).collect();
    let unsnappy_mb = best(text.len(), || {
        for block in &snappy {
            std::hint::black_box(snap::raw::Decoder::new().decompress_vec(block).expect("own"));
        }
    });
    println!("zstd level 1, blocks of 1 MiB: {zstd_mb:.0} MB/s, back: {unzstd_mb:.0} MB/s");
    println!("Snappy back: {unsnappy_mb:.0} MB/s");
    println!("peers_ratio {:.3}", zstd_mb / PEERS_MB_PER_S);
    ExitCode::SUCCESS
}

/// MB/s of the fastest of some rounds.
fn best(n_bytes: usize, mut work: impl FnMut()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        work();
        n_bytes as f64 / 1e6 / start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(round).fold(0.0, f64::max)
}
