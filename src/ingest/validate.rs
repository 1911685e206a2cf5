//! What limits say to streams and entries, in Loki's words. Pure: labels, limits and a clock in, a
//! verdict out; nothing is stored or counted here.

use super::detect::SERVICE_NAME;
use super::refusal::{Reason, rfc3339};
use super::{Context, OLDEST};
use crate::model::limits::{ByteSize, Limits, Moment};
use crate::model::{Labels, Timestamp};

/// Labels that begin so are set by the server alone.
const RESERVED_PREFIX: &str = "__backfill";
/// What streams are marked with that come with the header for old logs, and whose value is the
/// header's.
const BACKFILL: &str = "__backfill__";
const BACKFILL_SHARD: &str = "__backfill_shard__";
/// How texts on structured metadata end, after naming the limit.
const ASK: &str = "or contact your Loki administrator to";

/// Marks a stream as a part of old logs where its push says so; clients may not do so themselves.
pub(super) fn marked(labels: Labels, context: &Context<'_>) -> Result<Labels, (Reason, String)> {
    if let Some((name, _)) = labels.iter().find(|(name, _)| name.starts_with(RESERVED_PREFIX)) {
        let text = format!("stream '{labels}' has reserved label name: '{name}'");
        return Err((Reason::ReservedLabelName, text));
    }
    Ok(match context.backfill {
        Some(shard) => labels.with(BACKFILL, "true").with(BACKFILL_SHARD, shard),
        None => labels,
    })
}

/// Judges the labels of a stream, with those that were added, under its policy.
pub(super) fn stream(
    labels: &Labels,
    policy: Option<&str>,
    context: &Context<'_>,
) -> Result<(), (Reason, String)> {
    let limits = context.limits;
    if labels.is_empty() {
        return Err(missing_labels());
    }
    let added = [SERVICE_NAME, BACKFILL, BACKFILL_SHARD];
    let n_added = added.iter().filter(|name| labels.get(name).is_some()).count();
    let n_names = labels.len() - n_added;
    let n_names_max = limits.max_label_names_per_series;
    if n_names > n_names_max {
        let text =
            format!("entry for stream '{labels}' has {n_names} label names; limit {n_names_max}");
        return Err((Reason::MaxLabelNamesPerSeries, text));
    }
    for (name, value) in labels.iter() {
        if name.len() > limits.max_label_name_length {
            let text = format!("stream '{labels}' has label name too long: '{name}'");
            return Err((Reason::LabelNameTooLong, text));
        }
        if value.len() > limits.max_label_value_length {
            let text = format!("stream '{labels}' has label value too long: '{value}'");
            return Err((Reason::LabelValueTooLong, text));
        }
    }
    let enforced = limits.enforced_labels_of(policy);
    let missing: Vec<&str> = enforced.filter(|name| labels.get(name).is_none()).collect();
    if !missing.is_empty() {
        let text = format!(
            "missing required labels '{}' for user '{}' for stream '{labels}' (policy: '{}')",
            missing.join(","),
            context.tenant,
            policy.unwrap_or("")
        );
        return Err((Reason::MissingEnforcedLabels, text));
    }
    Ok(())
}

/// The status and text for a stream whose policy is blocked now.
pub(super) fn blocked(policy: Option<&str>, context: &Context<'_>) -> Option<(u16, String)> {
    let Moment(until) =
        context.limits.blocked_until(policy).filter(|until| context.now < until.0)?;
    let status = context.limits.block_ingestion_status_code;
    let text = format!(
        "ingestion blocked for user '{}' (policy: '{}') until '{}' with status code '{status}'",
        context.tenant,
        policy.unwrap_or(""),
        rfc3339(until)
    );
    Some((status, text))
}

/// The text for a stream without labels.
pub(super) fn missing_labels() -> (Reason, String) {
    (Reason::MissingLabels, "error at least one label pair is required per stream".into())
}

/// The text for a stream with a name given twice; `labels` as the client wrote them.
pub(super) fn duplicate_name(labels: &str, name: &str) -> (Reason, String) {
    let text = format!("stream '{labels}' has duplicate label name: '{name}'");
    (Reason::DuplicateLabelNames, text)
}

/// The text for a new stream of a tenant that has all it may have.
pub(super) fn stream_limit(labels: &Labels, context: &Context<'_>) -> (Reason, String) {
    let text = format!(
        "maximum active stream limit exceeded when trying to create stream {labels}, reduce the \
         number of active streams (reduce labels or reduce label values), or contact your Loki \
         administrator to see if the limit can be increased, user: '{}'",
        context.tenant
    );
    (Reason::StreamLimit, text)
}

/// A time as a client gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// Nanoseconds since 1970; times beyond what 64 bits can say stand at the end of the range.
    At(Timestamp),
    /// None was given.
    Missing,
    /// Nanoseconds outside of a second.
    Odd { seconds: i64, nanos: i64 },
}

