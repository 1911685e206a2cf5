//! A query by the definition: every entry through every stage, every window from scratch.
//!
//! In: entries with all their labels, and a tree. Out: entries or values. Nothing is shared with
//! the code under test but the tree and matchers. What the definition leaves open is not decided
//! here: callers do not generate it (equal timestamps, lines that are half JSON).

use std::collections::{BTreeMap, BTreeSet};

use super::stages::{behind, fail, keeps, pass, seconds, selects, size, value};
use crate::logql::ast::*;
use crate::model::Matcher;

/// Labels by name.
pub(super) type Labels = BTreeMap<String, String>;

/// An entry on its way through a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) timestamp: i64,
    pub(super) line: String,
    /// Names that the stream and the metadata have: a parser may not set them.
    pub(super) taken: BTreeSet<String>,
    pub(super) stream: Labels,
    pub(super) labels: Labels,
}

/// A query that fails as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Failure {
    /// A sample has an error.
    Pipeline,
    /// Series of an operator do not find each other.
    Matching,
    /// Two series have the same labels: what follows is nobody's promise.
    Undefined,
}

/// Values of one step.
pub(super) type Vector = BTreeMap<Labels, f64>;

/// The labels of an entry: a metadata key that its stream has too gets another name.
pub(super) fn entry(timestamp: i64, line: &str, stream: &Labels, metadata: &Labels) -> Entry {
    let mut labels = stream.clone();
    for (name, value) in metadata {
        let clash = stream.contains_key(name);
        let name = if clash { format!("{name}_extracted") } else { name.clone() };
        labels.insert(name, value.clone());
    }
    let taken = labels.keys().cloned().collect();
    Entry { timestamp, line: line.into(), taken, stream: stream.clone(), labels }
}

/// The entries that a log query leaves.
pub(super) fn log(query: &LogQuery, entries: &[Entry]) -> Vec<Entry> {
    let mut left: Vec<Entry> = entries.to_vec();
    left.retain(|entry| selects(&query.selector, &entry.stream));
    for (at, stage) in query.pipeline.iter().enumerate() {
        let behind = behind(&query.pipeline[at + 1..]);
        left = left.into_iter().filter_map(|entry| pass(stage, &behind, entry)).collect();
    }
    left
}

/// The values of an expression at one step, or a number that needs no data.
pub(super) enum Value {
    Scalar(f64),
    Vector(Vector),
}

pub(super) fn metric(query: &Metric, entries: &[Entry], at: i64) -> Result<Value, Failure> {
    Ok(Value::Vector(match query {
        Metric::Literal(value) => return Ok(Value::Scalar(*value)),
        Metric::Constant(value) => Vector::from([(Labels::new(), *value)]),
        Metric::Range(own) => range(own, entries, at)?,
        Metric::Vector(own) => aggregate(own, vector(metric(&own.inner, entries, at)?)),
        Metric::Binary(own) => {
            let left = metric(&own.left, entries, at)?;
            let right = metric(&own.right, entries, at)?;
            return binary(own, left, right);
        }
        Metric::LabelReplace(own) => replaced(own, vector(metric(&own.inner, entries, at)?))?,
    }))
}

fn replaced(own: &LabelReplace, all: Vector) -> Result<Vector, Failure> {
    let regex = regex::Regex::new(&format!("^(?:{})$", own.regex)).expect("a good regex");
    let mut out = Vector::new();
    for (mut labels, number) in all {
        let source = value(&labels, &own.source).to_string();
        if let Some(found) = regex.captures(&source) {
            let mut text = String::new();
            found.expand(&own.replacement, &mut text);
            labels.remove(&own.destination);
            if !text.is_empty() {
                labels.insert(own.destination.clone(), text);
            }
        }
        if out.insert(labels, number).is_some() {
            return Err(Failure::Undefined);
        }
    }
    Ok(out)
}

fn vector(value: Value) -> Vector {
    match value {
        Value::Scalar(value) => Vector::from([(Labels::new(), value)]),
        Value::Vector(vector) => vector,
    }
}

fn range(own: &RangeAggregation, entries: &[Entry], at: i64) -> Result<Vector, Failure> {
    let window = own.window.as_nanos() as i64;
    let until = at - own.offset_nanos;
    let after = until - window;
    let mut series: BTreeMap<Labels, Vec<(i64, f64)>> = BTreeMap::new();
    for mut entry in log(&own.log, entries) {
        if entry.timestamp <= after || entry.timestamp > until {
            continue;
        }
        let Some(sample) = sample(own, &mut entry) else { continue };
        if entry.labels.contains_key("__error__") {
            return Err(Failure::Pipeline);
        }
        series.entry(group(own, entry.labels)).or_default().push((entry.timestamp, sample));
    }
    if own.op == RangeOp::AbsentOverTime {
        let equal = |matcher: &&Matcher| matcher.op == crate::model::MatchOp::Equal;
        let known = own.log.selector.matchers.iter().filter(equal);
        let labels = known.map(|matcher| (matcher.name.clone(), matcher.value.clone())).collect();
        return Ok(if series.is_empty() { Vector::from([(labels, 1.0)]) } else { Vector::new() });
    }
    let values = series.into_iter().map(|(labels, mut samples)| {
        samples.sort_by_key(|(timestamp, _)| *timestamp);
        (labels, over_time(own, &samples, after, until))
    });
    Ok(values.collect())
}

