//! Worked examples: queries over a few entries, and what they answer.
//!
//! The answers were checked with the engine that users come from. Each case is one line: a query
//! and what comes out, so that the table can be read as a description of the language.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::ast::Query;
use super::metric::{Accumulator, Evaluated, Plan, Steps};
use super::pipeline::{Hints, Order, Pipeline, Runner};
use super::{number, parse};
use crate::model::{Labels, Lines, Metadata, MetadataColumn, Rows};

const S: i64 = 1_000_000_000;

/// A time in seconds, a line, metadata.
type Entry = (i64, &'static str, &'static [(&'static str, &'static str)]);

fn stream(labels: &[(&str, &str)], entries: &[Entry]) -> (Labels, Rows) {
    let mut sets = vec![Metadata::empty()];
    let mut rows = Rows::default();
    let (mut bytes, mut offsets, mut ids) = (Vec::new(), vec![0], Vec::new());
    for (time, line, metadata) in entries {
        rows.timestamps.push(time * S);
        bytes.extend_from_slice(line.as_bytes());
        offsets.push(u32::try_from(bytes.len()).expect("short"));
        if metadata.is_empty() {
            ids.push(0);
        } else {
            ids.push(u32::try_from(sets.len()).expect("few"));
            sets.push(Metadata::from_pairs(metadata.iter().copied()));
        }
    }
    rows.lines = Some(Lines { bytes: bytes.into(), offsets });
    rows.metadata = Some(MetadataColumn { sets: sets.into(), ids });
    (Labels::from_pairs(labels.iter().copied()).expect("unique"), rows)
}

