//! Batches come back as they went in, and nothing else comes back at all.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::model::{Labels, Metadata, Tenant};

/// An entry as a plain value: what a batch is, naively.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    tenant: Tenant,
    labels: Labels,
    timestamp: i64,
    line: String,
    metadata: Metadata,
}

fn build(entries: &[Entry]) -> BatchBuilder {
    let mut builder = BatchBuilder::new();
    for entry in entries {
        builder.segment(&entry.tenant, &entry.labels);
        let metadata = builder.metadata(&entry.metadata);
        builder.push(entry.timestamp, &entry.line, metadata);
    }
    builder
}

fn entries_of(batch: &Batch) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    let decoded = batch.decode()?;
    assert_eq!(decoded.len(), batch.segments().len());
    for (segment, rows) in batch.segments().iter().zip(&decoded) {
        let lines = rows.lines.as_ref().expect("all columns");
        let metadata = rows.metadata.as_ref().expect("all columns");
        let mut levels = [0; 9];
        let mut metadata_bytes = 0;
        for row in 0..rows.len() {
            levels[crate::model::column::level_slot(metadata.get(row))] += 1;
            metadata_bytes += metadata.get(row).bytes() as u64;
            entries.push(Entry {
                tenant: segment.tenant.clone(),
                labels: segment.labels.clone(),
                timestamp: rows.timestamps[row],
                line: lines.text(row).into(),
                metadata: metadata.get(row).clone(),
            });
        }
        assert_eq!((levels, metadata_bytes), (segment.levels, segment.metadata_bytes));
        assert_eq!((rows.len(), lines.len()), (segment.n_rows as usize, rows.len()));
    }
    Ok(entries)
}

fn some_entries() -> impl Strategy<Value = Vec<Entry>> {
    let tenant = prop_oneof![Just("a"), Just("b")];
    let pods = prop::collection::vec(("[ab]", "[x-z]{1,2}"), 0..2);
    let metadata =
        prop::collection::vec(("[kl]", prop_oneof![Just(""), Just("é"), Just("v")]), 0..3);
    let level = prop_oneof![Just(None), Just(Some("info")), Just(Some("error")), Just(Some("odd"))];
    let timestamp = prop_oneof![any::<i64>(), 0..50_i64, Just(i64::MIN), Just(i64::MAX)];
    let line = prop_oneof![".{0,20}", "[a-c]{0,300}"];
    let entry = (tenant, pods, timestamp, line, metadata, level).prop_map(
        |(tenant, labels, timestamp, line, metadata, level)| {
            let level = level.map(|level| ("detected_level".to_owned(), level));
            let metadata = metadata.into_iter().chain(level);
            Entry {
                tenant: Tenant::parse(tenant).expect("a tenant"),
                labels: Labels::from_pairs(labels.into_iter().take(1)).expect("one label"),
                timestamp,
                line,
                metadata: Metadata::from_pairs(metadata),
            }
        },
    );
    prop::collection::vec(entry, 0..40)
}

fn sample() -> Vec<Entry> {
    let labels = |app: &str| Labels::from_pairs([("app", app)]).expect("unique");
    let entry = |app: &str, i: i64| Entry {
        tenant: Tenant::single(),
        labels: labels(app),
        timestamp: 1_795_132_800_000_000_000 + i * 1_000_003,
        line: format!("GET /api/v1/things/{i} 200 {}ms", i * 7 % 31),
        metadata: Metadata::from_pairs([("detected_level", "info")]),
    };
    (0..9).map(|i| entry(if i < 5 { "web" } else { "db" }, i)).collect()
}

#[test]
fn says_what_is_in_it_without_decoding() {
    let entries = sample();
    let builder = build(&entries);
    let batch = Batch::open(builder.encode()).expect("what was written");
    let segments = batch.segments();
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[1].labels, entries[8].labels);
    assert_eq!((segments[0].n_rows, segments[1].n_rows), (5, 4));
    assert_eq!(segments[0].max_timestamp, entries[4].timestamp);
    assert_eq!(segments[1].min_timestamp, entries[5].timestamp);
    assert_eq!(segments[1].levels, [0, 0, 4, 0, 0, 0, 0, 0, 0]);
    assert_eq!(batch.n_entries(), 9);
    assert_eq!(batch.raw_bytes(), builder.raw_bytes() as u64);
    assert!(batch.memory_bytes() > batch.bytes().len());
}

