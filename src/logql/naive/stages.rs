//! Stages by the definition: an entry goes in, and comes out with other labels or another line, or not
//! at all. Nothing is shared with the code under test but the tree and matchers.

use super::evaluate::{Entry, Labels};
use crate::logql::ast::*;
use crate::model::Selector;

/// The comparisons right behind a stage. A parser asks them when it finds their label, so the
/// first error is that of the label that stands first in the line: that is how Loki has it.
pub(super) fn behind(stages: &[Stage]) -> Vec<&LabelFilter> {
    let near = stages.iter().take_while(|s| matches!(s, Stage::Label(_) | Stage::Line(_)));
    let filters = near.filter_map(|stage| match stage {
        Stage::Label(LabelFilter::And(..) | LabelFilter::Or(..)) => None,
        Stage::Label(filter) => Some(filter),
        _ => None,
    });
    filters.collect()
}

fn name_of(filter: &LabelFilter) -> &str {
    match filter {
        LabelFilter::Text(matcher) => &matcher.name,
        LabelFilter::Ip { name, .. }
        | LabelFilter::Number { name, .. }
        | LabelFilter::Duration { name, .. }
        | LabelFilter::Bytes { name, .. } => name,
        LabelFilter::And(..) | LabelFilter::Or(..) => unreachable!("they were left out"),
    }
}

pub(super) fn selects(selector: &Selector, stream: &Labels) -> bool {
    selector.matchers.iter().all(|matcher| matcher.accepts(value(stream, &matcher.name)))
}

pub(super) fn value<'l>(labels: &'l Labels, name: &str) -> &'l str {
    labels.get(name).map_or("", String::as_str)
}

pub(super) fn pass(stage: &Stage, behind: &[&LabelFilter], mut entry: Entry) -> Option<Entry> {
    match stage {
        Stage::Line(filter) => return keeps_line(filter, &entry.line).then_some(entry),
        Stage::Label(filter) => return keeps(filter, &mut entry.labels).then_some(entry),
        Stage::Json(list) if list.is_empty() => json(&mut entry, behind)?,
        Stage::Json(list) => json_paths(&mut entry, list),
        Stage::Logfmt { strict, keep_empty, extract } if extract.is_empty() => {
            logfmt(&mut entry, behind, *strict, *keep_empty)?;
        }
        Stage::Logfmt { extract, .. } => logfmt_keys(&mut entry, extract),
        Stage::Pattern(pattern) => {
            for (name, text) in captured(pattern, &entry.line.clone()) {
                extracted(&mut entry, behind, &name, &text)?;
            }
        }
        Stage::Unpack => unpack(&mut entry, behind)?,
        Stage::Decolorize => {
            let sequence = regex::Regex::new("\x1b\\[[0-9;]*m").expect("a good regex");
            entry.line = sequence.replace_all(&entry.line, "").into_owned();
        }
        Stage::Regexp(pattern) => {
            let regex = regex::Regex::new(pattern).expect("a good regex");
            let line = entry.line.clone();
            if let Some(found) = regex.captures(&line) {
                for name in regex.capture_names().flatten() {
                    let text = found.name(name).map_or("", |text| text.as_str());
                    extracted(&mut entry, behind, name, text)?;
                }
            }
        }
        Stage::LineFormat(template) => match filled(template, &entry.labels, &entry.line) {
            Some(line) => entry.line = line,
            None => fail(&mut entry.labels, "TemplateFormatErr"),
        },
        Stage::LabelFormat(formats) => {
            let before = entry.labels.clone();
            for format in formats {
                match format {
                    LabelFormat::Rename { to, from } => {
                        if let Some(value) = entry.labels.remove(from) {
                            entry.labels.insert(to.clone(), value);
                        }
                    }
                    LabelFormat::Template { to, template } => {
                        match filled(template, &before, &entry.line) {
                            Some(text) => {
                                entry.labels.insert(to.clone(), text);
                            }
                            None => fail(&mut entry.labels, "TemplateFormatErr"),
                        }
                    }
                }
            }
        }
        Stage::Drop(list) => entry.labels.retain(|name, value| !names(list, name, value)),
        Stage::Keep(list) => {
            entry.labels.retain(|name, value| name == "__error__" || names(list, name, value));
        }
    }
    Some(entry)
}

