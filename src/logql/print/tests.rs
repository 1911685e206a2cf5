//! Random trees: what is printed reads back as what was printed.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::logql::ast::*;
use crate::logql::{format, parse, parse_selector};
use crate::model::{MatchOp, Matcher, Selector};

fn name() -> impl Strategy<Value = String> {
    let words =
        ["rate", "sum", "ip", "bytes", "duration", "Topk", "caf\u{e9}", "__error__", "vector"];
    prop_oneof!["[a-z_][a-zA-Z0-9_]{0,5}x", some(&words).prop_map(String::from)]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,8}", "\\PC{0,4}", any::<String>()]
}

fn some<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
    select(values.to_vec())
}

fn regex() -> impl Strategy<Value = String> {
    some(&["", "a.*", ".+|", "(?i)x\\d", "[\"`\\\\]", "\u{e9}{2}"]).prop_map(String::from)
}

fn address() -> impl Strategy<Value = String> {
    some(&["10.0.0.0/8", "::1", "192.168.4.5-192.168.4.20"]).prop_map(String::from)
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let exact = (some(&[MatchOp::Equal, MatchOp::NotEqual]), text());
    let regexes = (some(&[MatchOp::Matches, MatchOp::NotMatches]), regex());
    (name(), prop_oneof![exact, regexes])
        .prop_map(|(name, (op, value))| Matcher::new(&name, op, &value).expect("a good regex"))
}

fn selector() -> impl Strategy<Value = Selector> {
    (vec(matcher(), 0..3), name()).prop_map(|(mut matchers, name)| {
        matchers.push(Matcher::new(&name, MatchOp::Equal, "x").expect("no regex"));
        Selector { matchers }
    })
}

fn comparison() -> impl Strategy<Value = LabelFilter> {
    use CompareOp::*;
    let op = || some(&[Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual]);
    let finite = proptest::num::f64::NORMAL | proptest::num::f64::ZERO;
    prop_oneof![
        matcher().prop_map(LabelFilter::Text),
        (name(), any::<bool>(), address()).prop_map(|(name, negated, pattern)| LabelFilter::Ip {
            name,
            negated,
            pattern
        }),
        (name(), op(), finite).prop_map(|(name, op, value)| LabelFilter::Number {
            name,
            op,
            value
        }),
        (name(), op(), any::<i64>()).prop_map(|(name, op, nanos)| LabelFilter::Duration {
            name,
            op,
            nanos
        }),
        (name(), op(), 0..1u64 << 53).prop_map(|(name, op, bytes)| LabelFilter::Bytes {
            name,
            op,
            bytes
        }),
        (name(), op(), 0..1000u64)
            .prop_map(|(name, op, kb)| { LabelFilter::Bytes { name, op, bytes: kb * 1000 } }),
    ]
}

fn condition() -> impl Strategy<Value = LabelFilter> {
    comparison().prop_recursive(4, 12, 2, |inner| {
        (any::<bool>(), inner.clone(), inner).prop_map(|(and, left, right)| {
            let (left, right) = (Box::new(left), Box::new(right));
            if and { LabelFilter::And(left, right) } else { LabelFilter::Or(left, right) }
        })
    })
}

fn line_filter() -> impl Strategy<Value = LineFilter> {
    let texts = |texts: Vec<String>| texts.into_iter().map(LineOperand::Text).collect::<Vec<_>>();
    let ip = address().prop_map(LineOperand::Ip);
    let operand = prop_oneof![3 => text().prop_map(LineOperand::Text), 1 => ip];
    let pattern = some(&["<_>a<_>", "x", "a <_>"]).prop_map(String::from);
    let filter = |ops: &[LineOp]| some(ops);
    use LineOp::*;
    prop_oneof![
        (filter(&[Contains, NotContains]), vec(operand, 1..3)),
        (filter(&[Matches, NotMatches]), vec(regex(), 1..3).prop_map(texts)),
        (filter(&[LineOp::Pattern, NotPattern]), vec(pattern, 1..3).prop_map(texts)),
    ]
    .prop_map(|(op, operands)| LineFilter { op, operands })
}

fn extracts() -> impl Strategy<Value = Vec<Extract>> {
    let path = some(&["x", "a.b[0]", "[\"a b\"].c"]);
    let extract =
        (name(), path).prop_map(|(label, path)| Extract { label, expression: path.into() });
    vec(extract, 0..3)
}

fn label_formats() -> impl Strategy<Value = Vec<LabelFormat>> {
    let template = some(&["{{.x}}", "{{.x | lower}} \"y\"", ""]).prop_map(String::from);
    let format = (any::<bool>(), name(), template);
    vec(format, 1..3).prop_map(|formats| {
        let numbered = formats.into_iter().enumerate();
        let format = |(i, (rename, from, template))| {
            let to = format!("to{i}");
            if rename {
                LabelFormat::Rename { to, from }
            } else {
                LabelFormat::Template { to, template }
            }
        };
        numbered.map(format).collect()
    })
}

