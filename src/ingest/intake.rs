//! Where a decoder puts what it reads: streams and entries are judged, completed and split here,
//! one at a time, straight into the builders of their shards.
//!
//! In: for each stream object [`Intake::begin`], then its entries, then [`Intake::end`]. Out, once
//! all is read: [`Accepted`]. Whoever stops before that has stored nothing.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::Xxh3Default;

use super::detect::{self, LevelFields};
use super::generic::Wanted;
use super::line_level::level_of;
use super::pairs::{Pair, Pairs};
use super::refusal::{Reason, Report};
use super::shares::{Part, Shares};
use super::streams::{Scope, Stream};
use super::validate::{self, Rules, Time, Violation};
use super::{Accepted, Context, Refused};
use crate::cluster::placement::shard_of;
use crate::model::batch::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX};
use crate::model::column::{LINE_BYTES_MAX, METADATA_BYTES_MAX};
use crate::model::level::DETECTED_LEVEL;
use crate::model::limits::Limits;
use crate::model::{BatchBuilder, Labels, Level, Metadata, ShardId, Timestamp};

/// Longest line that the limits can allow. Replacing what is not UTF-8 makes it three times as
/// long at worst.
const LINE_MAX: usize = LINE_BYTES_MAX / 3;
/// Most metadata that the limits can allow. The detected level may repeat the longest value.
const METADATA_MAX: usize = METADATA_BYTES_MAX / 4;
/// Longest text that names a stream (Loki's bound).
const LABELS_BYTES_MAX: usize = 16 << 20;
/// Most labels that are read at all, far above any limit: each takes twenty times its text.
pub(super) const LABELS_MAX: usize = 4096;
/// Room in a batch for what is neither lines nor metadata, and for pushes that go along.
const BATCH_BYTES_SPARE: usize = BATCH_BYTES_MAX / 8;
const BATCH_ENTRIES_SPARE: usize = BATCH_ENTRIES_MAX / 8;
/// What an entry takes in a push, about: room is made for so many rows.
const ROW_BYTES_USUAL: usize = 128;
/// Metadata sets whose numbers are remembered for each shard of a push.
const SETS_MAX: usize = 4096;

/// Labels as a client wrote them, in any order, names possibly twice.
pub(super) type LabelPairs = Vec<(String, String)>;

/// Takes in one push.
pub(super) struct Intake<'a> {
    context: &'a Context<'a>,
    rules: Rules<'a>,
    detection: Detection<'a>,
    shares: Shares<'a>,
    scope: Scope,
    /// By shard; `None` where no entry went yet.
    slots: Vec<Option<Slot>>,
    current: Option<Current>,
    report: Report,
    line_max: usize,
    metadata_max: usize,
    n_streams: usize,
    totals: Accepted,
    /// Twice what each shard gets if the push is spread evenly: a first guess at its buffers. Room
    /// that is not used costs less than lines that move because their buffer grows.
    share_bytes: usize,
}

/// What is looked for in entries.
struct Detection<'a> {
    limits: &'a Limits,
    fields: LevelFields<'a>,
    wanted: Wanted<'a>,
}

/// The part of one shard.
struct Slot {
    builder: BatchBuilder,
    /// The numbers of the sets that hold nothing but a level found in the line.
    levels: [Option<u32>; Level::ALL.len()],
    /// Other sets by the hash of what they say.
    sets: HashMap<u64, (Metadata, u32)>,
}

/// The stream object that is being read.
struct Current {
    stream: Arc<Stream>,
    part: Part,
    slot: usize,
    /// The builder's segment is started by the first good entry.
    started: bool,
    /// The entry before, where times are to differ.
    last: Option<Last>,
}

/// An entry whose time the next one may not have.
#[derive(Clone, Copy)]
struct Last {
    /// As it was pushed, and as it was given on.
    pushed: Timestamp,
    given: Timestamp,
    line_hash: u64,
}

impl Current {
    /// A time of its own for a line that shares one with another line right before it. The same
    /// line again is the same entry.
    fn apart(&mut self, pushed: Timestamp, line: &str) -> Timestamp {
        let line_hash = xxhash_rust::xxh3::xxh3_64(line.as_bytes());
        let given = match self.last {
            Some(last) if last.pushed == pushed && last.line_hash == line_hash => last.given,
            Some(last) if last.pushed == pushed || last.given == pushed => {
                last.given.after(Duration::from_nanos(1))
            }
            _ => pushed,
        };
        self.last = Some(Last { pushed, given, line_hash });
        given
    }
}

