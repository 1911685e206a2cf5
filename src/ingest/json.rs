//! A push as JSON, read in one pass.
//!
//! ```text
//! {"streams": [{"stream": {"<label>": "<value>"},
//!               "values": [["<ns>", "<line>", {"<name>": "<value>"}]]}]}
//! ```
//!
//! In: the text. Out: calls on the [`Intake`]. As in Loki, unknown keys are ignored, a number or a
//! truth value as a label value is its text, and a missing line is an empty one; a time that is not
//! a string of decimal nanoseconds and a line or metadata value that is not a string refuse the
//! push. Unlike in Loki, so do a label set or a list of values given twice, more than three members
//! in an entry, and anything after the document.

use super::Refused;
use super::intake::{Intake, LABELS_MAX, LabelPairs};
use super::json_text::{Malformed, Reader, Written};
use super::pairs::Pairs;
use super::validate::Time;
use crate::model::{Timestamp, labels, labels_text};

/// Buffers that are used again for every entry.
struct Scratch<'t> {
    pairs: Pairs<'t>,
    line: Vec<u8>,
}

/// Reads a whole push.
pub(super) fn decode(text: &[u8], intake: &mut Intake<'_>) -> Result<(), Refused> {
    let mut reader = Reader::new(text);
    if reader.peek().is_none() {
        return Err(Refused::undecodable("EOF"));
    }
    let mut scratch = Scratch { pairs: intake.pairs(), line: Vec::new() };
    if !reader.eat_null() {
        reader.expect(b'{', "expected an object with streams")?;
        let mut first = true;
        while reader.another(b'}', &mut first)? {
            if *reader.key()?.bytes()? == *b"streams" {
                streams(&mut reader, &mut scratch, intake)?;
            } else {
                reader.skip()?;
            }
        }
    }
    match reader.peek() {
        None => Ok(()),
        Some(_) => Err(reader.error("something after the end").into()),
    }
}

fn streams<'t>(
    reader: &mut Reader<'t>,
    scratch: &mut Scratch<'t>,
    intake: &mut Intake<'_>,
) -> Result<(), Refused> {
    if reader.eat_null() {
        return Ok(());
    }
    reader.expect(b'[', "expected an array of streams")?;
    let mut first = true;
    while reader.another(b']', &mut first)? {
        stream(reader, scratch, intake)?;
    }
    Ok(())
}

fn stream<'t>(
    reader: &mut Reader<'t>,
    scratch: &mut Scratch<'t>,
    intake: &mut Intake<'_>,
) -> Result<(), Refused> {
    reader.expect(b'{', "expected a stream object")?;
    // Values that came before the name of their stream are read again at the end of the object.
    let (mut named, mut has_values, mut waiting) = (false, false, None);
    let mut first = true;
    while reader.another(b'}', &mut first)? {
        let key = reader.key()?;
        match &*key.bytes()? {
            b"stream" if named => return Err(reader.error("a stream named twice").into()),
            b"stream" if reader.eat_null() => {}
            b"stream" => {
                name(reader, intake)?;
                named = true;
            }
            b"values" if has_values => return Err(reader.error("values given twice").into()),
            b"values" => {
                has_values = true;
                if named {
                    values(reader, scratch, intake)?;
                } else {
                    waiting = Some(reader.here());
                    reader.skip()?;
                }
            }
            _ => reader.skip()?,
        }
    }
    if let Some(mut at_values) = waiting {
        if !named {
            intake.begin_nameless();
        }
        values(&mut at_values, scratch, intake)?;
    }
    intake.end();
    Ok(())
}

/// Begins the stream that the object here names.
fn name(reader: &mut Reader<'_>, intake: &mut Intake<'_>) -> Result<(), Refused> {
    reader.peek();
    let start = reader.offset();
    if reader.peek() != Some(b'{') {
        return Err(reader.error("expected an object of labels").into());
    }
    reader.skip()?;
    let text = reader.since(start);
    intake.begin(text, || labels_of(text, start))
}

