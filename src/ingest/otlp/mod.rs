//! OpenTelemetry logs, as protobuf, read in place: `ExportLogsServiceRequest`.
//!
//! In: the message. Out: calls on the [`Intake`]. A resource names the stream by some of its
//! attributes; all others, those of the scope and those of the record become structured metadata.
//! `otlp_config` says otherwise where the tenant wants that: then records, too, may name a stream.
//!
//! ```text
//! Request      { 1: ResourceLogs * }
//! ResourceLogs { 1: Resource { 1: KeyValue * }, 2: ScopeLogs * }
//! ScopeLogs    { 1: Scope { 1: name, 2: version, 3: KeyValue *, 4: dropped }, 2: LogRecord * }
//! LogRecord    { 1: time, 2: severity number, 3: severity text, 5: body, 6: KeyValue *,
//!                7: dropped, 8: flags, 9: trace id, 10: span id, 11: observed time, 12: event }
//! KeyValue     { 1: key, 2: AnyValue }
//! ```

mod grouped;
pub(super) mod json;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;
use std::fmt::Write;

use super::Refused;
use super::detect::normal_name;
use super::intake::{Intake, LABELS_MAX, LabelPairs};
use super::pairs::Pairs;
use super::validate::Time;
use super::wire::{Fields, Malformed, Value};
use crate::model::Timestamp;
use crate::model::otlp::{Action, OtlpConfig};

/// Metadata that every record below a resource or scope has.
#[derive(Default)]
struct Shared {
    pairs: Vec<(String, String)>,
    /// Of those that were not kept.
    n_more: usize,
    bytes_more: usize,
}

/// One record.
#[derive(Default)]
struct Record<'m> {
    time: u64,
    observed: u64,
    severity_number: u64,
    severity_text: &'m [u8],
    body: &'m [u8],
    n_dropped: u64,
    flags: u32,
    trace_id: &'m [u8],
    span_id: &'m [u8],
    event_name: &'m [u8],
}

/// Reads a whole export.
pub(super) fn decode(message: &[u8], intake: &mut Intake<'_>) -> Result<(), Refused> {
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(message)) => resource_logs(message, intake)?,
            (1, _) => return Err(Malformed::Unexpected("ResourceLogs").into()),
            _ => {}
        }
    }
    Ok(())
}

/// A resource: what its records have in common.
struct Resource<'c> {
    config: &'c OtlpConfig,
    labels: LabelPairs,
    shared: Shared,
    /// Whether its stream is open: one without records names none.
    begun: bool,
}

fn resource_logs(message: &[u8], intake: &mut Intake<'_>) -> Result<(), Refused> {
    let limits = intake.limits();
    let n_max = limits.max_structured_metadata_entries_count;
    let (config, defaults) =
        (&limits.otlp_config, &limits.default_resource_attributes_as_index_labels);
    let mut resource =
        Resource { config, labels: Vec::new(), shared: Shared::default(), begun: false };
    let (labels, shared) = (&mut resource.labels, &mut resource.shared);
    attributes(part(message, 1, "Resource")?, 1, &mut |key, value| {
        let action = config.of_resource(key, defaults);
        if action == Action::Drop {
            return Ok(());
        }
        value::flatten(key, value, &mut |name, text| {
            if action == Action::IndexLabel && labels.len() < LABELS_MAX {
                labels.push((normal_name(name).into_owned(), text.into()));
            } else {
                shared.add(name, text, n_max);
            }
        })
    })?;
    // A stream that has too many labels already is refused whole, whatever its records add.
    let is_grouped = config.records_name_streams()
        && resource.labels.len() <= limits.max_label_names_per_series + 1;
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (2, Value::Bytes(message)) if is_grouped => {
                grouped::scope_logs(message, &resource, intake)?;
            }
            (2, Value::Bytes(message)) => scope_logs(message, &mut resource, intake)?,
            (2, _) => return Err(Malformed::Unexpected("ScopeLogs").into()),
            _ => {}
        }
    }
    if resource.begun {
        intake.end();
    }
    Ok(())
}

/// Takes in the records of a scope whose resource alone names their stream.
fn scope_logs(
    message: &[u8],
    resource: &mut Resource<'_>,
    intake: &mut Intake<'_>,
) -> Result<(), Refused> {
    let shared = Shared::of_scope(message, intake)?;
    let mut pairs = intake.pairs();
    let mut line = String::new();
    each_record(message, &mut |message| {
        if !std::mem::replace(&mut resource.begun, true) {
            begin(&resource.labels, intake)?;
        }
        pairs.clear();
        record(message, resource.config, [&resource.shared, &shared], &mut pairs, &mut line, intake)
    })
}

/// Calls with every record of a scope.
fn each_record<'m>(
    message: &'m [u8],
    each: &mut dyn FnMut(&'m [u8]) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (2, Value::Bytes(message)) => each(message)?,
            (2, _) => return Err(Malformed::Unexpected("LogRecords").into()),
            _ => {}
        }
    }
    Ok(())
}

/// Begins the stream of these labels.
fn begin(labels: &LabelPairs, intake: &mut Intake<'_>) -> Result<(), Refused> {
    // What names the stream, unlike any text of the other protocols.
    let mut text = Vec::from(*b"\xffotlp");
    for (name, value) in labels {
        for part in [name, value] {
            text.extend_from_slice(part.as_bytes());
            text.push(0xff);
        }
    }
    intake.begin(&text, || Ok(labels.clone()))
}

