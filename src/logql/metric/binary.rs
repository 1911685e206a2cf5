//! Binary operators: arithmetic, comparisons, and sets of series.
//!
//! Series of the two sides find each other by their labels, at each step anew: a series that has no
//! value at a step is not there at that step.

use std::collections::{HashMap, HashSet};

use crate::logql::ast::{BinaryOp, Group, VectorMatching};
use crate::model::Labels;

use super::Error;
use super::plan::Operator;
use super::points::{Points, Series};

/// What an operator makes of two numbers.
enum Outcome {
    Number(f64),
    Truth(bool),
}

fn compute(op: BinaryOp, a: f64, b: f64) -> Outcome {
    match op {
        BinaryOp::Add => Outcome::Number(a + b),
        BinaryOp::Sub => Outcome::Number(a - b),
        BinaryOp::Mul => Outcome::Number(a * b),
        // By zero there is no result, not even an infinite one.
        BinaryOp::Div => Outcome::Number(if b == 0.0 { f64::NAN } else { a / b }),
        BinaryOp::Mod => Outcome::Number(if b == 0.0 { f64::NAN } else { a % b }),
        BinaryOp::Pow => Outcome::Number(a.powf(b)),
        BinaryOp::Equal => Outcome::Truth(a == b),
        BinaryOp::NotEqual => Outcome::Truth(a != b),
        BinaryOp::Greater => Outcome::Truth(a > b),
        BinaryOp::GreaterEqual => Outcome::Truth(a >= b),
        BinaryOp::Less => Outcome::Truth(a < b),
        BinaryOp::LessEqual => Outcome::Truth(a <= b),
        BinaryOp::Or | BinaryOp::And | BinaryOp::Unless => {
            unreachable!("operators of sets do not look at numbers")
        }
    }
}

/// Two numbers: a comparison is 1 or 0.
pub(crate) fn scalars(op: BinaryOp, left: f64, right: f64) -> f64 {
    match compute(op, left, right) {
        Outcome::Number(value) => value,
        Outcome::Truth(truth) => f64::from(u8::from(truth)),
    }
}

/// One value of a pair of samples; `None` where a comparison filters it out. What a comparison
/// keeps is `kept`.
fn join(operator: &Operator, left: f64, right: f64, kept: f64) -> Option<f64> {
    match compute(operator.op, left, right) {
        Outcome::Number(value) => Some(value),
        Outcome::Truth(truth) if operator.returns_bool => Some(f64::from(u8::from(truth))),
        Outcome::Truth(truth) => truth.then_some(kept),
    }
}

/// Series and a number on one side of them.
pub(crate) fn with_scalar(
    operator: &Operator,
    all: Vec<Series>,
    scalar: f64,
    scalar_is_left: bool,
) -> Vec<Series> {
    let changed = all.into_iter().map(|series| {
        let points = series.points.map(|value| match scalar_is_left {
            true => join(operator, scalar, value, value),
            false => join(operator, value, scalar, value),
        });
        Series { labels: series.labels, points }
    });
    changed.filter(|series| !series.points.is_empty()).collect()
}

/// The labels by which series find each other.
fn signature(labels: &Labels, matching: Option<&VectorMatching>) -> Labels {
    let Some(VectorMatching { on, labels: names, .. }) = matching else { return labels.clone() };
    let kept = labels.iter().filter(|(name, _)| names.iter().any(|own| own == name) == *on);
    Labels::from_pairs(kept).expect("a part of a set is a set")
}

/// Series on both sides.
pub(crate) fn series(
    operator: &Operator,
    left: Vec<Series>,
    right: Vec<Series>,
    n: usize,
) -> Result<Vec<Series>, Error> {
    let matching = operator.matching.as_ref();
    match operator.op {
        BinaryOp::And => Ok(filtered(matching, left, &right, n, true)),
        BinaryOp::Unless => Ok(filtered(matching, left, &right, n, false)),
        BinaryOp::Or => {
            let added = filtered(matching, right, &left, n, false);
            Ok(left.into_iter().chain(added).collect())
        }
        _ => pairs(operator, &left, &right, n),
    }
}

