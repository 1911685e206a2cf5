//! What one tenant may send and ask, under the key names of Loki's `limits_config`.
//!
//! In: YAML or JSON with any subset of the keys. Out: [`Limits`], every key with a value. Sizes are
//! written as `256KB` (binary multiples) or as plain bytes, durations as `1w2d` or `0`. Where a
//! default is not Loki's, its doc line says why.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::blocked::BlockedQuery;
use super::generic::GenericFields;
use super::otlp::{INDEX_LABELS, OtlpConfig};
use super::policy::{PolicyLimits, PolicyMapping};
use super::{TimeRange, Timestamp};

/// Limits on the pushes and queries of one tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Mean bytes a tenant may push in a second, in MiB. 0, the default, is no limit: unlike Loki,
    /// whose 4 MiB/s surprises everybody, a store should take what its disks can take.
    pub ingestion_rate_mb: f64,
    /// Bytes a tenant may push at once on top of the mean rate, in MiB; also the largest push.
    pub ingestion_burst_size_mb: f64,
    /// Mean bytes of lines and metadata that one stream may get in a second. 0, the default, is no
    /// limit: unlike in Loki, a stream that is pushed fast is no trouble to anybody.
    pub per_stream_rate_limit: ByteSize,
    /// Bytes that one stream may get at once on top of the mean rate.
    pub per_stream_rate_limit_burst: ByteSize,
    /// Move an entry on by a nanosecond where the one before it in its push has the same time and
    /// another line, for tools that sort by time alone.
    pub increment_duplicate_timestamp: bool,
    /// Most bytes of a push once decompressed. 64 MiB, where Loki has 5000 MB: agents send 1 to
    /// 10 MiB, and a push takes up to three times this size in memory until it is committed.
    pub max_decompressed_size: ByteSize,
    /// Longest line, in bytes.
    pub max_line_size: ByteSize,
    /// Cut longer lines instead of refusing them.
    pub max_line_size_truncate: bool,
    /// What a cut line ends with; it counts as part of the line.
    pub max_line_size_truncate_identifier: String,
    /// Most labels of a stream, `service_name` not counted.
    pub max_label_names_per_series: usize,
    /// Longest label name, in bytes.
    pub max_label_name_length: usize,
    /// Longest label value, in bytes.
    pub max_label_value_length: usize,
    /// Refuse entries older than `reject_old_samples_max_age`. Off by default, unlike in Loki:
    /// any age is welcome here, because late entries cost no more than others.
    pub reject_old_samples: bool,
    /// How old an entry may be where `reject_old_samples` is on.
    pub reject_old_samples_max_age: Span,
    /// How far ahead of the server's clock an entry may be.
    pub creation_grace_period: Span,
    /// Whether entries may carry structured metadata.
    pub allow_structured_metadata: bool,
    /// Most bytes of names and values of one entry's structured metadata.
    pub max_structured_metadata_size: ByteSize,
    /// Most pairs of one entry's structured metadata.
    pub max_structured_metadata_entries_count: usize,
    /// Most active streams of a tenant; known ones always go on. 0 is no limit.
    pub max_global_streams_per_user: usize,
    /// The same, of one node. 0 is no limit.
    pub max_streams_per_user: usize,
    /// Labels that every stream must have.
    pub enforced_labels: Vec<String>,
    /// Until when all pushes of the tenant are refused.
    pub block_ingestion_until: Option<Moment>,
    /// What they are answered; 200 takes them in silence and stores nothing.
    pub block_ingestion_status_code: u16,
    /// Until when pushes into the streams of a policy are refused, with that status, too; `*` is for
    /// policies that are not named here, and for streams without one.
    pub block_ingestion_policy_until: BTreeMap<String, Moment>,
    /// Which streams are under which policy. A push says otherwise with `X-Loki-Ingestion-Policy`.
    pub policy_stream_mapping: PolicyMapping,
    /// Labels that streams of a policy must have beside `enforced_labels`; `*` is for all.
    pub policy_enforced_labels: BTreeMap<String, Vec<String>>,
    /// Limits that streams of a policy have instead of those of the tenant.
    pub policy_override_limits: BTreeMap<String, PolicyLimits>,
    /// Labels whose value becomes `service_name` where that is missing, in order of preference.
    /// Empty turns the discovery off.
    pub discover_service_name: Vec<String>,
    /// Whether each entry gets `detected_level`.
    pub discover_log_levels: bool,
    /// Names of labels, metadata and fields of lines that declare a level, best first. Fields of logfmt
    /// are compared without case.
    pub log_level_fields: Vec<String>,
    /// How deep in a JSON line a level is looked for; 0 is without bound.
    pub log_level_from_json_max_depth: usize,
    /// Fields that are copied into the structured metadata of entries.
    pub discover_generic_fields: GenericFields,
    /// Resource attributes of OpenTelemetry logs that name a stream by default. Loki has this key
    /// under `distributor.otlp_config`, where it is read from, too.
    pub default_resource_attributes_as_index_labels: Vec<String>,
    /// What becomes of the attributes of OpenTelemetry logs.
    pub otlp_config: OtlpConfig,
    /// Most entries that a log query may ask for; 0 is no limit.
    pub max_entries_limit_per_query: u32,
    /// Most series that a metric query may come to, on the way and in its answer.
    pub max_query_series: usize,
    /// Longest time range of a query. 0, the default, is no limit: unlike in Loki, a long range
    /// costs no more than what it matches, and people bring old logs.
    pub max_query_length: Span,
    /// Longest window of a range aggregation: the `[5m]`. 0 is no limit.
    pub max_query_range: Span,
    /// How far back queries look; what is older is as if it were not there. 0 is no limit.
    pub max_query_lookback: Span,
    /// How long a query may take. 0 is no limit.
    pub query_timeout: Span,
    /// Pieces of one query that are worked on at once, where the node has as many cores. 0 refuses
    /// all queries.
    pub max_query_parallelism: usize,
    /// Most bytes of lines that the streams of a query may hold in its range. 0 is no limit.
    pub max_query_bytes_read: ByteSize,
    /// Most streams that a query may read. 0, the default, is no limit: unlike in Loki, streams
    /// share chunks, and many of them cost no more reads than few.
    pub cardinality_limit: u64,
    /// Most chunks that a query may read. 0 is no limit.
    pub max_chunks_per_query: u64,
    /// Most matchers of one selector. 0 is no limit.
    pub max_streams_matchers_per_query: usize,
    /// Labels that every selector must name.
    pub required_labels: Vec<String>,
    /// How many labels every selector must name.
    pub minimum_labels_number: usize,
    /// Queries that are refused.
    pub blocked_queries: Vec<BlockedQuery>,
    /// Tails that may run at once; 0 is no limit.
    pub max_concurrent_tail_requests: usize,
    /// Whether the volume endpoints answer.
    pub volume_enabled: bool,
    /// Most rows of a volume answer.
    pub volume_max_series: usize,
}

