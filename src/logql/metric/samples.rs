//! Functions that need the samples of a window themselves: quantiles and counters.

use super::points::Points;
use super::steps::Grid;

/// Samples of one series, in the order they came.
pub(crate) type Samples = Vec<(i64, f64)>;

/// `quantile_over_time`
pub(crate) fn quantile(samples: &mut Samples, grid: &Grid, rank: f64) -> Points {
    let mut values = Vec::new();
    windows(samples, grid, |window, _| {
        values.clear();
        values.extend(window.iter().map(|(_, value)| *value));
        quantile_of(&mut values, rank)
    })
}

/// The value below which a part of the values is, between two of them where need be.
pub(crate) fn quantile_of(values: &mut [f64], rank: f64) -> f64 {
    if values.is_empty() || rank.is_nan() {
        return f64::NAN;
    }
    if rank < 0.0 {
        return f64::NEG_INFINITY;
    }
    if rank > 1.0 {
        return f64::INFINITY;
    }
    // NaN is below everything, as in Prometheus.
    let order = |a: &f64, b: &f64| a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()));
    let position = rank * (values.len() - 1) as f64;
    let weight = position - position.floor();
    // Two values of many are wanted: not worth sorting the others.
    let (_, lower, above) = values.select_nth_unstable_by(position.floor() as usize, order);
    let lower = *lower;
    let upper = above.iter().copied().min_by(order).unwrap_or(lower);
    lower * (1.0 - weight) + upper * weight
}

/// `rate_counter`
pub(crate) fn rate_counter(samples: &mut Samples, grid: &Grid) -> Points {
    windows(samples, grid, rate_of)
}

/// How fast a counter grows that may start over at zero, with what lies between the samples and
/// the ends of the window estimated.
fn rate_of(window: &[(i64, f64)], (start, end): (i64, i64)) -> f64 {
    let (Some(first), Some(last)) = (window.first(), window.last()) else { return 0.0 };
    if window.len() < 2 {
        return 0.0;
    }
    let resets = window.windows(2).filter(|two| two[1].1 < two[0].1);
    let lost: f64 = resets.map(|two| two[0].1).sum();
    let increase = last.1 - first.1 + lost;
    let seconds = |from: i64, to: i64| (to - from) as f64 / 1e9;
    let mut before = seconds(start, first.0);
    let behind = seconds(last.0, end);
    let sampled = seconds(first.0, last.0);
    let gap = sampled / (window.len() - 1) as f64;
    // A counter was not below zero before its first sample.
    if increase > 0.0 && first.1 >= 0.0 {
        before = before.min(sampled * (first.1 / increase));
    }
    let near = |distance: f64| if distance < gap * 1.1 { distance } else { gap / 2.0 };
    let extended = sampled + near(before) + near(behind);
    increase * (extended / sampled) / seconds(start, end)
}

/// Calls for the samples of each window, in time, and its bounds.
fn windows(
    samples: &mut Samples,
    grid: &Grid,
    mut value: impl FnMut(&[(i64, f64)], (i64, i64)) -> f64,
) -> Points {
    samples.sort_by_key(|(timestamp, _)| *timestamp);
    let mut points = Points::none(grid.n_windows());
    let (mut start, mut end) = (0, 0);
    for i in 0..grid.n_windows() {
        let (lo, hi) = grid.bounds(i);
        start += samples[start..].partition_point(|(timestamp, _)| *timestamp <= lo);
        end = end.max(start);
        end += samples[end..].partition_point(|(timestamp, _)| *timestamp <= hi);
        if start < end {
            points.set(i, value(&samples[start..end], (lo, hi)));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::super::steps::Steps;
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn counters() {
        let check = |start: i64, range: i64, n: usize, expected: &[f64]| {
            let mut samples: Samples =
                vec![(40 * S, 15.0), (10 * S, 10.0), (20 * S, 20.0), (30 * S, 5.0)];
            let grid = Grid::new(Steps { start: start * S, step: 10 * S, n }, range * S, 0);
            let points = rate_counter(&mut samples, &grid);
            let values: Vec<f64> = points.iter().map(|(_, value)| value).collect();
            assert_eq!(values.len(), expected.len());
            for (value, expected) in values.iter().zip(expected) {
                assert!((value - expected).abs() < 1e-12, "{value} is not {expected}");
            }
        };
        check(40, 40, 1, &[0.833_333_333_333_333_4]);
        check(20, 20, 3, &[1.0, 0.5, 0.75]);
        check(40, 5, 1, &[0.0]);
    }

    #[test]
    fn quantiles() {
        let check = |rank: f64, expected: f64| {
            assert_eq!(quantile_of(&mut [10.0, 20.0, 5.0, 15.0], rank), expected);
        };
        check(0.9, 18.5);
        check(0.5, 12.5);
        check(0.0, 5.0);
        check(1.0, 20.0);
        check(2.0, f64::INFINITY);
        check(-1.0, f64::NEG_INFINITY);
        assert_eq!(quantile_of(&mut [f64::NAN, 1.0], 1.0), 1.0);
        assert!(quantile_of(&mut [], 0.5).is_nan());
    }
}
