//! The stages of a pipeline, one to a file.
//!
//! In: a stage of the tree. Out: something that changes or refuses a [`Row`], or the reason why
//! there is none, which is the text that users are told.

pub(crate) mod captures;
pub(crate) mod decolorize;
pub(crate) mod drop_keep;
pub(crate) mod format;
pub(crate) mod ip;
pub(crate) mod json;
mod json_lane;
pub(crate) mod json_path;
pub(crate) mod json_scan;
pub(crate) mod label_filter;
pub(crate) mod line_filter;
pub(crate) mod literal;
pub(crate) mod logfmt;
mod logfmt_lane;
pub(crate) mod logfmt_scan;
pub(crate) mod parser;
pub(crate) mod probe;
pub(crate) mod regexp;
pub(crate) mod unpack;
pub(crate) mod unwrap;

use std::ops::Range;

use regex::CaptureLocations;

use self::label_filter::LabelFilter;
use self::line_filter::LineFilter;
use self::parser::{Target, Wanted};
use crate::logql::ast;
use crate::logql::names::{Name, Names};
use crate::logql::row::{Row, reserved_names};
use crate::logql::template;

/// What is wrong with a stage, in the words that Loki has for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Problem {
    /// Whether the message names the stage first: `stage '| line_format "{{"' : ...`.
    pub names_stage: bool,
    /// What is wrong.
    pub text: String,
}

impl Problem {
    /// A message behind the name of the stage.
    pub(crate) fn in_stage(text: String) -> Problem {
        Problem { names_stage: true, text }
    }

    /// A message that stands alone.
    pub(crate) fn alone(text: String) -> Problem {
        Problem { names_stage: false, text }
    }
}

impl From<template::Error> for Problem {
    fn from(error: template::Error) -> Problem {
        Problem::in_stage(error.0)
    }
}

/// Checks what a stage says inside its strings: regexes, patterns, paths, addresses, templates.
pub(crate) fn check(stage: &ast::Stage) -> Result<(), Problem> {
    Stage::compile(&mut reserved_names(), stage).map(drop)
}

/// A compiled stage.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    Line(LineFilter),
    Json,
    JsonPaths(Vec<json_path::Wish>),
    Logfmt(logfmt::Flags),
    LogfmtWishes(logfmt::Flags, Vec<logfmt::Wish>),
    Regexp(regexp::Regexp),
    Pattern(regexp::Pattern),
    Unpack,
    Label(LabelFilter),
    LineFormat(format::LineFormat),
    LabelFormat(format::LabelFormats),
    Decolorize(decolorize::Decolorize),
    Drop(drop_keep::Labels),
    Keep(drop_keep::Labels),
    /// Only inside range aggregations.
    Unwrap(unwrap::Unwrap),
}

/// What a stage remembers from line to line, to be faster. Forgotten whenever names are.
#[derive(Clone, Debug)]
pub(crate) enum Memory {
    None,
    Json(json::Keys),
    Logfmt(logfmt::Keys),
    Found(Vec<bool>),
    Groups(CaptureLocations),
    Ranges(Vec<Range<usize>>),
}

/// What stages are given beside the row.
#[derive(Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) wanted: &'c Wanted,
    /// Filters right behind the stage that look at one label each.
    pub(crate) filters: &'c [(Name, LabelFilter)],
    /// The time of the query, in nanoseconds.
    pub(crate) now: i64,
}

impl Stage {
    /// Compiles a stage.
    pub(crate) fn compile(names: &mut Names, stage: &ast::Stage) -> Result<Stage, Problem> {
        Ok(match stage {
            ast::Stage::Line(filter) => {
                Stage::Line(LineFilter::compile(filter).map_err(Problem::in_stage)?)
            }
            ast::Stage::Json(extracts) if extracts.is_empty() => Stage::Json,
            ast::Stage::Json(extracts) => {
                let wishes = extracts
                    .iter()
                    .map(|extract| json_path::compile(names, &extract.label, &extract.expression));
                Stage::JsonPaths(wishes.collect::<Result<_, _>>().map_err(Problem::in_stage)?)
            }
            ast::Stage::Logfmt { strict, keep_empty, extract } => {
                let flags = logfmt::Flags { strict: *strict, keep_empty: *keep_empty };
                let wishes = extract
                    .iter()
                    .map(|extract| logfmt::compile(names, &extract.label, &extract.expression));
                let wishes: Vec<_> = wishes.collect::<Result<_, _>>().map_err(Problem::in_stage)?;
                if wishes.is_empty() {
                    Stage::Logfmt(flags)
                } else {
                    Stage::LogfmtWishes(flags, wishes)
                }
            }
            ast::Stage::Regexp(text) => {
                Stage::Regexp(regexp::Regexp::compile(names, text).map_err(Problem::alone)?)
            }
            ast::Stage::Pattern(text) => {
                Stage::Pattern(regexp::Pattern::compile(names, text).map_err(Problem::alone)?)
            }
            ast::Stage::Unpack => Stage::Unpack,
            ast::Stage::Label(filter) => {
                Stage::Label(LabelFilter::compile(names, filter).map_err(Problem::in_stage)?)
            }
            ast::Stage::LineFormat(text) => {
                Stage::LineFormat(format::LineFormat::compile(names, text)?)
            }
            ast::Stage::LabelFormat(formats) => {
                Stage::LabelFormat(format::LabelFormats::compile(names, formats)?)
            }
            ast::Stage::Decolorize => Stage::Decolorize(decolorize::Decolorize::new()),
            ast::Stage::Drop(labels) => Stage::Drop(drop_keep::Labels::compile(names, labels)),
            ast::Stage::Keep(labels) => Stage::Keep(drop_keep::Labels::compile(names, labels)),
        })
    }

