//! Saying no: to a whole push ([`Refused`]) or to some of its entries ([`Refusals`]).
//!
//! Invariants: every refused entry is counted; each is named in the text until the text is full,
//! and then the text says how many are not named. Memory is bounded whatever a push contains:
//! [`LINES_PER_STREAM_MAX`] lines for each stream object, [`TEXT_BYTES_MAX`] bytes in all.

use std::fmt::Write;

use crate::model::{Tenant, Timestamp};

/// Refused entries that are named for each stream object of a push (Loki's number).
pub(super) const LINES_PER_STREAM_MAX: usize = 10;
/// Length at which the text stops naming and only counts.
pub(super) const TEXT_BYTES_MAX: usize = 64 << 10;

/// A push of which nothing is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// HTTP status: 400, 413, 422 or 429, or what the tenant's limits say.
    pub status: u16,
    /// What to tell the client.
    pub message: String,
    /// A word from a small closed set, for metrics.
    pub reason: &'static str,
}

impl Refused {
    /// The body cannot be understood.
    pub(super) fn undecodable(message: impl Into<String>) -> Refused {
        Refused { status: 400, message: message.into(), reason: "undecodable" }
    }

    /// There is no stream in it at all.
    pub(super) fn without_streams() -> Refused {
        Refused {
            status: 422,
            message: "error at least one valid stream is required for ingestion".into(),
            reason: "no_streams",
        }
    }

    /// The tenant is over its rate, or some of its policies are over theirs; the whole push may come
    /// again later.
    pub(super) fn too_fast(tenant: &Tenant, over: Vec<TooFast<'_>>) -> Refused {
        let tried = |over: &TooFast<'_>| {
            let TooFast { rate, n_lines, bytes, .. } = over;
            format!(
                "(limit: {rate:.0} bytes/sec) while attempting to ingest '{n_lines}' lines \
                 totaling '{bytes}' bytes"
            )
        };
        let name = |over: &TooFast<'_>| over.policy.map(|policy| format!("policy {policy}"));
        let what = match &over[..] {
            [one] => {
                let policy = name(one).map_or_else(String::new, |name| format!(", {name}"));
                format!("{policy} {}", tried(one))
            }
            several => {
                let each = several.iter().map(|over| {
                    let name = name(over).unwrap_or_else(|| "no policy".into());
                    format!("{name} {}", tried(over))
                });
                format!(" across multiple buckets: {}", each.collect::<Vec<_>>().join("; "))
            }
        };
        Refused {
            status: 429,
            message: format!(
                "ingestion rate limit exceeded for user {tenant}{what}, reduce log volume or \
                 contact your Loki administrator to see if the limit can be increased"
            ),
            reason: "rate_limited",
        }
    }

    /// The tenant may not push for a while.
    pub(super) fn blocked(tenant: &Tenant, until: Timestamp, status: u16) -> Refused {
        let until = rfc3339(until);
        Refused {
            status,
            message: format!(
                "ingestion blocked for user '{tenant}' until '{until}' with status code '{status}'"
            ),
            reason: "blocked_ingestion",
        }
    }

    /// What names a stream is too long to be looked at.
    pub(super) fn labels_too_large(bytes: usize, bytes_max: usize) -> Refused {
        Refused {
            status: 413,
            message: format!("stream labels too large: {bytes} bytes, limit: {bytes_max} bytes"),
            reason: "labels_too_large",
        }
    }

    /// The body is larger than allowed.
    pub(super) fn too_large(bytes: usize, bytes_max: usize) -> Refused {
        Refused {
            status: 413,
            message: format!("request body too large: {bytes} bytes, limit: {bytes_max} bytes"),
            reason: "request_body_too_large",
        }
    }
}

/// A rate that a push is over.
pub(super) struct TooFast<'a> {
    /// Whose it is: a policy's, or the tenant's.
    pub(super) policy: Option<&'a str>,
    /// In bytes a second.
    pub(super) rate: f64,
    pub(super) n_lines: usize,
    pub(super) bytes: usize,
}

