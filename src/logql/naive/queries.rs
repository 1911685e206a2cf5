//! Random queries, as texts, and random entries that they say something about.
//!
//! Out: strategies. Tests of whole servers use them, too (`tests/it/ways.rs`), so nothing of this
//! crate is used here. Every stage, function and operator comes up; what the language leaves open
//! does not (equal timestamps of several streams, lines that are half JSON).

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

/// The streams by their labels, and what their lines look like.
pub(super) const STREAMS: [(&[(&str, &str)], Kind); 8] = [
    (&[("app", "a"), ("kind", "json")], Kind::Json),
    (&[("app", "b"), ("env", "p"), ("kind", "json")], Kind::Json),
    (&[("app", "a"), ("kind", "logfmt")], Kind::Logfmt),
    (&[("app", "c"), ("kind", "text")], Kind::Text),
    (&[("app", "d"), ("kind", "json")], Kind::Escaped),
    (&[("app", "e"), ("kind", "nested")], Kind::Nested),
    (&[("app", "f"), ("kind", "packed")], Kind::Packed),
    (&[("app", "c"), ("kind", "colour")], Kind::Coloured),
];

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Json,
    /// With escapes where none is needed.
    Escaped,
    /// With objects, arrays and values that are no texts.
    Nested,
    /// As the `pack` stage of an agent leaves it.
    Packed,
    Logfmt,
    Text,
    /// Text with escape sequences of a terminal.
    Coloured,
}

/// One entry: its stream, the seconds since the one before it, fields, metadata.
pub(super) type Drawn = (usize, i64, Vec<(&'static str, &'static str)>, usize);

pub(super) fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
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
        ("ip", "10.1.2.3"),
        ("ip", "192.168.0.7"),
        ("ip", "nowhere"),
    ];
    let fields = prop::collection::vec(select(fields.to_vec()), 0..6);
    prop::collection::vec((0..STREAMS.len(), 1..9_i64, fields, 0..4_usize), 0..40)
}

pub(super) const METADATA: [&[(&str, &str)]; 4] =
    [&[], &[("trace", "t1")], &[("env", "sm")], &[("env", "sm"), ("trace", "t2")]];

