//! Grafana's query editor and this parser: a text that one of them takes for LogQL, the other does.
//!
//! The editor's grammar is the npm package `@grafana/lezer-logql`. It says nothing of meaning (that
//! a selector must select something, that a sum needs an unwrap), so what is compared is whether a
//! text is LogQL at all. Where the two differ, Loki's own parser is right, and the reason is listed.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use drave::logql;

use crate::random::from_env;

/// Queries that are made of the grammar, and as many damaged ones; `EDITOR_QUERIES` says otherwise, and
/// `DRAVE_SEED` makes others.
const QUERIES: usize = 4000;

/// Where the two differ, which of them takes the text (the editor, the parser), and why the parser
/// is right: each was tried with Loki's own.
const DIFFERENCES: [(&str, bool, bool, &str); 14] = [
    (r#"{a="b"} | x="1" y="2""#, false, true, "conditions side by side are an `and`"),
    (
        r#"sum_over_time({a="b"} | json | unwrap x [5m] offset 1m)"#,
        false,
        true,
        "an offset may follow any window",
    ),
    (r#"{by="x"}"#, true, false, "reserved words are no names"),
    (r#"SUM(RATE({a="b"}[5m]))"#, false, true, "keywords are in any case"),
    (r#"{a="b"} // c"#, false, true, "comments are those of Go, too"),
    (r#"{a="b"} /* c */"#, false, true, "comments are those of Go, too"),
    (r#"{café="b"}"#, false, true, "letters are those of Unicode"),
    (r#"{a="b"} | x > 1_000"#, false, true, "numbers are those of Go"),
    (r#"{a="\d"}"#, true, false, "a text has the escapes of Go"),
    (r#"rate({a="b"}[1.5h])"#, true, false, "a window has whole numbers"),
    (r#"{a="b"} | x="1" (y="2")"#, false, true, "conditions side by side are an `and`"),
    (r#"vector(1) * on (a) group_left (b,) vector(1)"#, true, false, "no comma ends a list"),
    (r#"{a="b"} | json x="y|z""#, true, false, "a path into JSON has names and numbers"),
    ("{}", false, true, "it is a selector, if one that selects nothing"),
];

#[test]
fn the_editor_and_the_parser_agree_on_what_is_logql() {
    let known: Vec<String> = DIFFERENCES.iter().map(|(query, ..)| (*query).into()).collect();
    let Some(editor) = editor(&known) else { return };
    for ((query, editors, parsers, why), editor) in DIFFERENCES.iter().zip(editor) {
        assert_eq!((editor, is_logql(query)), (*editors, *parsers), "{query}: {why}");
    }

    let n_queries = from_env("EDITOR_QUERIES").unwrap_or(QUERIES);
    let corpus = corpus(n_queries, from_env("DRAVE_SEED").unwrap_or(0));
    let editor = editor_of(&corpus);
    let mut surprises = Vec::new();
    let (mut n_valid, mut n_known) = (0, 0);
    for (query, editor) in corpus.iter().zip(editor) {
        let own = is_logql(query);
        n_valid += usize::from(own);
        if own != editor && is_known(query, own) {
            n_known += 1;
        } else if own != editor {
            surprises.push(format!("editor {editor}, parser {own}: {query}"));
        }
    }
    println!("{} queries, {n_valid} of them LogQL, {n_known} known differences", corpus.len());
    assert!(surprises.is_empty(), "{}\n{}", surprises.len(), surprises.join("\n"));
    assert!(
        n_valid > n_queries && corpus.len() - n_valid > n_queries / 4,
        "the corpus is one-sided"
    );
    assert!(n_known < corpus.len() / 100, "differences are the exception");
}

/// Which texts the editor takes; `None` where it is not installed.
fn editor(queries: &[String]) -> Option<Vec<bool>> {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    if !clients.join("node_modules/@grafana/lezer-logql").exists() {
        eprintln!("SKIPPED: @grafana/lezer-logql is not installed: run tests/clients/install");
        return None;
    }
    let mut node = Command::new("node")
        .arg(clients.join("lezer_logql.cjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let text = serde_json::to_string(queries).expect("texts");
    node.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it reads");
    let output = node.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let answers: Vec<bool> = serde_json::from_slice(&output.stdout).expect("an answer for each");
    assert_eq!(answers.len(), queries.len());
    Some(answers)
}

fn editor_of(queries: &[String]) -> Vec<bool> {
    editor(queries).expect("it was there a moment ago")
}

/// Whether a damaged text shows one of the differences above.
fn is_known(query: &str, own: bool) -> bool {
    let parsed = logql::parse(query).map_err(|error| error.to_string());
    match parsed {
        // A reserved word where a name should be, a comma behind the last name, no path into JSON.
        Err(text) if !own => {
            let tokens = tokens(query);
            let has =
                |first: &str, second: &str| tokens.windows(2).any(|two| two == [first, second]);
            let mut words = ["by", "and", "unwrap", "offset", "json", "sum"].iter();
            words.any(|word| text.contains(&format!("unexpected {word}")))
                || has("logfmt", "and")
                || has("json", "and")
                || text.contains("unexpected )") && has(",", ")")
                || text.contains("cannot parse expression")
        }
        // The first thing that is wrong is the meaning: the parser does not look further.
        Err(text) if text.contains("invalid") => true,
        _ => has_neighbours(query),
    }
}

/// Two conditions side by side: a value, and then a name with a comparison, in brackets or not.
fn has_neighbours(query: &str) -> bool {
    let tokens = tokens(query);
    (0..tokens.len()).any(|at| {
        let value = &tokens[at];
        let mut behind = tokens[at + 1..].iter().skip_while(|token| *token == "(");
        let (Some(name), Some(sign)) = (behind.next(), behind.next()) else { return false };
        let is_value =
            value == ")" || value.starts_with(|c: char| c.is_ascii_digit() || c == '"' || c == '`');
        let is_name = ["status", "level", "size", "took", "addr"].contains(&name.as_str());
        let is_sign = ["=", "!=", "=~", "!~", "==", "<", "<=", ">", ">="].contains(&sign.as_str());
        is_value && is_name && is_sign
    })
}

/// Whether a text follows the grammar, whatever it means.
fn is_logql(query: &str) -> bool {
    match logql::parse(query) {
        Ok(_) => true,
        Err(error) => {
            let text = error.to_string();
            !text.contains("syntax error") && !SYNTAX.iter().any(|words| text.contains(words))
        }
    }
}

/// What the lexer says of a text that has no tokens, in Go's words.
const SYNTAX: [&str; 9] = [
    "invalid char",
    "literal not terminated",
    "not a valid duration",
    "unknown unit",
    "missing closing",
    "illegal character",
    "duration",
    "strconv",
    "not terminated",
];

/// A small generator of numbers: the corpus is the same every time.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).expect("it is below n")
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn chance(&mut self, in_: usize) -> bool {
        self.below(in_) == 0
    }
}

fn corpus(n: usize, seed: u64) -> Vec<String> {
    let mut rng = Rng(0x9e37_79b9_7f4a_7c15 ^ seed.rotate_left(32));
    let mut all = Vec::new();
    for _ in 0..n {
        let query = if rng.chance(3) { log(&mut rng) } else { metric(&mut rng, 3) };
        all.push(damaged(&mut rng, &query));
        all.push(query);
    }
    all
}

fn selector(rng: &mut Rng) -> String {
    let mut matchers = Vec::new();
    for _ in 0..=rng.below(3) {
        let name = rng.one(&["app", "env", "job_1", "_x"]);
        let op = rng.one(&["=", "!=", "=~", "!~"]);
        let value = rng.one(&[r#""web""#, r#""a.+""#, "`x|y`", r#""""#, r#""q\"q""#]);
        matchers.push(format!("{name}{op}{value}"));
    }
    format!("{{{}}}", matchers.join(rng.one(&[",", ", "])))
}

fn label_filter(rng: &mut Rng, depth: usize) -> String {
    if depth > 0 && rng.chance(3) {
        let (left, right) = (label_filter(rng, depth - 1), label_filter(rng, depth - 1));
        let word = rng.one(&[" and ", " or ", ", "]);
        return match rng.below(2) {
            0 => format!("{left}{word}{right}"),
            _ => format!("({left}{word}{right})"),
        };
    }
    let name = rng.one(&["status", "level", "size", "took", "addr"]);
    match rng.below(5) {
        0 => format!("{name}{}{}", rng.one(&["=", "!=", "=~", "!~"]), rng.one(&[r#""a""#, "`b`"])),
        1 => format!("{name} {} {}", compare(rng), rng.one(&["5", "0.5", "-1", "1e3", "+7"])),
        2 => format!("{name}{}{}", compare(rng), rng.one(&["5s", "1h30m", "250ms", "1.5h", "2d"])),
        3 => format!("{name} {}{}", compare(rng), rng.one(&["5KB", "1GiB", "20MB", "7B"])),
        _ => format!(r#"{name}{}ip("10.0.0.0/8")"#, rng.one(&["=", "!="])),
    }
}

fn compare<'t>(rng: &mut Rng) -> &'t str {
    rng.one(&["=", "==", "!=", "<", "<=", ">", ">="])
}

fn stage(rng: &mut Rng) -> String {
    match rng.below(12) {
        0 | 1 => {
            let op = rng.one(&["|=", "!=", "|~", "!~", "|>", "!>"]);
            let or = if rng.chance(4) { r#" or "y""# } else { "" };
            format!("{op} {}{or}", rng.one(&[r#""x""#, "`x`", r#""<_> x""#]))
        }
        2 => format!(r#"{} ip("192.168.0.1")"#, rng.one(&["|=", "!="])),
        3 => rng.one(&["| json", r#"| json a="x.y", b="z[0]""#, "| json a", "| unpack"]).into(),
        4 => rng
            .one(&[
                "| logfmt",
                "| logfmt --strict",
                "| logfmt --keep-empty",
                r#"| logfmt a="b", c"#,
            ])
            .into(),
        5 => rng.one(&[r#"| regexp "(?P<x>a)""#, r#"| pattern "<a> <_>""#, "| decolorize"]).into(),
        6 => rng.one(&[r#"| line_format "{{.x}}""#, "| line_format `{{.x}} y`"]).into(),
        7 => rng.one(&["| label_format a=b", r#"| label_format a="{{.b}}", c=d"#]).into(),
        8 => rng.one(&["| drop a", r#"| drop a, b="c""#, "| drop __error__", "| keep a, b"]).into(),
        _ => format!("| {}", label_filter(rng, 2)),
    }
}

fn pipeline(rng: &mut Rng) -> String {
    let stages: Vec<String> = (0..rng.below(4)).map(|_| stage(rng)).collect();
    stages.join(" ")
}

fn log(rng: &mut Rng) -> String {
    let (selector, pipeline) = (selector(rng), pipeline(rng));
    format!("{selector} {pipeline}").trim_end().into()
}

fn range(rng: &mut Rng) -> String {
    let (selector, pipeline) = (selector(rng), pipeline(rng));
    let window = rng.one(&["[5m]", "[1h]", "[90s]", "[1d]", "[1h30m]"]);
    let offset = if rng.chance(5) { " offset 5m" } else { "" };
    if rng.chance(2) {
        let op = rng.one(&[
            "rate",
            "count_over_time",
            "bytes_rate",
            "bytes_over_time",
            "absent_over_time",
        ]);
        return match rng.below(3) {
            0 => format!("{op}({selector}{window}{offset} {pipeline})"),
            _ => format!("{op}({selector} {pipeline} {window}{offset})"),
        };
    }
    let op = rng.one(&[
        "sum_over_time(",
        "avg_over_time(",
        "min_over_time(",
        "max_over_time(",
        "stddev_over_time(",
        "stdvar_over_time(",
        "quantile_over_time(0.99, ",
        "first_over_time(",
        "last_over_time(",
        "rate_counter(",
        "rate(",
    ]);
    let unwrap = rng.one(&["x", "duration(x)", "bytes(x)", "duration_seconds(x)"]);
    let filter = rng.one(&["", "", r#"| __error__="""#]);
    let by = rng.one(&["", "", " by (app)", " without (a, b)"]);
    format!("{op}{selector} {pipeline} | unwrap {unwrap} {filter} {window}){by}")
}

fn metric(rng: &mut Rng, depth: usize) -> String {
    if depth == 0 || rng.chance(3) {
        return match rng.below(8) {
            0 => rng.one(&["1", "0.5", "vector(2)", "1e3"]).into(),
            _ => range(rng),
        };
    }
    let inner = metric(rng, depth - 1);
    match rng.below(5) {
        0 | 1 => {
            let op = rng.one(&["sum", "avg", "count", "min", "max", "stddev", "stdvar", "sort"]);
            let by = rng.one(&["", " by (app)", " without (a, b)", " by ()"]);
            if rng.chance(2) { format!("{op}{by} ({inner})") } else { format!("{op}({inner}){by}") }
        }
        2 => {
            let op = rng.one(&["topk", "bottomk", "approx_topk"]);
            format!("{op}(5, {inner})")
        }
        3 => format!(r#"label_replace({inner}, "a", "$1", "b", "(.*)")"#),
        _ => {
            let other = metric(rng, depth - 1);
            let op = rng.one(&[
                "+", "-", "*", "/", "%", "^", "==", "!=", ">", ">=", "<", "<=", "and", "or",
                "unless",
            ]);
            let how = rng.one(&["", "", "on (app)", "ignoring (a)", "on (app) group_left (b)"]);
            format!("({inner}) {op} {how} ({other})")
        }
    }
}

/// One change: a word or sign taken away, doubled, put elsewhere, or another one in its place.
fn damaged(rng: &mut Rng, query: &str) -> String {
    let mut tokens = tokens(query);
    let at = rng.below(tokens.len());
    let odd = [
        "(", ")", "{", "}", "[5m]", "|", "|=", "=", ",", r#""x""#, "5", "5m", "by", "json", "sum",
        "offset", "and", "unwrap", "==", "a",
    ];
    match rng.below(4) {
        0 => {
            tokens.remove(at);
        }
        1 => tokens.insert(at, rng.one(&odd).into()),
        2 => tokens[at] = rng.one(&odd).into(),
        _ => {
            let other = rng.below(tokens.len());
            tokens.swap(at, other);
        }
    }
    tokens.join(" ")
}

/// Words, strings, windows and signs, as they stand.
fn tokens(query: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => {
                let mut escaped = false;
                let close = rest[1..].find(|c| {
                    let closes = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    closes
                });
                close.map_or(rest.len(), |close| close + 2)
            }
            '`' => rest[1..].find('`').map_or(rest.len(), |close| close + 2),
            '[' => rest.find(']').map_or(rest.len(), |close| close + 1),
            '-' if rest.starts_with("--") => rest.find(' ').unwrap_or(rest.len()),
            c if c.is_alphanumeric() || c == '_' || c == '.' => {
                let other = |c: char| !(c.is_alphanumeric() || c == '_' || c == '.');
                rest.find(other).unwrap_or(rest.len())
            }
            _ => {
                let two = ["|=", "!=", "|~", "!~", "|>", "!>", "=~", "==", ">=", "<="];
                if two.iter().any(|sign| rest.starts_with(sign)) { 2 } else { first.len_utf8() }
            }
        };
        tokens.push(rest[..end].to_string());
        rest = rest[end..].trim_start();
    }
    tokens
}
