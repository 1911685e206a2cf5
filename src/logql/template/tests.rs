//! What templates write, and what they say when they cannot.

use super::*;
use crate::logql::row::{Category, Row, reserved_names};
use crate::model::Labels;

const LINE: &str = r#"{"user":{"name":"ann","roles":["dev","ops"]},"n":3}"#;

fn render(template: &str) -> Result<String, String> {
    let stream = Labels::from_pairs([("app", "web"), ("msg", "hello world"), ("status", "404")]);
    let stream = stream.expect("unique");
    let mut names = reserved_names();
    let template = match Template::compile(&mut names, "line", template) {
        Ok(template) => template,
        Err(error) => return Err(format!("{error:?}")),
    };
    let mut row = Row::new(names, &stream);
    row.start(1_679_577_215_123_000_000, LINE);
    let odd = row.names.intern("odd-name");
    let span = row.make("odd");
    row.set(Category::Parsed, odd, span);
    let mut out = String::new();
    template.render(&row, 0, &mut out).map(|()| out)
}

fn check(template: &str, expected: &str) {
    assert_eq!(render(template).as_deref(), Ok(expected), "{template}");
}

fn check_error(template: &str, expected: &str) {
    assert_eq!(render(template), Err(expected.to_owned()), "{template}");
}

#[test]
fn actions() {
    check("plain", "plain");
    check("{{.app}}-{{ .nope }}-{{ .status | int }}", "web--404");
    check("{{ index . \"odd-name\" }}", "odd");
    check("a {{- \" b \" -}} c", "a b c");
    check("{{/* comment */}}x{{- /* y */ -}} z", "xz");
    check("{{ if eq .app \"web\" }}yes{{ else }}no{{ end }}", "yes");
    check("{{ if .nope }}a{{ else if .app }}b{{ else }}c{{ end }}", "b");
    check(
        "{{ with .nope }}{{ . }}{{ else }}none{{ end }}{{ with .app }}={{ . }}{{ end }}",
        "none=web",
    );
    check("{{ $x := 1 }}{{ $x = add $x 1 }}{{ $x }}", "2");
    check("{{ $j := fromJson __line__ }}{{ $j.user.name }}:{{ index $j.user.roles 0 }}", "ann:dev");
    check(
        "{{ range $i, $r := (fromJson __line__).user.roles }}{{ $i }}={{ $r }};{{ end }}",
        "0=dev;1=ops;",
    );
    check(
        "{{ range (fromJson __line__).user.roles }}{{ if eq . \"ops\" }}{{ break }}{{ end }}{{ . }}{{ end }}",
        "dev",
    );
    check("{{ range (fromJson \"x\") }}x{{ else }}y{{ end }}", "y");
    check("{{ range 3 }}{{ . }}{{ end }}", "012");
    check("{{ range $k, $v := fromJson __line__ }}{{ $k }} {{ end }}", "n user ");
    check("{{ (fromJson \"x\") }}|{{ .app | printf \"%s-%s\" .status }}", "<no value>|404-web");
    check("{{ and .app .nope .status }}|{{ or .nope .app }}|{{ not .nope }}", "|web|true");
}

#[test]
fn text_functions() {
    check("{{ .msg | ToUpper }} {{ title .msg }}", "HELLO WORLD Hello World");
    check(
        "{{ Replace .msg \"l\" \"L\" 2 }} {{ .msg | replace \"o\" \"0\" }}",
        "heLLo world hell0 w0rld",
    );
    check(
        "[{{ Trim \"xax\" \"x\" }}][{{ trimAll \"x\" \"xax\" }}][{{ TrimLeft \"xax\" \"x\" }}]",
        "[a][a][ax]",
    );
    check("{{ TrimPrefix .msg \"hello \" }} {{ trimSuffix \"world\" .msg }}", "world hello ");
    check("{{ regexReplaceAll \"(h)(e)\" .msg \"$2$1\" }} {{ count \"l\" .msg }}", "ehllo world 3");
    check("{{ regexReplaceAllLiteral \"o\" .msg \"$1\" }}", "hell$1 w$1rld");
    check("{{ urlencode \"a b/c\" }} {{ urldecode \"a+b%2Fc\" }}", "a+b%2Fc a b/c");
    check(
        "{{ b64enc .msg }} {{ b64enc .msg | b64dec }} {{ b64enc \"a\" }}",
        "aGVsbG8gd29ybGQ= hello world YQ==",
    );
    check(
        "[{{ alignLeft 8 .app }}][{{ alignRight 8 .app }}][{{ alignLeft 2 .app }}][{{ alignRight 2 .app }}]",
        "[web     ][     web][we][eb]",
    );
    check(
        "{{ trunc 5 .msg }} {{ trunc -3 .msg }} {{ substr 1 4 .msg }} {{ substr -1 -1 .app }}",
        "hello rld ell web",
    );
    check(
        "{{ contains \"lo w\" .msg }} {{ hasPrefix \"hel\" .msg }} {{ hasSuffix \"x\" .msg }}",
        "true true false",
    );
    check("{{ indent 2 .app }}{{ nindent 1 .app }} {{ repeat 3 \"ab\" }}", "  web\n web ababab");
    check("{{ default \"d\" .nope }} {{ .app | default \"d\" }}", "d web");
    check(
        "{{ html \"<a>\" }} {{ js \"a'b\" }} {{ urlquery \"a b\" }} {{ print 1 \"x\" 2 3 }}",
        "&lt;a&gt; a\\'b a+b 1x2 3",
    );
    check("{{ len .app }} {{ index .app 0 }} {{ slice .msg 0 4 }}", "3 119 hell");
}

