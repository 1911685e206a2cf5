//! Counting blocks of timestamps, merging, limits.

use proptest::prelude::*;

use super::*;
use crate::logql::ast::{LogQuery, RangeAggregation};
use crate::logql::metric::Leaf;
use crate::model::{MetadataColumn, Selector};

fn leaf(op: RangeOp, range: i64) -> Arc<Leaf> {
    let log = LogQuery { selector: Selector::default(), pipeline: Vec::new(), span: 0..0 };
    let aggregation = RangeAggregation {
        op,
        parameter: None,
        log,
        unwrap: None,
        window: std::time::Duration::from_nanos(range.unsigned_abs()),
        offset_nanos: 0,
        grouping: None,
        span: 0..0,
    };
    Arc::new(Leaf::compile(&aggregation, None, 0).expect("a good aggregation"))
}

fn stream(app: &str) -> Labels {
    Labels::from_pairs([("app", app)]).expect("unique")
}

proptest! {
    /// Counting a block at once, its rows, or the halves in two threads is all the same, and what
    /// the definition says.
    #[test]
    fn counts(
        mut timestamps in prop::collection::vec(-50..150i64, 0..80),
        sorted in any::<bool>(), range in 0..60i64, step in 1..30i64, n in 1..9usize,
    ) {
        if sorted {
            timestamps.sort_unstable();
        }
        let leaf = leaf(RangeOp::CountOverTime, range);
        let sum = {
            let mut grouped = (*leaf).clone();
            grouped.group = crate::logql::metric::groups::GroupBy::Nothing;
            Arc::new(grouped)
        };
        let steps = Steps { start: 10, step, n };
        let labels = stream("web");
        let mut bulk = Accumulator::new(leaf.clone(), steps, 10);
        bulk.add_counts(&labels, &Metadata::empty(), &timestamps).expect("few series");
        let rows = |timestamps: &[i64]| {
            let mut column = MetadataColumn::none(timestamps.len());
            // A second set that no row has keeps the rows from being counted at once.
            column.sets = [Metadata::empty(), Metadata::from_pairs([("x", "y")])].into();
            Rows { timestamps: timestamps.to_vec(), lines: None, metadata: Some(column) }
        };
        let mut one = Accumulator::new(leaf.clone(), steps, 10);
        let mut two = Accumulator::new(leaf.clone(), steps, 10);
        let (first, second) = timestamps.split_at(timestamps.len() / 2);
        one.add_rows(&labels, &rows(first)).expect("few series");
        two.add_rows(&labels, &rows(second)).expect("few series");
        one.merge(two).expect("few series");
        let mut naive = Points::none(n);
        for i in 0..n {
            let end = steps.time(i);
            let count = timestamps.iter().filter(|t| end - range < **t && **t <= end).count();
            if count > 0 {
                naive.set(i, count as f64);
            }
        }
        let naive = Series { labels: labels.clone(), points: naive };
        let naive = if naive.points.is_empty() { vec![] } else { vec![naive] };
        let mut blocks = Accumulator::new(sum.clone(), steps, 10);
        for block in timestamps.chunks(3).filter(|block| block.is_sorted()) {
            let n_rows = block.len() as u64;
            if !blocks.add_block(&labels, block[0]..=block[block.len() - 1], n_rows) {
                blocks.add_counts(&labels, &Metadata::empty(), block).expect("few series");
            }
        }
        for block in timestamps.chunks(3).filter(|block| !block.is_sorted()) {
            blocks.add_counts(&labels, &Metadata::empty(), block).expect("few series");
        }
        let shown = |all: Vec<Series>| {
            all.into_iter().filter(|series| !series.points.is_empty()).collect::<Vec<_>>()
        };
        prop_assert_eq!(
            shown(blocks.finish()).into_iter().map(|series| series.points).collect::<Vec<_>>(),
            naive.iter().map(|series| series.points.clone()).collect::<Vec<_>>()
        );
        prop_assert_eq!(shown(bulk.finish()), naive.clone());
        prop_assert_eq!(shown(one.finish()), naive);
    }
}

#[test]
fn series_are_limited_and_metadata_tells_them_apart() {
    let leaf = leaf(RangeOp::CountOverTime, 10);
    let mut accumulator = Accumulator::new(leaf.clone(), Steps::instant(10), 2);
    let sets = vec![Metadata::empty(), Metadata::from_pairs([("app", "x"), ("empty", "")])];
    let metadata = Some(MetadataColumn { sets: sets.into(), ids: vec![0, 1, 1] });
    let rows = Rows { timestamps: vec![1, 2, 50], lines: None, metadata };
    accumulator.add_rows(&stream("web"), &rows).expect("two series");
    assert_eq!(accumulator.add_rows(&stream("api"), &rows), Err(Error::TooManySeries { limit: 2 }));
    let mut accumulator = Accumulator::new(leaf.clone(), Steps::instant(10), 2);
    accumulator.add_rows(&stream("web"), &rows).expect("two series");
    let mut shown: Vec<String> = accumulator
        .finish()
        .iter()
        .map(|series| format!("{} {:?}", series.labels, series.points.get(0)))
        .collect();
    shown.sort();
    assert_eq!(shown, [r#"{app="web", app_extracted="x"} Some(1.0)"#, r#"{app="web"} Some(1.0)"#]);
}

#[test]
fn absence() {
    let leaf = leaf(RangeOp::AbsentOverTime, 10);
    let mut accumulator = Accumulator::new(leaf.clone(), Steps { start: 10, step: 10, n: 3 }, 2);
    accumulator.add_counts(&stream("web"), &Metadata::empty(), &[15]).expect("one series");
    let [series] = &accumulator.finish()[..] else { panic!("one series") };
    assert_eq!(series.points.iter().collect::<Vec<_>>(), [(0, 1.0), (2, 1.0)]);
}
