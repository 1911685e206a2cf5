//! What is well-formed but means nothing.
//!
//! In: parts of a tree, as the parser finds them. Out: the value that a parameter stands for, or
//! the mistake in Loki's words, without the `parse error : ` in front.

use std::fmt::Display;

use super::ast::{BinaryOp, Grouping, LogQuery, Metric, Query, RangeOp, Stage, Unwrap, VectorOp};
use super::number;
use super::print::Chain;
use super::stage::{self, Problem};
use crate::model::{MatchOp, Selector, pattern};

/// A selector that every stream could satisfy would read everything there is.
pub(super) fn selector(selector: &Selector) -> Result<(), &'static str> {
    let narrows = selector.matchers.iter().any(|matcher| {
        matches!(matcher.op, MatchOp::Equal | MatchOp::Matches) && !matcher.accepts("")
    });
    if narrows {
        return Ok(());
    }
    Err("queries require at least one regexp or equality matcher that does not have an \
         empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but \
         app=~\".+\" will")
}

/// The parameter of a range aggregation; its grouping and unwrap must be what it can use.
pub(super) fn range_aggregation(
    op: RangeOp,
    parameter: Option<&str>,
    grouping: &Option<Grouping>,
    unwrap: &Option<Unwrap>,
) -> Result<Option<f64>, String> {
    use RangeOp::*;
    let parameter = match parameter {
        Some(text) if op == QuantileOverTime => {
            let invalid = |_| format!("invalid parameter for operation {op}: {text}");
            Some(number::parse_float(text).map_err(invalid)?)
        }
        Some(text) => return Err(format!("parameter {text} not supported for operation {op}")),
        None if op == QuantileOverTime => {
            return Err(format!("parameter required for operation {op}"));
        }
        None => None,
    };
    let groups = match op {
        AvgOverTime | StddevOverTime | StdvarOverTime | QuantileOverTime | MaxOverTime
        | MinOverTime | FirstOverTime | LastOverTime => true,
        CountOverTime | Rate | RateCounter | BytesOverTime | BytesRate | SumOverTime
        | AbsentOverTime => false,
    };
    if grouping.is_some() && !groups {
        return Err(format!("grouping not allowed for {op} aggregation"));
    }
    match (op, unwrap) {
        (CountOverTime | BytesOverTime | BytesRate, Some(_)) => {
            Err(format!("invalid aggregation {op} with unwrap"))
        }
        (CountOverTime | BytesOverTime | BytesRate | Rate | AbsentOverTime, _) | (_, Some(_)) => {
            Ok(parameter)
        }
        (_, None) => Err(format!("invalid aggregation {op} without unwrap")),
    }
}

/// The parameter of a vector aggregation; its grouping must be what it can use.
pub(super) fn vector_aggregation(
    op: VectorOp,
    parameter: Option<&str>,
    grouping: Option<&Grouping>,
) -> Result<Option<u64>, String> {
    match (op, parameter) {
        (VectorOp::TopK | VectorOp::BottomK | VectorOp::ApproxTopK, None) => {
            Err(format!("parameter required for operation {op}"))
        }
        (VectorOp::TopK | VectorOp::BottomK | VectorOp::ApproxTopK, Some(text)) => {
            // Go's int: what does not fit an i64 is as invalid as what is no integer.
            let count =
                text.parse::<i64>().map_err(|_| format!("invalid parameter {op}({text},"))?;
            if count <= 0 {
                return Err(format!("invalid parameter (must be greater than 0) {op}({text}"));
            }
            if op == VectorOp::ApproxTopK && grouping.is_some() {
                return Err(format!("grouping not allowed for {op} aggregation"));
            }
            Ok(Some(count.unsigned_abs()))
        }
        (_, Some(text)) => Err(format!("unsupported parameter for operation {op}({text},")),
        (VectorOp::Sort | VectorOp::SortDesc, None)
            if grouping.is_some_and(|grouping| !grouping.labels.is_empty()) =>
        {
            Err("sort and sort_desc doesn't allow grouping by ".into())
        }
        (_, None) => Ok(None),
    }
}

/// The regex of `label_replace`, anchored as it will be.
pub(super) fn label_replace(regex: &str) -> Result<(), String> {
    match pattern::unanchored(&format!("^(?:{regex})$")) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("invalid regex in label_replace: {error}")),
    }
}

