//! Parameters of read requests: the query string and a form body, merged, in Loki's syntax.
//!
//! Times are seconds or nanoseconds by their length, or RFC 3339; durations are float seconds or
//! Prometheus text. Every mistake is a 400 in Loki's words.

use std::time::Duration;

use axum::http::HeaderMap;

use super::error::Error;
use crate::cluster::consistency::Consistency;
use crate::model::limits::Span;
use crate::model::{TimeRange, Timestamp};
use crate::query::logs::Direction;

/// Points that one series of an answer may have.
const POINTS_MAX: i64 = 11_000;
/// `limit` where none was given.
const LIMIT_DEFAULT: u32 = 100;

/// Names and values in the order they came; a name may occur several times.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `application/x-www-form-urlencoded` text: a query string or a form body.
    pub(super) fn parse(texts: &[&str]) -> Params {
        let pairs = texts.iter().flat_map(|text| text.split('&')).filter(|pair| !pair.is_empty());
        Params(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// Adds what headers say of how recent the data must be, where no parameter does.
    pub(super) fn or_headers(mut self, headers: &HeaderMap) -> Params {
        let known = [
            ("x-drave-consistency", "consistency"),
            ("x-drave-max-staleness", "max_staleness"),
            ("x-drave-token", "token"),
            ("x-drave-allow-partial", "allow_partial"),
        ];
        for (header, name) in known {
            if let Some(value) = headers.get(header).and_then(|value| value.to_str().ok()) {
                self.0.push((name.into(), value.into()));
            }
        }
        self
    }

    /// `consistency`, with `max_staleness` or `token` where it needs one. A token alone means a
    /// session.
    pub(super) fn consistency(&self) -> Result<Consistency, Error> {
        let session = || {
            let token = self.get("token").ok_or_else(|| {
                let text = "consistency=session needs a token: what X-Drave-Commit said";
                Error::bad_request(text)
            })?;
            Consistency::session(token).map_err(Error::bad_request)
        };
        match self.get("consistency") {
            None if self.get("token").is_some() => session(),
            None | Some("linearizable") => Ok(Consistency::Linearizable),
            Some("session") => session(),
            Some("stale") => {
                let age: Result<Span, _> = self.get("max_staleness").unwrap_or("10s").parse();
                let age = age.map_err(|why| could_not_parse("max_staleness", &why.to_string()))?;
                Ok(Consistency::Stale(age.0))
            }
            Some(other) => {
                let text = format!("consistency '{other}' is none of linearizable, session, stale");
                Err(Error::bad_request(text))
            }
        }
    }

    /// `allow_partial`: whether a shard that cannot be read is left out of the answer.
    pub(super) fn allow_partial(&self) -> Result<bool, Error> {
        match self.get("allow_partial") {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(other) => {
                Err(Error::bad_request(format!("allow_partial '{other}' is none of true, false")))
            }
        }
    }

    /// The first value of a name; `None` where it is absent or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    /// Every value of a name.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let found: Vec<&str> =
            self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect();
        found.into_iter()
    }

    /// `start..end` from `start`, `end` and `since`; the last hour where nothing was given.
    pub(super) fn range(&self, now: Timestamp) -> Result<TimeRange, Error> {
        let end = match self.get("end") {
            Some(text) => time(text).map_err(|why| could_not_parse("end", &why))?,
            None => now,
        };
        let since = match self.get("since") {
            Some(text) => {
                let span: Result<Span, _> = text.parse();
                span.map_err(|why| could_not_parse("since", &why.to_string()))?.0
            }
            None => Duration::from_secs(3600),
        };
        let start = match self.get("start") {
            Some(text) => time(text).map_err(|why| could_not_parse("start", &why))?,
            None => end.min(now).before(since),
        };
        if end < start {
            let text = "end timestamp must not be before or equal to start time";
            return Err(Error::bad_request(text));
        }
        if end.0.checked_sub(start.0).is_none() {
            return Err(Error::bad_request("the query time range exceeds the limit of 292 years"));
        }
        Ok(start..end)
    }

    /// `time` of an instant query.
    pub(super) fn time(&self, now: Timestamp) -> Result<Timestamp, Error> {
        self.get("time").map_or(Ok(now), |text| time(text).map_err(Error::bad_request))
    }

    /// `step` of a range query: by default a 250th of the range in whole seconds, at least one.
    pub(super) fn step(&self, range: &TimeRange) -> Result<Duration, Error> {
        let length = range.end.0 - range.start.0;
        let step = match self.get("step") {
            Some(text) => seconds_or_duration(text)?,
            None => (length / 250 / 1_000_000_000).max(1) * 1_000_000_000,
        };
        if step <= 0 {
            return Err(Error::bad_request(
                "zero or negative query resolution step widths are not accepted. \
                 Try a positive integer",
            ));
        }
        if length / step > POINTS_MAX {
            return Err(Error::bad_request(
                "exceeded maximum resolution of 11,000 points per time series. \
                 Try increasing the value of the step parameter",
            ));
        }
        Ok(Duration::from_nanos(u64::try_from(step).expect("it is positive")))
    }

    /// `interval` of a log query: at most one entry per stream and interval; zero keeps all.
    pub(super) fn interval(&self) -> Result<Duration, Error> {
        let nanos = self.get("interval").map_or(Ok(0), seconds_or_duration)?;
        match u64::try_from(nanos) {
            Ok(nanos) => Ok(Duration::from_nanos(nanos)),
            Err(_) => Err(Error::bad_request("interval must be >= 0")),
        }
    }

    /// `limit`: how many entries to answer.
    pub(super) fn limit(&self) -> Result<u32, Error> {
        self.count("limit", LIMIT_DEFAULT)
    }

    /// A parameter that says how many of something to answer.
    pub(super) fn count(&self, name: &str, default: u32) -> Result<u32, Error> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let limit: i64 = text.parse().map_err(|_| {
            let why = if text.bytes().all(|c| c.is_ascii_digit()) {
                "value out of range"
            } else {
                "invalid syntax"
            };
            Error::bad_request(format!("strconv.Atoi: parsing {text:?}: {why}"))
        })?;
        match u32::try_from(limit) {
            Ok(0) => Err(Error::bad_request("limit must be a positive value")),
            Ok(limit) => Ok(limit),
            Err(_) if limit < 0 => Err(Error::bad_request("limit must be a positive value")),
            Err(_) => Err(Error::bad_request(format!(
                "limit value {limit} is out of range [0, 4294967295]"
            ))),
        }
    }

    /// `direction`: newest first by default.
    pub(super) fn direction(&self) -> Result<Direction, Error> {
        match self.get("direction") {
            None => Ok(Direction::Backward),
            Some(text) if text.eq_ignore_ascii_case("backward") => Ok(Direction::Backward),
            Some(text) if text.eq_ignore_ascii_case("forward") => Ok(Direction::Forward),
            Some(text) => Err(Error::bad_request(format!("invalid direction '{text}'"))),
        }
    }
}

