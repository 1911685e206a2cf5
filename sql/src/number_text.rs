//! Numbers as Postgres formats them: `to_char(1234.5, '9,999.99')`.
//!
//! In go a number's digits and a pattern; out comes a text, or the error that Postgres has. The steps
//! are Postgres's own (`NUM_processor` in its `formatting.c`), flags and all: what a pattern means where
//! several of its parts meet is said nowhere else.
//!
//! - A pattern that has parts which are not known here (`TH`, `L`, `V`, `RN`, `EEEE`) is refused.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use datafusion::common::Result as DfResult;

use crate::error::SqlError;

/// Whether values of this type are numbers that are formatted here.
pub(crate) fn is_number(kind: &DataType) -> bool {
    kind.is_integer() || kind.is_floating() || matches!(kind, DataType::Decimal128(..))
}

/// Each number by its pattern.
pub(crate) fn texts(numbers: &ArrayRef, patterns: &StringArray) -> DfResult<ArrayRef> {
    let kind = numbers.data_type().clone();
    let wide = match &kind {
        kind if kind.is_floating() => DataType::Float64,
        kind if kind.is_integer() => DataType::Decimal128(38, 0),
        kind => kind.clone(),
    };
    let numbers = cast(numbers, &wide)?;
    let mut out = StringBuilder::new();
    let (mut last, mut pattern) = ("", Pattern::default());
    for (row, text) in patterns.iter().enumerate() {
        let Some(text) = text.filter(|_| numbers.is_valid(row)) else {
            out.append_null();
            continue;
        };
        if text != last {
            (last, pattern) = (text, Pattern::parse(text)?);
        }
        out.append_value(match &wide {
            DataType::Decimal128(_, scale) => {
                let value = numbers.as_primitive::<Decimal128Type>().value(row);
                let (is_negative, digits) = digits_of(value, *scale, pattern.behind);
                pattern.format(is_negative, &digits)
            }
            _ => {
                let value = numbers.as_primitive::<Float64Type>().value(row);
                float(&pattern, value, if kind == DataType::Float32 { 6 } else { 15 })?
            }
        });
    }
    Ok(Arc::new(out.finish()))
}

/// Whether a decimal is negative, and its digits with `behind` of them behind the point.
fn digits_of(value: i128, scale: i8, behind: usize) -> (bool, String) {
    let scale = usize::try_from(scale).unwrap_or(0);
    let mut digits = value.unsigned_abs();
    // A half goes away from zero.
    let cut = scale.saturating_sub(behind);
    if let Some(unit) = u32::try_from(cut).ok().and_then(|cut| 10_u128.checked_pow(cut)) {
        digits = digits / unit + u128::from(cut > 0 && digits % unit >= unit.div_ceil(2));
    }
    let kept = scale - cut;
    let mut text = format!("{digits:0width$}", width = kept + 1);
    let point = text.len() - kept;
    if behind > 0 {
        text.insert(point, '.');
        text.push_str(&"0".repeat(behind - kept));
    }
    (value < 0 && digits > 0, text)
}

/// A float of so many digits that can be trusted, of which no more are shown.
fn float(pattern: &Pattern, value: f64, trusted: usize) -> Result<String, SqlError> {
    if !value.is_finite() {
        return Err(SqlError::unsupported("to_char of NaN and Infinity"));
    }
    let whole = format!("{:.0}", value.abs()).len();
    let behind = pattern.behind.min(trusted.saturating_sub(whole));
    let pattern = Pattern { behind, ..pattern.clone() };
    let digits = format!("{:.behind$}", value.abs());
    Ok(pattern.format(value.is_sign_negative(), &digits))
}

/// What a pattern is made of.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Nine,
    Zero,
    Point,
    Comma,
    Minus,
    Plus,
    Sign,
    /// Says something of the whole, and has no place of its own.
    Nothing,
    Char(char),
}

/// Where the sign of `S` stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Anchor {
    Before,
    Behind,
}

/// A pattern, and what it says of the whole number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
    /// Places before and behind the point.
    before: usize,
    pub(crate) behind: usize,
    has_point: bool,
    /// The first place that is never a blank, from 1, and the last one.
    zero_first: Option<usize>,
    zero_last: usize,
    is_bare: bool,
    minus: bool,
    plus: bool,
    brackets: bool,
    anchor: Option<Anchor>,
    /// Places before `S`.
    before_anchor: usize,
}

const KEYWORDS: &[&str] = &[
    ",", ".", "0", "9", "B", "C", "D", "EEEE", "FM", "G", "L", "MI", "PL", "PR", "RN", "SG", "SP",
    "S", "TH", "V",
];

