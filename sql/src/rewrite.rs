//! Rewrites of a parsed statement where DataFusion reads something else than Postgres does.
//!
//! In goes the tree of one statement; out comes a tree that means to DataFusion what the text means
//! to Postgres, or an error where that cannot be had. Nothing is left to be ignored: an answer that
//! looks right and is not is worse than none.

use std::ops::ControlFlow;

use sqlparser::ast::{
    self, BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    Query, Statement, TableFactor, UnaryOperator, Value, VisitMut, VisitorMut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use crate::catalog;
use crate::collected;
use crate::error::SqlError;
use crate::from_functions;
use crate::interval;
use crate::json_build;
use crate::ordinals;
use crate::time::chrono_pattern;
use crate::type_of;

/// Functions under names that DataFusion has for something else, or not at all.
const RENAMED: &[(&str, &str)] = &[
    ("array_remove", "array_remove_all"),
    ("array_replace", "array_replace_all"),
    ("approx_percentile", "approx_percentile_cont"),
    ("approx_count_distinct", "approx_distinct"),
    ("clock_timestamp", "now"),
    ("statement_timestamp", "now"),
    ("transaction_timestamp", "now"),
    ("every", "bool_and"),
    ("sign", "signum"),
    ("variance", "var_samp"),
    ("jsonb_array_length", "json_length"),
    ("jsonb_extract_path", "json_extract_path"),
    ("jsonb_extract_path_text", "json_extract_path_text"),
    ("jsonb_typeof", "json_typeof"),
    ("json_array_length", "json_length"),
    ("regexp_split_to_table", "regexp_split_to_array"),
    ("string_to_table", "string_to_array"),
];

/// Rewrites a statement in place.
pub(crate) fn rewrite(statement: &mut Statement) -> Result<(), SqlError> {
    match VisitMut::visit(statement, &mut Rewrite { depth: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewrite {
    /// How many queries the one that is visited is in.
    depth: usize,
}

impl VisitorMut for Rewrite {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        // Others call a function by its name, which is none of what it becomes below.
        if self.depth > 0 {
            catalog::name_columns(&mut query.body);
        }
        self.depth += 1;
        ordinals::name_windows(query, self.depth == 1);
        let rewritten = limit_of_fetch(query).and_then(|()| crate::gapfill::fill(query));
        let rewritten = rewritten.and_then(|()| crate::sets::refuse_values(query));
        into_flow(rewritten.and_then(|()| crate::sets::order(query)))
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<SqlError> {
        from_functions::name_values(select);
        into_flow(crate::sets::unnest(select))
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<SqlError> {
        from_functions::name_column(table);
        into_flow(from_functions::rewrite(table))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        // JSON is text from here on, and `||` would glue it together.
        if let Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } = expr
            && (is_json(left) || is_json(right))
        {
            return ControlFlow::Break(SqlError::unsupported("|| of jsonb"));
        }
        into_flow(keep_json(expr))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        into_flow(rewrite_expr(expr))
    }
}

fn into_flow(result: Result<(), SqlError>) -> ControlFlow<SqlError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

fn is_junction(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. })
}

/// `a IS DISTINCT FROM b AND c`, which the parser reads as `a IS DISTINCT FROM (b AND c)`, as it is
/// meant: one in parentheses is another kind of expression.
fn below_junction(expr: &mut Expr) -> Expr {
    let mut taken = std::mem::replace(expr, Expr::Value(Value::Null.into()));
    if let Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) = &mut taken
        && is_junction(right)
    {
        let mut junction = std::mem::replace(right.as_mut(), Expr::Value(Value::Null.into()));
        if let Expr::BinaryOp { left, .. } = &mut junction {
            std::mem::swap(right, left);
            **left = below_junction(&mut taken);
        }
        return junction;
    }
    taken
}

fn is_json(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_json(inner),
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::JSON | DataType::JSONB),
        _ => false,
    }
}

