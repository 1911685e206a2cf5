//! `sum by (x) (...)` and its relatives: over the series of each point in time.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::logql::ast::{Grouping, VectorAggregation, VectorOp};
use crate::model::Labels;

use super::cells::{Cell, Count, Extremes, Mean, Moments, Sum};
use super::points::{Points, Series};

/// Aggregates series of `n` steps.
pub(crate) fn aggregate(
    aggregation: &VectorAggregation,
    all: Vec<Series>,
    n: usize,
) -> Vec<Series> {
    let grouping = aggregation.grouping.as_ref();
    let k = aggregation.parameter.map_or(usize::MAX, |k| usize::try_from(k).unwrap_or(usize::MAX));
    match aggregation.op {
        VectorOp::Sum => fold::<Sum>(grouping, &all, n, |cell| cell.sum),
        VectorOp::Avg => fold::<Mean>(grouping, &all, n, |cell| cell.mean),
        VectorOp::Count => fold::<Count>(grouping, &all, n, |cell| cell.0 as f64),
        VectorOp::Min => fold::<Extremes>(grouping, &all, n, |cell| cell.min),
        VectorOp::Max => fold::<Extremes>(grouping, &all, n, |cell| cell.max),
        VectorOp::Stdvar => fold::<Moments>(grouping, &all, n, Moments::variance),
        VectorOp::Stddev => fold::<Moments>(grouping, &all, n, |cell| cell.variance().sqrt()),
        VectorOp::TopK | VectorOp::ApproxTopK => best(grouping, all, n, k, descending),
        VectorOp::BottomK => best(grouping, all, n, k, ascending),
        VectorOp::Sort => sorted(all, ascending),
        VectorOp::SortDesc => sorted(all, descending),
    }
}

/// The labels of the group that a label set is in.
fn group_of(labels: &Labels, grouping: Option<&Grouping>) -> Labels {
    let Some(Grouping { without, labels: names }) = grouping else { return Labels::empty() };
    let kept = labels.iter().filter(|(name, _)| names.iter().any(|own| own == name) != *without);
    Labels::from_pairs(kept).expect("a part of a set is a set")
}

/// The groups and, by series, which group it is in.
fn groups(grouping: Option<&Grouping>, all: &[Series]) -> (Vec<Labels>, Vec<usize>) {
    let mut numbers: HashMap<Labels, usize> = HashMap::new();
    let mut labels = Vec::new();
    let members = all.iter().map(|series| {
        let group = group_of(&series.labels, grouping);
        *numbers.entry(group).or_insert_with_key(|group| {
            labels.push(group.clone());
            labels.len() - 1
        })
    });
    let members = members.collect();
    (labels, members)
}

fn fold<C: Cell>(
    grouping: Option<&Grouping>,
    all: &[Series],
    n: usize,
    value: impl Fn(&C) -> f64,
) -> Vec<Series> {
    let (labels, members) = groups(grouping, all);
    let mut cells: Vec<Vec<C>> = vec![vec![C::default(); n]; labels.len()];
    for (series, group) in all.iter().zip(&members) {
        for (step, value) in series.points.iter() {
            cells[*group][step].add(0, value);
        }
    }
    let series = labels.into_iter().zip(cells).map(|(labels, cells)| {
        let mut points = Points::none(n);
        for (step, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            points.set(step, value(cell));
        }
        Series { labels, points }
    });
    series.collect()
}

/// Smallest first, NaN last.
fn ascending(a: f64, b: f64) -> Ordering {
    a.is_nan().cmp(&b.is_nan()).then(a.partial_cmp(&b).unwrap_or(Ordering::Equal))
}

/// Largest first, NaN last.
fn descending(a: f64, b: f64) -> Ordering {
    a.is_nan().cmp(&b.is_nan()).then(b.partial_cmp(&a).unwrap_or(Ordering::Equal))
}

