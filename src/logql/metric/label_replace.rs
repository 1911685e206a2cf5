//! `label_replace(v, "dst", "replacement", "src", "regex")`

use regex::Regex;

use crate::logql::ast;
use crate::logql::stage::Problem;
use crate::model::pattern;

use super::points::Series;

/// A replacement, compiled.
#[derive(Clone, Debug)]
pub(crate) struct LabelReplace {
    destination: String,
    replacement: String,
    source: String,
    regex: Regex,
}

impl LabelReplace {
    /// Compiles the regex.
    pub(crate) fn compile(replace: &ast::LabelReplace) -> Result<LabelReplace, Problem> {
        let bad =
            |reason: String| Problem::alone(format!("invalid regex in label_replace: {reason}"));
        let regex = pattern::anchored(&replace.regex).map_err(|error| bad(error.to_string()))?;
        let regex = Regex::new(regex.as_str()).map_err(|error| bad(error.to_string()))?;
        Ok(LabelReplace {
            destination: replace.destination.clone(),
            replacement: replace.replacement.clone(),
            source: replace.source.clone(),
            regex,
        })
    }

    /// Sets the label of each series whose source matches; an empty value removes it.
    pub(crate) fn apply(&self, mut all: Vec<Series>) -> Vec<Series> {
        for series in &mut all {
            let source = series.labels.get(&self.source).unwrap_or("");
            if let Some(found) = self.regex.captures(source) {
                let mut value = String::new();
                found.expand(&self.replacement, &mut value);
                series.labels = series.labels.with(&self.destination, &value);
            }
        }
        all
    }
}
