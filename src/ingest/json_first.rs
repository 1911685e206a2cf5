//! A push as JSON in the first version of Loki's API, as some old agents still write it.
//!
//! ```text
//! {"streams": [{"labels": "{a=\"b\"}", "entries": [{"ts": "<RFC 3339>", "line": "<line>"}]}]}
//! ```
//!
//! In: the text. Out: calls on the [`Intake`]. Unknown keys are ignored; labels must stand before the
//! entries, as every agent writes them.

use super::Refused;
use super::intake::{Intake, LABELS_MAX};
use super::json_text::{Malformed, Reader, Written};
use super::pairs::Pairs;
use super::validate::Time;
use crate::model::{Timestamp, labels_text};

/// Reads a whole push.
pub(super) fn decode(text: &[u8], intake: &mut Intake<'_>) -> Result<(), Refused> {
    let mut reader = Reader::new(text);
    let mut pairs = intake.pairs();
    reader.expect(b'{', "expected an object with streams")?;
    let mut first = true;
    while reader.another(b'}', &mut first)? {
        if *reader.key()?.bytes()? != *b"streams" {
            reader.skip()?;
            continue;
        }
        reader.expect(b'[', "expected an array of streams")?;
        let mut first = true;
        while reader.another(b']', &mut first)? {
            stream(&mut reader, &mut pairs, intake)?;
        }
    }
    match reader.peek() {
        None => Ok(()),
        Some(_) => Err(reader.error("something after the end").into()),
    }
}

fn stream(
    reader: &mut Reader<'_>,
    pairs: &mut Pairs<'_>,
    intake: &mut Intake<'_>,
) -> Result<(), Refused> {
    reader.expect(b'{', "expected a stream object")?;
    let mut named = false;
    let mut first = true;
    while reader.another(b'}', &mut first)? {
        match &*reader.key()?.bytes()? {
            b"labels" if named => return Err(reader.error("a stream named twice").into()),
            b"labels" => {
                let text = reader.string("expected labels as a string")?.strict_text()?;
                intake.begin(text.as_bytes(), || {
                    labels_text::parse(&text, LABELS_MAX).map_err(|error| {
                        Refused::undecodable(format!("couldn't parse labels: {error}"))
                    })
                })?;
                named = true;
            }
            b"entries" if !named => {
                return Err(reader.error("expected labels before entries").into());
            }
            b"entries" => {
                reader.expect(b'[', "expected an array of entries")?;
                let mut first = true;
                while reader.another(b']', &mut first)? {
                    entry(reader, pairs, intake)?;
                }
            }
            _ => reader.skip()?,
        }
    }
    intake.end();
    Ok(())
}

fn entry(
    reader: &mut Reader<'_>,
    pairs: &mut Pairs<'_>,
    intake: &mut Intake<'_>,
) -> Result<(), Malformed> {
    reader.expect(b'{', "expected an entry: {\"ts\": \"...\", \"line\": \"...\"}")?;
    let (mut at, mut line) = (Time::Missing, Vec::new());
    let mut first = true;
    while reader.another(b'}', &mut first)? {
        match &*reader.key()?.bytes()? {
            b"ts" | b"timestamp" => at = time(reader.string("expected a time as a string")?)?,
            b"line" => line = reader.string("expected a line as a string")?.bytes()?.into_owned(),
            _ => reader.skip()?,
        }
    }
    pairs.clear();
    intake.entry(at, &line, pairs);
    Ok(())
}

fn time(written: Written<'_>) -> Result<Time, Malformed> {
    let wrong = || Malformed { what: "expected a time as in RFC 3339", offset: written.offset() };
    let text = std::str::from_utf8(written.raw()).map_err(|_| wrong())?;
    let at = chrono::DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?;
    let nanos = at.timestamp_nanos_opt().ok_or_else(wrong)?;
    Ok(Time::At(Timestamp(nanos)))
}

#[cfg(test)]
mod tests {
    use super::super::{Accepted, Context, Refused, StreamCache, push_first};
    use crate::model::limits::Limits;
    use crate::model::{Batch, Tenant, Timestamp};

    fn push(body: &str) -> Result<Accepted, Refused> {
        let tenant = Tenant::single();
        let context = Context {
            tenant: &tenant,
            limits: &Limits::default(),
            now: Timestamp::from_secs(1_795_132_800),
            n_shards: 1,
            atomic: false,
            policy: None,
            backfill: None,
            cache: &StreamCache::default(),
        };
        push_first(body.as_bytes().to_vec().into(), Some("application/json"), None, &context)
    }

    #[test]
    fn what_old_agents_write() {
        let body = r#"{"streams":[{"labels":"{app=\"a\"}","entries":[
            {"ts":"2026-11-20T00:00:00.000000005Z","line":"x\ty"},
            {"ts":"2026-11-20T01:00:00+01:00","line":"z","other":[1]}]}]}"#;
        let accepted = push(body).expect("a good push");
        assert_eq!((accepted.n_entries, accepted.refused.n_entries()), (2, 0));
        let batch = Batch::open(accepted.shards[0].1.encode()).expect("our own batch");
        assert_eq!(batch.segments()[0].labels.to_string(), r#"{app="a", service_name="a"}"#);
        let rows = &batch.decode().expect("our own batch")[0];
        let line = |row: usize| rows.lines.as_ref().expect("all columns").text(row);
        assert_eq!([line(0), line(1)], ["x\ty", "z"]);
        assert_eq!(rows.timestamps[0] - rows.timestamps[1], 5);
    }

    #[test]
    fn what_is_refused() {
        let check = |body: &str, text: &str| {
            let refused = push(body).err().expect(body);
            assert_eq!(refused.status, 400);
            assert!(refused.message.contains(text), "{}", refused.message);
        };
        check("[]", "expected an object with streams");
        check(r#"{"streams":[{"entries":[]}]}"#, "expected labels before entries");
        check(r#"{"streams":[{"labels":"a=b"}]}"#, "couldn't parse labels");
        let entry = |ts: &str| {
            format!(r#"{{"streams":[{{"labels":"{{a=\"b\"}}","entries":[{{"ts":"{ts}"}}]}}]}}"#)
        };
        check(&entry("1795132800"), "expected a time as in RFC 3339");
        check(&format!("{} x", entry("2026-11-20T00:00:00Z")), "something after the end");
    }
}
