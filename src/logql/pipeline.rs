//! A compiled pipeline, run over the rows of one stream at a time.
//!
//! ```text
//! rows -> line filters, over the whole buffer -> survivors, less the rows that a filter behind the
//!         first parser refuses whatever else is in them -> one by one:
//!         stages that look at labels only: once for each distinct metadata set
//!         the other stages                 -> emit(entry)
//! ```
//!
//! [`Pipeline`] is immutable and shared; a [`Runner`] holds what one thread needs to run it without
//! allocating for each entry, and is best kept for many calls.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::logql::ast;
use crate::logql::candidates::Candidates;
use crate::logql::given::{self, Given};
use crate::logql::names::{Name, Names};
use crate::logql::row::{Category, ERROR, Row, Saved, reserved_names};
use crate::logql::selection::Selection;
use crate::logql::stage::label_filter::LabelFilter;
use crate::logql::stage::parser::Wanted;
use crate::logql::stage::{Context, Memory, Problem, Stage};
use crate::model::{Labels, Lines, Metadata, MetadataColumn, Rows};

pub(crate) use crate::logql::stage::line_filter::LineFilter;
pub use crate::logql::stage::line_filter::LineFilters;

/// Lines can make up any number of label names: beyond this many they are forgotten.
const NAMES_MAX: usize = 20_000;
/// Or beyond this many bytes of names.
const NAME_BYTES_MAX: usize = 4 << 20;

/// How often a runner asks whether anybody still waits.
const ROWS_BETWEEN_LOOKS: usize = 16;

/// What the rest of a query does with the labels of an entry.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// `None`: all labels matter. Else only these do, beside those that the pipeline itself reads,
    /// and parsers stop early or are skipped. A list with `__error__` makes parser errors
    /// something to group by.
    pub labels: Option<Vec<String>>,
    /// The time of the query in nanoseconds, for the template function `now`.
    pub now: i64,
}

/// Which columns are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The lines.
    pub lines: bool,
    /// The structured metadata.
    pub metadata: bool,
}

/// In which direction rows are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// First row first.
    Forward,
    /// Last row first.
    Backward,
}

/// The stages of a query, ready to run.
#[derive(Clone, Debug)]
pub struct Pipeline {
    filters: LineFilters,
    candidates: Candidates,
    given: Vec<Vec<Given>>,
    steps: Vec<Step>,
    /// How many of the first steps look at labels only.
    n_pure: usize,
    wanted: Wanted,
    now: i64,
    names: Names,
    /// Says true once nobody waits for what it does.
    stop: Arc<AtomicBool>,
}

#[derive(Clone, Debug)]
struct Step {
    stage: Stage,
    /// The filters right behind a parser, which it may ask while it reads the line.
    filters: Vec<(Name, LabelFilter)>,
    /// How many of them no other label filter comes before.
    n_leading: usize,
}

impl Pipeline {
    /// Compiles the stages of a query.
    pub fn compile(stages: &[ast::Stage], hints: &Hints) -> Result<Pipeline, Problem> {
        Pipeline::with_names(reserved_names(), stages, Vec::new(), hints)
    }

    /// The same, where some names have their numbers already, and some last stages are compiled.
    pub(crate) fn with_names(
        mut names: Names,
        stages: &[ast::Stage],
        last: Vec<Stage>,
        hints: &Hints,
    ) -> Result<Pipeline, Problem> {
        let mut filters = Vec::new();
        let mut compiled = Vec::new();
        let mut rewritten = false;
        for stage in stages {
            let stage = Stage::compile(&mut names, stage)?;
            rewritten |= stage.rewrites_line();
            match stage {
                Stage::Line(filter) if !rewritten => filters.push(filter),
                stage => compiled.push(stage),
            }
        }
        compiled.extend(last);
        let wanted = wanted(&mut names, &compiled, hints);
        if matches!(wanted, Wanted::Nothing) {
            // A parser whose labels nobody looks at has no effect, not even an error.
            compiled.retain(|stage| !stage.is_parser() || stage.rewrites_line());
        }
        let candidates = Candidates::of(&compiled);
        let given = given::given(&names, &compiled);
        let n_pure = compiled.iter().take_while(|stage| stage.looks_at_labels_only()).count();
        let steps = (0..compiled.len()).map(|at| {
            let (filters, n_leading) = filters_behind(&compiled, at);
            Step { stage: compiled[at].clone(), filters, n_leading }
        });
        let steps = steps.collect();
        let filters = LineFilters::new(filters);
        let stop = Arc::default();
        let now = hints.now;
        Ok(Pipeline { filters, candidates, given, steps, n_pure, wanted, now, names, stop })
    }

