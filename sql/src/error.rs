//! One error for everything a client can see: an SQLSTATE, a message, maybe a hint.
//!
//! In go the errors of DataFusion, Arrow, the parser and the source; out comes the SQLSTATE that a
//! Postgres client acts upon. DataFusion has few variants and many texts, so some are told apart by
//! their text; a text we do not know falls back to its class.

use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use sqlparser::parser::ParserError;

use crate::split::{character, place_of};
use crate::table::SourceError;

/// The JSON column that has the keys without columns of their own, by convention.
const KEYS_COLUMN: &str = "labels";

/// What the server as a whole can die of.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The SQL runtime could not be started.
    #[error("cannot start the sql runtime: {0}")]
    Runtime(#[from] std::io::Error),
    /// DataFusion refused our set-up.
    #[error("cannot set up the sql engine: {0}")]
    Engine(#[from] DataFusionError),
}

/// An error as the client gets it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SqlError {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// The character of the statement's text that it is about, from 1.
    pub(crate) position: Option<usize>,
}

impl SqlError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> SqlError {
        SqlError { code, message: message.into(), hint: None, position: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> SqlError {
        self.hint = Some(hint.into());
        self
    }

    /// Finds out where in `text` the error is, if that can be told.
    pub(crate) fn placed(mut self, text: &str) -> SqlError {
        if self.position.is_some() || text.is_empty() {
            return self;
        }
        if let Some((message, place)) = self.message.split_once(" at Line: ")
            && let Some((line, column)) = place.split_once(", Column: ")
        {
            let digits = |text: &str| {
                let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
                text[..end].parse::<u64>().ok()
            };
            if let (Some(line), Some(column)) = (digits(line), digits(column)) {
                self.position = Some(character(text, line, column));
                self.message = message.to_owned();
            }
        } else if self.code == "42601" && self.message.ends_with("found: EOF") {
            self.position = Some(text.trim_end().chars().count() + 1);
        } else if ["42703", "42P01", "42883", "42702", "42601"].contains(&self.code) {
            let name = match self.message.strip_prefix("function ") {
                Some(rest) => rest.split([' ', '(']).next(),
                None => self.message.split(['"', '\'']).nth(1),
            };
            self.position = name.and_then(|name| place_of(text, name));
        }
        self
    }

    pub(crate) fn protocol(message: impl Into<String>) -> SqlError {
        SqlError::new("08P01", message)
    }

    pub(crate) fn unsupported(what: impl std::fmt::Display) -> SqlError {
        SqlError::new("0A000", format!("{what} is not supported"))
    }

    pub(crate) fn panicked() -> SqlError {
        SqlError::new("XX000", "internal error while running the statement")
    }
}

impl From<SourceError> for SqlError {
    fn from(error: SourceError) -> SqlError {
        let code = match error {
            SourceError::NoDatabase(_) => "3D000",
            SourceError::Denied(_) => "28000",
            SourceError::Unavailable(_) => "57P03",
            SourceError::Limit(_) => "53400",
            SourceError::Invalid(_) => "22023",
            SourceError::NotStored(_) => "23514",
            SourceError::Internal(_) => "XX000",
        };
        SqlError::new(code, error.to_string())
    }
}

impl From<ParserError> for SqlError {
    fn from(error: ParserError) -> SqlError {
        match error {
            ParserError::RecursionLimitExceeded => {
                SqlError::new("54001", "statement is nested too deeply")
            }
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
                SqlError::new("42601", text)
            }
        }
    }
}