fn names(list: &[NamedMatcher], name: &str, value: &str) -> bool {
    list.iter().any(|item| match item {
        NamedMatcher::Name(own) => own == name,
        NamedMatcher::Matcher(matcher) => matcher.name == name && matcher.accepts(value),
    })
}

fn keeps_line(filter: &LineFilter, line: &str) -> bool {
    let is = |operand: &LineOperand| match operand {
        LineOperand::Text(text) => is_text(filter.op, text, line),
        LineOperand::Ip(set) => {
            let mut words = line.split(|c: char| !c.is_ascii_digit() && c != '.');
            words.any(|word| is_inside(set, word))
        }
    };
    let found = filter.operands.iter().any(is);
    let negative =
        matches!(filter.op, LineOp::NotContains | LineOp::NotMatches | LineOp::NotPattern);
    found != negative
}

fn is_text(op: LineOp, text: &str, line: &str) -> bool {
    match op {
        LineOp::Contains | LineOp::NotContains => line.contains(text),
        LineOp::Matches | LineOp::NotMatches => {
            regex::Regex::new(text).expect("a good regex").is_match(line)
        }
        LineOp::Pattern | LineOp::NotPattern => fits(&pieces(text), line),
    }
}

/// Whether a text is an address of a set: one, a CIDR or a range.
fn is_inside(set: &str, text: &str) -> bool {
    let number = |text: &str| text.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
    let Some(own) = number(text) else { return false };
    let good = "a good set";
    if let Some((first, last)) = set.split_once('-') {
        return (number(first).expect(good)..=number(last).expect(good)).contains(&own);
    }
    let (address, bits) = set.split_once('/').unwrap_or((set, "32"));
    let free = 32 - bits.parse::<u32>().expect(good);
    u64::from(own) >> free == u64::from(number(address).expect(good)) >> free
}

/// A pattern cut at its gaps; the first and last piece may be empty.
fn pieces(pattern: &str) -> Vec<String> {
    pattern.split("<_>").map(String::from).collect()
}

/// Whether literals follow each other with something in each gap, the last one at the end.
fn fits(pieces: &[String], line: &str) -> bool {
    let [first, rest @ ..] = pieces else { return line.is_empty() };
    let Some(start) = line.find(first.as_str()) else { return false };
    let mut at = if first.is_empty() { 0 } else { start + first.len() };
    if rest.is_empty() {
        return !first.is_empty() && at == line.len() || line.is_empty() && first.is_empty();
    }
    for (number, literal) in rest.iter().enumerate() {
        if at >= line.len() {
            return false;
        }
        if literal.is_empty() && number + 1 == rest.len() {
            return true;
        }
        let gap = line[at..].chars().next().map_or(1, char::len_utf8);
        let Some(found) = line[at + gap..].find(literal.as_str()) else { return false };
        at += gap + found + literal.len();
    }
    at == line.len()
}

fn json(entry: &mut Entry, behind: &[&LabelFilter]) -> Option<()> {
    let parsed: Result<serde_json::Map<String, serde_json::Value>, _> =
        serde_json::from_str(&entry.line);
    match parsed {
        Err(_) => fail(&mut entry.labels, "JSONParserErr"),
        Ok(members) => flatten(entry, behind, "", members)?,
    }
    Some(())
}

fn flatten(
    entry: &mut Entry,
    behind: &[&LabelFilter],
    prefix: &str,
    members: serde_json::Map<String, serde_json::Value>,
) -> Option<()> {
    for (name, value) in members {
        let name = format!("{prefix}{name}");
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Object(members) => {
                flatten(entry, behind, &format!("{name}_"), members)?;
                continue;
            }
            serde_json::Value::Null | serde_json::Value::Array(_) => continue,
            plain => plain.to_string(),
        };
        extracted(entry, behind, &name, &text)?;
    }
    Some(())
}