impl Shared {
    /// What a scope says of itself.
    fn of_scope(message: &[u8], intake: &Intake<'_>) -> Result<Shared, Refused> {
        let limits = intake.limits();
        let n_max = limits.max_structured_metadata_entries_count;
        let mut shared = Shared::default();
        let scope = part(message, 1, "Scope")?;
        attributes(scope, 3, &mut |key, value| {
            if limits.otlp_config.of_scope(key) == Action::Drop {
                return Ok(());
            }
            value::flatten(key, value, &mut |name, text| shared.add(name, text, n_max))
        })?;
        let mut fields = Fields::of(scope);
        while let Some((field, value)) = fields.next()? {
            match (field, value) {
                (1, Value::Bytes(name)) if !name.is_empty() => {
                    shared.add("scope_name", &String::from_utf8_lossy(name), n_max);
                }
                (2, Value::Bytes(version)) if !version.is_empty() => {
                    shared.add("scope_version", &String::from_utf8_lossy(version), n_max);
                }
                (4, Value::Varint(n)) if n > 0 => {
                    shared.add("scope_dropped_attributes_count", &n.to_string(), n_max);
                }
                _ => {}
            }
        }
        Ok(shared)
    }

    /// Keeps as many pairs as an entry may have; more only count.
    fn add(&mut self, name: &str, text: &str, n_max: usize) {
        if self.pairs.len() < n_max {
            self.pairs.push((name.into(), text.into()));
        } else {
            self.n_more += 1;
            self.bytes_more += name.len() + text.len();
        }
    }
}

fn record<'p>(
    message: &'p [u8],
    config: &OtlpConfig,
    shared: [&'p Shared; 2],
    pairs: &mut Pairs<'p>,
    line: &mut String,
    intake: &mut Intake<'_>,
) -> Result<(), Refused> {
    let record = Record::of(message)?;
    attributes(message, 6, &mut |key, value| {
        if config.of_record(key) != Action::StructuredMetadata {
            return Ok(());
        }
        value::flatten(key, value, &mut |name, text| {
            pairs.push(Cow::Owned(name.into()), Cow::Owned(text.into()));
        })
    })?;
    record.facts(pairs);
    for shared in shared {
        for (name, text) in &shared.pairs {
            pairs.push(Cow::Borrowed(name), Cow::Borrowed(text));
        }
        pairs.count(shared.n_more, shared.bytes_more);
    }
    let nanos = [record.time, record.observed].into_iter().find(|nanos| *nanos > 0);
    let at = match nanos {
        Some(nanos) => Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX)),
        None => intake.now(),
    };
    line.clear();
    let bytes: &[u8] = match value::text(record.body)? {
        Some(text) => text,
        None => {
            value::write(record.body, line)?;
            line.as_bytes()
        }
    };
    intake.entry(Time::At(at), bytes, pairs);
    Ok(())
}

impl<'m> Record<'m> {
    fn of(message: &'m [u8]) -> Result<Record<'m>, Malformed> {
        let mut record = Record::default();
        let mut fields = Fields::of(message);
        while let Some((field, value)) = fields.next()? {
            match (field, value) {
                (1, Value::Fixed64(nanos)) => record.time = nanos,
                (2, Value::Varint(number)) => record.severity_number = number,
                (3, Value::Bytes(text)) => record.severity_text = text,
                (5, Value::Bytes(body)) => record.body = body,
                (7, Value::Varint(n)) => record.n_dropped = n,
                (8, Value::Fixed32(flags)) => record.flags = flags,
                (9, Value::Bytes(id)) => record.trace_id = id,
                (10, Value::Bytes(id)) => record.span_id = id,
                (11, Value::Fixed64(nanos)) => record.observed = nanos,
                (12, Value::Bytes(name)) => record.event_name = name,
                (1 | 11, _) => return Err(Malformed::Unexpected("TimeUnixNano")),
                (2 | 3 | 5 | 7 | 8 | 9 | 10 | 12, _) => {
                    return Err(Malformed::Unexpected("LogRecord"));
                }
                _ => {}
            }
        }
        Ok(record)
    }

    /// What a record says beside its attributes.
    fn facts(&self, pairs: &mut Pairs<'m>) {
        let mut number = |name: &'static str, number: u64| {
            if number > 0 {
                pairs.push(name.into(), number.to_string().into());
            }
        };
        number("observed_timestamp", if self.time > 0 { self.observed } else { 0 });
        number("severity_number", self.severity_number);
        number("dropped_attributes_count", self.n_dropped);
        number("flags", u64::from(self.flags));
        for (name, text) in [("severity_text", self.severity_text), ("event_name", self.event_name)]
        {
            if !text.is_empty() {
                pairs.push(name.into(), String::from_utf8_lossy(text));
            }
        }
        for (name, id) in [("trace_id", self.trace_id), ("span_id", self.span_id)] {
            if id.iter().any(|byte| *byte != 0) {
                pairs.push(name.into(), hex(id).into());
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A submessage that occurs once, empty where it is absent.
fn part<'m>(message: &'m [u8], number: u32, what: &'static str) -> Result<&'m [u8], Malformed> {
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.next()? {
        match value {
            Value::Bytes(part) if field == number => return Ok(part),
            _ if field == number => return Err(Malformed::Unexpected(what)),
            _ => {}
        }
    }
    Ok(b"")
}

/// What is done with a key and its value, not looked into.
type EachPair<'e> = dyn FnMut(&str, &[u8]) -> Result<(), Refused> + 'e;

/// Every `KeyValue` of a message that stands under a field.
fn attributes(message: &[u8], number: u32, each: &mut EachPair<'_>) -> Result<(), Refused> {
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.next()? {
        match value {
            Value::Bytes(pair) if field == number => {
                let key = part(pair, 1, "Key")?;
                each(&String::from_utf8_lossy(key), part(pair, 2, "Value")?)?;
            }
            _ if field == number => return Err(Malformed::Unexpected("KeyValue").into()),
            _ => {}
        }
    }
    Ok(())
}
