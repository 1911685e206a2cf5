//! Tree to text, on one line: Loki's `String()` form.
//!
//! What is printed reads back as the same tree, so a few things are not printed as Loki does,
//! whose text would lose them: numbers that `%f` would round, infinities and NaN, and a
//! `group_left` in front of a parenthesis.

use std::fmt::{self, Display, Formatter};

use super::ast::{
    Binary, BinaryOp, CompareOp, Conversion, Extract, Group, Grouping, LabelFilter, LabelFormat,
    LineFilter, LineOp, LineOperand, LogQuery, Metric, NamedMatcher, Query, RangeAggregation,
    RangeOp, Stage, Unwrap, VectorAggregation, VectorMatching, VectorOp,
};
use super::{bytes, duration, number};
use crate::model::labels::Quoted;

/// A closed set of words: each has one text, and a text at most one of them.
macro_rules! words {
    ($type:ty { $($variant:ident = $text:literal $(| $other:literal)*),* $(,)? }) => {
        impl $type {
            /// As LogQL writes it.
            pub fn name(self) -> &'static str {
                match self { $(<$type>::$variant => $text),* }
            }

            /// What a text (in lower case) names.
            pub fn named(text: &str) -> Option<$type> {
                Some(match text {
                    $($text $(| $other)* => <$type>::$variant,)*
                    _ => return None,
                })
            }
        }

        impl Display for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

words!(LineOp {
    Contains = "|=", NotContains = "!=", Matches = "|~", NotMatches = "!~", Pattern = "|>",
    NotPattern = "!>",
});
words!(CompareOp {
    Equal = "==" | "=", NotEqual = "!=", Less = "<", LessEqual = "<=", Greater = ">",
    GreaterEqual = ">=",
});
words!(RangeOp {
    CountOverTime = "count_over_time",
    Rate = "rate",
    RateCounter = "rate_counter",
    BytesOverTime = "bytes_over_time",
    BytesRate = "bytes_rate",
    SumOverTime = "sum_over_time",
    AvgOverTime = "avg_over_time",
    MinOverTime = "min_over_time",
    MaxOverTime = "max_over_time",
    StdvarOverTime = "stdvar_over_time",
    StddevOverTime = "stddev_over_time",
    QuantileOverTime = "quantile_over_time",
    FirstOverTime = "first_over_time",
    LastOverTime = "last_over_time",
    AbsentOverTime = "absent_over_time",
});
words!(VectorOp {
    Sum = "sum", Avg = "avg", Count = "count", Min = "min", Max = "max", Stddev = "stddev",
    Stdvar = "stdvar", TopK = "topk", BottomK = "bottomk", Sort = "sort", SortDesc = "sort_desc",
    ApproxTopK = "approx_topk",
});
words!(BinaryOp {
    Or = "or", And = "and", Unless = "unless", Add = "+", Sub = "-", Mul = "*", Div = "/",
    Mod = "%", Pow = "^", Equal = "==", NotEqual = "!=", Greater = ">", GreaterEqual = ">=",
    Less = "<", LessEqual = "<=",
});

/// Items with a text between them.
fn separated<T: Display>(f: &mut Formatter<'_>, items: &[T], separator: &str) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { separator })?;
    }
    Ok(())
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Query::Log(log) => log.fmt(f),
            Query::Metric(metric) => metric.fmt(f),
        }
    }
}

impl Display for LogQuery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.selector.fmt(f)?;
        self.pipeline.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Line(filter) => filter.fmt(f),
            Stage::Json(extracts) => {
                f.write_str("| json")?;
                print_extracts(f, extracts)
            }
            Stage::Logfmt { strict, keep_empty, extract } => {
                f.write_str("| logfmt")?;
                f.write_str(if *strict { " --strict" } else { "" })?;
                f.write_str(if *keep_empty { " --keep-empty" } else { "" })?;
                print_extracts(f, extract)
            }
            Stage::Regexp(regex) => write!(f, "| regexp {}", Quoted(regex)),
            Stage::Pattern(pattern) => write!(f, "| pattern {}", Quoted(pattern)),
            Stage::Unpack => f.write_str("| unpack"),
            Stage::Label(filter) => write!(f, "| {filter}"),
            Stage::LineFormat(template) => write!(f, "| line_format {}", Quoted(template)),
            Stage::LabelFormat(formats) => {
                f.write_str("| label_format ")?;
                separated(f, formats, ",")
            }
            Stage::Decolorize => f.write_str("| decolorize"),
            Stage::Drop(labels) => {
                f.write_str("| drop ")?;
                separated(f, labels, ",")
            }
            Stage::Keep(labels) => {
                f.write_str("| keep ")?;
                separated(f, labels, ",")
            }
        }
    }
}

/// Stages in a row.
pub(super) struct Chain<'a>(pub(super) &'a [&'a Stage]);

impl Display for Chain<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        separated(f, self.0, " ")
    }
}

fn print_extracts(f: &mut Formatter<'_>, extracts: &[Extract]) -> fmt::Result {
    f.write_str(if extracts.is_empty() { "" } else { " " })?;
    separated(f, extracts, ",")
}

impl Display for Extract {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.label, Quoted(&self.expression))
    }
}

impl Display for LabelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            LabelFormat::Rename { to, from } => write!(f, "{to}={from}"),
            LabelFormat::Template { to, template } => write!(f, "{to}={}", Quoted(template)),
        }
    }
}

impl Display for NamedMatcher {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            NamedMatcher::Name(name) => f.write_str(name),
            NamedMatcher::Matcher(matcher) => matcher.fmt(f),
        }
    }
}

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.op)?;
        separated(f, &self.operands, " or ")
    }
}