#[test]
fn numbers_and_times() {
    check(
        "{{ int \"abc\" }} {{ float64 \"1.5\" }} {{ add 1 2 3 }} {{ sub .status 100 }} {{ div 7 2 }} {{ mod 7 4 }}",
        "0 1.5 6 304 3 3",
    );
    check(
        "{{ addf 0.1 0.2 }} {{ subf 5.5 1.2 }} {{ mulf 1.5 .status }} {{ divf 7 2 }}",
        "0.3 4.3 606 3.5",
    );
    check(
        "{{ max 1 .status 3 }} {{ min 2 1 }} {{ maxf 1.5 2.5 }} {{ ceil 1.2 }} {{ floor 1.8 }}",
        "404 1 2.5 2 1",
    );
    check("{{ round 44.646 1 }} {{ round 2.5 0 }} {{ round 1.29 1 0.95 }}", "44.6 3 1.2");
    check("{{ bytes \"1KB\" }} {{ bytes \"2MB\" }} {{ duration \"1m30.5s\" }}", "1000 2e+06 90.5");
    check(
        "{{ lt 1 2 }} {{ ge 2 2 }} {{ eq \"a\" \"b\" \"a\" }} {{ ne 1 2 }}",
        "true true true true",
    );
    check(
        "{{ __timestamp__ | unixEpoch }} {{ __timestamp__ | unixEpochMillis }}",
        "1679577215 1679577215123",
    );
    check(
        "{{ __timestamp__ | date \"2006-01-02T15:04:05.00Z-07:00\" }}",
        "2023-03-23T13:13:35.12Z+00:00",
    );
    check(
        "{{ unixToTime \"19503\" | date \"2006-01-02\" }} {{ (unixToTime \"1679577215\").Year }}",
        "2023-05-26 2023",
    );
    check(
        "{{ $t := toDateInZone \"2006-01-02 15:04\" \"Europe/Berlin\" \"2023-07-01 12:00\" }}\
         {{ $t.Unix }} {{ $t }} {{ date \"15:04 MST\" $t }} {{ $t.Format \"15:04 MST\" }}",
        "1688205600 2023-07-01 12:00:00 +0200 CEST 10:00 UTC 12:00 CEST",
    );
    check("{{ (toDateInZone \"2006-01-02\" \"No/Where\" \"2023-03-23\").Unix }}", "1679529600");
    check(
        "{{ (toDate \"2006-01-02\" \"2023-03-23\").Unix }} {{ __timestamp__.Format \"15:04\" }}",
        "1679529600 13:13",
    );
    check(
        "{{ printf \"%05d|%-4s|%.2f|%q|%x|%v|%t|%5.1f\" 42 \"a\" 1.5 \"q\" 255 1e6 true 2.25 }}",
        "00042|a   |1.50|\"q\"|ff|1e+06|true|  2.2",
    );
}

#[test]
fn errors_at_run_time() {
    check_error(
        "{{ duration \"bogus\" }}",
        "template: line:1:3: executing \"line\" at <duration \"bogus\">: error calling duration: \
         time: invalid duration \"bogus\"",
    );
    check_error(
        "a\n{{ gt .status 100 }}",
        "template: line:2:3: executing \"line\" at <gt .status 100>: error calling gt: \
         incompatible types for comparison",
    );
    check_error(
        "{{ .app.b }}",
        "template: line:1:3: executing \"line\" at <.app.b>: can't evaluate field b in type string",
    );
    check_error(
        "{{ div 1 0 }}",
        "template: line:1:3: executing \"line\" at <div 1 0>: error calling div: runtime error: \
         integer divide by zero",
    );
    check_error("{{ range 100000000 }}xxxxxxxxxx{{ end }}", "template output is too long");
}

