//! Metadata that entries must have: `{...} | trace_id="x"` keeps no entry without it.
//!
//! In: the stages of a query. Out: groups of names and values, of each of which an entry that is kept
//! has one, unless its stream has a label of that name: whoever asks knows the stream.
//!
//! Only filters that come before everything else are read: a parser, `label_format`, `drop` or `keep`
//! makes or takes away labels of any name.

use super::names::{DUPLICATE_SUFFIX, Name, Names};
use super::row::PRESERVE_ERROR;
use super::stage::Stage;
use super::stage::label_filter::LabelFilter;
use crate::model::MatchOp;

/// A name and a value, of which an entry has one of several.
pub(crate) type Given = (String, String);

/// The groups that the first stages ask for.
pub(crate) fn given(names: &Names, stages: &[Stage]) -> Vec<Vec<Given>> {
    let mut groups = Vec::new();
    for stage in stages {
        match stage {
            Stage::Label(filter) => collect(names, filter, &mut groups),
            Stage::Line(_) => {}
            _ => break,
        }
    }
    groups
}

fn collect(names: &Names, filter: &LabelFilter, groups: &mut Vec<Vec<Given>>) {
    if let LabelFilter::And(left, right) = filter {
        collect(names, left, groups);
        collect(names, right, groups);
        return;
    }
    let mut group = Vec::new();
    if alternatives(names, filter, &mut group).is_some() {
        groups.push(group);
    }
}

/// What of this filter one must hold; nothing where it may hold without any of them.
fn alternatives(names: &Names, filter: &LabelFilter, group: &mut Vec<Given>) -> Option<()> {
    match filter {
        LabelFilter::Text(name, matcher) => {
            let own = text(names, *name)?;
            let values: Vec<&str> = match matcher.op {
                MatchOp::Equal => vec![&matcher.value],
                MatchOp::Matches if is_plain(&matcher.value) => matcher.value.split('|').collect(),
                MatchOp::Matches | MatchOp::NotEqual | MatchOp::NotMatches => return None,
            };
            // A label that is absent is empty, too.
            if values.iter().any(|value| value.is_empty()) {
                return None;
            }
            group.extend(values.into_iter().map(|value| (own.to_owned(), value.to_owned())));
            Some(())
        }
        LabelFilter::Or(left, right) => {
            alternatives(names, left, group)?;
            alternatives(names, right, group)
        }
        // Of these, one side would do; numbers and addresses have many texts.
        _ => None,
    }
}

/// The name that metadata has it under. One that is shown under another name, for its stream has a
/// label of that, is not looked for.
fn text(names: &Names, name: Name) -> Option<&str> {
    let text = names.text(name);
    (name > PRESERVE_ERROR && !text.ends_with(DUPLICATE_SUFFIX)).then_some(text)
}

/// Whether a pattern is nothing but texts, one of which must be the whole value.
fn is_plain(pattern: &str) -> bool {
    pattern.bytes().all(|c| c.is_ascii_alphanumeric() || b"|_-/: ".contains(&c))
}

#[cfg(test)]
mod tests {
    use crate::logql::ast::Query;
    use crate::logql::parse;
    use crate::logql::pipeline::{Hints, Pipeline};

    #[test]
    fn what_entries_must_have() {
        let check = |stages: &str, expected: &str| {
            let text = format!(r#"{{app="a"}} {stages}"#);
            let Ok(Query::Log(log)) = parse(&text) else { panic!("{text}") };
            let pipeline = Pipeline::compile(&log.pipeline, &Hints::default()).expect("good");
            let groups = pipeline.given().iter().map(|group| {
                let pairs = group.iter().map(|(name, value)| format!("{name}={value}"));
                pairs.collect::<Vec<_>>().join("|")
            });
            assert_eq!(groups.collect::<Vec<_>>().join(" "), expected, "{stages}");
        };
        check("", "");
        check(r#"| t="x""#, "t=x");
        check(r#"|= "y" | t="x" | n > 5 | u="z""#, "t=x u=z");
        check(r#"| t="x" and u="y", v="z""#, "t=x u=y v=z");
        check(r#"| t="x" or u="y""#, "t=x|u=y");
        check(r#"| t=~"x|y-1""#, "t=x|t=y-1");
        check(r#"| t="x" | json | u="y""#, "t=x");
        check(r#"| json | t="x""#, "");
        check(r#"| label_format t=u | t="x""#, "");
        check(r#"| drop t | t="x""#, "");
        // Nothing of this must be there.
        check(r#"| t="""#, "");
        check(r#"| t!="x" | u!~"y""#, "");
        check(r#"| t=~"x|""#, "");
        check(r#"| t=~"x.*""#, "");
        check(r#"| t="x" or n > 5"#, "");
        check(r#"| t="x" or u!="y""#, "");
        check(r#"| t_extracted="x""#, "");
        check(r#"| __error__="x""#, "");
    }
}
