//! Rows of which no column is needed, where a join gathers them.
//!
//! `SELECT count(*) FROM logs a, logs b, logs c` needs no column of any table: its batches are a
//! number of rows and hold no bytes, so the memory that they are drawn from sees nothing of them. A
//! join that gathers its left side keeps each such batch, a few hundred bytes, and there are as many
//! as the join of that side has rows. Here they become one.
//!
//! Invariant: as many rows come out as went in, in as many partitions.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::{CrossJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::plain::plain_methods;

/// The rule. It must run after those that choose and swap joins.
#[derive(Debug)]
pub(crate) struct BareRows;

impl PhysicalOptimizerRule for BareRows {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let counted = plan.transform_up(|plan| {
            let gathers = plan.downcast_ref::<CrossJoinExec>().is_some()
                || plan.downcast_ref::<NestedLoopJoinExec>().is_some();
            let children: Vec<Arc<dyn ExecutionPlan>> =
                plan.children().into_iter().cloned().collect();
            match children.as_slice() {
                [left, right] if gathers && left.schema().fields().is_empty() => {
                    let left = Arc::new(BareRowsExec { input: left.clone() });
                    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
                    let children: Vec<Arc<dyn ExecutionPlan>> = vec![left, right.clone()];
                    Ok(Transformed::yes(plan.replace_children(children, options)?))
                }
                _ => Ok(Transformed::no(plan)),
            }
        });
        counted.data()
    }

    fn name(&self) -> &str {
        "bare_rows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Makes one batch of all batches of its input, which have no columns.
#[derive(Debug)]
struct BareRowsExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for BareRowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BareRowsExec")
    }
}

impl ExecutionPlan for BareRowsExec {
    fn name(&self) -> &str {
        "BareRowsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| self.input.clone());
        Ok(Arc::new(BareRowsExec { input }))
    }

    plain_methods!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let input = self.input.execute(partition, context)?;
        let bare = schema.clone();
        let counted = async move {
            let rows = input.try_fold(0_usize, |rows, batch| async move {
                let sum = rows.checked_add(batch.num_rows());
                sum.ok_or_else(|| {
                    DataFusionError::ResourcesExhausted("a join has too many rows to count".into())
                })
            });
            let options = RecordBatchOptions::new().with_row_count(Some(rows.await?));
            Ok(RecordBatch::try_new_with_options(bare, Vec::new(), &options)?)
        };
        let rows = stream::once(counted).boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
