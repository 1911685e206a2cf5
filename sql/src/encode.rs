//! Arrow batches as DataRow messages.
//!
//! In go a batch and the fields that were described to the client; out come the bytes of one
//! message per row, with the end of each row, so that a portal can stop at any of them. Types that
//! log queries return by the million have their own encoders; the others are left to arrow-pg.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_pg::datatypes::field_into_pg_type;
use arrow_pg::encoder::encode_value;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use chrono::{DateTime, Datelike, Timelike};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, LargeStringArray, ListArray, RecordBatch, StringArray,
    StringBuilder, StringViewArray, Time64MicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, DurationNanosecondType, Field, Float32Type, Float64Type, Int32Type,
    Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, Schema,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use pgwire::api::Type;
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo};
use pgwire::error::PgWireError;

use crate::error::SqlError;

/// Chunks are cut when they have grown to this.
const CHUNK_BYTES: usize = 64 << 10;
/// From 1970 to 2000, where Postgres' binary timestamps begin, in microseconds.
const EPOCH_2000_US: i64 = 946_684_800_000_000;

/// Encoded rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// Where each row ends in `bytes`.
    pub(crate) ends: Vec<usize>,
}

impl Chunk {
    /// The values of one row.
    pub(crate) fn cells(&self, row: usize) -> Vec<Option<Bytes>> {
        let start = row.checked_sub(1).map_or(0, |last| self.ends[last]);
        // Behind the tag and the length.
        let mut row = self.bytes.slice(start + 5..self.ends[row]);
        let count = row.get_i16();
        let cell = |row: &mut Bytes| {
            let length = usize::try_from(row.get_i32()).ok()?;
            Some(row.split_to(length))
        };
        (0..count).map(|_| cell(&mut row)).collect()
    }
}

/// The type a column has for the client. Types without one are refused when the statement is
/// planned, not when the first row comes.
pub(crate) fn pg_type(field: &Arc<Field>) -> Result<Type, SqlError> {
    let field = &honest(field);
    match crate::catalog::tag(field) {
        Some("oidvector") => return Ok(Type::OID_VECTOR),
        Some("int2vector") => return Ok(Type::INT2_VECTOR),
        _ => {}
    }
    match field.data_type() {
        // As a literal of no type in a select list is a text to Postgres.
        DataType::Union(..) | DataType::Null => return Ok(Type::TEXT),
        DataType::Duration(_) => return Ok(Type::INTERVAL),
        _ => {}
    }
    field_into_pg_type(field).map_err(|_| {
        SqlError::unsupported(format_args!(
            "column \"{}\" of type {}",
            field.name(),
            field.data_type()
        ))
        .hint("cast it to text")
    })
}

/// The field without what it says of another type: DataFusion hands the metadata of a column on to
/// what is made of it, and arrow-pg panics where a "char" is no `Utf8`.
fn honest(field: &Arc<Field>) -> Arc<Field> {
    match (crate::catalog::tag(field), field.data_type()) {
        (None, _)
        | (Some("char"), DataType::Utf8)
        | (Some("oidvector" | "int2vector"), DataType::List(_))
        | (Some(_), DataType::Int32) => field.clone(),
        _ => Arc::new(field.as_ref().clone().with_metadata(Default::default())),
    }
}

/// Columns as the client will see them: `formats` has none, one for all, or one per column.
pub(crate) fn fields(
    schema: &Schema,
    names: Option<&[String]>,
    formats: &[i16],
) -> Result<Arc<Vec<FieldInfo>>, SqlError> {
    let format = |index: usize| match formats {
        [] => FieldFormat::Text,
        [one] => FieldFormat::from(*one),
        many => FieldFormat::from(many[index]),
    };
    let fields = schema.fields().iter().enumerate().map(|(index, field)| {
        let name = names.map_or(field.name(), |names| &names[index]);
        Ok(FieldInfo::new(name.clone(), None, None, pg_type(field)?, format(index)))
    });
    Ok(Arc::new(fields.collect::<Result<_, SqlError>>()?))
}

/// Encodes batches of one statement.
pub(crate) struct Encoder {
    fields: Arc<Vec<FieldInfo>>,
    slow: DataRowEncoder,
    bytes: BytesMut,
    ends: Vec<usize>,
}

impl Encoder {
    pub(crate) fn new(fields: Arc<Vec<FieldInfo>>) -> Encoder {
        let slow = DataRowEncoder::new(fields.clone());
        Encoder { fields, slow, bytes: BytesMut::new(), ends: Vec::new() }
    }