/// A point in time: float seconds where there is a dot, seconds up to ten digits, nanoseconds
/// above, else RFC 3339.
fn time(text: &str) -> Result<Timestamp, String> {
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
    {
        return Ok(Timestamp(from_float_seconds(seconds)));
    }
    let syntax = || format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit()) {
        let number: i64 = text
            .parse()
            .map_err(|_| format!("strconv.ParseInt: parsing {text:?}: value out of range"))?;
        let is_seconds = text.len() <= 10;
        return Ok(if is_seconds { Timestamp::from_secs(number) } else { Timestamp(number) });
    }
    let parsed = chrono::DateTime::parse_from_rfc3339(text).map_err(|_| syntax())?;
    parsed.timestamp_nanos_opt().map(Timestamp).ok_or_else(syntax)
}

/// Whole milliseconds, as Loki rounds them.
#[expect(clippy::cast_possible_truncation, reason = "saturates, which is what is wanted")]
fn from_float_seconds(seconds: f64) -> i64 {
    ((seconds * 1e3).round() as i64).saturating_mul(1_000_000)
}

/// Nanoseconds from float seconds or a Prometheus duration.
#[expect(clippy::cast_possible_truncation, reason = "bounds are checked before")]
fn seconds_or_duration(text: &str) -> Result<i64, Error> {
    let cannot = || Error::bad_request(format!("cannot parse {text:?} to a valid duration"));
    if let Ok(seconds) = text.parse::<f64>() {
        let nanos = seconds * 1e9;
        if !nanos.is_finite() || nanos.abs() >= 9.2e18 {
            return Err(cannot());
        }
        return Ok(nanos as i64);
    }
    let Span(duration) = text.parse().map_err(|_| cannot())?;
    i64::try_from(duration.as_nanos()).map_err(|_| cannot())
}

