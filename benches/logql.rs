//! What each stage and each function of LogQL costs: entries and bytes in a second on one core.
//!
//! `cargo bench --bench logql [WORD]` prints a table; with a word, only the lines that have it. The
//! rows are in memory and decoded, so what is measured is the pipeline and nothing before it.
//! `-- --test` runs each once over few rows, to see that all of them still mean something.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program that measures")]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drave::logql::ast::Query;
use drave::logql::metric::{Accumulator, Plan, Steps};
use drave::logql::parse;
use drave::logql::pipeline::{Hints, Order, Pipeline, Runner};
use drave::model::{Labels, Lines, Metadata, MetadataColumn, Rows};

const SECOND: i64 = 1_000_000_000;
/// How long each line of the table is measured.
const TIME_MIN: Duration = Duration::from_millis(500);

/// Pipelines over lines of logfmt, and over lines of JSON where the name says so.
const STAGES: [(&str, &str); 40] = [
    ("nothing", ""),
    ("|= found in all", r#"|= "status""#),
    ("|= found in none", r#"|= "nowhere""#),
    ("|= of two, or", r#"|= "panic" or "fatal""#),
    ("!= ", r#"!= "error""#),
    ("|~ with a literal", r#"|~ "status=5\\d\\d""#),
    ("|~ without one", r#"|~ "[0-9]+ms""#),
    ("|~ any case", r#"|~ "(?i)ERROR""#),
    ("|~ any case, with more", r#"|~ "(?i)level=ERROR.*(5\\d\\d|404)""#),
    ("!~ ", r#"!~ "status=2\\d\\d""#),
    ("|> pattern", r#"|> "<_>status=500<_>""#),
    ("!> pattern", r#"!> "<_>status=500<_>""#),
    ("|= ip", r#"|= ip("10.0.0.0/8")"#),
    ("logfmt", "| logfmt"),
    ("logfmt, strict", "| logfmt --strict"),
    ("logfmt, empty values", "| logfmt --keep-empty"),
    ("logfmt of two", "| logfmt status, took"),
    ("json", "| json"),
    ("json of one", r#"| json status="status""#),
    ("json of two", r#"| json status="status", id="user.id""#),
    ("json, filter, number", "| json | status >= 500"),
    ("json, filter, text", r#"| json | level="error""#),
    ("json, filter, regex", r#"| json | level=~"err.*|warn""#),
    ("json, unpack", "| unpack"),
    ("regexp", r#"| regexp "status=(?P<status>\\d+) took=(?P<took>\\S+)""#),
    ("pattern", r#"| pattern "level=<level> status=<status> took=<took> <_>""#),
    ("filter, text", r#"| logfmt | level="error""#),
    ("filter, regex", r#"| logfmt | path=~"/api/.*""#),
    ("filter, number", "| logfmt | status >= 500"),
    ("filter, duration", "| logfmt | took > 100ms"),
    ("filter, bytes", "| logfmt | size > 1KB"),
    ("filter, ip", r#"| logfmt | addr=ip("10.1.2.0/25")"#),
    ("filter, and, or", r#"| logfmt | level="error" or status=404 and size > 1KB"#),
    ("filter, metadata", r#"| trace_id="t3""#),
    ("line_format", r#"| logfmt | line_format "{{.status}} {{.path}}""#),
    ("line_format, functions", r#"| logfmt | line_format "{{.path | ToUpper | trunc 5}}""#),
    ("label_format", r#"| logfmt | label_format code=status, where="{{.path}}""#),
    ("decolorize", "| decolorize"),
    ("drop", "| logfmt | drop path, size"),
    ("keep", "| logfmt | keep status"),
];

/// Aggregations of an hour in steps of a minute.
const AGGREGATIONS: [&str; 22] = [
    r#"count_over_time({app="a"}[5m])"#,
    r#"rate({app="a"}[5m])"#,
    r#"sum(rate({app="a"} |= "error" [5m]))"#,
    r#"bytes_over_time({app="a"}[5m])"#,
    r#"bytes_rate({app="a"}[5m])"#,
    r#"absent_over_time({app="a"}[5m])"#,
    r#"sum by (level) (count_over_time({app="a"} | logfmt [5m]))"#,
    r#"sum by (path) (count_over_time({app="a"} | logfmt [5m]))"#,
    r#"sum by (trace_id) (count_over_time({app="a"}[5m]))"#,
    r#"topk(3, sum by (path) (rate({app="a"} | logfmt [5m])))"#,
    r#"sum by (level) (rate({app="a"} | logfmt [5m])) / ignoring (level) group_left sum(rate({app="a"}[5m]))"#,
    r#"sum_over_time({app="a"} | logfmt | unwrap bytes(size) [5m])"#,
    r#"avg_over_time({app="a"} | logfmt | unwrap duration(took) [5m]) by (level)"#,
    r#"min_over_time({app="a"} | logfmt | unwrap status [5m]) by (level)"#,
    r#"max_over_time({app="a"} | logfmt | unwrap status [5m]) by (level)"#,
    r#"stdvar_over_time({app="a"} | logfmt | unwrap status [5m]) by (level)"#,
    r#"stddev_over_time({app="a"} | logfmt | unwrap status [5m]) by (level)"#,
    r#"quantile_over_time(0.99, {app="a"} | logfmt | unwrap duration(took) [5m]) by (level)"#,
    r#"first_over_time({app="a"} | logfmt | unwrap status [5m]) by (level)"#,
    r#"last_over_time({app="a"} | logfmt | unwrap status [5m]) by (level)"#,
    r#"rate({app="a"} | logfmt | unwrap status [5m])"#,
    r#"rate_counter({app="a"} | logfmt | keep status | unwrap status [5m])"#,
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let word = arguments.iter().find(|argument| !argument.starts_with("--"));
    let wanted = |name: &str| word.is_none_or(|word| name.contains(word.as_str()));
    let n = if is_test { 500 } else { 100_000 };
    let (logfmt, json) = (rows(n, logfmt_line), rows(n, json_line));
    let time = if is_test { Duration::ZERO } else { TIME_MIN };
    println!("{:<88} {:>12} {:>9} {:>9}", "", "entries/s", "MB/s", "kept");
    for (name, pipeline) in STAGES {
        let title = format!("{name}: {pipeline}");
        if wanted(&title) {
            let rows = if name.starts_with("json") { &json } else { &logfmt };
            measure(&title, rows, time, || entries(pipeline, rows));
        }
    }
    for query in AGGREGATIONS {
        if wanted(query) {
            measure(query, &logfmt, time, || series(query, &logfmt));
        }
    }
}

/// Prints one line of the table. `once` says how much is left of the rows.
fn measure(title: &str, rows: &Rows, time: Duration, mut once: impl FnMut() -> usize) {
    let kept = once();
    let start = Instant::now();
    let mut n_times = 0_u32;
    while n_times == 0 || start.elapsed() < time {
        assert_eq!(black_box(once()), kept, "{title}");
        n_times += 1;
    }
    let seconds = start.elapsed().as_secs_f64() / f64::from(n_times);
    let bytes = rows.lines.as_ref().map_or(0, |lines| lines.bytes.len());
    let (entries, bytes) = (rows.len() as f64 / seconds, bytes as f64 / seconds / 1e6);
    println!("{title:<88} {entries:>12.0} {bytes:>9.0} {kept:>9}");
}

fn stream() -> Labels {
    Labels::from_pairs([("app", "a"), ("env", "prod")]).expect("unique")
}

/// How many entries a pipeline leaves.
fn entries(pipeline: &str, rows: &Rows) -> usize {
    let text = format!(r#"{{app="a"}} {pipeline}"#);
    let Query::Log(query) = parse(&text).expect(&text) else { unreachable!("it asks for entries") };
    let pipeline = Pipeline::compile(&query.pipeline, &Hints::default()).expect(&text);
    let mut kept = 0;
    let _ = Runner::new(&pipeline).run(&stream(), rows, Order::Forward, &mut |entry| {
        black_box(entry.line());
        kept += 1;
        ControlFlow::Continue(())
    });
    kept
}

/// How many series an aggregation comes to.
fn series(query: &str, rows: &Rows) -> usize {
    let Query::Metric(metric) = parse(query).expect(query) else {
        unreachable!("it asks for numbers")
    };
    let plan = Plan::compile(&metric, 0).expect(query);
    let steps = Steps::range(0, 3600 * SECOND, 60 * SECOND);
    let leaves = plan.leaves().iter().map(|leaf| {
        let mut all = Accumulator::new(Arc::new(leaf.clone()), steps, 1_000_000);
        all.add_rows(&stream(), rows).expect(query);
        all.finish()
    });
    let leaves = leaves.collect();
    match plan.evaluate(leaves, steps, 1_000_000).expect(query) {
        drave::logql::metric::Evaluated::Scalar(_) => 1,
        drave::logql::metric::Evaluated::Series { series, .. } => series.len(),
    }
}

/// An hour of entries; each hundredth has a trace.
fn rows(n: usize, line: fn(usize) -> String) -> Rows {
    let (mut bytes, mut offsets) = (Vec::new(), vec![0]);
    for at in 0..n {
        bytes.extend_from_slice(line(at).as_bytes());
        offsets.push(u32::try_from(bytes.len()).expect("a few megabytes"));
    }
    let traces = (0..10).map(|id| Metadata::from_pairs([("trace_id", format!("t{id}").as_str())]));
    let sets = std::iter::once(Metadata::empty()).chain(traces).collect();
    let id = |at: usize| if at.is_multiple_of(100) { 1 + at / 100 % 10 } else { 0 };
    let ids = (0..n).map(|at| u32::try_from(id(at)).expect("few")).collect();
    let time = |at: usize| i64::try_from(at * 3600 / n).expect("an hour") * SECOND;
    Rows {
        timestamps: (0..n).map(time).collect(),
        lines: Some(Lines { bytes: bytes.into(), offsets }),
        metadata: Some(MetadataColumn { sets, ids }),
    }
}

/// What varies from line to line.
fn fields(at: usize) -> (&'static str, u32, usize, usize, usize) {
    let (level, status) = match at % 20 {
        0 => ("error", 500),
        1 | 2 => ("warn", 404),
        _ => ("info", 200),
    };
    (level, status, at * 37 % 900, at * 91 % 4096, at % 50)
}

fn logfmt_line(at: usize) -> String {
    let (level, status, took, size, path) = fields(at);
    format!(
        "level={level} status={status} took={took}ms size={size} path=/api/v1/item/{path} \
         addr=10.1.2.{} msg=\"request number {at} was served\"",
        at % 250
    )
}

fn json_line(at: usize) -> String {
    let (level, status, took, size, path) = fields(at);
    format!(
        r#"{{"level":"{level}","status":{status},"took":"{took}ms","size":{size},"path":"/api/v1/item/{path}","user":{{"id":{},"roles":["a","b"]}},"msg":"request number {at} was served"}}"#,
        at % 1000
    )
}