    /// The line filters that come before anything rewrites the line. They need no labels, so a
    /// scan may apply them; entries that passed them are not changed by passing them again.
    pub fn line_filters(&self) -> &LineFilters {
        &self.filters
    }

    /// Groups of names and values of metadata, of each of which every entry that is kept has one,
    /// unless its stream has a label of one of these names.
    pub fn given(&self) -> &[Vec<(String, String)>] {
        &self.given
    }

    /// Where true is stored, its runners and those of its clones break off soon.
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Which columns the stages look at. Results of log queries show both in any case.
    pub fn needs(&self) -> Needs {
        let reads_line = self.steps.iter().any(|step| step.stage.reads_line());
        Needs { lines: reads_line || !self.filters.is_empty(), metadata: !self.steps.is_empty() }
    }

    /// Whether no stage is left beside the line filters.
    pub(crate) fn is_bare(&self) -> bool {
        self.steps.is_empty()
    }

    /// The rows that the line filters keep; `None` where there are no filters.
    pub(crate) fn select(&self, rows: &Rows) -> Option<Selection> {
        (!self.filters.is_empty()).then(|| {
            let lines = rows.lines.as_ref();
            self.filters.select(lines.expect("a pipeline with line filters needs lines"))
        })
    }

    /// What a runner remembers at first.
    pub(crate) fn scratch(&self) -> Scratch {
        let memory = self.steps.iter().map(|step| step.stage.memory()).collect();
        Scratch { names: self.names.clone(), memory }
    }

    /// The text of one of the query's own names.
    pub(crate) fn name_text(&self, name: Name) -> &str {
        self.names.text(name)
    }
}

/// Which labels parsers need to look for.
fn wanted(names: &mut Names, stages: &[Stage], hints: &Hints) -> Wanted {
    let Some(labels) = &hints.labels else { return Wanted::All };
    let mut texts: Vec<String> = labels.clone();
    for stage in stages {
        match stage.needed() {
            Some(needed) => texts.extend(needed.iter().map(|name| names.text(*name).to_owned())),
            None => return Wanted::All,
        }
    }
    let suffix = crate::logql::names::DUPLICATE_SUFFIX;
    let bare = texts.iter().filter_map(|text| text.strip_suffix(suffix));
    let bare: Vec<String> = bare.map(str::to_owned).collect();
    texts.extend(bare);
    texts.sort();
    texts.dedup();
    if texts.is_empty() {
        return Wanted::Nothing;
    }
    let numbers: Vec<Name> = texts.iter().map(|text| names.intern(text)).collect();
    let mut flags = vec![false; names.len()];
    for name in &numbers {
        flags[name.index()] = true;
    }
    let preserve_error = numbers.contains(&ERROR);
    Wanted::Only { names: flags, n: numbers.len(), texts, preserve_error }
}

/// The label filters that directly follow a parser and look at one label, and how many of them come
/// before all others.
fn filters_behind(stages: &[Stage], at: usize) -> (Vec<(Name, LabelFilter)>, usize) {
    let (mut filters, mut n_leading) = (Vec::new(), None);
    if !stages[at].is_parser() {
        return (filters, 0);
    }
    for stage in &stages[at + 1..] {
        match stage {
            Stage::Line(_) => {}
            Stage::Label(filter) => match filter.single_name() {
                Some(name) => filters.push((name, filter.clone())),
                None => drop(n_leading.get_or_insert(filters.len())),
            },
            _ => break,
        }
    }
    let n_leading = n_leading.unwrap_or(filters.len());
    (filters, n_leading)
}

/// What one thread needs to run a pipeline.
#[derive(Debug)]
pub struct Runner<'p> {
    pipeline: &'p Pipeline,
    scratch: Scratch,
}

/// What a runner remembers from call to call.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    names: Names,
    memory: Vec<Memory>,
}

impl Scratch {
    /// Begins a row of a stream, which has the table of names until [`Scratch::end_row`].
    pub(crate) fn begin_row<'r>(&mut self, stream: &'r Labels) -> Row<'r> {
        Row::new(std::mem::take(&mut self.names), stream)
    }

    /// Takes the table of names back.
    pub(crate) fn end_row(&mut self, row: Row<'_>) {
        self.names = row.names;
    }
}

