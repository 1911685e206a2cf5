//! Tables for the parser.

use super::*;
use crate::logql::ast::{LabelFilter, Metric, Stage};

/// The text is a query, and this is its canonical form.
fn reads(text: &str, canonical: &str) {
    match parse(text) {
        Ok(query) => assert_eq!(query.to_string(), canonical, "{text}"),
        Err(error) => panic!("{text}: {error}"),
    }
}

/// The text is its own canonical form.
fn stays(text: &str) {
    reads(text, text);
}

/// The text is refused with this message, without the `parse error ` in front.
fn refused(text: &str, message: &str) {
    match parse(text) {
        Ok(query) => panic!("{text} was read as {query}"),
        Err(error) => assert_eq!(error.to_string(), format!("parse error {message}"), "{text}"),
    }
}

const EMPTY: &str = ": queries require at least one regexp or equality matcher that does not have \
     an empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but \
     app=~\".+\" will";

#[test]
fn selectors() {
    stays(r#"{app="web"}"#);
    reads(r#"{ app = "web" , env=~"p.*" }"#, r#"{app="web", env=~"p.*"}"#);
    reads("{a=`x\\d`}", r#"{a="x\\d"}"#);
    stays(r#"{a="b", a!="c", b!~"d"}"#);
    stays(r#"{café="a"}"#);
    stays(r#"{rate="a", ip="b", sum="c"}"#);
    reads("\u{feff}{a=\"b\"}", r#"{a="b"}"#);
    reads("{a=\"b\"} # c", r#"{a="b"}"#);
    reads("{/* x */a=\"b\" // c\n}", r#"{a="b"}"#);
    reads("(({a=\"b\"}))", r#"{a="b"}"#);
    stays(r#"{__name__="x"}"#);

    for text in ["{}", r#"{a=~".*"}"#, r#"{a!="x"}"#, r#"{a=""}"#, r#"{a!~"x"}"#, r#"{a!~".+"}"#] {
        refused(text, EMPTY);
        parse_selector(text).expect("a selector for /series");
    }
    refused(r#"count_over_time({}[5m])"#, EMPTY);
    refused("{", "at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }");
    refused(
        "{app",
        "at line 1, col 5: syntax error: unexpected $end, expecting = or =~ or !~ or !=",
    );
    refused(r#"{app="a""#, "at line 1, col 9: syntax error: unexpected $end, expecting } or ,");
    refused(r#"{app="a",}"#, "at line 1, col 10: syntax error: unexpected }, expecting IDENTIFIER");
    refused("{app=}", "at line 1, col 6: syntax error: unexpected }, expecting STRING");
    refused("{app='a'}", "at line 1, col 6: syntax error: unexpected IDENTIFIER, expecting STRING");
    refused("{app='ab'}", "at line 1, col 6: invalid char literal");
    refused(
        r#"{"app"="a"}"#,
        "at line 1, col 2: syntax error: unexpected STRING, expecting IDENTIFIER or }",
    );
    refused(
        r#"{app.x="a"}"#,
        "at line 1, col 5: syntax error: unexpected ., expecting = or =~ or !~ or !=",
    );
    refused(
        r#"{app-x="a"}"#,
        "at line 1, col 5: syntax error: unexpected -, expecting = or =~ or !~ or !=",
    );
    refused(
        r#"{@="a"}"#,
        "at line 1, col 2: syntax error: unexpected '@', expecting IDENTIFIER or }",
    );
    refused(
        r#"{by="a"}"#,
        "at line 1, col 2: syntax error: unexpected by, expecting IDENTIFIER or }",
    );
    refused(
        r#"{app=="a"}"#,
        "at line 0, col 5: syntax error: unexpected ==, expecting = or =~ or !~ or !=",
    );
    refused(r#"app="a""#, "at line 1, col 1: syntax error: unexpected IDENTIFIER");
    refused(r#"{app=~"("}"#, ": error parsing regexp: missing closing ): `(`");
    refused(r#"{a="b"} {c="d"}"#, "at line 1, col 9: syntax error: unexpected {");
    refused(r#"{a="b"}}"#, "at line 1, col 8: syntax error: unexpected }");
    refused(r#"({a="b"}"#, "at line 1, col 9: syntax error: unexpected $end");
    refused(r#"({a="b"}) | json"#, "at line 1, col 11: syntax error: unexpected |");
    refused("", ": syntax error: unexpected $end");
    refused("  ", "at line 1, col 3: syntax error: unexpected $end");
    refused("# c", "at line 1, col 4: syntax error: unexpected $end");
    refused("\n\n x", "at line 3, col 2: syntax error: unexpected IDENTIFIER");
}

#[test]
fn line_filters() {
    reads(
        r#"{a="b"}|="x"!="y"|~"z"!~"w"|>"<_>q"!>"r<_>""#,
        r#"{a="b"} |= "x" != "y" |~ "z" !~ "w" |> "<_>q" !> "r<_>""#,
    );
    stays(r#"{a="b"} |= "x" or "y" != ip("1.2.3.4")"#);
    stays(r#"{a="b"} |= "x" or ip("10.0.0.0/8") or "y""#);
    reads("{a=\"b\"} |= `\"x\"`", r#"{a="b"} |= "\"x\"""#);
    stays(r#"{a="b"} |= """#);
    refused(
        r#"{app="a"} |= "#,
        "at line 1, col 14: syntax error: unexpected $end, expecting STRING or ip",
    );
    refused(
        r#"{app="a"} |= foo"#,
        "at line 1, col 14: syntax error: unexpected IDENTIFIER, expecting STRING or ip",
    );
    refused(
        r#"{app="a"} |= "a" or"#,
        "at line 1, col 20: syntax error: unexpected $end, expecting STRING or ip",
    );
    refused(
        r#"{app="a"} |= ip "x""#,
        "at line 1, col 14: syntax error: unexpected IDENTIFIER, expecting STRING or ip",
    );
    refused(
        r#"{app="a"} |= ip(x)"#,
        "at line 1, col 17: syntax error: unexpected IDENTIFIER, expecting STRING",
    );
    refused(r#"{app="a"} |= "\q""#, "at line 1, col 14: invalid char escape");
    refused("{app=\"a\"} |= \"x\ny\"", "at line 1, col 14: literal not terminated");
    refused("{app=\"a\"} |= \"x\0\"", "at line 1, col 16: invalid character NUL");
    refused(r#"{app="a"} "x""#, "at line 1, col 11: syntax error: unexpected STRING");
    refused(r#"{app="a"} = "x""#, "at line 1, col 11: syntax error: unexpected =");
    refused(
        r#"{app="a"} |~ "(""#,
        r#": stage '|~ "("' : error parsing regexp: missing closing ): `(`"#,
    );
    refused(
        r#"{app="a"} |= "x" | json !~ "[""#,
        r#": stage '|= "x" !~ "["' : error parsing regexp: missing closing ]: `[`"#,
    );
    refused(
        r#"{app="a"} |= ip("999.1.1.1")"#,
        r#": stage '|= ip("999.1.1.1")' : ip: invalid pattern: "999.1.1.1""#,
    );
    refused(
        r#"{app="a"} |~ ip("10.0.0.1")"#,
        r#": stage '|~ ip("10.0.0.1")' : ip: invalid operation"#,
    );
    refused(
        r#"{app="a"} |> "<a>""#,
        r#": stage '|> "<a>"' : named captures are not allowed: found '<a>'"#,
    );
}

#[test]
fn stages() {
    stays(r#"{a="b"} | json"#);
    reads(r#"{a="b"}|JSON a="x.y" , b"#, r#"{a="b"} | json a="x.y",b="b""#);
    stays(r#"{a="b"} | logfmt --strict --keep-empty"#);
    reads(
        r#"{a="b"} | logfmt --keep-empty --strict --strict a, b="c""#,
        r#"{a="b"} | logfmt --strict --keep-empty a="a",b="c""#,
    );
    stays(r#"{a="b"} | regexp "(?P<x>\\w+)" | pattern "<ip> <_>" | unpack | decolorize"#);
    stays(r#"{a="b"} | line_format "{{.x}} y""#);
    reads(r#"{a="b"} | label_format x=y , z="{{.w}}""#, r#"{a="b"} | label_format x=y,z="{{.w}}""#);
    reads(r#"{a="b"} | drop x, y="z", w=~"v.*""#, r#"{a="b"} | drop x,y="z",w=~"v.*""#);
    stays(r#"{a="b"} | keep x,y!="z",w!~"v""#);
    stays(r#"{a="b"} | drop __error__"#);
    reads("{a=\"b\"}\n| json # parse\n| x > 5", r#"{a="b"} | json | x>5"#);

    refused(r#"{app="a"} |"#, "at line 1, col 12: syntax error: unexpected $end");
    refused(r#"{app="a"} | json |"#, "at line 1, col 19: syntax error: unexpected $end");
    refused(r#"{app="a"} | unwrap x"#, "at line 1, col 13: syntax error: unexpected unwrap");
    refused(r#"{app="a"} | "x""#, "at line 1, col 13: syntax error: unexpected STRING");
    refused(r#"{app="a"} | sum(x)"#, "at line 1, col 13: syntax error: unexpected sum");
    refused(r#"{app="a"} | distinct x"#, "at line 1, col 22: syntax error: unexpected IDENTIFIER");
    refused(r#"{app="a"} | limit 5"#, "at line 1, col 19: syntax error: unexpected NUMBER");
    refused(
        r#"{app="a"} | json a=b"#,
        "at line 1, col 20: syntax error: unexpected IDENTIFIER, expecting STRING",
    );
    refused(
        r#"{app="a"} | json a,"#,
        "at line 1, col 20: syntax error: unexpected $end, expecting IDENTIFIER",
    );
    refused(
        r#"{app="a"} | json --strict"#,
        "at line 0, col 18: syntax error: unexpected FUNCTION_FLAG",
    );
    refused(
        r#"{app="a"} | logfmt --bogus"#,
        "at line 1, col 22: syntax error: unexpected IDENTIFIER, expecting NUMBER",
    );
    refused(
        r#"{app="a"} | label_format a"#,
        "at line 1, col 27: syntax error: unexpected $end, expecting =",
    );
    refused(
        r#"{app="a"} | label_format a=5"#,
        "at line 1, col 28: syntax error: unexpected NUMBER, expecting IDENTIFIER or STRING",
    );
    refused(
        r#"{app="a"} | keep"#,
        "at line 1, col 17: syntax error: unexpected $end, expecting IDENTIFIER",
    );
    refused(
        r#"{app="a"} | drop by"#,
        "at line 1, col 18: syntax error: unexpected by, expecting IDENTIFIER",
    );
    refused(
        r#"{app="a"} | drop a=5"#,
        "at line 1, col 20: syntax error: unexpected NUMBER, expecting STRING",
    );
    refused(
        r#"{app="a"} | regexp x"#,
        "at line 1, col 20: syntax error: unexpected IDENTIFIER, expecting STRING",
    );
    refused(
        r#"{app="a"} | regexp "(""#,
        ": invalid regexp parser: error parsing regexp: missing closing ): `(`",
    );
    refused(
        r#"{app="a"} | pattern "nocapture""#,
        ": invalid pattern parser: at least one capture is required",
    );
    refused(
        r#"{app="a"} | pattern "<a> <a>""#,
        ": invalid pattern parser: duplicate capture name (a): invalid expression",
    );
    refused(
        r#"{app="a"} | line_format "{{.x""#,
        concat!(
            r#": stage '| line_format "{{.x"' : invalid line template: "#,
            "template: line:1: unclosed action",
        ),
    );
    refused(
        r#"{app="a"} | line_format "{{ nofunc .x }}""#,
        concat!(
            r#": stage '| line_format "{{ nofunc .x }}"' : invalid line template: "#,
            r#"template: line:1: function "nofunc" not defined"#,
        ),
    );
    refused(
        r#"{app="a"} | label_format a=b, a=c"#,
        concat!(
            ": stage '| label_format a=b,a=c' : ",
            "multiple label name 'a' not allowed in a single format operation",
        ),
    );
    refused(
        r#"{app="a"} | label_format __error__=b"#,
        ": stage '| label_format __error__=b' : __error__ cannot be formatted",
    );
    refused(
        r#"{app="a"} | json a="b[""#,
        concat!(
            r#": stage '| json a="b["' : cannot parse expression [b[]: "#,
            "syntax error: unexpected $end, expecting STRING or INDEX",
        ),
    );
}

#[test]
fn label_filters() {
    let filter = |text: &str, canonical: &str| {
        reads(&format!("{{a=\"b\"}} | {text}"), &format!("{{a=\"b\"}} | {canonical}"));
    };
    filter(r#"x="y""#, r#"x="y""#);
    filter(r#"x=~"y" | z!~"w" | v!="u""#, r#"x=~"y" | z!~"w" | v!="u""#);
    filter("x=5", "x==5");
    filter("x==5.50", "x==5.5");
    filter("x!=-5", "x!=-5");
    filter("x>+.5", "x>0.5");
    filter("x >= 1e3", "x>=1000");
    filter("x<1_000", "x<1000");
    filter("x<=5m", "x<=5m0s");
    filter("d=-5s", "d==-5s");
    filter("d>1y2w3d", "d>9168h0m0s");
    filter("d>1.5h", "d>1h30m0s");
    filter("d>250us", "d>250\u{b5}s");
    filter("x>5KB", "x>5.0kB");
    filter("x>1KiB", "x>1024B");
    filter("x>1.5GB", "x>1.5GB");
    filter(r#"addr=ip("10.0.0.0/8")"#, r#"addr=ip("10.0.0.0/8")"#);
    filter(r#"addr != ip("::1")"#, r#"addr!=ip("::1")"#);
    filter("rate > 5", "rate>5");
    filter("ip=5 | bytes=5B | duration=5s", "ip==5 | bytes==5B | duration==5s");
    filter("(((x>5)))", "x>5");

    // How connectives group: `,` and nothing swallow what is on their right.
    filter(r#"x="1" and y="2" or z="3""#, r#"( ( x="1" , y="2" ) or z="3" )"#);
    filter(r#"x="1" or y="2" and z="3""#, r#"( x="1" or ( y="2" , z="3" ) )"#);
    filter(r#"x="1", y="2" or z="3""#, r#"( x="1" , ( y="2" or z="3" ) )"#);
    filter(r#"x="1" y="2" or z="3""#, r#"( x="1" , ( y="2" or z="3" ) )"#);
    filter(r#"x="1" or y="2", z="3""#, r#"( x="1" or ( y="2" , z="3" ) )"#);
    filter(r#"x="1" or y="2" | z="3""#, r#"( x="1" or y="2" ) | z="3""#);
    filter("a=1 and b=1 and c=1", "( ( a==1 , b==1 ) , c==1 )");
    filter("a=1, b=1, c=1", "( a==1 , ( b==1 , c==1 ) )");
    filter("a=1 or b=1 c=1 or d=1, e=1", "( a==1 or ( b==1 , ( c==1 or ( d==1 , e==1 ) ) ) )");
    filter("a=1 (b=1 or c=1)", "( a==1 , ( b==1 or c==1 ) )");
    filter("(a=1 or b=1) and c=1", "( ( a==1 or b==1 ) , c==1 )");

    let bad = |text: &str, message: &str| {
        refused(&format!("{{a=\"b\"}} | {text}"), message);
    };
    bad("x > ", "at line 1, col 15: syntax error: unexpected $end");
    bad("x", "at line 1, col 12: syntax error: unexpected $end");
    bad(r#"x ~ "y""#, "at line 1, col 13: syntax error: unexpected IDENTIFIER");
    bad(r#"x == "y""#, "at line 1, col 16: syntax error: unexpected STRING");
    bad(r#"x > "5""#, "at line 1, col 15: syntax error: unexpected STRING");
    bad(r#"x > ip("10.0.0.1")"#, "at line 1, col 15: syntax error: unexpected ip");
    bad("x =~ 5", "at line 1, col 16: syntax error: unexpected NUMBER, expecting STRING");
    bad("x > 5 KB", "at line 1, col 19: syntax error: unexpected $end");
    bad("x > 5kb", "at line 1, col 18: syntax error: unexpected $end");
    bad("x > 1EB", "at line 1, col 15: exponent has no digits");
    bad("x > 1d1.5h", "at line 0, col 18: syntax error: unexpected DURATION");
    bad("x > NaN", "at line 1, col 15: syntax error: unexpected IDENTIFIER");
    bad("x > -", "at line 1, col 16: syntax error: unexpected $end, expecting NUMBER");
    bad(
        "x > 0x10",
        concat!(
            ": unable to parse literal as a float: ",
            r#"strconv.ParseFloat: parsing "0x10": invalid syntax"#,
        ),
    );
    bad("(x=1 or)", "at line 1, col 18: syntax error: unexpected ), expecting IDENTIFIER or (");
    bad("(x=1", "at line 1, col 15: syntax error: unexpected $end");
    bad(
        "x=1 and and",
        "at line 1, col 19: syntax error: unexpected and, expecting IDENTIFIER or (",
    );
    bad(r#"x =~ "(""#, ": error parsing regexp: missing closing ): `(`");
    bad(r#"a=1 and x=ip("1")"#, r#": stage '| ( a==1 , x=ip("1") )' : ip: invalid pattern: "1""#);
}

#[test]
fn ranges() {
    let range = |inner: &str, canonical: &str| {
        reads(&format!("rate({inner})"), &format!("rate({canonical})"));
    };
    range(r#"{a="b"}[5m]"#, r#"{a="b"}[5m]"#);
    range(r#"{a="b"} | json [5m] offset 1h"#, r#"{a="b"} | json[5m] offset 1h0m0s"#);
    range(r#"{a="b"}[5m] offset -1h"#, r#"{a="b"}[5m] offset -1h0m0s"#);
    range(r#"{a="b"}[1d12h]"#, r#"{a="b"}[36h]"#);
    range(r#"{a="b"}[0s]"#, r#"{a="b"}[0s]"#);
    range(r#"{a="b"}[5m] |= "x" | json"#, r#"{a="b"} |= "x" | json[5m]"#);
    range(
        r#"{a="b"}[5m] offset 1m | json | unwrap x"#,
        r#"{a="b"} | json | unwrap x[5m] offset 1m0s"#,
    );
    range(r#"{a="b"}[5m] | unwrap x"#, r#"{a="b"} | unwrap x[5m]"#);
    range(r#"{a="b"} | unwrap x | x > 5 | y="z" [5m]"#, r#"{a="b"} | unwrap x | x>5 | y="z"[5m]"#);
    range(r#"({a="b"} | json)[5m] offset 2m"#, r#"{a="b"} | json[5m] offset 2m0s"#);
    range(r#"({a="b"})[5m] | unwrap x"#, r#"{a="b"} | unwrap x[5m]"#);
    range(r#"({a="b"} | unwrap bytes(x))[5m]"#, r#"{a="b"} | unwrap bytes(x)[5m]"#);
    range(r#"((({a="b"})[5m]))"#, r#"{a="b"}[5m]"#);
    range(r#"({a="b"}[5m] | json)"#, r#"{a="b"} | json[5m]"#);
    range(r#"{a="b"} | unwrap rate[5m]"#, r#"{a="b"} | unwrap rate[5m]"#);
    range(
        r#"{a="b"} | unwrap duration_seconds(x)[5m]"#,
        r#"{a="b"} | unwrap duration_seconds(x)[5m]"#,
    );

    refused(r#"rate({app="a"})"#, "at line 1, col 15: syntax error: unexpected )");
    refused(r#"rate({app="a"}[5])"#, r#"at line 0, col 15: not a valid duration string: "5""#);
    refused(r#"rate({app="a"}[5m)"#, "at line 0, col 15: missing closing ']' in duration");
    refused(r#"rate({app="a"}[])"#, "at line 0, col 15: empty duration string");
    refused(r#"rate({app="a"}[-5m])"#, r#"at line 0, col 15: not a valid duration string: "-5m""#);
    refused(
        r#"rate({app="a"}[1.5h])"#,
        r#"at line 0, col 15: unknown unit "." in duration "1.5h""#,
    );
    refused(
        r#"rate({app="a"}[5m:1m])"#,
        r#"at line 0, col 15: unknown unit "m:" in duration "5m:1m""#,
    );
    refused(
        r#"rate({app="a"}[5m] offset)"#,
        "at line 1, col 26: syntax error: unexpected ), expecting DURATION",
    );
    refused(
        r#"rate({app="a"}[5m] @ 5)"#,
        "at line 1, col 20: syntax error: unexpected IDENTIFIER, expecting )",
    );
    refused(
        r#"rate({app="a"}[5m]"#,
        "at line 1, col 19: syntax error: unexpected $end, expecting )",
    );
    refused(
        r#"rate(({a="b"}) | json [5m])"#,
        "at line 1, col 16: syntax error: unexpected |, expecting RANGE",
    );
    refused(
        r#"rate((({a="b"}))[5m])"#,
        "at line 1, col 16: syntax error: unexpected ), expecting RANGE",
    );
    refused(
        r#"rate(({a="b"})[5m] | json)"#,
        "at line 1, col 22: syntax error: unexpected json, expecting unwrap",
    );
    refused(
        "rate(x)",
        "at line 1, col 6: syntax error: unexpected IDENTIFIER, expecting NUMBER or { or (",
    );
    refused("rate(5)", "at line 1, col 7: syntax error: unexpected ), expecting ,");
    refused("rate(5,x)", "at line 1, col 8: syntax error: unexpected IDENTIFIER, expecting { or (");
    refused(
        r#"max_over_time({app="a"} | unwrap nosuchconv(x) [5m])"#,
        "at line 1, col 44: syntax error: unexpected (, expecting RANGE or |",
    );
    refused(
        r#"max_over_time({app="a"} | unwrap 5 [5m])"#,
        "at line 1, col 34: syntax error: unexpected NUMBER, \
         expecting IDENTIFIER or bytes or duration or duration_seconds",
    );
    refused(
        r#"max_over_time({app="a"} | unwrap x | json [5m])"#,
        "at line 1, col 38: syntax error: unexpected json, expecting IDENTIFIER or (",
    );
    refused(
        r#"max_over_time(({app="a"} | unwrap x [5m])"#,
        "at line 1, col 42: syntax error: unexpected $end, expecting )",
    );
    refused(
        r#"max_over_time(({app="a"} | unwrap x json"#,
        "at line 1, col 37: syntax error: unexpected json, expecting RANGE or ) or |",
    );
    refused("rate by (x) (1)", "at line 1, col 6: syntax error: unexpected by, expecting (");
}

#[test]
fn aggregations() {
    reads(
        r#"sum by(app)(rate({app="web"}|json|unwrap bytes(x)[5m] offset 1h))"#,
        r#"sum by (app)(rate({app="web"} | json | unwrap bytes(x)[5m] offset 1h0m0s))"#,
    );
    reads(
        r#"topk(5,sum(count_over_time({a="b"}[1h30m]))by(x))"#,
        r#"topk(5,sum by (x)(count_over_time({a="b"}[1h30m])))"#,
    );
    reads(r#"SUM BY () (rate({a="b"}[5m]))"#, r#"sum(rate({a="b"}[5m]))"#);
    reads(r#"sum(rate({a="b"}[5m])) without ()"#, r#"sum without ()(rate({a="b"}[5m]))"#);
    stays(r#"quantile_over_time(0.99,{a="b"} | json | unwrap duration(x)[1h] offset 5m0s) by (c)"#);
    stays(r#"avg_over_time({a="b"} | unwrap x[5m]) without (c,d)"#);
    stays(r#"first_over_time({a="b"} | unwrap x[5m]) by ()"#);
    stays(r#"absent_over_time({a="b"} | unwrap x[5m])"#);
    stays(r#"rate_counter({a="b"} | unwrap x[5m])"#);
    stays(r#"sort_desc(stddev(vector(1.000000)))"#);
    stays(r#"approx_topk(3,rate({a="b"}[5m]))"#);
    reads("sum(sum(1))", "sum(sum(1))");
    stays(r#"label_replace(vector(1.000000),"a","b","c","d")"#);
    reads("vector(0.0000001)", "vector(1e-07)");
    for op in ["bytes_over_time", "bytes_rate", "count_over_time"] {
        stays(&format!(r#"{op}({{a="b"}}[5m])"#));
    }
    for op in ["sum", "min", "max", "stdvar", "stddev", "last"] {
        stays(&format!(r#"{op}_over_time({{a="b"}} | unwrap x[5m])"#));
    }
    for op in ["avg", "count", "min", "max", "stdvar", "sort"] {
        stays(&format!(r#"{op}(rate({{a="b"}}[5m]))"#));
    }

    refused(r#"sum({a="b"})"#, "at line 1, col 12: syntax error: unexpected )");
    refused(r#"min({ foo = "bar" }[5m])"#, "at line 0, col 20: syntax error: unexpected RANGE");
    refused(r#"unk({ foo = "bar" }[5m])"#, "at line 1, col 1: syntax error: unexpected IDENTIFIER");
    refused("sum(sum)", "at line 1, col 5: syntax error: unexpected IDENTIFIER");
    refused("sum()", "at line 1, col 5: syntax error: unexpected )");
    refused(
        r#"sum by (app (rate({app="a"}[5m]))"#,
        "at line 1, col 13: syntax error: unexpected (, expecting , or )",
    );
    refused(
        r#"sum by (app,) (rate({app="a"}[5m]))"#,
        "at line 1, col 13: syntax error: unexpected ), expecting IDENTIFIER",
    );
    refused(
        r#"sum by ("app") (rate({app="a"}[5m]))"#,
        "at line 1, col 9: syntax error: unexpected STRING, expecting IDENTIFIER or )",
    );
    refused(
        r#"sum by (a)(rate({app="a"}[5m])) by (a)"#,
        "at line 1, col 33: syntax error: unexpected by",
    );
    refused(
        r#"sum without by (x)(rate({app="a"}[5m]))"#,
        "at line 1, col 1: syntax error: unexpected IDENTIFIER",
    );
    refused(
        r#"topk(x, rate({app="a"}[5m]))"#,
        "at line 1, col 6: syntax error: unexpected IDENTIFIER",
    );
    refused(
        r#"label_replace(rate({app="a"}[5m]), "x", "y")"#,
        "at line 1, col 44: syntax error: unexpected ), expecting ,",
    );
    refused(
        r#"label_replace(vector(1), x)"#,
        "at line 1, col 26: syntax error: unexpected IDENTIFIER, expecting STRING",
    );
    refused("vector(x)", "at line 1, col 8: syntax error: unexpected IDENTIFIER, expecting NUMBER");
    refused("vector(-1)", "at line 1, col 8: syntax error: unexpected -, expecting NUMBER");
    refused("vector(1", "at line 1, col 9: syntax error: unexpected $end, expecting )");
    for op in ["group", "count_values", "increase", "histogram_quantile", "present_over_time"] {
        refused(
            &format!(r#"{op}(rate({{a="b"}}[5m]))"#),
            "at line 1, col 1: syntax error: unexpected IDENTIFIER",
        );
    }
}

#[test]
fn meaningless_aggregations() {
    refused(
        r#"count_over_time({app="a"} | unwrap x [5m])"#,
        ": invalid aggregation count_over_time with unwrap",
    );
    refused(
        r#"sum_over_time({app="a"}[5m])"#,
        ": invalid aggregation sum_over_time without unwrap",
    );
    refused(r#"rate({app="a"}[5m]) by (x)"#, ": grouping not allowed for rate aggregation");
    refused(
        r#"quantile_over_time({app="a"} | unwrap x [5m])"#,
        ": parameter required for operation quantile_over_time",
    );
    refused(
        r#"count_over_time(5, {app="a"}[5m])"#,
        ": parameter 5 not supported for operation count_over_time",
    );
    refused(r#"topk(rate({app="a"}[5m]))"#, ": parameter required for operation topk");
    refused(r#"topk(2.5, rate({app="a"}[5m]))"#, ": invalid parameter topk(2.5,");
    refused(
        r#"topk(0, rate({app="a"}[5m]))"#,
        ": invalid parameter (must be greater than 0) topk(0",
    );
    refused(r#"sum(2, rate({app="a"}[5m]))"#, ": unsupported parameter for operation sum(2,");
    refused(
        r#"sort(rate({app="a"}[5m])) by (x)"#,
        ": sort and sort_desc doesn't allow grouping by ",
    );
    refused(
        r#"approx_topk(2, rate({app="a"}[5m])) by (x)"#,
        ": grouping not allowed for approx_topk aggregation",
    );
    refused(
        r#"label_replace(rate({app="a"}[5m]), "x", "y", "z", "(")"#,
        ": invalid regex in label_replace: error parsing regexp: missing closing ): `^(?:()$`",
    );
    refused(
        "vector(0x10)",
        concat!(
            ": unable to parse vectorExpr as a float: ",
            r#"strconv.ParseFloat: parsing "0x10": invalid syntax"#,
        ),
    );
    // The outermost mistake is told, of two side by side the left one, and form before meaning.
    refused("sum(2, sort(3, 1))", ": unsupported parameter for operation sum(2,");
    refused("sum(1, 1) + sum(2, 1)", ": unsupported parameter for operation sum(1,");
    refused(
        "sum(1, 1) and 1",
        ": unexpected literal for right leg of logical/set binary operation (and): 1.000000",
    );
    refused("sum(1, 1) )", "at line 1, col 11: syntax error: unexpected )");
    refused(
        r#"({a="b"} + 1) and vector(1)"#,
        ": unexpected type for left leg of binary operation (+): *syntax.MatchersExpr",
    );
}

#[test]
fn operators() {
    reads("-1 + 2 * vector(3)", "(-1 + (2 * vector(3.000000)))");
    reads("1+2*3", "7");
    reads("5-3-1", "1");
    reads("2^3^2", "512");
    reads("-2^2", "4");
    reads("1/0", "(0 / 0)");
    reads("5%0", "(0 / 0)");
    reads("-7%4", "-3");
    reads("0 == 0", "1");
    reads("1 > bool 2", "0");
    reads("1e308*10", "(1e+308 * 10)");
    reads("vector(1) - 1 - 1", "((vector(1.000000) - 1) - 1)");
    reads("vector(1) ^ 2 ^ 3", "(vector(1.000000) ^ 8)");
    reads("1 + 1 + vector(1)", "(2 + vector(1.000000))");
    reads("2-0", "2");
    let sides = |text: &str, canonical: &str| {
        let put =
            |text: &str| text.replace('L', "vector(1.000000)").replace('R', "vector(2.000000)");
        reads(&put(text), &put(canonical));
    };
    sides("L or R and L", "(L or (R and L))");
    sides("L unless R or L", "((L unless R) or L)");
    sides("L > R + L", "(L > (R + L))");
    sides("L + R > L == R", "(((L + R) > L) == R)");
    sides("L * R / L % R", "(((L * R) / L) % R)");
    sides("(L + R) * L", "((L + R) * L)");
    sides("L > bool R", "(L > bool R)");
    sides("L / on(x, y) R", "(L / on (x,y)  R)");
    sides("L / ON (x) Group_left R", "(L / on (x) group_left R)");
    sides("L / ignoring(x) group_right (y,z) R", "(L / ignoring (x) group_right (y,z) R)");
    sides("L / on() group_left() R", "(L / on () group_left R)");
    sides("L > bool on (x) R", "(L > bool on (x)  R)");
    sides("L + ignoring () R", "(L + R)");
    sides("L / on(x) group_left () (L + R)", "(L / on (x) group_left () (L + R))");

    refused("1 +", "at line 1, col 4: syntax error: unexpected $end");
    refused("+ + 1", "at line 1, col 3: syntax error: unexpected +, expecting NUMBER");
    refused("-(1)", "at line 1, col 2: syntax error: unexpected (, expecting NUMBER");
    refused("(1", "at line 1, col 3: syntax error: unexpected $end");
    refused("1)", "at line 1, col 2: syntax error: unexpected )");
    refused("5m", "at line 0, col 1: syntax error: unexpected DURATION");
    refused("1 + 5KB", "at line 0, col 5: syntax error: unexpected BYTES");
    refused("1 == on (x", "at line 1, col 11: syntax error: unexpected $end, expecting , or )");
    refused("1 + on x 1", "at line 1, col 8: syntax error: unexpected IDENTIFIER, expecting (");
    refused(
        "1 + on (x) group_left (vector(1))",
        "at line 1, col 24: syntax error: unexpected vector, expecting IDENTIFIER or )",
    );
    refused(
        r#"1 + {app="a"}"#,
        ": unexpected type for right leg of binary operation (+): *syntax.MatchersExpr",
    );
    refused(
        r#"{app="a"} | json > 1"#,
        ": unexpected type for left leg of binary operation (>): *syntax.PipelineExpr",
    );
    refused(
        "1 and vector(1)",
        ": unexpected literal for left leg of logical/set binary operation (and): 1.000000",
    );
    refused(
        "0x10",
        concat!(
            ": unable to parse literal as a float: ",
            r#"strconv.ParseFloat: parsing "0x10": invalid syntax"#,
        ),
    );
    refused(
        "1e999",
        concat!(
            ": unable to parse literal as a float: ",
            r#"strconv.ParseFloat: parsing "1e999": value out of range"#,
        ),
    );
    refused("NaN", "at line 1, col 1: syntax error: unexpected IDENTIFIER");
}

#[test]
fn selectors_alone() {
    let check = |text: &str, expected: &str| {
        assert_eq!(parse_selector(text).expect(text).to_string(), expected);
    };
    check("{}", "{}");
    check(r#"{a=~".*"}"#, r#"{a=~".*"}"#);
    let refused = |text: &str, message: &str| {
        assert_eq!(parse_selector(text).expect_err(text).to_string(), message);
    };
    refused(r#"{a="b"} | json"#, "only label matchers are supported");
    refused("1", "only label matchers are supported");
    refused(
        "{",
        concat!(
            "parse error at line 1, col 2: ",
            "syntax error: unexpected $end, expecting IDENTIFIER or }",
        ),
    );
}

/// Runs on a stack as small as any that a server thread has.
fn on_small_stack(run: fn()) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run);
    thread.expect("a thread").join().expect("no overflow");
}

/// Everything that is done to a tree by recursion.
fn survives(text: &str) -> Result<Query, Error> {
    let query = parse(text)?;
    let again = parse(&query.to_string()).expect("what is printed can be read");
    assert_eq!(again.to_string(), query.to_string());
    assert_eq!(
        parse(&crate::logql::format(&query)).expect("formatted").to_string(),
        query.to_string()
    );
    Ok(query)
}

#[test]
fn long_texts() {
    on_small_stack(|| {
        let sum = "1+".repeat(60_000) + "1";
        assert_eq!(survives(&sum).expect("it folds").to_string(), "60001");
        let wide = |joiner: &str, n: usize| {
            let terms: Vec<_> = (0..n).map(|i| format!("a={i}")).collect();
            survives(&format!("{{a=\"b\"}} | {}", terms.join(joiner))).expect("a balanced tree")
        };
        for joiner in [" or ", " and ", ",", " "] {
            wide(joiner, 5_000);
        }
        survives(&format!("{{a=\"b\"}}{}", " | json".repeat(10_000))).expect("stages are a list");
        survives(&format!("{{a=\"b\"}} |= \"x\"{}", " or \"x\"".repeat(15_000))).expect("a list");
        let labels = "a,".repeat(40_000);
        survives(&format!("sum by ({labels}a) (vector(1))")).expect("a list");
        let long = format!("{{a=\"{}\"}}", "x".repeat(TEXT_BYTES_MAX - 6));
        assert_eq!(long.len(), TEXT_BYTES_MAX);
        parse(&long).expect("as long as may be");
        refused(&(long + " "), ": input size too long (131073 > 131072)");
    });
}

#[test]
fn deep_texts() {
    on_small_stack(|| {
        let nest = |open: &str, middle: &str, close: &str, n: usize| {
            survives(&format!("{}{middle}{}", open.repeat(n), close.repeat(n)))
        };
        nest("(", "1", ")", NESTING_MAX - 1).expect("as deep as may be");
        nest("sum(", "vector(1)", ")", DEPTH_MAX - 1).expect("as deep as may be");
        nest("vector(1)+", "vector(1)", "", DEPTH_MAX - 1).expect("as deep as may be");
        nest("1-(", "vector(1)", ")", DEPTH_MAX - 1).expect("as deep as may be");
        nest("2^", "vector(1)", "", DEPTH_MAX - 1).expect("as deep as may be");
        let filter =
            |n: usize| format!("{{a=\"b\"}} | {}a=1{}", "(".repeat(n), " or b=2)".repeat(n));
        survives(&filter(DEPTH_MAX - 1)).expect("as deep as may be");

        let too_deep = |text: String| {
            let error = parse(&text).expect_err("too deep").to_string();
            assert!(error.contains("query nested too deeply (more than 128 levels)"), "{error}");
        };
        for n in [NESTING_MAX, 400, 5_000] {
            too_deep("(".repeat(n) + "1" + &")".repeat(n));
            too_deep("(".repeat(n));
            too_deep("sum(".repeat(n));
            too_deep("vector(1)+".repeat(n) + "vector(1)");
            too_deep("2^".repeat(n) + "vector(1)");
            too_deep("rate(".to_string() + &"(".repeat(n));
            too_deep(filter(n));
            too_deep(format!("{{a=\"b\"}} | {}a=1", "a=1 or b=2, ".repeat(n)));
            too_deep("label_replace(".repeat(n));
        }
    });
}

#[test]
fn many_regexes() {
    let texts: [fn(usize) -> String; 4] = [
        |n| "{a=\"b\"}".to_string() + &" |~ \"x\" or \"y\"".repeat(n / 2),
        |n| "{a=\"b\"}".to_string() + &" | x=~\"y\"".repeat(n),
        |n| "{a=\"b\"}".to_string() + &" | regexp \"(?P<x>y)\"".repeat(n),
        |n| {
            let sum = "+ label_replace(vector(1),\"\",\"\",\"\",\"\")";
            "1".to_string() + &sum.repeat(n)
        },
    ];
    for text in texts {
        parse(&text(REGEXES_MAX)).expect("as many as may be");
        refused(&text(REGEXES_MAX + 2), ": more than 100 regexes in one query");
    }
}

#[test]
fn trees() {
    let Query::Metric(Metric::Range(range)) =
        parse(r#" rate({a="b"} | json [5m] offset -1m) "#).expect("a query")
    else {
        panic!("not a range aggregation");
    };
    assert_eq!((range.span, range.log.span), (1..37, 6..20));
    assert_eq!((range.window.as_secs(), range.offset_nanos), (300, -60_000_000_000));
    let Query::Log(log) = parse(r#"{a="b"} | x=5KB"#).expect("a query") else {
        panic!("not a log query");
    };
    let Stage::Label(LabelFilter::Bytes { bytes, .. }) = &log.pipeline[0] else {
        panic!("not a size");
    };
    assert_eq!(*bytes, 5000);
}
