//! Pages against a store in memory; answers as text.

use std::sync::Arc;

use proptest::prelude::*;

use super::answer::{Answer, Entry, LabelMap};
use super::*;

fn entry(at: i64, app: &str, line: &str) -> Entry {
    let labels = LabelMap::from([("app".to_owned(), app.to_owned())]);
    Entry { at: Timestamp(at), labels: Arc::new(labels), line: line.to_owned() }
}

/// What a server answers: the entries in the range, in order, up to the limit.
fn serve(store: &[Entry], page: &Page) -> Vec<Entry> {
    let mut found: Vec<Entry> =
        store.iter().filter(|entry| page.range.contains(&entry.at)).cloned().collect();
    match page.forward {
        true => found.sort_by_key(|entry| entry.at),
        false => found.sort_by_key(|entry| std::cmp::Reverse(entry.at)),
    }
    found.truncate(usize::try_from(page.limit).unwrap());
    found
}

fn read_all(
    store: &[Entry],
    forward: bool,
    limit: u64,
    page_entries: u64,
) -> anyhow::Result<Vec<Entry>> {
    let range = Timestamp(0)..Timestamp(100);
    let mut pages = Pages::new(range, forward, limit, page_entries);
    let mut all = Vec::new();
    for _ in 0..1000 {
        let Some(page) = pages.next() else { return Ok(all) };
        all.extend(pages.take(&page, serve(store, &page))?);
    }
    panic!("it does not end")
}

proptest! {
    /// At most three entries share a time, and a page has room for five: none is missed.
    #[test]
    fn pages_make_the_whole(
        times in prop::collection::btree_map(0i64..100, 1usize..4, 0..40),
        forward: bool, limit in 0u64..150, page_entries in 5u64..20,
    ) {
        let store: Vec<Entry> = times
            .iter()
            .flat_map(|(at, n)| (0..*n).map(move |index| entry(*at, "a", ["x", "x", "y"][index])))
            .collect();
        let whole = serve(&store, &Page { range: Timestamp(0)..Timestamp(100), forward, limit });
        let read = read_all(&store, forward, limit, page_entries).unwrap();
        prop_assert_eq!(read, whole);
    }
}

#[test]
fn a_time_with_more_lines_than_a_page_is_an_error_and_not_a_gap() {
    let store: Vec<Entry> = (0..9).map(|n| entry(7, "a", &n.to_string())).collect();
    assert!(read_all(&store, false, 100, 5).is_err());
    assert_eq!(read_all(&store, false, 5, 5).unwrap().len(), 5);
    assert_eq!(read_all(&store, false, 100, 10).unwrap().len(), 9);
}

fn check_values(json: &str, text: &str, jsonl: &str) {
    let answer = answer::parse(json.as_bytes()).unwrap();
    for (output, expected) in [(Output::Text, text), (Output::Jsonl, jsonl)] {
        let mut out = Vec::new();
        print::values(&answer, output, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn values() {
    check_values(
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"app":"a"},"value":[1700000000,"7"]},{"metric":{},"value":[1700000000.5,"NaN"]}],"stats":{}}}"#,
        " app | value\n-----+-------\n a   |     7\n     |   NaN\n",
        "{\"timestamp\":\"2023-11-14T22:13:20Z\",\"labels\":{\"app\":\"a\"},\"value\":\"7\"}\n\
         {\"timestamp\":\"2023-11-14T22:13:20.500Z\",\"labels\":{},\"value\":\"NaN\"}\n",
    );
    check_values(
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"app":"a"},"values":[[1700000000,"7"],[1700000060,"8"]]}],"stats":{}}}"#,
        "         time         | app | value\n\
         ----------------------+-----+-------\n \
         2023-11-14T22:13:20Z | a   |     7\n \
         2023-11-14T22:14:20Z | a   |     8\n",
        "{\"timestamp\":\"2023-11-14T22:13:20Z\",\"labels\":{\"app\":\"a\"},\"value\":\"7\"}\n\
         {\"timestamp\":\"2023-11-14T22:14:20Z\",\"labels\":{\"app\":\"a\"},\"value\":\"8\"}\n",
    );
    check_values(
        r#"{"status":"success","data":{"resultType":"scalar","result":[1700000000,"2"]}}"#,
        " value\n-------\n     2\n",
        "{\"timestamp\":\"2023-11-14T22:13:20Z\",\"labels\":{},\"value\":\"2\"}\n",
    );
}

