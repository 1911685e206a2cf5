//! The settings of one connection: SET, SHOW, RESET and the values the server reports.
//!
//! - A setting that Postgres does not have is an error, never ignored.
//! - A value that would change what clients read (time zone, encoding, date style) is accepted
//!   only if it is the one we use: the alternative is an answer that means something else.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::SqlError;
use crate::pushdown::is_utc;
use crate::table::Reading;

/// What values a setting takes.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Anything: it has no effect here.
    Free,
    /// Told by the server, not set by the client.
    Fixed,
    /// `on` or `off`, without effect.
    Bool,
    /// A time span; zero means none.
    Millis,
    /// One of these, in any case and spelling we accept.
    OneOf(&'static [&'static str]),
    /// One of these, in any case: they differ.
    Word(&'static [&'static str]),
    /// A name of UTC.
    Utc,
}

use Kind::{Bool, Fixed, Free, Millis, OneOf, Utc, Word};

/// Name, default, values. The names have the spelling that SHOW ALL and ParameterStatus use.
const SETTINGS: &[(&str, &str, Kind)] = &[
    ("allow_in_place_tablespaces", "off", Fixed),
    ("application_name", "", Free),
    ("array_nulls", "on", OneOf(&["on"])),
    ("backslash_quote", "safe_encoding", Free),
    ("bytea_output", "hex", OneOf(&["hex"])),
    ("client_encoding", "UTF8", OneOf(&["UTF8", "UTF-8", "UNICODE"])),
    ("client_min_messages", "notice", Free),
    ("check_function_bodies", "on", Bool),
    ("DateStyle", "ISO, MDY", OneOf(&["ISO, MDY", "ISO", "ISO,MDY", "ISO, DMY", "ISO, YMD"])),
    ("default_table_access_method", "heap", Free),
    ("default_tablespace", "", Free),
    ("default_text_search_config", "pg_catalog.simple", Free),
    ("default_transaction_deferrable", "off", Bool),
    ("default_transaction_isolation", "read committed", Free),
    ("default_transaction_read_only", "off", Bool),
    ("drave.allow_partial", "off", Bool),
    ("drave.consistency", "linearizable", Word(&["linearizable", "session", "stale"])),
    ("drave.max_staleness", "10s", Millis),
    ("drave.token", "", Free),
    ("escape_string_warning", "on", Bool),
    ("extra_float_digits", "1", Free),
    ("geqo", "on", Bool),
    ("idle_in_transaction_session_timeout", "0", Millis),
    ("idle_session_timeout", "0", Millis),
    ("in_hot_standby", "off", Fixed),
    ("integer_datetimes", "on", Fixed),
    ("IntervalStyle", "postgres", OneOf(&["postgres"])),
    ("is_superuser", "off", Fixed),
    ("jit", "off", Bool),
    ("lc_collate", "C", Fixed),
    ("lc_ctype", "C", Fixed),
    ("lc_messages", "C", Free),
    ("lc_monetary", "C", Free),
    ("lc_numeric", "C", Free),
    ("lc_time", "C", Free),
    ("lock_timeout", "0", Millis),
    ("max_identifier_length", "63", Fixed),
    ("max_index_keys", "32", Fixed),
    ("quote_all_identifiers", "off", OneOf(&["off", "false", "0", "no"])),
    ("role", "none", OneOf(&["none"])),
    ("row_security", "on", Bool),
    ("search_path", "\"$user\", public", Free),
    ("server_encoding", "UTF8", Fixed),
    ("server_version", "", Fixed),
    ("server_version_num", "", Fixed),
    ("session_authorization", "", Fixed),
    ("standard_conforming_strings", "on", OneOf(&["on", "true", "1", "yes"])),
    ("statement_timeout", "0", Millis),
    ("synchronize_seqscans", "on", Bool),
    ("synchronous_commit", "on", Free),
    ("TimeZone", "UTC", Utc),
    ("transaction_deferrable", "off", Bool),
    ("transaction_isolation", "read committed", Free),
    ("transaction_read_only", "", Bool),
    ("work_mem", "4MB", Free),
    ("xmloption", "content", Free),
];

/// Settings that the client is told about at startup and when they change.
pub(crate) const REPORTED: &[&str] = &[
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "search_path",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
];

/// The longest value that is kept.
const VALUE_BYTES_MAX: usize = 1024;

/// The values of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// By index into `SETTINGS`, where they differ from the default.
    values: BTreeMap<usize, String>,
    /// What RESET goes back to.
    start: BTreeMap<usize, String>,
}

impl Settings {
    pub(crate) fn new(user: &str, server_version: &str) -> Settings {
        let mut settings = Settings { values: BTreeMap::new(), start: BTreeMap::new() };
        let major = server_version.split(|char: char| !char.is_ascii_digit()).next();
        let number = major.and_then(|major| major.parse().ok()).unwrap_or(0u32) * 10_000;
        let told = [
            ("session_authorization", user.to_owned()),
            ("server_version", server_version.to_owned()),
            ("server_version_num", number.to_string()),
        ];
        for (name, value) in told {
            let index = find(name).expect("it is in the list above");
            settings.start.insert(index, value);
        }
        settings.values = settings.start.clone();
        settings
    }

