//! Random queries over random data: the fast way and the naive one have the same answer, however
//! the rows are cut: all at once, stream by stream in tasks that are merged, piece by piece in time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use super::evaluate::{self, Entry, Failure, Labels, Value, Vector};
use crate::logql::ast::{BinaryOp, LogQuery, Metric, Query, RangeOp, VectorOp};
use crate::logql::metric::{self, Accumulator, Evaluated, Plan, Steps};
use crate::logql::parse;
use crate::logql::pipeline::{Hints, Order, Pipeline, Runner};
use crate::model::{self, Lines, Metadata, MetadataColumn, Rows};

const S: i64 = 1_000_000_000;

/// The streams by their labels, and what their lines look like.
const STREAMS: [(&[(&str, &str)], Kind); 5] = [
    (&[("app", "a"), ("kind", "json")], Kind::Json),
    (&[("app", "b"), ("env", "p"), ("kind", "json")], Kind::Json),
    (&[("app", "a"), ("kind", "logfmt")], Kind::Logfmt),
    (&[("app", "c"), ("kind", "text")], Kind::Text),
    (&[("app", "d"), ("kind", "json")], Kind::Escaped),
];

#[derive(Clone, Copy)]
enum Kind {
    Json,
    /// With escapes where none is needed.
    Escaped,
    Logfmt,
    Text,
}

/// One entry: its stream, the seconds since the one before it, fields, metadata.
type Drawn = (usize, i64, Vec<(&'static str, &'static str)>, usize);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let fields = [
        ("status", "200"),
        ("status", "500"),
        ("status", "oops"),
        ("dur", "10ms"),
        ("dur", "2s"),
        ("dur", "bad"),
        ("size", "512"),
        ("size", "2KiB"),
        ("level", "info"),
        ("level", "warn"),
        ("app", "x"),
        ("n", "3"),
        ("n", "7.5"),
    ];
    let fields = prop::collection::vec(select(fields.to_vec()), 0..5);
    prop::collection::vec((0..STREAMS.len(), 1..9_i64, fields, 0..4_usize), 0..40)
}

const METADATA: [&[(&str, &str)]; 4] =
    [&[], &[("trace", "t1")], &[("env", "sm")], &[("env", "sm"), ("trace", "t2")]];

fn line_of(kind: Kind, fields: &[(&'static str, &'static str)]) -> String {
    // The first of each name, as a set.
    let mut pairs: BTreeMap<&str, &str> = BTreeMap::new();
    fields.iter().for_each(|(name, value)| {
        pairs.entry(name).or_insert(value);
    });
    match kind {
        Kind::Json => serde_json::to_string(&pairs).expect("plain texts"),
        Kind::Escaped => {
            let text = serde_json::to_string(&pairs).expect("plain texts");
            text.replace("\"info", "\"\\u0069nfo").replace("\"x", "\"\\u0078")
        }
        Kind::Logfmt => {
            let pairs: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
            pairs.join(" ")
        }
        Kind::Text => {
            let values: Vec<&str> = pairs.values().copied().collect();
            format!("said {}", values.join(" "))
        }
    }
}

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