    /// Whether this takes labels out of the line.
    pub(crate) fn is_parser(&self) -> bool {
        match self {
            Stage::Json
            | Stage::JsonPaths(_)
            | Stage::Logfmt(_)
            | Stage::LogfmtWishes(..)
            | Stage::Regexp(_)
            | Stage::Pattern(_)
            | Stage::Unpack => true,
            Stage::Line(_)
            | Stage::Label(_)
            | Stage::LineFormat(_)
            | Stage::LabelFormat(_)
            | Stage::Decolorize(_)
            | Stage::Drop(_)
            | Stage::Keep(_)
            | Stage::Unwrap(_) => false,
        }
    }

    /// Whether this may change the line.
    pub(crate) fn rewrites_line(&self) -> bool {
        matches!(self, Stage::Unpack | Stage::LineFormat(_) | Stage::Decolorize(_))
    }

    /// Whether what this does depends on the labels alone: not on line and time.
    pub(crate) fn looks_at_labels_only(&self) -> bool {
        match self {
            Stage::Label(_) | Stage::Drop(_) | Stage::Keep(_) => true,
            Stage::LabelFormat(formats) => {
                !formats.templates().any(|template| template.reads_entry())
            }
            _ => false,
        }
    }

    /// Whether this reads the line.
    pub(crate) fn reads_line(&self) -> bool {
        match self {
            Stage::Label(_) | Stage::Drop(_) | Stage::Keep(_) | Stage::Unwrap(_) => false,
            Stage::LabelFormat(formats) => {
                formats.templates().any(|template| template.reads_entry())
            }
            Stage::LineFormat(format) => format.0.reads_entry(),
            _ => true,
        }
    }

    /// The labels that this stage looks at; `None` where they cannot be told beforehand.
    pub(crate) fn needed(&self) -> Option<Vec<Name>> {
        let mut names = Vec::new();
        match self {
            Stage::Label(filter) => filter.names(&mut names),
            Stage::Unwrap(unwrap) => names.push(unwrap.label),
            Stage::LineFormat(format) => names.extend(format.0.fields()?),
            Stage::LabelFormat(formats) => {
                names.extend(formats.sources());
                for template in formats.templates() {
                    names.extend(template.fields()?);
                }
            }
            _ => {}
        }
        Some(names)
    }

    /// What this stage remembers at first.
    pub(crate) fn memory(&self) -> Memory {
        match self {
            Stage::Json => Memory::Json(json::Keys::default()),
            Stage::JsonPaths(_) => Memory::Found(Vec::new()),
            Stage::Logfmt(_) | Stage::LogfmtWishes(..) => Memory::Logfmt(logfmt::Keys::default()),
            Stage::Regexp(regexp) => Memory::Groups(regexp.locations()),
            Stage::Pattern(_) => Memory::Ranges(Vec::new()),
            _ => Memory::None,
        }
    }

    /// Does what the stage does; `false` where it refuses the entry.
    pub(crate) fn process(
        &self,
        row: &mut Row<'_>,
        memory: &mut Memory,
        context: Context<'_>,
    ) -> bool {
        let target = Target { wanted: context.wanted, filters: context.filters };
        match (self, memory) {
            (Stage::Line(filter), _) => return filter.accepts(row.line().as_bytes()),
            (Stage::Label(filter), _) => return filter.accepts(row),
            (Stage::Json, Memory::Json(keys)) => return json::process(row, target, keys),
            (Stage::JsonPaths(wishes), Memory::Found(found)) => {
                json_path::process(row, target, wishes, found);
            }
            (Stage::Logfmt(flags), Memory::Logfmt(keys)) => {
                return logfmt::process(row, target, *flags, keys);
            }
            (Stage::LogfmtWishes(flags, wishes), Memory::Logfmt(keys)) => {
                logfmt::process_wishes(row, target, *flags, keys, wishes);
            }
            (Stage::Regexp(regexp), Memory::Groups(groups)) => {
                return regexp.process(row, target, groups);
            }
            (Stage::Pattern(pattern), Memory::Ranges(ranges)) => {
                return pattern.process(row, target, ranges);
            }
            (Stage::Unpack, _) => return unpack::process(row, target),
            (Stage::LineFormat(format), _) => format.process(row, context.now),
            (Stage::LabelFormat(formats), _) => formats.process(row, context.now),
            (Stage::Decolorize(decolorize), _) => decolorize.process(row),
            (Stage::Drop(labels), _) => labels.drop(row),
            (Stage::Keep(labels), _) => labels.keep(row),
            (Stage::Unwrap(unwrap), _) => return unwrap.process(row),
            (stage, memory) => unreachable!("{memory:?} does not belong to {stage:?}"),
        }
        true
    }
}
