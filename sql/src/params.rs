//! Statement parameters: from the types a client declares and the bytes it binds to literals.
//!
//! - A value is decoded to exactly the type that was announced for its parameter, so what was
//!   described at Parse stays true at Execute.
//! - Text goes through Arrow's casts, as a literal in the statement would.

use std::sync::Arc;

use arrow_pg::datatypes::into_pg_type;
use bytes::{Buf, Bytes};
use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;
use pgwire::api::Type;

use crate::error::SqlError;
use crate::interval;

/// From 1970 to 2000, where Postgres' binary dates begin, in days.
const EPOCH_2000_DAYS: i32 = 10_957;
/// The same in microseconds.
const EPOCH_2000_US: i64 = EPOCH_2000_DAYS as i64 * 86_400_000_000;

/// The type of one parameter, as the client and as DataFusion know it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ParamType {
    pub(crate) pg: Type,
    pub(crate) arrow: DataType,
}

impl ParamType {
    /// What a parameter is that nobody knows anything about.
    pub(crate) fn text() -> ParamType {
        ParamType { pg: Type::TEXT, arrow: DataType::Utf8 }
    }

    /// The type a client declared; `None` for zero, which leaves it to us.
    pub(crate) fn declared(oid: u32) -> Result<Option<ParamType>, SqlError> {
        if oid == 0 || oid == Type::UNKNOWN.oid() {
            return Ok(None);
        }
        let unknown = || SqlError::unsupported(format_args!("a parameter of type {oid}"));
        let pg = Type::from_oid(oid).ok_or_else(unknown)?;
        let arrow = arrow_type(&pg).ok_or_else(unknown)?;
        Ok(Some(ParamType { pg, arrow }))
    }

    /// The type a PREPARE names; `None` for one that leaves it to us.
    pub(crate) fn named(name: &str) -> Result<Option<ParamType>, SqlError> {
        let plain = name.split('(').next().unwrap_or_default().trim();
        let plain = plain.strip_prefix("pg_catalog.").unwrap_or(plain);
        let (item, list) = match plain.strip_suffix("[]") {
            Some(item) => (item.trim(), true),
            None => (plain, false),
        };
        let pg = match item {
            "bool" | "boolean" => Type::BOOL,
            "int2" | "smallint" => Type::INT2,
            "int" | "int4" | "integer" => Type::INT4,
            "int8" | "bigint" => Type::INT8,
            "float4" | "real" => Type::FLOAT4,
            "float8" | "double precision" => Type::FLOAT8,
            "numeric" | "decimal" => Type::NUMERIC,
            "text" | "varchar" | "character varying" | "char" | "name" => Type::TEXT,
            "bytea" => Type::BYTEA,
            "date" => Type::DATE,
            "timestamp" | "timestamp without time zone" => Type::TIMESTAMP,
            "timestamptz" | "timestamp with time zone" => Type::TIMESTAMPTZ,
            "interval" => Type::INTERVAL,
            "oid" => Type::OID,
            "unknown" => return Ok(None),
            _ => {
                return Err(SqlError::new("42704", format!("type \"{name}\" does not exist")));
            }
        };
        let pg = match (list, &pg) {
            (false, _) => pg,
            (true, &Type::BOOL) => Type::BOOL_ARRAY,
            (true, &Type::INT2) => Type::INT2_ARRAY,
            (true, &Type::INT4) => Type::INT4_ARRAY,
            (true, &Type::INT8) => Type::INT8_ARRAY,
            (true, &Type::FLOAT8) => Type::FLOAT8_ARRAY,
            (true, &Type::TIMESTAMPTZ) => Type::TIMESTAMPTZ_ARRAY,
            (true, &Type::TEXT) => Type::TEXT_ARRAY,
            (true, &Type::OID) => Type::OID_ARRAY,
            (true, _) => {
                return Err(SqlError::unsupported(format_args!("a parameter of type {name}")));
            }
        };
        ParamType::declared(pg.oid())
    }

    /// The type the planner inferred.
    pub(crate) fn inferred(arrow: &DataType) -> ParamType {
        let pg = into_pg_type(arrow).unwrap_or(Type::TEXT);
        // Of the types with one Postgres name we bind the one that has a decoder: a string is a
        // string, however it is stored.
        match arrow_type(&pg) {
            Some(arrow) => ParamType { pg, arrow },
            None => ParamType::text(),
        }
    }

    pub(crate) fn null(&self) -> Result<ScalarValue, SqlError> {
        Ok(ScalarValue::try_from(&self.arrow)?)
    }

