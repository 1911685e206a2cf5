//! Random queries over random data: the fast way and the naive one have the same answer, however
//! the rows are cut: all at once, stream by stream in tasks that are merged, piece by piece in time.

use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;

use super::evaluate::{self, Entry, Failure, Labels, Value, Vector};
use super::queries::{Drawn, METADATA, STREAMS, drawn, line_of, metric_text, pipeline, selector};
use crate::logql::ast::{BinaryOp, LogQuery, Metric, Query, RangeOp, VectorOp};
use crate::logql::metric::{self, Accumulator, Evaluated, Plan, Steps};
use crate::logql::parse;
use crate::logql::pipeline::{Hints, Order, Pipeline, Runner};
use crate::model::{self, Lines, Metadata, MetadataColumn, Rows};

const S: i64 = 1_000_000_000;

/// Rows of one stream.
type Block = (model::Labels, Rows);

/// The same entries for both ways. `cut`: entries of one stream in one block.
struct Data {
    entries: Vec<Entry>,
    blocks: Vec<Block>,
}

fn data(drawn: &[Drawn], cut: usize) -> Data {
    let owned = |pairs: &[(&str, &str)]| -> Labels {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    };
    let mut entries = Vec::new();
    let mut streams: Vec<Vec<(i64, String, usize)>> = vec![Vec::new(); STREAMS.len()];
    let mut time = 0;
    for (stream, gap, fields, metadata) in drawn {
        time += gap;
        let (labels, kind) = STREAMS[*stream];
        let line = line_of(kind, fields);
        let (labels, own) = (owned(labels), owned(METADATA[*metadata]));
        entries.push(evaluate::entry(time * S, &line, &labels, &own));
        streams[*stream].push((time * S, line, *metadata));
    }
    let mut blocks = Vec::new();
    for (rows, (labels, _)) in streams.iter().zip(STREAMS) {
        let labels = model::Labels::from_pairs(labels.iter().copied()).expect("unique");
        for block in rows.chunks(cut.max(1)) {
            blocks.push((labels.clone(), rows_of(block)));
        }
    }
    Data { entries, blocks }
}

fn rows_of(block: &[(i64, String, usize)]) -> Rows {
    let (mut bytes, mut offsets) = (Vec::new(), vec![0]);
    for (_, line, _) in block {
        bytes.extend_from_slice(line.as_bytes());
        offsets.push(u32::try_from(bytes.len()).expect("short"));
    }
    let sets = METADATA.iter().map(|pairs| Metadata::from_pairs(pairs.iter().copied())).collect();
    let ids = block.iter().map(|(.., set)| u32::try_from(*set).expect("few")).collect();
    Rows {
        timestamps: block.iter().map(|(time, ..)| *time).collect(),
        lines: Some(Lines { bytes: bytes.into(), offsets }),
        metadata: Some(MetadataColumn { sets, ids }),
    }
}

/// What is compared of an entry: where it is, its line, its labels.
type Shown = (i64, String, Labels);

fn fast_log(query: &LogQuery, blocks: &[Block], order: Order) -> Vec<Shown> {
    let pipeline = Pipeline::compile(&query.pipeline, &Hints::default()).expect("a good pipeline");
    let mut runner = Runner::new(&pipeline);
    let mut found = Vec::new();
    for (labels, rows) in blocks.iter().filter(|(labels, _)| query.selector.matches(labels)) {
        let _ = runner.run(labels, rows, order, &mut |entry| {
            let labels = entry.labels().filter(|(name, ..)| *name != "__error_details__");
            let labels = labels.map(|(name, _, value)| (name.to_owned(), value.to_owned()));
            found.push((entry.timestamp(), entry.line().to_owned(), labels.collect()));
            ControlFlow::Continue(())
        });
    }
    found.sort_by_key(|(time, ..)| *time);
    found
}

/// `tasks`: how many accumulators share the blocks.
fn fast_metric(
    query: &Metric,
    blocks: &[Block],
    steps: Steps,
    tasks: usize,
) -> Result<Evaluated, Failure> {
    let plan = Plan::compile(query, 0).expect("a good plan");
    let failure = |error: metric::Error| match error {
        metric::Error::Pipeline { .. } => Failure::Pipeline,
        metric::Error::Matching(_) => Failure::Matching,
        metric::Error::TooManySeries { .. } => unreachable!("there are few"),
    };
    let mut leaves = Vec::new();
    for leaf in plan.leaves() {
        let begin = || Accumulator::new(Arc::new(leaf.clone()), steps, 10_000);
        let mut parts: Vec<Accumulator> = (0..tasks).map(|_| begin()).collect();
        let wanted = blocks.iter().filter(|(labels, _)| leaf.selector.matches(labels));
        for (number, (labels, rows)) in wanted.enumerate() {
            let part = &mut parts[number % tasks];
            let span = rows.timestamps[0]..=rows.timestamps[rows.len() - 1];
            if !part.add_block(labels, span, rows.len() as u64) {
                part.add_rows(labels, rows).map_err(failure)?;
            }
        }
        let mut total = begin();
        for part in parts {
            total.merge(part).map_err(failure)?;
        }
        leaves.push(total.finish());
    }
    plan.evaluate(leaves, steps, 10_000).map_err(failure)
}

