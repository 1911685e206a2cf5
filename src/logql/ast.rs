//! What a LogQL text says, as a tree.
//!
//! The parser builds it, [`super::print`] writes it back, [`super::check`] refuses what is
//! well-formed but means nothing, and `query` executes it. Regexes and durations are already
//! compiled or converted here, so that nothing below the parser can fail on a text.
//!
//! Grammar and names follow Grafana Loki's documentation of LogQL.

use std::ops::Range;
use std::time::Duration;

use crate::model::{Matcher, Selector};

/// Byte offsets into the query text, half-open.
pub type Span = Range<usize>;

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// `{app="web"} |= "x" | json`: asks for entries.
    Log(LogQuery),
    /// `sum(rate({app="web"}[5m]))`: asks for numbers.
    Metric(Metric),
}

impl Query {
    /// Calls `visit` with where each of its parts stood in the text.
    pub fn spans(&mut self, visit: &mut dyn FnMut(&mut Span)) {
        match self {
            Query::Log(log) => visit(&mut log.span),
            Query::Metric(metric) => metric.spans(visit),
        }
    }

    /// The same query, wherever it stood: equal to any other text's that says the same.
    pub fn without_spans(mut self) -> Query {
        self.spans(&mut |span| *span = 0..0);
        self
    }

    /// As text, if that says all: where it would not, it reads back as something else.
    pub fn to_exact_text(&self) -> Option<String> {
        let text = self.to_string();
        let read = super::parse(&text).ok()?;
        (read.without_spans() == self.clone().without_spans()).then_some(text)
    }
}

impl Metric {
    fn spans(&mut self, visit: &mut dyn FnMut(&mut Span)) {
        match self {
            Metric::Range(range) => {
                visit(&mut range.span);
                visit(&mut range.log.span);
            }
            Metric::Vector(vector) => vector.inner.spans(visit),
            Metric::Binary(binary) => {
                binary.left.spans(visit);
                binary.right.spans(visit);
            }
            Metric::LabelReplace(replace) => replace.inner.spans(visit),
            Metric::Literal(_) | Metric::Constant(_) => {}
        }
    }
}

/// A selector and the pipeline that its entries go through.
#[derive(Clone, Debug, PartialEq)]
pub struct LogQuery {
    /// Which streams.
    pub selector: Selector,
    /// What happens to each entry, in order.
    pub pipeline: Vec<Stage>,
    /// Where this stands in the text.
    pub span: Span,
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// `|= "a" or "b"`
    Line(LineFilter),
    /// `| json`, or `| json a="x.y", b`: an empty list extracts everything.
    Json(Vec<Extract>),
    /// `| logfmt --strict --keep-empty a="x"`
    Logfmt {
        /// `--strict`
        strict: bool,
        /// `--keep-empty`
        keep_empty: bool,
        /// An empty list extracts everything.
        extract: Vec<Extract>,
    },
    /// `| regexp "(?P<name>...)"`
    Regexp(String),
    /// `| pattern "<ip> <_>"`
    Pattern(String),
    /// `| unpack`
    Unpack,
    /// `| status >= 400 and method = "GET"`
    Label(LabelFilter),
    /// `| line_format "{{.x}}"`
    LineFormat(String),
    /// `| label_format a=b, c="{{.d}}"`
    LabelFormat(Vec<LabelFormat>),
    /// `| decolorize`
    Decolorize,
    /// `| drop a, b="x"`
    Drop(Vec<NamedMatcher>),
    /// `| keep a, b="x"`
    Keep(Vec<NamedMatcher>),
}

/// A comparison of the line with one or more operands. `or` between operands: with a positive
/// operator one must hold, with a negative one none may.
#[derive(Clone, Debug, PartialEq)]
pub struct LineFilter {
    /// How to compare.
    pub op: LineOp,
    /// What to compare with; at least one.
    pub operands: Vec<LineOperand>,
}

/// How a line filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineOp {
    /// `|=`
    Contains,
    /// `!=`
    NotContains,
    /// `|~`
    Matches,
    /// `!~`
    NotMatches,
    /// `|>`
    Pattern,
    /// `!>`
    NotPattern,
}

/// What a line filter compares with.
#[derive(Clone, Debug, PartialEq)]
pub enum LineOperand {
    /// A text, regex or pattern, as the operator says.
    Text(String),
    /// `ip("10.0.0.0/8")`
    Ip(String),
}

/// `name` or `name="expression"` of `json` and `logfmt`.
#[derive(Clone, Debug, PartialEq)]
pub struct Extract {
    /// The label to set.
    pub label: String,
    /// Where its value is found; the label's own name where none was written.
    pub expression: String,
}

/// A condition on labels.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelFilter {
    /// `a="x"`, `a=~"x"`, ...
    Text(Matcher),
    /// `a = ip("...")`; `negated` for `!=`.
    Ip {
        /// The label's name.
        name: String,
        /// Whether the operator was `!=`.
        negated: bool,
        /// The address, CIDR or range as written.
        pattern: String,
    },
    /// `a > 5`
    Number {
        /// The label's name.
        name: String,
        /// The comparison.
        op: CompareOp,
        /// What to compare with.
        value: f64,
    },
    /// `a > 5s`
    Duration {
        /// The label's name.
        name: String,
        /// The comparison.
        op: CompareOp,
        /// What to compare with, in nanoseconds.
        nanos: i64,
    },
    /// `a > 5KB`
    Bytes {
        /// The label's name.
        name: String,
        /// The comparison.
        op: CompareOp,
        /// What to compare with, in bytes.
        bytes: u64,
    },
    /// Both hold. Written `and`, `,` or nothing.
    And(Box<LabelFilter>, Box<LabelFilter>),
    /// One holds; the right side is not looked at where the left one does.
    Or(Box<LabelFilter>, Box<LabelFilter>),
}