fn streams() -> Vec<Entry> {
    let json = r#"{"status":"success","data":{"resultType":"streams","encodingFlags":[],"result":[
        {"stream":{"app":"a","env":"p"},"values":[["40000000001","two\u001b[2J"],["10","old",{}]]},
        {"stream":{"app":"b","env":"p"},"values":[["40000000000","one"]]}],"stats":{}}}"#;
    match answer::parse(json.as_bytes()).unwrap() {
        Answer::Streams(streams) => answer::in_order(streams, false).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn check_lines(output: Output, style: Style, expected: &str) {
    let mut out = Vec::new();
    print::Lines::new(output, style).print(&streams(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn lines() {
    check_lines(
        Output::Text,
        Style::Plain,
        "1970-01-01T00:00:40.000000001Z  {app=\"a\"}  two\\u{1b}[2J\n\
         1970-01-01T00:00:40Z  {app=\"b\"}  one\n\
         1970-01-01T00:00:00.000000010Z  {app=\"a\"}  old\n",
    );
    check_lines(
        Output::Jsonl,
        Style::Colored,
        "{\"timestamp\":\"1970-01-01T00:00:40.000000001Z\",\"line\":\"two\\u001b[2J\",\"labels\":{\"app\":\"a\",\"env\":\"p\"}}\n\
         {\"timestamp\":\"1970-01-01T00:00:40Z\",\"line\":\"one\",\"labels\":{\"app\":\"b\",\"env\":\"p\"}}\n\
         {\"timestamp\":\"1970-01-01T00:00:00.000000010Z\",\"line\":\"old\",\"labels\":{\"app\":\"a\",\"env\":\"p\"}}\n",
    );
}

#[test]
fn answers_that_are_none() {
    for body in ["", "{}", "ok", r#"{"data":{"resultType":"tensor","result":[]}}"#] {
        assert!(answer::parse(body.as_bytes()).is_err(), "{body}");
    }
    let odd = r#"{"data":{"resultType":"streams","result":[{"stream":{},"values":[[1,"x"]]}]}}"#;
    let Answer::Streams(streams) = answer::parse(odd.as_bytes()).unwrap() else { panic!() };
    assert!(answer::in_order(streams, true).is_err());
}

#[test]
fn log_queries_begin_with_a_selector() {
    for (query, expected) in [
        (r#"{app="a"}"#, true),
        (" ( {app=\"a\"} |= `x`)", true),
        ("# why\n{app=\"a\"}", true),
        ("sum(rate({app=\"a\"}[1m]))", false),
        ("(rate({app=\"a\"}[1m]))", false),
        ("vector(1)", false),
        ("", false),
        ("#", false),
    ] {
        assert_eq!(is_log_query(query), expected, "{query}");
    }
}

#[test]
fn durations() {
    for (text, expected) in [
        ("90s", Some(90_000)),
        ("1h30m", Some(5_400_000)),
        ("250ms", Some(250)),
        ("7d", Some(604_800_000)),
        ("1.5", Some(1500)),
        ("", None),
        ("1", Some(1000)),
        ("h", None),
        ("5x", None),
        ("1h5", None),
        ("-1", None),
        ("99999999999999999999d", None),
        ("999999999999999d", None),
    ] {
        let parsed = parse_duration(text).ok().map(|duration| duration.as_millis());
        assert_eq!(parsed, expected, "{text}");
    }
}

#[test]
fn times() {
    for (text, expected) in [
        ("2026-01-31T12:00:00Z", Some("2026-01-31T12:00:00Z")),
        ("2026-01-31T12:00:00+02:00", Some("2026-01-31T10:00:00Z")),
        ("2026-01-31 12:00", Some("2026-01-31T12:00:00Z")),
        ("2026-01-31", Some("2026-01-31T00:00:00Z")),
        ("1700000000", Some("2023-11-14T22:13:20Z")),
        ("1700000000123456789", Some("2023-11-14T22:13:20.123456789Z")),
        ("yesterday", None),
        ("", None),
    ] {
        let parsed = parse_time(text).ok().map(|time| time.to_string());
        assert_eq!(parsed.as_deref(), expected, "{text}");
    }
}

/// It printed nothing, and all was well.
#[test]
fn a_range_that_ends_before_it_begins_is_a_usage_error() {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let now = Timestamp::from_secs(1_800_000_900);
    let range = |words: &[&str]| {
        let line = ["query", "{a=\"b\"}"].iter().chain(words);
        let Line { args } = <Line as clap::Parser>::try_parse_from(line).expect("known flags");
        args.range(now)
    };
    let at = |second: i64| Timestamp::from_secs(1_800_000_000 + second);
    for (words, expected) in [
        (&["--since", "10s"][..], at(890)..at(900)),
        (&["--from", "1800000005", "--to", "1800000007"], at(5)..at(7)),
        (&["--from", "1800000007", "--to", "1800000007"], at(7)..at(7)),
        (&["--to", "1800002000", "--since", "10s"], at(1990)..at(2000)),
    ] {
        assert_eq!(range(words).expect("a range"), expected, "{words:?}");
    }
    for (words, expected) in [
        (
            &["--from", "1800000007", "--to", "1800000005"][..],
            "is after --to: 2027-01-15T08:00:05Z",
        ),
        (&["--from", "1800000901"], "is after now, which --to is by default: 2027-01-15T08:15:00Z"),
    ] {
        let error = range(words).expect_err("no range");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.exit_code(), 2, "as of any bad flag");
    }
}