impl From<ArrowError> for SqlError {
    fn from(error: ArrowError) -> SqlError {
        let code = match &error {
            ArrowError::DivideByZero => return SqlError::new("22012", "division by zero"),
            ArrowError::ExternalError(inner) => match inner.downcast_ref::<DataFusionError>() {
                Some(inner) => return from_datafusion(inner),
                None => "XX000",
            },
            ArrowError::CastError(text) => cast_code(text),
            ArrowError::ParseError(text) => match cast_code(text) {
                "22P02" if text.contains("imestamp") || text.contains("date") => "22007",
                code => code,
            },
            ArrowError::ArithmeticOverflow(_) | ArrowError::DictionaryKeyOverflowError => "22003",
            ArrowError::ComputeError(text) if text.to_lowercase().contains("overflow") => "22003",
            ArrowError::ComputeError(_) | ArrowError::InvalidArgumentError(_) => text_code(&error),
            ArrowError::NotYetImplemented(_) => "0A000",
            ArrowError::OffsetOverflowError(_) => "54000",
            ArrowError::IoError(_, inner) => return from_io(inner),
            ArrowError::MemoryError(_) => "53200",
            _ => "XX000",
        };
        let error = SqlError::new(code, error.to_string());
        match code {
            "22007" => error.hint("times are written as 2026-01-02 03:04:05, or with a zone"),
            _ => error,
        }
    }
}

fn text_code(error: &ArrowError) -> &'static str {
    if error.to_string().contains("Regular expression") { "2201B" } else { "22000" }
}

fn cast_code(text: &str) -> &'static str {
    if let Some(code) = out_of_its_range(text) {
        code
    } else if text.contains("verflow")
        || text.contains("too large")
        || text.contains("out of range")
    {
        if text.contains("imestamp") { "22008" } else { "22003" }
    } else {
        "22P02"
    }
}

/// What Arrow says of a cast, where what is cast could be of the type, but for its range: a number to
/// an integer, a text with the look of a date to a date.
fn out_of_its_range(text: &str) -> Option<&'static str> {
    if text.contains("Can't cast value ") && text.contains(" to type Int") {
        return Some("22003");
    }
    let (_, rest) = text.split_once("Cannot cast string '")?;
    let (value, kind) = rest.rsplit_once("' to value of ")?;
    let value = value.trim();
    if kind.starts_with("Int") {
        let digits = value.trim_start_matches(['-', '+']);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        return is_number.then_some("22003");
    }
    if kind.starts_with("Date") {
        let parts: Vec<&str> = value.split('-').collect();
        let is_date = parts.len() == 3
            && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        return Some(if is_date { "22008" } else { "22007" });
    }
    None
}

impl From<DataFusionError> for SqlError {
    fn from(error: DataFusionError) -> SqlError {
        from_datafusion(&error)
    }
}

impl From<SqlError> for DataFusionError {
    fn from(error: SqlError) -> DataFusionError {
        DataFusionError::External(Box::new(error))
    }
}

fn from_datafusion(error: &DataFusionError) -> SqlError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            from_datafusion(inner)
        }
        DataFusionError::Shared(inner) => from_datafusion(inner),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => from_datafusion(first),
            None => SqlError::panicked(),
        },
        DataFusionError::External(inner) => from_external(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => from_arrow(inner),
        DataFusionError::IoError(inner) => from_io(inner),
        DataFusionError::SQL(inner, _) => SqlError::from(inner.as_ref().clone()),
        DataFusionError::SchemaError(inner, _) => from_schema(inner),
        DataFusionError::NotImplemented(text) => from_text("0A000", text),
        DataFusionError::Plan(text) => from_text("42000", text),
        DataFusionError::Configuration(text) => SqlError::new("22023", text),
        DataFusionError::Execution(text) => from_text("22000", text),
        DataFusionError::ResourcesExhausted(text) => {
            let text = text.lines().next().unwrap_or_default();
            SqlError::new("53200", format!("out of memory for this statement: {text}"))
        }
        DataFusionError::ExecutionJoin(inner) if inner.is_panic() => SqlError::panicked(),
        DataFusionError::Internal(text) => from_text("XX000", text),
        other => SqlError::new("XX000", other.strip_backtrace()),
    }
}

