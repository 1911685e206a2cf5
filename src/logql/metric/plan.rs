//! A metric query, compiled: its leaves, and what is done with their series.

use crate::logql::ast::{self, Binary, BinaryOp, Grouping, RangeOp, VectorAggregation, VectorOp};
use crate::logql::stage::Problem;
use crate::model::Labels;

use super::label_replace::LabelReplace;
use super::leaf::Leaf;
use super::points::{Points, Series};
use super::steps::Steps;
use super::{Error, binary, vector};

/// A metric query, ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Plan {
    leaves: Vec<Leaf>,
    root: Node,
}

/// What is done with series.
#[derive(Clone, Debug)]
enum Node {
    /// The series of a leaf.
    Leaf(usize),
    Literal(f64),
    /// One series without labels.
    Constant(f64),
    Vector(VectorAggregation, Box<Node>),
    /// The operator and its modifiers, whose own sides are not looked at.
    Binary(Box<Operator>, Box<Node>, Box<Node>),
    LabelReplace(Box<LabelReplace>, Box<Node>),
}

/// A binary operator without its sides.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    pub(crate) op: BinaryOp,
    pub(crate) returns_bool: bool,
    pub(crate) matching: Option<ast::VectorMatching>,
}

/// The answer to a metric query.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluated {
    /// A number that needs no data: the same at every step.
    Scalar(f64),
    /// Series, sorted by labels, or by value where `by_value` says so.
    Series {
        /// Each has at least one value.
        series: Vec<Series>,
        /// The order is that of `sort` or `sort_desc`, which only an instant query shows.
        by_value: bool,
    },
}

/// Series on their way up the tree.
enum Value {
    Scalar(f64),
    Series(Vec<Series>),
}

impl Plan {
    /// Compiles a query. `now` is the time of the query in nanoseconds, for templates.
    pub fn compile(metric: &ast::Metric, now: i64) -> Result<Plan, Problem> {
        let mut compiler = Compiler { leaves: Vec::new(), now };
        let root = compiler.node(metric, None)?;
        Ok(Plan { leaves: compiler.leaves, root })
    }

    /// The range aggregations whose series [`Plan::evaluate`] needs.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// Computes the answer. `leaves` has the series of each leaf, in the order of
    /// [`Plan::leaves`]; more than `n_series_max` series in the answer are refused.
    pub fn evaluate(
        &self,
        leaves: Vec<Vec<Series>>,
        steps: Steps,
        n_series_max: usize,
    ) -> Result<Evaluated, Error> {
        assert_eq!(leaves.len(), self.leaves.len(), "one result for each leaf");
        let mut leaves: Vec<Option<Vec<Series>>> = leaves.into_iter().map(Some).collect();
        let mut series = match self.root.evaluate(&mut leaves, steps.n)? {
            Value::Scalar(value) => return Ok(Evaluated::Scalar(value)),
            Value::Series(series) => series,
        };
        series.retain(|series| !series.points.is_empty());
        if series.len() > n_series_max {
            return Err(Error::TooManySeries { limit: n_series_max });
        }
        let by_value = self.sorts_by_value();
        if !by_value {
            series.sort_by(|a, b| a.labels.cmp(&b.labels));
            merge_equal(&mut series);
        }
        Ok(Evaluated::Series { series, by_value })
    }

    fn sorts_by_value(&self) -> bool {
        match &self.root {
            Node::Vector(aggregation, _) => {
                matches!(aggregation.op, VectorOp::Sort | VectorOp::SortDesc)
            }
            _ => false,
        }
    }
}

/// Series that became the same by losing labels are shown as one.
fn merge_equal(series: &mut Vec<Series>) {
    series.dedup_by(|later, first| {
        let equal = later.labels == first.labels;
        if equal {
            for (step, value) in later.points.iter() {
                if first.points.get(step).is_none() {
                    first.points.set(step, value);
                }
            }
        }
        equal
    });
}

struct Compiler {
    leaves: Vec<Leaf>,
    now: i64,
}