impl Limits {
    /// These limits with some keys over them; or which key is wrong, and why.
    pub fn with(
        &self,
        keys: &BTreeMap<String, serde_json::Value>,
    ) -> Result<Limits, serde_json::Error> {
        let own = serde_json::to_value(self)?;
        let with = |keys: &mut dyn Iterator<Item = (&String, &serde_json::Value)>| {
            let mut all = own.clone();
            if let Some(all) = all.as_object_mut() {
                all.extend(keys.map(|(key, value)| (key.clone(), value.clone())));
            }
            serde_json::from_value(all)
        };
        with(&mut keys.iter()).map_err(|error| {
            // serde does not say which key it was.
            let wrong = keys.iter().find(|pair| with(&mut std::iter::once(*pair)).is_err());
            match wrong {
                Some((key, _)) if !error.to_string().contains(&format!("`{key}`")) => {
                    serde::de::Error::custom(format!("{key}: {error}"))
                }
                _ => error,
            }
        })
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            ingestion_rate_mb: 0.0,
            ingestion_burst_size_mb: 6.0,
            per_stream_rate_limit: ByteSize(0),
            per_stream_rate_limit_burst: ByteSize(15 << 20),
            increment_duplicate_timestamp: false,
            max_decompressed_size: ByteSize(64 << 20),
            max_line_size: ByteSize(256 << 10),
            max_line_size_truncate: false,
            max_line_size_truncate_identifier: String::new(),
            max_label_names_per_series: 15,
            max_label_name_length: 1024,
            max_label_value_length: 2048,
            reject_old_samples: false,
            reject_old_samples_max_age: Span(Duration::from_secs(7 * 86_400)),
            creation_grace_period: Span(Duration::from_secs(600)),
            allow_structured_metadata: true,
            max_structured_metadata_size: ByteSize(64 << 10),
            max_structured_metadata_entries_count: 128,
            max_global_streams_per_user: 5000,
            max_streams_per_user: 0,
            enforced_labels: Vec::new(),
            block_ingestion_until: None,
            block_ingestion_status_code: 260,
            block_ingestion_policy_until: BTreeMap::new(),
            policy_stream_mapping: PolicyMapping::default(),
            policy_enforced_labels: BTreeMap::new(),
            policy_override_limits: BTreeMap::new(),
            discover_service_name: SERVICE_NAMES.map(String::from).to_vec(),
            discover_log_levels: true,
            log_level_fields: LEVEL_FIELDS.map(String::from).to_vec(),
            log_level_from_json_max_depth: 2,
            discover_generic_fields: GenericFields::default(),
            default_resource_attributes_as_index_labels: INDEX_LABELS.map(String::from).to_vec(),
            otlp_config: OtlpConfig::default(),
            max_entries_limit_per_query: 5000,
            max_query_series: 500,
            max_query_length: Span(Duration::ZERO),
            max_query_range: Span(Duration::ZERO),
            max_query_lookback: Span(Duration::ZERO),
            query_timeout: Span(Duration::from_secs(60)),
            max_query_parallelism: 32,
            max_query_bytes_read: ByteSize(0),
            cardinality_limit: 0,
            max_chunks_per_query: 2_000_000,
            max_streams_matchers_per_query: 1000,
            required_labels: Vec::new(),
            minimum_labels_number: 0,
            blocked_queries: Vec::new(),
            max_concurrent_tail_requests: 10,
            volume_enabled: true,
            volume_max_series: 1000,
        }
    }
}

