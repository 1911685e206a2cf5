//! Checks what everything else leans on: which module may import which, and which are pure.
//!
//! Each rule is a small function from a path and a text to complaints; `tidy` runs them over the
//! tree, `rules_bite` shows each one rejecting something.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules of `src/` from the ground up. A module imports only from lower floors; siblings never.
const FLOORS: &[(&str, u32)] = &[
    ("model", 0),
    ("pool", 0),
    ("task", 0),
    ("telemetry", 1),
    ("chunk", 1),
    ("logql", 1),
    ("shard", 1),
    ("cluster", 2),
    ("objects", 2),
    ("ingest", 3),
    ("lifecycle", 3),
    ("scan", 3),
    ("query", 4),
    ("http", 5),
    ("cli", 5),
    ("config", 6),
    ("server", 7),
];

/// Floors 0 and 1 are values in, values out; these are where threads, tasks and the clock come in.
const PURE_FLOOR_MAX: u32 = 1;
const IMPURE_BY_DESIGN: &[&str] = &["telemetry", "pool", "task"];
const IMPURE: &[&str] = &[
    "async fn",
    ".await;",
    ".await?",
    ".await)",
    ".await.",
    "tokio::",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
];

/// The crates below know nothing of the tree above, and little of each other.
const CRATES: &[(&str, &[&str])] = &[
    ("raft", &["drave_sql", "drave::", "arrow", "datafusion", "logql"]),
    ("sql", &["drave_raft", "drave_proto", "drave::", "openraft", "redb", "logql"]),
    ("proto", &["drave_raft", "drave_sql", "drave::"]),
    ("jepsen", &["drave_raft", "drave_sql", "drave::"]),
];

const VAGUE_NAMES: &[&str] = &["util", "utils", "common", "helpers", "misc", "manager", "base"];

#[test]
fn tidy() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut complaints = Vec::new();
    for folder in ["src", "raft", "sql", "proto", "jepsen", "tests", "benches"] {
        for path in rust_files(&root.join(folder)) {
            let text = fs::read_to_string(&path).expect("a readable file");
            let relative = path.strip_prefix(&root).expect("below the root");
            complaints.extend(check(relative, &text));
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn check(path: &Path, text: &str) -> Vec<String> {
    let rules: [fn(&Path, &str) -> Vec<String>; 5] =
        [floors, purity, crates, module_doc, vague_name];
    let complaints = rules.iter().flat_map(|rule| rule(path, text));
    complaints.map(|complaint| format!("{}: {complaint}", path.display())).collect()
}

fn floors(path: &Path, text: &str) -> Vec<String> {
    let Some((module, floor)) = module_of(path) else { return Vec::new() };
    let mut complaints = Vec::new();
    for line in code_lines(text) {
        for rest in line.split("crate::").skip(1) {
            let name = |c: &char| c.is_alphanumeric() || *c == '_';
            let target: String = rest.chars().take_while(name).collect();
            let Some(target_floor) = floor_of(&target) else { continue };
            if target != module && target_floor >= floor {
                complaints.push(format!(
                    "`{module}` (floor {floor}) imports `{target}` (floor {target_floor})"
                ));
            }
        }
    }
    complaints
}

fn purity(path: &Path, text: &str) -> Vec<String> {
    let Some((module, floor)) = module_of(path) else { return Vec::new() };
    if floor > PURE_FLOOR_MAX || IMPURE_BY_DESIGN.contains(&module) {
        return Vec::new();
    }
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let is_test = path.file_stem().is_some_and(|stem| stem == "tests")
        || path.iter().any(|part| part == "tests");
    let found = IMPURE
        .iter()
        .filter(|impure| !is_test && code_lines(code).any(|line| line.contains(**impure)));
    found.map(|impure| format!("`{impure}` in pure module `{module}`")).collect()
}

fn crates(path: &Path, text: &str) -> Vec<String> {
    let first = path.iter().next().and_then(|part| part.to_str()).unwrap_or_default();
    let Some((name, foreign)) = CRATES.iter().find(|(name, _)| *name == first) else {
        return Vec::new();
    };
    let uses = |word: &&&str| {
        code_lines(text).any(|line| {
            let line = line.trim_start();
            line.starts_with("use ") && line.contains(**word)
        })
    };
    let found = foreign.iter().filter(uses);
    found.map(|word| format!("crate `{name}` knows of `{word}`")).collect()
}

fn module_doc(_: &Path, text: &str) -> Vec<String> {
    if text.starts_with("//! ") { vec![] } else { vec!["no `//!` header".into()] }
}

fn vague_name(path: &Path, _: &str) -> Vec<String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    match if stem == "mod" { folder.unwrap_or_default() } else { stem } {
        name if VAGUE_NAMES.contains(&name) => vec![format!("`{name}` says nothing")],
        _ => vec![],
    }
}

fn module_of(path: &Path) -> Option<(&'static str, u32)> {
    let mut parts = path.iter().filter_map(|part| part.to_str());
    if parts.next() != Some("src") {
        return None;
    }
    let module = parts.next()?.trim_end_matches(".rs");
    FLOORS.iter().find(|(name, _)| *name == module).copied()
}

fn floor_of(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn every_module_has_a_floor() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(root).expect("a source folder") {
        let name = entry.expect("a readable entry").file_name();
        let name = name.to_str().expect("a name in UTF-8").trim_end_matches(".rs").to_string();
        let known = ["main", "lib"].contains(&name.as_str()) || floor_of(&name).is_some();
        assert!(known, "`{name}` is on no floor");
    }
}

#[test]
fn rules_bite() {
    let bites = |path: &str, text: &str, needle: &str| {
        let complaints = check(Path::new(path), text).join("\n");
        assert!(complaints.contains(needle), "{complaints:?} should mention {needle:?}");
    };
    bites("src/shard/head.rs", "//! H.\nuse crate::cluster::Cluster;\n", "imports `cluster`");
    bites("src/scan/mod.rs", "//! S.\nuse crate::ingest::push;\n", "imports `ingest`");
    bites("src/chunk/read.rs", "//! R.\nasync fn get() {}\n", "pure module");
    bites("src/http/utils.rs", "//! U.\n", "says nothing");
    bites("src/http/push.rs", "use x;\n", "header");
    bites("sql/src/scan.rs", "//! S.\nuse drave_raft::Node;\n", "knows of `drave_raft`");
    let clean = check(Path::new("src/scan/plan.rs"), "//! Plans.\nuse crate::shard::View;\n");
    assert!(clean.is_empty(), "{clean:?}");
}