    /// Decodes a bound value.
    pub(crate) fn decode(
        &self,
        value: Option<Bytes>,
        binary: bool,
    ) -> Result<ScalarValue, SqlError> {
        match value {
            None => self.null(),
            Some(value) if binary => binary_value(&self.arrow, &self.pg, value),
            Some(value) => match std::str::from_utf8(&value) {
                Ok(text) if text.contains('\0') => Err(bad_encoding()),
                Ok(text) => text_value(&self.arrow, text),
                Err(_) => Err(bad_encoding()),
            },
        }
    }
}

fn bad_encoding() -> SqlError {
    SqlError::new("22021", "invalid byte sequence for encoding \"UTF8\"")
}

fn arrow_type(pg: &Type) -> Option<DataType> {
    Some(match *pg {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 | Type::OID => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Decimal128(38, 10),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => DataType::Utf8,
        Type::CHAR | Type::JSON | Type::UUID => DataType::Utf8,
        Type::BYTEA => DataType::Binary,
        Type::DATE => DataType::Date32,
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Nanosecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        Type::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        Type::BOOL_ARRAY => list(DataType::Boolean),
        Type::INT2_ARRAY => list(DataType::Int16),
        Type::INT4_ARRAY => list(DataType::Int32),
        Type::INT8_ARRAY | Type::OID_ARRAY => list(DataType::Int64),
        Type::FLOAT4_ARRAY => list(DataType::Float32),
        Type::FLOAT8_ARRAY => list(DataType::Float64),
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::NAME_ARRAY => list(DataType::Utf8),
        Type::TIMESTAMPTZ_ARRAY => {
            list(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())))
        }
        _ => return None,
    })
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

fn text_value(arrow: &DataType, text: &str) -> Result<ScalarValue, SqlError> {
    match arrow {
        DataType::Utf8 => Ok(ScalarValue::Utf8(Some(text.to_owned()))),
        DataType::Binary => match bytea(text) {
            Some(bytes) => Ok(ScalarValue::Binary(Some(bytes))),
            None => Err(invalid("bytea", text)),
        },
        DataType::Interval(_) => {
            let span = interval::parse(text)?;
            Ok(ScalarValue::IntervalMonthDayNano(Some(span)))
        }
        DataType::List(item) => {
            let items = array_items(text).ok_or_else(|| invalid("array", text))?;
            let items = items.into_iter().map(|value| match value {
                Some(value) => text_value(item.data_type(), &value),
                None => Ok(ScalarValue::try_from(item.data_type())?),
            });
            let items = items.collect::<Result<Vec<_>, SqlError>>()?;
            Ok(ScalarValue::List(ScalarValue::new_list_nullable(&items, item.data_type())))
        }
        _ => {
            let value = ScalarValue::Utf8(Some(text.trim().to_owned()));
            value.cast_to(arrow).map_err(|_| invalid(&arrow.to_string(), text))
        }
    }
}

fn invalid(what: &str, text: &str) -> SqlError {
    SqlError::new("22P02", format!("invalid input syntax for type {what}: \"{text}\""))
}

/// `\x` and hexadecimal digits.
fn bytea(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let digit = |byte: &u8| (*byte as char).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| Some(digit(&pair[0])? << 4 | digit(pair.get(1)?)?);
    digits.chunks(2).map(pair).collect()
}

/// The items of a one-dimensional array literal: `{a,"b c",NULL}`.
fn array_items(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let (mut items, mut chars) = (Vec::new(), inner.chars().peekable());
    if inner.trim().is_empty() {
        return Some(items);
    }
    loop {
        let (mut item, mut quoted) = (String::new(), false);
        while chars.next_if(|char| char.is_whitespace()).is_some() {}
        if chars.next_if_eq(&'"').is_some() {
            quoted = true;
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => item.push(chars.next()?),
                    other => item.push(other),
                }
            }
        }
        while let Some(char) = chars.next_if(|char| *char != ',') {
            match char {
                '{' | '}' | '"' => return None,
                char if quoted && char.is_whitespace() => {}
                _ if quoted => return None,
                '\\' => item.push(chars.next()?),
                char => item.push(char),
            }
        }
        let item = if quoted { item } else { item.trim_end().to_owned() };
        match item.as_str() {
            "" if !quoted => return None,
            null if !quoted && null.eq_ignore_ascii_case("null") => items.push(None),
            _ => items.push(Some(item)),
        }
        if chars.next().is_none() {
            return Some(items);
        }
    }
}