fn could_not_parse(name: &str, why: &str) -> Error {
    Error::bad_request(format!("could not parse '{name}' parameter: {why}"))
}

/// Percent-decoding with `+` for a space. A broken escape stays as it is; bytes that are no UTF-8
/// become U+FFFD, so that a query in a wrong encoding is refused by its parser and not by us.
pub(super) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = bytes.get(at + 1..at + 3).and_then(|hex| {
            let hex = std::str::from_utf8(hex).ok()?;
            u8::from_str_radix(hex, 16).ok()
        });
        match (bytes[at], escaped) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn params(text: &str) -> Params {
        Params::parse(&[text])
    }

    #[test]
    fn times() {
        let check = |text: &str, expected: i64| {
            assert_eq!(time(text), Ok(Timestamp(expected)), "{text}");
        };
        check("1700000000", 1_700_000_000_000_000_000);
        check("1700000000.5", 1_700_000_000_500_000_000);
        check("1700000000000", 1_700_000_000_000);
        check("2026-11-20T00:30:00Z", 1_795_134_600_000_000_000);
        for bad in ["x", "NaN", "+Inf", "99999999999999999999", ""] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges() {
        let seconds = |text: &str| {
            params(text)
                .range(NOW)
                .map(|range| (range.start.0 / 1_000_000_000, range.end.0 / 1_000_000_000))
        };
        assert_eq!(seconds("").ok(), Some((1_799_996_400, 1_800_000_000)));
        assert_eq!(seconds("since=30m&end=1700003600").ok(), Some((1_700_001_800, 1_700_003_600)));
        assert_eq!(seconds("start=60&end=60").ok(), Some((60, 60)));
        assert!(seconds("start=61&end=60").is_err());
        assert!(seconds("start=-9223372036854775808&end=9223372036854775807").is_err());
    }

    #[test]
    fn steps_and_limits() {
        let range = params("start=1700000000&end=1700003600").range(NOW).expect("a range");
        let step = |text: &str| params(text).step(&range).ok().map(|step| step.as_millis());
        assert_eq!(step(""), Some(14_000));
        assert_eq!(step("step=1.5"), Some(1500));
        assert_eq!(step("step=250ms"), None, "more than 11,000 points");
        assert_eq!(step("step=1m"), Some(60_000));
        assert_eq!(step("step=0"), None);
        assert_eq!(step("step=0.5h"), None);
        assert_eq!(params("limit=5").limit().ok(), Some(5));
        for bad in ["0", "-1", "abc", "1.5", "999999999999"] {
            assert!(params(&format!("limit={bad}")).limit().is_err(), "{bad}");
        }
    }

    #[test]
    fn decodes() {
        assert_eq!(params("q=%7Ba%3D%22b+c%22%7D&q=2").get("q"), Some("{a=\"b c\"}"));
        assert_eq!(params("q=100%").get("q"), Some("100%"));
        assert_eq!(params("q=%ff").get("q"), Some("\u{fffd}"));
    }
}
