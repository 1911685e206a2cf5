//! The functions that templates can call, in one table.

use super::exec::Exec;
use super::value::Value;
use super::{compare, numbers, printf, texts};

/// What a function gives.
pub(super) type Answer<'v> = Result<Value<'v>, String>;

/// A function.
#[derive(Clone, Copy)]
pub(super) struct Function {
    /// Arguments it takes at least.
    pub(super) least: usize,
    /// Arguments it takes at most.
    pub(super) most: usize,
    /// What it does.
    pub(super) call: Call,
}

type Call = for<'v, 'o, 'r, 'e> fn(&'e Exec<'v, 'o, 'r>, Vec<Value<'v>>) -> Answer<'v>;

const ANY: usize = usize::MAX;

fn function(least: usize, most: usize, call: Call) -> Option<Function> {
    Some(Function { least, most, call })
}

/// Finds a function by name.
pub(super) fn find(name: &str) -> Option<Function> {
    match name {
        // Go's own.
        "and" | "or" => function(1, ANY, |_, _| Ok(Value::Nil)),
        "not" => function(1, 1, |_, a| Ok(Value::Bool(!a[0].is_true()))),
        "eq" => function(2, ANY, |_, a| compare::eq(&a)),
        "ne" => function(2, 2, |_, a| compare::ne(&a)),
        "lt" => function(2, 2, |_, a| compare::ordered(&a, "lt")),
        "le" => function(2, 2, |_, a| compare::ordered(&a, "le")),
        "gt" => function(2, 2, |_, a| compare::ordered(&a, "gt")),
        "ge" => function(2, 2, |_, a| compare::ordered(&a, "ge")),
        "len" => function(1, 1, |e, a| compare::len(e, &a[0])),
        "index" => function(1, ANY, compare::index),
        "slice" => function(1, 3, |_, a| compare::slice(&a)),
        "print" => function(0, ANY, |_, a| Ok(printf::print(&a))),
        "println" => function(0, ANY, |_, a| Ok(printf::println(&a))),
        "printf" => function(1, ANY, |_, a| printf::printf(&a)),
        "html" => function(0, ANY, |_, a| Ok(texts::html(&a))),
        "js" => function(0, ANY, |_, a| Ok(texts::js(&a))),
        "urlquery" => function(0, ANY, |_, a| Ok(texts::url_query(&a))),
        "call" => function(1, ANY, |_, _| Ok(Value::Nil)),
        _ => find_text(name).or_else(|| find_number(name)).or_else(|| find_time(name)),
    }
}

fn find_text(name: &str) -> Option<Function> {
    match name {
        "__line__" => function(0, 0, |e, _| Ok(Value::Text(e.row.line().to_owned().into()))),
        "ToLower" | "lower" => function(1, 1, |_, a| texts::map(&a, |s| s.to_lowercase())),
        "ToUpper" | "upper" => function(1, 1, |_, a| texts::map(&a, |s| s.to_uppercase())),
        "title" => function(1, 1, |_, a| texts::map(&a, texts::title)),
        "TrimSpace" | "trim" => function(1, 1, |_, a| texts::map(&a, |s| s.trim().to_owned())),
        "Replace" => function(4, 4, |_, a| texts::replace_n(&a)),
        "replace" => function(3, 3, |_, a| texts::replace(&a)),
        "Trim" => function(2, 2, |_, a| texts::trim_set(&a, 0, 1, true, true)),
        "TrimLeft" => function(2, 2, |_, a| texts::trim_set(&a, 0, 1, true, false)),
        "TrimRight" => function(2, 2, |_, a| texts::trim_set(&a, 0, 1, false, true)),
        "trimAll" => function(2, 2, |_, a| texts::trim_set(&a, 1, 0, true, true)),
        "TrimPrefix" => function(2, 2, |_, a| texts::trim_fix(&a, 0, 1, true)),
        "TrimSuffix" => function(2, 2, |_, a| texts::trim_fix(&a, 0, 1, false)),
        "trimPrefix" => function(2, 2, |_, a| texts::trim_fix(&a, 1, 0, true)),
        "trimSuffix" => function(2, 2, |_, a| texts::trim_fix(&a, 1, 0, false)),
        "contains" => function(2, 2, |_, a| texts::ask(&a, |s, x| s.contains(x))),
        "hasPrefix" => function(2, 2, |_, a| texts::ask(&a, |s, x| s.starts_with(x))),
        "hasSuffix" => function(2, 2, |_, a| texts::ask(&a, |s, x| s.ends_with(x))),
        "regexReplaceAll" => function(3, 3, |_, a| texts::regex_replace(&a, false)),
        "regexReplaceAllLiteral" => function(3, 3, |_, a| texts::regex_replace(&a, true)),
        "count" => function(2, 2, |_, a| texts::regex_count(&a)),
        "urlencode" => function(1, 1, |_, a| texts::map(&a, texts::url_encode)),
        "urldecode" => function(1, 1, |_, a| texts::url_decode(&a)),
        "b64enc" => function(1, 1, |_, a| texts::map(&a, |s| texts::base64(s.as_bytes()))),
        "b64dec" => function(1, 1, |_, a| texts::base64_decode(&a)),
        "alignLeft" => function(2, 2, |_, a| texts::align(&a, true)),
        "alignRight" => function(2, 2, |_, a| texts::align(&a, false)),
        "trunc" => function(2, 2, |_, a| texts::trunc(&a)),
        "substr" => function(3, 3, |_, a| texts::substr(&a)),
        "indent" => function(2, 2, |_, a| texts::indent(&a, false)),
        "nindent" => function(2, 2, |_, a| texts::indent(&a, true)),
        "repeat" => function(2, 2, |_, a| texts::repeat(&a)),
        "fromJson" => function(1, 1, |_, a| texts::from_json(&a)),
        "default" => function(1, 2, |_, mut a| {
            let value = a.pop().expect("there is one");
            // With one argument there is no value to ask, which is as good as an empty one.
            match a.pop() {
                Some(default) if !value.is_true() => Ok(default),
                _ => Ok(value),
            }
        }),
        _ => None,
    }
}

fn find_number(name: &str) -> Option<Function> {
    match name {
        "int" => function(1, 1, |_, a| Ok(Value::Int(numbers::int(&a[0])))),
        "float64" => function(1, 1, |_, a| Ok(Value::Float(numbers::float(&a[0])))),
        "add" => function(0, ANY, |_, a| Ok(numbers::fold(&a, i64::wrapping_add, 0))),
        "mul" => function(1, ANY, |_, a| Ok(numbers::fold(&a, i64::wrapping_mul, 1))),
        "sub" => function(2, 2, |_, a| numbers::pair(&a, |x, y| Ok(x.wrapping_sub(y)))),
        "div" => function(2, 2, |_, a| {
            numbers::pair(&a, |x, y| x.checked_div(y).ok_or_else(numbers::zero_division))
        }),
        "mod" => function(2, 2, |_, a| {
            numbers::pair(&a, |x, y| x.checked_rem(y).ok_or_else(numbers::zero_division))
        }),
        "max" => function(1, ANY, |_, a| Ok(numbers::fold_first(&a, i64::max))),
        "min" => function(1, ANY, |_, a| Ok(numbers::fold_first(&a, i64::min))),
        "addf" => function(0, ANY, |_, a| numbers::decimal(&a, '+')),
        "subf" => function(1, ANY, |_, a| numbers::decimal(&a, '-')),
        "mulf" => function(1, ANY, |_, a| numbers::decimal(&a, '*')),
        "divf" => function(1, ANY, |_, a| numbers::decimal(&a, '/')),
        "maxf" => function(1, ANY, |_, a| Ok(numbers::fold_float(&a, f64::max))),
        "minf" => function(1, ANY, |_, a| Ok(numbers::fold_float(&a, f64::min))),
        "ceil" => function(1, 1, |_, a| Ok(Value::Float(numbers::float(&a[0]).ceil()))),
        "floor" => function(1, 1, |_, a| Ok(Value::Float(numbers::float(&a[0]).floor()))),
        "round" => function(2, 3, |_, a| Ok(numbers::round(&a))),
        "bytes" => function(1, 1, |_, a| {
            let bytes = crate::logql::bytes::parse(&texts::text(&a[0])?)?;
            Ok(Value::Float(bytes as f64))
        }),
        "duration" | "duration_seconds" => function(1, 1, |_, a| {
            let nanos = crate::logql::duration::parse_go(&texts::text(&a[0])?)?;
            Ok(Value::Float(crate::logql::stage::unwrap::seconds(nanos)))
        }),
        _ => None,
    }
}

fn find_time(name: &str) -> Option<Function> {
    use super::time::Time;
    match name {
        "now" => function(0, 0, |e, _| Ok(Value::Time(Time::utc(e.now.into())))),
        "__timestamp__" => {
            function(0, 0, |e, _| Ok(Value::Time(Time::utc(e.row.timestamp.into()))))
        }
        "unixEpoch" => function(1, 1, |_, a| numbers::epoch(&a, 1_000_000_000)),
        "unixEpochMillis" => function(1, 1, |_, a| numbers::epoch(&a, 1_000_000)),
        "unixEpochNanos" => function(1, 1, |_, a| numbers::epoch(&a, 1)),
        "toDate" => function(2, 2, |_, a| numbers::to_date(&a[0], None, &a[1])),
        "toDateInZone" => function(3, 3, |_, a| numbers::to_date(&a[0], Some(&a[1]), &a[2])),
        "date" => function(2, 2, |e, a| numbers::date(e.now, &a)),
        "unixToTime" => function(1, 1, |_, a| numbers::unix_to_time(&a)),
        _ => None,
    }
}