impl Limits {
    /// What a read of two tenants may do: what both may. Of numbers the smaller, where 0 is no limit.
    pub fn and_for_reads(&self, other: &Limits) -> Limits {
        fn least<T: Copy + Ord>(a: T, b: T, none: T) -> T {
            if a == none || b == none { a.max(b) } else { a.min(b) }
        }
        let (a, b) = (self, other);
        let span = |a: Span, b: Span| least(a, b, Span(Duration::ZERO));
        let both = |a: &[String], b: &[String]| {
            let more = b.iter().filter(|name| !a.contains(name));
            a.iter().chain(more).cloned().collect()
        };
        Limits {
            max_entries_limit_per_query: least(
                a.max_entries_limit_per_query,
                b.max_entries_limit_per_query,
                0,
            ),
            max_query_series: a.max_query_series.min(b.max_query_series),
            max_query_length: span(a.max_query_length, b.max_query_length),
            max_query_range: span(a.max_query_range, b.max_query_range),
            max_query_lookback: span(a.max_query_lookback, b.max_query_lookback),
            query_timeout: span(a.query_timeout, b.query_timeout),
            // Here 0 is no query at all.
            max_query_parallelism: a.max_query_parallelism.min(b.max_query_parallelism),
            max_query_bytes_read: least(
                a.max_query_bytes_read,
                b.max_query_bytes_read,
                ByteSize(0),
            ),
            cardinality_limit: least(a.cardinality_limit, b.cardinality_limit, 0),
            max_chunks_per_query: least(a.max_chunks_per_query, b.max_chunks_per_query, 0),
            max_streams_matchers_per_query: least(
                a.max_streams_matchers_per_query,
                b.max_streams_matchers_per_query,
                0,
            ),
            required_labels: both(&a.required_labels, &b.required_labels),
            minimum_labels_number: a.minimum_labels_number.max(b.minimum_labels_number),
            blocked_queries: [&a.blocked_queries[..], &b.blocked_queries].concat(),
            volume_enabled: a.volume_enabled && b.volume_enabled,
            volume_max_series: a.volume_max_series.min(b.volume_max_series),
            ..self.clone()
        }
    }