fn sample(own: &RangeAggregation, entry: &mut Entry) -> Option<f64> {
    let Some(unwrap) = &own.unwrap else {
        let bytes = matches!(own.op, RangeOp::BytesOverTime | RangeOp::BytesRate);
        return Some(if bytes { entry.line.len() as f64 } else { 1.0 });
    };
    let text = value(&entry.labels, &unwrap.label);
    if text.is_empty() {
        return None;
    }
    let number = match unwrap.conversion {
        Conversion::Number => text.parse().ok(),
        Conversion::Bytes => size(text),
        Conversion::Duration | Conversion::DurationSeconds => seconds(text),
    };
    if number.is_none() {
        fail(&mut entry.labels, "SampleExtractionErr");
    }
    let kept = unwrap.filters.iter().all(|filter| keeps(filter, &mut entry.labels));
    kept.then_some(number.unwrap_or(0.0))
}

fn group(own: &RangeAggregation, mut labels: Labels) -> Labels {
    labels.retain(|_, value| !value.is_empty());
    let unwrapped = own.unwrap.as_ref().map(|unwrap| &unwrap.label);
    match &own.grouping {
        None => labels.retain(|name, _| Some(name) != unwrapped),
        Some(by) if by.without => {
            labels.retain(|name, _| Some(name) != unwrapped && !by.labels.contains(name));
        }
        Some(by) => labels.retain(|name, _| by.labels.contains(name)),
    }
    labels
}

fn over_time(own: &RangeAggregation, samples: &[(i64, f64)], after: i64, until: i64) -> f64 {
    let n = samples.len() as f64;
    let seconds = own.window.as_secs_f64();
    let values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
    let sum: f64 = values.iter().sum();
    match own.op {
        RangeOp::CountOverTime => n,
        RangeOp::Rate if own.unwrap.is_none() => n / seconds,
        RangeOp::Rate | RangeOp::BytesRate => sum / seconds,
        RangeOp::BytesOverTime | RangeOp::SumOverTime => sum,
        RangeOp::AvgOverTime => sum / n,
        RangeOp::MinOverTime => values.iter().copied().fold(f64::INFINITY, f64::min),
        RangeOp::MaxOverTime => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        RangeOp::StdvarOverTime => variance(&values),
        RangeOp::StddevOverTime => variance(&values).sqrt(),
        RangeOp::FirstOverTime => values[0],
        RangeOp::LastOverTime => values[values.len() - 1],
        RangeOp::QuantileOverTime => quantile(values, own.parameter.expect("it was parsed")),
        RangeOp::RateCounter => rate_counter(samples, after, until) / seconds,
        RangeOp::AbsentOverTime => unreachable!("it looks at all series at once"),
    }
}

fn variance(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64
}

fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(f64::total_cmp);
    let rank = q * (values.len() - 1) as f64;
    let (low, high) = (rank.floor(), rank.ceil());
    let weight = rank - low;
    values[low as usize] * (1.0 - weight) + values[high as usize] * weight
}

fn rate_counter(samples: &[(i64, f64)], after: i64, until: i64) -> f64 {
    if samples.len() < 2 {
        return 0.0;
    }
    let at = |nanos: i64| nanos as f64 / 1e9;
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    let drops = samples.windows(2).filter(|pair| pair[1].1 < pair[0].1);
    let increase = last.1 - first.1 + drops.map(|pair| pair[0].1).sum::<f64>();
    let sampled = at(last.0 - first.0);
    let gap = sampled / (samples.len() - 1) as f64;
    let mut to_start = at(first.0 - after);
    let to_end = at(until - last.0);
    if increase > 0.0 && first.1 >= 0.0 {
        to_start = to_start.min(sampled * first.1 / increase);
    }
    let extend = |distance: f64| if distance < 1.1 * gap { distance } else { gap / 2.0 };
    increase * ((sampled + extend(to_start) + extend(to_end)) / sampled)
}

fn aggregate(own: &VectorAggregation, all: Vector) -> Vector {
    let mut groups: BTreeMap<Labels, Vec<(Labels, f64)>> = BTreeMap::new();
    for (labels, value) in all {
        let mut key = labels.clone();
        match &own.grouping {
            None => key.clear(),
            Some(by) => key.retain(|name, _| by.labels.contains(name) != by.without),
        }
        groups.entry(key).or_default().push((labels, value));
    }
    let k = own.parameter.map_or(0, |k| usize::try_from(k).expect("small"));
    let mut out = Vector::new();
    for (key, mut members) in groups {
        let values: Vec<f64> = members.iter().map(|(_, value)| *value).collect();
        let sum: f64 = values.iter().sum();
        let value = match own.op {
            VectorOp::Sum => sum,
            VectorOp::Avg => sum / values.len() as f64,
            VectorOp::Count => values.len() as f64,
            VectorOp::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
            VectorOp::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            VectorOp::Stdvar => variance(&values),
            VectorOp::Stddev => variance(&values).sqrt(),
            VectorOp::Sort | VectorOp::SortDesc => {
                out.extend(members);
                continue;
            }
            VectorOp::TopK | VectorOp::ApproxTopK | VectorOp::BottomK => {
                let sign = if own.op == VectorOp::BottomK { 1.0 } else { -1.0 };
                // Of equals, the one with the last labels.
                members.reverse();
                members.sort_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)));
                out.extend(members.into_iter().take(k));
                continue;
            }
        };
        out.insert(key, value);
    }
    out
}

