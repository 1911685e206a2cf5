//! Tests of the crate as a whole, through its public face, and over disks that fail.
//!
//! [`Ledger`] is the machine of all of them: it chains a checksum over all it applied, so that one
//! number tells whether every command was applied once and in order, across any restart.

mod cluster;
mod eras;
mod fault;
mod founded;
mod members;
mod node;
mod peers;
mod replaced;
mod split;
mod strangers;
mod suite;
mod written;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use crate::{Applied, Group, Machine, Node, Options, Origin, Recovered, RowChange, Start};

/// Lets the ledger forget what it holds in memory: its floor moves behind this command.
const FLUSH: &[u8] = b"flush";

/// A machine that remembers everything it was told, as one number.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Ledger {
    floor: u64,
    applied: u64,
    /// The chain, and the count of commands, before `floor`.
    base: u32,
    base_commands: u64,
    /// The chain over all that was applied.
    chain: u32,
    commands: u64,
    /// The commands from `floor` on.
    head: BTreeMap<u64, Bytes>,
}

fn link(chain: u32, index: u64, command: &[u8]) -> u32 {
    let chain = crc32c::crc32c_append(chain, &index.to_le_bytes());
    crc32c::crc32c_append(chain, command)
}

impl Ledger {
    /// Starts from disk, and checks that rows and log tell the same story.
    fn recover(recovered: Recovered) -> Result<Self, String> {
        let rows: BTreeMap<_, _> = recovered.rows.into_iter().collect();
        let number = |name: &str| match rows.get(name.as_bytes()) {
            Some(row) => u64::from_le_bytes(row.as_ref().try_into().expect("eight bytes")),
            None => 0,
        };
        let ledger = Self {
            floor: number("floor").max(1),
            applied: recovered.applied,
            base: number("base") as u32,
            base_commands: number("base_commands"),
            chain: number("chain") as u32,
            commands: number("commands"),
            head: recovered.wal.into_iter().collect(),
        };
        if number("applied") != recovered.applied {
            return Err(format!("rows of {}, not {}", number("applied"), recovered.applied));
        }
        let told: Vec<u64> = ledger.head.keys().copied().collect();
        let wanted: Vec<u64> = (ledger.floor..ledger.applied + 1).collect();
        if told != wanted {
            return Err(format!("the log gave {told:?} instead of {wanted:?}"));
        }
        let chain = ledger.head.iter().fold(ledger.base, |chain, (i, c)| link(chain, *i, c));
        if chain != ledger.chain {
            return Err("the log and the rows differ".to_owned());
        }
        Ok(ledger)
    }

    fn row(name: &str, number: u64) -> (Vec<u8>, Bytes) {
        (name.as_bytes().to_vec(), Bytes::copy_from_slice(&number.to_le_bytes()))
    }

    fn rows(&self) -> Vec<(Vec<u8>, Bytes)> {
        vec![
            Self::row("applied", self.applied),
            Self::row("base", self.base.into()),
            Self::row("base_commands", self.base_commands),
            Self::row("chain", self.chain.into()),
            Self::row("commands", self.commands),
            Self::row("floor", self.floor),
        ]
    }
}

impl Machine for Ledger {
    fn apply(&mut self, index: u64, command: &Bytes) -> Applied {
        assert!(index > self.applied, "applied {index} after {}", self.applied);
        self.applied = index;
        self.chain = link(self.chain, index, command);
        self.head.insert(index, command.clone());
        self.commands += u64::from(!command.is_empty());
        if command == FLUSH {
            self.base = self.chain;
            self.base_commands = self.commands;
            self.floor = index + 1;
            self.head.clear();
        }
        let rows = self.rows().into_iter();
        Applied {
            reply: Bytes::copy_from_slice(&self.commands.to_le_bytes()),
            rows: rows.map(|(key, row)| RowChange { key, value: Some(row) }).collect(),
        }
    }

    fn floor(&self) -> u64 {
        self.floor
    }

    /// As of the floor, with ballast so that it is a few chunks.
    fn snapshot(&self) -> Vec<(Vec<u8>, Bytes)> {
        let (chain, commands) = (self.base, self.base_commands);
        let then = Self { applied: self.floor - 1, chain, commands, ..self.clone() };
        let ballast = (0..40u8).map(|n| (vec![b'x', n], Bytes::from(vec![n; 70_000])));
        then.rows().into_iter().chain(ballast).collect()
    }
}

fn options(dir: &Path) -> Options {
    Options { durable_every: Duration::from_millis(20), ..Options::new(dir) }
}

async fn ledger(node: &Node, id: u32) -> Group<Ledger> {
    node.group(id, Start::Alone, Ledger::recover).await.expect("the group opens")
}

fn found(n_groups: u32) -> Origin {
    Origin::Found { n_groups }
}

/// Waits until `done` says so; the condition, not the time, is what is tested.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let patience = Duration::from_secs(20);
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(patience, wait).await.unwrap_or_else(|_| panic!("waited for {what}"));
}