fn binary_value(arrow: &DataType, pg: &Type, value: Bytes) -> Result<ScalarValue, SqlError> {
    let mut value = Binary(value);
    let scalar = match arrow {
        DataType::Boolean => ScalarValue::Boolean(Some(value.take::<1>()? != [0])),
        DataType::Int16 => ScalarValue::Int16(Some(i16::from_be_bytes(value.take()?))),
        DataType::Int32 => ScalarValue::Int32(Some(i32::from_be_bytes(value.take()?))),
        DataType::Int64 if *pg == Type::OID => {
            ScalarValue::Int64(Some(i64::from(u32::from_be_bytes(value.take()?))))
        }
        DataType::Int64 => ScalarValue::Int64(Some(i64::from_be_bytes(value.take()?))),
        DataType::Float32 => ScalarValue::Float32(Some(f32::from_be_bytes(value.take()?))),
        DataType::Float64 => ScalarValue::Float64(Some(f64::from_be_bytes(value.take()?))),
        DataType::Utf8 if *pg == Type::UUID => {
            ScalarValue::Utf8(Some(uuid(u128::from_be_bytes(value.take()?))))
        }
        DataType::Utf8 => match String::from_utf8(value.rest().to_vec()) {
            Ok(text) if !text.contains('\0') => ScalarValue::Utf8(Some(text)),
            _ => return Err(bad_encoding()),
        },
        DataType::Binary => ScalarValue::Binary(Some(value.rest().to_vec())),
        DataType::Date32 => {
            let days = i32::from_be_bytes(value.take()?).checked_add(EPOCH_2000_DAYS);
            ScalarValue::Date32(Some(days.ok_or_else(out_of_range)?))
        }
        DataType::Timestamp(_, zone) => {
            let at = i64::from_be_bytes(value.take()?).checked_add(EPOCH_2000_US);
            let at = at.and_then(|at| at.checked_mul(1000)).ok_or_else(out_of_range)?;
            ScalarValue::TimestampNanosecond(Some(at), zone.clone())
        }
        DataType::Interval(_) => {
            let nanoseconds = i64::from_be_bytes(value.take()?).checked_mul(1000);
            let nanoseconds = nanoseconds.ok_or_else(out_of_range)?;
            let days = i32::from_be_bytes(value.take()?);
            let months = i32::from_be_bytes(value.take()?);
            ScalarValue::new_interval_mdn(months, days, nanoseconds)
        }
        DataType::Decimal128(..) => return text_value(arrow, &value.numeric()?),
        DataType::List(item) => return value.list(item),
        other => return Err(SqlError::unsupported(format_args!("binary {other}"))),
    };
    match value.0.is_empty() {
        true => Ok(scalar),
        false => Err(bad_binary()),
    }
}

fn out_of_range() -> SqlError {
    SqlError::new("22008", "timestamp or interval out of range")
}

fn bad_binary() -> SqlError {
    SqlError::new("22P03", "incorrect binary data format in bind parameter")
}

fn uuid(value: u128) -> String {
    let digits = format!("{value:032x}");
    let (a, b, c, d, e) =
        (&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]);
    format!("{a}-{b}-{c}-{d}-{e}")
}

/// A cursor over one binary value.
struct Binary(Bytes);