/// Why an entry or a stream is refused, in the words of Loki's `reason` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A stream without labels.
    MissingLabels,
    /// More labels than allowed.
    MaxLabelNamesPerSeries,
    /// A label name longer than allowed.
    LabelNameTooLong,
    /// A label value longer than allowed.
    LabelValueTooLong,
    /// A label name given twice.
    DuplicateLabelNames,
    /// A label name that only the server may set.
    ReservedLabelName,
    /// A stream without a label that every stream must have.
    MissingEnforcedLabels,
    /// A stream of a policy that nothing may be pushed under for a while.
    BlockedIngestionPolicy,
    /// A new stream of a tenant that has all it may have.
    StreamLimit,
    /// An entry of a stream that is over its rate.
    PerStreamRateLimit,
    /// An entry without a time, or with one that is no time.
    InvalidTimestamp,
    /// Older than allowed.
    GreaterThanMaxSampleAge,
    /// Further in the future than allowed.
    TooFarInFuture,
    /// A line longer than allowed.
    LineTooLong,
    /// Structured metadata where it is turned off.
    DisallowedStructuredMetadata,
    /// More bytes of structured metadata than allowed.
    StructuredMetadataTooLarge,
    /// More pairs of structured metadata than allowed.
    StructuredMetadataTooMany,
}

impl Reason {
    /// The value of the `reason` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::MissingLabels => "missing_labels",
            Reason::MaxLabelNamesPerSeries => "max_label_names_per_series",
            Reason::LabelNameTooLong => "label_name_too_long",
            Reason::LabelValueTooLong => "label_value_too_long",
            Reason::DuplicateLabelNames => "duplicate_label_names",
            Reason::ReservedLabelName => "reserved_label_name",
            Reason::MissingEnforcedLabels => "missing_enforced_labels",
            Reason::BlockedIngestionPolicy => "blocked_ingestion_policy",
            Reason::StreamLimit => "stream_limit",
            Reason::PerStreamRateLimit => "per_stream_rate_limit",
            Reason::InvalidTimestamp => "invalid_timestamp",
            Reason::GreaterThanMaxSampleAge => "greater_than_max_sample_age",
            Reason::TooFarInFuture => "too_far_in_future",
            Reason::LineTooLong => "line_too_long",
            Reason::DisallowedStructuredMetadata => "disallowed_structured_metadata",
            Reason::StructuredMetadataTooLarge => "structured_metadata_too_large",
            Reason::StructuredMetadataTooMany => "structured_metadata_too_many",
        }
    }

    /// 429 where the same push may succeed later, 400 where it never will.
    pub fn status(self) -> u16 {
        let is_for_now = matches!(self, Reason::StreamLimit | Reason::PerStreamRateLimit);
        if is_for_now { 429 } else { 400 }
    }
}

/// How much was refused for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discarded {
    /// Why.
    pub reason: Reason,
    /// How many entries.
    pub n_entries: usize,
    /// Bytes of their lines and structured metadata.
    pub bytes: usize,
}

/// What of a push was refused; everything else in it is good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    first: Option<Reason>,
    status: u16,
    text: String,
    n_entries: usize,
}

impl Refusals {
    /// What to answer once the good entries are committed: 429 if anything was refused with 429,
    /// else 400, and a text that names each refused entry or stream or says how many it does not
    /// name. `None` where nothing was refused.
    pub fn answer(&self) -> Option<(u16, String)> {
        self.first.map(|_| (self.status, self.text.clone()))
    }

    /// Refused entries, those of refused streams included.
    pub fn n_entries(&self) -> usize {
        self.n_entries
    }

    /// The same as a refusal of the whole push; `None` where nothing was refused.
    pub(super) fn into_refused(self) -> Option<Refused> {
        let reason = self.first?.as_str();
        Some(Refused { status: self.status, message: self.text, reason })
    }
}

/// One refused entry: when it says it is, and why it is refused.
struct Named {
    at: Option<Timestamp>,
    message: String,
}

/// What is refused of the stream object that is being read.
#[derive(Default)]
struct OfStream {
    /// Why the whole of it is refused.
    whole: Option<(Reason, String)>,
    /// Whether nobody is told that it is refused.
    silent: bool,
    named: Vec<Named>,
    n_refused: usize,
    n_entries: usize,
}

/// One finished stream object with refusals.
struct Block {
    labels: String,
    of: OfStream,
}

/// Collects refusals while a push is read.
#[derive(Default)]
pub(super) struct Report {
    current: OfStream,
    blocks: Vec<Block>,
    text_bytes: usize,
    first: Option<Reason>,
    status: u16,
    /// That of streams which are blocked: it counts where nothing else is refused.
    blocked_status: u16,
    n_entries: usize,
    n_refused: usize,
    n_unnamed_streams: usize,
    discarded: Vec<Discarded>,
}