    /// Encodes rows of `batch` from `start` until a chunk is full; returns it and the next row.
    pub(crate) fn encode(
        &mut self,
        batch: &Columns,
        start: usize,
    ) -> Result<(Chunk, usize), SqlError> {
        let columns = i16::try_from(self.fields.len())
            .map_err(|_| SqlError::new("54011", "too many columns"))?;
        let mut row = start;
        while row < batch.rows && self.bytes.len() < CHUNK_BYTES {
            let at = self.bytes.len();
            self.bytes.put_u8(b'D');
            self.bytes.put_i32(0);
            self.bytes.put_i16(columns);
            for (column, field) in batch.columns.iter().zip(self.fields.iter()) {
                column.put(row, field, &mut self.slow, &mut self.bytes)?;
            }
            let length = i32::try_from(self.bytes.len() - at - 1)
                .map_err(|_| SqlError::new("54000", "row is too large"))?;
            self.bytes[at + 1..at + 5].copy_from_slice(&length.to_be_bytes());
            self.ends.push(self.bytes.len());
            row += 1;
        }
        let bytes = self.bytes.split().freeze();
        Ok((Chunk { bytes, ends: std::mem::take(&mut self.ends) }, row))
    }
}

/// A batch with its columns told apart by type once.
pub(crate) struct Columns {
    columns: Vec<Column>,
    rows: usize,
}

impl Columns {
    pub(crate) fn new(batch: &RecordBatch) -> Result<Columns, SqlError> {
        let schema = batch.schema();
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(array, field)| Column::new(array, field));
        Ok(Columns { columns: columns.collect::<Result<_, _>>()?, rows: batch.num_rows() })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }
}