fn binary(own: &Binary, left: Value, right: Value) -> Result<Value, Failure> {
    let (left, right) = match (left, right) {
        (Value::Scalar(a), Value::Scalar(b)) => {
            let value = computed(own, a, b, None).expect("a truth is a number here");
            return Ok(Value::Scalar(value));
        }
        (Value::Vector(left), Value::Scalar(b)) => {
            let values = left.into_iter();
            let values =
                values.filter_map(|(labels, a)| Some((labels, computed(own, a, b, Some(a))?)));
            return Ok(Value::Vector(values.collect()));
        }
        (Value::Scalar(a), Value::Vector(right)) => {
            let values = right.into_iter();
            let values =
                values.filter_map(|(labels, b)| Some((labels, computed(own, a, b, Some(b))?)));
            return Ok(Value::Vector(values.collect()));
        }
        (Value::Vector(left), Value::Vector(right)) => (left, right),
    };
    let key = |labels: &Labels| {
        let mut key = labels.clone();
        if let Some(matching) = &own.matching {
            key.retain(|name, _| matching.labels.contains(name) == matching.on);
        }
        key
    };
    let has = |all: &Vector, labels: &Labels| all.keys().any(|other| key(other) == key(labels));
    let mut out = Vector::new();
    match own.op {
        BinaryOp::And => out.extend(left.into_iter().filter(|(labels, _)| has(&right, labels))),
        BinaryOp::Unless => out.extend(left.into_iter().filter(|(labels, _)| !has(&right, labels))),
        BinaryOp::Or => {
            out.extend(right.into_iter().filter(|(labels, _)| !has(&left, labels)));
            out.extend(left);
        }
        _ => return pairs(own, &left, &right, key).map(Value::Vector),
    }
    Ok(Value::Vector(out))
}

fn pairs(
    own: &Binary,
    left: &Vector,
    right: &Vector,
    key: impl Fn(&Labels) -> Labels,
) -> Result<Vector, Failure> {
    let group = own.matching.as_ref().map_or(Group::None, |matching| matching.group);
    let (many, one) = if group == Group::Right { (right, left) } else { (left, right) };
    let keys: BTreeSet<Labels> = one.keys().map(&key).collect();
    if keys.len() < one.len() {
        return Err(Failure::Matching);
    }
    let mut out = Vector::new();
    let mut used = BTreeSet::new();
    for (labels, value) in many {
        let Some((partner, other)) = one.iter().find(|(other, _)| key(other) == key(labels)) else {
            continue;
        };
        let mut result = if group == Group::None { key(labels) } else { labels.clone() };
        for name in own.matching.iter().flat_map(|matching| &matching.include) {
            result.remove(name);
            if let Some(value) = partner.get(name) {
                result.insert(name.clone(), value.clone());
            }
        }
        if !used.insert(result.clone()) {
            return Err(Failure::Matching);
        }
        let (a, b) = if group == Group::Right { (*other, *value) } else { (*value, *other) };
        if let Some(value) = computed(own, a, b, Some(a)) {
            out.insert(result, value);
        }
    }
    Ok(out)
}

/// `kept`: what a comparison without `bool` answers where it holds; `None`: 1 or 0.
fn computed(own: &Binary, a: f64, b: f64, kept: Option<f64>) -> Option<f64> {
    let truth = match own.op {
        BinaryOp::Add => return Some(a + b),
        BinaryOp::Sub => return Some(a - b),
        BinaryOp::Mul => return Some(a * b),
        BinaryOp::Div => return Some(if b == 0.0 { f64::NAN } else { a / b }),
        BinaryOp::Mod => return Some(if b == 0.0 { f64::NAN } else { a % b }),
        BinaryOp::Pow => return Some(a.powf(b)),
        BinaryOp::Equal => a == b,
        BinaryOp::NotEqual => a != b,
        BinaryOp::Greater => a > b,
        BinaryOp::GreaterEqual => a >= b,
        BinaryOp::Less => a < b,
        BinaryOp::LessEqual => a <= b,
        BinaryOp::Or | BinaryOp::And | BinaryOp::Unless => unreachable!("they have no value"),
    };
    match kept {
        Some(kept) if !own.returns_bool => truth.then_some(kept),
        _ => Some(f64::from(u8::from(truth))),
    }
}
