//! Tables for the printer of long queries.

use crate::logql::{format, parse};

/// Formats, and formats what came out: it must stay, and mean the same.
fn check(text: &str, expected: &[&str]) {
    let query = parse(text).expect(text);
    let formatted = format(&query);
    assert_eq!(formatted, expected.join("\n"), "{text}");
    let again = parse(&formatted).expect("what is formatted can be read");
    assert_eq!(again.to_string(), query.to_string());
    assert_eq!(format(&again), formatted);
}

#[test]
fn what_fits_stays_on_a_line() {
    check(
        r#"{app="web",env=~"p.*"}|="x"!="y"|json|c>1 and d="z""#,
        &[r#"{app="web", env=~"p.*"} |= "x" != "y" | json | ( c>1 , d="z" )"#],
    );
    check("{a=`x\\d`}", &[r#"{a="x\\d"}"#]);
    check("-1 + 2 * vector(3)", &["(-1 + (2 * vector(3.000000)))"]);
    check(
        r#"quantile_over_time(0.99,{a="b"}|json|unwrap duration(x)[1h] offset 5m) by (c)"#,
        &[r#"quantile_over_time(0.99,{a="b"} | json | unwrap duration(x)[1h] offset 5m0s) by (c)"#],
    );
}

#[test]
fn pipelines() {
    let app = "a".repeat(60);
    check(
        &format!(
            r#"{{app="{app}"}} |= "x" != "y" | json | level="error" | line_format "{{{{.x}}}}" | decolorize"#
        ),
        &[
            &format!(r#"{{app="{app}"}}"#),
            r#"  |= "x" != "y""#,
            "  | json",
            r#"  | level="error""#,
            r#"  | line_format "{{.x}}""#,
            "  | decolorize",
        ],
    );
    let long = "z".repeat(60);
    check(
        &format!(r#"{{app="web"}} |= "{long}" or "y" !~ "{long}" | json"#),
        &[
            r#"{app="web"}"#,
            &format!(r#"  |= "{long}" or "y""#),
            &format!(r#"  !~ "{long}""#),
            "  | json",
        ],
    );
}

#[test]
fn aggregations() {
    let app = "a".repeat(60);
    check(
        &format!(
            r#"topk(3, sum without (x, y) (quantile_over_time(0.99, {{app="{app}"}} | json
               | unwrap duration(z) | __error__="" [1d] offset 1h30m) by (x)))"#
        ),
        &[
            "topk(",
            "  3,",
            "  sum without (x, y)(",
            "    quantile_over_time(",
            "      0.99,",
            &format!(r#"      {{app="{app}"}} | json"#),
            "        | unwrap duration(z)",
            r#"        | __error__="" [1d] offset 1h30m"#,
            "    ) by (x)",
            "  )",
            ")",
        ],
    );
    check(
        &format!(
            r#"label_replace(rate({{app="{app}"}}[5m] offset -1h), "d", "$1", "s", "(.*)-x")"#
        ),
        &[
            "label_replace(",
            &format!(r#"  rate({{app="{app}"}}[5m] offset -1h0m0s),"#),
            r#"  "d","#,
            r#"  "$1","#,
            r#"  "s","#,
            r#"  "(.*)-x""#,
            ")",
        ],
    );
    check(
        &format!(r#"count_over_time({{app="{app}", env="production"}} | json[5m] offset -1h)"#),
        &[
            "count_over_time(",
            &format!(r#"  {{app="{app}", env="production"}} | json [5m] offset -1h0m0s"#),
            ")",
        ],
    );
    let label = "b".repeat(100);
    check(
        &format!("sum without () (sum by ({label}) (vector(1)))"),
        &["sum without ()(", &format!("  sum by ({label})("), "    vector(1.000000)", "  )", ")"],
    );
}

#[test]
fn operators() {
    check(
        r#"sum(rate({app="a", env=~"x|y"} |= "foo" | logfmt | level="error" [5m])) by (app, env)
           / on(app) group_left sum(rate({app="a"}[5m])) by (app)"#,
        &[
            r#"  sum by (app,env)(rate({app="a", env=~"x|y"} |= "foo" | logfmt | level="error"[5m]))"#,
            "/ on (app) group_left",
            r#"  sum by (app)(rate({app="a"}[5m]))"#,
        ],
    );
    let a = format!(r#"rate({{app="{}"}}[5m])"#, "a".repeat(60));
    let b = format!(r#"rate({{app="{}"}}[5m])"#, "b".repeat(60));
    // Left operands stay in line as far as they group by themselves, others need parentheses.
    check(
        &format!("{a} + {b} - 1"),
        &[&format!("    {a}"), "  +", &format!("    {b}"), "-", "  1"],
    );
    check(
        &format!("{a} - ({b} - {a})"),
        &[
            &format!("  {a}"),
            "-",
            "  (",
            &format!("      {b}"),
            "    -",
            &format!("      {a}"),
            "  )",
        ],
    );
    check(
        &format!("({a} + {b}) * 2"),
        &["  (", &format!("      {a}"), "    +", &format!("      {b}"), "  )", "*", "  2"],
    );
    check(
        &format!("({a} ^ {b}) ^ 2"),
        &["  (", &format!("      {a}"), "    ^", &format!("      {b}"), "  )", "^", "  2"],
    );
    check(
        &format!("sum({a} > bool ignoring (x, y) {b})"),
        &["sum(", &format!("    {a}"), "  > bool ignoring (x, y) ", &format!("    {b}"), ")"],
    );
    check(
        &format!("{a} / on (x) group_right (y, z) {b}"),
        &[&format!("  {a}"), "/ on (x) group_right (y, z)", &format!("  {b}")],
    );
    // A parenthesis right after `group_left` would be its list of labels.
    check(
        &format!("{a} / on (x) group_left () (vector(1) + vector(2))"),
        &[&format!("  {a}"), "/ on (x) group_left ()", "  (vector(1.000000) + vector(2.000000))"],
    );
}
