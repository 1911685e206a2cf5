//! The level that a line declares: the part of ingest that looks at every byte of every line.
//!
//! In: a line. Out: its [`Level`], `Unknown` where it says none. A JSON line is asked for a
//! level-named field, any other line with a `=` for a logfmt pair; where that names no known
//! level, the first keyword that stands alone decides. No allocation, no recursion.

use memchr::memchr2;

use super::detect::{LevelFields, normal};
use crate::model::Level;

/// Deepest nesting that is looked into where the limit is 0, "without bound".
const JSON_DEPTH_MAX: usize = 128;
/// The level of a line; `json_depth` is how deep JSON is searched, 0 without bound.
pub(super) fn level_of(line: &[u8], json_depth: usize, fields: &LevelFields<'_>) -> Level {
    let declared = match line.trim_ascii() {
        json @ [b'{', .., b'}'] => json_value(json, json_depth, fields),
        _ => logfmt_value(line, fields),
    };
    let declared = declared.and_then(normal).filter(|level| *level != Level::Unknown);
    declared.or_else(|| keyword(line)).unwrap_or(Level::Unknown)
}

/// The first string with a level's name, in the order of the text. Text that is not JSON ends the
/// search at the point where that shows.
fn json_value<'l>(text: &'l [u8], depth_max: usize, fields: &LevelFields<'_>) -> Option<&'l [u8]> {
    let depth_max = if depth_max == 0 { JSON_DEPTH_MAX } else { depth_max };
    let (mut at, mut depth) = (1, 1);
    loop {
        at = space(text, at);
        if text.get(at) == Some(&b'"') {
            let key = string(text, at)?;
            at = space(text, at + key.len() + 2);
            if text.get(at) != Some(&b':') {
                return None;
            }
            at = space(text, at + 1);
            match text.get(at)? {
                b'"' => {
                    let value = string(text, at)?;
                    if fields.names.iter().any(|name| name.as_bytes() == key) {
                        return Some(value);
                    }
                    at += value.len() + 2;
                }
                b'{' if depth < depth_max => {
                    (at, depth) = (at + 1, depth + 1);
                    continue;
                }
                b'{' | b'[' => at = brackets(text, at)?,
                _ => at += text[at..].iter().position(|b| matches!(b, b',' | b'}' | b']'))?,
            }
            at = space(text, at);
        }
        // After a member, or at the end of an object.
        while text.get(at) == Some(&b'}') {
            (at, depth) = (space(text, at + 1), depth - 1);
            if depth == 0 {
                return None;
            }
        }
        if text.get(at) != Some(&b',') {
            return None;
        }
        at += 1;
    }
}

fn space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// What is between the quote at `at` and the one that closes it.
fn string(text: &[u8], at: usize) -> Option<&[u8]> {
    let start = at + 1;
    let mut at = start;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(&text[start..at]);
        }
        at += 2;
    }
}

/// The position after the bracket that closes the one at `at`.
fn brackets(text: &[u8], mut at: usize) -> Option<usize> {
    let mut open = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => at += string(text, at)?.len() + 1,
            b'{' | b'[' => open += 1,
            b'}' | b']' => open -= 1,
            _ => {}
        }
        at += 1;
        if open == 0 {
            return Some(at);
        }
    }
}

/// The value of the best level key. The search ends where the text stops being logfmt.
fn logfmt_value<'l>(line: &'l [u8], fields: &LevelFields<'_>) -> Option<&'l [u8]> {
    let mut best: Option<(usize, &[u8])> = None;
    let mut at = 0;
    while let Some(found) = memchr2(b'=', b'"', &line[at..]) {
        let equal = at + found;
        let before = &line[at..equal];
        let key = before.rsplit(|byte| *byte <= b' ').next().unwrap_or(before);
        if line[equal] == b'"' || key.is_empty() {
            break;
        }
        let Some((value, end)) = logfmt_text(line, equal + 1) else { break };
        let is_key = |name: &&str| name.as_bytes().eq_ignore_ascii_case(key);
        let rank = fields.keys.iter().position(is_key);
        if let Some(rank) = rank
            && best.is_none_or(|(rank_best, _)| rank < rank_best)
        {
            best = Some((rank, value));
            if rank == 0 {
                break;
            }
        }
        at = end;
    }
    best.map(|(_, value)| value)
}

/// The value that starts at `at`, and where to go on.
fn logfmt_text(line: &[u8], at: usize) -> Option<(&[u8], usize)> {
    if line.get(at) == Some(&b'"') {
        let value = string(line, at)?;
        return Some((value, at + value.len() + 2));
    }
    let rest = &line[at..];
    let stop = |byte: &u8| *byte <= b' ' || matches!(byte, b'=' | b'"');
    let end = rest.iter().position(stop).unwrap_or(rest.len());
    let ends_well = rest.get(end).is_none_or(|byte| *byte <= b' ');
    ends_well.then_some((&rest[..end], at + end))
}

