//! Chunks come back as they were written, and nothing else comes back at all.

use proptest::prelude::*;

use super::footer::TRAILER_BYTES;
use super::naive::{ALL, Entry, Streams, block, entries_of, index_of, read, rows_of, slice, write};
use super::*;
use crate::model::column::put_varint;
use crate::model::merge::Merged;
use crate::model::{Labels, Metadata, Tenant};

fn labels(app: &str) -> Labels {
    Labels::from_pairs([("app", app), ("env", "prod")]).expect("unique")
}

fn options(codec: Codec, block_bytes: usize) -> WriteOptions {
    WriteOptions { codec, level: 1, window_log: 0, block_bytes }
}

/// Three streams with what logs have: a burst, a regular beat, traces, levels, equal times.
fn sample() -> Streams {
    let start = 1_795_132_800_000_000_000_i64;
    let level = |i: i64| if i % 7 == 0 { "error" } else { "info" };
    let web = |i: i64| -> Entry {
        let line = format!("GET /api/v1/things/{} 200 in {}ms", i * 37 % 101, i * i % 90);
        let set =
            [("detected_level", level(i).to_owned()), ("trace_id", format!("{:08x}", i * 7919))];
        (start + i * i * 1_003, line, Metadata::from_pairs(set))
    };
    let beat = |i: i64| (start + i * 15_000_000_000, "beat é".to_owned(), Metadata::empty());
    let equal = |i: i64| {
        let line = if i == 3 { String::new() } else { format!("{i}\nsecond line") };
        (start + i / 4, line, Metadata::from_pairs([("detected_level", level(i))]))
    };
    vec![
        (labels("beat"), (0..40).map(beat).collect()),
        (labels("equal"), (0..10).map(equal).collect()),
        (labels("web"), (0..60).map(web).collect()),
    ]
}

#[test]
fn comes_back_with_every_codec() {
    for codec in Codec::ALL {
        for block_bytes in [1, 300, 1 << 20] {
            let (object, summary) = write(&sample(), options(codec, block_bytes));
            assert_eq!(read(&object), Ok(sample()));
            assert_eq!(verify(&object), Ok(summary.content));
            assert_eq!((summary.n_entries, summary.n_streams), (110, 3));
            assert_eq!(summary.levels.iter().sum::<u64>(), 110);
            assert_eq!(summary.n_blocks, index_of(&object).expect("good").blocks.len());
        }
    }
}

#[test]
fn an_empty_chunk_is_a_chunk() {
    let (object, summary) = write(&vec![(labels("web"), vec![])], WriteOptions::default());
    assert_eq!(read(&object), Ok(vec![]));
    assert_eq!((summary.n_entries, summary.n_streams, summary.min_timestamp), (0, 0, 0));
}

#[test]
fn columns_are_read_apart() {
    let (object, _) = write(&sample(), options(Codec::Zstd, 500));
    for meta in &index_of(&object).expect("good").blocks {
        let all = block(&object, meta, ALL).expect("all columns");
        let none = block(&object, meta, Columns::default()).expect("timestamps");
        assert_eq!(none.timestamps, all.timestamps);
        assert!(none.lines.is_none() && none.metadata.is_none());
        let want = Columns { lines: true, metadata: false };
        let lines = block(&object, meta, want).expect("lines").lines.expect("lines");
        let own = all.lines.as_ref().expect("lines");
        assert_eq!((&lines.offsets, lines.span()), (&own.offsets, own.span()));
        let small = slice(&object, meta.small_range(want));
        let lengths = read_line_bytes(meta, small).expect("line lengths");
        assert_eq!(lengths, own.offsets.windows(2).map(|p| p[1] - p[0]).collect::<Vec<_>>());
        let want = Columns { lines: false, metadata: true };
        let metadata = block(&object, meta, want).expect("metadata").metadata.expect("metadata");
        let own = all.metadata.as_ref().expect("metadata");
        assert_eq!((&metadata.ids, &metadata.sets), (&own.ids, &own.sets));
        assert!(meta.small_range(Columns::default()).end <= meta.small_range(want).end);
        // Too few bytes are an error, and more than needed are not.
        assert!(read_block(meta, &small[..small.len() - 1], None, want).is_err());
        assert!(read_block(meta, slice(&object, meta.small_range(ALL)), None, want).is_ok());
    }
}

