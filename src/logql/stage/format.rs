//! `| line_format "..."` and `| label_format a=b, c="..."`.
//!
//! Invariants:
//! - a template that fails at run time leaves the old line, or does not set its label;
//! - templates of one stage see the labels as they were before it; renames act one after another.

use crate::logql::ast::LabelFormat;
use crate::logql::names::{Name, Names};
use crate::logql::row::{Category, ERROR, ERROR_DETAILS, Row};
use crate::logql::template::{self, Template};

/// The error of a line whose template failed.
const FAILED: &str = "TemplateFormatErr";

/// A new line.
#[derive(Clone, Debug)]
pub(crate) struct LineFormat(pub(crate) Template);

/// New labels.
#[derive(Clone, Debug)]
pub(crate) struct LabelFormats(Vec<Format>);

#[derive(Clone, Debug)]
enum Format {
    Rename { to: Name, from: Name },
    Template { to: Name, template: Template },
}

impl LineFormat {
    /// Compiles the template.
    pub(crate) fn compile(names: &mut Names, text: &str) -> Result<LineFormat, template::Error> {
        let template = Template::compile(names, "line", text)
            .map_err(|error| error.context("invalid line template: "))?;
        Ok(LineFormat(template))
    }

    /// Replaces the line.
    pub(crate) fn process(&self, row: &mut Row<'_>, now: i64) {
        let mut made = String::new();
        match self.0.render(row, now, &mut made) {
            Ok(()) => {
                let span = row.make(&made);
                row.set_line(span);
            }
            Err(details) => row.fail(FAILED, &details),
        }
    }
}

impl LabelFormats {
    /// Compiles the templates and checks the names.
    pub(crate) fn compile(
        names: &mut Names,
        formats: &[LabelFormat],
    ) -> Result<LabelFormats, template::Error> {
        let mut compiled: Vec<Format> = Vec::new();
        let mut seen: Vec<Name> = Vec::new();
        for format in formats {
            let (LabelFormat::Rename { to, .. } | LabelFormat::Template { to, .. }) = format;
            let name = names.intern(to);
            if name == ERROR || name == ERROR_DETAILS {
                return Err(template::Error(format!("{to} cannot be formatted")));
            }
            if seen.contains(&name) {
                return Err(template::Error(format!(
                    "multiple label name '{to}' not allowed in a single format operation"
                )));
            }
            seen.push(name);
            compiled.push(match format {
                LabelFormat::Rename { from, .. } => {
                    Format::Rename { to: name, from: names.intern(from) }
                }
                LabelFormat::Template { template, .. } => Format::Template {
                    to: name,
                    template: Template::compile(names, "label", template).map_err(|error| {
                        error.context(&format!("invalid template for label '{to}': "))
                    })?,
                },
            });
        }
        Ok(LabelFormats(compiled))
    }

    /// The templates among the assignments.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.0.iter().filter_map(|format| match format {
            Format::Template { template, .. } => Some(template),
            Format::Rename { .. } => None,
        })
    }

    /// The labels that renames read.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Name> {
        self.0.iter().filter_map(|format| match format {
            Format::Rename { from, .. } => Some(*from),
            Format::Template { .. } => None,
        })
    }

    /// Sets the labels.
    pub(crate) fn process(&self, row: &mut Row<'_>, now: i64) {
        let mut rendered = Vec::new();
        for template in self.templates() {
            let mut made = String::new();
            rendered.push(template.render(row, now, &mut made).map(|()| made));
        }
        let mut rendered = rendered.into_iter();
        for format in &self.0 {
            match format {
                Format::Rename { to, from } => rename(row, *to, *from),
                Format::Template { to, .. } => {
                    match rendered.next().expect("one for each template") {
                        Ok(made) => {
                            let span = row.make(&made);
                            row.set(Category::Parsed, *to, span);
                        }
                        Err(details) => row.fail(FAILED, &details),
                    }
                }
            }
        }
    }
}

/// Moves a value to another name; it stays in its category.
fn rename(row: &mut Row<'_>, to: Name, from: Name) {
    let Some((category, value)) = row.find(from) else { return };
    let value = value.to_owned();
    let span = row.make(&value);
    row.set(category, to, span);
    row.remove(from);
}
