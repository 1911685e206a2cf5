//! LogQL: text to tree and back, and what the pipeline of a query does to entries. Pure.
//!
//! ```text
//! text -> lex -> parse -> ast -> check -> (query executes it over a scan)
//!                          |-> print -> text
//! ast::LogQuery -> pipeline -> rows in, entries out       stage/*  one stage per file
//! ast::Metric   -> metric::Plan -> rows in, series out    metric/* windows, groups, operators
//! ```

pub mod ast;
pub mod bytes;
mod candidates;
mod check;
pub mod duration;
pub mod fields;
mod given;
mod lex;
pub mod lookup;
pub mod metric;
#[cfg(test)]
mod naive;
mod names;
pub mod number;
mod parse;
pub mod pipeline;
mod pretty;
mod print;
pub mod row;
pub mod selection;
mod stage;
mod template;
#[cfg(test)]
mod worked;

pub use parse::{DEPTH_MAX, Error, REGEXES_MAX, TEXT_BYTES_MAX, parse, parse_selector};
pub use pretty::format;
pub use row::Category;
pub use selection::Selection;
pub use stage::Problem;