impl Display for LineOperand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            LineOperand::Text(text) => Quoted(text).fmt(f),
            LineOperand::Ip(pattern) => write!(f, "ip({})", Quoted(pattern)),
        }
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            LabelFilter::Text(matcher) => matcher.fmt(f),
            LabelFilter::Ip { name, negated, pattern } => {
                write!(f, "{name}{}ip({})", if *negated { "!=" } else { "=" }, Quoted(pattern))
            }
            LabelFilter::Number { name, op, value } => {
                write!(f, "{name}{op}{}", number::format_float(*value))
            }
            LabelFilter::Duration { name, op, nanos } => {
                write!(f, "{name}{op}{}", duration::format_go(*nanos))
            }
            LabelFilter::Bytes { name, op, bytes } => {
                write!(f, "{name}{op}{}", bytes::format(*bytes))
            }
            LabelFilter::And(left, right) => write!(f, "( {left} , {right} )"),
            LabelFilter::Or(left, right) => write!(f, "( {left} or {right} )"),
        }
    }
}

impl Display for Metric {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Metric::Range(range) => range.fmt(f),
            Metric::Vector(vector) => vector.fmt(f),
            Metric::Binary(binary) => binary.fmt(f),
            Metric::Literal(value) => f.write_str(&literal(*value)),
            Metric::Constant(value) => write!(f, "vector({})", constant(*value)),
            Metric::LabelReplace(replace) => {
                write!(f, "label_replace({}", replace.inner)?;
                for text in
                    [&replace.destination, &replace.replacement, &replace.source, &replace.regex]
                {
                    write!(f, ",{}", Quoted(text))?;
                }
                f.write_str(")")
            }
        }
    }
}

/// A number as LogQL reads it. It has no words for NaN and infinity but yields them.
fn literal(value: f64) -> String {
    if value.is_nan() {
        "(0 / 0)".into()
    } else if value.is_infinite() {
        format!("({}1e+308 * 10)", if value < 0.0 { "-" } else { "" })
    } else {
        number::format_general(value)
    }
}

fn constant(value: f64) -> String {
    let short = format!("{value:.6}");
    if short.parse() == Ok(value) { short } else { number::format_general(value) }
}

impl Display for RangeAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.op)?;
        if let Some(parameter) = self.parameter {
            write!(f, "{},", number::format_float(parameter))?;
        }
        self.log.fmt(f)?;
        if let Some(unwrap) = &self.unwrap {
            write!(f, " {unwrap}")?;
        }
        write!(f, "[{}]", self.window_text())?;
        if self.offset_nanos != 0 {
            write!(f, " offset {}", duration::format_go(self.offset_nanos))?;
        }
        f.write_str(")")?;
        self.grouping.iter().try_for_each(|grouping| write!(f, " {grouping}"))
    }
}

impl RangeAggregation {
    pub(super) fn window_text(&self) -> String {
        let nanos = u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX);
        duration::format_prometheus(nanos)
    }
}

impl Unwrap {
    /// Without the filters that follow.
    pub(super) fn stage_text(&self) -> String {
        let label = &self.label;
        match self.conversion {
            Conversion::Number => format!("| unwrap {label}"),
            Conversion::Bytes => format!("| unwrap bytes({label})"),
            Conversion::Duration => format!("| unwrap duration({label})"),
            Conversion::DurationSeconds => format!("| unwrap duration_seconds({label})"),
        }
    }
}

impl Display for Unwrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stage_text())?;
        self.filters.iter().try_for_each(|filter| write!(f, " | {filter}"))
    }
}

impl Display for VectorAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.op.fmt(f)?;
        self.grouping.iter().try_for_each(|grouping| write!(f, " {grouping}"))?;
        f.write_str("(")?;
        self.parameter.iter().try_for_each(|parameter| write!(f, "{parameter},"))?;
        write!(f, "{})", self.inner)
    }
}

impl Display for Grouping {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.without { "without (" } else { "by (" })?;
        separated(f, &self.labels, ",")?;
        f.write_str(")")
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let operator = Operator { binary: self, separator: "," };
        write!(f, "({} {operator} {})", self.left, self.right)
    }
}

/// A binary operator with its modifiers.
pub(super) struct Operator<'a> {
    pub(super) binary: &'a Binary,
    /// What stands between labels.
    pub(super) separator: &'static str,
}

impl Display for Operator<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Binary { op, right, returns_bool, matching, .. } = self.binary;
        write!(f, "{op}{}", if *returns_bool { " bool" } else { "" })?;
        let Some(VectorMatching { on, labels, group, include }) = matching else {
            return Ok(());
        };
        f.write_str(if *on { " on (" } else { " ignoring (" })?;
        separated(f, labels, self.separator)?;
        f.write_str(")")?;
        match group {
            // Loki leaves room for what is not there.
            Group::None => return f.write_str(" "),
            Group::Left => f.write_str(" group_left")?,
            Group::Right => f.write_str(" group_right")?,
        }
        if !include.is_empty() {
            f.write_str(" (")?;
            separated(f, include, self.separator)?;
            f.write_str(")")?;
        } else if starts_with_parenthesis(right) {
            // Else that parenthesis would be read as a list of labels.
            f.write_str(" ()")?;
        }
        Ok(())
    }
}

fn starts_with_parenthesis(metric: &Metric) -> bool {
    match metric {
        Metric::Binary(_) => true,
        Metric::Literal(value) => !value.is_finite(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