fn rewrite_expr(expr: &mut Expr) -> Result<(), SqlError> {
    match expr {
        Expr::AtTimeZone { timestamp, time_zone } => {
            *expr = parsed(&format!("timezone({time_zone}, {timestamp})"))?;
        }
        Expr::SimilarTo { negated, expr: text, pattern, escape_char } => {
            let Some(pattern) = string(pattern) else {
                return Err(SqlError::unsupported("SIMILAR TO with a pattern that is not a text"));
            };
            let escape = match escape_char.as_ref().map(|value| &value.value) {
                None => Some('\\'),
                Some(Value::SingleQuotedString(text)) => text.chars().next(),
                Some(other) => return Err(SqlError::unsupported(format_args!("ESCAPE {other}"))),
            };
            let regex = similar_regex(pattern, escape)?;
            let op = if *negated { "!~" } else { "~" };
            *expr = parsed(&format!("({text}) {op} '{}'", regex.replace('\'', "''")))?;
        }
        Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => {
            if let Some(listed) = like_any(expr)? {
                *expr = listed;
            }
        }
        Expr::Like { pattern, escape_char: escape @ Some(_), .. }
        | Expr::ILike { pattern, escape_char: escape @ Some(_), .. } => {
            escaped_pattern(pattern, escape)?;
        }
        // DataFusion writes a sign in front of the span's text, where it counts for the first unit.
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner }
            if matches!(inner.as_ref(), Expr::Interval(_)) =>
        {
            let span = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()));
            **inner = Expr::Nested(Box::new(span));
        }
        // A sign binds more tightly than a power.
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
            if let Expr::BinaryOp { left, op: BinaryOperator::PGExp, .. } = inner.as_mut() {
                let base = std::mem::replace(left.as_mut(), Expr::Value(Value::Null.into()));
                let op = UnaryOperator::Minus;
                **left = Expr::Nested(Box::new(Expr::UnaryOp { op, expr: Box::new(base) }));
                let power = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()));
                *expr = power;
            }
        }
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right)
            if is_junction(right) =>
        {
            *expr = below_junction(expr);
        }
        Expr::UnaryOp { op: UnaryOperator::BitwiseNot, expr: inner } => {
            *expr = parsed(&format!("(-1 # ({inner}))"))?;
        }
        Expr::Substring { expr: text, substring_from: Some(from), substring_for: None, .. }
            if string(from).is_some() =>
        {
            *expr = parsed(&format!("regexp_substring({text}, {from})"))?;
        }
        Expr::Extract { field, expr: time, .. } => {
            let field = field.to_string().to_lowercase();
            let field = field.trim_matches(['\'', '"']).replace('\'', "''");
            // A numeric in Postgres, with as many digits as the field has.
            let digits = match field.as_str() {
                "epoch" | "second" | "seconds" | "julian" => 6,
                "millisecond" | "milliseconds" | "msec" => 3,
                _ => 0,
            };
            let part = format!("cast(date_part('{field}', {time}) as numeric(18, {digits}))");
            *expr = parsed(&part)?;
        }
        Expr::Value(value) => match &value.value {
            Value::HexStringLiteral(_) | Value::SingleQuotedByteStringLiteral(_) => {
                return Err(SqlError::unsupported("a bit string"));
            }
            Value::Number(text, long) => {
                if let Some(plain) = without_exponent(text) {
                    *expr = Expr::Value(Value::Number(plain, *long).into());
                }
            }
            _ => {}
        },
        Expr::Cast { expr: inner, data_type, .. } => {
            if let Some(to) = cast(inner, data_type)? {
                *expr = to;
            }
        }
        Expr::TypedString(typed) => {
            if let DataType::Float(bits) = &typed.data_type {
                typed.data_type = float(bits);
            }
        }
        Expr::Interval(span) if span.leading_field.is_none() => {
            if let Some(text) = string(&span.value) {
                let written = interval::Written(interval::parse(text)?).to_string();
                *span.value = Expr::Value(Value::SingleQuotedString(written).into());
            }
        }
        Expr::Identifier(name)
            if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("current_schema") =>
        {
            *expr = parsed("current_schema()")?;
        }
        Expr::Function(call) => {
            // `current_user` and the like are called without parentheses.
            if matches!(call.args, FunctionArguments::None) && call.name.0.len() == 1 {
                let name = call.name.to_string().to_lowercase();
                let known = match name.as_str() {
                    "current_role" | "user" => "current_user",
                    "current_catalog" => "current_database",
                    other => other,
                };
                if ["current_user", "session_user", "current_database"].contains(&known) {
                    call.name = ast::ObjectName::from(vec![Ident::new(known)]);
                    call.args = FunctionArguments::List(ast::FunctionArgumentList {
                        duplicate_treatment: None,
                        args: Vec::new(),
                        clauses: Vec::new(),
                    });
                }
            }
            if let Some(collected) = collected::rewrite(call)? {
                *expr = collected;
                return Ok(());
            }
            rewrite_call(call)?;
            if let Some(other) = said_otherwise(call)? {
                *expr = other;
            }
        }
        _ => {}
    }
    Ok(())
}

