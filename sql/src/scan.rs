//! A `Table` as DataFusion sees it: a table provider, and the leaf of every physical plan.
//!
//! In go filters, columns and limits from the planner; out comes one `ScanRequest`. The provider
//! shows a fixed schema, which a prepared statement keeps while the table behind it gets new
//! columns: a column that the table does not have (any more) is null.
//!
//! - Group conditions are answered here, over the key columns, before anything is read.
//! - `EXPLAIN` names everything that was pushed down.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions,
    new_null_array,
};
use datafusion::arrow::compute::{SortOptions, and, prep_null_mask_filter};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampNanosecondType};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricType, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    ReplaceChildrenOptions, SortOrderPushdownResult,
};
use futures::{StreamExt, stream};

use crate::bands::{self, Held};
use crate::error::SqlError;
use crate::members::Member;
use crate::plain::plain_methods;
use crate::pushdown::{ALL_TIME, Push, Roles, classify, intersect};
use crate::table::{BatchStream, Bin, Cells, Counts, Notice, Scan, ScanRequest, Table, TextFilter};

/// Rows that a table may be asked for in the order of time, which it keeps in memory: of more, bands
/// are read.
const ORDERED_ROWS_MAX: usize = 100_000;

/// A table under the schema that a statement was planned with.
pub(crate) struct Provider {
    name: String,
    schema: SchemaRef,
    table: Arc<dyn Table>,
    /// For each column of `schema` its index in the table, if the table has it.
    columns: Arc<Vec<Option<usize>>>,
    roles: Roles,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Provider {
    /// What is to be told of what was read.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.table.notices()
    }

    /// How much that is.
    pub(crate) fn bytes(&self) -> u64 {
        self.table.bytes()
    }
}

impl Provider {
    /// `pinned` is the schema to show; without one it is the table's own.
    pub(crate) fn new(name: &str, table: Arc<dyn Table>, pinned: Option<SchemaRef>) -> Provider {
        let own = table.schema();
        let schema = pinned.unwrap_or_else(|| own.clone());
        let column = |field: &Arc<Field>| {
            let (index, found) = own.column_with_name(field.name())?;
            (found.data_type() == field.data_type()).then_some(index)
        };
        let columns: Vec<Option<usize>> = schema.fields().iter().map(column).collect();
        let field = |index: usize| own.field(index).name().clone();
        let mut keys: std::collections::HashSet<String> =
            table.key_columns().iter().map(|index| field(*index)).collect();
        // A column that is null in every row is null in every group.
        for (column, shown) in columns.iter().zip(schema.fields()) {
            if column.is_none() {
                keys.insert(shown.name().clone());
            }
        }
        let (time, text) = (field(table.time_column()), field(table.text_column()));
        let object = table.object_column().map(field);
        let roles = Roles { keys, time, text, object };
        Provider { name: name.to_owned(), schema, table, columns: Arc::new(columns), roles }
    }

    /// The rows of `groups()` for which all `conditions` hold.
    fn groups(&self, state: &dyn Session, conditions: &[&Expr]) -> Result<(Vec<u32>, usize)> {
        let groups = self.table.groups();
        let keys = self.table.key_columns();
        let fields = self.schema.fields().iter().zip(self.columns.iter());
        let (mut arrays, mut shown) = (Vec::<ArrayRef>::new(), Vec::new());
        for (field, column) in fields {
            let key = column.map(|column| keys.iter().position(|key| *key == column));
            match key {
                Some(Some(at)) => arrays.push(groups.column(at).clone()),
                Some(None) => continue,
                None => arrays.push(new_null_array(field.data_type(), groups.num_rows())),
            }
            shown.push(field.as_ref().clone().with_nullable(true));
        }
        let schema = Arc::new(Schema::new(shown));
        let options = RecordBatchOptions::new().with_row_count(Some(groups.num_rows()));
        let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?;
        let schema = DFSchema::try_from(schema)?;
        let mut mask = BooleanArray::from(vec![true; batch.num_rows()]);
        for condition in conditions {
            let condition = state.create_physical_expr(unqualified(condition)?, &schema)?;
            let holds = condition.evaluate(&batch)?.into_array(batch.num_rows())?;
            let Some(holds) = holds.as_boolean_opt() else {
                return internal_err!("condition {condition} is not a boolean");
            };
            mask = match holds.null_count() {
                0 => and(&mask, holds)?,
                _ => and(&mask, &prep_null_mask_filter(holds))?,
            };
        }
        let chosen = (0..).zip(mask.values()).filter_map(|(row, holds)| holds.then_some(row));
        Ok((chosen.collect(), batch.num_rows()))
    }
}

