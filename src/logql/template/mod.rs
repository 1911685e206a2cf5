//! Go's `text/template`, as far as log lines need it.
//!
//! In: a template text once, the labels of an entry many times. Out: a text, or why there is none,
//! in Go's words.
//!
//! Invariants: what a template writes is limited to [`OUTPUT_BYTES_MAX`], and so is what it may do.

mod compare;
mod exec;
mod functions;
mod lex;
mod numbers;
mod parse;
mod printf;
mod texts;
mod time;
mod value;
mod zone;

use self::parse::{Argument, Body, Definitions, Node, Pipe, Term};
use crate::logql::names::{Name, Names};
use crate::logql::row::Row;

/// Bytes that one template may write for one entry.
pub(crate) const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// Why a template cannot be used, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error(pub(crate) String);

impl Error {
    /// The same with words before it.
    pub(crate) fn context(self, before: &str) -> Error {
        Error(format!("{before}{}", self.0))
    }
}

/// A compiled template.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    name: &'static str,
    text: String,
    body: Body,
    definitions: Definitions,
    /// The labels that are read by name; `None` where all could be.
    fields: Option<Vec<Name>>,
    reads_entry: bool,
}

impl Template {
    /// Compiles a text; `name` is what error texts call it.
    pub(crate) fn compile(
        names: &mut Names,
        name: &'static str,
        text: &str,
    ) -> Result<Template, Error> {
        let (body, definitions) = parse::parse(text)
            .map_err(|error| Error(format!("template: {name}:{}: {}", error.line, error.text)))?;
        let mut reads = Reads::default();
        reads.body(&body);
        definitions.values().for_each(|body| reads.body(body));
        let fields = reads.fields.iter().map(|field| names.intern(field)).collect();
        let fields = (!reads.all).then_some(fields);
        let (text, reads_entry) = (text.to_owned(), reads.entry);
        Ok(Template { name, text, body, definitions, fields, reads_entry })
    }

    /// The labels that are read by name; `None` where all could be.
    pub(crate) fn fields(&self) -> Option<&[Name]> {
        self.fields.as_deref()
    }

    /// Whether line or time of the entry are read.
    pub(crate) fn reads_entry(&self) -> bool {
        self.reads_entry
    }

    /// Writes what the template makes of an entry.
    pub(crate) fn render(&self, row: &Row<'_>, now: i64, out: &mut String) -> Result<(), String> {
        exec::Exec::new(self, row, now, out).run()
    }
}

/// What a template reads.
#[derive(Default)]
struct Reads {
    fields: Vec<String>,
    all: bool,
    entry: bool,
}

impl Reads {
    fn body(&mut self, body: &Body) {
        for node in body {
            match node {
                Node::Text(_) | Node::Break | Node::Continue => {}
                Node::Print(pipe) => self.pipe(pipe),
                Node::Template(invocation) => {
                    invocation.pipe.iter().for_each(|pipe| self.pipe(pipe));
                }
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                    self.pipe(&branch.pipe);
                    self.body(&branch.body);
                    self.body(&branch.otherwise);
                }
            }
        }
    }

    fn pipe(&mut self, pipe: &Pipe) {
        for command in &pipe.commands {
            command.arguments.iter().for_each(|argument| self.argument(argument));
        }
    }

    fn argument(&mut self, argument: &Argument) {
        // Inside `with` and `range` the dot is something else: more is read than needed, no less.
        match (&argument.term, argument.fields.first()) {
            (Term::Dot | Term::Variable(_), Some(field)) => self.fields.push(field.clone()),
            (Term::Dot, None) => self.all = true,
            (Term::Variable(name), None) => self.all |= name.is_empty(),
            (Term::Pipe(pipe), _) => self.pipe(pipe),
            (Term::Function(name), _) => {
                self.entry |= name == "__line__" || name == "__timestamp__";
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
