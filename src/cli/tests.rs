//! Command lines, as they are typed.

use clap::{CommandFactory as _, Parser};

use super::{demo, ingest, query, sql};

#[derive(Debug, Parser)]
enum Word {
    Ingest(ingest::Args),
    Query(query::Args),
    Sql(sql::Args),
    Demo(demo::Args),
}

fn parse(line: &[&str]) -> Result<Word, String> {
    Word::try_parse_from([&["drave"], line].concat()).map_err(|error| error.to_string())
}

#[test]
fn command_lines() {
    Word::command().debug_assert();
    let line = ["ingest", "a.log", "-", "-l", "app=x=y", "--label", "env=p", "--timezone", "-0730"];
    let Ok(Word::Ingest(args)) = parse(&line) else { panic!() };
    assert_eq!(args.files.len(), 2);
    assert_eq!(args.labels[0], ("app".to_owned(), "x=y".to_owned()));
    assert_eq!(args.timezone, -27_000_000_000_000);
    let line = ["query", "{app=\"x\"}", "--since", "2d", "-n", "0", "-o", "jsonl", "--forward"];
    let Ok(Word::Query(args)) = parse(&line) else { panic!() };
    assert_eq!((args.since.as_secs(), args.limit, args.step), (172_800, 0, None));
    let Ok(Word::Sql(args)) = parse(&["sql", "-o", "csv", "select 1"]) else { panic!() };
    assert_eq!(args.output, sql::Output::Csv);
    let Ok(Word::Demo(args)) = parse(&["demo", "--once"]) else { panic!() };
    assert!(args.once);
}

#[test]
fn command_lines_that_are_none() {
    for (line, expected) in [
        (&["ingest"][..], "required"),
        (&["ingest", "a", "-l", "app"], "expected NAME=VALUE"),
        (&["ingest", "a", "-l", "2x=y"], "no label name"),
        (&["ingest", "a", "--timezone", "CET"], "expected UTC or an offset"),
        (&["query", "x", "--since", "soon"], "is no duration"),
        (&["query", "x", "--from", "soon"], "is no time"),
        (&["query", "x", "-o", "xml"], "possible values"),
    ] {
        let error = parse(line).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
