//! Conditions on lines, as SQL says them and as the filters of LogQL apply them: one way to look at
//! lines, for both languages, and one to leave out blocks.

use drave_proto::scan as proto;
use drave_sql::{TextFilter, TextPattern};
use regex::bytes::RegexBuilder;

use crate::logql::pipeline::{LineFilter, LineFilters};
use crate::model::Rows;

/// What a compiled expression may take.
const REGEX_BYTES_MAX: usize = 10 << 20;

/// The filters for conditions that all must hold. The error says which one is none.
pub(super) fn line_filters(conditions: &[TextFilter]) -> Result<LineFilters, String> {
    let filters = conditions.iter().map(|condition| match condition {
        TextFilter::Contains(text) => Ok(LineFilter::containing(std::slice::from_ref(text), false)),
        TextFilter::NotContains(text) => {
            Ok(LineFilter::containing(std::slice::from_ref(text), true))
        }
        TextFilter::Matches(pattern) => matching(pattern, false),
        TextFilter::NotMatches(pattern) => matching(pattern, true),
    });
    Ok(LineFilters::new(filters.collect::<Result<_, String>>()?))
}

fn matching(pattern: &TextPattern, negated: bool) -> Result<LineFilter, String> {
    let TextPattern { regex, fold } = pattern;
    let mut builder = RegexBuilder::new(regex);
    let builder = builder.dot_matches_new_line(true).case_insensitive(*fold);
    let compiled = builder.size_limit(REGEX_BYTES_MAX).build();
    let compiled = compiled.map_err(|error| format!("a condition on lines: {error}"))?;
    Ok(LineFilter::matching(compiled, regex, *fold, negated))
}

/// Rows whose lines all filters keep.
pub(super) fn filter(rows: Rows, filters: &LineFilters) -> Rows {
    let Some(lines) = rows.lines.as_ref().filter(|_| !filters.is_empty()) else { return rows };
    let kept = filters.select(lines);
    if kept.count() == kept.len() {
        return rows;
    }
    let kept: Vec<usize> = kept.rows().collect();
    rows.select(&kept)
}

/// Conditions as they are sent to another node.
pub(super) fn to_needles(conditions: &[TextFilter]) -> Vec<proto::Needle> {
    let needle = |condition: &TextFilter| {
        let (text, absent, pattern) = match condition {
            TextFilter::Contains(text) => (text, false, None),
            TextFilter::NotContains(text) => (text, true, None),
            TextFilter::Matches(pattern) => (&pattern.regex, false, Some(pattern)),
            TextFilter::NotMatches(pattern) => (&pattern.regex, true, Some(pattern)),
        };
        let (text, fold) = (text.clone(), pattern.is_some_and(|pattern| pattern.fold));
        proto::Needle { text, absent, regex: pattern.is_some(), fold }
    };
    conditions.iter().map(needle).collect()
}

/// And as they came.
pub(super) fn from_needles(needles: Vec<proto::Needle>) -> Vec<TextFilter> {
    let condition = |needle: proto::Needle| {
        let proto::Needle { text, absent, regex, fold } = needle;
        match (regex, absent) {
            (false, false) => TextFilter::Contains(text),
            (false, true) => TextFilter::NotContains(text),
            (true, false) => TextFilter::Matches(TextPattern { regex: text, fold }),
            (true, true) => TextFilter::NotMatches(TextPattern { regex: text, fold }),
        }
    };
    needles.into_iter().map(condition).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Lines;

    fn lines(texts: &[String]) -> Rows {
        Rows {
            timestamps: vec![0; texts.len()],
            lines: Some(Lines::from_texts(texts)),
            ..Rows::default()
        }
    }

    fn condition() -> impl Strategy<Value = TextFilter> {
        let text = "[abkſK. ]{0,3}";
        let regex = prop_oneof![
            r"[abk]{1,3}",
            r"a\.?b",
            Just("(a|k).*b".to_owned()),
            r"\\Aa",
            r"k[|]b",
            Just("a|kb".to_owned()),
        ];
        let pattern = (regex, any::<bool>()).prop_map(|(regex, fold)| TextPattern { regex, fold });
        prop_oneof![
            text.prop_map(TextFilter::Contains),
            text.prop_map(TextFilter::NotContains),
            pattern.clone().prop_map(TextFilter::Matches),
            pattern.prop_map(TextFilter::NotMatches),
        ]
    }

    fn holds(condition: &TextFilter, line: &str) -> bool {
        let found = |TextPattern { regex, fold }: &TextPattern| {
            let flags = if *fold { "(?si)" } else { "(?s)" };
            regex::Regex::new(&format!("{flags}{regex}")).expect("a pattern").is_match(line)
        };
        match condition {
            TextFilter::Contains(text) => line.contains(text),
            TextFilter::NotContains(text) => !line.contains(text),
            TextFilter::Matches(pattern) => found(pattern),
            TextFilter::NotMatches(pattern) => !found(pattern),
        }
    }

    proptest! {
        /// Filters keep what each condition keeps, here and on another node.
        #[test]
        fn filters_keep_what_conditions_keep(
            conditions in prop::collection::vec(condition(), 0..3),
            texts in prop::collection::vec("[abkKſK.\\n |]{0,6}", 1..8),
        ) {
            prop_assert_eq!(&from_needles(to_needles(&conditions)), &conditions);
            let filters = line_filters(&conditions).expect("good conditions");
            let kept = filter(lines(&texts), &filters);
            let expected: Vec<&String> = texts
                .iter()
                .filter(|text| conditions.iter().all(|condition| holds(condition, text)))
                .collect();
            let kept = kept.lines.expect("lines");
            let kept: Vec<&str> = (0..kept.len()).map(|row| kept.text(row)).collect();
            prop_assert_eq!(kept, expected);
        }

        /// A block that holds a line which is kept is never left out.
        #[test]
        fn blocks_with_what_is_kept_are_read(
            word in "[a-zA-ZſK]{8,12}", around in "[a-z ]{260,300}", upper in any::<bool>(),
        ) {
            let line = format!("{around}{word}{around}");
            let asked = if upper { word.to_uppercase() } else { word.to_lowercase() };
            let pattern = TextPattern { regex: regex::escape(&asked), fold: true };
            let conditions = [TextFilter::Matches(pattern)];
            let filters = line_filters(&conditions).expect("a good condition");
            if filters.accepts(line.as_bytes()) {
                for texts in filters.required() {
                    let lower = line.to_ascii_lowercase();
                    let found = |text: &String| lower.contains(&text.to_ascii_lowercase());
                    prop_assert!(texts.iter().any(found), "{texts:?}");
                }
            }
        }
    }
}