fn stage() -> impl Strategy<Value = Stage> {
    let named = || {
        let matched = matcher().prop_map(NamedMatcher::Matcher);
        vec(prop_oneof![name().prop_map(NamedMatcher::Name), matched], 1..3)
    };
    let logfmt = |(strict, keep_empty, names): (bool, bool, Vec<String>)| {
        let extract = |label: String| Extract { expression: label.clone(), label };
        Stage::Logfmt { strict, keep_empty, extract: names.into_iter().map(extract).collect() }
    };
    prop_oneof![
        4 => line_filter().prop_map(Stage::Line),
        4 => condition().prop_map(Stage::Label),
        1 => extracts().prop_map(Stage::Json),
        1 => (any::<bool>(), any::<bool>(), vec(name(), 0..2)).prop_map(logfmt),
        1 => Just(Stage::Regexp("(?P<a>\\w+)".into())),
        1 => Just(Stage::Pattern("<a> \"<_>\"".into())),
        1 => Just(Stage::Unpack),
        1 => Just(Stage::LineFormat("{{.a}}\n".into())),
        1 => label_formats().prop_map(Stage::LabelFormat),
        1 => Just(Stage::Decolorize),
        1 => named().prop_map(Stage::Drop),
        1 => named().prop_map(Stage::Keep),
    ]
}

fn log() -> impl Strategy<Value = LogQuery> {
    (selector(), vec(stage(), 0..4)).prop_map(|(selector, mut pipeline)| {
        for i in 1..pipeline.len() {
            // No text says this: `| drop a != "b"` is one stage.
            let ends_in_name = match &pipeline[i - 1] {
                Stage::Drop(labels) | Stage::Keep(labels) => {
                    matches!(labels.last(), Some(NamedMatcher::Name(_)))
                }
                _ => false,
            };
            if ends_in_name && matches!(pipeline[i], Stage::Line(_)) {
                pipeline[i] = Stage::Unpack;
            }
        }
        LogQuery { selector, pipeline, span: 0..0 }
    })
}

fn grouping() -> impl Strategy<Value = Grouping> {
    (any::<bool>(), vec(name(), 0..3)).prop_map(|(without, labels)| Grouping { without, labels })
}

fn range() -> impl Strategy<Value = Metric> {
    use RangeOp::*;
    let plain = some(&[CountOverTime, Rate, BytesOverTime, BytesRate, AbsentOverTime]);
    let plain = (plain, Just(None), Just(None), Just(None));
    let conversion = some(&[
        Conversion::Number,
        Conversion::Bytes,
        Conversion::Duration,
        Conversion::DurationSeconds,
    ]);
    let unwrap = (name(), conversion, vec(condition(), 0..2))
        .prop_map(|(label, conversion, filters)| Some(Unwrap { label, conversion, filters }))
        .boxed();
    let ops = some(&[
        AvgOverTime,
        MinOverTime,
        MaxOverTime,
        StdvarOverTime,
        StddevOverTime,
        FirstOverTime,
        LastOverTime,
        QuantileOverTime,
    ]);
    let unwrapped = (ops, 0.0..2.0, unwrap.clone(), option::of(grouping())).prop_map(
        |(op, parameter, unwrap, by)| {
            (op, (op == QuantileOverTime).then_some(parameter), unwrap, by)
        },
    );
    let ungrouped = (some(&[SumOverTime, Rate, RateCounter, AbsentOverTime]), unwrap)
        .prop_map(|(op, unwrap)| (op, None, unwrap, None));
    let window = (0..9_000_000_000_000u64).prop_map(Duration::from_millis);
    let offset =
        prop_oneof![Just(0), any::<i64>(), (0..1000i64).prop_map(|h| h * 3_600_000_000_000)];
    (prop_oneof![plain, unwrapped, ungrouped], log(), window, offset).prop_map(
        |((op, parameter, unwrap, grouping), log, window, offset_nanos)| {
            let span = 0..0;
            Metric::Range(RangeAggregation {
                op,
                parameter,
                log,
                unwrap,
                window,
                offset_nanos,
                grouping,
                span,
            })
        },
    )
}

fn matching() -> impl Strategy<Value = Option<VectorMatching>> {
    let group = some(&[Group::None, Group::Left, Group::Right]);
    let matching = (any::<bool>(), vec(name(), 0..3), group, vec(name(), 0..2));
    option::of(matching).prop_map(|matching| {
        let (on, labels, group, mut include) = matching?;
        if group == Group::None {
            include.clear();
        }
        let says_nothing = !on && labels.is_empty() && group == Group::None;
        (!says_nothing).then_some(VectorMatching { on, labels, group, include })
    })
}