impl Report {
    /// Counts an entry of the current stream, good or bad.
    pub(super) fn see_entry(&mut self) {
        self.current.n_entries += 1;
    }

    /// Whether the current stream is refused as a whole, and why.
    pub(super) fn whole(&self) -> Option<Reason> {
        self.current.whole.as_ref().map(|(reason, _)| *reason)
    }

    /// Refuses the current stream with all its entries.
    pub(super) fn refuse_stream(&mut self, reason: Reason, message: String) {
        self.note(reason);
        self.current.whole = Some((reason, message));
    }

    /// Refuses the current stream because its policy is blocked, with the status that the tenant's
    /// limits want. 200 says nothing of it.
    pub(super) fn block_stream(&mut self, status: u16, message: String) {
        let reason = Reason::BlockedIngestionPolicy;
        self.current.silent = status == 200;
        if !self.current.silent {
            self.first.get_or_insert(reason);
            self.blocked_status = status;
        }
        self.current.whole = Some((reason, message));
    }

    /// Counts an entry of a stream that is refused as a whole.
    pub(super) fn refuse_with_stream(&mut self, reason: Reason, bytes: usize) {
        self.current.n_refused += 1;
        self.discard(reason, bytes);
    }

    /// Refuses one entry; `message` is only made if it will be named.
    pub(super) fn refuse_entry(
        &mut self,
        reason: Reason,
        bytes: usize,
        at: Option<Timestamp>,
        message: impl FnOnce() -> String,
    ) {
        self.note(reason);
        self.discard(reason, bytes);
        self.current.n_refused += 1;
        if self.current.named.len() < LINES_PER_STREAM_MAX && self.text_bytes < TEXT_BYTES_MAX {
            self.current.named.push(Named { at, message: message() });
        }
    }

    /// Ends the current stream object.
    pub(super) fn end_stream(&mut self, labels: impl FnOnce() -> String) {
        let of = std::mem::take(&mut self.current);
        self.n_entries += of.n_entries;
        if of.silent {
            return;
        }
        self.n_refused += of.n_refused;
        if of.whole.is_none() && of.n_refused == 0 {
            return;
        }
        if self.text_bytes >= TEXT_BYTES_MAX {
            self.n_unnamed_streams += 1;
            return;
        }
        let labels = labels();
        let whole = of.whole.as_ref().map_or(0, |(_, message)| message.len());
        let named: usize = of.named.iter().map(|named| named.message.len()).sum();
        self.text_bytes += labels.len() + whole + named;
        self.blocks.push(Block { labels, of });
    }

    fn note(&mut self, reason: Reason) {
        self.first.get_or_insert(reason);
        self.status = self.status.max(reason.status());
    }

    fn discard(&mut self, reason: Reason, bytes: usize) {
        match self.discarded.iter_mut().find(|discarded| discarded.reason == reason) {
            Some(discarded) => {
                discarded.n_entries += 1;
                discarded.bytes += bytes;
            }
            None => self.discarded.push(Discarded { reason, n_entries: 1, bytes }),
        }
    }

    /// What metrics count, once.
    pub(super) fn take_discarded(&mut self) -> Vec<Discarded> {
        std::mem::take(&mut self.discarded)
    }

    /// All refusals of the push.
    pub(super) fn finish(self, tenant: &Tenant) -> Refusals {
        let mut text = String::new();
        for block in &self.blocks {
            // A push of one entry is answered in Loki's words alone: they name it well enough.
            if self.n_entries == 1 && block.of.whole.is_none() {
                block.of.named.iter().for_each(|named| push_line(&mut text, &named.message));
            } else {
                block.write(tenant, &mut text);
            }
        }
        if self.n_unnamed_streams > 0 {
            let line = format!(
                "{} more streams with refused entries, total ignored: {} out of {}",
                self.n_unnamed_streams, self.n_refused, self.n_entries
            );
            push_line(&mut text, &line);
        }
        let Report { first, n_refused: n_entries, .. } = self;
        let status = if self.status > 0 { self.status } else { self.blocked_status };
        Refusals { first, status, text, n_entries }
    }
}