#[test]
fn errors_when_compiled() {
    let invalid = |text: &str| format!("Error({text:?})");
    check_error("{{.x", &invalid("template: line:1: unclosed action"));
    check_error("{{ nofunc .x }}", &invalid("template: line:1: function \"nofunc\" not defined"));
    check_error("{{ if .x }}", &invalid("template: line:1: unexpected EOF"));
    check_error("{{ end }}", &invalid("template: line:1: unexpected {{end}}"));
    check_error("{{ $x }}", &invalid("template: line:1: undefined variable \"$x\""));
    check_error("{{ \"a }}", &invalid("template: line:1: unterminated quoted string"));
    check_error("{{ define \"x\" }}", &invalid("template: line:1: unexpected EOF"));
    check_error(
        "{{ define x }}{{ end }}",
        &invalid("template: line:1: unexpected <x> in define clause"),
    );
    check_error(
        "{{ if .x }}{{ define \"x\" }}{{ end }}{{ end }}",
        &invalid("template: line:1: unexpected <define> in command"),
    );
    check_error(
        "{{ define \"x\" }}a{{ end }}{{ define \"x\" }}b{{ end }}",
        &invalid("template: line:1: template: multiple definition of template \"x\""),
    );
    check_error(
        "{{ block \"x\" }}{{ end }}",
        &invalid("template: line:1: missing value for block clause"),
    );
    check_error(
        "{{ $x := 1 }}{{ define \"x\" }}{{ $x }}{{ end }}",
        &invalid("template: line:1: undefined variable \"$x\""),
    );
}

#[test]
fn templates_in_templates() {
    check(
        "{{ define \"x\" }}<{{ . }}>{{ end }}{{ template \"x\" .app }}{{ template \"x\" .msg }}",
        "<web><hello world>",
    );
    check("{{ template \"x\" . }}{{ define \"x\" }}{{ .app }}{{ $.status }}{{ end }}", "web404");
    check("a{{ block \"x\" .app }}[{{ . }}]{{ end }}b{{ template \"x\" 7 }}", "a[web]b[7]");
    check("{{ define \"x\" }}{{ . }}{{ end }}{{ template \"x\" }}", "<no value>");
    check(
        "{{ define \"x\" }} {{ end }}{{ define \"x\" }}y{{ end }}{{ define \"x\" }}{{ end }}{{ template \"x\" }}",
        "y",
    );
    check("{{ range 2 }}{{ block \"x\" . }}{{ . }};{{ end }}{{ end }}", "0;1;");
    check(
        "{{ define \"down\" }}{{ . }}{{ if . }} {{ template \"down\" (sub . 1) }}{{ end }}{{ end }}\
         {{ template \"down\" 3 }}",
        "3 2 1 0",
    );
    check_error(
        "{{ template \"x\" . }}",
        "template: line:1:3: executing \"line\" at <{{template \"x\"}}>: template \"x\" not defined",
    );
    check_error(
        "{{ define \"x\" }}{{ div 1 0 }}{{ end }}{{ template \"x\" }}",
        "template: line:1:19: executing \"x\" at <div 1 0>: error calling div: runtime error: \
         integer divide by zero",
    );
    check_error(
        "{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}",
        "exceeded maximum template depth (150)",
    );
    // Twice as many at each level: it is the number of steps that ends it.
    check_error(
        "{{ define \"x\" }}{{ if . }}{{ template \"x\" (sub . 1) }}{{ template \"x\" (sub . 1) }}{{ end }}{{ end }}\
         {{ template \"x\" 40 }}",
        "template takes too many steps",
    );
    check_error(
        "{{ call .app 1 }}",
        "template: line:1:3: executing \"line\" at <call .app 1>: error calling call: \
         non-function .app of type string",
    );
    check_error(
        "{{ call nil }}",
        "template: line:1:3: executing \"line\" at <call nil>: error calling call: call of nil",
    );
}

proptest::proptest! {
    #[test]
    fn never_panics(template in r#"(\{\{|\}\}|[-a-z.$ |()=:"'`\\0-9%]|if |end|end|range |define "a"|template "a"|block "a" |\.app|add |printf ){0,16}"#) {
        let _ = render(&template);
    }
}