impl Compiler {
    fn node(&mut self, metric: &ast::Metric, outer: Option<&Grouping>) -> Result<Node, Problem> {
        Ok(match metric {
            ast::Metric::Range(aggregation) => {
                self.leaves.push(Leaf::compile(aggregation, outer, self.now)?);
                Node::Leaf(self.leaves.len() - 1)
            }
            ast::Metric::Vector(aggregation) => {
                let everything = Grouping { without: false, labels: Vec::new() };
                let grouping = aggregation.grouping.as_ref().unwrap_or(&everything);
                let pushed = can_group_samples(aggregation).then_some(grouping);
                let inner = self.node(&aggregation.inner, pushed)?;
                // The tree below is compiled: keep only what is said about this level.
                let mut own = aggregation.clone();
                own.inner = Box::new(ast::Metric::Literal(0.0));
                Node::Vector(own, Box::new(inner))
            }
            ast::Metric::Binary(binary) => {
                let Binary { op, left, right, returns_bool, matching } = &**binary;
                let left = self.node(left, None)?;
                let right = self.node(right, None)?;
                let operator =
                    Operator { op: *op, returns_bool: *returns_bool, matching: matching.clone() };
                Node::Binary(Box::new(operator), Box::new(left), Box::new(right))
            }
            ast::Metric::Literal(value) => Node::Literal(*value),
            ast::Metric::Constant(value) => Node::Constant(*value),
            ast::Metric::LabelReplace(replace) => {
                let inner = self.node(&replace.inner, None)?;
                Node::LabelReplace(Box::new(LabelReplace::compile(replace)?), Box::new(inner))
            }
        })
    }
}

/// Whether samples may be grouped before they are aggregated over time: a sum of sums is the sum.
fn can_group_samples(aggregation: &VectorAggregation) -> bool {
    let ast::Metric::Range(range) = &*aggregation.inner else { return false };
    let additive = matches!(
        range.op,
        RangeOp::CountOverTime
            | RangeOp::Rate
            | RangeOp::BytesOverTime
            | RangeOp::BytesRate
            | RangeOp::SumOverTime
    );
    aggregation.op == VectorOp::Sum && additive && range.grouping.is_none()
}

impl Node {
    fn evaluate(&self, leaves: &mut [Option<Vec<Series>>], n: usize) -> Result<Value, Error> {
        Ok(match self {
            Node::Leaf(at) => {
                Value::Series(leaves[*at].take().expect("each leaf stands in the tree once"))
            }
            Node::Literal(value) => Value::Scalar(*value),
            Node::Constant(value) => Value::Series(vec![constant(*value, n)]),
            Node::Vector(aggregation, inner) => {
                let series = inner.evaluate(leaves, n)?.into_series(n);
                Value::Series(vector::aggregate(aggregation, series, n))
            }
            Node::Binary(operator, left, right) => {
                let left = left.evaluate(leaves, n)?;
                let right = right.evaluate(leaves, n)?;
                match (left, right) {
                    (Value::Scalar(left), Value::Scalar(right)) => {
                        Value::Scalar(binary::scalars(operator.op, left, right))
                    }
                    (Value::Scalar(left), Value::Series(right)) => {
                        Value::Series(binary::with_scalar(operator, right, left, true))
                    }
                    (Value::Series(left), Value::Scalar(right)) => {
                        Value::Series(binary::with_scalar(operator, left, right, false))
                    }
                    (Value::Series(left), Value::Series(right)) => {
                        Value::Series(binary::series(operator, left, right, n)?)
                    }
                }
            }
            Node::LabelReplace(replace, inner) => {
                Value::Series(replace.apply(inner.evaluate(leaves, n)?.into_series(n)))
            }
        })
    }
}

fn constant(value: f64, n: usize) -> Series {
    Series { labels: Labels::empty(), points: Points::constant(n, value) }
}

impl Value {
    fn into_series(self, n: usize) -> Vec<Series> {
        match self {
            Value::Series(series) => series,
            Value::Scalar(value) => vec![constant(value, n)],
        }
    }
}