#[test]
fn the_tail_is_enough() {
    let (object, _) = write(&sample(), options(Codec::Zstd, 100));
    let tail = |n: usize| open(&object[object.len() - n..], object.len() as u64);
    assert_eq!(tail(0), Ok(Opened::NeedsMore { bytes_from_end: TRAILER_BYTES }));
    let Ok(Opened::NeedsMore { bytes_from_end }) = tail(TRAILER_BYTES + 10) else {
        panic!("the index is longer than that");
    };
    let Ok(Opened::Index(index)) = tail(bytes_from_end) else { panic!("the index is there") };
    assert_eq!(Ok(index), index_of(&object));
    assert_eq!(tail(bytes_from_end - 1), Ok(Opened::NeedsMore { bytes_from_end }));
}

#[test]
fn blocks_are_cut_evenly() {
    let check = |line_bytes: &[usize], block_bytes: usize, expected: &[usize]| {
        let entry = |(i, n): (i64, &usize)| (i, "x".repeat(*n), Metadata::empty());
        let entries: Vec<Entry> = (0..).zip(line_bytes).map(entry).collect();
        let (object, _) = write(&vec![(labels("a"), entries)], options(Codec::Zstd, block_bytes));
        let index = index_of(&object).expect("good");
        let n_rows: Vec<usize> = index.blocks.iter().map(|meta| meta.n_rows as usize).collect();
        assert_eq!(n_rows, expected);
    };
    check(&[10; 10], 100, &[10]);
    check(&[10; 11], 100, &[6, 5]);
    check(&[10; 25], 100, &[9, 9, 7]);
    check(&[10, 500, 10], 100, &[1, 1, 1]);
    check(&[0; 10], 1, &[10]);
    check(&vec![0; BLOCK_ROWS_MAX + 1], 1, &[BLOCK_ROWS_MAX, 1]);
    check(&[BLOCK_BYTES_MAX + 1, 1], BLOCK_BYTES_MAX, &[1, 1]);
}

#[test]
fn set_numbers_and_offsets_do_not_decide_the_bytes() {
    let entries = &sample()[2].1;
    let mut rows = rows_of(entries);
    let chunk = |rows: &crate::model::Rows| {
        let mut writer = ChunkWriter::new(&Tenant::single(), WriteOptions::default());
        writer.stream(&labels("web"), &Merged::of([rows]));
        writer.finish()
    };
    let before = chunk(&rows);
    let metadata = rows.metadata.as_mut().expect("all columns");
    let n = metadata.sets.len();
    let mut sets = metadata.sets.to_vec();
    sets[1..].reverse();
    sets.push(Metadata::from_pairs([("un", "used")]));
    metadata.sets = sets.into();
    for id in &mut metadata.ids {
        *id = u32::try_from(n).expect("few") - *id;
    }
    let lines = rows.lines.as_mut().expect("all columns");
    lines.bytes = lines.span().to_vec().into();
    for offset in &mut lines.offsets {
        *offset -= 6;
    }
    assert_eq!(entries_of(&rows), *entries);
    assert_eq!(chunk(&rows), before);
}

#[test]
fn cut_anywhere_is_an_error() {
    let (object, _) = write(&sample(), options(Codec::Zstd, 1000));
    for cut in 0..object.len() {
        assert!(verify(&object[..cut]).is_err(), "cut at {cut}");
        assert!(open(&object[..cut], cut as u64).is_err(), "cut at {cut}");
        let cut_short = open(&object[..cut], object.len() as u64);
        assert!(!matches!(cut_short, Ok(Opened::Index(_))), "cut at {cut}");
    }
    let index = index_of(&object).expect("good");
    for meta in &index.blocks {
        let (small, text) = (meta.small_range(ALL), meta.lines_range());
        let (small, text) = (slice(&object, small), slice(&object, text));
        for cut in 0..small.len() {
            assert!(read_block(meta, &small[..cut], Some(text), ALL).is_err(), "cut at {cut}");
        }
        for cut in 0..text.len() {
            assert!(read_block(meta, small, Some(&text[..cut]), ALL).is_err(), "cut at {cut}");
        }
    }
}