fn syntax(text: &str) -> SqlError {
    SqlError::new("42601", text)
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Pattern, SqlError> {
        let (mut pattern, mut rest) = (Pattern::default(), text);
        while let Some(first) = rest.chars().next() {
            // In one case: `Mi` is two letters.
            let keyword = KEYWORDS.iter().find(|keyword| {
                rest.starts_with(**keyword) || rest.starts_with(&keyword.to_lowercase())
            });
            if let Some(keyword) = keyword {
                let part = pattern.take(keyword)?;
                pattern.parts.push(part);
                rest = &rest[keyword.len()..];
            } else if first == '"' {
                rest = pattern.quoted(&rest[1..]);
            } else {
                rest = rest.strip_prefix('\\').filter(|rest| rest.starts_with('"')).unwrap_or(rest);
                let char = rest.chars().next().unwrap_or(first);
                pattern.parts.push(Part::Char(char));
                rest = &rest[char.len_utf8()..];
            }
        }
        Ok(pattern)
    }

    /// Takes what is in quotes, and returns what stands behind.
    fn quoted<'a>(&mut self, text: &'a str) -> &'a str {
        let mut chars = text.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => return &text[at + 1..],
                '\\' => {
                    let next = chars.next().map_or(char, |(_, next)| next);
                    self.parts.push(Part::Char(next));
                }
                char => self.parts.push(Part::Char(char)),
            }
        }
        ""
    }

    fn take(&mut self, keyword: &str) -> Result<Part, SqlError> {
        Ok(match keyword {
            "9" => {
                if self.brackets {
                    return Err(syntax("\"9\" must be ahead of \"PR\""));
                }
                *(if self.has_point { &mut self.behind } else { &mut self.before }) += 1;
                Part::Nine
            }
            "0" => {
                if self.brackets {
                    return Err(syntax("\"0\" must be ahead of \"PR\""));
                }
                if self.zero_first.is_none() && !self.has_point {
                    self.zero_first = Some(self.before);
                }
                *(if self.has_point { &mut self.behind } else { &mut self.before }) += 1;
                self.zero_last = self.before + self.behind;
                Part::Zero
            }
            "." | "D" => {
                if self.has_point {
                    return Err(syntax("multiple decimal points"));
                }
                self.has_point = true;
                Part::Point
            }
            "," | "G" => Part::Comma,
            "FM" => {
                self.is_bare = true;
                Part::Nothing
            }
            "S" => self.take_anchor()?,
            "MI" | "PL" | "SG" => {
                if self.anchor.is_some() {
                    let text = format!("cannot use \"S\" and \"{keyword}\" together");
                    return Err(syntax(&text));
                }
                self.minus |= keyword != "PL";
                self.plus |= keyword != "MI";
                match keyword {
                    "MI" => Part::Minus,
                    "PL" => Part::Plus,
                    _ => Part::Sign,
                }
            }
            "PR" => {
                if self.anchor.is_some() || self.plus || self.minus {
                    let text = "cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together";
                    return Err(syntax(text));
                }
                self.brackets = true;
                Part::Nothing
            }
            other => {
                return Err(SqlError::unsupported(format_args!("to_char with \"{other}\"")));
            }
        })
    }

    fn take_anchor(&mut self) -> Result<Part, SqlError> {
        if self.anchor.is_some() {
            return Err(syntax("cannot use \"S\" twice"));
        }
        if self.plus || self.minus || self.brackets {
            return Err(syntax("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together"));
        }
        self.anchor = Some(if self.has_point { Anchor::Behind } else { Anchor::Before });
        self.before_anchor = self.before;
        Ok(Part::Nothing)
    }

    /// Formats a number of `behind` digits behind its point, at most: its sign, and its digits, at least
    /// one of them in front of the point.
    pub(crate) fn format(&self, is_negative: bool, digits: &str) -> String {
        let length = digits.find('.').unwrap_or(digits.len());
        let blanks = self.before.saturating_sub(length);
        // What does not fit is none of it shown.
        let number = match length > self.before {
            true => format!("{}.{}", "#".repeat(self.before), "#".repeat(self.behind)),
            false => digits.to_owned(),
        };
        Writer::new(self, is_negative, number.into_bytes(), blanks).written()
    }
}

/// A number on its way to be a text.
struct Writer<'a> {
    pattern: &'a Pattern,
    is_negative: bool,
    number: Vec<u8>,
    /// The digit that comes next.
    next: usize,
    /// Places in front of the number.
    blanks: usize,
    /// The place of the pattern that comes next.
    place: usize,
    places: usize,
    /// The last digit to be shown where no zeros are at the end.
    last: Option<usize>,
    is_signed: bool,
    is_in_number: bool,
    brackets: bool,
    anchor: Option<Anchor>,
    out: String,
}

