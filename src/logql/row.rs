//! One entry on its way through a pipeline: its line and its labels, by category.
//!
//! A [`Row`] is reused for all entries of a stream, so that an entry costs no allocation: values
//! are ranges of the line or of one text buffer that is emptied between entries, names are
//! numbers, and stream labels and metadata are borrowed and only marked when they go.
//!
//! Invariants:
//! - a name is visible at most once: parsed before structured metadata before stream;
//! - the first error of an entry stays.

use crate::logql::names::{Name, Names};
use crate::model::{Labels, Metadata};

/// `__error__`
pub(crate) const ERROR: Name = Name(0);
/// `__error_details__`
pub(crate) const ERROR_DETAILS: Name = Name(1);
/// `__preserve_error__`: an error that a metric query may group by.
pub(crate) const PRESERVE_ERROR: Name = Name(2);
/// The names that every pipeline knows, in the order of their numbers.
const RESERVED: [&str; 3] = ["__error__", "__error_details__", "__preserve_error__"];

/// Where a label comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// The stream's identity.
    Stream,
    /// Structured metadata of the entry.
    Metadata,
    /// Made by the query.
    Parsed,
}

/// A range of the entry's own line or of the text buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
    made: bool,
}

impl Span {
    /// A range of the line as it was stored.
    pub(crate) fn stored(start: usize, end: usize) -> Span {
        Span { start: narrow(start), end: narrow(end), made: false }
    }

    /// A part of this range.
    pub(crate) fn part(self, start: usize, end: usize) -> Span {
        debug_assert!(self.start as usize + end <= self.end as usize);
        Span { start: self.start + narrow(start), end: self.start + narrow(end), made: self.made }
    }
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("lines and made texts are limited to far less than 4 GiB")
}

/// A label that a stage set.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: Name,
    category: Category,
    value: Span,
}

/// What stages that look at labels only did to a metadata set: applied to each of its rows.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    fields: Vec<Field>,
    made: String,
    stream_gone: Vec<bool>,
    metadata_gone: Vec<bool>,
    error: Option<&'static str>,
    details: String,
}