    /// Most active streams that a node takes of the tenant; 0 is no limit.
    pub fn streams_max(&self) -> usize {
        let limits = [self.max_global_streams_per_user, self.max_streams_per_user];
        limits.into_iter().filter(|limit| *limit > 0).min().unwrap_or(0)
    }

    /// Whether a log query may ask for this many entries; why not, in Loki's words.
    pub fn check_entries(&self, limit: u32) -> Result<(), String> {
        let most = self.max_entries_limit_per_query;
        if most == 0 || limit <= most {
            return Ok(());
        }
        Err(format!(
            "max entries limit per query exceeded, \
             limit > max_entries_limit_per_query ({limit} > {most})"
        ))
    }

    /// Whether an aggregation may have this window; why not, in Loki's words.
    pub fn check_window(&self, window: Duration) -> Result<(), String> {
        let Span(most) = self.max_query_range;
        if most.is_zero() || window <= most {
            return Ok(());
        }
        let (window, most) = (Span(window), self.max_query_range);
        Err(format!("[interval] value exceeds limit: [{window}] > [{most}]"))
    }

    /// Whether the streams of a query may hold this many bytes; why not, in Loki's words.
    pub fn check_bytes_read(&self, bytes: u64) -> Result<(), String> {
        let ByteSize(most) = self.max_query_bytes_read;
        if most == 0 || bytes <= most {
            return Ok(());
        }
        Err(format!(
            "the query would read too many bytes (query: {}, limit: {}); consider adding more \
             specific stream selectors or reduce the time range of the query",
            rounded(bytes),
            rounded(most)
        ))
    }

    /// The part of a range that the tenant may see now; `None` where all of it is too far back.
    pub fn visible(&self, range: &TimeRange, now: Timestamp) -> Option<TimeRange> {
        let Span(most) = self.max_query_lookback;
        if most.is_zero() {
            return Some(range.clone());
        }
        let oldest = now.before(most);
        (range.end >= oldest).then(|| range.start.max(oldest)..range.end)
    }

    /// Whether a query may span this range; why not, in Loki's words.
    pub fn check_query_length(&self, range: &TimeRange) -> Result<(), String> {
        let Span(most) = self.max_query_length;
        let length = range.end.since(range.start);
        if most.is_zero() || length <= most {
            return Ok(());
        }
        let seconds = length.as_secs();
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        Err(format!(
            "the query time range exceeds the limit \
             (query length: {hours}h{minutes}m{}s, limit: {})",
            seconds % 60,
            self.max_query_length,
        ))
    }
}

/// A number of bytes for people: two digits at least, in the largest unit that keeps it above one.
fn rounded(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let at = (bytes.max(1).ilog2() / 10) as usize;
    #[expect(clippy::cast_precision_loss, reason = "it is rounded to tenths anyway")]
    let value = bytes as f64 / (1_u64 << (10 * at)) as f64;
    let digits = usize::from(at > 0 && value < 9.95);
    format!("{value:.digits$} {}", UNITS[at])
}

/// The default of `discover_service_name`.
const SERVICE_NAMES: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// The default of `log_level_fields`.
const LEVEL_FIELDS: [&str; 14] = [
    "level",
    "LEVEL",
    "Level",
    "log.level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
];

/// A number of bytes, written `256KB` or `262144`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct ByteSize(pub u64);

/// A length of time, written `1w2d`, `10m`, `500ms` or `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Span(pub Duration);

/// A point in time, written as in RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(pub Timestamp);

impl TryFrom<String> for Moment {
    type Error = Error;