/// The labels of a stream object that was skipped, so that its grammar is good.
fn labels_of(text: &[u8], start: usize) -> Result<LabelPairs, Refused> {
    let mut reader = Reader::new(text);
    let at_start = |error: Malformed| Malformed { offset: error.offset + start, ..error };
    let mut read = || -> Result<LabelPairs, Malformed> {
        let mut pairs = LabelPairs::new();
        reader.expect(b'{', "expected an object of labels")?;
        let mut first = true;
        while reader.another(b'}', &mut first)? {
            let name = reader.key()?.strict_text()?;
            let value = match reader.peek() {
                Some(b'"') => reader.string("expected a label value")?.strict_text()?,
                Some(b'{' | b'[' | b'n') => return Err(reader.error("expected a label value")),
                _ => String::from_utf8_lossy(reader.scalar()?).into_owned(),
            };
            pairs.push((name, value));
            if pairs.len() > LABELS_MAX {
                return Err(reader.error("too many labels"));
            }
        }
        Ok(pairs)
    };
    let pairs = read().map_err(at_start)?;
    match pairs.iter().all(|(name, _)| labels_text::is_label_name(name)) {
        true => Ok(pairs),
        false => Err(bad_name(pairs)),
    }
}

/// What Loki says of a bad name: it writes the labels as Prometheus text, and its parser trips.
fn bad_name(mut pairs: LabelPairs) -> Refused {
    pairs.sort();
    let members: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", labels::Quoted(value))).collect();
    let problem = match labels_text::parse(&format!("{{{}}}", members.join(", ")), LABELS_MAX) {
        Err(error) => error.to_string(),
        // A name that is text of its own, with quotes and commas.
        Ok(_) => "a label name is not [a-zA-Z_][a-zA-Z0-9_]*".into(),
    };
    Refused::undecodable(format!("couldn't parse labels: {problem}"))
}

fn values<'t>(
    reader: &mut Reader<'t>,
    scratch: &mut Scratch<'t>,
    intake: &mut Intake<'_>,
) -> Result<(), Malformed> {
    if reader.eat_null() {
        return Ok(());
    }
    reader.expect(b'[', "expected an array of values")?;
    let mut first = true;
    while reader.another(b']', &mut first)? {
        entry(reader, scratch, intake)?;
    }
    Ok(())
}

#[inline]
fn entry<'t>(
    reader: &mut Reader<'t>,
    scratch: &mut Scratch<'t>,
    intake: &mut Intake<'_>,
) -> Result<(), Malformed> {
    reader.expect(b'[', "expected an entry: [\"<ns>\", \"<line>\"]")?;
    let time = time(reader.string("expected a timestamp as a string of nanoseconds")?)?;
    scratch.pairs.clear();
    let mut line: &[u8] = b"";
    let mut first = false;
    if reader.another(b']', &mut first)? {
        line = reader.string("expected a line as a string")?.bytes_in(&mut scratch.line)?;
        if reader.another(b']', &mut first)? {
            metadata(reader, &mut scratch.pairs)?;
            reader.expect(b']', "expected the end of an entry")?;
        }
    }
    intake.entry(time, line, &mut scratch.pairs);
    Ok(())
}

/// Decimal nanoseconds with an optional minus; what 64 bits cannot say is malformed.
fn time(written: Written<'_>) -> Result<Time, Malformed> {
    let wrong = || Malformed {
        what: "expected a timestamp of decimal nanoseconds",
        offset: written.offset(),
    };
    let text = written.raw();
    let is_number = text.strip_prefix(b"-").unwrap_or(text).iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| is_number);
    let nanos = number.and_then(|number| number.parse::<i64>().ok()).ok_or_else(wrong)?;
    Ok(Time::At(Timestamp(nanos)))
}

fn metadata<'t>(reader: &mut Reader<'t>, pairs: &mut Pairs<'t>) -> Result<(), Malformed> {
    reader.expect(b'{', "expected structured metadata as an object")?;
    let mut first = true;
    while reader.another(b'}', &mut first)? {
        let name = reader.key()?.text()?;
        let value = reader.string("expected a structured metadata value as a string")?.text()?;
        pairs.push(name, value);
    }
    Ok(())
}