    /// Sets a value from the startup message. Drivers send the time zone and the encoding of their
    /// machine there: what we use instead is reported back to them.
    pub(crate) fn set_at_start(&mut self, name: &str, value: &str) -> Result<(), SqlError> {
        const SENT_BY_DRIVERS: &[&str] =
            &["client_encoding", "DateStyle", "IntervalStyle", "TimeZone"];
        let sent = SENT_BY_DRIVERS.iter().any(|known| known.eq_ignore_ascii_case(name));
        match self.set(name, Some(value)) {
            Err(error) if sent && error.code == "22023" => {}
            result => result?,
        }
        self.start = self.values.clone();
        Ok(())
    }

    /// Sets a value, or goes back to the default for `None`.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), SqlError> {
        let index = find(name)?;
        let (name, _, kind) = SETTINGS[index];
        let Some(value) = value else {
            match self.start.get(&index) {
                Some(start) => self.values.insert(index, start.clone()),
                None => self.values.remove(&index),
            };
            return Ok(());
        };
        let value = value.trim();
        let shown = || value.chars().take(64).collect::<String>();
        let invalid = || {
            SqlError::new(
                "22023",
                format!("invalid value for parameter \"{name}\": \"{}\"", shown()),
            )
        };
        let valid = match kind {
            Free => value.len() <= VALUE_BYTES_MAX,
            Fixed => {
                let text = format!("parameter \"{name}\" cannot be changed");
                return Err(SqlError::new("55P02", text));
            }
            Bool => ["on", "off", "true", "false", "yes", "no", "1", "0"]
                .iter()
                .any(|word| word.eq_ignore_ascii_case(value)),
            Millis => millis(value).is_some(),
            OneOf(words) | Word(words) => words.iter().any(|word| word.eq_ignore_ascii_case(value)),
            Utc if is_utc(value) || ["0", "+00", "utc"].contains(&value) => true,
            Utc => {
                return Err(invalid()
                    .hint("times are shown in UTC; convert them with AT TIME ZONE where needed"));
            }
        };
        if !valid {
            return Err(invalid());
        }
        match kind {
            // These have one meaning here, so they keep one spelling.
            OneOf(_) | Utc => self.values.remove(&index),
            Word(_) => self.values.insert(index, value.to_lowercase()),
            _ => self.values.insert(index, value.to_owned()),
        };
        Ok(())
    }

    pub(crate) fn reset_all(&mut self) {
        self.values = self.start.clone();
    }

    pub(crate) fn get(&self, name: &str) -> Result<String, SqlError> {
        let index = find(name)?;
        let (name, default, kind) = SETTINGS[index];
        let value = self.values.get(&index).map_or(default, String::as_str);
        Ok(match kind {
            Millis => show_millis(millis(value).unwrap_or_default()),
            Bool if name == "transaction_read_only" && value.is_empty() => {
                return self.get("default_transaction_read_only");
            }
            Bool => if is_on(value) { "on" } else { "off" }.to_owned(),
            _ if name == "server_version" && value.is_empty() => "unknown".to_owned(),
            _ => value.to_owned(),
        })
    }

    /// The name as the server spells it.
    pub(crate) fn canonical(name: &str) -> Result<&'static str, SqlError> {
        Ok(SETTINGS[find(name)?].0)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, String)> {
        SETTINGS.iter().map(|(name, _, _)| {
            (*name, self.get(name).expect("every name in the list can be read"))
        })
    }

    /// Each setting: name, value, default, the type pg_settings has for it, and whether only the
    /// server sets it.
    pub(crate) fn described(
        &self,
    ) -> impl Iterator<Item = (&'static str, String, String, &'static str, bool)> {
        let start = Settings { values: self.start.clone(), start: self.start.clone() };
        let get = |settings: &Settings, name| {
            settings.get(name).expect("every name in the list can be read")
        };
        SETTINGS.iter().map(move |(name, _, kind)| {
            let vartype = match kind {
                Bool => "bool",
                Millis => "integer",
                OneOf(_) | Word(_) => "enum",
                Free | Fixed | Utc => "string",
            };
            let is_fixed = matches!(kind, Fixed);
            (*name, get(self, name), get(&start, name), vartype, is_fixed)
        })
    }

    /// How the connection reads.
    pub(crate) fn reading(&self) -> Reading {
        let get = |name| self.get(name).expect("it is in the list above");
        let allows = get("drave.allow_partial").to_lowercase();
        let max_staleness = millis(&get("drave.max_staleness")).unwrap_or_default();
        Reading {
            consistency: get("drave.consistency"),
            token: get("drave.token"),
            max_staleness: Duration::from_millis(max_staleness),
            allow_partial: ["on", "true", "yes", "1"].contains(&allows.as_str()),
        }
    }

    /// Whether the client wants to be told what is no mistake.
    pub(crate) fn shows_notices(&self) -> bool {
        let level = self.get("client_min_messages").expect("it is in the list above");
        !["warning", "error"].iter().any(|above| above.eq_ignore_ascii_case(&level))
    }

    /// Whether the client wants nothing to be written.
    pub(crate) fn read_only(&self) -> bool {
        self.get("transaction_read_only").is_ok_and(|value| value == "on")
    }

    /// A time span that the client has set, if it wants one.
    pub(crate) fn timeout(&self, name: &str) -> Option<Duration> {
        let index = find(name).expect("it is in the list above");
        let value = self.values.get(&index)?;
        millis(value).filter(|millis| *millis > 0).map(Duration::from_millis)
    }
}