pub(super) fn line_of(kind: Kind, fields: &[(&'static str, &'static str)]) -> String {
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
        Kind::Nested => {
            let n = pairs.remove("n").and_then(|n| n.parse::<f64>().ok());
            let list: Vec<&str> = pairs.values().copied().collect();
            let value = serde_json::json!({
                "list": list, "n": n, "odd-key": true, "req": pairs, "status": pairs.get("status"),
            });
            value.to_string()
        }
        Kind::Packed => {
            let entry = line_of(Kind::Logfmt, fields);
            if !pairs.contains_key("level") {
                // Without an entry nothing is unpacked.
                pairs.insert("_entry", &entry);
            }
            serde_json::to_string(&pairs).expect("plain texts")
        }
        Kind::Coloured => {
            let values: Vec<String> =
                pairs.values().map(|value| format!("\x1b[1;31m{value}\x1b[0m")).collect();
            format!("said {}", values.join(" "))
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

fn some(texts: &[&'static str]) -> impl Strategy<Value = String> + use<> {
    select(texts.to_vec()).prop_map(String::from)
}

pub(super) fn selector() -> impl Strategy<Value = String> {
    some(&[
        r#"{app=~".+"}"#,
        r#"{app="a"}"#,
        r#"{kind="json"}"#,
        r#"{kind=~"json|logfmt", app!="b"}"#,
        r#"{app="nobody"}"#,
        r#"{kind="text"}"#,
        r#"{kind=~"nested|packed"}"#,
        r#"{kind!~"json|nested", app=~"[a-f]"}"#,
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
        r#"|= ip("10.0.0.0/8")"#,
        r#"!= ip("192.168.0.1-192.168.0.9")"#,
        r#"|= ip("192.168.0.7") or "oops""#,
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
        r#"ip=ip("10.0.0.0/8")"#,
        r#"ip!=ip("192.168.0.7")"#,
        r#"req_level=~"info|warn""#,
        "word!=\"said\"",
        "status<=200",
        "n==3",
    ]);
    one.prop_recursive(2, 4, 2, |inner| {
        (inner.clone(), some(&[" and ", " or ", ", ", " "]), inner)
            .prop_map(|(left, word, right)| format!("({left}{word}{right})"))
    })
}

pub(super) fn pipeline() -> impl Strategy<Value = String> {
    let parser = || {
        some(&[
            "",
            "| json",
            "| logfmt",
            "| json",
            "| logfmt",
            "| logfmt --strict",
            "| logfmt --keep-empty",
            r#"| logfmt to="level", status, app"#,
            r#"| json to="req.level", first="list[0]", n, app, req"#,
            r#"| json level, status"#,
            "| unpack",
            "| decolorize",
            r#"| pattern "said <word> <n>""#,
            r#"| pattern "<_>status=<status> <word>""#,
            r#"| regexp "(?P<word>[a-z]+)(?P<n>[0-9])?""#,
        ])
    };
    let later = prop_oneof![
        2 => label_filter().prop_map(|filter| format!("| {filter}")),
        1 => line_filter(),
        1 => parser(),
        2 => some(&[
            r#"| line_format "{{.level}} {{.app}}{{.nope}}""#,
            "| label_format to=level",
            r#"| label_format app="{{.status}}-{{.app}}""#,
            r#"| label_format a=status, b="{{.status}}!""#,
            r#"| label_format empty="""#,
            r#"| label_format a="{{.size | bytes}}", b="{{.level | upper}}", level=n"#,
            r#"| line_format "{{.dur | duration}} {{__line__}}""#,
            r#"| line_format "{{if .level}}{{.level | trunc 2}}{{else}}-{{end}}={{.n | default `0`}}""#,
            "| drop level, trace",
            r#"| drop app="a", status=~"[0-9]+""#,
            r#"| keep app, level, status="200", n, dur, size"#,
            "| drop __error__",
            r#"| __error__="""#,
        ]),
    ];
    let first = prop::collection::vec(line_filter(), 0..2);
    (first, parser(), prop::collection::vec(later, 0..3)).prop_map(|(first, parser, later)| {
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
        some(&[
            "| unwrap n",
            "| unwrap status",
            "| unwrap duration(dur)",
            "| unwrap duration_seconds(dur)",
            "| unwrap bytes(size)",
            "| unwrap app",
        ]),
        some(&["", "", "| level=\"info\"", "| __error__=\"\""]),
    );
    let unwrapped = unwrapped.prop_map(|(op, unwrap, filter)| {
        let groups = !["sum", "rate", "absent"].iter().any(|own| op.starts_with(own));
        (op, format!("{unwrap} {filter}"), groups)
    });
    let offset = some(&["", "", " offset 7s", " offset -9s"]);
    let window = some(&["[5s]", "[10s]", "[31s]", "[1m]"]);
    let guard = some(&["", r#"| __error__="""#, r#"| __error__="""#]);
    let by = some(&[
        "",
        " by (app)",
        " by (level, env)",
        " without (level, kind)",
        " by ()",
        " without ()",
    ]);
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

pub(super) fn metric_text() -> impl Strategy<Value = String> {
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
        let ordered = (some(&["sort", "sort_desc", "approx_topk"]), inner.clone());
        let ordered = ordered.prop_map(|(op, inner)| {
            let k = if op == "approx_topk" { "2, " } else { "" };
            format!("{op} ({k}{inner})")
        });
        let replaced = (
            some(&[
                r#""$1-z", "app", "(.*)""#,
                r#""${2}$1", "level", "(.)(.*)""#,
                r#""", "x", """#,
            ]),
            inner.clone(),
        );
        let replaced =
            replaced.prop_map(|(how, inner)| format!(r#"label_replace({inner}, "new", {how})"#));
        let matching = some(&[
            "",
            "",
            "on (app)",
            "ignoring (level)",
            "on (app) group_left (env)",
            "on (app, kind) group_left ()",
            "ignoring (level, kind) group_left (level)",
            "ignoring (app) group_right (app)",
            "on (level) group_right (kind, env)",
            "on () group_right ()",
        ]);
        let arithmetic = some(&[
            "+", "-", "*", "/", "%", "^", ">", ">=", "<", "<=", "==", "!=", "> bool", "<= bool",
            "== bool", "!= bool",
        ]);
        let operator = prop_oneof![
            (arithmetic, matching).prop_map(|(op, matching)| format!("{op} {matching}")),
            (some(&["and", "or", "unless"]), some(&["", "on (app)", "ignoring (kind)"]))
                .prop_map(|(op, matching)| format!("{op} {matching}")),
        ];
        let binary = (inner.clone(), operator, inner)
            .prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})"));
        prop_oneof![6 => vector, 4 => binary, 1 => ordered, 1 => replaced]
    })
}