/// The header is no part of what rows are read from: only `verify` sees it.
#[test]
fn a_flipped_bit_never_gives_other_rows() {
    let (object, _) = write(&sample(), options(Codec::Zstd, 1000));
    let index = index_of(&object).expect("good");
    let range = index.filters_range().expect("lines enough for filters");
    let of_values = index.values_range().expect("there is metadata");
    let filters = |object: &[u8]| index.filters(slice(object, range.clone()).to_vec().into());
    let values = |object: &[u8]| index.values(slice(object, of_values.clone()).to_vec().into());
    assert!(filters(&object).is_ok() && values(&object).is_ok());
    for bit in 0..object.len() * 8 {
        let mut flipped = object.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&flipped).is_err(), "bit {bit}");
        let in_filters = range.contains(&(bit as u64 / 8));
        assert_eq!(filters(&flipped).is_err(), in_filters, "bit {bit}");
        let in_values = of_values.contains(&(bit as u64 / 8));
        assert_eq!(values(&flipped).is_err(), in_values, "bit {bit}");
        let in_filters = in_filters || in_values;
        match read(&flipped) {
            Ok(streams) => assert!((bit < 64 || in_filters) && streams == sample(), "bit {bit}"),
            Err(_) => assert!(bit >= 64 && !in_filters, "bit {bit}"),
        }
    }
}

/// An object like `object`, with another index.
fn with_index(object: &[u8], sections: &[u8], raw: &[u8]) -> Vec<u8> {
    let trailer = object.last_chunk::<TRAILER_BYTES>().expect("a trailer");
    let trailer = footer::Trailer::get(trailer).expect("good");
    let mut out = slice(object, 0..trailer.index_offset).to_vec();
    out.extend_from_slice(sections);
    let index_offset = out.len() as u64;
    out.extend_from_slice(raw);
    let n = u32::try_from(raw.len()).expect("short");
    let content = xxhash_rust::xxh3::xxh3_64(&out);
    let object_len = (out.len() + TRAILER_BYTES) as u64;
    let index_crc = crc32c::crc32c(raw);
    let (n_index_stored, n_index_raw) = (n, n);
    footer::Trailer { index_offset, n_index_stored, n_index_raw, index_crc, content, object_len }
        .put(&mut out);
    out
}

#[test]
fn unknown_sections_are_passed_over() {
    let (object, _) = write(&sample(), options(Codec::Zstd, 1000));
    let mut index = index_of(&object).expect("good");
    let filters = index.filters.take().expect("lines enough for filters");
    let values = index.values.take().expect("there is metadata");
    let mut raw = Vec::new();
    index.put(&mut raw);
    assert_eq!(raw.pop(), Some(0), "no sections");
    put_varint(&mut raw, 3);
    for (kind, section) in [(78, filters), (79, values)] {
        put_varint(&mut raw, kind);
        put_varint(&mut raw, u64::from(section.stored.n_bytes));
        raw.extend_from_slice(&[0; 4]);
    }
    put_varint(&mut raw, 77);
    put_varint(&mut raw, 6);
    raw.extend_from_slice(&[0; 4]);
    let with = with_index(&object, b"filter", &raw);
    assert_eq!(read(&with), Ok(sample()));
    assert!(verify(&with).is_ok());
    assert!(read(&with_index(&object, b"filte", &raw)).is_err(), "a gap between regions");
}

#[test]
fn a_later_version_is_named() {
    let (mut object, _) = write(&sample(), WriteOptions::default());
    let trailer = object.len() - TRAILER_BYTES;
    object[trailer + 44] = 2;
    let crc = crc32c::crc32c(&object[trailer..trailer + 48]);
    object[trailer + 48..trailer + 52].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(index_of(&object), Err(Error::Version { version: 2 }));
}

/// What a byte may become, when somebody means ill.
fn changes(own: u8) -> [u8; 9] {
    [0, 1, 0x7f, 0x80, 0xff, own ^ 1, own ^ 0x80, own.wrapping_add(1), own.wrapping_sub(1)]
}

/// A checksum is no proof against malice: with checksums made good again, whatever stands in the
/// index or in a column is refused or gives rows that keep their invariants.
#[test]
fn any_byte_may_be_anything() {
    let read_any = |object: &[u8], blocks: &[BlockMeta]| {
        for meta in blocks {
            if let Ok(rows) = block(object, meta, ALL) {
                assert_eq!(entries_of(&rows).len(), meta.n_rows as usize);
            }
        }
    };
    for codec in [Codec::None, Codec::Zstd] {
        let (object, _) = write(&sample(), options(codec, 400));
        let index = index_of(&object).expect("good");
        let mut raw = Vec::new();
        index.put(&mut raw);
        for at in 0..raw.len() {
            for value in changes(raw[at]) {
                let mut changed = raw.clone();
                changed[at] = value;
                let changed = with_index(&object, &[], &changed);
                if let Ok(index) = index_of(&changed) {
                    read_any(&changed, &index.blocks);
                }
            }
        }
        for meta in &index.blocks {
            for at in meta.small_range(ALL).chain(meta.lines_range()) {
                for value in changes(slice(&object, at..at + 1)[0]) {
                    let mut changed = object.clone();
                    changed[usize::try_from(at).expect("short")] = value;
                    let mut meta = meta.clone();
                    let mut offset = meta.small_offset;
                    for stored in [&mut meta.timestamps, &mut meta.lengths, &mut meta.metadata] {
                        let end = offset + u64::from(stored.n_bytes);
                        stored.crc = crc32c::crc32c(slice(&changed, offset..end));
                        offset = end;
                    }
                    meta.text.crc = crc32c::crc32c(slice(&changed, meta.lines_range()));
                    read_any(&changed, std::slice::from_ref(&meta));
                }
            }
        }
    }
}