/// A comparison of numbers. `=` and `==` are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `=`, `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

/// One assignment of `label_format`.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelFormat {
    /// `to=from`: copies the value and removes `from`.
    Rename {
        /// The label to set.
        to: String,
        /// The label to take away.
        from: String,
    },
    /// `to="template"`
    Template {
        /// The label to set.
        to: String,
        /// A Go text template.
        template: String,
    },
}

/// An operand of `drop` and `keep`.
#[derive(Clone, Debug, PartialEq)]
pub enum NamedMatcher {
    /// The label, whatever its value.
    Name(String),
    /// The label where its value matches.
    Matcher(Matcher),
}

/// An expression that yields numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// `rate({...}[5m])`
    Range(RangeAggregation),
    /// `sum by (app) (...)`
    Vector(VectorAggregation),
    /// `a / on(x) group_left b`
    Binary(Box<Binary>),
    /// `5`, `-2`: folded where both sides of an operator are literals.
    Literal(f64),
    /// `vector(1)`
    Constant(f64),
    /// `label_replace(v, "dst", "repl", "src", "regex")`
    LabelReplace(Box<LabelReplace>),
}

/// An aggregation over the entries of a window that slides in time.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeAggregation {
    /// Which function.
    pub op: RangeOp,
    /// The first argument of `quantile_over_time`.
    pub parameter: Option<f64>,
    /// Which entries.
    pub log: LogQuery,
    /// `| unwrap duration(x) | x > 5`
    pub unwrap: Option<Unwrap>,
    /// `[5m]`
    pub window: Duration,
    /// `offset 1h`, in nanoseconds; negative looks forward.
    pub offset_nanos: i64,
    /// `by (x)` after the closing parenthesis.
    pub grouping: Option<Grouping>,
    /// Where this stands in the text.
    pub span: Span,
}

/// Which label becomes the sample's value.
#[derive(Clone, Debug, PartialEq)]
pub struct Unwrap {
    /// The label's name.
    pub label: String,
    /// How its text becomes a number.
    pub conversion: Conversion,
    /// Filters that follow the unwrap.
    pub filters: Vec<LabelFilter>,
}

/// How `unwrap` reads a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conversion {
    /// A float.
    Number,
    /// `bytes(x)`
    Bytes,
    /// `duration(x)`: seconds.
    Duration,
    /// `duration_seconds(x)`: the same, under its other name.
    DurationSeconds,
}

/// A function over a window.
#[allow(missing_docs, reason = "the names are LogQL's own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeOp {
    CountOverTime,
    Rate,
    RateCounter,
    BytesOverTime,
    BytesRate,
    SumOverTime,
    AvgOverTime,
    MinOverTime,
    MaxOverTime,
    StdvarOverTime,
    StddevOverTime,
    QuantileOverTime,
    FirstOverTime,
    LastOverTime,
    AbsentOverTime,
}

/// An aggregation over the series of one point in time.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorAggregation {
    /// Which function.
    pub op: VectorOp,
    /// The first argument of `topk`, `bottomk` and `approx_topk`.
    pub parameter: Option<u64>,
    /// What is aggregated.
    pub inner: Box<Metric>,
    /// `by (x)` or `without (x)`; `None` where nothing was written.
    pub grouping: Option<Grouping>,
}

/// A function over series.
#[allow(missing_docs, reason = "the names are LogQL's own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VectorOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Stddev,
    Stdvar,
    TopK,
    BottomK,
    Sort,
    SortDesc,
    ApproxTopK,
}

/// Which labels make a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grouping {
    /// `without` keeps all labels but these; `by` keeps only these.
    pub without: bool,
    /// In the order they were written.
    pub labels: Vec<String>,
}

/// Two sides and an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// Left side.
    pub left: Metric,
    /// Right side.
    pub right: Metric,
    /// `bool`: a comparison answers 1 or 0 instead of filtering.
    pub returns_bool: bool,
    /// `on(...)`, `ignoring(...)`, `group_left(...)`; `None` where nothing was written.
    pub matching: Option<VectorMatching>,
}

/// How series of the two sides of a binary operator find each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorMatching {
    /// `on` where true, `ignoring` where false.
    pub on: bool,
    /// The labels in the parentheses.
    pub labels: Vec<String>,
    /// Which side may have several partners.
    pub group: Group,
    /// The labels of `group_left(...)` and `group_right(...)`.
    pub include: Vec<String>,
}

/// Cardinality of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// One to one.
    None,
    /// `group_left`: many on the left.
    Left,
    /// `group_right`: many on the right.
    Right,
}

/// A binary operator.
#[allow(missing_docs, reason = "the names are LogQL's own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Or,
    And,
    Unless,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

/// The arguments of `label_replace`.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelReplace {
    /// Whose labels change.
    pub inner: Metric,
    /// The label to set.
    pub destination: String,
    /// What to set it to, with `$1` and `${name}`.
    pub replacement: String,
    /// The label to read.
    pub source: String,
    /// Anchored at both ends.
    pub regex: String,
}