impl<'a> Intake<'a> {
    /// Takes in a push that has `n_bytes` as text or message.
    pub(super) fn new(context: &'a Context<'a>, json: bool, n_bytes: usize) -> Intake<'a> {
        let limits = context.limits;
        let detection = Detection {
            limits,
            fields: LevelFields::new(&limits.log_level_fields),
            wanted: Wanted::new(&limits.discover_generic_fields),
        };
        Intake {
            context,
            rules: Rules::new(context),
            detection,
            shares: Shares::new(context),
            scope: Scope { tenant: context.tenant.clone(), rules: rules_hash(context), json },
            slots: (0..context.n_shards).map(|_| None).collect(),
            current: None,
            report: Report::default(),
            line_max: limits.max_line_size.len().min(LINE_MAX),
            metadata_max: limits.max_structured_metadata_size.len().min(METADATA_MAX),
            n_streams: 0,
            totals: Accepted::default(),
            share_bytes: 2 * n_bytes / context.n_shards as usize,
        }
    }

    /// Begins a stream that `text` names. `parse` is asked only where the text is not remembered.
    pub(super) fn begin(
        &mut self,
        text: &[u8],
        parse: impl FnOnce() -> Result<LabelPairs, Refused>,
    ) -> Result<(), Refused> {
        if text.len() > LABELS_BYTES_MAX {
            return Err(Refused::labels_too_large(text.len(), LABELS_BYTES_MAX));
        }
        let stream = match self.context.cache.get(&self.scope, text) {
            Some(stream) => stream,
            None => match self.judge(parse()?) {
                Ok(stream) => {
                    let stream = Arc::new(stream);
                    self.context.cache.put(&self.scope, text, &stream);
                    stream
                }
                Err((reason, message)) => {
                    self.report.refuse_stream(reason, message);
                    return Ok(());
                }
            },
        };
        let policy = stream.policy.as_deref();
        if let Some((status, message)) = validate::blocked(policy, self.context) {
            self.report.block_stream(status, message);
            return Ok(());
        }
        let Some(part) = self.shares.admit(&stream) else {
            let (reason, message) = validate::stream_limit(&stream.labels, self.context);
            self.report.refuse_stream(reason, message);
            return Ok(());
        };
        let slot = stream.shard.0 as usize;
        self.current = Some(Current { stream, part, slot, started: false, last: None });
        Ok(())
    }

    /// Begins a stream object that has entries but nothing that names a stream.
    pub(super) fn begin_nameless(&mut self) {
        let (reason, message) = validate::missing_labels();
        self.report.refuse_stream(reason, message);
    }

    /// Completes and judges labels that are not remembered.
    fn judge(&self, pairs: LabelPairs) -> Result<Stream, (Reason, String)> {
        let limits = self.context.limits;
        // `{}` in JSON is what people type by hand, and Loki takes it. In protobuf, where labels
        // are a text that a client composes, an empty one is a client that lost its labels.
        if pairs.is_empty() && !self.scope.json {
            return Err(validate::missing_labels());
        }
        let labels = Labels::from_pairs(pairs.iter().cloned())
            .map_err(|duplicate| validate::duplicate_name(&written(&pairs), &duplicate.name))?;
        let labels = detect::with_service_name(labels, &limits.discover_service_name);
        let labels = validate::marked(labels, self.context)?;
        let mapped = || limits.policy_stream_mapping.policy_of(&labels);
        let policy = self.context.policy.or_else(mapped).map(Box::from);
        validate::stream(&labels, policy.as_deref(), self.context)?;
        Ok(Stream {
            policy,
            shard: shard_of(self.context.tenant, &labels, self.context.n_shards),
            hash: labels.hash64(),
            level: detect::level_of_labels(&labels, &self.detection.fields),
            labels,
        })
    }

    /// A buffer for structured metadata as large as the limits allow.
    pub(super) fn pairs<'p>(&self) -> Pairs<'p> {
        Pairs::new(self.context.limits.max_structured_metadata_entries_count)
    }

    /// What the tenant may do.
    pub(super) fn limits(&self) -> &'a Limits {
        self.context.limits
    }

    /// The receiving node's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.context.now
    }

    /// Takes one entry of the current stream. `pairs` is its structured metadata; it is left in
    /// any state.
    pub(super) fn entry(&mut self, time: Time, line: &[u8], pairs: &mut Pairs<'_>) {
        self.report.see_entry();
        let Some(current) = &mut self.current else {
            let reason = self.report.whole().expect("a stream is open or refused");
            self.report.refuse_with_stream(reason, line.len());
            return;
        };
        let limits = self.context.limits;
        let verdict = self.rules.time(time).and_then(|at| {
            self.rules.metadata(pairs.n(), pairs.bytes(), self.metadata_max)?;
            let too_long = line.len() > self.line_max;
            if too_long && !limits.max_line_size_truncate {
                return Err(Violation::LineTooLong(line.len()));
            }
            let bytes = line.len() + pairs.bytes();
            let in_rate = self.shares.in_rate(current.part, current.stream.hash, bytes);
            in_rate.map_err(|rate| Violation::TooFast { rate, bytes })?;
            Ok((at, too_long))
        });
        let (at, too_long) = match verdict {
            Ok(good) => good,
            Err(violation) => {
                let bytes = line.len() + pairs.bytes();
                let labels = &current.stream.labels;
                self.report.refuse_entry(violation.reason(), bytes, time.known(), || {
                    self.rules.text(violation, labels)
                });
                return;
            }
        };
        let line = if too_long {
            self.totals.n_truncated += 1;
            cut(line, self.line_max, &limits.max_line_size_truncate_identifier)
        } else {
            text_of(line)
        };
        let at = if limits.increment_duplicate_timestamp { current.apart(at, &line) } else { at };
        let slot = self.slots[current.slot].get_or_insert_with(|| Slot::new(self.share_bytes));
        if !current.started {
            current.started = true;
            slot.builder.segment(self.context.tenant, &current.stream.labels);
        }
        let set = slot.set(&current.stream, &line, pairs.kept(), &self.detection);
        slot.builder.push(at.nanos(), &line, set);
        self.shares.count(current.part, line.len() + pairs.bytes());
        self.totals.n_entries += 1;
        self.totals.line_bytes += line.len();
        self.totals.metadata_bytes += pairs.bytes();
    }

    /// Ends a stream object, begun or not.
    pub(super) fn end(&mut self) {
        self.n_streams += 1;
        let current = self.current.take();
        self.report.end_stream(|| match current {
            Some(current) => current.stream.labels.to_string(),
            None => String::new(),
        });
    }

    /// The verdict on the push as a whole.
    pub(super) fn finish(mut self) -> Result<Accepted, Refused> {
        let context = self.context;
        if self.n_streams == 0 {
            return Err(Refused::without_streams());
        }
        let mut accepted = self.totals;
        accepted.discarded = self.report.take_discarded();
        accepted.refused = self.report.finish(context.tenant);
        if context.atomic
            && let Some(refused) = accepted.refused.clone().into_refused()
        {
            return Err(refused);
        }
        for (shard, slot) in (0..).map(ShardId).zip(self.slots) {
            let Some(Slot { builder, .. }) = slot else { continue };
            if builder.raw_bytes() > BATCH_BYTES_MAX - BATCH_BYTES_SPARE
                || builder.n_entries() > BATCH_ENTRIES_MAX - BATCH_ENTRIES_SPARE
            {
                return Err(Refused::too_large(builder.raw_bytes(), BATCH_BYTES_MAX));
            }
            accepted.shards.push((shard, builder));
        }
        self.shares.pay()?;
        Ok(accepted)
    }
}