impl Binary {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], SqlError> {
        if self.0.len() < N {
            return Err(bad_binary());
        }
        let mut bytes = [0; N];
        self.0.copy_to_slice(&mut bytes);
        Ok(bytes)
    }

    fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    /// Dimensions, a null flag, the item type; then per dimension a length and a lower bound; then
    /// the items with their lengths. We take one dimension.
    fn list(&mut self, item: &Field) -> Result<ScalarValue, SqlError> {
        let dimensions = i32::from_be_bytes(self.take()?);
        self.take::<4>()?;
        let pg = Type::from_oid(u32::from_be_bytes(self.take()?)).ok_or_else(bad_binary)?;
        let mut items = Vec::new();
        if dimensions != 0 {
            if dimensions != 1 {
                return Err(SqlError::unsupported("an array of several dimensions"));
            }
            let count = i32::from_be_bytes(self.take()?);
            self.take::<4>()?;
            for _ in 0..count {
                let length = i32::from_be_bytes(self.take()?);
                match usize::try_from(length) {
                    Ok(length) if length > self.0.len() => return Err(bad_binary()),
                    Ok(length) => {
                        let value = self.0.split_to(length);
                        items.push(binary_value(item.data_type(), &pg, value)?);
                    }
                    Err(_) => items.push(ScalarValue::try_from(item.data_type())?),
                }
            }
        }
        match self.0.is_empty() {
            true => Ok(ScalarValue::List(ScalarValue::new_list_nullable(&items, item.data_type()))),
            false => Err(bad_binary()),
        }
    }

    /// Base-10000 digits as decimal text.
    fn numeric(&mut self) -> Result<String, SqlError> {
        let count = i16::from_be_bytes(self.take()?);
        let weight = i16::from_be_bytes(self.take()?);
        let sign = u16::from_be_bytes(self.take()?);
        self.take::<2>()?;
        // More than what any decimal of ours holds would only make a long string to refuse.
        if !(0..=32).contains(&count) || !(-32..=32).contains(&weight) {
            return Err(SqlError::new("22003", "numeric parameter out of range"));
        }
        let digits = (0..count).map(|_| Ok(u16::from_be_bytes(self.take()?)));
        let digits = digits.collect::<Result<Vec<u16>, SqlError>>()?;
        if !matches!(sign, 0 | 0x4000) || !self.0.is_empty() || digits.iter().any(|d| *d > 9999) {
            return Err(bad_binary());
        }
        let mut text = String::from(if sign == 0 { "" } else { "-" });
        let digit = |place: i16| digits.get(usize::try_from(weight - place).ok()?).copied();
        for place in (0..=weight.max(0)).rev() {
            text.push_str(&format!("{:04}", digit(place).unwrap_or(0)));
        }
        text.push('.');
        for place in (weight - count + 1..0).rev() {
            text.push_str(&format!("{:04}", digit(place).unwrap_or(0)));
        }
        text.push('0');
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(oid: Type, binary: bool, value: &[u8], expected: Result<&str, &str>) {
        let kind = ParamType::declared(oid.oid()).unwrap().unwrap();
        let got = kind.decode(Some(Bytes::copy_from_slice(value)), binary);
        let got = got.map(|value| {
            assert_eq!(value.data_type(), kind.arrow);
            value.to_string()
        });
        let got = got.as_ref().map(String::as_str).map_err(|error| error.code);
        assert_eq!(got, expected, "{oid} {value:?}");
    }

    #[test]
    fn text() {
        check(Type::INT4, false, b"42", Ok("42"));
        check(Type::INT4, false, b"4x", Err("22P02"));
        check(Type::INT2, false, b"70000", Err("22P02"));
        check(Type::BOOL, false, b"t", Ok("true"));
        check(Type::TEXT, false, b"it's", Ok("it's"));
        check(Type::TEXT, false, b"\xff", Err("22021"));
        check(Type::TIMESTAMPTZ, false, b"1970-01-01 00:00:01+00", Ok("1000000000"));
        check(Type::TIMESTAMPTZ, false, b"1970-01-01T01:00:01.5+01:00", Ok("1500000000"));
        check(Type::BYTEA, false, b"\\x4142", Ok("4142"));
        check(Type::BYTEA, false, b"\\x414", Err("22P02"));
        check(Type::TEXT_ARRAY, false, br#"{a,"b, \"c",NULL}"#, Ok(r#"[a, b, "c, ]"#));
        check(Type::INT8_ARRAY, false, b"{}", Ok("[]"));
        check(Type::INT8_ARRAY, false, b"{1,{2}}", Err("22P02"));
        check(Type::INT8_ARRAY, false, b"1", Err("22P02"));
    }

    #[test]
    fn binary() {
        check(Type::INT8, true, &7i64.to_be_bytes(), Ok("7"));
        check(Type::INT8, true, &7i32.to_be_bytes(), Err("22P03"));
        check(Type::INT4, true, &7i64.to_be_bytes(), Err("22P03"));
        check(Type::TIMESTAMPTZ, true, &0i64.to_be_bytes(), Ok("946684800000000000"));
        check(Type::TIMESTAMPTZ, true, &i64::MAX.to_be_bytes(), Err("22008"));
        check(Type::DATE, true, &i32::MAX.to_be_bytes(), Err("22008"));
        check(Type::BOOL, true, &[1], Ok("true"));
        check(Type::FLOAT8, true, &1.5f64.to_be_bytes(), Ok("1.5"));
        let numeric = |digits: &[u16], weight: i16| {
            let mut bytes = (digits.len() as i16).to_be_bytes().to_vec();
            bytes.extend(weight.to_be_bytes());
            bytes.extend([0x40, 0, 0, 0]);
            digits.iter().for_each(|digit| bytes.extend(digit.to_be_bytes()));
            bytes
        };
        check(Type::NUMERIC, true, &numeric(&[1, 2345, 6000], 1), Ok("-12345.6000000000"));
        check(Type::NUMERIC, true, &numeric(&[5000], -1), Ok("-0.5000000000"));
        check(Type::NUMERIC, true, &numeric(&[1], 30000), Err("22003"));
        let mut array = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1];
        array.extend([0, 0, 0, 1, b'a', 0xff, 0xff, 0xff, 0xff]);
        check(Type::TEXT_ARRAY, true, &array, Ok("[a, ]"));
        for end in 0..array.len() {
            check(Type::TEXT_ARRAY, true, &array[..end], Err("22P03"));
        }
    }
}
