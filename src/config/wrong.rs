//! What is wrong with a file, and where: the line, the key with those above it, the value.
//!
//! In: a file's value and its text, and who says what is wrong with a value. Out: one line.
//!
//! serde says what is wrong with a value and not which key has it. But every key has a default, so
//! a part of a file is a file, too: the smallest part with the same complaint is the place.

use serde_norway::{Mapping, Value};

use super::suggest;

/// Says what is wrong with a value; nothing where it is good.
type Check<'c> = &'c dyn Fn(Value) -> Option<String>;

/// A key of a mapping, or a place in a list.
enum Step {
    Key(String),
    At(usize),
}

/// A complaint about a file, with its place. `above` are the keys under which `value` stands in
/// `text`.
pub(super) fn explain(text: &str, above: &[&str], value: &Value, check: Check<'_>) -> String {
    let mut path: Vec<Step> = above.iter().map(|key| Step::Key((*key).to_owned())).collect();
    let complaint = find(value, None, check, &mut path).or_else(|| check(value.clone()));
    let complaint = suggest(&complaint.unwrap_or_default());
    if path.is_empty() {
        return complaint;
    }
    let line = line_of(text, &path).map_or_else(String::new, |line| format!("line {line}, "));
    // An unknown key is in the complaint already.
    if complaint.starts_with("unknown key") {
        path.pop();
    }
    match written(&path) {
        path if path.is_empty() => format!("{line}{complaint}"),
        path => format!("{line}{path}: {complaint}"),
    }
}

/// Goes down to the part that has the complaint, or any at first; what that is.
fn find(
    value: &Value,
    complaint: Option<&str>,
    check: Check<'_>,
    path: &mut Vec<Step>,
) -> Option<String> {
    let goes_on = |alone: Check<'_>, part: &Value, step: Step, path: &mut Vec<Step>| {
        let found = alone(part.clone())?;
        if complaint.is_some_and(|complaint| complaint != found) {
            // A part that lacks another one, or so.
            return None;
        }
        path.push(step);
        find(part, Some(&found), alone, path);
        Some(found)
    };
    // What is no better without all of its parts is wrong itself.
    let is_itself = |empty| complaint.is_some() && check(empty).as_deref() == complaint;
    match value {
        Value::Mapping(_) if is_itself(Value::Mapping(Mapping::new())) => None,
        Value::Sequence(_) if is_itself(Value::Sequence(Vec::new())) => None,
        Value::Mapping(keys) => keys.iter().find_map(|(key, part)| {
            let alone = |part| check(Value::Mapping(Mapping::from_iter([(key.clone(), part)])));
            let name = match key {
                Value::String(name) => name.clone(),
                other => serde_norway::to_string(other).ok()?.trim().to_owned(),
            };
            goes_on(&alone, part, Step::Key(name), path)
        }),
        Value::Sequence(parts) => parts.iter().enumerate().find_map(|(at, part)| {
            let alone = |part| check(Value::Sequence(vec![part]));
            goes_on(&alone, part, Step::At(at), path)
        }),
        _ => None,
    }
}

/// `a.b[2].c`
fn written(path: &[Step]) -> String {
    path.iter().enumerate().fold(String::new(), |out, (n, step)| match step {
        Step::Key(key) if n == 0 => key.clone(),
        Step::Key(key) => format!("{out}.{key}"),
        Step::At(at) => format!("{out}[{at}]"),
    })
}

/// The line of the last key of a path that stands on a line of its own.
fn line_of(text: &str, path: &[Step]) -> Option<usize> {
    let mut lines = text.lines().enumerate().filter_map(|(n, line)| {
        let word = line.trim_start();
        let is_said = !word.is_empty() && !word.starts_with('#');
        is_said.then(|| (n + 1, line.len() - word.len(), word))
    });
    let mut found = None;
    for step in path {
        let Step::Key(key) = step else { break };
        // The keys of one mapping stand equally far in.
        let mut margin = None;
        let place = lines.find_map(|(line, indent, word)| {
            let margin = *margin.get_or_insert(indent);
            if indent < margin || found.is_some_and(|(_, outer)| indent <= outer) {
                return Some(None);
            }
            let name = word.split_once(':').map(|(name, _)| name.trim().trim_matches(['"', '\'']));
            (indent == margin && name == Some(key)).then_some(Some((line, indent)))
        });
        match place.flatten() {
            Some(place) => found = Some(place),
            None => break,
        }
    }
    found.map(|(line, _)| line)
}

