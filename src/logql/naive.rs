//! Naive twins of the fast parsers: what a line means by the definition, written to be obvious.
//!
//! Lines are generated together with their meaning, so that the twin does not need to parse. Whole
//! queries are made in [`queries`], answered in [`evaluate`], and compared in [`agree`].

mod agree;
mod evaluate;
mod queries;
mod stages;

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::ast::Stage;
use super::pipeline::{Hints, Order, Pipeline, Runner};
use crate::model::{Labels, Lines, Rows};

/// A JSON value with the order of its members.
#[derive(Clone, Debug)]
enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,2})?(e[0-9])?".prop_map(Json::Number),
        "[a-c\"\\\\é\u{fffd}\n{}\\[\\],: ]{0,5}".prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::Array),
            object(inner),
        ]
    })
}

fn object(inner: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    prop::collection::vec(("[ab1é\\-\"]{0,2}", inner), 0..5).prop_map(Json::Object)
}

/// Writes a value with as much white space as `space` says.
fn write(out: &mut String, value: &Json, space: &str) {
    out.push_str(space);
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(text) => out.push_str(text),
        Json::Text(text) => out.push_str(&serde_json::to_string(text).expect("a text")),
        Json::Array(values) => {
            out.push('[');
            for (i, value) in values.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                write(out, value, space);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (i, (key, value)) in members.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                out.push_str(space);
                out.push_str(&serde_json::to_string(key).expect("a text"));
                out.push_str(space);
                out.push(':');
                write(out, value, space);
                out.push_str(space);
            }
            out.push('}');
        }
    }
    out.push_str(space);
}

/// The labels of an object: joined names, first value of each, collisions with `app` renamed.
fn flatten(labels: &mut Vec<(String, String)>, prefix: &str, members: &[(String, Json)]) {
    for (key, value) in members {
        let key = key.trim();
        let mut name: String = key
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
            .collect();
        if !prefix.is_empty() {
            name = format!("{prefix}_{name}");
        } else if name.starts_with(|c: char| c.is_ascii_digit()) {
            name.insert(0, '_');
        }
        let text = match value {
            Json::Null | Json::Array(_) => continue,
            Json::Object(members) => {
                flatten(labels, &name, members);
                continue;
            }
            Json::Bool(value) => value.to_string(),
            Json::Number(text) => text.clone(),
            Json::Text(text) => text.replace('\u{fffd}', " "),
        };
        if name == "a" {
            name = "a_extracted".to_owned();
        }
        if !name.is_empty() && !labels.iter().any(|(own, _)| *own == name) {
            labels.push((name, text));
        }
    }
}

/// The parsed labels and the error of each line, sorted. The stream has a label `a`.
fn run(stage: Stage, hints: &Hints, lines: &[String]) -> Vec<Vec<(String, String)>> {
    let pipeline = Pipeline::compile(&[stage], hints).expect("a good stage");
    let mut offsets = vec![0];
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend_from_slice(line.as_bytes());
        offsets.push(u32::try_from(bytes.len()).expect("short"));
    }
    let stream = Labels::from_pairs([("a", "x")]).expect("unique");
    let rows = Rows {
        timestamps: vec![0; lines.len()],
        lines: Some(Lines { bytes: bytes.into(), offsets }),
        metadata: None,
    };
    let mut found = Vec::new();
    let _ = Runner::new(&pipeline).run(&stream, &rows, Order::Forward, &mut |entry| {
        let labels = entry.labels().filter(|(name, ..)| *name != "a");
        let mut labels: Vec<(String, String)> =
            labels.map(|(name, _, value)| (name.to_owned(), value.to_owned())).collect();
        labels.sort();
        found.push(labels);
        ControlFlow::Continue(())
    });
    found
}