    fn try_from(text: String) -> Result<Moment, Error> {
        let time = chrono::DateTime::parse_from_rfc3339(&text);
        let time = time.map_err(|_| Error::Moment(text))?;
        // "For ever" is written as a year that nanoseconds do not reach.
        let end = if time.timestamp() < 0 { i64::MIN } else { i64::MAX };
        Ok(Moment(Timestamp(time.timestamp_nanos_opt().unwrap_or(end))))
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> String {
        moment.0.to_string()
    }
}

/// A value that is not what its key wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a [`ByteSize`].
    #[error("not a size in bytes: '{0}' (write 256KB, 1MB or a whole number)")]
    Size(String),
    /// Not a [`Moment`].
    #[error("not a point in time: '{0}' (write 2026-11-20T00:00:00Z)")]
    Moment(String),
    /// Not a [`Span`].
    #[error("not a valid duration string: '{0}' (write 10m, 1h30m or 7d)")]
    Duration(String),
}

/// How both kinds appear in YAML, and what stands there by mistake.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
    Flag(bool),
    Real(f64),
    Nothing(()),
    Parts(serde::de::IgnoredAny),
}

impl Written {
    /// As a complaint says it.
    fn told(self) -> String {
        match self {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
            Written::Flag(flag) => flag.to_string(),
            Written::Real(number) => number.to_string(),
            Written::Nothing(()) => "nothing".into(),
            Written::Parts(_) => "a list or keys".into(),
        }
    }
}

impl ByteSize {
    /// As a length in memory; sizes beyond the address space saturate.
    pub fn len(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// Whether it is nothing.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Largest first, so that a value is written with the largest unit that divides it.
const SIZE_UNITS: [(&str, u64); 5] =
    [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1)];

impl FromStr for ByteSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<ByteSize, Error> {
        let bad = || Error::Size(text.into());
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..end].parse().map_err(|_| bad())?;
        let unit = text[end..].trim().to_ascii_uppercase().replace("IB", "B");
        let factor = match unit.as_str() {
            "" => 1,
            unit => SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?.1,
        };
        number.checked_mul(factor).map(ByteSize).ok_or_else(bad)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = SIZE_UNITS
            .into_iter()
            .find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor))
            .unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

/// Largest first: the order in which they must be written. A year is 365 days.
const TIME_UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Span, Error> {
        let bad = || Error::Duration(text.into());
        if text == "0" {
            return Ok(Span(Duration::ZERO));
        }
        let (mut rest, mut units, mut millis) = (text, &TIME_UNITS[..], 0_u64);
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
            let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
            rest = &rest[digits..];
            let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let at = units.iter().position(|(name, _)| *name == &rest[..end]).ok_or_else(bad)?;
            let part = number.checked_mul(units[at].1).ok_or_else(bad)?;
            millis = millis.checked_add(part).ok_or_else(bad)?;
            (rest, units) = (&rest[end..], &units[at + 1..]);
        }
        if text.is_empty() { Err(bad()) } else { Ok(Span(Duration::from_millis(millis))) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in TIME_UNITS {
            // Years and weeks only where nothing is left over: 30d1h reads better than 4w2d1h.
            let is_odd = matches!(unit, "y" | "w") && millis % factor != 0;
            if millis >= factor && !is_odd {
                write!(f, "{}{unit}", millis / factor)?;
                millis %= factor;
            }
        }
        Ok(())
    }
}

impl TryFrom<Written> for ByteSize {
    type Error = Error;

    fn try_from(written: Written) -> Result<ByteSize, Error> {
        match written {
            Written::Number(bytes) => Ok(ByteSize(bytes)),
            Written::Text(text) => text.parse(),
            other => Err(Error::Size(other.told())),
        }
    }
}

impl TryFrom<Written> for Span {
    type Error = Error;

    fn try_from(written: Written) -> Result<Span, Error> {
        match written {
            // A bare number has no unit, except that nothing is nothing in every unit.
            Written::Number(0) => Ok(Span(Duration::ZERO)),
            Written::Text(text) => text.parse(),
            other => Err(Error::Duration(other.told())),
        }
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> String {
        size.to_string()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(text.parse::<ByteSize>().ok(), expected.map(ByteSize), "{text}");
        };
        check("262144", Some(262_144));
        check("256KB", Some(262_144));
        check("256kb", Some(262_144));
        check("1 MiB", Some(1 << 20));
        check("3GB", Some(3 << 30));
        check("0", Some(0));
        check("", None);
        check("KB", None);
        check("1.5MB", None);
        check("-1", None);
        check("1XB", None);
        check("99999999999TB", None);
    }