enum Column {
    Bool(BooleanArray),
    Int4(Int32Array),
    Int8(Int64Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Text(StringArray),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    /// Microseconds since 1970, and whether the type has a time zone.
    Time(Int64Array, bool),
    Interval(IntervalMonthDayNanoArray),
    /// An `oidvector` or `int2vector`: `1 2` where an array is `{1,2}`.
    Vector(ListArray),
    /// Microseconds since midnight.
    Clock(Time64MicrosecondArray),
    /// A numeric whose digits behind the point were given by nobody.
    Numeric(ArrayRef, Arc<Field>),
    Other(ArrayRef, Arc<Field>),
}

/// What a cast to `numeric` without digits makes.
pub(crate) const NUMERIC: DataType = DataType::Decimal128(38, 10);

impl Column {
    fn new(array: &ArrayRef, field: &Arc<Field>) -> Result<Column, SqlError> {
        // Columns that the catalog tags as oid or "char" have an encoding of their own.
        let field = &honest(field);
        let tagged = crate::catalog::tag(field).is_some();
        Ok(match array.data_type() {
            DataType::List(_) if tagged => Column::Vector(array.as_list::<i32>().clone()),
            _ if tagged => Column::Other(array.clone(), field.clone()),
            DataType::Boolean => Column::Bool(array.as_boolean().clone()),
            DataType::Int32 => Column::Int4(array.as_primitive::<Int32Type>().clone()),
            DataType::Int64 => Column::Int8(array.as_primitive::<Int64Type>().clone()),
            DataType::Float32 => Column::Float4(array.as_primitive::<Float32Type>().clone()),
            DataType::Float64 => Column::Float8(array.as_primitive::<Float64Type>().clone()),
            DataType::Utf8 => Column::Text(array.as_string::<i32>().clone()),
            DataType::LargeUtf8 => Column::LargeText(array.as_string::<i64>().clone()),
            DataType::Utf8View => Column::TextView(array.as_string_view().clone()),
            DataType::Timestamp(unit, zone) => {
                Column::Time(microseconds(array, *unit), zone.is_some())
            }
            DataType::Interval(_) | DataType::Duration(_) => Column::Interval(intervals(array)?),
            kind if *kind == NUMERIC => Column::Numeric(array.clone(), field.clone()),
            DataType::Time32(_) | DataType::Time64(_) => {
                let times = cast(array, &DataType::Time64(TimeUnit::Microsecond))?;
                Column::Clock(times.as_primitive::<Time64MicrosecondType>().clone())
            }
            DataType::Dictionary(_, values) => {
                let values_field = Arc::new(field.as_ref().clone().with_data_type(*values.clone()));
                Column::new(&cast(array, values)?, &values_field)?
            }
            DataType::Union(..) => Column::new(&crate::functions::json_text(array)?, field)?,
            _ => Column::Other(array.clone(), field.clone()),
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Column::Bool(array) => array.is_null(row),
            Column::Int4(array) => array.is_null(row),
            Column::Int8(array) | Column::Time(array, _) => array.is_null(row),
            Column::Float4(array) => array.is_null(row),
            Column::Float8(array) => array.is_null(row),
            Column::Text(array) => array.is_null(row),
            Column::LargeText(array) => array.is_null(row),
            Column::TextView(array) => array.is_null(row),
            Column::Interval(array) => array.is_null(row),
            Column::Vector(array) => array.is_null(row),
            Column::Clock(array) => array.is_null(row),
            Column::Numeric(array, _) | Column::Other(array, _) => array.is_null(row),
        }
    }

    fn put(
        &self,
        row: usize,
        field: &FieldInfo,
        slow: &mut DataRowEncoder,
        out: &mut BytesMut,
    ) -> Result<(), SqlError> {
        if self.is_null(row) {
            out.put_i32(-1);
            return Ok(());
        }
        let text = field.format() == FieldFormat::Text;
        match self {
            Column::Bool(array) if text => put(out, if array.value(row) { b"t" } else { b"f" }),
            Column::Bool(array) => put(out, &[u8::from(array.value(row))]),
            Column::Int4(array) if text => put_display(out, array.value(row)),
            Column::Int4(array) => put(out, &array.value(row).to_be_bytes()),
            Column::Int8(array) if text => put_display(out, array.value(row)),
            Column::Int8(array) => put(out, &array.value(row).to_be_bytes()),
            Column::Float4(array) if text => put_float4(out, array.value(row)),
            Column::Float4(array) => put(out, &array.value(row).to_be_bytes()),
            Column::Float8(array) if text => put_float8(out, array.value(row)),
            Column::Float8(array) => put(out, &array.value(row).to_be_bytes()),
            Column::Text(array) => put(out, array.value(row).as_bytes()),
            Column::LargeText(array) => put(out, array.value(row).as_bytes()),
            Column::TextView(array) => put(out, array.value(row).as_bytes()),
            Column::Time(array, zone) if text => put_time(out, array.value(row), *zone),
            Column::Time(array, _) => {
                put(out, &array.value(row).wrapping_sub(EPOCH_2000_US).to_be_bytes());
            }
            Column::Interval(array) if text => put_interval(out, array.value(row)),
            Column::Interval(array) => {
                let span = array.value(row);
                out.put_i32(16);
                out.put_i64(span.nanoseconds / 1000);
                out.put_i32(span.days);
                out.put_i32(span.months);
            }
            Column::Vector(array) => put_vector(out, &array.value(row), text)?,
            Column::Clock(array) if text => put_clock(out, array.value(row)),
            Column::Clock(array) => put(out, &array.value(row).to_be_bytes()),
            Column::Numeric(array, _) if text => put_numeric(out, array, row),
            Column::Numeric(array, arrow_field) | Column::Other(array, arrow_field) => {
                encode_value(slow, array, row, arrow_field, field).map_err(from_pgwire)?;
                out.put_slice(&slow.take_row().data);
            }
        }
        Ok(())
    }
}

fn microseconds(array: &ArrayRef, unit: TimeUnit) -> Int64Array {
    match unit {
        TimeUnit::Second => {
            array.as_primitive::<TimestampSecondType>().unary(|at| at.saturating_mul(1_000_000))
        }
        TimeUnit::Millisecond => {
            array.as_primitive::<TimestampMillisecondType>().unary(|at| at.saturating_mul(1000))
        }
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().unary(|at| at),
        TimeUnit::Nanosecond => {
            array.as_primitive::<TimestampNanosecondType>().unary(|at| at.div_euclid(1000))
        }
    }
}

/// Intervals, and differences of times, which are days and the rest.
fn intervals(array: &ArrayRef) -> Result<IntervalMonthDayNanoArray, SqlError> {
    const DAY_NS: i64 = 86_400_000_000_000;
    if matches!(array.data_type(), DataType::Duration(_)) {
        let spans = cast(array, &DataType::Duration(TimeUnit::Nanosecond))?;
        let days = |span: i64| {
            let days = i32::try_from(span / DAY_NS).unwrap_or(i32::MAX);
            IntervalMonthDayNano::new(0, days, span % DAY_NS)
        };
        return Ok(spans.as_primitive::<DurationNanosecondType>().unary(days));
    }
    let spans = cast(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    Ok(spans.as_primitive::<IntervalMonthDayNanoType>().clone())
}

/// As Postgres writes it: `1 year 2 mons 3 days 04:05:06.789`.
fn put_interval(out: &mut BytesMut, span: IntervalMonthDayNano) {
    put_with(out, |out| {
        let (mut written, mut negative_before) = (false, false);
        let units = [(span.months / 12, "year"), (span.months % 12, "mon"), (span.days, "day")];
        for (count, unit) in units.into_iter().filter(|(count, _)| *count != 0) {
            let space = if written { " " } else { "" };
            let sign = if negative_before && count > 0 { "+" } else { "" };
            let plural = if count == 1 { "" } else { "s" };
            write!(out, "{space}{sign}{count} {unit}{plural}")?;
            (written, negative_before) = (true, count < 0);
        }
        let micros = span.nanoseconds / 1000;
        if micros == 0 && written {
            return Ok(());
        }
        let space = if written { " " } else { "" };
        let sign = if micros < 0 {
            "-"
        } else if negative_before {
            "+"
        } else {
            ""
        };
        let micros = micros.unsigned_abs();
        write!(out, "{space}{sign}")?;
        write_clock(out, micros)
    });
}

fn put_clock(out: &mut BytesMut, micros: i64) {
    put_with(out, |out| write_clock(out, micros.unsigned_abs()));
}

fn write_clock(out: &mut BytesMut, micros: u64) -> std::fmt::Result {
    let seconds = micros / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(out, "{hours:02}:{minutes:02}:{seconds:02}")?;
    write_fraction(out, micros % 1_000_000)
}

/// Microseconds behind a point, without trailing zeros.
fn write_fraction(out: &mut BytesMut, mut fraction: u64) -> std::fmt::Result {
    if fraction == 0 {
        return Ok(());
    }
    let mut width = 6;
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        width -= 1;
    }
    write!(out, ".{fraction:0width$}")
}

/// The values of a column as texts, where a client sees other ones than a cast of Arrow gives:
/// floats, times, spans of time.
pub(crate) fn texts(array: &ArrayRef) -> Result<Option<StringArray>, SqlError> {
    let field = Arc::new(Field::new("text", array.data_type().clone(), true));
    let column = Column::new(array, &field)?;
    let mut texts = StringBuilder::new();
    let mut out = BytesMut::new();
    for row in 0..array.len() {
        if column.is_null(row) {
            texts.append_null();
            continue;
        }
        out.clear();
        match &column {
            Column::Float4(array) => put_float4(&mut out, array.value(row)),
            Column::Float8(array) => put_float8(&mut out, array.value(row)),
            Column::Time(array, zone) => put_time(&mut out, array.value(row), *zone),
            Column::Interval(array) => put_interval(&mut out, array.value(row)),
            Column::Clock(array) => put_clock(&mut out, array.value(row)),
            Column::Numeric(array, _) => put_numeric(&mut out, array, row),
            _ => return Ok(None),
        }
        // Behind the length.
        texts.append_value(String::from_utf8_lossy(&out[4..]));
    }
    Ok(Some(texts.finish()))
}

fn put(out: &mut BytesMut, value: &[u8]) {
    // Values live in one Arrow array, so their length fits; a row that does not is refused above.
    out.put_i32(value.len() as i32);
    out.put_slice(value);
}

fn put_vector(out: &mut BytesMut, items: &ArrayRef, text: bool) -> Result<(), SqlError> {
    let wide = cast(items, &DataType::Int32)?;
    let wide = wide.as_primitive::<Int32Type>().values();
    if text {
        let texts: Vec<String> = wide.iter().map(ToString::to_string).collect();
        put(out, texts.join(" ").as_bytes());
        return Ok(());
    }
    let (kind, bytes) = match items.data_type() {
        DataType::Int16 => (Type::INT2, 2),
        _ => (Type::OID, 4),
    };
    out.put_i32(20 + wide.len() as i32 * (4 + bytes));
    // One dimension, no nulls; indexes begin at 0, which is what makes a vector of an array.
    out.put_i32(1);
    out.put_i32(0);
    out.put_u32(kind.oid());
    out.put_i32(wide.len() as i32);
    out.put_i32(0);
    for item in wide {
        out.put_i32(bytes);
        match bytes {
            2 => out.put_i16(*item as i16),
            _ => out.put_i32(*item),
        }
    }
    Ok(())
}

fn put_display(out: &mut BytesMut, value: impl std::fmt::Display) {
    put_with(out, |out| write!(out, "{value}"));
}

fn put_with(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut) -> std::fmt::Result) {
    let at = out.len();
    out.put_i32(0);
    write(out).expect("a buffer that grows takes every write");
    let length = (out.len() - at - 4) as i32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// Without the zeros that nobody wrote.
fn put_numeric(out: &mut BytesMut, array: &ArrayRef, row: usize) {
    let text = array.as_primitive::<Decimal128Type>().value_as_string(row);
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    put(out, text.as_bytes());
}

fn put_float4(out: &mut BytesMut, value: f32) {
    put_float(out, f64::from(value), &format!("{value:e}"), 6);
}

fn put_float8(out: &mut BytesMut, value: f64) {
    put_float(out, value, &format!("{value:e}"), 15);
}

/// As Postgres writes it: the fewest digits that are read back as the same number, with an exponent
/// if it is below -4 or not below `exponent_max`. `scientific` is the number in Rust's notation.
fn put_float(out: &mut BytesMut, value: f64, scientific: &str, exponent_max: i32) {
    put_with(out, |out| {
        if value.is_nan() {
            return out.write_str("NaN");
        }
        if value.is_infinite() {
            return out.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
        }
        let (mantissa, exponent) =
            scientific.split_once('e').expect("the notation has an exponent");
        let exponent: i32 = exponent.parse().expect("the exponent is a small number");
        if (-4..exponent_max).contains(&exponent) {
            return write!(out, "{}", Positional { mantissa, exponent });
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs())
    });
}

/// A number written without its exponent.
struct Positional<'a> {
    mantissa: &'a str,
    exponent: i32,
}

impl std::fmt::Display for Positional<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, digits) = match self.mantissa.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", self.mantissa),
        };
        let digits = digits.replace('.', "");
        f.write_str(sign)?;
        match usize::try_from(self.exponent) {
            Ok(whole) if digits.len() <= whole + 1 => {
                write!(f, "{digits}{:0<1$}", "", whole + 1 - digits.len())
            }
            Ok(whole) => write!(f, "{}.{}", &digits[..=whole], &digits[whole + 1..]),
            Err(_) => {
                let zeros = self.exponent.unsigned_abs() as usize - 1;
                write!(f, "0.{:0<zeros$}{digits}", "")
            }
        }
    }
}