fn is_on(value: &str) -> bool {
    ["on", "true", "yes", "1"].iter().any(|word| word.eq_ignore_ascii_case(value))
}

fn find(name: &str) -> Result<usize, SqlError> {
    let found = SETTINGS.iter().position(|(known, _, _)| known.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let name: String = name.chars().take(64).collect();
        SqlError::new("42704", format!("unrecognized configuration parameter \"{name}\""))
    })
}

/// `5000`, `5s`, `'2 min'`.
fn millis(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|char: char| !char.is_ascii_digit());
    let unit = match text[digits.len()..].trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let millis = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    (millis <= i32::MAX as u64).then_some(millis)
}

fn show_millis(millis: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];
    let unit = units.iter().find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit));
    unit.map_or_else(|| "0".to_owned(), |(unit, name)| format!("{}{name}", millis / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str, expected: Result<&str, &str>) {
        let mut settings = Settings::new("u", "16.0 (x)");
        let got = settings.set(name, Some(value)).and_then(|()| settings.get(name));
        assert_eq!(got.as_deref().map_err(|error| error.code), expected, "{name} = {value}");
    }

    #[test]
    fn how_it_reads() {
        let mut settings = Settings::new("u", "16.0 (x)");
        assert_eq!(settings.reading(), Reading::default());
        let mut set = |name, value| settings.set(name, Some(value)).expect("a good value");
        set("drave.consistency", "STALE");
        set("drave.max_staleness", "1500");
        set("drave.allow_partial", "True");
        set("drave.token", "0:7");
        let expected = Reading {
            consistency: "stale".into(),
            token: "0:7".into(),
            max_staleness: Duration::from_millis(1500),
            allow_partial: true,
        };
        assert_eq!(settings.reading(), expected);
        settings.reset_all();
        assert_eq!(settings.reading(), Reading::default());
        check("drave.consistency", "eventual", Err("22023"));
        check("drave.max_staleness", "soon", Err("22023"));
        check("drave.max_staleness", "2min", Ok("2min"));
        check("drave.allow_partial", "maybe", Err("22023"));
    }

    #[test]
    fn values() {
        check("application_name", "psql", Ok("psql"));
        check("timezone", "utc", Ok("UTC"));
        check("TimeZone", "Etc/UTC", Ok("UTC"));
        check("TimeZone", "Europe/Berlin", Err("22023"));
        check("datestyle", "ISO", Ok("ISO, MDY"));
        check("datestyle", "German", Err("22023"));
        check("client_encoding", "utf8", Ok("UTF8"));
        check("client_encoding", "LATIN1", Err("22023"));
        check("statement_timeout", "1500", Ok("1500ms"));
        check("statement_timeout", "2min", Ok("2min"));
        check("statement_timeout", "0", Ok("0"));
        check("statement_timeout", "-1", Err("22023"));
        check("statement_timeout", "soon", Err("22023"));
        check("server_version", "17", Err("55P02"));
        check("role", "admin", Err("22023"));
        check("datafusion.execution.batch_size", "1", Err("42704"));
        check("nope", "1", Err("42704"));
    }

    #[test]
    fn start_and_reset() {
        let mut settings = Settings::new("u", "16.0 (x)");
        settings.set_at_start("application_name", "a").unwrap();
        settings.set_at_start("TimeZone", "Europe/Berlin").unwrap();
        settings.set("application_name", Some("b")).unwrap();
        settings.set("application_name", None).unwrap();
        assert_eq!(settings.get("application_name").unwrap(), "a");
        settings.set("statement_timeout", Some("2s")).unwrap();
        assert_eq!(settings.timeout("statement_timeout"), Some(Duration::from_secs(2)));
        settings.reset_all();
        assert_eq!(settings.timeout("statement_timeout"), None);
        assert_eq!(settings.get("server_version_num").unwrap(), "160000");
        assert!(settings.set_at_start("role", "admin").is_err());
        assert!(settings.set_at_start("role2", "x").is_err());
    }
}
