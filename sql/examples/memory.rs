//! Serves the table in memory of the tests: for trying clients out without a node.
//!
//! `cargo run --workspace --example memory -- 127.0.0.1:5434`

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, dead_code)]

#[path = "../tests/it/memory.rs"]
mod memory;

use std::time::Duration;

use drave_sql::{Options, serve};

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5434".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let options = Options {
        memory_bytes: 256 << 20,
        statement_timeout: Duration::from_secs(60),
        max_connections: 100,
        threads: 2,
        server_version: "16.0 (drave)".to_owned(),
    };
    let source = memory::Memory::new(memory::rows());
    serve(listener, source, options, std::future::pending()).await.unwrap();
}
