//! Casts of oids: an oid of a relation is shown by its name, a number is a number.
//!
//! Postgres has a type for each kind of oid, we have numbers that say in their field's metadata
//! what they are of. DataFusion hands the metadata of what is cast on to the result of the cast,
//! where it would be wrong; and it knows nothing of names.
//!
//! - No column that a client sees has the metadata and is not an oid.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF};
use datafusion::optimizer::AnalyzerRule;

use super::shapes::tag;
use crate::expressions::rewrite_all;

/// What is no name.
const SHOWN_AS_THEY_ARE: &[&str] = &["oid", "char", "oidvector", "int2vector"];

/// Adds what shows names instead of oids to the columns of a plan that are shown so.
pub(crate) fn show_names(plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    // Before types are final, a cast to text still says that it is an oid.
    fn shown_kind(field: &Field) -> Option<&str> {
        let is_oid = *field.data_type() == DataType::Int32;
        tag(field).filter(|tag| is_oid && !SHOWN_AS_THEY_ARE.contains(tag))
    }
    if !plan.schema().fields().iter().any(|field| shown_kind(field).is_some()) {
        return Ok(plan);
    }
    let schema = plan.schema().clone();
    let columns = schema.iter().map(|(qualifier, field)| {
        let column = Expr::Column((qualifier, field).into());
        Ok(match shown_kind(field) {
            Some(kind) => {
                let function = state.udf(&format!("{kind}_text"))?;
                function.call(vec![column]).alias_qualified(qualifier.cloned(), field.name())
            }
            None => column,
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// The rule. It must run after types were coerced.
#[derive(Debug)]
pub(crate) struct CatalogCasts {
    number: Arc<ScalarUDF>,
    text: Vec<(String, Arc<ScalarUDF>)>,
}

impl CatalogCasts {
    /// With the functions of a connection.
    pub(crate) fn new(state: &SessionState) -> Result<CatalogCasts> {
        let kinds = super::names::Kind::ALL.map(super::names::Kind::name);
        let kinds = kinds.into_iter().chain(["char"]);
        let text = kinds.map(|kind| Ok((kind.to_owned(), state.udf(&format!("{kind}_text"))?)));
        let text = text.collect::<Result<_>>()?;
        Ok(CatalogCasts { number: state.udf("oid_number")?, text })
    }

    fn rewrite_expr(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let Expr::Cast(Cast { expr: inner, field }) = expr else {
            return Ok(Transformed::no(expr));
        };
        let from = inner.to_field(schema).ok().map(|(_, field)| field);
        let from = from.as_ref().and_then(|field| tag(field));
        let Some(from) = from else {
            return Ok(Transformed::no(Expr::Cast(Cast { expr: inner, field })));
        };
        let found = self.text.iter().find(|(kind, _)| kind == from);
        if field.data_type().is_string()
            && let Some((_, function)) = found
        {
            let text = function.call(vec![*inner]);
            let same = *field.data_type() == DataType::Utf8;
            let cast = |expr| Expr::Cast(Cast { expr: Box::new(expr), field: field.clone() });
            return Ok(Transformed::yes(if same { text } else { cast(text) }));
        }
        if matches!(from, "char" | "oidvector" | "int2vector") {
            return Ok(Transformed::no(Expr::Cast(Cast { expr: inner, field })));
        }
        let number = Box::new(self.number.call(vec![*inner]));
        Ok(Transformed::yes(Expr::Cast(Cast { expr: number, field })))
    }
}

impl AnalyzerRule for CatalogCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_all(plan, |expr, schema| self.rewrite_expr(expr, schema))
    }

    fn name(&self) -> &str {
        "catalog_casts"
    }
}