/// Bits of [`CLASS`]: the byte may stand before a keyword, after one, or be its first letter.
const LEFT: u8 = 1;
const RIGHT: u8 = 2;
const FIRST: u8 = 4;

static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let (left, right, first) = (b" \t\n[({\"'=|", b"]):},!", b"tdfcewiTDFCEWI");
    let mut i = 0;
    while i < left.len() {
        classes[left[i] as usize] |= LEFT | RIGHT;
        i += 1;
    }
    i = 0;
    while i < right.len() {
        classes[right[i] as usize] |= RIGHT;
        i += 1;
    }
    i = 0;
    while i < first.len() {
        classes[first[i] as usize] |= FIRST;
        i += 1;
    }
    classes
}

/// Places that are looked at in one go.
const STRIDE: usize = 32;
/// How the keywords begin, in lower case.
const BEGINNINGS: [[u8; 2]; 7] = [*b"in", *b"er", *b"wa", *b"de", *b"tr", *b"fa", *b"cr"];
/// Bytes of the shortest keyword.
const KEYWORD_BYTES_MIN: usize = 3;

/// The level of the first keyword that stands alone.
fn keyword(line: &[u8]) -> Option<Level> {
    let may_begin = line.first().is_some_and(|byte| CLASS[usize::from(*byte)] & FIRST != 0);
    if let Some(level) = may_begin.then(|| keyword_here(line)).flatten() {
        return Some(level);
    }
    let mut start = 0;
    while start + KEYWORD_BYTES_MIN < line.len() {
        let rest = &line[start..];
        let mut found = match rest.first_chunk() {
            Some(bytes) => places(bytes),
            None => {
                let mut bytes = [0; STRIDE + 2];
                bytes[..rest.len()].copy_from_slice(rest);
                places(&bytes)
            }
        };
        while found != 0 {
            let before = start + found.trailing_zeros() as usize;
            if CLASS[usize::from(line[before])] & LEFT != 0
                && let Some(level) = keyword_here(&line[before + 1..])
            {
                return Some(level);
            }
            found &= found - 1;
        }
        start += STRIDE;
    }
    None
}

