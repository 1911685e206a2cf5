//! Planted bugs: the simulation is trusted because it notices each of these.
//!
//! A mutant is a change to the text of the core, so the core itself holds no trace of them. Every
//! run checks that the texts are still there; with `DRAVE_MUTANTS=1` each mutant is built, in a
//! crate of its own under the target directory, and must fail the simulation (some minutes).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Mutant {
    name: &'static str,
    file: &'static str,
    text: &'static str,
    instead: &'static str,
}

const fn mutant(
    name: &'static str,
    file: &'static str,
    text: &'static str,
    instead: &'static str,
) -> Mutant {
    Mutant { name, file, text, instead }
}

const MUTANTS: &[Mutant] = &[
    mutant(
        "flushes heads in any order",
        "mod.rs",
        "self.view.sealed_heads.first().filter(|front| front.chunk == chunk)",
        "self.view.sealed_heads.iter().find(|front| front.chunk == chunk)",
    ),
    mutant(
        "keeps a flushed head in memory",
        "mod.rs",
        "        Arc::make_mut(&mut self.view.sealed_heads).remove(0);\n",
        "",
    ),
    mutant("does not note a flush", "mod.rs", "        self.view.flushed = chunk;\n", ""),
    mutant(
        "merges chunks that are retired",
        "mod.rs",
        "chunk.object().is_some().then_some(chunk)",
        "Some(chunk)",
    ),
    mutant("merges around a chunk that stays", "mod.rs", "if torn {", "if false {"),
    mutant(
        "leaves the inputs of a merge visible",
        "mod.rs",
        "        self.hide(at, &keys, changes);\n        changes.push",
        "        let _ = (at, keys);\n        changes.push",
    ),
    mutant(
        "retires what is not flushed",
        "mod.rs",
        "let Some(object) = chunk.object().copied() else { continue };",
        "let object = chunk.object().copied().unwrap_or(ObjectInfo {
            bytes: 0, n_entries: 0, raw_bytes: 0, n_streams: 0, hash: 0 });",
    ),
    mutant(
        "forgets what readers see",
        "mod.rs",
        "if keys.iter().filter_map(row).any(|chunk| chunk.retired_at().is_none()) {",
        "if keys.iter().filter_map(row).any(|_| false) {",
    ),
    mutant(
        "seals a head without an entry",
        "mod.rs",
        "        if self.view.head.is_empty() {\n            return Reply::Stale;\n        }\n",
        "",
    ),
    mutant(
        "writes no rows of streams",
        "mod.rs",
        "changes.push(Row::Stream(key, hours).put());",
        "let _ = (key, hours);",
    ),
    mutant("forgets what its rows know", "mod.rs", "            self.rows_at = index;\n", ""),
    mutant(
        "replays one command too few",
        "mod.rs",
        "let reply = if index <= self.rows_at {",
        "let reply = if index < self.rows_at {",
    ),
    mutant(
        "lets the WAL of sealed heads go",
        "mod.rs",
        "        self.view.flushed + 1\n",
        "        self.view.sealed + 1\n",
    ),
    mutant(
        "drops streams that go on",
        "streams.rs",
        "self.end <= hour_of(time)",
        "self.start <= hour_of(time)",
    ),
    mutant(
        "drops streams of the open head",
        "mod.rs",
        "visible.map(|chunk| chunk.min_ts).chain(head).min()",
        "{ let _ = head; visible.map(|chunk| chunk.min_ts).min() }",
    ),
    mutant(
        "shows a snapshot that is not complete",
        "mod.rs",
        "complete.then(|| self.view.clone())",
        "(complete || true).then(|| self.view.clone())",
    ),
    mutant(
        "sends no tombstones",
        "mod.rs",
        "chain(streams).chain(tombstones)",
        "chain(streams).chain(tombstones.take(0))",
    ),
    mutant(
        "sends no fence",
        "mod.rs",
        "let single = indexes.into_iter().chain(fence);",
        "let single = indexes.into_iter().chain(fence.filter(|_| false));",
    ),
    mutant(
        "merges what was planned before a fence",
        "mod.rs",
        "Command::Replace { base, .. } if base < self.view.fenced",
        "Command::Replace { base, .. } if base > self.view.fenced && false",
    ),
    mutant(
        "keeps no fence",
        "mod.rs",
        "                changes.push(Row::Fence(index).put());\n",
        "",
    ),
    mutant(
        "begins the grace at the beginning of time",
        "mod.rs",
        "ChunkState::Retired { object, at }, ..chunk.clone()",
        "ChunkState::Retired { object, at: Timestamp(at.0.min(0)) }, ..chunk.clone()",
    ),
    mutant(
        "erases without waiting",
        "plan.rs",
        "now.since(at) >= grace",
        "now.since(at) >= grace.min(Duration::ZERO)",
    ),
    mutant(
        "names a merged chunk by what is in it",
        "object.rs",
        "    for (id, content) in inputs {
        hasher.update(&id.to_le_bytes());
        hasher.update(&content.to_le_bytes());
    }
    hasher.update(&object_hash.to_le_bytes());
    hasher.update(&attempt.to_le_bytes());