/// Sets what is asked for; what is not there is empty. Objects and arrays are shown as they stand.
fn json_paths(entry: &mut Entry, list: &[Extract]) {
    if entry.line.is_empty() {
        return;
    }
    // Its very first byte must begin a value, though spaces may stand before others.
    let begins = entry.line.starts_with(['{', '[', '"']);
    let line = serde_json::from_str::<serde_json::Value>(&entry.line).ok().filter(|_| begins);
    let Some(line) = line else {
        fail(&mut entry.labels, "JSONParserErr");
        return;
    };
    let mut any_missing = false;
    for Extract { label, expression } in list {
        let mut steps = expression.split(['.', '[']).map(|step| step.trim_end_matches(']'));
        let found = steps.try_fold(&line, |value, step| match step.parse::<usize>() {
            Ok(index) => value.get(index),
            Err(_) => value.get(step),
        });
        match found {
            None => any_missing = true,
            Some(serde_json::Value::Null) => asked(entry, label, ""),
            Some(serde_json::Value::String(text)) => asked(entry, label, text),
            Some(other) => asked(entry, label, &other.to_string()),
        }
    }
    // Where one is missing, all that are not there are empty: those that were dropped, too.
    for Extract { label, .. } in list.iter().filter(|_| any_missing) {
        entry.labels.entry(label.clone()).or_default();
    }
}

/// Sets a label that was asked for by its name.
fn asked(entry: &mut Entry, label: &str, text: &str) {
    let clash = entry.taken.contains(label);
    let name = if clash { format!("{label}_extracted") } else { label.to_string() };
    entry.labels.insert(name, text.to_owned());
}

fn unpack(entry: &mut Entry, behind: &[&LabelFilter]) -> Option<()> {
    if entry.line.is_empty() {
        return Some(());
    }
    let parsed: Result<serde_json::Map<String, serde_json::Value>, _> =
        serde_json::from_str(&entry.line);
    let Some(members) = parsed.ok().filter(|_| entry.line.starts_with('{')) else {
        fail(&mut entry.labels, "JSONParserErr");
        return Some(());
    };
    let Some(line) = members.get("_entry").and_then(|line| line.as_str()) else {
        return Some(());
    };
    entry.line = line.into();
    for (name, value) in &members {
        if let (Some(text), true) = (value.as_str(), name != "_entry") {
            extracted(entry, behind, name, text)?;
        }
    }
    Some(())
}

/// What `| pattern` takes out of a line: its literals cut the line, the first one at its start; a
/// literal that is missing leaves the rest to the capture before it.
fn captured(pattern: &str, line: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (literal, mut pattern) = pattern.split_once('<').expect("a capture");
    if line.is_empty() {
        return found;
    }
    let Some(mut rest) = line.strip_prefix(literal) else { return found };
    loop {
        let (name, after) = pattern.split_once('>').expect("a closed capture");
        let (literal, next) = after.split_once('<').unwrap_or((after, ""));
        let end = if literal.is_empty() { None } else { rest.find(literal) };
        if name != "_" {
            found.push((name.into(), rest[..end.unwrap_or(rest.len())].into()));
        }
        match end {
            Some(end) if !next.is_empty() => rest = &rest[end + literal.len()..],
            _ => return found,
        }
        pattern = next;
    }
}

/// The pairs of a line. A piece with quotes in it is malformed (`None`), and a word alone has an
/// empty value; what is not printed separates.
fn pairs(line: &str) -> Vec<Option<(String, String)>> {
    let pieces = line.split(|c: char| c <= ' ').filter(|piece| !piece.is_empty());
    let pair = |piece: &str| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        (!piece.contains('"') && !name.is_empty()).then(|| (name.into(), value.into()))
    };
    pieces.map(pair).collect()
}

fn logfmt(
    entry: &mut Entry,
    behind: &[&LabelFilter],
    strict: bool,
    keep_empty: bool,
) -> Option<()> {
    for pair in pairs(&entry.line.clone()) {
        match pair {
            Some((name, value)) if keep_empty || !value.is_empty() => {
                extracted(entry, behind, &name, &value)?;
            }
            Some(_) => {}
            None if strict => {
                fail(&mut entry.labels, "LogfmtParserErr");
                break;
            }
            None => {}
        }
    }
    Some(())
}

fn logfmt_keys(entry: &mut Entry, list: &[Extract]) {
    for Extract { label, .. } in list {
        if !entry.taken.contains(label) {
            entry.labels.insert(label.clone(), String::new());
        }
    }
    let pairs = pairs(&entry.line.clone());
    for Extract { label, expression } in list {
        // Of a key that is asked for, the last one counts.
        let mut found = pairs.iter().flatten().filter(|(name, _)| name == expression);
        if let Some((_, value)) = found.next_back() {
            asked(entry, label, value);
        }
    }
}