/// `to_json(x::jsonb)`: what is cast to JSON is text to the engine, and must not be quoted.
fn keep_json(expr: &mut Expr) -> Result<(), SqlError> {
    const MAKERS: &[&str] = &["array", "row", "to", "agg", "build", "object"];
    let Expr::Function(call) = expr else { return Ok(()) };
    let name = call.name.to_string().to_lowercase();
    let makes = name.contains("json") && name.split('_').any(|word| MAKERS.contains(&word));
    let FunctionArguments::List(list) = &mut call.args else { return Ok(()) };
    for argument in list.args.iter_mut().filter(|_| makes) {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument else { continue };
        let marked = match argument {
            Expr::Cast { data_type: DataType::JSON, .. } => json_build::AS_JSON,
            Expr::Cast { data_type: DataType::JSONB, .. } => json_build::AS_JSONB,
            _ => continue,
        };
        *argument = parsed(&format!("{marked}({argument})"))?;
    }
    Ok(())
}

/// Calls of functions that DataFusion does not have, or has less of.
fn said_otherwise(call: &ast::Function) -> Result<Option<Expr>, SqlError> {
    let FunctionArguments::List(list) = &call.args else { return Ok(None) };
    let expr = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    let Some(args) = list.args.iter().map(expr).collect::<Option<Vec<Expr>>>() else {
        return Ok(None);
    };
    let text = match (call.name.to_string().to_lowercase().as_str(), args.as_slice()) {
        // An array without elements has no length.
        ("array_length", _) => format!("nullif({call}, 0)"),
        ("width_bucket", [x, low, high, n]) => {
            let at = format!("((({x})::float8 - ({low})) / (({high})::float8 - ({low})))");
            format!(
                "case when {at} < 0 then 0 when {at} >= 1 then ({n})::int + 1 \
                 else floor({at} * ({n}))::int + 1 end"
            )
        }
        ("age", [time]) => format!("age(current_date, {time})"),
        ("pg_typeof", [argument]) => type_of::rewritten(argument),
        ("mod", [a, b]) => format!("(({a}) % ({b}))"),
        ("date_trunc", [unit, time]) => match truncated(unit, time) {
            Some(text) => text,
            None => return Ok(None),
        },
        // Of a time zone: from its midnights on.
        ("date_trunc", [unit, time, zone]) => {
            let there = parsed(&format!("timezone({zone}, {time})"))?;
            let start = truncated(unit, &there);
            let start = start.unwrap_or_else(|| format!("date_trunc({unit}, {there})"));
            format!("timezone({zone}, {start})")
        }
        _ => return Ok(None),
    };
    parsed(&text).map(Some)
}