/// As Postgres writes it: microseconds without trailing zeros, `+00` if there is a time zone.
fn put_time(out: &mut BytesMut, at: i64, zone: bool) {
    put_with(out, |out| {
        let Some(time) = DateTime::from_timestamp_micros(at) else {
            return out.write_str(if at < 0 { "-infinity" } else { "infinity" });
        };
        let (common, year) = time.year_ce();
        let (month, day) = (time.month(), time.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        write!(out, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")?;
        write_fraction(out, time.timestamp_subsec_micros().into())?;
        if zone {
            out.write_str("+00")?;
        }
        if common { Ok(()) } else { out.write_str(" BC") }
    });
}

fn from_pgwire(error: PgWireError) -> SqlError {
    match error {
        PgWireError::UserError(info) if info.code == "22003" => {
            SqlError::new("22003", info.message)
        }
        other => SqlError::unsupported(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats() {
        let check = |value: f64, expected: &str| {
            let mut out = BytesMut::new();
            put_float(&mut out, value, &format!("{value:e}"), 15);
            assert_eq!(std::str::from_utf8(&out[4..]).unwrap(), expected);
        };
        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(-2.5, "-2.5");
        check(100.0, "100");
        check(1234.5678, "1234.5678");
        check(0.1, "0.1");
        check(0.0001, "0.0001");
        check(0.00001, "1e-05");
        check(1e14, "100000000000000");
        check(1e15, "1e+15");
        check(1.5e300, "1.5e+300");
        check(f64::NAN, "NaN");
        check(f64::NEG_INFINITY, "-Infinity");
    }

    #[test]
    fn times() {
        let check = |at, expected: &str| {
            let mut out = BytesMut::new();
            put_time(&mut out, at, true);
            assert_eq!(std::str::from_utf8(&out[4..]).unwrap(), expected);
        };
        check(0, "1970-01-01 00:00:00+00");
        check(-1, "1969-12-31 23:59:59.999999+00");
        check(1_700_000_000_120_000, "2023-11-14 22:13:20.12+00");
        check(1_700_000_000_000_001, "2023-11-14 22:13:20.000001+00");
        check(i64::MAX, "infinity+00".trim_end_matches("+00"));
        check(-62_135_596_800_000_001, "0001-12-31 23:59:59.999999+00 BC");
    }
}
