//! Tables for the lexer.

use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: &[Token<'_>]) {
    let tokens: Vec<_> = lex(text).into_iter().map(|lexeme| lexeme.token).collect();
    assert_eq!(tokens, expected, "{text}");
}

fn string(text: &str) -> Token<'_> {
    Token::String(text.into())
}

fn bad(message: &str) -> Token<'_> {
    Token::Bad(message.into())
}

use Token::{Bytes, Duration, End, Fixed, Flag, Identifier, Number, Range, Stray};

#[test]
fn words_are_keywords_where_they_can_be() {
    check("rate", &[Identifier("rate"), End]);
    check("RATE (", &[Fixed("rate"), Fixed("("), End]);
    check("sum by (a)", &[Fixed("sum"), Fixed("by"), Fixed("("), Identifier("a"), Fixed(")"), End]);
    check("sum by a", &[Identifier("sum"), Fixed("by"), Identifier("a"), End]);
    check("sum bytes(", &[Identifier("sum"), Fixed("bytes"), Fixed("("), End]);
    check("sum /* x */ (", &[Fixed("sum"), Fixed("("), End]);
    check("Sum Without(", &[Fixed("sum"), Fixed("without"), Fixed("("), End]);
    check("OR Json", &[Fixed("or"), Fixed("json"), End]);
    check("caf\u{e9} _x1", &[Identifier("caf\u{e9}"), Identifier("_x1"), End]);
    check("a.b", &[Identifier("a"), Fixed("."), Identifier("b"), End]);
    check("a\u{a0}b", &[Identifier("a"), Stray('\u{a0}'), Identifier("b"), End]);
}

#[test]
fn comments_and_blanks() {
    check("\u{feff}a # b \"\n// c\n/* d\n */ e", &[Identifier("a"), Identifier("e"), End]);
    check("# only", &[End]);
    check("\"#\"", &[string("#"), End]);
    check("a /* b", &[Identifier("a"), bad("comment not terminated")]);
    check("a\0b", &[Identifier("a"), bad("invalid character NUL")]);
    check("\"a\0b\"", &[bad("invalid character NUL")]);
}

#[test]
fn strings() {
    check(r#""a\n\x41\u00e9\U0001F600\101\"\\""#, &[string("a\nA\u{e9}\u{1f600}A\"\\"), End]);
    check("`a\\d\n\"`", &[string("a\\d\n\""), End]);
    check(r#""\xc3\xa9""#, &[string("\u{e9}"), End]);
    check(r#""\xff""#, &[bad("invalid UTF-8 rune")]);
    check(r#""\d""#, &[bad("invalid char escape")]);
    check(r#""\'""#, &[bad("invalid char escape")]);
    check(r#""\x4""#, &[bad("invalid char escape")]);
    check(r#""\u00e""#, &[bad("invalid char escape")]);
    check(r#""\400""#, &[bad("invalid syntax")]);
    check(r#""\ud800""#, &[bad("invalid syntax")]);
    check("\"a\nb\"", &[bad("literal not terminated")]);
    check("\"a", &[bad("literal not terminated")]);
    check("\"a\\", &[bad("literal not terminated")]);
    check("`a", &[bad("literal not terminated")]);
    check("'a'", &[Stray('\''), End]);
    check("'ab'", &[bad("invalid char literal")]);
}

#[test]
fn numbers_durations_sizes() {
    const S: i64 = 1_000_000_000;
    check(
        "5 .5 1e3 1_000 0x10",
        &[Number("5"), Number(".5"), Number("1e3"), Number("1_000"), Number("0x10"), End],
    );
    check(
        "5m 1.5h 1d12h 3\u{b5}s",
        &[Duration(300 * S), Duration(5400 * S), Duration(129_600 * S), Duration(3000), End],
    );
    check("-5s -1.5h", &[Duration(-5 * S), Duration(-5400 * S), End]);
    check("1d1.5h", &[Number("1"), Identifier("d1"), Duration(1800 * S), End]);
    check(
        "-5 -0 - 5s",
        &[Fixed("-"), Number("5"), Fixed("-"), Number("0"), Fixed("-"), Duration(5 * S), End],
    );
    check(
        "5KB 5KiB 5B 0B 1.5M",
        &[Bytes(5000), Bytes(5120), Bytes(5), Bytes(0), Bytes(1_500_000), End],
    );
    check("5 KB 5kb", &[Number("5"), Identifier("KB"), Bytes(5000), Identifier("b"), End]);
    check("1EB", &[bad("exponent has no digits")]);
    check("1e+", &[bad("exponent has no digits")]);
    check("5x", &[Number("5"), Identifier("x"), End]);
}

#[test]
fn ranges_flags_operators() {
    check("[5m]", &[Range(300_000_000_000), End]);
    check("[0s]", &[Range(0), End]);
    check("[1.5h]", &[bad(r#"unknown unit "." in duration "1.5h""#)]);
    check("[ 5m]", &[bad(r#"not a valid duration string: " 5m""#)]);
    check("[5m", &[bad("missing closing ']' in duration")]);
    check("--strict --keep-empty", &[Flag("--strict"), Flag("--keep-empty"), End]);
    check("--stricter", &[Fixed("-"), Fixed("-"), Identifier("stricter"), End]);
    check("--strict-", &[Fixed("-"), Fixed("-"), Identifier("strict"), Fixed("-"), End]);
    check("|==~!=!", &[Fixed("|="), Fixed("=~"), Fixed("!="), Stray('!'), End]);
    check("a>=-1", &[Identifier("a"), Fixed(">="), Fixed("-"), Number("1"), End]);
    check("<<=", &[Fixed("<"), Fixed("<="), End]);
}

#[test]
fn positions() {
    assert_eq!(position("ab", 2), (1, 3));
    assert_eq!(position("\u{e9}a\n\u{e9}b", 6), (2, 2));
    assert_eq!(position("a\n", 2), (2, 1));
}

#[test]
fn texts_of_beginnings_are_read_once() {
    // Each of these would be quadratic if a failed attempt read to the end: 10^9 steps.
    for text in ["5.", ".5", "5m", "-", "--s", "sum ", "0x", "'a'", "1_", "sum by "] {
        lex(&text.repeat(32_768 / text.len()));
    }
}

proptest! {
    #[test]
    fn spans_are_in_order(text in "\\PC{0,40}|[-\"`'\\[\\]{}()|=~!><#/*a-z0-9. \\\\\0\n]{0,60}") {
        let mut end = 0;
        for Lexeme { token, span } in lex(&text) {
            prop_assert!(end <= span.start && span.start <= span.end && span.end <= text.len());
            prop_assert!(text.get(span.clone()).is_some(), "{token:?} cuts a character");
            end = span.end;
        }
    }
}