#[test]
fn set_numbers_survive_appending() {
    let entries = sample();
    let mut builder = BatchBuilder::new();
    let number = builder.metadata(&Metadata::from_pairs([("own", "set")]));
    builder.append(build(&entries));
    builder.push(1, "last", number);
    let batch = Batch::open(builder.encode()).expect("what was written");
    let found = entries_of(&batch).expect("what was written");
    assert_eq!(found[..9], entries);
    assert_eq!(found[9].metadata.get("own"), Some("set"));
}

#[test]
fn a_single_line_stays_small() {
    let bytes = build(&sample()[..1]).encode();
    assert!(bytes.len() < 72 + 40 + 35 + 30, "{} bytes", bytes.len());
}

#[test]
fn an_empty_batch_is_a_batch() {
    let mut builder = BatchBuilder::new();
    builder.segment(&Tenant::single(), &Labels::empty());
    assert!(builder.is_empty());
    let batch = Batch::open(builder.encode()).expect("what was written");
    assert!(batch.segments().is_empty());
    assert_eq!(entries_of(&batch), Ok(vec![]));
}

#[test]
fn a_later_version_is_named() {
    let mut bytes = build(&sample()).encode().to_vec();
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[8..]);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(Batch::open(bytes.into()).err(), Some(Error::Version { version: 2 }));
}

#[test]
fn cut_anywhere_is_an_error() {
    let bytes = build(&sample()).encode();
    for cut in 0..bytes.len() {
        assert!(Batch::open(bytes.slice(..cut)).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_is_an_error() {
    let bytes = build(&sample()).encode();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Batch::open(flipped.into()).is_err(), "bit {bit}");
    }
}

/// A checksum is no proof against malice: whatever a byte becomes, with the checksum made good
/// again, it neither panics nor claims memory that the header's limits do not allow.
#[test]
fn any_byte_may_be_anything() {
    let bytes = build(&sample()).encode();
    for at in 8..bytes.len() {
        let own = bytes[at];
        for value in [0, 1, 2, 0x7f, 0x80, 0xff, own ^ 1, own ^ 0x80, own.wrapping_add(1), !own] {
            let mut changed = bytes.to_vec();
            changed[at] = value;
            let crc = crc32c::crc32c(&changed[8..]);
            changed[4..8].copy_from_slice(&crc.to_le_bytes());
            if let Ok(batch) = Batch::open(changed.into()) {
                // Rows that say something else may come out; the invariants of rows hold.
                let _ = entries_of_any(&batch);
            }
        }
    }
}

/// Reads every line and set, without the checks that only hold for what was not changed.
fn entries_of_any(batch: &Batch) -> Result<usize, Error> {
    let decoded = batch.decode()?;
    let text = |rows: &crate::model::Rows| -> usize {
        let (lines, metadata) = (rows.lines.as_ref(), rows.metadata.as_ref());
        let (lines, metadata) = (lines.expect("all columns"), metadata.expect("all columns"));
        (0..rows.len()).map(|row| lines.text(row).len() + metadata.get(row).bytes()).sum()
    };
    Ok(decoded.iter().map(text).sum())
}

proptest! {
    #[test]
    fn comes_back(entries in some_entries(), effort in prop::sample::select(vec![Effort::Sent, Effort::Kept])) {
        let builder = build(&entries);
        let raw: usize = entries.iter().map(|e| e.line.len() + e.metadata.bytes()).sum();
        prop_assert_eq!((builder.n_entries(), builder.raw_bytes()), (entries.len(), raw));
        let batch = Batch::open(builder.encode_for(effort)).expect("what was written");
        prop_assert_eq!(batch.raw_bytes(), raw as u64);
        prop_assert_eq!(entries_of(&batch), Ok(entries));
    }

    #[test]
    fn appending_is_pushing(a in some_entries(), b in some_entries(), c in some_entries()) {
        let mut builder = build(&a);
        builder.append(build(&b));
        builder.append(build(&c));
        let all = [a, b, c].concat();
        prop_assert_eq!(builder.raw_bytes(), build(&all).raw_bytes());
        let batch = Batch::open(builder.encode()).expect("what was written");
        prop_assert_eq!(entries_of(&batch), Ok(all));
    }

    #[test]
    fn survives_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = bytes;
        if bytes.len() >= 8 {
            bytes[..4].copy_from_slice(b"DRVB");
            let crc = crc32c::crc32c(&bytes[8..]);
            bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        }
        if let Ok(batch) = Batch::open(Bytes::from(bytes)) {
            let _ = batch.decode();
        }
    }
}
