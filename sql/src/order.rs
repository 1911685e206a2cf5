//! Lets the table deliver rows in the order of time where a statement sorts by it.
//!
//! DataFusion asks its sources for an order by itself, but not through filters, which is where it
//! matters most: `WHERE level = 'error' ORDER BY timestamp DESC LIMIT 10` would read all of time.
//!
//! - No sort is removed. One whose input has its order already passes rows on, up to its limit;
//!   it finds that out when it runs, so a mistake here costs time and not order.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ReplaceChildrenOptions, SortOrderPushdownResult,
};

use crate::scan::ScanExec;

/// The rule. It must run after those that decide about sorts and partitions.
#[derive(Debug)]
pub(crate) struct TimeOrder;

impl PhysicalOptimizerRule for TimeOrder {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ordered = plan.transform_down(|plan| {
            let Some(sort) = plan.downcast_ref::<SortExec>() else {
                return Ok(Transformed::no(plan));
            };
            let [order] = sort.expr().as_ref() else { return Ok(Transformed::no(plan)) };
            match ordered(sort.input(), order)? {
                Some(input) => Ok(Transformed::yes(with_input(plan, input)?)),
                None => Ok(Transformed::no(plan)),
            }
        });
        ordered.data()
    }

    fn name(&self) -> &str {
        "time_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn with_input(
    plan: Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    plan.replace_children(vec![input], options)
}

/// `plan` in the given order, if its scan can be asked for it.
fn ordered(
    plan: &Arc<dyn ExecutionPlan>,
    order: &PhysicalSortExpr,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(column) = order.expr.downcast_ref::<Column>() else { return Ok(None) };
    if plan.downcast_ref::<ScanExec>().is_some() {
        return Ok(match plan.try_pushdown_sort(std::slice::from_ref(order))? {
            SortOrderPushdownResult::Exact { inner } => Some(inner),
            _ => None,
        });
    }
    let (input, source) = if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let index = match filter.projection() {
            Some(projection) => projection[column.index()],
            None => column.index(),
        };
        let name = filter.input().schema().field(index).name().clone();
        (filter.input(), Column::new(&name, index))
    } else if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        match projection.expr()[column.index()].expr.downcast_ref::<Column>() {
            Some(source) => (projection.input(), source.clone()),
            None => return Ok(None),
        }
    } else if let Some(partitions) = plan.downcast_ref::<RepartitionExec>()
        && partitions.maintains_input_order() == [true]
    {
        // Put together again, rows of one time would come as their partitions do, now these first and
        // now those: what is above looks at all rows by itself.
        return ordered(partitions.input(), order);
    } else {
        return Ok(None);
    };
    let source: Arc<dyn PhysicalExpr> = Arc::new(source);
    match ordered(input, &PhysicalSortExpr::new(source, order.options))? {
        Some(input) => Ok(Some(with_input(plan.clone(), input)?)),
        None => Ok(None),
    }
}