/// `date_trunc` to units that DataFusion calls otherwise, or does not have.
fn truncated(unit: &Expr, time: &Expr) -> Option<String> {
    // Years since the last one that begins such a unit.
    let years = |since: i32, of: i32| {
        let year = format!("date_part('year', {time})::int");
        format!("date_trunc('year', {time}) - (({year} - {since}) % {of}) * interval '1 year'")
    };
    Some(match string(unit)?.to_lowercase().as_str() {
        "microseconds" => format!("date_trunc('microsecond', {time})"),
        "milliseconds" => format!("date_trunc('millisecond', {time})"),
        "decade" => years(0, 10),
        "century" => years(1, 100),
        "millennium" => years(1, 1000),
        _ => return None,
    })
}

/// Casts to types that DataFusion does not have, or does not cut text to.
fn cast(inner: &Expr, data_type: &mut DataType) -> Result<Option<Expr>, SqlError> {
    use ast::CharacterLength::IntegerLength;
    let kind = data_type.to_string().to_lowercase();
    let kind = kind.strip_prefix("pg_catalog.").unwrap_or(&kind);
    if let Some(kind) = catalog::Kind::named(kind) {
        return Ok(Some(catalog::call(kind.name(), inner.clone())));
    }
    let length = match data_type {
        DataType::JSON | DataType::JSONB => {
            *data_type = DataType::Text;
            return Ok(None);
        }
        DataType::Float(_)
        | DataType::Real
        | DataType::Float4
        | DataType::Float8
        | DataType::DoublePrecision
        | DataType::Double(_) => {
            if let DataType::Float(bits) = data_type {
                *data_type = float(bits);
            }
            return Ok(literal_float(inner, data_type));
        }
        DataType::Varchar(Some(IntegerLength { length, .. }))
        | DataType::CharacterVarying(Some(IntegerLength { length, .. }))
        | DataType::CharVarying(Some(IntegerLength { length, .. })) => *length,
        DataType::Char(length) | DataType::Character(length) => match length {
            None => 1,
            Some(IntegerLength { length, .. }) => *length,
            Some(_) => return Ok(None),
        },
        _ => return Ok(None),
    };
    // The padding of char(n) counts for nothing in Postgres, except on the wire.
    parsed(&format!("left(cast({inner} as text), {length})")).map(Some)
}

/// A number that is written out, as a float: read from its digits, for the engine would make a decimal
/// of it first, and then multiply that by what is not exactly a power of ten.
fn literal_float(inner: &Expr, data_type: &DataType) -> Option<Expr> {
    let Expr::Value(value) = inner else { return None };
    let Value::Number(text, _) = &value.value else { return None };
    let text = Value::SingleQuotedString(text.clone()).into();
    let kind = ast::CastKind::DoubleColon;
    let (expr, data_type) = (Box::new(Expr::Value(text)), data_type.clone());
    Some(Expr::Cast { kind, expr, data_type, array: false, format: None })
}

/// `1.5e3` as `1500.`: to the engine it has a scale below zero, which few of its functions know.
/// Nothing if the number has no exponent, or more digits than a decimal.
fn without_exponent(text: &str) -> Option<String> {
    let (digits, exponent) = text.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok().filter(|own: &i32| own.abs() < 40)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut all = format!("{whole}{fraction}");
    let mut point = i32::try_from(whole.len()).ok()? + exponent;
    while point <= 0 {
        all.insert(0, '0');
        point += 1;
    }
    let point = usize::try_from(point).ok()?;
    while all.len() < point {
        all.push('0');
    }
    all.insert(point, '.');
    // The point stays, so that the number is still a decimal.
    (all.len() <= 39).then_some(all)
}

/// `float` has 53 bits where nothing less is asked for. DataFusion takes it to have 24.
fn float(bits: &ast::ExactNumberInfo) -> DataType {
    match bits {
        ast::ExactNumberInfo::Precision(..=24) => DataType::Real,
        _ => DataType::DoublePrecision,
    }
}