/// The first `k` of each group at each step, with their own labels. Of equal values the one whose
/// labels come last is taken, so that an answer does not change from run to run.
fn best(
    grouping: Option<&Grouping>,
    mut all: Vec<Series>,
    n: usize,
    k: usize,
    order: fn(f64, f64) -> Ordering,
) -> Vec<Series> {
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    let (labels, members) = groups(grouping, &all);
    let mut kept: Vec<Points> = all.iter().map(|_| Points::none(n)).collect();
    let mut candidates: Vec<Vec<(usize, f64)>> = vec![Vec::new(); labels.len()];
    for step in 0..n {
        for (at, series) in all.iter().enumerate().rev() {
            if let Some(value) = series.points.get(step) {
                candidates[members[at]].push((at, value));
            }
        }
        for group in &mut candidates {
            group.sort_by(|a, b| order(a.1, b.1));
            for (at, value) in group.drain(..).take(k) {
                kept[at].set(step, value);
            }
        }
    }
    let series = all.into_iter().zip(kept);
    let series = series.map(|(series, points)| Series { labels: series.labels, points });
    series.filter(|series| !series.points.is_empty()).collect()
}

/// In the order of the values of the last step, which is the only one of an instant query.
fn sorted(mut all: Vec<Series>, order: fn(f64, f64) -> Ordering) -> Vec<Series> {
    let last = |series: &Series| series.points.iter().last().map_or(f64::NAN, |(_, value)| value);
    all.sort_by(|a, b| order(last(a), last(b)).then_with(|| a.labels.cmp(&b.labels)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logql::ast::Metric;

    fn series(name: &str, values: &[f64]) -> Series {
        let labels = Labels::from_pairs([("name", name), ("kind", &name[..1])]).expect("unique");
        let mut points = Points::none(values.len());
        for (step, value) in values.iter().enumerate().filter(|(_, value)| **value != -1.0) {
            points.set(step, *value);
        }
        Series { labels, points }
    }

    #[test]
    fn aggregates() {
        let check = |op, parameter, by: Option<&str>, expected: &[(&str, &[f64])]| {
            let grouping =
                by.map(|label| Grouping { without: false, labels: vec![label.to_owned()] });
            let inner = Box::new(Metric::Literal(0.0));
            let aggregation = VectorAggregation { op, parameter, inner, grouping };
            let all = vec![
                series("a1", &[1.0, 5.0]),
                series("a2", &[3.0, -1.0]),
                series("b1", &[f64::NAN, 4.0]),
            ];
            let mut found = aggregate(&aggregation, all, 2);
            if !matches!(op, VectorOp::Sort | VectorOp::SortDesc) {
                found.sort_by(|a, b| a.labels.cmp(&b.labels));
            }
            let found: Vec<(String, Points)> = found
                .into_iter()
                .map(|series| (series.labels.to_string(), series.points))
                .collect();
            let expected: Vec<(String, Points)> = expected
                .iter()
                .map(|(labels, values)| ((*labels).to_owned(), series("x", values).points))
                .collect();
            assert_eq!(found, expected, "{op:?}");
        };
        let (a1, a2) = (r#"{kind="a", name="a1"}"#, r#"{kind="a", name="a2"}"#);
        let (a, b) = (r#"{kind="a"}"#, r#"{kind="b"}"#);
        let b1 = r#"{kind="b", name="b1"}"#;
        let nan = f64::NAN;
        check(VectorOp::Sum, None, Some("kind"), &[(a, &[4.0, 5.0]), (b, &[nan, 4.0])]);
        check(VectorOp::Count, None, None, &[("{}", &[3.0, 2.0])]);
        check(VectorOp::Max, None, None, &[("{}", &[3.0, 5.0])]);
        check(VectorOp::Avg, None, Some("kind"), &[(a, &[2.0, 5.0]), (b, &[nan, 4.0])]);
        check(VectorOp::Stddev, None, Some("kind"), &[(a, &[1.0, 0.0]), (b, &[nan, 0.0])]);
        check(VectorOp::TopK, Some(1), None, &[(a1, &[-1.0, 5.0]), (a2, &[3.0, -1.0])]);
        check(
            VectorOp::BottomK,
            Some(2),
            None,
            &[(a1, &[1.0, 5.0]), (a2, &[3.0, -1.0]), (b1, &[-1.0, 4.0])],
        );
        check(
            VectorOp::SortDesc,
            None,
            None,
            &[(a1, &[1.0, 5.0]), (b1, &[nan, 4.0]), (a2, &[3.0, -1.0])],
        );
    }
}