    #[test]
    fn durations() {
        let check = |text: &str, expected: Option<u64>| {
            let expected = expected.map(|seconds| Span(Duration::from_secs(seconds)));
            assert_eq!(text.parse::<Span>().ok(), expected, "{text}");
        };
        check("0", Some(0));
        check("0s", Some(0));
        check("10m", Some(600));
        check("1h30m", Some(5400));
        check("1y2w3d4h", Some((365 + 14 + 3) * 86_400 + 4 * 3600));
        check("2000ms", Some(2));
        check("", None);
        check("10", None);
        check("m", None);
        check("30m1h", None);
        check("1h1h", None);
        check("1.5h", None);
        check("-1h", None);
        check("99999999999y", None);
    }

    #[test]
    fn moments() {
        let read = |text: &str| Moment::try_from(text.to_owned());
        let moment = read("2026-11-20T01:00:00+01:00").expect("a time");
        assert_eq!(moment, Moment(Timestamp::from_secs(1_795_132_800)));
        assert_eq!(read(&String::from(moment)), Ok(moment));
        assert_eq!(read("2999-01-01T00:00:00Z"), Ok(Moment(Timestamp::MAX)));
        assert_eq!(read(&String::from(Moment(Timestamp::MAX))), Ok(Moment(Timestamp::MAX)));
        assert!(read("tomorrow").is_err());
    }

    #[test]
    fn sizes_for_people() {
        let check = |bytes: u64, expected: &str| assert_eq!(rounded(bytes), expected);
        check(0, "0 B");
        check(9, "9 B");
        check(1023, "1023 B");
        check(1024, "1.0 KiB");
        check(1536, "1.5 KiB");
        check(10 << 20, "10 MiB");
        check(u64::MAX, "16 EiB");
    }

    #[test]
    fn how_far_back_one_sees() {
        let limits =
            Limits { max_query_lookback: Span(Duration::from_secs(100)), ..Limits::default() };
        let check = |range: std::ops::Range<i64>, expected: Option<std::ops::Range<i64>>| {
            let times = |range: std::ops::Range<i64>| {
                Timestamp::from_secs(range.start)..Timestamp::from_secs(range.end)
            };
            let visible = limits.visible(&times(range), Timestamp::from_secs(1000));
            assert_eq!(visible, expected.map(times));
        };
        check(950..1000, Some(950..1000));
        check(0..1000, Some(900..1000));
        check(0..900, Some(900..900));
        check(0..899, None);
        let all = Timestamp(0)..Timestamp(1);
        assert_eq!(Limits::default().visible(&all, Timestamp::from_secs(1000)), Some(all));
    }

    #[test]
    fn written_and_read_back() {
        let limits = Limits::default();
        let text = serde_json::to_string(&limits).expect("limits have no map with odd keys");
        assert!(text.contains(r#""max_line_size":"256KB""#), "{text}");
        assert!(text.contains(r#""reject_old_samples_max_age":"1w""#), "{text}");
        assert_eq!(serde_json::from_str::<Limits>(&text).expect("what was written"), limits);
    }

    #[test]
    fn a_part_of_the_keys_is_enough_and_an_unknown_key_is_an_error() {
        let text =
            r#"{"max_line_size": 1024, "creation_grace_period": "1h", "ingestion_rate_mb": 4}"#;
        let limits: Limits = serde_json::from_str(text).expect("known keys");
        assert_eq!(limits.max_line_size, ByteSize(1024));
        assert_eq!(limits.creation_grace_period, Span(Duration::from_secs(3600)));
        assert!((limits.ingestion_rate_mb - 4.0).abs() < f64::EPSILON);
        assert_eq!(limits.max_label_names_per_series, 15);
        assert!(serde_json::from_str::<Limits>(r#"{"max_line_sise": 1}"#).is_err());
    }
}
