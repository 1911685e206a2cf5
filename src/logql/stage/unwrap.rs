//! `| unwrap x`: the value of a label becomes the value of the sample.
//!
//! An entry without the label, or with an empty one, is left out; one whose value is no number is
//! marked with [`ERROR`] and counts as 0.

use crate::logql::ast::{self, Conversion};
use crate::logql::names::{Name, Names};
use crate::logql::row::Row;
use crate::logql::{bytes, duration, number};

/// The error of a label that is no number.
const ERROR: &str = "SampleExtractionErr";

/// A label and how it is read.
#[derive(Clone, Debug)]
pub(crate) struct Unwrap {
    pub(crate) label: Name,
    read: fn(&str) -> Result<f64, String>,
}

impl Unwrap {
    /// Takes label and conversion over; the filters behind are stages of their own.
    pub(crate) fn compile(names: &mut Names, unwrap: &ast::Unwrap) -> Unwrap {
        let read: fn(&str) -> Result<f64, String> = match unwrap.conversion {
            Conversion::Number => number::parse_float,
            Conversion::Bytes => |text| bytes::parse(text).map(|bytes| bytes as f64),
            Conversion::Duration | Conversion::DurationSeconds => {
                |text| duration::parse_go(text).map(seconds)
            }
        };
        Unwrap { label: names.intern(&unwrap.label), read }
    }

    /// Sets the value of the sample; `false` where there is none.
    pub(crate) fn process(&self, row: &mut Row<'_>) -> bool {
        let Some(text) = row.get(self.label).filter(|text| !text.is_empty()) else { return false };
        match (self.read)(text) {
            Ok(value) => row.value = value,
            Err(details) => {
                row.value = 0.0;
                row.fail(ERROR, &details);
            }
        }
        true
    }
}

/// Whole and broken seconds apart, as Go does: the sum is rounded once.
pub(crate) fn seconds(nanos: i64) -> f64 {
    (nanos / 1_000_000_000) as f64 + (nanos % 1_000_000_000) as f64 / 1e9
}