/// Chunks of every format stay readable, and the writer still writes the newest as it did: where
/// this fails, replicas of two versions of drave would write different objects for the same rows.
/// `UPDATE_GOLDEN=1` rewrites the files of the newest format, never those of an older one.
#[test]
fn golden() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/chunk");
    for codec in Codec::ALL {
        let name = format!("{codec:?}").to_lowercase();
        // Written before there were filters.
        let golden = std::fs::read(format!("{folder}/v1-{name}.chunk")).expect("a golden file");
        assert_eq!(read(&golden), Ok(sample()), "without filters, {name}");
        assert_eq!(index_of(&golden).expect("good").filters_range(), None);
        // Written before there were filters of metadata.
        let golden = std::fs::read(format!("{folder}/v1-filters-{name}.chunk"));
        let golden = golden.expect("a golden file");
        assert_eq!(read(&golden), Ok(sample()), "without filters of metadata, {name}");
        assert_eq!(index_of(&golden).expect("good").values_range(), None);
        // Written when filters noted what stands across the end of a line, too.
        let golden = std::fs::read(format!("{folder}/v1-values-{name}.chunk"));
        let golden = golden.expect("a golden file");
        assert_eq!(read(&golden), Ok(sample()), "with grams across lines, {name}");
        let path = format!("{folder}/v1-lines-{name}.chunk");
        let (written, _) = write(&sample(), options(codec, 1000));
        if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
            std::fs::write(&path, &written).expect("the folder of the golden files");
        }
        let golden = std::fs::read(&path).expect("a golden file per codec");
        assert_eq!(read(&golden), Ok(sample()), "{path}");
        assert!(golden == written, "the writer no longer writes {path}");
    }
}

fn some_streams() -> impl Strategy<Value = Streams> {
    let level = prop_oneof![Just(None), Just(Some("info")), Just(Some("fatal")), Just(Some("odd"))];
    let pairs = prop::collection::vec(("[k-m]", ".{0,4}"), 0..3);
    let metadata = (pairs, level).prop_map(|(pairs, level)| {
        let level = level.map(|level| ("detected_level".to_owned(), level.to_owned()));
        Metadata::from_pairs(pairs.into_iter().chain(level))
    });
    let timestamp = prop_oneof![any::<i64>(), 0..20_i64, Just(i64::MIN), Just(i64::MAX)];
    let line = prop_oneof![".{0,20}", "[ab]{0,200}"];
    let entries = prop::collection::vec((timestamp, line, metadata), 1..30);
    prop::collection::btree_map("[a-e]{1,2}", entries, 0..5).prop_map(|streams| {
        let as_set = |(app, mut entries): (String, Vec<Entry>)| {
            entries.sort_by_key(|entry| entry.0);
            let mut set: Vec<Entry> = Vec::new();
            for entry in entries {
                if !set.contains(&entry) {
                    set.push(entry);
                }
            }
            (labels(&app), set)
        };
        streams.into_iter().map(as_set).collect()
    })
}

proptest! {
    #[test]
    fn comes_back(
        streams in some_streams(),
        codec in prop::sample::select(Codec::ALL.to_vec()),
        block_bytes in prop_oneof![1..100_usize, Just(1 << 20)],
    ) {
        let (object, summary) = write(&streams, options(codec, block_bytes));
        let n: usize = streams.iter().map(|(_, entries)| entries.len()).sum();
        prop_assert_eq!(summary.n_entries, n as u64);
        prop_assert_eq!(read(&object), Ok(streams));
    }

    #[test]
    fn survives_anything(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = open(&bytes, bytes.len() as u64);
        let _ = ChunkIndex::get(&bytes, 8);
        let (object, _) = write(&sample(), options(Codec::Zstd, 1000));
        let _ = index_of(&with_index(&object, &[], &bytes));
    }
}