impl Time {
    /// The time, where it is one.
    pub(super) fn known(self) -> Option<Timestamp> {
        match self {
            Time::At(at) => Some(at),
            Time::Missing | Time::Odd { .. } => None,
        }
    }
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    NoTime,
    OddTime {
        seconds: i64,
        nanos: i64,
    },
    TooOld(Timestamp),
    TooNew(Timestamp),
    LineTooLong(usize),
    MetadataDisallowed,
    MetadataTooLarge(usize),
    MetadataTooMany(usize),
    /// The stream is over its rate, and this is how many bytes the entry has.
    TooFast {
        rate: ByteSize,
        bytes: usize,
    },
}

/// The rules for entries of one push.
pub(super) struct Rules<'a> {
    limits: &'a Limits,
    oldest: Timestamp,
    newest: Timestamp,
}

impl<'a> Rules<'a> {
    pub(super) fn new(context: &Context<'a>) -> Rules<'a> {
        let Context { limits, now, backfill, .. } = *context;
        let oldest = match limits.reject_old_samples && backfill.is_none() {
            true => OLDEST.max(now.before(limits.reject_old_samples_max_age.0)),
            false => OLDEST,
        };
        Rules { limits, oldest, newest: now.after(limits.creation_grace_period.0) }
    }

    /// The time of an entry, where it is acceptable.
    pub(super) fn time(&self, time: Time) -> Result<Timestamp, Violation> {
        match time {
            Time::At(at) if at < self.oldest => Err(Violation::TooOld(at)),
            Time::At(at) if at > self.newest => Err(Violation::TooNew(at)),
            Time::At(at) => Ok(at),
            Time::Missing => Err(Violation::NoTime),
            Time::Odd { seconds, nanos } => Err(Violation::OddTime { seconds, nanos }),
        }
    }

    /// Judges the structured metadata of an entry by its pairs and their bytes.
    pub(super) fn metadata(
        &self,
        n_pairs: usize,
        bytes: usize,
        bytes_max: usize,
    ) -> Result<(), Violation> {
        if n_pairs > 0 && !self.limits.allow_structured_metadata {
            Err(Violation::MetadataDisallowed)
        } else if bytes > bytes_max {
            Err(Violation::MetadataTooLarge(bytes))
        } else if n_pairs > self.limits.max_structured_metadata_entries_count {
            Err(Violation::MetadataTooMany(n_pairs))
        } else {
            Ok(())
        }
    }

    /// What to tell about a violation.
    pub(super) fn text(&self, violation: Violation, labels: &Labels) -> String {
        let limits = self.limits;
        match violation {
            Violation::NoTime => format!("entry for stream '{labels}' has no timestamp"),
            Violation::OddTime { seconds, nanos } => format!(
                "entry for stream '{labels}' has invalid timestamp: {seconds} seconds and {nanos} \
                 nanoseconds"
            ),
            Violation::TooOld(at) => format!(
                "entry for stream '{labels}' has timestamp too old: {}, oldest acceptable \
                 timestamp is: {}",
                rfc3339(at),
                rfc3339(self.oldest)
            ),
            Violation::TooNew(at) => {
                format!("entry for stream '{labels}' has timestamp too new: {}", rfc3339(at))
            }
            Violation::LineTooLong(bytes) => format!(
                "max entry size '{}' bytes exceeded for stream '{labels}' while adding an entry \
                 with length '{bytes}' bytes",
                limits.max_line_size.0
            ),
            Violation::TooFast { rate, bytes } => format!(
                "Per stream rate limit exceeded (limit: {rate}/sec) while attempting to ingest for \
                 stream '{labels}' totaling {}, consider splitting a stream via additional labels \
                 {ASK} see if the limit can be increased",
                ByteSize(bytes as u64)
            ),
            Violation::MetadataDisallowed => format!(
                "stream '{labels}' includes structured metadata, but this feature is disallowed. \
                 Please see `limits_config.allow_structured_metadata` {ASK} enable it"
            ),
            Violation::MetadataTooLarge(bytes) => format!(
                "stream '{labels}' has structured metadata too large: '{bytes}' bytes, limit: \
                 '{}' bytes. Please see `limits_config.max_structured_metadata_size` {ASK} \
                 increase it",
                limits.max_structured_metadata_size.0
            ),
            Violation::MetadataTooMany(n_pairs) => format!(
                "stream '{labels}' has too many structured metadata labels: '{n_pairs}', limit: \
                 '{}'. Please see `limits_config.max_structured_metadata_entries_count` {ASK} \
                 increase it",
                limits.max_structured_metadata_entries_count
            ),
        }
    }
}

impl Violation {
    /// The reason that metrics count.
    pub(super) fn reason(self) -> Reason {
        match self {
            Violation::NoTime | Violation::OddTime { .. } => Reason::InvalidTimestamp,
            Violation::TooOld(_) => Reason::GreaterThanMaxSampleAge,
            Violation::TooNew(_) => Reason::TooFarInFuture,
            Violation::LineTooLong(_) => Reason::LineTooLong,
            Violation::TooFast { .. } => Reason::PerStreamRateLimit,
            Violation::MetadataDisallowed => Reason::DisallowedStructuredMetadata,
            Violation::MetadataTooLarge(_) => Reason::StructuredMetadataTooLarge,
            Violation::MetadataTooMany(_) => Reason::StructuredMetadataTooMany,
        }
    }
}