fn from_external(error: &(dyn std::error::Error + Send + Sync + 'static)) -> SqlError {
    if let Some(error) = error.downcast_ref::<SqlError>() {
        error.clone()
    } else if let Some(error) = error.downcast_ref::<SourceError>() {
        error.clone().into()
    } else if let Some(error) = error.downcast_ref::<DataFusionError>() {
        from_datafusion(error)
    } else if let Some(error) = error.downcast_ref::<ArrowError>() {
        from_arrow(error)
    } else {
        let text = error.to_string();
        let regex = text.contains("regex parse error") || text.contains("exceeds size limit");
        SqlError::new(if regex { "2201B" } else { "XX000" }, text)
    }
}

// ArrowError is not Clone, and its variants that carry others are rare.
fn from_arrow(error: &ArrowError) -> SqlError {
    match error {
        ArrowError::ExternalError(inner) => from_external(inner.as_ref()),
        ArrowError::DivideByZero => ArrowError::DivideByZero.into(),
        ArrowError::CastError(text) => ArrowError::CastError(text.clone()).into(),
        ArrowError::ParseError(text) => ArrowError::ParseError(text.clone()).into(),
        ArrowError::ComputeError(text) => ArrowError::ComputeError(text.clone()).into(),
        ArrowError::ArithmeticOverflow(text) => ArrowError::ArithmeticOverflow(text.clone()).into(),
        ArrowError::NotYetImplemented(text) => ArrowError::NotYetImplemented(text.clone()).into(),
        ArrowError::InvalidArgumentError(text) => {
            ArrowError::InvalidArgumentError(text.clone()).into()
        }
        ArrowError::OffsetOverflowError(at) => ArrowError::OffsetOverflowError(*at).into(),
        ArrowError::IoError(_, inner) => from_io(inner),
        other => SqlError::new("XX000", other.to_string()),
    }
}

// Temporary files: what we refuse ourselves, or what the system says of its disk.
fn from_io(error: &std::io::Error) -> SqlError {
    match error.get_ref() {
        Some(inner) => from_external(inner),
        None if error.kind() == std::io::ErrorKind::StorageFull => {
            SqlError::new("53100", "the disk of temporary files is full")
        }
        None => SqlError::new("58030", error.to_string()),
    }
}

fn from_schema(error: &SchemaError) -> SqlError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let name = &field.name;
            let error = SqlError::new("42703", format!("column \"{name}\" does not exist"));
            // Tables with more keys than columns have them all in a column of JSON.
            if valid_fields.iter().all(|field| field.name != KEYS_COLUMN) {
                return error;
            }
            let key = name.replace('\'', "''");
            error.hint(format!("a key without a column of its own is {KEYS_COLUMN}->>'{key}'"))
        }
        SchemaError::AmbiguousReference { field } => {
            SqlError::new("42702", format!("column reference \"{}\" is ambiguous", field.name))
        }
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => {
            SqlError::new("42701", format!("column \"{name}\" appears more than once"))
        }
    }
}

/// Texts by what they contain, in lower case, and the SQLSTATE they mean. The first that fits.
const TEXTS: &[(&str, &str)] = &[
    ("table function", "42883"),
    ("argument type for regex operation", "42883"),
    ("ddl not supported", "0A000"),
    ("dml not supported", "0A000"),
    ("statement not supported", "0A000"),
    ("more than one row", "21000"),
    ("field position", "22023"),
    ("limit must be", "2201W"),
    ("offset must be", "2201X"),
    ("divide by zero", "22012"),
    ("regular expression", "2201B"),
    ("regex", "2201B"),
    ("placeholder", "42P02"),
    ("unique expression names", "42701"),
    ("must appear in the group by clause", "42803"),
    ("must be part of the group by clause", "42803"),
    ("cannot coerce", "42804"),
    ("cannot infer common argument type", "42804"),
    ("type mismatch", "42804"),
    ("error parsing timestamp", "22007"),
    ("overflow", "22003"),
    ("out of range", "22003"),
    ("recursion limit", "54001"),
];

/// What the engine says of a call that has no function, whatever it is that does not fit.
const NO_FUNCTION: &[&str] = &[
    "failed to match any signature",
    "no function matches",
    "failed to coerce arguments",
    "user-defined coercion failed",
];