/// The samples of one side that have a partner on the other, or that have none.
fn filtered(
    matching: Option<&VectorMatching>,
    own: Vec<Series>,
    other: &[Series],
    n: usize,
    with_partner: bool,
) -> Vec<Series> {
    let mut present: HashMap<Labels, Vec<bool>> = HashMap::new();
    for series in other {
        let at =
            present.entry(signature(&series.labels, matching)).or_insert_with(|| vec![false; n]);
        series.points.iter().for_each(|(step, _)| at[step] = true);
    }
    let kept = own.into_iter().map(|series| {
        let partner = present.get(&signature(&series.labels, matching));
        let mut points = Points::none(n);
        for (step, value) in series.points.iter() {
            if partner.is_some_and(|present| present[step]) == with_partner {
                points.set(step, value);
            }
        }
        Series { labels: series.labels, points }
    });
    kept.filter(|series| !series.points.is_empty()).collect()
}

/// Arithmetic and comparisons. One side, the right one unless `group_right` says otherwise, has at
/// most one series for each signature and step.
fn pairs(
    operator: &Operator,
    left: &[Series],
    right: &[Series],
    n: usize,
) -> Result<Vec<Series>, Error> {
    let matching = operator.matching.as_ref();
    let group = matching.map_or(Group::None, |matching| matching.group);
    let swapped = group == Group::Right;
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let mut by_signature: HashMap<Labels, Vec<&Series>> = HashMap::new();
    for series in one {
        by_signature.entry(signature(&series.labels, matching)).or_default().push(series);
    }
    if by_signature.values().any(|all| overlap(all, n)) {
        let side = if swapped { "left" } else { "right" };
        return Err(Error::Matching(format!(
            "found duplicate series on the {side} hand-side;many-to-many matching not allowed: \
             matching labels must be unique on one side"
        )));
    }
    // Which steps a signature, or with groups a result, was used at.
    let mut used: HashSet<(Labels, usize)> = HashSet::new();
    let mut results: HashMap<Labels, Points> = HashMap::new();
    for own in many {
        let signature = signature(&own.labels, matching);
        for partner in by_signature.get(&signature).into_iter().flatten() {
            let labels = result_labels(&own.labels, &partner.labels, matching);
            let key = if group == Group::None { &signature } else { &labels };
            let points = results.entry(labels.clone()).or_insert_with(|| Points::none(n));
            for (step, value) in own.points.iter() {
                let Some(other) = partner.points.get(step) else { continue };
                // Without modifiers signatures are whole label sets, which are unique anyway.
                if matching.is_some() && !used.insert((key.clone(), step)) {
                    return Err(multiple_matches(group));
                }
                let (a, b) = if swapped { (other, value) } else { (value, other) };
                if let Some(value) = join(operator, a, b, a) {
                    points.set(step, value);
                }
            }
        }
    }
    let results = results.into_iter().map(|(labels, points)| Series { labels, points });
    Ok(results.filter(|series| !series.points.is_empty()).collect())
}

fn multiple_matches(group: Group) -> Error {
    let text = if group == Group::None {
        "multiple matches for labels: many-to-one matching must be explicit \
         (group_left/group_right)"
    } else {
        "multiple matches for labels: grouping labels must ensure unique matches"
    };
    Error::Matching(text.into())
}

/// Whether two series have a value at the same step.
fn overlap(all: &[&Series], n: usize) -> bool {
    let mut seen = vec![false; if all.len() > 1 { n } else { 0 }];
    all.len() > 1
        && all.iter().any(|series| {
            series.points.iter().any(|(step, _)| std::mem::replace(&mut seen[step], true))
        })
}