impl<'a> Writer<'a> {
    fn new(pattern: &'a Pattern, is_negative: bool, number: Vec<u8>, blanks: usize) -> Self {
        let (mut brackets, mut anchor) = (pattern.brackets, pattern.anchor);
        let is_signed = if pattern.plus || pattern.minus {
            pattern.minus
        } else {
            brackets &= is_negative || !pattern.is_bare;
            if anchor == Some(Anchor::Before) && pattern.before == pattern.before_anchor {
                anchor = Some(Anchor::Behind);
            }
            !is_negative && pattern.is_bare && anchor.is_none()
        };
        let mut last = None;
        if pattern.is_bare
            && pattern.has_point
            && let Some(point) = number.iter().position(|digit| *digit == b'.')
        {
            let digit = number.iter().rposition(|digit| *digit != b'0').unwrap_or(point);
            let mut relevant = digit.max(point);
            if pattern.zero_last > blanks {
                relevant = relevant.max((number.len() - 1).min(pattern.zero_last - blanks));
            }
            last = Some(relevant);
        }
        let places = pattern.before + pattern.behind;
        Writer {
            pattern,
            is_negative,
            number,
            next: 0,
            blanks,
            place: 0,
            places: places + usize::from(!is_signed && blanks == 0),
            last,
            is_signed,
            is_in_number: false,
            brackets,
            anchor,
            out: String::new(),
        }
    }

    fn written(mut self) -> String {
        let is_bare = self.pattern.is_bare;
        for part in &self.pattern.parts {
            match part {
                Part::Nine | Part::Zero | Part::Point => self.put(*part == Part::Zero),
                Part::Comma if self.is_in_number => self.out.push(','),
                Part::Minus if self.is_negative => self.out.push('-'),
                Part::Plus if !self.is_negative => self.out.push('+'),
                Part::Comma | Part::Minus | Part::Plus if is_bare => {}
                Part::Comma | Part::Minus | Part::Plus => self.out.push(' '),
                Part::Sign => self.out.push(self.sign()),
                Part::Nothing => {}
                Part::Char(char) => self.out.push(*char),
            }
        }
        // Behind the last digit there is nothing, and nothing behind that.
        let end = self.out.find('\0').unwrap_or(self.out.len());
        self.out.truncate(end);
        self.out
    }

    fn sign(&self) -> char {
        if self.is_negative { '-' } else { '+' }
    }

    fn last_is_point(&self) -> bool {
        self.last.is_some_and(|last| self.number[last] == b'.')
    }

    /// Whether the zero in front of the point is left out: `9.9` of 0.1 is `  .1`.
    fn is_lone_zero(&self) -> bool {
        self.pattern.zero_first.is_none()
            && self.next == 0
            && self.number.first() == Some(&b'0')
            && self.pattern.behind != 0
    }

    fn put(&mut self, is_zero: bool) {
        self.is_in_number = false;
        let zeros = self.pattern.zero_first;
        if !self.is_signed
            && (self.place >= self.blanks || zeros == Some(self.place))
            && (!self.is_lone_zero() || self.last_is_point())
        {
            self.put_sign();
        }
        if self.place < self.blanks {
            if zeros.is_some_and(|first| first <= self.place) {
                self.out.push('0');
                self.is_in_number = true;
            } else if !self.pattern.is_bare {
                self.out.push(' ');
            }
        } else {
            self.put_digit(is_zero);
        }
        self.put_end();
        self.place += 1;
    }

    fn put_sign(&mut self) {
        match self.anchor {
            Some(Anchor::Behind) => return,
            Some(Anchor::Before) => self.out.push(self.sign()),
            None if self.brackets => self.out.push(if self.is_negative { '<' } else { ' ' }),
            None if self.is_negative => self.out.push('-'),
            None if !self.pattern.is_bare => self.out.push(' '),
            None => {}
        }
        self.is_signed = true;
    }

    fn put_digit(&mut self, is_zero: bool) {
        let digit = self.number.get(self.next).copied().unwrap_or(0);
        if digit == b'.' {
            self.out.push('.');
        } else if self.last.is_some_and(|last| self.next > last) && !is_zero {
        } else if self.is_lone_zero() {
            if !self.pattern.is_bare {
                self.out.push(' ');
            } else if self.last_is_point() {
                self.out.push('0');
            }
        } else {
            self.out.push(char::from(digit));
            self.is_in_number = true;
        }
        self.next += usize::from(self.next < self.number.len());
    }

    /// What stands behind the last place.
    fn put_end(&mut self) {
        let point = usize::from(self.pattern.has_point);
        let mut end = self.places + usize::from(self.blanks > 0) + point;
        if self.last == Some(self.next) {
            end = self.place + 1;
        }
        if self.place + 2 != end {
            return;
        }
        if self.is_signed && self.brackets {
            self.out.push(if self.is_negative { '>' } else { ' ' });
        } else if self.anchor == Some(Anchor::Behind) {
            self.out.push(self.sign());
        }
    }
}
