//! The runtime file: limits of single tenants, read again and again while the node runs.
//!
//! In: the files of `runtime_config`, merged in their order. Out: [`Overrides`], through a watch.
//!
//! - Only the keys of a tenant are its own; the rest comes from `limits_config`.
//! - A file is taken whole or not at all: where anything in it is wrong, what was in force stays,
//!   and `drave_config_reload_successful` is 0.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use serde::{Deserialize, Serialize};
use serde_norway::Value;
use tokio::sync::watch;
use tracing::{info, warn};

use super::{Error, expand, is_unused_limit, wrong::explain};
use crate::cluster::meta::{OwnLimits, State};
use crate::model::Tenant;
use crate::model::limits::{Limits, Span};
use crate::model::overrides::Overrides;
use crate::telemetry::Metrics;

/// `runtime_config:`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeConfig {
    /// Paths, separated by commas; keys of later files win. Empty: there are no overrides.
    pub file: String,
    /// How often they are read again.
    pub period: Span,
}

impl Default for RuntimeConfig {
    fn default() -> RuntimeConfig {
        // Loki's own period: soon enough for whoever waits for a limit to be raised.
        RuntimeConfig { file: String::new(), period: Span(Duration::from_secs(10)) }
    }
}

/// The keys of one tenant.
type Keys = BTreeMap<String, Value>;

impl RuntimeConfig {
    fn paths(&self) -> Vec<PathBuf> {
        let paths = self.file.split(',').map(str::trim).filter(|path| !path.is_empty());
        paths.map(PathBuf::from).collect()
    }

    /// Reads all files. Also answers the names of keys that are accepted but unused.
    pub fn read(&self, everybody: &Limits) -> Result<(Overrides, Vec<String>), Error> {
        let texts = self.texts()?;
        merged(&texts, everybody).map_err(|(path, reason)| Error::Parse { path, reason })
    }

    /// The names of the files and what is in them.
    fn texts(&self) -> Result<Vec<(String, String)>, Error> {
        let texts = self.paths().into_iter().map(|path| {
            let name = path.display().to_string();
            match std::fs::read_to_string(&path) {
                Ok(text) => Ok((name, text)),
                Err(error) => Err(Error::Read { path: name, reason: error.to_string() }),
            }
        });
        texts.collect()
    }
}

/// What several files say together, or which of them is wrong and why.
pub(super) fn merged(
    texts: &[(String, String)],
    everybody: &Limits,
) -> Result<(Overrides, Vec<String>), (String, String)> {
    let mut keys: BTreeMap<String, Keys> = BTreeMap::new();
    let mut tenants = HashMap::new();
    let mut unused = Vec::new();
    for (path, text) in texts {
        let wrong = |reason: String| (path.clone(), reason);
        let of_file = overrides(text, &mut unused).map_err(wrong)?;
        for (tenant, own) in of_file {
            let all = keys.entry(tenant.clone()).or_default();
            all.extend(own);
            // Checked file by file, so that the complaint names the right one.
            let limits = limits(everybody, all).map_err(|_| {
                let check = |keys| {
                    let keys = serde_norway::from_value(keys).ok()?;
                    limits(everybody, &keys).err()
                };
                wrong(explain(text, &["overrides", &tenant], &keys_of(all), &check))
            })?;
            let tenant = Tenant::parse(&tenant).map_err(|error| wrong(error.to_string()))?;
            tenants.insert(tenant, limits);
        }
    }
    unused.sort();
    unused.dedup();
    Ok((Overrides::new(everybody.clone(), tenants), unused))
}

/// The overrides of one file, by tenant.
fn overrides(text: &str, unused: &mut Vec<String>) -> Result<Vec<(String, Keys)>, String> {
    let text = expand(text, |name| std::env::var(name).ok())?;
    let file: Value = serde_norway::from_str(&text).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for (block, value) in mapping(file)? {
        match block.as_str() {
            "overrides" => {
                for (tenant, own) in mapping(value)? {
                    let own = mapping(own).map_err(|why| format!("overrides.{tenant}: {why}"))?;
                    let (idle, own): (Keys, Keys) =
                        own.into_iter().partition(|(key, _)| is_unused_limit(key));
                    unused.extend(idle.into_keys().map(|key| format!("overrides.{key}")));
                    found.push((tenant, own));
                }
            }
            // Switches of what Loki logs, and of where it keeps its rings.
            "configs" | "multi_kv_config" => unused.push(block),
            other => return Err(format!("unknown key '{other}': write overrides or configs")),
        }
    }
    Ok(found)
}

/// A mapping with names; nothing is an empty one.
fn mapping(value: Value) -> Result<Vec<(String, Value)>, String> {
    let mapping = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Mapping(mapping) => mapping,
        _ => return Err("expected keys and values".into()),
    };
    let name = |key: Value| match key {
        Value::String(text) => Ok(text),
        // A tenant may be called 29.
        Value::Number(number) => Ok(number.to_string()),
        _ => Err("a key must be a text".to_string()),
    };
    mapping.into_iter().map(|(key, value)| Ok((name(key)?, value))).collect()
}