/// The labels of a result: those of the many side, less what does not match one to one, and with
/// what `group_left` and `group_right` list from the one side.
fn result_labels(many: &Labels, one: &Labels, matching: Option<&VectorMatching>) -> Labels {
    let Some(matching) = matching else { return many.clone() };
    let mut labels = match matching.group {
        Group::None => signature(many, Some(matching)),
        Group::Left | Group::Right => many.clone(),
    };
    for name in &matching.include {
        labels = labels.with(name, one.get(name).unwrap_or(""));
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series_of(all: &[(&str, &str, f64)]) -> Vec<Series> {
        let series = all.iter().map(|(app, pod, value)| Series {
            labels: Labels::from_pairs([("app", *app), ("pod", *pod)]).expect("unique"),
            points: Points::constant(1, *value),
        });
        series.collect()
    }

    fn run(
        op: BinaryOp,
        matching: Option<VectorMatching>,
        left: &[(&str, &str, f64)],
        right: &[(&str, &str, f64)],
    ) -> Result<String, String> {
        let operator = Operator { op, returns_bool: false, matching };
        let mut found = series(&operator, series_of(left), series_of(right), 1)
            .map_err(|error| error.to_string())?;
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        let found: Vec<String> = found
            .iter()
            .map(|series| format!("{} {}", series.labels, series.points.get(0).expect("a value")))
            .collect();
        Ok(found.join(" | "))
    }

    fn on(labels: &[&str], group: Group, include: &[&str]) -> Option<VectorMatching> {
        let list = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        Some(VectorMatching { on: true, labels: list(labels), group, include: list(include) })
    }

    const A: [(&str, &str, f64); 2] = [("a", "1", 6.0), ("b", "1", 4.0)];
    const PODS: [(&str, &str, f64); 2] = [("a", "1", 2.0), ("a", "2", 3.0)];

    #[test]
    fn matching() {
        let check = |op, matching, left: &[_], right: &[_], expected: Result<&str, &str>| {
            let found = run(op, matching, left, right);
            assert_eq!(found.as_deref().map_err(String::as_str), expected);
        };
        check(BinaryOp::Div, None, &A, &PODS, Ok(r#"{app="a", pod="1"} 3"#));
        check(BinaryOp::Greater, None, &A, &PODS, Ok(r#"{app="a", pod="1"} 6"#));
        check(BinaryOp::And, on(&["app"], Group::None, &[]), &PODS, &A, {
            Ok(r#"{app="a", pod="1"} 2 | {app="a", pod="2"} 3"#)
        });
        check(BinaryOp::Unless, None, &A, &PODS, Ok(r#"{app="b", pod="1"} 4"#));
        check(BinaryOp::Or, None, &PODS, &A, {
            Ok(r#"{app="a", pod="1"} 2 | {app="a", pod="2"} 3 | {app="b", pod="1"} 4"#)
        });
        check(BinaryOp::Mul, on(&["app"], Group::Left, &[]), &PODS, &A, {
            Ok(r#"{app="a", pod="1"} 12 | {app="a", pod="2"} 18"#)
        });
        check(BinaryOp::Sub, on(&["app"], Group::Right, &[]), &A, &PODS, {
            Ok(r#"{app="a", pod="1"} 4 | {app="a", pod="2"} 3"#)
        });
        check(BinaryOp::Add, on(&["app"], Group::None, &[]), &A, &PODS[..1], Ok(r#"{app="a"} 8"#));
        check(
            BinaryOp::Add,
            on(&["app"], Group::None, &[]),
            &A,
            &PODS,
            Err(
                "found duplicate series on the right hand-side;many-to-many matching not allowed: \
                 matching labels must be unique on one side",
            ),
        );
        check(
            BinaryOp::Add,
            on(&["app"], Group::None, &[]),
            &PODS,
            &A,
            Err("multiple matches for labels: many-to-one matching must be explicit \
                 (group_left/group_right)"),
        );
    }

    #[test]
    fn numbers() {
        let check = |op, left, right, expected: f64| {
            let found = scalars(op, left, right);
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{found}");
        };
        check(BinaryOp::Div, 1.0, 0.0, f64::NAN);
        check(BinaryOp::Mod, -7.0, 3.0, -1.0);
        check(BinaryOp::Pow, 2.0, 9.0, 512.0);
        check(BinaryOp::Equal, 0.0, 0.0, 1.0);
        let filter = Operator { op: BinaryOp::Greater, returns_bool: false, matching: None };
        let kept = with_scalar(&filter, series_of(&A), 5.0, true);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].points.get(0), Some(4.0), "the value of the series, not the number");
    }
}