",
        "    drop((inputs, attempt));\n    hasher.update(&object_hash.to_le_bytes());\n",
    ),
    mutant(
        "lets an attempt find what an earlier one left",
        "object.rs",
        "    hasher.update(&attempt.to_le_bytes());\n",
        "    let _ = attempt;\n",
    ),
    mutant(
        "loses seals when it merges",
        "manifest.rs",
        "            covers.last = covers.last.max(chunk.covers.last);\n",
        "",
    ),
    mutant(
        "loses times when it merges",
        "manifest.rs",
        "            min_ts = min_ts.min(chunk.min_ts);\n",
        "            min_ts = min_ts.max(chunk.min_ts);\n",
    ),
    mutant(
        "takes the tenants of one head into the next",
        "mod.rs",
        "std::mem::take(&mut self.tenants).into_keys()",
        "self.tenants.clone().into_keys()",
    ),
    mutant(
        "takes a number for two delete requests",
        "mod.rs",
        "Some(_) => Reply::Refused(Refusal::IdTaken),",
        "Some(_) => Reply::Done { index },",
    ),
    mutant(
        "reads chunks in the order in which they were made",
        "view.rs",
        "        chunks.sort_unstable_by_key(|chunk| chunk.covers);\n",
        "        chunks.sort_unstable_by_key(|chunk| chunk.key.id);\n",
    ),
    mutant(
        "prunes a chunk whose last entry is wanted",
        "manifest.rs",
        "range.start <= self.max_ts",
        "range.start < self.max_ts",
    ),
];

/// The core alone, since the rest of the tree takes minutes to build.
const CORE: &str = r#"
[workspace]

[package]
name = "drave"
version = "0.0.0"
edition = "2024"

[dependencies]
drave-model = { path = "model" }
bytes = "1"
crc32c = "0.6"
thiserror = "2"
xxhash-rust = { version = "0.8", features = ["xxh3"] }

[profile.dev]
debug = false
"#;

/// The nouns apart: no mutant changes them, so they are built once.
const MODEL: &str = r#"
[package]
name = "drave-model"
version = "0.0.0"
edition = "2024"

[dependencies]
bytes = "1"
chrono = { version = "0.4", default-features = false, features = ["std", "clock"] }
crc32c = "0.6"
memchr = "2"
regex = "1"
serde = { version = "1", features = ["derive"] }
serde_json = "1"
thiserror = "2"
xxhash-rust = { version = "0.8", features = ["xxh3"] }
zstd = { version = "0.13", default-features = false }
"#;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn source(mutant: &Mutant) -> String {
    read(&root().join("src/shard").join(mutant.file))
}

#[test]
fn mutants_change_what_is_there() {
    for mutant in MUTANTS {
        let found = source(mutant).matches(mutant.text).count();
        assert_eq!(found, 1, "the text of the mutant that {}", mutant.name);
    }
}

#[test]
fn mutants_are_caught() {
    if std::env::var_os("DRAVE_MUTANTS").is_none() {
        return;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mutants");
    let write = |path: &str, text: &str| {
        fs::write(folder.join(path), text).expect("a file in the target directory");
    };
    copy(&root().join("src/model"), &folder.join("model/src/model"));
    copy(&root().join("src/shard"), &folder.join("src/shard"));
    copy(&root().join("tests/shard_sim"), &folder.join("tests/shard_sim"));
    write("model/src/lib.rs", "pub mod model;\n");
    write("model/Cargo.toml", MODEL);
    write("src/lib.rs", "pub use drave_model::model;\npub mod shard;\n");
    write("Cargo.toml", CORE);
    write("Cargo.lock", &read(&root().join("Cargo.lock")));

    assert!(simulate(&folder), "the core itself passes");
    let mut survivors = Vec::new();
    for mutant in MUTANTS {
        let path = folder.join("src/shard").join(mutant.file);
        let sane = source(mutant);
        fs::write(&path, sane.replace(mutant.text, mutant.instead)).expect("a copied file");
        let survived = simulate(&folder);
        eprintln!("{}: {}", if survived { "SURVIVED" } else { "caught" }, mutant.name);
        if survived {
            survivors.push(mutant.name);
        }
        fs::write(&path, sane).expect("a copied file");
    }
    assert_eq!(survivors, [""; 0], "the simulation does not notice these");
}

/// Whether the core in a folder passes. It must build: a mutant that does not proves nothing.
fn simulate(folder: &Path) -> bool {
    let cargo = |args: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--offline", "--quiet", "--test", "shard_sim"]).args(args);
        cargo.current_dir(folder).env("CARGO_TARGET_DIR", folder.join("target"));
        cargo.env("DRAVE_SEEDS", "400").env_remove("DRAVE_SEED").env_remove("DRAVE_MUTANTS");
        cargo.output().expect("cargo runs")
    };
    let built = cargo(&["--no-run"]);
    let complaint = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{complaint}");
    let run = cargo(&["every_acknowledged_entry_is_read_exactly_once"]);
    let told = String::from_utf8_lossy(&run.stdout);
    let noticed = told.contains("reproduce with");
    assert!(run.status.success() != noticed, "it neither passed nor failed: {told}");
    !noticed
}

/// Makes `to` the same as `source`.
fn copy(source: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).expect("an old copy can be removed");
    }
    fs::create_dir_all(to).expect("a folder in the target directory");
    for entry in fs::read_dir(source).expect("a folder of the tree") {
        let entry = entry.expect("an entry of a folder").path();
        let to = to.join(entry.file_name().expect("it has a name"));
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            fs::copy(&entry, &to).expect("a file of the tree");
        }
    }
}
