//! Serves the table in memory of the tests: for trying clients out without a node.
//!
//! `cargo run --workspace --example memory` prints where it listens, on a port of its own.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, dead_code)]

#[path = "../tests/it/memory.rs"]
mod memory;

#[tokio::main]
async fn main() {
    let server = memory::Server::start().await;
    println!("{}", server.address);
    std::future::pending::<()>().await;
}