fn rewrite_call(call: &mut ast::Function) -> Result<(), SqlError> {
    let name = call.name.to_string().to_lowercase();
    if let Some((_, known)) = RENAMED.iter().find(|(old, _)| *old == name) {
        call.name = ast::ObjectName::from(vec![Ident::new(*known)]);
    }
    // Their shares are floats, and a decimal is none.
    if name.starts_with("approx_percentile") || name.starts_with("percentile_cont") {
        if let FunctionArguments::List(list) = &mut call.args {
            for argument in &mut list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument
                    && matches!(expr, Expr::Value(_))
                {
                    *expr = parsed(&format!("{expr}::float8"))?;
                }
            }
        }
        return Ok(());
    }
    if name == "time_bucket" {
        call.name = ast::ObjectName::from(vec![Ident::new("date_bin")]);
        if let FunctionArguments::List(list) = &mut call.args {
            if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(width))) = list.args.first_mut()
                && string(width).is_some()
            {
                *width = parsed(&format!("interval {width}"))?;
            }
            // Weeks begin on Mondays.
            if list.args.len() == 2 {
                let origin = parsed("timestamptz '2000-01-03 00:00:00+00'")?;
                list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(origin)));
            }
        }
        return Ok(());
    }
    if name != "to_timestamp" && name != "to_date" {
        return Ok(());
    }
    if let FunctionArguments::List(list) = &mut call.args
        && let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(pattern))] = list.args.as_mut_slice()
        && let Expr::Value(value) = pattern
        && let Value::SingleQuotedString(text) = &mut value.value
    {
        *text = chrono_pattern(text)
            .ok_or_else(|| SqlError::unsupported(format_args!("the {name} pattern \"{text}\"")))?;
    }
    Ok(())
}

pub(crate) fn parsed(text: &str) -> Result<Expr, SqlError> {
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text);
    Ok(parser.and_then(|mut parser| parser.parse_expr())?)
}

fn string(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        Expr::Nested(inner) => string(inner),
        _ => None,
    }
}

/// `x LIKE ANY (ARRAY[a, b])` is `x LIKE a OR x LIKE b`.
fn like_any(expr: &Expr) -> Result<Option<Expr>, SqlError> {
    let (negated, text, pattern, escape, op) = match expr {
        Expr::Like { negated, expr, pattern, escape_char, .. } => {
            (negated, expr, pattern, escape_char, "like")
        }
        Expr::ILike { negated, expr, pattern, escape_char, .. } => {
            (negated, expr, pattern, escape_char, "ilike")
        }
        _ => return Ok(None),
    };
    let mut pattern = pattern.as_ref();
    while let Expr::Nested(inner) = pattern {
        pattern = inner.as_ref();
    }
    let (Expr::Array(patterns), None) = (pattern, escape) else {
        return Err(SqlError::unsupported("LIKE ANY of what is not a list of patterns"));
    };
    let not = if *negated { "not " } else { "" };
    let one = |pattern| format!("({text}) {not}{op} {pattern}");
    let all: Vec<String> = patterns.elem.iter().map(one).collect();
    let text = if all.is_empty() { "false".to_owned() } else { all.join(" or ") };
    parsed(&format!("({text})")).map(Some)
}

/// `LIKE 'a/_%' ESCAPE '/'` with the only escape that is known here, which is a backslash.
fn escaped_pattern(
    pattern: &mut Expr,
    escape: &mut Option<ast::ValueWithSpan>,
) -> Result<(), SqlError> {
    let Some(Value::SingleQuotedString(char)) = escape.as_ref().map(|value| &value.value) else {
        return Err(SqlError::unsupported("ESCAPE with something that is not a text"));
    };
    let mut chars = char.chars();
    let (char, more) = (chars.next(), chars.next());
    if more.is_some() {
        return Err(SqlError::new("22025", "invalid escape string"));
    }
    if char != Some('\\') {
        let Some(text) = string(pattern) else {
            *pattern = parsed(&format!("like_escape({pattern}, '{}')", char_text(char)))?;
            *escape = None;
            return Ok(());
        };
        let text = like_escape(text, char)?;
        *pattern = Expr::Value(Value::SingleQuotedString(text).into());
    }
    *escape = None;
    Ok(())
}