impl Block {
    /// A refused stream is one line; refused entries are a line each and one with their number.
    fn write(&self, tenant: &Tenant, text: &mut String) {
        if let Some((_, message)) = &self.of.whole {
            return push_line(text, message);
        }
        for Named { at, message } in &self.of.named {
            let at = at.map_or_else(|| "none".into(), go_time);
            let line = format!("entry with timestamp {at} ignored, reason: '{message}',");
            push_line(text, &line);
        }
        let (n_refused, n_entries) = (self.of.n_refused, self.of.n_entries);
        let labels = &self.labels;
        let line = format!(
            "user '{tenant}', total ignored: {n_refused} out of {n_entries} for stream: {labels}"
        );
        push_line(text, &line);
    }
}

/// Appends a line, cut where it alone would overflow what a reply may hold.
fn push_line(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    if line.len() <= TEXT_BYTES_MAX {
        text.push_str(line);
    } else {
        let end = line.floor_char_boundary(TEXT_BYTES_MAX);
        write!(text, "{}... ({} bytes)", &line[..end], line.len()).expect("a string takes all");
    }
}

/// How Go prints a time: `2026-11-20 10:00:00.5 +0000 UTC`.
fn go_time(at: Timestamp) -> String {
    let time = chrono::DateTime::from_timestamp_nanos(at.nanos());
    let fraction = time.format("%.9f").to_string();
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{}{fraction} +0000 UTC", time.format("%Y-%m-%d %H:%M:%S"))
}

/// RFC 3339 with whole seconds, as Loki names a time in its texts.
pub(super) fn rfc3339(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_nanos(at.nanos())
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_go_prints_them() {
        let check = |nanos: i64, expected: &str| assert_eq!(go_time(Timestamp(nanos)), expected);
        check(0, "1970-01-01 00:00:00 +0000 UTC");
        check(-1, "1969-12-31 23:59:59.999999999 +0000 UTC");
        check(1_700_000_000_500_000_000, "2023-11-14 22:13:20.5 +0000 UTC");
        assert_eq!(rfc3339(Timestamp(-1)), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn names_ten_entries_of_a_stream_and_counts_all() {
        let mut report = Report::default();
        for i in 0..30 {
            report.see_entry();
            if i % 2 == 0 {
                let at = Some(Timestamp(i));
                report.refuse_entry(Reason::LineTooLong, 100, at, || format!("too long {i}"));
            }
        }
        report.end_stream(|| "{a=\"b\"}".into());
        assert_eq!(report.discarded.len(), 1);
        assert_eq!(report.discarded[0].bytes, 1500);
        let refusals = report.finish(&Tenant::single());
        assert_eq!((refusals.status, refusals.n_entries), (400, 15));
        let lines: Vec<&str> = refusals.text.lines().collect();
        assert_eq!(lines.len(), 11);
        assert_eq!(
            lines[1],
            "entry with timestamp 1970-01-01 00:00:00.000000002 +0000 UTC ignored, reason: 'too long 2',"
        );
        assert_eq!(lines[10], r#"user 'fake', total ignored: 15 out of 30 for stream: {a="b"}"#);
    }

    #[test]
    fn the_text_is_bounded_and_says_what_it_leaves_out() {
        let mut report = Report::default();
        for _ in 0..20_000 {
            report.refuse_stream(Reason::StreamLimit, "x".repeat(100));
            report.see_entry();
            report.refuse_with_stream(Reason::StreamLimit, 1);
            report.end_stream(|| "{}".into());
        }
        let refusals = report.finish(&Tenant::single());
        assert_eq!((refusals.status, refusals.n_entries), (429, 20_000));
        assert!(refusals.text.len() < 2 * TEXT_BYTES_MAX, "{}", refusals.text.len());
        let named = refusals.text.lines().count() - 1;
        let last = format!(
            "{} more streams with refused entries, total ignored: 20000 out of 20000",
            20_000 - named
        );
        assert_eq!(refusals.text.lines().last(), Some(last.as_str()));
    }

    #[test]
    fn a_huge_line_is_cut() {
        let mut text = String::new();
        push_line(&mut text, &"é".repeat(TEXT_BYTES_MAX));
        assert!(text.len() < TEXT_BYTES_MAX + 40);
        assert!(text.ends_with("... (131072 bytes)"));
    }
}