/// An entry that went through a pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'e> {
    pub(crate) row: &'e Row<'e>,
    position: usize,
    set: Option<u32>,
}

/// What the stages that look at labels only make of a metadata set.
enum SetState {
    Unknown,
    Refused,
    Untouched,
    Changed(Saved),
}

impl<'p> Runner<'p> {
    /// Makes room to run a pipeline.
    pub fn new(pipeline: &'p Pipeline) -> Runner<'p> {
        Runner { pipeline, scratch: pipeline.scratch() }
    }

    /// Goes on with what an earlier runner of the same pipeline remembers.
    pub(crate) fn resume(pipeline: &'p Pipeline, scratch: Scratch) -> Runner<'p> {
        Runner { pipeline, scratch }
    }

    /// What this one remembers.
    pub(crate) fn into_scratch(self) -> Scratch {
        self.scratch
    }

    /// Runs rows of one stream through the pipeline and hands each entry that is left to `emit`,
    /// until that breaks off. Columns that [`Pipeline::needs`] names must be there.
    pub fn run(
        &mut self,
        stream: &Labels,
        rows: &Rows,
        order: Order,
        emit: &mut dyn FnMut(Entry<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let selection = self.pipeline.select(rows);
        if selection.as_ref().is_some_and(Selection::is_empty) {
            return ControlFlow::Continue(());
        }
        let none = Metadata::empty();
        let stop = &self.pipeline.stop;
        // Where few rows are left, parsing them costs less than searching all.
        let many = selection.as_ref().is_none_or(|some| 4 * some.count() >= some.len());
        let (candidates, whole) = match &rows.lines {
            Some(lines) if many && !self.pipeline.is_bare() => {
                (self.pipeline.candidates.select(lines), lines.whole())
            }
            _ => (Vec::new(), None),
        };
        let mut visit = Visit::begin(self, stream, rows, &none);
        (visit.candidates, visit.whole) = (candidates, whole);
        let mut n_rows = 0_usize;
        let mut visit_row = |row: usize| {
            // A template may take its time for each row.
            if n_rows.is_multiple_of(ROWS_BETWEEN_LOOKS) && stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            n_rows += 1;
            visit.row(row, emit)
        };
        let flow = match (&selection, order) {
            (None, Order::Forward) => (0..rows.len()).try_for_each(&mut visit_row),
            (None, Order::Backward) => (0..rows.len()).rev().try_for_each(&mut visit_row),
            (Some(some), Order::Forward) => some.rows().try_for_each(&mut visit_row),
            (Some(some), Order::Backward) => some.rows_reversed().try_for_each(&mut visit_row),
        };
        visit.end();
        flow
    }
}

/// One call of [`Runner::run`].
struct Visit<'v, 'p> {
    runner: &'v mut Runner<'p>,
    stream: &'v Labels,
    rows: &'v Rows,
    lines: Option<&'v Lines>,
    /// All lines as one text, where most of them are looked at.
    whole: Option<&'v str>,
    metadata: Option<&'v MetadataColumn>,
    none: &'v Metadata,
    /// Rows that may have a label which the query asks for.
    candidates: Vec<(Name, Selection)>,
    row: Row<'v>,
    /// The metadata set that the row is in.
    set: Option<u32>,
    states: Vec<SetState>,
}

impl<'v, 'p> Visit<'v, 'p> {
    fn begin(
        runner: &'v mut Runner<'p>,
        stream: &'v Labels,
        rows: &'v Rows,
        none: &'v Metadata,
    ) -> Visit<'v, 'p> {
        let row = Row::new(std::mem::take(&mut runner.scratch.names), stream);
        let metadata = rows.metadata.as_ref();
        let n_sets = metadata.map_or(1, |column| column.sets.len());
        let mut states = Vec::new();
        if runner.pipeline.n_pure > 0 {
            states.resize_with(n_sets, || SetState::Unknown);
        }
        let lines = rows.lines.as_ref();
        Visit {
            runner,
            stream,
            rows,
            lines,
            whole: None,
            metadata,
            none,
            candidates: Vec::new(),
            row,
            set: None,
            states,
        }
    }

    fn end(mut self) {
        self.runner.scratch.names = std::mem::take(&mut self.row.names);
    }

    fn metadata_set(&self, set: u32) -> &'v Metadata {
        self.metadata.map_or(self.none, |column| &column.sets[set as usize])
    }

    fn row(
        &mut self,
        position: usize,
        emit: &mut dyn FnMut(Entry<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let set = self.metadata.map_or(0, |column| column.ids[position]);
        if self.row.names.len() > NAMES_MAX || self.row.names.bytes() > NAME_BYTES_MAX {
            self.forget(set);
        }
        if self.set != Some(set) {
            self.row.enter_set(self.metadata_set(set));
            self.set = Some(set);
        }
        if !self.states.is_empty() && !self.prepare(set) {
            return ControlFlow::Continue(());
        }
        // What the stream or the metadata have does not come from the line.
        let lacks = |(name, rows): &(Name, Selection)| {
            !rows.contains(position) && !self.row.is_given(*name)
        };
        if self.candidates.iter().any(lacks) {
            return ControlFlow::Continue(());
        }
        let line = match (self.lines, self.whole) {
            (None, _) => "",
            (Some(lines), Some(whole)) => &whole[lines.place(position)],
            (Some(lines), None) => lines.text(position),
        };
        self.row.start(self.rows.timestamps[position], line);
        if let Some(SetState::Changed(saved)) = self.states.get(set as usize) {
            self.row.apply(saved);
        }
        let pipeline = self.runner.pipeline;
        for at in pipeline.n_pure..pipeline.steps.len() {
            if !self.step(at) {
                return ControlFlow::Continue(());
            }
        }
        let set = (pipeline.n_pure == pipeline.steps.len()).then_some(set);
        emit(Entry { row: &self.row, position, set })
    }

    fn step(&mut self, at: usize) -> bool {
        let pipeline = self.runner.pipeline;
        let Step { stage, filters, n_leading } = &pipeline.steps[at];
        let (wanted, n_leading) = (&pipeline.wanted, *n_leading);
        let context = Context { wanted, filters, n_leading, now: pipeline.now };
        stage.process(&mut self.row, &mut self.runner.scratch.memory[at], context)
    }

    /// Finds out, the first time, what the first steps do to a set; `false` where they refuse it.
    fn prepare(&mut self, set: u32) -> bool {
        let at = set as usize;
        if let SetState::Unknown = self.states[at] {
            self.row.start(0, "");
            let kept = (0..self.runner.pipeline.n_pure).all(|at| self.step(at));
            self.states[at] = match (kept, self.row.save()) {
                (false, _) => SetState::Refused,
                (true, None) => SetState::Untouched,
                (true, Some(saved)) => SetState::Changed(saved),
            };
        }
        !matches!(self.states[at], SetState::Refused)
    }

    /// Forgets the names that lines made up, and everything that refers to them.
    fn forget(&mut self, set: u32) {
        let pipeline = self.runner.pipeline;
        let metadata = self.metadata_set(set);
        self.row.forget_names(pipeline.names.len(), self.stream, metadata);
        self.set = Some(set);
        for (memory, step) in self.runner.scratch.memory.iter_mut().zip(&pipeline.steps) {
            *memory = step.stage.memory();
        }
        self.states.fill_with(|| SetState::Unknown);
    }
}

impl Entry<'_> {
    /// Nanoseconds since the Unix epoch.
    pub fn timestamp(&self) -> i64 {
        self.row.timestamp
    }

    /// The line, as the stages left it.
    pub fn line(&self) -> &str {
        self.row.line()
    }

    /// Which of the rows this was.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Where the labels follow from the metadata set of the row alone: its number. All entries of
    /// one call of [`Runner::run`] with the same number have the same labels.
    pub fn set(&self) -> Option<u32> {
        self.set
    }

    /// The error that a stage recorded, as `__error__` shows it.
    pub fn error(&self) -> Option<&str> {
        self.row.error()
    }

    /// The value of a label of any category; `None` where it is absent.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.row.names.get(name).and_then(|name| self.row.get(name))
    }

    /// All labels with their categories, the error among the parsed ones, in no order.
    pub fn labels(&self) -> impl Iterator<Item = (&str, Category, &str)> {
        let labels = self.row.visible();
        labels.map(|(name, category, value)| (self.row.names.text(name), category, value))
    }
}

#[cfg(test)]
mod shortcuts;
