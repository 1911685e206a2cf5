//! A range aggregation, compiled: which entries, what is taken from each, and how it is grouped.

use crate::logql::ast::{self, Grouping, RangeAggregation, RangeOp};
use crate::logql::names::{Name, Names};
use crate::logql::pipeline::{Hints, Needs, Pipeline};
use crate::logql::row::reserved_names;
use crate::logql::stage::unwrap::Unwrap;
use crate::logql::stage::{Problem, Stage};
use crate::model::{Labels, MatchOp, Selector};

use super::groups::GroupBy;
use super::steps::Steps;

/// A range aggregation of a query: what is read from streams.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Which streams.
    pub selector: Selector,
    pub(crate) pipeline: Pipeline,
    pub(crate) op: RangeOp,
    pub(crate) parameter: f64,
    pub(crate) unwraps: bool,
    pub(crate) group: GroupBy,
    pub(crate) range: i64,
    pub(crate) offset: i64,
}

impl Leaf {
    /// Compiles an aggregation; `outer` is the grouping of a `sum` around it, if it may be done
    /// here: then there is a series for each group and not for each stream.
    pub(crate) fn compile(
        aggregation: &RangeAggregation,
        outer: Option<&Grouping>,
        now: i64,
    ) -> Result<Leaf, Problem> {
        let mut names = reserved_names();
        let mut last = Vec::new();
        if let Some(unwrap) = &aggregation.unwrap {
            last.push(Stage::Unwrap(Unwrap::compile(&mut names, unwrap)));
            for filter in &unwrap.filters {
                last.push(Stage::compile(&mut names, &ast::Stage::Label(filter.clone()))?);
            }
        }
        let grouping = aggregation.grouping.as_ref().or(outer);
        let absent = aggregation.op == RangeOp::AbsentOverTime;
        let unwrapped = aggregation.unwrap.as_ref().map(|unwrap| unwrap.label.as_str());
        let group = group_by(&mut names, grouping, absent, unwrapped);
        let labels = match &group {
            GroupBy::AllBut(_) => None,
            GroupBy::Nothing => Some(Vec::new()),
            GroupBy::Only(only) => {
                Some(only.iter().map(|name| names.text(*name).to_owned()).collect())
            }
        };
        let stages = without_formats(aggregation);
        let pipeline = Pipeline::with_names(names, &stages, last, &Hints { labels, now })?;
        Ok(Leaf {
            selector: aggregation.log.selector.clone(),
            pipeline,
            op: aggregation.op,
            parameter: aggregation.parameter.unwrap_or(0.0),
            unwraps: aggregation.unwrap.is_some(),
            group,
            range: i64::try_from(aggregation.window.as_nanos()).unwrap_or(i64::MAX),
            offset: aggregation.offset_nanos,
        })
    }

    /// The stages that entries go through, for their line filters.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// How far back a window looks, in nanoseconds.
    pub fn range(&self) -> i64 {
        self.range
    }

    /// Entries that matter: later than the first time, up to and including the second.
    pub fn times(&self, steps: Steps) -> (i64, i64) {
        let first = steps.start.saturating_sub(self.offset).saturating_sub(self.range);
        (first, steps.end().saturating_sub(self.offset))
    }

    /// Which columns are looked at.
    pub fn needs(&self) -> Needs {
        let stages = self.pipeline.needs();
        let bytes = matches!(self.op, RangeOp::BytesOverTime | RangeOp::BytesRate);
        let groups = self.group != GroupBy::Nothing;
        Needs { lines: stages.lines || bytes, metadata: stages.metadata || groups }
    }

    /// The same for one stream: its own labels may be all that the grouping looks at.
    pub fn needs_for(&self, stream: &Labels) -> Needs {
        let mut needs = self.needs();
        let decided = match &self.group {
            GroupBy::Nothing => true,
            GroupBy::Only(names) => {
                names.iter().all(|name| stream.get(self.pipeline.name_text(*name)).is_some())
            }
            GroupBy::AllBut(_) => false,
        };
        if decided && self.pipeline.is_bare() {
            needs.metadata = false;
        }
        needs
    }

    /// The labels of the one series of `absent_over_time`: what the selector says they must be.
    pub(crate) fn absent_labels(&self) -> Labels {
        let matchers = &self.selector.matchers;
        let known = matchers.iter().filter(|matcher| {
            matcher.op == MatchOp::Equal
                && matchers.iter().filter(|other| other.name == matcher.name).count() == 1
        });
        let known = known.map(|matcher| (matcher.name.as_str(), matcher.value.as_str()));
        Labels::from_pairs(known).expect("names that occur twice were left out")
    }
}

fn group_by(
    names: &mut Names,
    grouping: Option<&Grouping>,
    absent: bool,
    unwrapped: Option<&str>,
) -> GroupBy {
    // An unwrapped label tells nothing apart.
    let unwrapped = unwrapped.map(|label| names.intern(label));
    let mut list = |labels: &[String]| -> Vec<Name> {
        let mut labels = labels.to_vec();
        labels.sort();
        labels.dedup();
        labels.iter().map(|label| names.intern(label)).collect()
    };
    match grouping {
        _ if absent => GroupBy::Nothing,
        None => GroupBy::AllBut(unwrapped.into_iter().collect()),
        Some(Grouping { without: true, labels }) => {
            let mut labels = list(labels);
            labels.extend(unwrapped);
            GroupBy::AllBut(labels)
        }
        Some(Grouping { without: false, labels }) if labels.is_empty() => GroupBy::Nothing,
        Some(Grouping { without: false, labels }) => GroupBy::Only(list(labels)),
    }
}

/// The stages, less the formatting of lines that nobody looks at.
fn without_formats(aggregation: &RangeAggregation) -> Vec<ast::Stage> {
    let stages = &aggregation.log.pipeline;
    if matches!(aggregation.op, RangeOp::BytesOverTime | RangeOp::BytesRate) {
        return stages.clone();
    }
    let looks_at_line = |stage: &ast::Stage| match stage {
        ast::Stage::Label(_) | ast::Stage::Drop(_) | ast::Stage::Keep(_) => false,
        ast::Stage::LabelFormat(formats) => formats.iter().any(|format| match format {
            ast::LabelFormat::Template { template, .. } => template.contains("__line__"),
            ast::LabelFormat::Rename { .. } => false,
        }),
        ast::Stage::LineFormat(_) | ast::Stage::Decolorize => false,
        _ => true,
    };
    let last = stages.iter().rposition(looks_at_line).unwrap_or(0);
    let kept = stages
        .iter()
        .enumerate()
        .filter(|(at, stage)| *at < last || !matches!(stage, ast::Stage::LineFormat(_)));
    kept.map(|(_, stage)| stage.clone()).collect()
}