fn binary(inner: impl Strategy<Value = Metric> + Clone) -> impl Strategy<Value = Metric> {
    use BinaryOp::*;
    let op = some(&[
        Or,
        And,
        Unless,
        Add,
        Sub,
        Mul,
        Div,
        Mod,
        Pow,
        Equal,
        NotEqual,
        Greater,
        GreaterEqual,
        Less,
        LessEqual,
    ]);
    (op, inner.clone(), inner, any::<bool>(), matching()).prop_map(
        |(op, mut left, mut right, returns_bool, matching)| {
            let literal = |side: &Metric| matches!(side, Metric::Literal(_));
            let both = literal(&left) && literal(&right);
            if both || matches!(op, Or | And | Unless) {
                // Such sides would be folded or refused.
                for side in [&mut left, &mut right] {
                    *side = if literal(side) { Metric::Constant(1.0) } else { side.clone() };
                }
            }
            Metric::Binary(Box::new(Binary { op, left, right, returns_bool, matching }))
        },
    )
}

fn vector(inner: impl Strategy<Value = Metric>) -> impl Strategy<Value = Metric> {
    use VectorOp::*;
    let plain = some(&[Sum, Avg, Count, Min, Max, Stddev, Stdvar]);
    let plain = (plain, Just(None), option::of(grouping()));
    let top = (some(&[TopK, BottomK]), (1..100u64).prop_map(Some), option::of(grouping()));
    let sort = (some(&[Sort, SortDesc]), Just(None), Just(None));
    let approx = (Just(ApproxTopK), (1..100u64).prop_map(Some), Just(None));
    (prop_oneof![plain, top, sort, approx], inner).prop_map(|((op, parameter, by), inner)| {
        let grouping = by.filter(|by| by.without || !by.labels.is_empty());
        Metric::Vector(VectorAggregation { op, parameter, inner: Box::new(inner), grouping })
    })
}

fn metric() -> impl Strategy<Value = Metric> {
    let finite = proptest::num::f64::NORMAL | proptest::num::f64::ZERO;
    let leaf = prop_oneof![
        4 => range(),
        1 => finite.prop_map(Metric::Literal),
        1 => (0.0..1e9).prop_map(Metric::Constant),
        1 => (0..9u8).prop_map(|value| Metric::Constant(value.into())),
    ];
    leaf.prop_recursive(4, 8, 2, |inner| {
        let replace = (inner.clone(), name(), text(), name(), regex()).prop_map(
            |(inner, destination, replacement, source, regex)| {
                Metric::LabelReplace(Box::new(LabelReplace {
                    inner,
                    destination,
                    replacement,
                    source,
                    regex,
                }))
            },
        );
        prop_oneof![3 => vector(inner.clone()), 3 => binary(inner), 1 => replace]
    })
}

fn query() -> impl Strategy<Value = Query> {
    prop_oneof![log().prop_map(Query::Log), metric().prop_map(Query::Metric)]
}

fn without_spans(query: Query) -> Query {
    query.without_spans()
}

/// Reads a text that may be anything; what comes out must be sound.
fn read_anything(text: &str) {
    let _ = parse_selector(text);
    if let Ok(mut query) = parse(text) {
        let printed = query.to_string();
        query.spans(&mut |span| {
            assert!(text.get(span.clone()).is_some(), "{span:?} is not in {text:?}");
        });
        let again = parse(&printed).expect("what is printed can be read");
        assert_eq!(again.to_string(), printed);
    }
}

/// Fewer than usual, for queries are large, unless `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    let n = if config.cases > 256 { config.cases } else { 96 };
    ProptestConfig { cases: n, ..config }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn printed_trees_read_back(query in query()) {
        let printed = query.to_string();
        match parse(&printed) {
            Ok(again) => prop_assert_eq!(&without_spans(again), &query, "{}", printed),
            Err(error) => prop_assert!(false, "{}: {}", printed, error),
        }
        let formatted = format(&query);
        match parse(&formatted) {
            Ok(again) => {
                prop_assert_eq!(format(&again), &formatted[..]);
                prop_assert_eq!(&without_spans(again), &query, "{}", formatted);
            }
            Err(error) => prop_assert!(false, "{}: {}", formatted, error),
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        read_anything(&text);
    }

    #[test]
    fn no_token_soup_panics(
        words in vec(select(&[
            "{a=\"b\"}", "{", "}", "(", ")", "[5m]", "|", "|=", "!=", "\"x\"", "`", "json",
            "logfmt", "unwrap", "x", "=", ">", "5", "5m", "5KB", "or", "and", ",", "rate(",
            "sum(", "by", "(x)", "+", "-", "^", "on", "group_left", "offset", "--strict", "ip(",
            "#", "/*", "*/", "\n", "vector(1)", "label_format", "drop", "without", "bool", "\0",
        ][..]), 0..20)
    ) {
        read_anything(&words.join(" "));
        read_anything(&words.concat());
    }

    #[test]
    fn no_damaged_query_panics(
        query in query(), from in any::<prop::sample::Index>(), length in 0..9usize,
        insert in "[-{}()\\[\\]|=!~\"`,a-z0-9 \n]{0,3}",
    ) {
        let printed: Vec<char> = query.to_string().chars().collect();
        let from = from.index(printed.len() + 1);
        let to = (from + length).min(printed.len());
        let damaged: String =
            printed[..from].iter().copied().chain(insert.chars()).chain(printed[to..].iter().copied()).collect();
        read_anything(&damaged);
    }
}