fn char_text(char: Option<char>) -> String {
    char.map(|char| char.to_string().replace('\'', "''")).unwrap_or_default()
}

/// A pattern of LIKE whose escape is `char`, with a backslash instead.
pub(crate) fn like_escape(pattern: &str, char: Option<char>) -> Result<String, SqlError> {
    let (mut out, mut chars) = (String::new(), pattern.chars());
    while let Some(next) = chars.next() {
        match next {
            next if Some(next) == char => {
                let Some(escaped) = chars.next() else {
                    let text = "LIKE pattern must not end with escape character";
                    return Err(SqlError::new("22025", text));
                };
                if matches!(escaped, '%' | '_' | '\\') {
                    out.push('\\');
                }
                out.push(escaped);
            }
            '\\' => out.push_str("\\\\"),
            next => out.push(next),
        }
    }
    Ok(out)
}

/// An SQL regular expression as one of ours: `%` and `_` are wildcards, a point is none, and the
/// whole text must match.
fn similar_regex(pattern: &str, escape: Option<char>) -> Result<String, SqlError> {
    let (mut out, mut in_class) = (String::from("^(?s:"), false);
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            char if Some(char) == escape => match chars.next() {
                Some(next) => {
                    if !next.is_alphanumeric() {
                        out.push('\\');
                    }
                    out.push(next);
                }
                None => {
                    let text = "invalid escape string at the end of a SIMILAR TO pattern";
                    return Err(SqlError::new("22025", text));
                }
            },
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            char if in_class => out.push(char),
            '[' => {
                in_class = true;
                out.push('[');
            }
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '(' => out.push_str("(?:"),
            '.' | '^' | '$' | '\\' => {
                out.push('\\');
                out.push(char);
            }
            char => out.push(char),
        }
    }
    out.push_str(")$");
    Ok(out)
}

/// `FETCH FIRST n ROWS ONLY` is a LIMIT.
fn limit_of_fetch(query: &mut Query) -> Result<(), SqlError> {
    let Some(fetch) = query.fetch.take() else { return Ok(()) };
    if fetch.with_ties || fetch.percent {
        return Err(SqlError::unsupported("FETCH FIRST with TIES or PERCENT"));
    }
    let one = || Expr::Value(Value::Number("1".to_owned(), false).into());
    let limit = Some(fetch.quantity.unwrap_or_else(one));
    match &mut query.limit_clause {
        None => {
            query.limit_clause =
                Some(ast::LimitClause::LimitOffset { limit, offset: None, limit_by: Vec::new() });
        }
        Some(ast::LimitClause::LimitOffset { limit: own @ None, .. }) => *own = limit,
        Some(_) => return Err(SqlError::new("42601", "multiple LIMIT clauses not allowed")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let check = |pattern: &str, expected: &str| {
            assert_eq!(like_escape(pattern, Some('/')).unwrap(), expected, "{pattern}");
        };
        check("pg/_%", r"pg\_%");
        check("a//b", "a/b");
        check(r"a\b", r"a\\b");
        assert!(like_escape("a/", Some('/')).is_err());
    }

    #[test]
    fn exponents() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(without_exponent(text).as_deref(), expected, "{text}");
        };
        check("1e3", Some("1000."));
        check("1.25E1", Some("12.5"));
        check("1e-3", Some("0.001"));
        check(".5e+0", Some("0.5"));
        check("12e0", Some("12."));
        check("12", None);
        check("1e300", None);
        check("1e39", None);
    }

    #[test]
    fn similar() {
        let check = |pattern: &str, expected: &str| {
            assert_eq!(similar_regex(pattern, Some('\\')).unwrap(), expected, "{pattern}");
        };
        check("a%_", "^(?s:a.*.)$");
        check("a.c", r"^(?s:a\.c)$");
        check("(a|b)+", "^(?s:(?:a|b)+)$");
        check("[a%]", "^(?s:[a%])$");
        check(r"50\%", r"^(?s:50\%)$");
        assert!(similar_regex("a\\", Some('\\')).is_err());
    }
}
