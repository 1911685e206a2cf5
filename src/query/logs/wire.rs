//! A log query on another node: its first entries come back.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use bytes::Bytes;
use drave_proto::scan as proto;
use prost::Message;

use super::{Collector, Direction, EntryLabels, Key, LogEntry, Pairs, bytes_of, collect};
use crate::logql::pipeline::{Hints, Pipeline};
use crate::logql::{self, ast};
use crate::model::Timestamp;
use crate::query::Error;
use crate::query::remote::{Job, bad, in_parts, malformed};
use crate::scan::Order;
use crate::scan::remote::{from_pairs, to_pairs};

/// What another node is told of a query; nothing where its text would not say all.
pub(super) fn asked(query: &ast::LogQuery, now: i64, limit: usize) -> Option<proto::Entries> {
    let query = ast::Query::Log(query.clone()).to_exact_text()?;
    Some(proto::Entries { query, now, limit: limit as u64 })
}

/// Answers with the first entries of this shard.
pub(in crate::query) async fn answer(job: &Job, asked: proto::Entries) -> Result<(), Error> {
    let ast::Query::Log(log) = logql::parse(&asked.query)? else {
        return Err(bad("a query for numbers where entries are wanted"));
    };
    let pipeline = Pipeline::compile(&log.pipeline, &Hints { labels: None, now: asked.now });
    let pipeline = pipeline.map_err(|error| Error::BadQuery(error.to_string()))?;
    let (direction, bound) = match job.request.order {
        Order::Forward => (Direction::Forward, i64::MAX),
        Order::Backward => (Direction::Backward, i64::MIN),
        Order::Any => return Err(bad("entries in no order")),
    };
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    if limit == 0 {
        return Err(bad("no entries at all"));
    }
    let bound = AtomicI64::new(bound);
    let room = job.scanner.clone();
    let collector = Arc::new(Collector { pipeline, direction, limit, bound, asked: None, room });
    let entries =
        collect(&job.scanner, &job.snapshot, &job.request, &collector, &job.stats).await?;
    job.send_all(move || in_parts(entries, bytes_of).into_iter().map(part).collect()).await;
    Ok(())
}

fn part(entries: Vec<LogEntry>) -> Vec<u8> {
    let mut part = proto::EntriesPart::default();
    let mut numbers: HashMap<Arc<EntryLabels>, u32> = HashMap::new();
    for LogEntry { timestamp, line, labels, key } in entries {
        let next = u32::try_from(part.labels.len()).expect("a part is small");
        let number = *numbers.entry(labels).or_insert_with_key(|labels| {
            part.labels.push(from_labels(labels));
            next
        });
        part.entries.push(proto::Entry {
            timestamp: timestamp.nanos(),
            stream: key.stream,
            position: key.position as u64,
            labels: number,
            line: line.into(),
        });
    }
    part.encode_to_vec()
}

fn from_labels(labels: &EntryLabels) -> proto::EntryLabels {
    let texts = |pairs: &Pairs| from_pairs(pairs.iter().cloned());
    proto::EntryLabels {
        stream: texts(&labels.stream),
        metadata: texts(&labels.metadata),
        parsed: texts(&labels.parsed),
    }
}

fn to_labels(labels: proto::EntryLabels) -> Option<EntryLabels> {
    let pairs = |texts: Vec<String>| {
        let pairs: Pairs = to_pairs(texts).ok()?;
        pairs.is_sorted().then_some(pairs)
    };
    Some(EntryLabels {
        stream: pairs(labels.stream)?,
        metadata: pairs(labels.metadata)?,
        parsed: pairs(labels.parsed)?,
    })
}

/// Takes a part of such an answer in.
pub(super) fn add(found: &mut Vec<LogEntry>, part: Bytes) -> Result<(), Error> {
    let part = proto::EntriesPart::decode(part).map_err(|_| malformed("no entries"))?;
    let labels: Option<Vec<Arc<EntryLabels>>> =
        part.labels.into_iter().map(|labels| to_labels(labels).map(Arc::new)).collect();
    let labels = labels.ok_or_else(|| malformed("labels that cannot be"))?;
    found.reserve(part.entries.len());
    for entry in part.entries {
        let labels = labels.get(entry.labels as usize);
        let labels = labels.ok_or_else(|| malformed("an entry without labels"))?;
        let position = usize::try_from(entry.position);
        let position = position.map_err(|_| malformed("an entry at no place"))?;
        let timestamp = entry.timestamp;
        found.push(LogEntry {
            timestamp: Timestamp(timestamp),
            line: entry.line.into(),
            labels: Arc::clone(labels),
            key: Key { timestamp, stream: entry.stream, position },
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(timestamp: i64, stream: u64, position: usize, labels: &Arc<EntryLabels>) -> LogEntry {
        let line = format!("line {timestamp}").into();
        let key = Key { timestamp, stream, position };
        LogEntry { timestamp: Timestamp(timestamp), line, labels: Arc::clone(labels), key }
    }

    #[test]
    fn entries_come_as_they_went() {
        let pairs = |pairs: &[(&str, &str)]| -> Pairs {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let one = Arc::new(EntryLabels { stream: pairs(&[("a", "1")]), ..EntryLabels::default() });
        let two = Arc::new(EntryLabels {
            stream: pairs(&[("a", "2"), ("b", "\u{e9}")]),
            metadata: pairs(&[("trace", "x")]),
            parsed: pairs(&[("level", "")]),
        });
        let entries =
            vec![entry(-3, 7, 0, &one), entry(5, u64::MAX, 1 << 20, &two), entry(5, 7, 3, &one)];
        let bytes = Bytes::from(part(entries.clone()));
        let mut read = Vec::new();
        add(&mut read, bytes.clone()).expect("a good part");
        assert_eq!(read, entries);
        assert!(Arc::ptr_eq(&read[0].labels, &read[2].labels), "shared as they were");
        for end in 0..bytes.len() {
            let mut read = Vec::new();
            let _ = add(&mut read, bytes.slice(..end));
            assert!(read.len() <= entries.len());
        }
        let odd = proto::EntryLabels { stream: vec!["a".into()], ..proto::EntryLabels::default() };
        assert_eq!(to_labels(odd), None);
        let lost = proto::EntriesPart { labels: vec![], entries: vec![proto::Entry::default()] };
        assert!(add(&mut read, lost.encode_to_vec().into()).is_err());
    }

    #[test]
    fn a_query_is_told_as_text_that_says_all() {
        let check = |query: &str, expected: &str| {
            let Ok(ast::Query::Log(log)) = logql::parse(query) else { panic!("{query}") };
            let asked = asked(&log, 1, 2).expect("it can be said");
            assert_eq!(asked.query, expected);
        };
        check(r#"{a="b"}"#, r#"{a="b"}"#);
        check(
            r#"{ a=~`b.*"` ,c!=""}|="x" or "y"|json |d > 1.5 | line_format `{{.e}}`"#,
            r#"{a=~"b.*\"", c!=""} |= "x" or "y" | json | d>1.5 | line_format "{{.e}}""#,
        );
    }
}
