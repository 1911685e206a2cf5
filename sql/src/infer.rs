//! The types of parameters that the client did not declare.
//!
//! DataFusion infers from comparisons. We add what Postgres clients rely on besides: casts
//! (`$1::int`), `LIMIT $1`, and `= any($1)`; what is left is text.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::SqlError;
use crate::params::ParamType;

/// The most parameters of a statement: the protocol counts them with 16 bits.
const PARAMETERS_MAX: usize = u16::MAX as usize;

/// The types of `$1` to the highest parameter of `plan`.
pub(crate) fn parameters(
    plan: &LogicalPlan,
    declared: &[Option<ParamType>],
) -> Result<Vec<ParamType>, SqlError> {
    let mut found = BTreeMap::<usize, Option<DataType>>::new();
    for (name, kind) in plan.get_parameter_types()? {
        found.insert(number(&name)?, kind);
    }
    if found.is_empty() {
        return Ok(declared
            .iter()
            .map(|kind| kind.clone().unwrap_or_else(ParamType::text))
            .collect());
    }
    let mut hints = BTreeMap::<usize, DataType>::new();
    plan.apply_with_subqueries(|node| {
        hint_node(node, &mut hints)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    let highest = found.keys().next_back().copied().unwrap_or(0);
    let count = highest.max(declared.len());
    let kind = |index: usize| {
        if let Some(Some(kind)) = declared.get(index - 1) {
            return kind.clone();
        }
        let inferred = found.get(&index).cloned().flatten();
        match inferred.filter(|kind| *kind != DataType::Null).or(hints.get(&index).cloned()) {
            Some(kind) => ParamType::inferred(&kind),
            None => ParamType::text(),
        }
    };
    Ok((1..=count).map(kind).collect())
}

/// Fills in the parameters that the text casts to `oid` or `oid[]`: to the planner these are
/// integers like others, and what is left undeclared would be one of these. asyncpg reads the types
/// that it does not know with such a parameter; told that it is `int4[]`, it reads that type the same
/// way, without end.
pub(crate) fn declare_oids(text: &str, declared: &mut Vec<Option<ParamType>>) {
    // What has no tokens has no plan either, which is where the error is told.
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize().unwrap_or_default();
    let mut tokens = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_)));
    while let Some(token) = tokens.next() {
        let Token::Placeholder(name) = token else { continue };
        let mut after = tokens.clone();
        let cast = matches!(after.next(), Some(Token::DoubleColon));
        let oid = matches!(after.next(), Some(Token::Word(word)) if word.value == "oid");
        let Ok(number) = number(name) else { continue };
        if !cast || !oid {
            continue;
        }
        let list = matches!(after.next(), Some(Token::LBracket));
        if declared.len() < number {
            declared.resize(number, None);
        }
        let own = &mut declared[number - 1];
        if own.is_none() {
            *own = ParamType::named(if list { "oid[]" } else { "oid" }).ok().flatten();
        }
    }
}

fn number(name: &str) -> Result<usize, SqlError> {
    let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
    match number {
        Some(number) if (1..=PARAMETERS_MAX).contains(&number) => Ok(number),
        _ => Err(SqlError::new("42P02", format!("there is no parameter {name}"))),
    }
}

fn hint_node(node: &LogicalPlan, hints: &mut BTreeMap<usize, DataType>) -> DfResult<()> {
    if let LogicalPlan::Limit(limit) = node {
        for expr in [&limit.skip, &limit.fetch].into_iter().flatten() {
            hint(expr, DataType::Int64, hints);
        }
    }
    let schema = match node.inputs().as_slice() {
        [] => DFSchema::empty().into(),
        [input] => input.schema().clone(),
        _ => node.schema().clone(),
    };
    node.apply_expressions(|expr| {
        expr.apply(|expr| {
            match expr {
                Expr::Cast(cast) => hint(&cast.expr, cast.field.data_type().clone(), hints),
                Expr::ScalarFunction(call) if matches!(call.name(), "array_has" | "list_has") => {
                    if let [array @ Expr::Placeholder(_), item] = call.args.as_slice()
                        && let Ok(item) = item.get_type(&schema)
                    {
                        let item = match item {
                            DataType::Dictionary(_, value) => *value,
                            other => other,
                        };
                        let list = DataType::List(Arc::new(Field::new_list_field(item, true)));
                        hint(array, list, hints);
                    }
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(())
}

fn hint(expr: &Expr, kind: DataType, hints: &mut BTreeMap<usize, DataType>) {
    match expr {
        Expr::Placeholder(placeholder) => {
            if let Ok(number) = number(&placeholder.id) {
                hints.entry(number).or_insert(kind);
            }
        }
        // LIMIT wraps its parameter in a cast.
        Expr::Cast(cast) => hint(&cast.expr, kind, hints),
        _ => {}
    }
}