/// Everybody's limits with a tenant's keys over them.
fn limits(everybody: &Limits, keys: &Keys) -> Result<Limits, String> {
    let mut all = serde_norway::to_value(everybody).map_err(|error| error.to_string())?;
    let mapping = all.as_mapping_mut().expect("limits have names");
    for (key, value) in keys {
        mapping.insert(Value::String(key.clone()), value.clone());
    }
    serde_norway::from_value(all).map_err(|error| error.to_string())
}

fn keys_of(keys: &Keys) -> Value {
    let pairs = keys.iter().map(|(key, value)| (Value::String(key.clone()), value.clone()));
    Value::Mapping(pairs.collect())
}

/// Reads the files again and again until `stop` says true, lays over them what the cluster says of
/// its tenants, and tells `out` what changed.
pub async fn follow(
    runtime: RuntimeConfig,
    everybody: Limits,
    mut cluster: watch::Receiver<State>,
    out: watch::Sender<Arc<Overrides>>,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) {
    let successful = metrics.register(|registry| {
        let gauge = Gauge::<i64>::default();
        let help = "Whether the last reading of the runtime file was taken";
        registry.register("drave_config_reload_successful", help, gauge.clone());
        gauge
    });
    successful.set(1);
    let mut known = runtime.texts().ok();
    let period = runtime.period.0.max(Duration::from_millis(100));
    let mut looks = tokio::time::interval(period);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut files = Arc::clone(&out.borrow());
    let mut own = BTreeMap::new();
    loop {
        let now = cluster.borrow_and_update().limits.clone();
        if now != own {
            own = now;
            show(&files, &own, &out);
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            Ok(()) = cluster.changed() => continue,
            _ = looks.tick() => {}
        }
        // Files of a few kilobytes from a local disk: not worth a thread.
        let read = runtime.texts();
        if known.is_some() && read.as_ref().ok() == known.as_ref() {
            continue;
        }
        let taken = read.and_then(|texts| {
            let taken = merged(&texts, &everybody);
            known = Some(texts);
            taken.map_err(|(path, reason)| Error::Parse { path, reason })
        });
        match taken {
            Ok((overrides, unused)) => {
                files = Arc::new(overrides);
                show(&files, &own, &out);
                successful.set(1);
                info!(unused = unused.join(", "), "took the runtime file");
            }
            Err(error) => {
                // Said once: the next reading is of the same text, or of another.
                if successful.set(0) == 1 {
                    warn!(%error, "kept the limits: the runtime file cannot be used");
                }
            }
        }
    }
}

/// Lays the cluster's limits over those of the files.
fn show(files: &Overrides, own: &BTreeMap<String, OwnLimits>, out: &watch::Sender<Arc<Overrides>>) {
    let (overrides, wrong) = files.with(own);
    if !wrong.is_empty() {
        // Whoever set them had them checked by a node: one of another version.
        warn!(wrong = wrong.join("; "), "limits that the cluster says cannot be used here");
    }
    out.send_replace(Arc::new(overrides));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Result<(Overrides, Vec<String>), (String, String)> {
        let everybody = Limits { max_query_series: 7, ..Limits::default() };
        let name = |(at, text): (usize, &&str)| (at.to_string(), (*text).to_string());
        let texts: Vec<_> = texts.iter().enumerate().map(name).collect();
        merged(&texts, &everybody)
    }

    #[test]
    fn only_the_keys_that_are_there_are_the_tenants_own() {
        let (overrides, unused) = read(&[
            "overrides:\n  a: {query_timeout: 5s, retention_period: 30d}\n  29: {}\n  b:\n",
            "configs:\n  a: {log_push_request: true}\noverrides:\n  a: {max_line_size: 1KB}\n",
            "",
        ])
        .expect("good files");
        let of = |tenant: &str| overrides.of(&Tenant::parse(tenant).expect("a name"));
        assert_eq!(of("a").query_timeout, Span(Duration::from_secs(5)));
        assert_eq!(of("a").max_line_size.0, 1024);
        assert_eq!(of("a").max_query_series, 7, "everybody's");
        assert_eq!(of("b").query_timeout, Span(Duration::from_secs(60)));
        assert_eq!(of("zzz").max_query_series, 7);
        assert_eq!(unused, ["configs", "overrides.retention_period"]);
    }

    #[test]
    fn what_is_wrong_says_where() {
        let check = |texts: &[&str], file: &str, expected: &str| {
            let (path, reason) = read(texts).expect_err("a bad file");
            assert_eq!(path, file);
            assert!(reason.contains(expected), "{reason}");
        };
        check(&["overrides: {a: {query_timeot: 5s}}"], "0", "did you mean 'query_timeout'?");
        check(&["", "overrides: {a: {query_timeout: 5}}"], "1", "overrides.a.query_timeout: ");
        check(&["limits: {}"], "0", "unknown key 'limits'");
        check(&["overrides: {a/b: {}}"], "0", "unsupported character");
        check(&["overrides: [a]"], "0", "expected keys and values");
        check(&["overrides: {a: {blocked_queries: [{pattern: '(', regex: true}]}}"], "0", "regexp");
    }
}