/// Whether an operator can have these sides; where both are numbers, what comes out.
pub(super) fn operands(op: BinaryOp, left: &Query, right: &Query) -> Result<Option<f64>, String> {
    for (side, query) in [("left", left), ("right", right)] {
        if let Query::Log(log) = query {
            // The names of Loki's types, since that is what its users see.
            let kind = if log.pipeline.is_empty() { "MatchersExpr" } else { "PipelineExpr" };
            return Err(format!(
                "unexpected type for {side} leg of binary operation ({op}): *syntax.{kind}"
            ));
        }
    }
    let literal = |query: &Query| match query {
        Query::Metric(Metric::Literal(value)) => Some(*value),
        _ => None,
    };
    let (left, right) = (literal(left), literal(right));
    if matches!(op, BinaryOp::Or | BinaryOp::And | BinaryOp::Unless) {
        for (side, value) in [("left", left), ("right", right)] {
            if let Some(value) = value {
                return Err(format!(
                    "unexpected literal for {side} leg of logical/set binary operation ({op}): \
                     {value:.6}"
                ));
            }
        }
    }
    Ok(left.zip(right).map(|(left, right)| fold(op, left, right)))
}

fn fold(op: BinaryOp, left: f64, right: f64) -> f64 {
    let truth = |holds| if holds { 1.0 } else { 0.0 };
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div | BinaryOp::Mod if right == 0.0 => f64::NAN,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Equal => truth(left == right),
        BinaryOp::NotEqual => truth(left != right),
        BinaryOp::Greater => truth(left > right),
        BinaryOp::GreaterEqual => truth(left >= right),
        BinaryOp::Less => truth(left < right),
        BinaryOp::LessEqual => truth(left <= right),
        BinaryOp::Or | BinaryOp::And | BinaryOp::Unless => {
            unreachable!("numbers are refused as sides of set operators")
        }
    }
}

/// The stages that are built while the text is read: a mistake in them comes before all others.
pub(super) fn parser_stage(parser: &Stage) -> Result<(), String> {
    if is_parser(parser) { build_stage(parser) } else { Ok(()) }
}

fn is_parser(stage: &Stage) -> bool {
    matches!(stage, Stage::Regexp(_) | Stage::Pattern(_))
}

/// Whether every stage of a query can be built.
pub(super) fn build(query: &Query) -> Result<(), String> {
    match query {
        Query::Log(log) => build_log(log),
        Query::Metric(metric) => build_metric(metric),
    }
}

fn build_metric(metric: &Metric) -> Result<(), String> {
    match metric {
        Metric::Range(range) => {
            build_log(&range.log)?;
            let filters = range.unwrap.iter().flat_map(|unwrap| &unwrap.filters);
            filters.cloned().try_for_each(|filter| build_stage(&Stage::Label(filter)))
        }
        Metric::Vector(vector) => build_metric(&vector.inner),
        Metric::Binary(binary) => {
            build_metric(&binary.left)?;
            build_metric(&binary.right)
        }
        Metric::LabelReplace(replace) => build_metric(&replace.inner),
        Metric::Literal(_) | Metric::Constant(_) => Ok(()),
    }
}

/// Loki builds the line filters between two stages that rewrite the line as one.
fn build_log(log: &LogQuery) -> Result<(), String> {
    let rewrites = |stage: &Stage| matches!(stage, Stage::LineFormat(_) | Stage::Unpack);
    for stages in log.pipeline.split_inclusive(rewrites) {
        let (lines, others): (Vec<&Stage>, Vec<&Stage>) =
            stages.iter().partition(|stage| matches!(stage, Stage::Line(_)));
        for line in &lines {
            let chain = Chain(&lines);
            stage::check(line).map_err(|problem| in_stage(&chain, problem))?;
        }
        others.into_iter().filter(|stage| !is_parser(stage)).try_for_each(build_stage)?;
    }
    Ok(())
}

fn build_stage(built: &Stage) -> Result<(), String> {
    stage::check(built).map_err(|problem| in_stage(built, problem))
}

fn in_stage(stage: &dyn Display, problem: Problem) -> String {
    let Problem { names_stage, text } = problem;
    if names_stage { format!("stage '{stage}' : {text}") } else { text }
}