/// The places after which a keyword may begin, as bits, with few others among them. Plain loops
/// over arrays of bytes: they become vector instructions.
#[inline(always)]
fn places(bytes: &[u8; STRIDE + 2]) -> u32 {
    // Each of the beginnings has a sum of its own.
    const fn sum(a: u8, b: u8) -> u8 {
        a.wrapping_mul(3).wrapping_add(b)
    }
    let mut marks = [0_u8; STRIDE];
    for (at, mark) in marks.iter_mut().enumerate() {
        let [before, a, b] = [bytes[at], bytes[at + 1] | 0x20, bytes[at + 2] | 0x20];
        let left = (before <= b'(') | (before == b'=') | (before | 0x20 == b'{') | (before == b'|');
        let begins = BEGINNINGS.iter().fold(false, |any, [c, d]| any | (sum(a, b) == sum(*c, *d)));
        *mark = u8::from(left & begins);
    }
    marks.as_chunks::<8>().0.iter().rev().fold(0, |bits, eight| {
        // Eight bytes of 0 or 1 become eight bits.
        bits << 8 | (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
    })
}

/// The level of the keyword at the start, where it ends there too.
fn keyword_here(text: &[u8]) -> Option<Level> {
    let candidates: &[(&str, Level)] = match text[0] | 0x20 {
        b'i' => &[("info", Level::Info)],
        b'e' => &[("error", Level::Error), ("err", Level::Error)],
        b'w' => &[("warn", Level::Warn), ("warning", Level::Warn)],
        b'd' => &[("debug", Level::Debug)],
        b't' => &[("trace", Level::Trace)],
        b'f' => &[("fatal", Level::Fatal)],
        _ => &[("critical", Level::Critical)],
    };
    let stands = |word: &str| {
        text.len() >= word.len()
            && text[..word.len()].eq_ignore_ascii_case(word.as_bytes())
            && text.get(word.len()).is_none_or(|byte| CLASS[usize::from(*byte)] & RIGHT != 0)
    };
    candidates.iter().find(|(word, _)| stands(word)).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::limits::Limits;

    #[test]
    fn fields_of_a_tenants_own() {
        let names = ["Sev", "prio", "sev"].map(String::from);
        let fields = LevelFields::new(&names);
        assert_eq!(fields.keys, ["Sev", "prio"]);
        let check = |line: &str, expected: Level| {
            assert_eq!(level_of(line.as_bytes(), 2, &fields), expected, "{line}");
        };
        check("prio=warn SEV=dbg level=error", Level::Debug);
        check(r#"{"level":"dbg","prio":"wrn"}"#, Level::Warn);
        check(r#"{"SEV":"dbg"}"#, Level::Unknown);
        check("level=dbg", Level::Unknown);
    }

    /// The rule for keywords as the specification words it.
    fn keyword_naive(line: &[u8]) -> Option<Level> {
        const WORDS: [&str; 9] =
            ["trace", "debug", "fatal", "critical", "error", "err", "warning", "warn", "info"];
        let left = |at: usize| at == 0 || b" \t\n[({\"'=|".contains(&line[at - 1]);
        let right = |at: usize| at == line.len() || b" \t\n[({\"'=|]):},!".contains(&line[at]);
        (0..line.len()).filter(|at| left(*at)).find_map(|at| {
            let stands = |word: &&str| {
                let end = at + word.len();
                end <= line.len()
                    && line[at..end].eq_ignore_ascii_case(word.as_bytes())
                    && right(end)
            };
            normal(WORDS.iter().find(|word| stands(word))?.as_bytes())
        })
    }

    #[test]
    fn lines() {
        let check = |line: &str, expected: Level| {
            let names = Limits::default().log_level_fields;
            let fields = LevelFields::new(&names);
            assert_eq!(level_of(line.as_bytes(), 2, &fields), expected, "{line}");
        };
        check(r#"{"level":"DBG","msg":"error"}"#, Level::Debug);
        check(r#"{"a":{"level":"warn"}}"#, Level::Warn);
        check(r#"{"a":{"b":{"level":"warn"}}}"#, Level::Warn); // as a keyword
        check(r#"{"a":{"b":{"level":"wrn"}}}"#, Level::Unknown);
        check(r#"{"msg":"an error here"}"#, Level::Error);
        check(r#"{"level":"notice","msg":"ok"}"#, Level::Unknown);
        check(r#"{"level":30}"#, Level::Unknown);
        check(r#"{"level":30,"lvl":"inf"}"#, Level::Info);
        check(r#"  {"x":[1,{"level":"dbg"},"]"], "y" : null , "lvl" : "trc"}  "#, Level::Trace);
        check(r#"{"msg":"a \"level\":\"err\" b","severity":"dbg"}"#, Level::Debug);
        check(r#"{"a":{},"b":{"c":1},"level":"trc"}"#, Level::Trace);
        check(r#"{"level":"dbg""#, Level::Unknown);
        check(r#"{not json, lvl=dbg}"#, Level::Unknown);
        check("{}", Level::Unknown);
        check(r#"ts=1 lvl=Information msg="error""#, Level::Info);
        check("severity=warn level=error", Level::Error);
        check("severity=warn lvl=trc", Level::Warn);
        check("LEVEL=dbg", Level::Debug);
        check(r#"msg="level=trc" level=dbg"#, Level::Debug);
        check(r#"msg="x level=trc"#, Level::Unknown);
        check("a==b level=dbg", Level::Unknown);
        check("level=odd an error", Level::Error);
        check("level= error", Level::Error);
        check("level=", Level::Unknown);
        check("a=b some warn text", Level::Warn);
        check("2024 [ERROR] info", Level::Error);
        check("terrors misc:error WARNING: x", Level::Warn);
        check("critical failure", Level::Critical);
        check("FATAL!", Level::Fatal);
        check("error.code 5", Level::Unknown);
        check("err: x", Level::Error);
        check("", Level::Unknown);
        check("éinfo (info)", Level::Info);
    }

    proptest! {
        #[test]
        fn keywords_as_the_naive_twin(
            line in r#"([ \t\[({"'=|\]):},!.x]|info|Warn|warning|ERR|error|fatal|debug|trace|critical){0,12}"#,
            before in 0..STRIDE * 3
        ) {
            prop_assert_eq!(keyword(line.as_bytes()), keyword_naive(line.as_bytes()));
            // Wherever it stands in what is looked at in one go.
            let moved = ".".repeat(before) + &line;
            prop_assert_eq!(keyword(moved.as_bytes()), keyword_naive(moved.as_bytes()));
        }

        #[test]
        fn any_bytes_have_a_level(
            line in r#"[{}\[\]",:\\= a-c1-2é]{0,40}"#, depth in 0_usize..4
        ) {
            let names = Limits::default().log_level_fields;
            let fields = LevelFields::new(&names);
            let level = level_of(line.as_bytes(), depth, &fields);
            prop_assert!(Level::ALL.contains(&level));
            let braced = format!("{{{line}}}");
            prop_assert!(Level::ALL.contains(&level_of(braced.as_bytes(), depth, &fields)));
        }

        #[test]
        fn json_as_a_parser_finds_it(
            pairs in proptest::collection::vec(("[a-z\\\\\"]{1,6}|level|lvl", ".{0,8}|wrn|dbg"), 0..6)
        ) {
            let quote = |text: &str| serde_json::to_string(text).expect("a string");
            let members: Vec<String> =
                pairs.iter().map(|(key, value)| format!("{}:{}", quote(key), quote(value))).collect();
            let text = format!("{{{}}}", members.join(", "));
            let names = Limits::default().log_level_fields;
            let fields = LevelFields::new(&names);
            let expected = pairs.iter().find(|(key, _)| names.contains(key));
            let expected = expected.map(|(_, value)| quote(value));
            let found = json_value(text.as_bytes(), 1, &fields)
                .map(|value| format!("\"{}\"", String::from_utf8_lossy(value)));
            prop_assert_eq!(found, expected);
        }
    }
}
