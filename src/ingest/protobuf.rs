//! A push as protobuf: `logproto.PushRequest`, read in place and in one pass.
//!
//! In: the message, already out of snappy. Out: calls on the [`Intake`]. Lines and metadata are
//! slices of the message all the way to the builder.
//!
//! ```text
//! PushRequest { 1: Stream { 1: labels, 2: Entry {..} *, 3: hash } * }
//! Entry { 1: Timestamp { 1: seconds, 2: nanos }, 2: line, 3: LabelPair { 1: name, 2: value } * }
//! ```

use super::Refused;
use super::intake::{Intake, LABELS_MAX};
use super::pairs::Pairs;
use super::validate::Time;
use super::wire::{Fields, Malformed, Value};
use crate::model::{Timestamp, labels_text};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Reads a whole push.
pub(super) fn decode(message: &[u8], intake: &mut Intake<'_>) -> Result<(), Refused> {
    let mut fields = Fields::of(message);
    let mut pairs = intake.pairs();
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(message)) => stream(message, &mut pairs, intake)?,
            (1, _) => return Err(Malformed::Unexpected("Streams").into()),
            _ => {}
        }
    }
    Ok(())
}

fn stream<'m>(
    message: &'m [u8],
    pairs: &mut Pairs<'m>,
    intake: &mut Intake<'_>,
) -> Result<(), Refused> {
    let labels = labels_of(message)?;
    intake.begin(labels, || {
        let text = std::str::from_utf8(labels).map_err(|_| Malformed::LabelsText)?;
        labels_text::parse(text, LABELS_MAX)
            .map_err(|error| Refused::undecodable(format!("couldn't parse labels: {error}")))
    })?;
    let mut fields = Fields::of(message);
    let mut labels_seen = false;
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, _) if labels_seen => return Err(Malformed::LabelsTwice.into()),
            (1, _) => labels_seen = true,
            (2, Value::Bytes(message)) => entry(message, pairs, intake)?,
            (2, _) => return Err(Malformed::Unexpected("Entries").into()),
            // A hash that Loki's parts tell each other. An entry whose tag was damaged looks like one,
            // and passing over it would be to acknowledge what is not stored.
            (3, Value::Varint(_)) => {}
            (3, _) => return Err(Malformed::Unexpected("Hash").into()),
            _ => {}
        }
    }
    intake.end();
    Ok(())
}

/// The labels of a stream: its first field with every encoder we know, else wherever they are.
fn labels_of(message: &[u8]) -> Result<&[u8], Malformed> {
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(labels)) => return Ok(labels),
            (1, _) => return Err(Malformed::Unexpected("Labels")),
            _ => {}
        }
    }
    Ok(b"")
}

fn entry<'m>(
    message: &'m [u8],
    pairs: &mut Pairs<'m>,
    intake: &mut Intake<'_>,
) -> Result<(), Malformed> {
    let mut fields = Fields::of(message);
    let (mut time, mut line) = (Time::Missing, &b""[..]);
    pairs.clear();
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(message)) => time = timestamp(message)?,
            (2, Value::Bytes(text)) => line = text,
            (3, Value::Bytes(message)) => pair(message, pairs)?,
            (1, _) => return Err(Malformed::Unexpected("Timestamp")),
            (2, _) => return Err(Malformed::Unexpected("Line")),
            (3, _) => return Err(Malformed::Unexpected("StructuredMetadata")),
            _ => {}
        }
    }
    intake.entry(time, line, pairs);
    Ok(())
}

fn timestamp(message: &[u8]) -> Result<Time, Malformed> {
    let mut fields = Fields::of(message);
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Varint(number)) => seconds = number.cast_signed(),
            (2, Value::Varint(number)) => nanos = number.cast_signed(),
            (1, _) => return Err(Malformed::Unexpected("Seconds")),
            (2, _) => return Err(Malformed::Unexpected("Nanos")),
            _ => {}
        }
    }
    if !(0..NANOS_PER_SECOND).contains(&nanos) {
        return Ok(Time::Odd { seconds, nanos });
    }
    let whole = seconds.saturating_mul(NANOS_PER_SECOND);
    Ok(Time::At(Timestamp(whole.saturating_add(nanos))))
}

fn pair<'m>(message: &'m [u8], pairs: &mut Pairs<'m>) -> Result<(), Malformed> {
    let mut fields = Fields::of(message);
    let (mut name, mut text) = (&b""[..], &b""[..]);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(bytes)) => name = bytes,
            (2, Value::Bytes(bytes)) => text = bytes,
            (1, _) => return Err(Malformed::Unexpected("Name")),
            (2, _) => return Err(Malformed::Unexpected("Value")),
            _ => {}
        }
    }
    pairs.push(String::from_utf8_lossy(name), String::from_utf8_lossy(text));
    Ok(())
}