fn naive_metric(query: &Metric, entries: &[Entry], steps: Steps) -> Result<Vec<Value>, Failure> {
    (0..steps.n).map(|step| evaluate::metric(query, entries, steps.time(step))).collect()
}

/// The values of one step of a fast answer.
fn at_step(evaluated: &Evaluated, step: usize) -> Vector {
    match evaluated {
        Evaluated::Scalar(value) => Vector::from([(Labels::new(), *value)]),
        Evaluated::Series { series, .. } => {
            let present = series.iter().filter_map(|series| {
                let labels = series.labels.iter();
                let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
                Some((labels.collect(), series.points.get(step)?))
            });
            present.collect()
        }
    }
}

fn is_close(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

fn agree(fast: &Vector, naive: &Vector) -> bool {
    fast.keys().eq(naive.keys()) && fast.values().zip(naive.values()).all(|(a, b)| is_close(*a, *b))
}

/// Whether an answer may turn on the last digit of a sum, which depends on the order of adding:
/// something rounds, and something compares or ranks.
fn is_fragile(metric: &Metric) -> bool {
    fn look(metric: &Metric, rounds: &mut bool, decides: &mut bool) {
        match metric {
            Metric::Range(own) => {
                let exact = matches!(
                    own.op,
                    RangeOp::CountOverTime | RangeOp::BytesOverTime | RangeOp::AbsentOverTime
                );
                *rounds |= !exact;
            }
            Metric::Vector(own) => {
                *decides |= matches!(own.op, VectorOp::TopK | VectorOp::BottomK);
                *rounds |= matches!(own.op, VectorOp::Avg | VectorOp::Stddev | VectorOp::Stdvar);
                look(&own.inner, rounds, decides);
            }
            Metric::Binary(own) => {
                let exact =
                    matches!(own.op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::And)
                        || matches!(own.op, BinaryOp::Or | BinaryOp::Unless);
                *rounds |= matches!(own.op, BinaryOp::Div | BinaryOp::Pow);
                // Powers and remainders make a large difference of a small one.
                *decides |= !exact && own.op != BinaryOp::Div;
                look(&own.left, rounds, decides);
                look(&own.right, rounds, decides);
            }
            Metric::LabelReplace(own) => look(&own.inner, rounds, decides),
            Metric::Literal(_) | Metric::Constant(_) => {}
        }
    }
    let (mut rounds, mut decides) = (false, false);
    look(metric, &mut rounds, &mut decides);
    rounds && decides
}

/// At least so many.
fn cases(n: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(n), ..config }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn entries_of_log_queries(
        drawn in drawn(), selector in selector(), pipeline in pipeline(), cut in 1..9_usize,
    ) {
        let text = format!("{selector} {pipeline}");
        // `drop a` swallows a `!=` that was to be a line filter: such a text is refused.
        let Ok(Query::Log(query)) = parse(&text) else { return Ok(()) };
        let data = data(&drawn, cut);
        let naive: Vec<Shown> = evaluate::log(&query, &data.entries)
            .into_iter()
            .map(|entry| (entry.timestamp, entry.line, entry.labels))
            .collect();
        for order in [Order::Forward, Order::Backward] {
            prop_assert_eq!(fast_log(&query, &data.blocks, order), naive.clone(), "{}", text);
        }
    }

    #[test]
    fn values_of_metric_queries(
        drawn in drawn(), text in metric_text(), cut in 1..9_usize, tasks in 1..4_usize,
        start in 0..60_i64, step in 1..40_i64, n in 1..6_usize,
    ) {
        let Ok(Query::Metric(query)) = parse(&text) else {
            // Some of what is put together means nothing: a set of a number, say.
            return Ok(());
        };
        let data = data(&drawn, cut);
        let steps = Steps { start: start * S, step: step * S, n };
        let naive = naive_metric(&query, &data.entries, steps);
        if let Err(Failure::Undefined) = naive {
            return Ok(());
        }
        let fast = fast_metric(&query, &data.blocks, steps, tasks);
        match (naive, fast) {
            (Ok(naive), Ok(fast)) => {
                for (step, naive) in naive.into_iter().enumerate() {
                    let naive = match naive {
                        Value::Scalar(value) => Vector::from([(Labels::new(), value)]),
                        Value::Vector(vector) => vector,
                    };
                    let fast = at_step(&fast, step);
                    let same = agree(&fast, &naive) || is_fragile(&query);
                    prop_assert!(same, "{text}\nstep {step}\nfast {fast:?}\nnaive {naive:?}");
                }
            }
            // Which of several failures is met first depends on the way.
            (Err(_), Err(_)) => {}
            // Parsers whose labels nobody needs are skipped, and so are their errors.
            (Err(Failure::Pipeline), Ok(_)) => {}
            (naive, fast) => {
                let (naive, fast) = (naive.map(|_| ()), fast.map(|_| ()));
                prop_assert!(false, "{text}\nnaive {naive:?}\nfast {fast:?}");
            }
        }
    }
}