/// Texts that say how the engine is made, by how they begin, and what they mean to who sees them.
const INNER: &[(&str, &str, &str)] = &[
    ("Failed to coerce types", "42883", "BETWEEN has values that cannot be compared"),
    ("Cannot run range queries", "0A000", "RANGE in the order of this type is not supported"),
    ("Assertion failed", "0A000", "this combination of expressions is not supported"),
    (
        "Unnest should be rewritten",
        "0A000",
        "set-returning functions are not allowed in calls of aggregates, and here",
    ),
    (
        "Physical plan does not support logical expression InSubquery",
        "0A000",
        "IN (SELECT ...) is not supported here",
    ),
    (
        "Physical plan does not support logical expression",
        "0A000",
        "a subquery is not supported here",
    ),
];

/// Without what the engine puts around what it has to say: the classes of its errors, its stack, and
/// the request to report a bug, which what is only not supported is none of.
fn plain(text: &str) -> &str {
    const CLASSES: &[&str] = &[
        "Internal error: ",
        "Error during planning: ",
        "Execution error: ",
        "This feature is not implemented: ",
        "Arrow error: ",
    ];
    let text = text.split("\n\nbacktrace:").next().unwrap_or(text);
    let mut text = text.split("\nThis issue was likely caused by a bug").next().unwrap_or(text);
    while let Some(rest) = CLASSES.iter().find_map(|class| text.strip_prefix(class)) {
        text = rest;
    }
    text.trim_end()
}

/// A call of a function that is not there. What the engine suggests becomes a hint.
fn no_function(text: &str, lower: &str) -> Option<SqlError> {
    let name = text.split('\'').nth(1)?.split('(').next()?;
    // It has another name inside.
    let name = if name == "regexp_all_matches" { "regexp_matches" } else { name };
    if lower.starts_with("invalid function") {
        let error = SqlError::new("42883", format!("function {name} does not exist"));
        return Some(match text.split_once("Did you mean ") {
            Some((_, other)) => error.hint(format!("did you mean {other}")),
            None => error,
        });
    }
    if !NO_FUNCTION.iter().any(|part| lower.contains(part)) {
        return None;
    }
    let text = format!("function {name} does not exist with these arguments");
    Some(SqlError::new("42883", text).hint("you might need to add explicit type casts"))
}

fn from_text(default: &'static str, text: &str) -> SqlError {
    let inner = INNER.iter().find(|(start, ..)| plain(text).starts_with(start));
    if let Some((_, code, message)) = inner {
        return SqlError::new(code, *message);
    }
    if let Some(error) = no_function(text, &text.to_lowercase()) {
        return error;
    }
    let text = plain(text);
    let lower = text.to_lowercase();
    if lower.starts_with("table ") && lower.contains("not found") {
        let name = text.split('\'').nth(1).unwrap_or_default();
        // The catalog and the schema are ours to add, so we take them away again.
        let name = name.rsplit('.').next().unwrap_or(name);
        return SqlError::new("42P01", format!("relation \"{name}\" does not exist"));
    }
    let known = TEXTS.iter().find(|(part, _)| lower.contains(part));
    SqlError::new(known.map_or(default, |(_, code)| code), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The engine says `Internal error`, and asks for a report of the bug, of calls that no function has.
    #[test]
    fn what_is_not_supported_is_no_bug() {
        let check = |text: &str, code, message| {
            let error = from_text("42000", text);
            assert_eq!((error.code, error.message.as_str()), (code, message), "{text}");
        };
        let bug = "\nThis issue was likely caused by a bug in DataFusion's code.";
        let text = format!("Internal error: Function 'round' failed to match any signature.{bug}");
        check(&text, "42883", "function round does not exist with these arguments");
        let text = "array_append does not support type Utf8. No function matches the given name and \
                    argument types 'array_append(Utf8)'";
        check(text, "42883", "function array_append does not exist with these arguments");
        check("Invalid function 'nope'.", "42883", "function nope does not exist");
        let text = format!("Assertion failed: compatible: Schema {{ .. }}{bug}");
        check(&text, "0A000", "this combination of expressions is not supported");
        check(&format!("Internal error: odd{bug}"), "42000", "odd");
        check("Execution error: Arrow error: x", "42000", "x");
    }
}