fn streams() -> Vec<(Labels, Rows)> {
    let web: &[Entry] = &[
        (10, r#"level=info status=200 dur=120ms size=1KB path=/a msg="hello world""#, &[]),
        (20, r#"level=error status=500 dur=1.5s size=2KiB path=/b msg="boom""#, &[]),
        (30, "level=info status=200 dur=80ms size=512 path=/a", &[]),
        (40, "level=warn status=oops dur=abc size=zz path=/c app=other", &[]),
    ];
    let api: &[Entry] = &[
        (
            15,
            concat!(
                r#"{"level":"info","user":{"id":7,"name":"ann"},"tags":["x","y"],"ok":true,"#,
                r#""nil":null,"a-b":"1","app":"dup","n":"10"}"#
            ),
            &[("trace_id", "t1"), ("env", "smenv")],
        ),
        (25, r#"{"level":"error","user":{"id":8},"n":"25""#, &[("trace_id", "t2")]),
        (35, r#"{"level":"error","user":{"id":9},"n":"5"}"#, &[]),
    ];
    let ctr: &[Entry] =
        &[(10, "v=10", &[]), (20, "v=20", &[]), (30, "v=5", &[]), (40, "v=15", &[])];
    vec![
        stream(&[("app", "web"), ("env", "prod")], web),
        stream(&[("app", "api"), ("env", "prod")], api),
        stream(&[("app", "ctr")], ctr),
    ]
}

/// Each entry as its time, the labels that are asked for, and its line where `line` is.
fn logs(query: &str, shown: &[&str], order: Order, limit: usize) -> Vec<String> {
    let Query::Log(log) = parse(query).expect(query) else { panic!("{query} is no log query") };
    let pipeline = Pipeline::compile(&log.pipeline, &Hints::default()).expect(query);
    let mut runner = Runner::new(&pipeline);
    let mut found = Vec::new();
    for (labels, rows) in streams().iter().filter(|(labels, _)| log.selector.matches(labels)) {
        let _ = runner.run(labels, rows, order, &mut |entry| {
            let mut text = (entry.timestamp() / S).to_string();
            for name in shown {
                match *name {
                    "line" => text += &format!(" {}", entry.line()),
                    "*" => {
                        let mut all: Vec<String> =
                            entry.labels().map(|(name, _, v)| format!(" {name}={v}")).collect();
                        all.sort();
                        text += &all.concat();
                    }
                    name => {
                        if let Some(value) = entry.label(name) {
                            text += &format!(" {name}={value}");
                        }
                    }
                }
            }
            found.push((entry.timestamp(), text));
            ControlFlow::Continue(())
        });
    }
    let sign = if order == Order::Forward { 1 } else { -1 };
    found.sort_by_key(|(time, _)| sign * time);
    found.into_iter().map(|(_, text)| text).take(limit).collect()
}

#[track_caller]
fn check(query: &str, shown: &[&str], expected: &[&str]) {
    assert_eq!(logs(query, shown, Order::Forward, 100), expected, "{query}");
}

#[test]
fn label_filters() {
    let web = r#"{app="web"} | logfmt "#;
    let error = &["__error__"];
    check(&format!("{web}| status >= 400"), error, &["20", "40 __error__=LabelFilterErr"]);
    check(&format!(r#"{web}| status >= 400 | __error__="""#), error, &["20"]);
    check(&format!("{web}| size > 1KB"), error, &["20", "40 __error__=LabelFilterErr"]);
    check(
        &format!("{web}| size=512"),
        error,
        &[
            "10 __error__=LabelFilterErr",
            "20 __error__=LabelFilterErr",
            "30",
            "40 __error__=LabelFilterErr",
        ],
    );
    check(&format!("{web}| size=512B"), error, &["30", "40 __error__=LabelFilterErr"]);
    check(&format!("{web}| nosuch > 5"), error, &[]);
    check(&format!(r#"{web}| nosuch="""#), error, &["10", "20", "30", "40"]);
    check(r#"{app="api"} | trace_id="t1""#, &[], &["15"]);
    check(r#"{app="api"} | trace_id!="""#, &[], &["15", "25"]);
    check(
        &format!("{web}| dur > 100ms"),
        &["__error_details__"],
        &["10", "20", r#"40 __error_details__=time: invalid duration "abc""#],
    );
}

#[test]
fn parsers() {
    check(
        r#"{app="web"} | logfmt | app_extracted != """#,
        &["app", "app_extracted"],
        &["40 app=web app_extracted=other"],
    );
    check(
        r#"{app="api"} | json"#,
        &["*"],
        &[
            "15 a_b=1 app=api app_extracted=dup env=prod env_extracted=smenv level=info n=10 \
             ok=true trace_id=t1 user_id=7 user_name=ann",
            "25 __error__=JSONParserErr __error_details__=Value is array, but can't find closing \
             ']' symbol app=api env=prod level=error n=25 trace_id=t2 user_id=8",
            "35 app=api env=prod level=error n=5 user_id=9",
        ],
    );
    check(
        r#"{app="api"} | json u="user.id", t="tags[0]", m="missing", o="user""#,
        &["u", "t", "m", "o", "__error__"],
        &[
            r#"15 u=7 t=x m= o={"id":7,"name":"ann"}"#,
            r#"25 u=8 t= m= o={"id":8}"#,
            r#"35 u=9 t= m= o={"id":9}"#,
        ],
    );
    let (lvl, st) = (&["lvl", "st"], &["st"]);
    check(
        r#"{app="web"} | pattern "level=<lvl> status=<st> <_>""#,
        lvl,
        &["10 lvl=info st=200", "20 lvl=error st=500", "30 lvl=info st=200", "40 lvl=warn st=oops"],
    );
    check(r#"{app="web"} | pattern "status=<st> <_>""#, st, &["10", "20", "30", "40"]);
    check(
        r#"{app="web"} |= "80ms" | pattern "<_>status=<st> zzz <x>""#,
        st,
        &["30 st=200 dur=80ms size=512 path=/a"],
    );
    check(
        r#"{app="web"} | regexp "status=(?P<st>\\d+)(?P<none>x)?""#,
        &["st", "none"],
        &["10 st=200 none=", "20 st=500 none=", "30 st=200 none=", "40"],
    );
    check(r#"{app="web"} | logfmt --strict | __error__!="""#, &[], &[]);
    check(
        r#"{app="web"} | logfmt st="status", none"#,
        &["st", "none", "level"],
        &["10 st=200 none=", "20 st=500 none=", "30 st=200 none=", "40 st=oops none="],
    );
}

/// `logfmt none` took the error of an earlier `logfmt --strict` for its own, and left out what it was
/// asked for.
#[test]
fn an_error_of_an_earlier_parser_does_not_silence_a_later_one() {
    check(
        r#"{app="api"} |= "9" | logfmt --strict | logfmt none, n="user""#,
        &["none", "n", "__error__"],
        &["35 none= n= __error__=LogfmtParserErr"],
    );
}

/// `logfmt app="x"` and `json app="x"` brought a stream's label back, empty, that was dropped before,
/// though they showed what they found as `app_extracted`.
#[test]
fn a_dropped_label_does_not_come_back_empty() {
    let shown = &["app", "app_extracted", "none"];
    check(
        r#"{app="web"} |= "other" | drop app | logfmt app, none"#,
        shown,
        &["40 app_extracted=other none="],
    );
    check(
        r#"{app="api"} |= "dup" | drop app | json app="app", ok="ok""#,
        shown,
        &["15 app_extracted=dup"],
    );
    // As in Loki: JSON that lacks one of them makes all empty that are not there.
    check(
        r#"{app="api"} |= "dup" | drop app | json app="app", none="none""#,
        shown,
        &["15 app= app_extracted=dup none="],
    );
}

/// `logfmt level="none"` left what an earlier parser had found under the name.
#[test]
fn a_wished_key_that_is_missing_empties_its_label() {
    check(
        r#"{app="web"} |= "boom" | logfmt | logfmt level="none", status"#,
        &["level", "status"],
        &["20 level= status=500"],
    );
}

#[test]
fn formats() {
    check(
        r#"{app="web"} | logfmt | line_format "{{.status}} {{.nope}}{{.path | upper}}""#,
        &["line"],
        &["10 200 /A", "20 500 /B", "30 200 /A", "40 oops /C"],
    );
    check(
        r#"{app="web"} |= "80ms" | logfmt | label_format a=level,b="{{.status}}x""#,
        &["level", "a", "b"],
        &["30 a=info b=200x"],
    );
    check(
        r#"{app="ctr"} |= "v=5" | label_format a="x" | label_format a="z", b="{{.a}}y", c=a"#,
        &["a", "b", "c"],
        &["30 b=xy c=z"],
    );
    check(
        r#"{app="web"} | logfmt | drop msg,size,level="info""#,
        &["level", "msg"],
        &["10", "20 level=error", "30", "40 level=warn"],
    );
    check(
        r#"{app="web"} | logfmt | keep status,level="info""#,
        &["*"],
        &[
            "10 level=info status=200",
            "20 status=500",
            "30 level=info status=200",
            "40 status=oops",
        ],
    );
    check(
        r#"{app="web"} | line_format "{{.app}}" |= "web""#,
        &["line"],
        &["10 web", "20 web", "30 web", "40 web"],
    );
    check(r#"{app="web"} | line_format "{{.app}}" |= "level""#, &["line"], &[]);
    check(
        r#"{app="ctr"} |= "v=5" | line_format "{{ div 1 0 }}""#,
        &["line", "__error__"],
        &["30 v=5 __error__=TemplateFormatErr"],
    );
    check(
        r#"{app="ctr"} |= "v=5" | line_format `{"_entry":"packed","v":"7","n":1}` | unpack"#,
        &["line", "v", "n"],
        &["30 packed v=7"],
    );
}

#[test]
fn line_filters_and_order() {
    check(r#"{app="web"} |> "<_>status=500<_>""#, &[], &["20"]);
    check(r#"{app="web"} !> "<_>status=500<_>""#, &[], &["10", "30", "40"]);
    check(r#"{app="web"} != "info" != "warn""#, &[], &["20"]);
    check(r#"{app="web"} |= "HELLO""#, &[], &[]);
    check(r#"{app="web"} |~ "(?i)HELLO""#, &[], &["10"]);
    check(r#"{app="web"} |= "boom" or "warn" != "x" or "zz""#, &[], &["20"]);
    let env = |order, expected: &[&str]| {
        assert_eq!(logs(r#"{env="prod"}"#, &["app"], order, 2), expected);
    };
    env(Order::Backward, &["40 app=web", "35 app=api"]);
    env(Order::Forward, &["10 app=web", "15 app=api"]);
}

fn evaluate(query: &str, steps: Steps) -> Result<Evaluated, String> {
    let Query::Metric(metric) = parse(query).expect(query) else { panic!("{query} has no value") };
    let plan = Plan::compile(&metric, 0).expect(query);
    let mut leaves = Vec::new();
    for leaf in plan.leaves() {
        let (after, until) = leaf.times(steps);
        let mut accumulator = Accumulator::new(Arc::new(leaf.clone()), steps, 500);
        for (labels, rows) in streams() {
            if !leaf.selector.matches(&labels) {
                continue;
            }
            assert!(rows.timestamps[0] > after - 100 * S && after <= until);
            let needs = leaf.needs_for(&labels);
            let rows = Rows {
                timestamps: rows.timestamps,
                lines: rows.lines.filter(|_| needs.lines),
                metadata: rows.metadata.filter(|_| needs.metadata),
            };
            accumulator.add_rows(&labels, &rows).map_err(|error| error.to_string())?;
        }
        leaves.push(accumulator.finish());
    }
    plan.evaluate(leaves, steps, 500).map_err(|error| error.to_string())
}

/// Each series as its labels and its values, with their times in seconds where there are several.
fn shown(query: &str, steps: Steps) -> String {
    match evaluate(query, steps) {
        Err(error) => format!("error: {}", error.lines().next().unwrap_or("")),
        Ok(Evaluated::Scalar(value)) => number::format_float(value),
        Ok(Evaluated::Series { series, .. }) => {
            let series = series.iter().map(|series| {
                let points = series.points.iter().map(|(step, value)| match steps.n {
                    1 => number::format_float(value),
                    _ => format!("{}:{}", steps.time(step) / S, number::format_float(value)),
                });
                format!("{} {}", series.labels, points.collect::<Vec<_>>().join(" "))
            });
            series.collect::<Vec<_>>().join(" | ")
        }
    }
}

#[track_caller]
fn at_40(query: &str, expected: &str) {
    assert_eq!(shown(query, Steps::instant(40 * S)), expected, "{query}");
}

#[test]
fn range_aggregations() {
    at_40(
        r#"count_over_time({env="prod"}[30s])"#,
        concat!(
            r#"{app="api", env="prod"} 1 | "#,
            r#"{app="api", env="prod", env_extracted="smenv", trace_id="t1"} 1 | "#,
            r#"{app="api", env="prod", trace_id="t2"} 1 | {app="web", env="prod"} 3"#
        ),
    );
    at_40(r#"count_over_time({app="web"}[10s])"#, r#"{app="web", env="prod"} 1"#);
    at_40(r#"rate({app="web"}[40s])"#, r#"{app="web", env="prod"} 0.1"#);
    at_40(r#"bytes_over_time({app="ctr"}[40s])"#, r#"{app="ctr"} 15"#);
    at_40(r#"bytes_rate({app="ctr"}[40s])"#, r#"{app="ctr"} 0.375"#);
    at_40(
        r#"sum by (level) (count_over_time({app="web"} | logfmt [40s]))"#,
        r#"{level="error"} 1 | {level="info"} 2 | {level="warn"} 1"#,
    );
    at_40(r#"absent_over_time({app="nope",env=~"p.*"}[10s])"#, r#"{app="nope"} 1"#);
    at_40(r#"absent_over_time({app="web"}[10s])"#, "");
    at_40(r#"sum without (app) (count_over_time({app="web"}[40s]))"#, r#"{env="prod"} 4"#);
}

#[test]
fn unwrapped_samples() {
    let ctr =
        |before: &str, after: &str| format!(r#"{before}{{app="ctr"}} | logfmt | unwrap v {after}"#);
    at_40(
        r#"sum by (status) (sum_over_time({app="web"} | logfmt | unwrap status [40s]))"#,
        concat!(
            r#"error: pipeline error: 'SampleExtractionErr' for series: "#,
            r#"'{__error__="SampleExtractionErr", "#,
            r#"__error_details__="strconv.ParseFloat: parsing \"oops\": invalid syntax", "#,
            r#"app="web", env="prod", status="oops"}'."#
        ),
    );
    at_40(
        r#"sum(sum_over_time({app="web"} | logfmt | unwrap status | __error__="" [40s]))"#,
        "{} 900",
    );
    at_40(
        r#"max_over_time({app="web"} | logfmt | unwrap bytes(size) | __error__="" [40s]) by (path)"#,
        r#"{path="/a"} 1000 | {path="/b"} 2048"#,
    );
    at_40(
        concat!(
            r#"sum by (path) (max_over_time({app="web"} | logfmt | unwrap duration(dur)"#,
            r#" | __error__="" [40s]))"#
        ),
        r#"{path="/a"} 0.2 | {path="/b"} 1.5"#,
    );
    at_40(
        concat!(
            r#"quantile_over_time(0.5, {app="web"} | logfmt | unwrap duration(dur)"#,
            r#" | __error__="" [40s]) by (app)"#
        ),
        r#"{app="web"} 0.12"#,
    );
    at_40(&ctr("quantile_over_time(0.9, ", "[40s])"), r#"{app="ctr"} 18.5"#);
    at_40(&ctr("quantile_over_time(2, ", "[40s])"), r#"{app="ctr"} +Inf"#);
    at_40(&ctr("first_over_time(", "[40s])"), r#"{app="ctr"} 10"#);
    at_40(&ctr("last_over_time(", "[40s])"), r#"{app="ctr"} 15"#);
    at_40(&ctr("stdvar_over_time(", "[40s])"), r#"{app="ctr"} 31.25"#);
    at_40(&ctr("stddev_over_time(", "[40s])"), r#"{app="ctr"} 5.5901699437494745"#);
    at_40(&ctr("rate(", "[40s])"), r#"{app="ctr"} 1.25"#);
    at_40(&ctr("rate_counter(", "[5s])"), r#"{app="ctr"} 0"#);
    at_40(&ctr("avg_over_time(", "| v > 5 [40s])"), r#"{app="ctr"} 15"#);
    at_40(r#"sum_over_time({app="ctr"} | logfmt | unwrap missing [40s])"#, "");
    at_40(r#"absent_over_time({app="ctr"} | logfmt | unwrap missing [40s])"#, r#"{app="ctr"} 1"#);
}

#[test]
fn vectors_and_operators() {
    let x = r#"sum by (app)(count_over_time({env="prod"}[40s]))"#;
    at_40(&format!("topk(1, {x})"), r#"{app="web"} 4"#);
    at_40(&format!("{x} > 3"), r#"{app="web"} 4"#);
    at_40(&format!("{x} > bool 3"), r#"{app="api"} 0 | {app="web"} 1"#);
    at_40(&format!("4 > {x}"), r#"{app="api"} 3"#);
    at_40(
        &format!(r#"{x} / ignoring(app) group_left sum(count_over_time({{env="prod"}}[40s]))"#),
        r#"{app="api"} 0.42857142857142855 | {app="web"} 0.5714285714285714"#,
    );
    at_40(
        &format!(r#"{x} unless sum by (app)(count_over_time({{app="web"}}[40s]))"#),
        r#"{app="api"} 3"#,
    );
    at_40(&format!("{x} or vector(7)"), r#"{} 7 | {app="api"} 3 | {app="web"} 4"#);
    at_40(&format!("2 * {x} % 3"), r#"{app="api"} 0 | {app="web"} 2"#);
    at_40(
        concat!(
            r#"label_replace(sum by (app)(count_over_time({app="web"}[40s])), "#,
            r#""x", "$1-z", "app", "(w.*)")"#
        ),
        r#"{app="web", x="web-z"} 4"#,
    );
    at_40("1 / 0", "NaN");
    at_40("0 == 0", "1");
    at_40("-2^2", "4");
    at_40("vector(1)+vector(1)", "{} 2");
}

#[test]
fn steps_and_offsets() {
    let check = |query: &str, step: i64, expected: &str| {
        assert_eq!(shown(query, Steps::range(10 * S, 40 * S, step * S)), expected, "{query}");
    };
    check(r#"sum(count_over_time({app="web"}[20s]))"#, 10, "{} 10:1 20:2 30:2 40:2");
    check(r#"sum(count_over_time({app="web"}[20s] offset 10s))"#, 10, "{} 20:1 30:2 40:2");
    check(r#"sum(count_over_time({app="nope"}[20s])) or vector(0)"#, 10, "{} 10:0 20:0 30:0 40:0");
    check("vector(2)", 15, "{} 10:2 25:2 40:2");
}

#[test]
fn errors_in_metric_queries() {
    at_40(
        r#"sum by (__error__) (count_over_time({app="api"} | json [40s]))"#,
        r#"{} 2 | {__error__="JSONParserErr"} 1"#,
    );
    at_40(r#"sum(count_over_time({app="api"} | json [40s]))"#, "{} 3");
    let failed = |query: &str| {
        let found = shown(query, Steps::instant(40 * S));
        assert!(found.starts_with("error: pipeline error: 'JSONParserErr'"), "{query}: {found}");
    };
    failed(r#"count_over_time({app="api"} | json [40s])"#);
    failed(r#"sum by (zzz) (count_over_time({app="api"} | json [40s]))"#);
    failed(r#"sum by (app) (count_over_time({app="api"} | json [40s]))"#);
    failed(r#"count_over_time({app="api"} | json | __error__!="" [40s])"#);
    at_40(
        r#"sum by (level) (count_over_time({app="api"} | json [40s]))"#,
        r#"{level="error"} 2 | {level="info"} 1"#,
    );
    at_40(r#"sum(count_over_time({app="api"} | json | drop __error__ [40s]))"#, "{} 3");
    at_40(r#"sum(count_over_time({app="api"} | json | __error__="" [40s]))"#, "{} 2");
}

#[test]
fn what_a_leaf_needs() {
    let check = |query: &str, expected: (bool, bool)| {
        let Query::Metric(metric) = parse(query).expect(query) else { panic!("{query}") };
        let plan = Plan::compile(&metric, 0).expect(query);
        let (labels, _) = &streams()[0];
        let needs = plan.leaves()[0].needs_for(labels);
        assert_eq!((needs.lines, needs.metadata), expected, "{query}");
    };
    check(r#"sum(count_over_time({app="web"}[1m]))"#, (false, false));
    check(r#"sum by (app)(rate({app="web"}[1m]))"#, (false, false));
    check(r#"sum by (level)(rate({app="web"}[1m]))"#, (false, true));
    check(r#"count_over_time({app="web"}[1m])"#, (false, true));
    check(r#"sum(count_over_time({app="web"} | json [1m]))"#, (false, false));
    check(r#"sum(count_over_time({app="web"} |= "x" [1m]))"#, (true, false));
    check(r#"sum(bytes_over_time({app="web"}[1m]))"#, (true, false));
    check(r#"sum(count_over_time({app="web"} | line_format "x" [1m]))"#, (false, false));
    check(r#"sum(count_over_time({app="web"} | detected_level="warn" [1m]))"#, (false, true));
}