fn some(texts: &[&'static str]) -> impl Strategy<Value = String> + use<> {
    select(texts.to_vec()).prop_map(String::from)
}

fn selector() -> impl Strategy<Value = String> {
    some(&[
        r#"{app=~".+"}"#,
        r#"{app="a"}"#,
        r#"{kind="json"}"#,
        r#"{kind=~"json|logfmt", app!="b"}"#,
        r#"{app="nobody"}"#,
        r#"{kind="text"}"#,
    ])
}

fn line_filter() -> impl Strategy<Value = String> {
    some(&[
        r#"|= "info""#,
        r#"!= "500""#,
        r#"|= "warn" or "oops""#,
        r#"!= "warn" or "10ms""#,
        r#"|~ "[0-9]+s""#,
        r#"!~ "^said""#,
        r#"|> "said <_>""#,
        r#"|> "<_>info<_>""#,
        r#"!> "<_>500""#,
        r#"|= """#,
    ])
}

fn label_filter() -> impl Strategy<Value = String> {
    let one = some(&[
        r#"level="info""#,
        r#"level!="info""#,
        r#"app=~"a|x""#,
        r#"app_extracted!~"x""#,
        "status>=300",
        "status!=200",
        "n<5",
        "dur>100ms",
        "dur<=2s",
        "size>1KB",
        "size=512B",
        r#"trace="t1""#,
        r#"env_extracted="sm""#,
        r#"env="""#,
    ]);
    one.prop_recursive(2, 4, 2, |inner| {
        (inner.clone(), some(&[" and ", " or ", ", ", " "]), inner)
            .prop_map(|(left, word, right)| format!("({left}{word}{right})"))
    })
}

fn pipeline() -> impl Strategy<Value = String> {
    let parser = some(&["", "| json", "| logfmt", r#"| regexp "(?P<word>[a-z]+)(?P<n>[0-9])?""#]);
    let later = prop_oneof![
        2 => label_filter().prop_map(|filter| format!("| {filter}")),
        1 => line_filter(),
        2 => some(&[
            r#"| line_format "{{.level}} {{.app}}{{.nope}}""#,
            "| label_format to=level",
            r#"| label_format app="{{.status}}-{{.app}}""#,
            r#"| label_format a=status, b="{{.status}}!""#,
            r#"| label_format empty="""#,
            "| drop level, trace",
            r#"| drop app="a", status=~"[0-9]+""#,
            r#"| keep app, level, status="200", n, dur, size"#,
            "| drop __error__",
            r#"| __error__="""#,
        ]),
    ];
    let first = prop::collection::vec(line_filter(), 0..2);
    (first, parser, prop::collection::vec(later, 0..3)).prop_map(|(first, parser, later)| {
        format!("{} {parser} {}", first.join(" "), later.join(" "))
    })
}

fn range() -> impl Strategy<Value = String> {
    let plain = some(&[
        "count_over_time(",
        "rate(",
        "bytes_over_time(",
        "bytes_rate(",
        "absent_over_time(",
    ]);
    let plain = plain.prop_map(|op| (op, String::new(), false));
    let unwrapped = (
        some(&[
            "sum_over_time(",
            "rate(",
            "rate_counter(",
            "avg_over_time(",
            "min_over_time(",
            "max_over_time(",
            "stdvar_over_time(",
            "stddev_over_time(",
            "quantile_over_time(0.3,",
            "quantile_over_time(1.5,",
            "first_over_time(",
            "last_over_time(",
        ]),
        some(&["| unwrap n", "| unwrap status", "| unwrap duration(dur)", "| unwrap bytes(size)"]),
        some(&["", "", "| level=\"info\"", "| __error__=\"\""]),
    );
    let unwrapped = unwrapped.prop_map(|(op, unwrap, filter)| {
        let groups = !op.starts_with("sum") && !op.starts_with("rate");
        (op, format!("{unwrap} {filter}"), groups)
    });
    let offset = some(&["", "", " offset 7s", " offset -9s"]);
    let window = some(&["[5s]", "[10s]", "[31s]", "[1m]"]);
    let guard = some(&["", r#"| __error__="""#, r#"| __error__="""#]);
    let by = some(&["", " by (app)", " by (level, env)", " without (level, kind)", " by ()"]);
    let ranges = prop_oneof![2 => plain, 3 => unwrapped];
    (ranges, selector(), pipeline(), guard, window, offset, by).prop_map(
        |((op, unwrap, groups), selector, pipeline, guard, window, offset, by)| {
            // Where an unwrap may fail, its errors are let through only where there is no guard.
            let unwrap = match (guard.is_empty(), unwrap.is_empty()) {
                (false, false) => format!("{unwrap} {guard}"),
                _ => unwrap,
            };
            let by = if groups { by } else { String::new() };
            format!("{op}{selector} {pipeline} {guard} {unwrap} {window}{offset}){by}")
        },
    )
}

fn metric_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![8 => range(), 1 => some(&["2", "0", "vector(3)"])];
    leaf.prop_recursive(3, 6, 2, |inner| {
        let vector = (
            some(&["sum", "avg", "count", "min", "max", "stddev", "stdvar", "topk", "bottomk"]),
            some(&["", " by (app)", " by (level, kind)", " without (app)", " by ()"]),
            inner.clone(),
        );
        let vector = vector.prop_map(|(op, by, inner)| {
            let k = if op.ends_with('k') { "2, " } else { "" };
            format!("{op}{by} ({k}{inner})")
        });
        let matching = some(&[
            "",
            "",
            "on (app)",
            "ignoring (level)",
            "on (app) group_left (env)",
            "on () group_right ()",
        ]);
        let arithmetic = some(&["+", "-", "*", "/", "%", "^", ">", "<=", "== bool", "!="]);
        let operator = prop_oneof![
            (arithmetic, matching).prop_map(|(op, matching)| format!("{op} {matching}")),
            (some(&["and", "or", "unless"]), some(&["", "on (app)", "ignoring (kind)"]))
                .prop_map(|(op, matching)| format!("{op} {matching}")),
        ];
        let binary = (inner.clone(), operator, inner)
            .prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})"));
        prop_oneof![3 => vector, 2 => binary]
    })
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

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