impl Slot {
    fn new(text_bytes: usize) -> Slot {
        let mut builder = BatchBuilder::new();
        builder.reserve(text_bytes / ROW_BYTES_USUAL, text_bytes);
        Slot { builder, levels: [None; Level::ALL.len()], sets: HashMap::new() }
    }

    /// The number of an entry's metadata set, its level included.
    fn set(
        &mut self,
        stream: &Stream,
        line: &str,
        pairs: &mut Vec<Pair<'_>>,
        detection: &Detection<'_>,
    ) -> u32 {
        let Detection { limits, fields, wanted } = detection;
        let bytes_max = limits.max_structured_metadata_size.len().min(METADATA_MAX);
        let found = wanted.find(&stream.labels, pairs, line, bytes_max);
        let is_bare = pairs.is_empty() && found.is_empty();
        let declared = match (limits.discover_log_levels, is_bare) {
            (false, true) => return 0,
            (false, false) => None,
            (true, true) => {
                match stream.level.as_deref().map(|text| (text, Level::from_normal(text))) {
                    Some((_, Some(level))) => return self.level_set(level),
                    Some((text, None)) => Some(Cow::Borrowed(text)),
                    None => None,
                }
            }
            (true, false) => detect::level_stated(pairs)
                .or(stream.level.as_deref())
                .or_else(|| detect::level_implied(pairs, fields))
                .map(|level| Cow::Owned(level.to_owned())),
        };
        if limits.discover_log_levels {
            let level = match declared {
                Some(level) => level,
                None => {
                    let depth = limits.log_level_from_json_max_depth;
                    let level = level_of(line.as_bytes(), depth, fields);
                    if is_bare {
                        return self.level_set(level);
                    }
                    Cow::Borrowed(level.as_str())
                }
            };
            pairs.retain(|(name, _)| name != DETECTED_LEVEL);
            pairs.push((DETECTED_LEVEL.into(), Cow::Owned(level.into_owned())));
        }
        // Of two pairs with one name the first is kept: what was pushed.
        pairs.extend(found);
        self.pairs_set(pairs)
    }