/// A condition may still name its columns with the table in front.
fn unqualified(expr: &Expr) -> Result<Expr> {
    use datafusion::common::tree_node::{Transformed, TreeNode};
    let plain = expr.clone().transform(|expr| match expr {
        Expr::Column(column) if column.relation.is_some() => {
            let column = datafusion::common::Column::new_unqualified(column.name);
            Ok(Transformed::yes(Expr::Column(column)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(plain.data)
}

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters.iter().map(|filter| classify(filter, &self.roles).support()).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (mut time, mut text, mut conditions) = (ALL_TIME, Vec::<TextFilter>::new(), vec![]);
        let mut members = Vec::new();
        for filter in filters {
            match classify(filter, &self.roles) {
                Push::Groups => conditions.push(filter),
                Push::Time(range) => time = intersect(time, range),
                Push::Text(filter) if !text.contains(&filter) => text.push(filter),
                Push::Members(mut groups) => members.append(&mut groups),
                Push::Text(_) | Push::Nothing => {}
            }
        }
        let all = (0..self.schema.fields().len()).collect();
        let columns = projection.unwrap_or(&all);
        let groups = match conditions.as_slice() {
            [] => None,
            conditions => Some(self.groups(state, conditions)?),
        };
        let schema = Arc::new(self.schema.project(columns)?);
        let plan = Plan {
            name: self.name.clone(),
            groups,
            time,
            text,
            members,
            sources: columns.iter().map(|column| self.columns[*column]).collect(),
            time_name: self.roles.time.clone(),
            limit,
            order: None,
            cells: None,
        };
        Ok(Arc::new(ScanExec::new(self.table.clone(), schema, plan)))
    }
}

/// What one scan will ask for.
#[derive(Clone, Debug)]
struct Plan {
    name: String,
    /// The chosen groups, and of how many.
    groups: Option<(Vec<u32>, usize)>,
    time: Range<i64>,
    text: Vec<TextFilter>,
    /// Members of the object column, of each group of which a wanted row has one.
    members: Vec<Vec<Member>>,
    /// For each output column the table's column, if it has one.
    sources: Vec<Option<usize>>,
    time_name: String,
    limit: Option<usize>,
    /// The order of time that rows must come in.
    order: Option<SortOptions>,
    /// Cells are asked for: behind the output columns come their first time, last time and rows.
    cells: Option<Cells>,
}

impl Plan {
    fn request(&self) -> ScanRequest {
        ScanRequest {
            groups: self.groups.as_ref().map(|(chosen, _)| chosen.clone()),
            time: self.time.clone(),
            text: self.text.clone(),
            members: self.members.clone(),
            projection: self.sources.iter().flatten().copied().collect(),
            limit: self.limit,
            newest_first: self.order.map(|order| order.descending),
            cells: self.cells,
        }
    }

    /// Whether it is known without reading that there are no rows.
    fn is_empty(&self) -> bool {
        self.time.is_empty() || self.groups.as_ref().is_some_and(|(chosen, _)| chosen.is_empty())
    }
}

/// The leaf of a plan: one stream of rows from the table.
pub(crate) struct ScanExec {
    table: Arc<dyn Table>,
    plan: Plan,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    /// What is read of a band, where this is the scan of one.
    held: Option<Arc<Held>>,
}

impl fmt::Debug for ScanExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanExec").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl ScanExec {
    fn new(table: Arc<dyn Table>, schema: SchemaRef, plan: Plan) -> ScanExec {
        let mut equivalence = EquivalenceProperties::new(schema.clone());
        if let (Some(options), Ok(index)) = (plan.order, schema.index_of(&plan.time_name)) {
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(&plan.time_name, index));
            equivalence.add_ordering([PhysicalSortExpr::new(column, options)]);
        }
        let properties = PlanProperties::new(
            equivalence,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let metrics = ExecutionPlanMetricsSet::new();
        ScanExec { table, plan, properties: Arc::new(properties), metrics, held: None }
    }

    /// The times that rows are wanted of.
    pub(crate) fn time(&self) -> Range<i64> {
        self.plan.time.clone()
    }

    /// The same scan of some of its time only, which counts in the same place, and what its rows are
    /// sorted by: their time, then what orders those of one time, which are columns behind the others.
    pub(crate) fn of_band(
        &self,
        time: Range<i64>,
        held: Arc<Held>,
    ) -> Result<(ScanExec, Vec<Arc<dyn PhysicalExpr>>)> {
        let schema = self.schema();
        let (own, tie) = (self.table.schema(), self.table.tie_column());
        let mut fields: Vec<Field> =
            schema.fields().iter().map(|own| own.as_ref().clone()).collect();
        fields.extend(tie.map(|tie| own.field(tie).clone().with_name("__tie")));
        fields.push(Field::new("__place", DataType::Int64, false));
        let at = schema.index_of(&self.plan.time_name)?;
        let by = std::iter::once(at).chain(schema.fields().len()..fields.len());
        let by = by.map(|at| Arc::new(Column::new(fields[at].name(), at)) as Arc<dyn PhysicalExpr>);
        let by = by.collect();
        let mut plan = self.plan.clone();
        plan.time = time;
        plan.sources.extend(tie.map(Some));
        let mut band = ScanExec::new(self.table.clone(), Arc::new(Schema::new(fields)), plan);
        band.metrics = self.metrics.clone();
        band.held = Some(held);
        Ok((band, by))
    }

    /// The newest or oldest time of a row.
    pub(crate) async fn nearest(&self, time: Range<i64>, newest: bool) -> Result<Option<i64>> {
        let request = ScanRequest {
            time,
            projection: vec![self.table.time_column()],
            limit: Some(1),
            newest_first: Some(newest),
            ..self.plan.request()
        };
        if self.plan.is_empty() || request.time.is_empty() {
            return Ok(None);
        }
        let mut scan = self.table.scan(request).map_err(SqlError::from)?;
        let mut nearest = None;
        while nearest.is_none()
            && let Some(batch) = scan.batches.next().await
        {
            let batch = batch.map_err(SqlError::from)?;
            let times = batch.column(0).as_primitive_opt::<TimestampNanosecondType>();
            let Some(times) = times else { return internal_err!("the scan returned no times") };
            nearest = (!times.is_empty()).then(|| times.value(0));
        }
        Counted { counts: Some(scan.counts), metrics: self.metrics.clone() }.tell();
        Ok(nearest)
    }

    fn with(&self, change: impl FnOnce(&mut Plan)) -> Arc<dyn ExecutionPlan> {
        Arc::new(self.with_plan(change))
    }

    fn with_plan(&self, change: impl FnOnce(&mut Plan)) -> ScanExec {
        let mut plan = self.plan.clone();
        change(&mut plan);
        ScanExec::new(self.table.clone(), self.schema(), plan)
    }

    /// Whether a column is the time of rows.
    pub(crate) fn is_time(&self, index: usize) -> bool {
        self.plan.sources[index] == Some(self.table.time_column())
    }

    /// Whether cells can be told apart by a column.
    pub(crate) fn tells_cells(&self, index: usize) -> bool {
        self.plan.sources[index].is_none_or(|source| {
            self.table.key_columns().contains(&source)
                || self.table.cell_columns().contains(&source)
        })
    }

    /// The same scan, asked for cells: some of its columns, then the first time, the last time and
    /// the number of rows of each cell. `None` where it must return certain rows.
    pub(crate) fn in_cells(&self, by: &[usize], cells: Cells) -> Option<Arc<dyn ExecutionPlan>> {
        if self.plan.limit.is_some() || self.plan.order.is_some() || self.plan.cells.is_some() {
            return None;
        }
        let own = self.table.schema();
        let time = own.field(self.table.time_column());
        let schema = self.schema();
        let mut fields: Vec<Field> = by.iter().map(|index| schema.field(*index).clone()).collect();
        fields.extend([time.clone().with_name("first"), time.clone().with_name("last")]);
        fields.push(Field::new("rows", DataType::Int64, false));
        let mut plan = self.plan.clone();
        plan.sources = by.iter().map(|index| self.plan.sources[*index]).collect();
        plan.cells = Some(cells);
        Some(Arc::new(ScanExec::new(self.table.clone(), Arc::new(Schema::new(fields)), plan)))
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.plan;
        write!(f, "ScanExec: table={}", plan.name)?;
        if let Some((chosen, all)) = &plan.groups {
            write!(f, ", groups={}/{all}", chosen.len())?;
        }
        if plan.time != ALL_TIME {
            write!(f, ", time=[{})", Times(&plan.time))?;
        }
        if !plan.text.is_empty() {
            let text: Vec<String> = plan.text.iter().map(ToString::to_string).collect();
            write!(f, ", text=[{}]", text.join(", "))?;
        }
        if !plan.members.is_empty() {
            let group = |group: &Vec<Member>| {
                let members = group.iter().map(|(name, value)| format!("{name}={value:?}"));
                members.collect::<Vec<_>>().join(" or ")
            };
            let groups: Vec<String> = plan.members.iter().map(group).collect();
            write!(f, ", members=[{}]", groups.join(", "))?;
        }
        let schema = self.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, ", projection=[{}]", names.join(", "))?;
        match plan.order {
            Some(order) if order.descending => write!(f, ", order=newest first")?,
            Some(_) => write!(f, ", order=oldest first")?,
            None => {}
        }
        if let Some(cells) = plan.cells {
            write!(f, ", cells")?;
            if let Some(Bin { width, .. }) = cells.bin {
                write!(f, " of {:?}", Duration::from_nanos(width.unsigned_abs()))?;
            }
        }
        match plan.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

struct Times<'a>(&'a Range<i64>);

impl fmt::Display for Times<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |at| chrono::DateTime::from_timestamp_nanos(at).format("%Y-%m-%dT%H:%M:%S%.fZ");
        if self.0.start != ALL_TIME.start {
            write!(f, "{}", at(self.0.start))?;
        }
        write!(f, "..")?;
        if self.0.end != ALL_TIME.end { write!(f, "{}", at(self.0.end)) } else { Ok(()) }
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    plain_methods!();

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn fetch(&self) -> Option<usize> {
        self.plan.limit
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(self.with(|plan| plan.limit = limit))
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
    ) -> Result<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        let unsupported = Ok(SortOrderPushdownResult::Unsupported);
        // A limit that is already here was meant for another order.
        let ([order], None, None) = (order, self.plan.limit, self.plan.order) else {
            return unsupported;
        };
        match order.expr.downcast_ref::<Column>() {
            Some(column) if column.name() == self.plan.time_name => {
                let inner = self.with(|plan| plan.order = Some(order.options));
                Ok(SortOrderPushdownResult::Exact { inner })
            }
            _ => unsupported,
        }
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        if let Some(order) = self.plan.order
            && self.plan.limit.is_none_or(|limit| limit > ORDERED_ROWS_MAX)
        {
            let mut scan = self.with_plan(|plan| (plan.order, plan.limit) = (None, None));
            scan.metrics = self.metrics.clone();
            let rows = bands::in_order(scan, order, self.plan.limit, context);
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows.boxed())));
        }
        let scan = match self.plan.is_empty() {
            true => Scan { batches: stream::empty().boxed(), counts: Arc::new(Vec::new) },
            false => self.table.scan(self.plan.request()).map_err(SqlError::from)?,
        };
        let mut sources = self.plan.sources.clone();
        if self.plan.cells.is_some() {
            let time = Some(self.table.time_column());
            sources.extend([time, time, time]);
        }
        let rows = Rows {
            batches: scan.batches,
            left: self.plan.limit.unwrap_or(usize::MAX),
            schema: schema.clone(),
            sources,
            metrics: BaselineMetrics::new(&self.metrics, 0),
            counted: Counted { counts: Some(scan.counts), metrics: self.metrics.clone() },
            held: self.held.clone(),
            place: 0,
        };
        let rows = stream::unfold(rows, |mut rows| async move { Some((rows.next().await?, rows)) });
        let rows = RecordBatchStreamAdapter::new(schema, rows.boxed());
        Ok(Box::pin(cooperative(rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The rows of a running scan.
struct Rows {
    batches: BatchStream,
    /// How many rows may still be returned: with none left, no further batch is asked for.
    left: usize,
    schema: SchemaRef,
    sources: Vec<Option<usize>>,
    metrics: BaselineMetrics,
    counted: Counted,
    /// Where this is a band: what it holds, and how many rows it had so far.
    held: Option<Arc<Held>>,
    place: i64,
}

/// What a scan counted, on its way to where EXPLAIN ANALYZE reads it: once, at the end.
struct Counted {
    counts: Option<Counts>,
    metrics: ExecutionPlanMetricsSet,
}

impl Counted {
    fn tell(&mut self) {
        for (name, n) in self.counts.take().iter().flat_map(|counts| counts()) {
            let metric = MetricBuilder::new(&self.metrics).with_type(MetricType::Summary);
            metric.global_counter(name).add(usize::try_from(n).unwrap_or(usize::MAX));
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.tell();
    }
}

impl Rows {
    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        let next = if self.left > 0 { self.batches.next().await } else { None };
        let batch = match next {
            Some(Ok(batch)) => batch,
            Some(Err(error)) => return Some(Err(SqlError::from(error).into())),
            None => {
                self.counted.tell();
                return None;
            }
        };
        let rows = batch.num_rows().min(self.left);
        self.left -= rows;
        self.metrics.record_output(rows);
        let batch = batch.slice(0, rows);
        let Some(held) = self.held.clone() else {
            return Some(shape(&batch, &self.schema, &self.sources));
        };
        Some(self.placed(&batch).and_then(|batch| held.add(&batch).map(|()| batch)))
    }

    /// A batch of a band, whose last column says which row of the band each is.
    fn placed(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let behind = self.place + i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
        let places = Int64Array::from_iter_values(self.place..behind);
        self.place = behind;
        let own: Vec<usize> = (0..self.sources.len()).collect();
        let own = Arc::new(self.schema.project(&own)?);
        let shaped = shape(batch, &own, &self.sources)?;
        let mut columns = shaped.columns().to_vec();
        columns.push(Arc::new(places));
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

/// Puts nulls where the table has no column, and checks what it returned.
fn shape(
    batch: &RecordBatch,
    schema: &SchemaRef,
    sources: &[Option<usize>],
) -> Result<RecordBatch> {
    let mut returned = batch.columns().iter();
    let columns = schema.fields().iter().zip(sources).map(|(field, source)| match source {
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        Some(_) => match returned.next() {
            Some(array) if array.data_type() == field.data_type() => Ok(array.clone()),
            _ => internal_err!("the scan returned another column than {field}"),
        },
    });
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