proptest! {
    #[test]
    fn json_says_what_it_was_made_of(
        objects in prop::collection::vec(object(json()), 1..6),
        space in "[ \t]{0,2}",
        needed in prop::collection::vec("(a_extracted|b|a_b|_1|b_b|zz)", 0..3),
    ) {
        let mut lines = Vec::new();
        let mut expected = Vec::new();
        for value in &objects {
            let mut line = String::new();
            write(&mut line, value, &space);
            lines.push(line);
            let Json::Object(members) = value else { unreachable!("only objects are made") };
            let mut labels = Vec::new();
            flatten(&mut labels, "", members);
            labels.sort();
            expected.push(labels);
        }
        prop_assert_eq!(run(Stage::Json(vec![]), &Hints::default(), &lines), expected.clone());
        // With hints only what is needed is there, but it is the same.
        let hints = Hints { labels: Some(needed.clone()), now: 0 };
        for labels in &mut expected {
            labels.retain(|(name, _)| needed.contains(name));
        }
        prop_assert_eq!(run(Stage::Json(vec![]), &hints, &lines), expected);
    }

    #[test]
    fn cut_json_keeps_what_came_before(object in object(json()), cut in 0..60usize) {
        let mut line = String::new();
        write(&mut line, &object, "");
        let Json::Object(members) = &object else { unreachable!("only objects are made") };
        let mut all = Vec::new();
        flatten(&mut all, "", members);
        let end = (0..=cut.min(line.len() - 1)).rev().find(|n| line.is_char_boundary(*n));
        line.truncate(end.expect("0 is a boundary"));
        let [labels] = &run(Stage::Json(vec![]), &Hints::default(), &[line.clone()])[..] else {
            panic!("one line")
        };
        prop_assert!(labels.iter().any(|(name, _)| name == "__error__"), "{}", line);
        for label in labels.iter().filter(|(name, _)| !name.starts_with("__error")) {
            // A number that is cut is still a number.
            let whole = all.iter().any(|(name, value)| {
                *name == label.0 && value.starts_with(&label.1)
            });
            prop_assert!(whole, "{:?} of {}", label, line);
        }
    }

    #[test]
    fn logfmt_says_what_it_was_made_of(
        lines in prop::collection::vec(
            prop::collection::vec(("[ab1é.\\-]{1,2}", prop::option::of("[a-c\"\\\\é =\n]{0,5}")), 0..6),
            1..5,
        ),
        space in "[ \t\n]{1,2}",
        keep_empty in any::<bool>(),
    ) {
        let mut texts = Vec::new();
        let mut expected = Vec::new();
        for pairs in &lines {
            let mut labels: Vec<(String, String)> = Vec::new();
            let written = pairs.iter().map(|(key, value)| {
                let value = value.clone().unwrap_or_default();
                // A newline must be written as an escape, so the value must have one.
                let quoted = serde_json::to_string(&value).expect("a text");
                let text = match &value {
                    value if value.is_empty() => key.clone(),
                    value if value.contains(['"', '\\', ' ', '=', '\n']) => format!("{key}={quoted}"),
                    value => format!("{key}={value}"),
                };
                let mut name: String =
                    key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
                if name.starts_with('1') {
                    name.insert(0, '_');
                }
                if name == "a" {
                    name = "a_extracted".to_owned();
                }
                let fits = keep_empty || !value.is_empty();
                if fits && !labels.iter().any(|(own, _)| *own == name) {
                    labels.push((name, value));
                }
                text
            });
            let written: Vec<String> = written.collect();
            texts.push(written.join(&space));
            labels.sort();
            expected.push(labels);
        }
        for strict in [false, true] {
            let stage = Stage::Logfmt { strict, keep_empty, extract: vec![] };
            prop_assert_eq!(run(stage, &Hints::default(), &texts), expected.clone());
        }
    }

    #[test]
    fn parsers_never_panic(lines in prop::collection::vec("[\\{\\}\\[\\]\":,a=\\\\ \u{fffd}é1]{0,20}", 1..9)) {
        let extract = |expression: &str| super::ast::Extract {
            label: "x".to_owned(),
            expression: expression.to_owned(),
        };
        let stages = [
            Stage::Json(vec![]),
            Stage::Json(vec![extract("a[1].a"), extract("a")]),
            Stage::Logfmt { strict: true, keep_empty: true, extract: vec![] },
            Stage::Logfmt { strict: false, keep_empty: false, extract: vec![extract("a")] },
            Stage::Unpack,
            Stage::Pattern("<x>a<y>".to_owned()),
            Stage::Regexp("(?P<x>a+)|(?P<y>.)".to_owned()),
            Stage::Decolorize,
        ];
        for stage in stages {
            prop_assert_eq!(run(stage, &Hints::default(), &lines).len(), lines.len());
        }
    }
}