    /// The number of the set that holds this level alone.
    fn level_set(&mut self, level: Level) -> u32 {
        let builder = &mut self.builder;
        *self.levels[level as usize].get_or_insert_with(|| {
            builder.metadata(&Metadata::from_pairs([(DETECTED_LEVEL, level.as_str())]))
        })
    }

    fn pairs_set(&mut self, pairs: &mut Vec<Pair<'_>>) -> u32 {
        for (name, _) in pairs.iter_mut() {
            if let Cow::Owned(normal) = detect::normal_name(name) {
                *name = Cow::Owned(normal);
            }
        }
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, first| later.0 == first.0);
        let mut hasher = Xxh3Default::new();
        for (name, value) in pairs.iter() {
            hasher.update(name.as_bytes());
            hasher.update(&[0xff]);
            hasher.update(value.as_bytes());
            hasher.update(&[0xff]);
        }
        let hash = hasher.digest();
        let same =
            |set: &Metadata| set.iter().eq(pairs.iter().map(|(name, value)| (&**name, &**value)));
        if let Some((set, number)) = self.sets.get(&hash)
            && same(set)
        {
            return *number;
        }
        let set = Metadata::from_pairs(pairs.drain(..));
        let number = self.builder.metadata(&set);
        if self.sets.len() < SETS_MAX {
            self.sets.insert(hash, (set, number));
        }
        number
    }
}

/// A hash of everything but the text that decides what a stream becomes.
fn rules_hash(context: &Context<'_>) -> u64 {
    let limits = context.limits;
    let mut hasher = Xxh3Default::new();
    for number in [
        context.n_shards as usize,
        limits.max_label_names_per_series,
        limits.max_label_name_length,
        limits.max_label_value_length,
    ] {
        hasher.update(&number.to_le_bytes());
    }
    let lists = [&limits.discover_service_name, &limits.enforced_labels, &limits.log_level_fields];
    let mut text = |text: &str| {
        hasher.update(text.as_bytes());
        hasher.update(&[0xff]);
    };
    for names in lists {
        names.iter().for_each(|name| text(name));
        text("\n");
    }
    for (policy, names) in &limits.policy_enforced_labels {
        text(policy);
        names.iter().for_each(|name| text(name));
        text("\n");
    }
    for (policy, selector, priority) in limits.policy_stream_mapping.texts() {
        text(policy);
        text(selector);
        text(&priority.to_string());
    }
    for given in [context.policy, context.backfill] {
        text(given.map_or("\n", |given| given));
    }
    hasher.digest()
}

/// Labels as text where they are no label set.
fn written(pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", crate::model::labels::Quoted(value)))
        .collect();
    sorted.sort();
    format!("{{{}}}", sorted.join(", "))
}

/// Bytes as text; what is not UTF-8 becomes U+FFFD. Asking first is many times faster than
/// `from_utf8_lossy` on text that is good.
fn text_of(line: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(line),
    }
}

/// A line cut to `bytes_max` with the mark at its end, never inside a character.
fn cut<'l>(line: &'l [u8], bytes_max: usize, mark: &str) -> Cow<'l, str> {
    let mut end = bytes_max.saturating_sub(mark.len());
    let least = end.saturating_sub(3);
    while end > least && line[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    let kept = text_of(&line[..end]);
    if mark.is_empty() { kept } else { Cow::Owned(format!("{kept}{mark}")) }
}