/// One entry on its way.
#[derive(Debug, Default)]
pub(crate) struct Row<'r> {
    pub(crate) names: Names,
    pub(crate) timestamp: i64,
    /// How many of the labels that the query needs were found by parsers.
    pub(crate) n_extracted: usize,
    /// What `unwrap` made of a label.
    pub(crate) value: f64,
    stream: Vec<(Name, &'r str)>,
    metadata: Vec<(Name, &'r str)>,
    stream_gone: Vec<bool>,
    metadata_gone: Vec<bool>,
    any_gone: bool,
    /// The keys of the metadata set before, with their names: the next one mostly has the same.
    keys: Vec<(&'r str, Name)>,
    /// By name: 1 where the stream has it, 2 where the metadata has it.
    origin: Vec<u8>,
    /// By name: the generation in which it was parsed last.
    parsed_at: Vec<u32>,
    generation: u32,
    fields: Vec<Field>,
    stored: &'r str,
    made: String,
    line: Span0,
    error: Option<&'static str>,
    details: String,
    preserved: bool,
}

/// The current line; a type of its own so that a row has a default.
#[derive(Clone, Copy, Debug)]
struct Span0(Span);

impl Default for Span0 {
    fn default() -> Span0 {
        Span0(Span::stored(0, 0))
    }
}

/// A table that has the reserved names and nothing else.
pub(crate) fn reserved_names() -> Names {
    let mut names = Names::default();
    for (i, text) in RESERVED.iter().enumerate() {
        assert_eq!(names.intern(text).index(), i);
    }
    names
}

impl<'r> Row<'r> {
    /// Begins a stream.
    pub(crate) fn new(mut names: Names, stream: &'r Labels) -> Row<'r> {
        let labels: Vec<(Name, &str)> =
            stream.iter().map(|(name, value)| (names.intern(name), value)).collect();
        let mut row = Row { names, generation: 1, ..Row::default() };
        row.stream_gone = vec![false; labels.len()];
        for (name, _) in &labels {
            row.mark_origin(*name, 1);
        }
        row.stream = labels;
        row
    }

    /// Forgets all names but the first `n_own` and those of this stream and metadata set. Lines
    /// can make up any number of names; whoever kept one from a line must forget it too.
    pub(crate) fn forget_names(&mut self, n_own: usize, stream: &'r Labels, set: &'r Metadata) {
        self.names.truncate(n_own);
        self.origin.clear();
        self.parsed_at.clear();
        self.fields.clear();
        self.metadata.clear();
        self.keys.clear();
        self.stream.clear();
        for (name, value) in stream.iter() {
            let name = self.names.intern(name);
            self.mark_origin(name, 1);
            self.stream.push((name, value));
        }
        self.enter_set(set);
    }

    /// Begins a metadata set of this stream. A key that the stream has too gets a suffix.
    pub(crate) fn enter_set(&mut self, metadata: &'r Metadata) {
        for (name, _) in self.metadata.drain(..) {
            self.origin[name.index()] &= !2;
        }
        for (at, (key, value)) in metadata.iter().enumerate() {
            let name = match self.keys.get(at) {
                Some((known, name)) if *known == key => *name,
                _ => self.metadata_name(at, key),
            };
            self.mark_origin(name, 2);
            self.metadata.push((name, value));
        }
        self.metadata_gone.clear();
        self.metadata_gone.resize(self.metadata.len(), false);
        // A stream label that is called like a suffixed key gives way to it.
        self.restore();
    }

    /// The name of a key, which stands at a place in its set.
    fn metadata_name(&mut self, at: usize, key: &'r str) -> Name {
        let mut name = self.names.intern(key);
        if self.origin(name) & 1 != 0 {
            name = self.names.extracted(name);
        }
        self.keys.truncate(at);
        if self.keys.len() == at {
            self.keys.push((key, name));
        }
        name
    }

    /// Begins an entry of this stream and metadata set.
    pub(crate) fn start(&mut self, timestamp: i64, line: &'r str) {
        self.timestamp = timestamp;
        self.stored = line;
        self.line = Span0(Span::stored(0, line.len()));
        self.fields.clear();
        self.made.clear();
        self.error = None;
        self.details.clear();
        self.preserved = false;
        self.n_extracted = 0;
        if self.any_gone {
            self.restore();
        }
        self.next_generation();
    }

    fn next_generation(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.parsed_at.fill(0);
            self.generation = 1;
        }
    }

    /// Makes all labels of the stream and the metadata visible again.
    fn restore(&mut self) {
        self.any_gone = false;
        self.metadata_gone.fill(false);
        for (gone, (name, _)) in self.stream_gone.iter_mut().zip(&self.stream) {
            *gone = self.origin[name.index()] & 2 != 0;
            self.any_gone |= *gone;
        }
    }

    fn origin(&self, name: Name) -> u8 {
        self.origin.get(name.index()).copied().unwrap_or(0)
    }

    fn mark_origin(&mut self, name: Name, bit: u8) {
        if self.origin.len() <= name.index() {
            self.origin.resize(name.index() + 16, 0);
        }
        self.origin[name.index()] |= bit;
    }

    /// The text of a range.
    pub(crate) fn text(&self, span: Span) -> &str {
        let text = if span.made { self.made.as_str() } else { self.stored };
        &text[span.start as usize..span.end as usize]
    }

    /// The line as it stands now.
    pub(crate) fn line(&self) -> &str {
        self.text(self.line.0)
    }

    /// The range of the line as it stands now.
    pub(crate) fn line_span(&self) -> Span {
        self.line.0
    }

    /// The line as it was stored, if no stage rewrote it. It outlives changes of the row.
    pub(crate) fn stored_line(&self) -> Option<&'r str> {
        let Span { start, end, made } = self.line.0;
        (!made).then(|| &self.stored[start as usize..end as usize])
    }

    /// Replaces the line.
    pub(crate) fn set_line(&mut self, span: Span) {
        self.line = Span0(span);
    }

    /// Appends a text to the buffer of made texts.
    pub(crate) fn make(&mut self, text: &str) -> Span {
        let start = self.made.len();
        self.made.push_str(text);
        self.made_since(start)
    }

    /// The buffer of made texts, to append to.
    pub(crate) fn made(&mut self) -> &mut String {
        &mut self.made
    }

    /// What was appended since the buffer had this length.
    pub(crate) fn made_since(&self, start: usize) -> Span {
        Span { start: narrow(start), end: narrow(self.made.len()), made: true }
    }

    /// The value of a label; `None` where it is absent.
    pub(crate) fn get(&self, name: Name) -> Option<&str> {
        self.find(name).map(|(_, value)| value)
    }

    /// The value of a label and where it comes from.
    pub(crate) fn find(&self, name: Name) -> Option<(Category, &str)> {
        if name == ERROR || name == ERROR_DETAILS {
            let details = (!self.details.is_empty()).then_some(self.details.as_str());
            let text = if name == ERROR { self.error } else { details };
            return text.map(|text| (Category::Parsed, text));
        }
        if let Some(field) = self.fields.iter().find(|field| field.name == name) {
            return Some((field.category, self.text(field.value)));
        }
        let origin = self.origin(name);
        if origin & 2 != 0 {
            let at = self.metadata.iter().position(|(own, _)| *own == name);
            let at = at.expect("the origin says so");
            return (!self.metadata_gone[at]).then_some((Category::Metadata, self.metadata[at].1));
        }
        if origin & 1 != 0 {
            let at = self.stream.iter().position(|(own, _)| *own == name);
            let at = at.expect("the origin says so");
            return (!self.stream_gone[at]).then_some((Category::Stream, self.stream[at].1));
        }
        None
    }

    /// Under which name a parser shows a key: with a suffix where stream or metadata have it.
    pub(crate) fn parsed_name(&mut self, name: Name) -> Name {
        if self.origin(name) != 0 { self.names.extracted(name) } else { name }
    }

    /// Whether a parser has set this name.
    pub(crate) fn is_parsed(&self, name: Name) -> bool {
        self.parsed_at.get(name.index()) == Some(&self.generation)
    }

    /// Whether a stage has set this name.
    pub(crate) fn is_set(&self, name: Name) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// Whether a name is the stream's or the metadata's.
    pub(crate) fn is_given(&self, name: Name) -> bool {
        self.origin(name) != 0
    }

    /// Adds what a parser found. A name that was parsed before keeps its first value; names of
    /// errors are ours and cannot come from a line.
    pub(crate) fn add_parsed(&mut self, name: Name, value: Span) {
        if self.is_parsed(name) || name <= PRESERVE_ERROR {
            return;
        }
        if self.origin(name) != 0 {
            self.hide_origin(name);
        }
        self.push(name, Category::Parsed, value);
    }

    /// Sets a label in a category, over whatever has this name.
    pub(crate) fn set(&mut self, category: Category, name: Name, value: Span) {
        if name <= PRESERVE_ERROR {
            return;
        }
        // A rename inside the stream's labels does not cover what stands above them.
        let above = self.find(name).is_some_and(|(own, _)| own > category);
        if above {
            return;
        }
        self.remove(name);
        self.push(name, category, value);
    }

    fn push(&mut self, name: Name, category: Category, value: Span) {
        if category == Category::Parsed {
            if self.parsed_at.len() <= name.index() {
                self.parsed_at.resize(name.index() + 16, 0);
            }
            self.parsed_at[name.index()] = self.generation;
        }
        self.fields.push(Field { name, category, value });
    }

    /// Removes a label, wherever it comes from.
    pub(crate) fn remove(&mut self, name: Name) {
        self.fields.retain(|field| field.name != name);
        if let Some(at) = self.parsed_at.get_mut(name.index()) {
            *at = 0;
        }
        if self.origin(name) != 0 {
            self.hide_origin(name);
        }
    }

    fn hide_origin(&mut self, name: Name) {
        self.any_gone = true;
        let hide = |labels: &[(Name, &str)], gone: &mut [bool]| {
            for ((own, _), gone) in labels.iter().zip(gone) {
                *gone |= *own == name;
            }
        };
        hide(&self.metadata, &mut self.metadata_gone);
        hide(&self.stream, &mut self.stream_gone);
    }

    /// Records an error. The first one stays.
    pub(crate) fn fail(&mut self, error: &'static str, details: &str) {
        if self.error.is_none() {
            self.error = Some(error);
            self.details.push_str(details);
        }
    }

    /// The error, if there is one.
    pub(crate) fn error(&self) -> Option<&'static str> {
        self.error
    }

    /// Forgets the error.
    pub(crate) fn clear_error(&mut self) {
        self.error = None;
        self.details.clear();
        self.preserved = false;
    }

    /// Forgets what the error says, but not that there was one.
    pub(crate) fn clear_details(&mut self) {
        self.details.clear();
    }

    /// Marks the error as one that a metric query may group by.
    pub(crate) fn preserve_error(&mut self) {
        self.preserved = true;
    }

    /// Whether a metric query may group by the error.
    pub(crate) fn error_is_preserved(&self) -> bool {
        self.preserved
    }

    /// All visible labels, by category and in no order inside one.
    pub(crate) fn visible(&self) -> impl Iterator<Item = (Name, Category, &str)> {
        let stream = self.stream.iter().zip(&self.stream_gone);
        let stream = stream.filter(|(_, gone)| !**gone);
        let stream = stream.map(|((name, value), _)| (*name, Category::Stream, *value));
        let metadata = self.metadata.iter().zip(&self.metadata_gone);
        let metadata = metadata.filter(|(_, gone)| !**gone);
        let metadata = metadata.map(|((name, value), _)| (*name, Category::Metadata, *value));
        let fields = self.fields.iter();
        let fields = fields.map(|field| (field.name, field.category, self.text(field.value)));
        let error = self.error.map(|text| (ERROR, Category::Parsed, text));
        let details = (!self.details.is_empty()).then_some((
            ERROR_DETAILS,
            Category::Parsed,
            self.details.as_str(),
        ));
        stream.chain(metadata).chain(fields).chain(error).chain(details)
    }

    /// Keeps what the stages did so far, for other rows of the same metadata set. `None` where
    /// they did nothing.
    pub(crate) fn save(&self) -> Option<Saved> {
        let touched = !self.fields.is_empty() || self.any_gone || self.error.is_some();
        touched.then(|| Saved {
            fields: self.fields.clone(),
            made: self.made.clone(),
            stream_gone: self.stream_gone.clone(),
            metadata_gone: self.metadata_gone.clone(),
            error: self.error,
            details: self.details.clone(),
        })
    }

    /// Does to a row that has just started what was done to the saved one.
    pub(crate) fn apply(&mut self, saved: &Saved) {
        self.made.push_str(&saved.made);
        for field in &saved.fields {
            self.push(field.name, field.category, field.value);
        }
        self.stream_gone.copy_from_slice(&saved.stream_gone);
        self.metadata_gone.copy_from_slice(&saved.metadata_gone);
        self.any_gone = true;
        self.error = saved.error;
        self.details.push_str(&saved.details);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(row: &Row<'_>) -> Vec<String> {
        let labels = row.visible();
        let mut shown: Vec<String> =
            labels.map(|(name, _, value)| format!("{}={value}", row.names.text(name))).collect();
        shown.sort();
        shown
    }

    #[test]
    fn precedence_suffixes_and_reuse() {
        let stream = Labels::from_pairs([("app", "web"), ("env", "prod")]).expect("unique");
        let metadata = Metadata::from_pairs([("env", "sm"), ("trace", "t")]);
        let mut row = Row::new(reserved_names(), &stream);
        row.enter_set(&metadata);
        row.start(1, "a line");
        assert_eq!(shown(&row), ["app=web", "env=prod", "env_extracted=sm", "trace=t"]);

        let trace = row.names.intern("trace");
        let name = row.parsed_name(trace);
        row.add_parsed(name, Span::stored(0, 1));
        row.add_parsed(name, Span::stored(2, 6));
        assert_eq!(row.names.text(name), "trace_extracted");
        assert_eq!(row.get(name), Some("a"), "the first value stays");
        let made = row.make("made");
        row.set(Category::Parsed, trace, made);
        assert_eq!(row.find(trace), Some((Category::Parsed, "made")));
        row.fail("LabelFilterErr", "why");
        row.fail("JSONParserErr", "later");
        assert_eq!(row.get(ERROR), Some("LabelFilterErr"));

        row.start(2, "next");
        assert_eq!(shown(&row), ["app=web", "env=prod", "env_extracted=sm", "trace=t"]);
        row.remove(trace);
        assert_eq!(row.get(trace), None);
        let saved = row.save().expect("something was done");
        row.enter_set(&metadata);
        row.start(3, "third");
        row.apply(&saved);
        assert_eq!(shown(&row), ["app=web", "env=prod", "env_extracted=sm"]);
    }
}
