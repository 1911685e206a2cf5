//! Shortcuts change nothing: a pipeline leaves the same entries whether or not lines are probed and
//! lines that cannot match are left out, also of lines that are broken somewhere.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::logql::ast::Query;
use crate::logql::parse;
use crate::logql::stage::probe::Luck;

/// What is compared of an entry: which row it is, its line and its labels, errors among them.
type Shown = (usize, String, Vec<(String, Category, String)>);

fn shown(pipeline: &Pipeline, scratch: Scratch, stream: &Labels, rows: &Rows) -> Vec<Shown> {
    let mut found = Vec::new();
    let _ = Runner::resume(pipeline, scratch).run(stream, rows, Order::Forward, &mut |entry| {
        let labels = entry.labels().map(|(name, from, text)| (name.into(), from, text.into()));
        let mut labels: Vec<_> = labels.collect();
        labels.sort();
        found.push((entry.position(), entry.line().into(), labels));
        ControlFlow::Continue(())
    });
    found
}

/// Every line is parsed as far as its parser goes, and nothing is known of lines beforehand.
fn plain(pipeline: &Pipeline) -> (Pipeline, Scratch) {
    let plain = Pipeline { candidates: Candidates::default(), ..pipeline.clone() };
    let mut scratch = plain.scratch();
    for memory in &mut scratch.memory {
        match memory {
            Memory::Json(keys) => keys.luck = Luck::never(),
            Memory::Logfmt(keys) => keys.luck = Luck::never(),
            _ => {}
        }
    }
    (plain, scratch)
}

fn rows_of(lines: &[String]) -> Rows {
    let (mut bytes, mut offsets) = (Vec::new(), vec![0]);
    for line in lines {
        bytes.extend_from_slice(line.as_bytes());
        offsets.push(u32::try_from(bytes.len()).expect("short"));
    }
    let n = lines.len();
    let sets: Vec<Metadata> = [&[][..], &[("level", "info")], &[("trace", "t1")]]
        .iter()
        .map(|pairs| Metadata::from_pairs(pairs.iter().copied()))
        .collect();
    let ids = (0..n).map(|row| u32::try_from(row % sets.len()).expect("few")).collect();
    Rows {
        timestamps: (0..n).map(|row| i64::try_from(row).expect("few")).collect(),
        lines: Some(Lines { bytes: bytes.into(), offsets }),
        metadata: Some(MetadataColumn { sets: sets.into(), ids }),
    }
}

/// A line, and what is done to it.
fn line() -> impl Strategy<Value = String> {
    let fields = [
        r#""status":200"#,
        r#""status":500"#,
        r#""status":"oops""#,
        r#""status":null"#,
        r#""level":"info""#,
        r#""level":"warn""#,
        r#""level":"\u0069nfo""#,
        r#""le\u0076el":"info""#,
        r#""level":"in fo""#,
        r#""level":"in�fo""#,
        r#""level":"""#,
        r#""app":"a""#,
        r#""user":{"level":"info","status":500,"n":[1,{"a":2}]}"#,
        r#""user":{"level":"warn"}"#,
        r#""__error__":"x""#,
        r#""msg":"a \"quoted\" thing of more than eight bytes""#,
        r#""dur":"12ms""#,
        "status=200",
        "status=500",
        "status=",
        "level=info",
        "level=\"info\"",
        "level=\"in\\tfo\"",
        "level=\"\\u0069nfo\"",
        "level",
        "dur=2s",
        "msg=\"a b\"",
        "=x",
    ];
    let json = prop::collection::vec(select(fields[..17].to_vec()), 0..5);
    let json = json.prop_map(|fields| format!("{{{}}}", fields.join(",")));
    let logfmt = prop::collection::vec(select(fields[17..].to_vec()), 0..5);
    let logfmt = logfmt.prop_map(|fields| fields.join(" "));
    let cut = (any::<Index>(), any::<bool>(), select(vec!["", "", "", "\"", "}", "=", "x"]));
    (prop_oneof![json, logfmt], cut).prop_map(|(mut line, (at, cut, put))| {
        let mut at = at.index(line.len() + 1);
        while !line.is_char_boundary(at) {
            at -= 1;
        }
        line.insert_str(at, put);
        if cut && !put.is_empty() {
            line.truncate(at);
        }
        line
    })
}

fn pipeline() -> impl Strategy<Value = String> {
    let first = select(vec![
        "",
        "",
        "",
        r#"| label_format level="info""#,
        "| label_format status=app",
        "| logfmt",
        "| status > 300",
    ]);
    let parser = select(vec![
        "| json",
        "| logfmt",
        "| logfmt --strict",
        "| logfmt --keep-empty",
        r#"| json level="level", status="user.status""#,
        "| logfmt level, status",
        r#"| regexp "(?P<level>[a-z]+)(?P<status>[0-9]*)""#,
        r#"| pattern "<_>level=<level> <_>""#,
        "| unpack",
    ]);
    let filters = prop::collection::vec(
        select(vec![
            r#"| level="info""#,
            r#"| level!="info""#,
            r#"| level=~"in.*o""#,
            r#"| level=~"info|warn""#,
            r#"| level="in fo""#,
            r#"| level="""#,
            r#"| user_level="warn""#,
            r#"| app_extracted="a""#,
            r#"| app="a""#,
            r#"| trace="t1""#,
            r#"| level="info" and status=500"#,
            r#"| level="info" or status=500"#,
            "| status >= 500",
            "| status = 200",
            "| status > 1s",
            "| app > 5",
            "| n < 5",
            "| user_status > 1",
            "| dur > 1s",
            r#"| __error__="""#,
            r#"|= "info""#,
            r#"| line_format "{{.level}}""#,
        ]),
        0..4,
    );
    (first, parser, filters).prop_map(|(first, parser, filters)| {
        format!(r#"{{app="a"}} {first} {parser} {}"#, filters.join(" "))
    })
}

/// At least so many.
fn cases(n: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(n), ..config }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn change_nothing(
        lines in prop::collection::vec(line(), 0..12),
        text in pipeline(),
        wanted in select(vec![None, Some(vec![]), Some(vec!["level"]), Some(vec!["status", "__error__"])]),
    ) {
        let Ok(Query::Log(query)) = parse(&text) else { panic!("{text}") };
        let labels = wanted.map(|names| names.into_iter().map(String::from).collect());
        let hints = Hints { labels, now: 0 };
        let fast = Pipeline::compile(&query.pipeline, &hints).expect(&text);
        let stream = Labels::from_pairs([("app", "a")]).expect("unique");
        let rows = rows_of(&lines);
        let (plain, scratch) = plain(&fast);
        let expected = shown(&plain, scratch, &stream, &rows);
        prop_assert_eq!(shown(&fast, fast.scratch(), &stream, &rows), expected, "{}", text);
    }
}