#[cfg(test)]
mod tests {
    use super::super::{Config, runtime};
    use crate::model::limits::Limits;

    fn check(text: &str, expected: &str) {
        assert_eq!(Config::parse(text).expect_err("a bad file"), expected, "{text}");
    }

    /// These said which value was wrong at most, and not of which key.
    #[test]
    fn a_bad_value_says_its_line_and_its_key_and_what_is_wanted() {
        let duration = "(write 10m, 1h30m or 7d)";
        check(
            "auth_enabled: true\n\nseal:\n  # Soon.\n  age: 5 minutes\n",
            &format!("line 5, seal.age: not a valid duration string: '5 minutes' {duration}"),
        );
        check(
            "seal: {age: 5}",
            &format!("line 1, seal.age: not a valid duration string: '5' {duration}"),
        );
        check(
            "limits_config:\n  query_timeout: true\n",
            &format!(
                "line 2, limits_config.query_timeout: not a valid duration string: 'true' {duration}"
            ),
        );
        let size = "(write 256KB, 1MB or a whole number)";
        for (value, told) in
            [("lots", "lots"), ("-5", "-5"), ("1.5", "1.5"), ("[1]", "a list or keys")]
        {
            check(
                &format!("server:\n  log_level: info\nlimits_config:\n  max_line_size: {value}\n"),
                &format!(
                    "line 4, limits_config.max_line_size: not a size in bytes: '{told}' {size}"
                ),
            );
        }
        check(
            "auth_enabled: maybe",
            "line 1, auth_enabled: invalid type: string \"maybe\", expected a boolean",
        );
        check(
            "server:\n  http_listen_port: 99999",
            "line 2, server.http_listen_port: invalid value: integer `99999`, expected u16",
        );
    }

    #[test]
    fn a_key_that_stands_deep_is_found() {
        let lists = "limits_config:\n  volume_enabled: true\n  blocked_queries:\n  - pattern: x\n  \
                     - pattern: y\n    regex: 7\n";
        check(
            lists,
            "line 3, limits_config.blocked_queries[1].regex: invalid type: integer `7`, expected a \
             boolean",
        );
        // The same name stands in other blocks, too.
        check(
            "sql:\n  listen_port: 1\npeer:\n  listen_address: x\n  listen_port: x\n",
            "line 5, peer.listen_port: invalid type: string \"x\", expected u16",
        );
    }

    #[test]
    fn an_unknown_key_says_its_line_and_its_block() {
        check("a:\n  b: 1\n", "line 1, unknown key 'a'");
        check(
            "auth_enabled: true\nserver:\n  log_level: info\n  http_port: 1\n",
            "line 4, server: unknown key 'http_port': did you mean 'http_listen_port'?",
        );
    }

    #[test]
    fn a_bad_override_says_whose() {
        let check = |text: &str, expected: &str| {
            let texts = [("f".to_owned(), text.to_owned())];
            let wrong = runtime::merged(&texts, &Limits::default()).expect_err("a bad file");
            assert_eq!(wrong, ("f".to_owned(), expected.to_owned()));
        };
        check(
            "overrides:\n  a:\n    query_timeout: 5s\n  b:\n    query_timeout: 5\n",
            "line 5, overrides.b.query_timeout: not a valid duration string: '5' (write 10m, 1h30m \
             or 7d)",
        );
        check(
            "overrides:\n  29:\n    query_timeot: 5s\n",
            "line 3, overrides.29: unknown key 'query_timeot': did you mean 'query_timeout'?",
        );
    }
}