/// A name as labels may have it.
fn sanitized(name: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name: String = name.trim().chars().map(|c| if good(c) { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// Sets a label; `None` where a filter behind the parser refuses it.
fn extracted(entry: &mut Entry, behind: &[&LabelFilter], name: &str, value: &str) -> Option<()> {
    let name = sanitized(name);
    if name.is_empty() {
        return Some(());
    }
    let clash = entry.taken.contains(&name);
    let name = if clash { format!("{name}_extracted") } else { name };
    if entry.taken.contains(&name) || entry.labels.contains_key(&name) {
        return Some(());
    }
    entry.labels.insert(name.clone(), value.into());
    let filter = behind.iter().find(|filter| name_of(filter) == name);
    filter.is_none_or(|filter| keeps(filter, &mut entry.labels)).then_some(())
}

pub(super) fn fail(labels: &mut Labels, kind: &str) {
    labels.entry("__error__".into()).or_insert_with(|| kind.into());
}

/// Fills in what is generated: labels, the line, a few functions and one `if`. Nothing where a
/// function cannot have its argument.
fn filled(template: &str, labels: &Labels, line: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").expect("a closed action");
        out.push_str(before);
        rest = after;
        if let Some(condition) = action.strip_prefix("if .") {
            let (yes, after) = rest.split_once("{{else}}").expect("an else");
            let (no, after) = after.split_once("{{end}}").expect("an end");
            let chosen = if value(labels, condition).is_empty() { no } else { yes };
            out.push_str(&filled(chosen, labels, line)?);
            rest = after;
            continue;
        }
        let (argument, function) = action.split_once(" | ").unwrap_or((action, ""));
        let argument = match argument.strip_prefix('.') {
            Some(name) => value(labels, name),
            None => line,
        };
        out.push_str(&match function {
            "" => argument.to_string(),
            "upper" => argument.to_uppercase(),
            "trunc 2" => argument.chars().take(2).collect(),
            "default `0`" if argument.is_empty() => "0".into(),
            "default `0`" => argument.to_string(),
            "bytes" => size(argument)?.to_string(),
            "duration" => seconds(argument)?.to_string(),
            other => unreachable!("{other} is not generated"),
        });
    }
    Some(out + rest)
}

pub(super) fn keeps(filter: &LabelFilter, labels: &mut Labels) -> bool {
    match filter {
        LabelFilter::Text(matcher) => matcher.accepts(value(labels, &matcher.name)),
        LabelFilter::Number { name, op, value } => {
            compared(labels, name, *op, *value, |text| text.parse().ok())
        }
        LabelFilter::Duration { name, op, nanos } => {
            compared(labels, name, *op, *nanos as f64 / 1e9, seconds)
        }
        LabelFilter::Bytes { name, op, bytes } => compared(labels, name, *op, *bytes as f64, size),
        LabelFilter::And(left, right) => {
            let (left, right) = (keeps(left, labels), keeps(right, labels));
            left && right
        }
        LabelFilter::Or(left, right) => keeps(left, labels) || keeps(right, labels),
        LabelFilter::Ip { .. } if labels.contains_key("__error__") => true,
        LabelFilter::Ip { name, negated, pattern } => {
            labels.get(name).is_some_and(|text| is_inside(pattern, text) != *negated)
        }
    }
}

fn compared(
    labels: &mut Labels,
    name: &str,
    op: CompareOp,
    than: f64,
    read: fn(&str) -> Option<f64>,
) -> bool {
    if labels.contains_key("__error__") {
        return true;
    }
    let Some(text) = labels.get(name) else { return false };
    let Some(value) = read(text) else {
        fail(labels, "LabelFilterErr");
        return true;
    };
    match op {
        CompareOp::Equal => value == than,
        CompareOp::NotEqual => value != than,
        CompareOp::Less => value < than,
        CompareOp::LessEqual => value <= than,
        CompareOp::Greater => value > than,
        CompareOp::GreaterEqual => value >= than,
    }
}

/// `10ms`, `2s`
pub(super) fn seconds(text: &str) -> Option<f64> {
    let (number, factor) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s')?, 1.0),
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

/// `512`, `1KB`, `2KiB`
pub(super) fn size(text: &str) -> Option<f64> {
    let (number, factor) = match (text.strip_suffix("KiB"), text.strip_suffix("KB")) {
        (Some(number), _) => (number, 1024.0),
        (None, Some(number)) => (number, 1000.0),
        (None, None) => (text, 1.0),
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}
