//! Cells against counting row by row, here and over the wire.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::Metadata;

const LEVELS: [Option<&str>; 4] = [None, Some("info"), Some("error"), Some("WARN")];

fn tally(by_stream: bool, by_level: bool, bin: Option<Bin>) -> Tally {
    Tally { filters: LineFilters::default(), by_stream, by_level, bin, extremes: true }
}

/// Rows of one stream in the order of time, each with a level by number.
fn rows(mut entries: Vec<(i64, usize)>) -> Rows {
    entries.sort_unstable();
    let set = |level: &Option<&str>| {
        let pairs = level.map(|level| (DETECTED_LEVEL, level));
        Metadata::from_pairs(pairs)
    };
    let sets = LEVELS.iter().map(set).collect();
    let ids = entries.iter().map(|(_, level)| u32::try_from(*level).expect("small")).collect();
    Rows {
        timestamps: entries.iter().map(|(at, _)| *at).collect(),
        lines: None,
        metadata: Some(MetadataColumn { sets, ids }),
    }
}

/// Stream, level and bin with the times and the number of rows.
type Counted = BTreeMap<(String, Option<String>, i64), (i64, i64, u64)>;

fn counted(found: &Found) -> Counted {
    let cells = found.cells.iter().map(|(key, cell)| {
        let stream = found.streams[key.stream as usize].get("app").unwrap_or_default().to_owned();
        let level = found.levels[key.level as usize].as_deref().map(str::to_owned);
        ((stream, level, key.bin), (cell.first, cell.last, cell.n))
    });
    cells.collect()
}

fn naive(pieces: &[(usize, Vec<(i64, usize)>)], tally: &Tally) -> Counted {
    let mut counted = Counted::new();
    for (stream, entries) in pieces {
        for (at, level) in entries {
            let stream = if tally.by_stream { format!("a{stream}") } else { String::new() };
            let level = LEVELS[*level].filter(|_| tally.by_level).map(str::to_owned);
            let bin = tally.bin.map_or(0, |bin| (at - bin.origin).div_euclid(bin.width));
            let cell = counted.entry((stream, level, bin)).or_insert((*at, *at, 0));
            *cell = (cell.0.min(*at), cell.1.max(*at), cell.2 + 1);
        }
    }
    counted
}

proptest! {
    #[test]
    fn cells_count_as_rows_do(
        pieces in prop::collection::vec(
            (0..3usize, prop::collection::vec((-60..60i64, 0..4usize), 0..30)), 0..6),
        by_stream in any::<bool>(), by_level in any::<bool>(),
        bin in prop::option::of((1..40i64, -20..20i64)),
    ) {
        let bin = bin.map(|(width, origin)| Bin { width, origin });
        let tally = tally(by_stream, by_level, bin);
        let key = |labels: &Labels| match by_stream {
            true => labels.clone(),
            false => Labels::from_pairs::<&str, &str>([]).expect("unique"),
        };
        let mut found = Found::default();
        for (stream, entries) in &pieces {
            let labels = Labels::from_pairs([("app", format!("a{stream}"))]).expect("unique");
            let stream = found.stream(key(&labels));
            tally.rows(&mut found, stream, rows(entries.clone()));
        }
        let expected = naive(&pieces, &tally);
        prop_assert_eq!(&counted(&found), &expected);
        let mut arrived = Found::default();
        for part in wire::into_parts(found) {
            wire::add(&mut arrived, part.into(), &tally, key).expect("a good part");
        }
        prop_assert_eq!(counted(&arrived), expected);
    }
}

#[test]
fn cells_that_cannot_be_are_refused() {
    use drave_proto::scan::CellsPart;
    use prost::Message;

    let check = |part: CellsPart, good: bool| {
        let tally = tally(false, false, Some(Bin { width: 10, origin: 0 }));
        let added =
            wire::add(&mut Found::default(), part.encode_to_vec().into(), &tally, Labels::clone);
        assert_eq!(added.is_ok(), good, "{part:?}");
    };
    let streams =
        crate::scan::remote::from_streams(&[Labels::from_pairs([("app", "a")]).expect("unique")]);
    let good = CellsPart {
        streams: Some(streams),
        levels: vec![String::new()],
        stream: vec![0],
        level: vec![0],
        n_rows: vec![3],
        first: vec![1],
        last: vec![9],
    };
    check(good.clone(), true);
    check(CellsPart { stream: vec![1], ..good.clone() }, false);
    check(CellsPart { level: vec![1], ..good.clone() }, false);
    check(CellsPart { last: vec![10], ..good.clone() }, false);
    check(CellsPart { last: vec![0], ..good.clone() }, false);
    check(CellsPart { n_rows: vec![], ..good }, false);
}
