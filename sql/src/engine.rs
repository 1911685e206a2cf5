//! DataFusion on threads of its own: planning, running and encoding statements.
//!
//! In go statements with their parameters; out come encoded rows through a bounded channel. One
//! engine serves all connections: its runtime and its shares of memory, disk and turns are what a
//! heavy statement uses up instead of the process's own.
//!
//! - Nothing of a statement is computed on the caller's runtime.
//! - Dropping a `Running` stops its statement at the next point where it waits.
//! - A panic in a statement ends that statement.
//! - Threads have stacks that the deepest accepted statement fits on.

use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use datafusion::arrow::array::{AsArray, RecordBatch, RecordBatchOptions, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::execution::{SessionStateDefaults, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as DfStatement;
use futures::StreamExt;
use pgwire::api::results::FieldInfo;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::activity::{Activity, Backend, Cost};
use crate::any::PostgresAny;
use crate::arithmetic::PostgresArithmetic;
use crate::bare::BareRows;
use crate::casts::{DayPlanner, PostgresCasts};
use crate::catalog::{self, SCHEMA, Tables};
use crate::cells::CountInCells;
use crate::clock;
use crate::copy::CopyFormat;
use crate::dialect::Dialect;
use crate::encode::{Chunk, Columns, Encoder, fields};
use crate::error::{Error, SqlError};
use crate::functions;
use crate::json::JsonPlanner;
use crate::lateral;
use crate::load::Sink;
use crate::order::TimeOrder;
use crate::params::ParamType;
use crate::regex::PostgresRegex;
use crate::server::Options;
use crate::settings::Settings;
use crate::shares::{Held, Share, Shares, Turn};
use crate::signal;
use crate::spans::{self, PostgresSpans};
use crate::statement::{Rows, Statement, parse, parse_rows, parse_values};
use crate::sums;
use crate::system::AskFunction;
use crate::table::{Notice, Source};
use crate::told_apart::tell_apart;
use crate::whole_rows;

/// Address space per thread; only what is used becomes memory.
pub(crate) const STACK_BYTES: usize = 64 << 20;
/// What each part of a statement needs to sort by itself: fewer parts run at once where memory is
/// scarce, for a part that cannot hold two batches cannot go to disk either.
const PART_BYTES_MIN: usize = 32 << 20;
/// Encoded chunks that wait for a slow client, per statement.
const CHUNKS_AHEAD: usize = 4;
/// Threads for each core. What one statement computes may not come to an await for a minute (a join
/// of everything with everything): others go on beside it, by the grace of the system.
const THREADS_PER_CORE: usize = 4;

/// DataFusion and what all connections share of it.
pub(crate) struct Engine {
    /// `None` once it is being shut down.
    runtime: Option<Runtime>,
    /// The caller's runtime, where `Source::open` runs.
    caller: Handle,
    base: SessionState,
    catalog: catalog::Base,
    dialect: Dialect,
    source: Arc<dyn Source>,
    shares: Shares,
    activity: Arc<Activity>,
}

impl Engine {
    pub(crate) fn new(
        source: Arc<dyn Source>,
        activity: Arc<Activity>,
        options: &Options,
    ) -> Result<Engine, Error> {
        let threads = options.threads.max(1);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads * THREADS_PER_CORE)
            .thread_name("sql")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()?;
        let shares = Shares::new(options)?;
        Ok(Engine {
            base: base_state(&shares, threads, &options.server_version)?,
            catalog: catalog::Base::new(source.as_ref())?,
            dialect: Dialect::new(),
            caller: Handle::current(),
            runtime: Some(runtime),
            source,
            shares,
            activity,
        })
    }

    fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("it is taken only by drop").handle()
    }

    pub(crate) fn source(&self) -> &dyn Source {
        self.source.as_ref()
    }

    /// Prepares what a connection needs. Building its catalog takes a while, so it is done here.
    pub(crate) async fn session(
        self: &Arc<Engine>,
        backend: Arc<Backend>,
        settings: Arc<Mutex<Settings>>,
    ) -> Result<Arc<Session>, SqlError> {
        let engine = self.clone();
        run(self.handle(), async move {
            let caller = engine.caller.clone();
            let (source, settings) = (engine.source.clone(), settings);
            let activity = engine.activity.clone();
            let (list, tables) = catalog::catalog(
                source,
                &backend,
                activity,
                settings.clone(),
                caller,
                &engine.catalog,
            )?;
            let config = engine.base.config().clone();
            let config = config.with_default_catalog_and_schema(&backend.who.database, SCHEMA);
            let state = SessionStateBuilder::new_from_existing(engine.base.clone())
                .with_config(config)
                .with_catalog_list(list)
                .build();
            let context = SessionContext::new_with_state(state);
            let asker = tables.asker();
            let name = asker.source.function_name().to_owned();
            context.register_udtf(&name, Arc::new(AskFunction { asker }));
            functions::register_session(&context, &backend, &settings);
            catalog::functions::register(&context, &tables);
            context.add_analyzer_rule(Arc::new(catalog::CatalogCasts::new(&context.state())?));
            let share = engine.shares.of(&backend.who.tenant);
            for function in signal::functions(&engine.activity, &backend.who.tenant) {
                context.register_udf(function);
            }
            let running = Mutex::default();
            Ok(Arc::new(Session { engine, context, tables, share, running }))
        })
        .await
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Statements end when they next wait; the caller's runtime must not wait for them.
            runtime.shutdown_background();
        }
    }
}

fn base_state(
    shares: &Shares,
    threads: usize,
    server_version: &str,
) -> Result<SessionState, DataFusionError> {
    let parts = threads.min(shares.statement_memory() / PART_BYTES_MIN).max(1);
    let mut config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_target_partitions(parts);
    let options = config.options_mut();
    options.set("datafusion.sql_parser.dialect", "postgresql")?;
    options.set("datafusion.execution.time_zone", "UTC")?;
    options.set("datafusion.sql_parser.parse_float_as_decimal", "true")?;
    options.set("datafusion.explain.physical_plan_only", "true")?;
    options.set("datafusion.explain.show_sizes", "false")?;
    options.set("datafusion.explain.analyze_level", "summary")?;
    // What a sort keeps to merge what it spilled: small beside what each of its parts may hold.
    let reserved = (shares.statement_memory() / parts / 8).clamp(64 << 10, 10 << 20);
    options.execution.sort_spill_reservation_bytes = reserved;
    let mut rules = PhysicalOptimizer::default().rules;
    let last = rules.iter().position(|rule| rule.name() == "EnsureCooperative");
    let last = last.unwrap_or(rules.len());
    let own: [Arc<dyn PhysicalOptimizerRule + Send + Sync>; 3] =
        [Arc::new(TimeOrder), Arc::new(CountInCells), Arc::new(BareRows)];
    rules.splice(last..last, own);
    // Ours first: others take `#>` for `->`.
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(JsonPlanner), Arc::new(DayPlanner)];
    planners.extend(SessionStateDefaults::default_expr_planners());
    let state = SessionStateBuilder::new()
        .with_physical_optimizer_rules(rules)
        .with_config(config)
        .with_runtime_env(shares.idle())
        .with_default_features()
        // There are no files to read.
        .with_file_formats(Vec::new())
        .with_table_factories(Default::default())
        .with_expr_planners(planners)
        .with_type_planner(Arc::new(
            datafusion_pg_catalog::pg_catalog::oid_type_planner::PgOidTypePlanner,
        ))
        .build();
    let context = SessionContext::new_with_state(state);
    context.add_analyzer_rule(Arc::new(PostgresAny));
    context.add_analyzer_rule(Arc::new(PostgresArithmetic));
    context.add_analyzer_rule(Arc::new(PostgresRegex));
    context.add_analyzer_rule(Arc::new(PostgresCasts));
    context.add_analyzer_rule(Arc::new(PostgresSpans));
    catalog_functions(&context);
    catalog::aggregates::register(&context);
    sums::register(&context);
    datafusion_functions_json::register_all(&mut *context.state_ref().write())?;
    functions::register(&context, server_version)?;
    Ok(context.state())
}

/// The functions of datafusion-pg-catalog that are right as they are.
fn catalog_functions(context: &SessionContext) {
    use datafusion_pg_catalog::pg_catalog as pg;
    for function in [
        pg::create_current_schemas_udf(),
        pg::pg_get_expr_udf::create_pg_get_expr_udf(),
        pg::create_pg_get_partkeydef_udf(),
        pg::create_pg_relation_is_publishable_udf(),
        pg::create_pg_get_statisticsobjdef_columns_udf(),
        pg::create_pg_stat_get_numscans(),
        pg::create_pg_get_constraintdef(),
        pg::create_pg_get_partition_ancestors_udf(),
        pg::quote_ident_udf::create_quote_ident_udf(),
        pg::quote_ident_udf::create_parse_ident_udf(),
        pg::array_bounds_udf::create_array_upper_udf(),
        pg::array_bounds_udf::create_array_lower_udf(),
    ] {
        context.register_udf(function);
    }
    pg::generate_series_arg_coercion::CoerceIntArgsToBigInt::widen(context);
}

/// Runs `work` on the engine's threads. Dropping the future stops it.
async fn run<T: Send + 'static>(
    handle: &Handle,
    work: impl Future<Output = Result<T, SqlError>> + Send + 'static,
) -> Result<T, SqlError> {
    let task = AbortOnDrop(handle.spawn(work));
    task.join().await.unwrap_or_else(|| Err(SqlError::panicked()))
}

/// A task that does not outlive what waits for it.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    /// What the task returned; `None` if it panicked or the runtime went away.
    async fn join(mut self) -> Option<T> {
        (&mut self.0).await.ok()
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a statement was found to be when it was prepared.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) params: Vec<ParamType>,
    /// The columns it returns.
    pub(crate) schema: SchemaRef,
    /// Their names for the client.
    pub(crate) names: Arc<Vec<String>>,
    /// The table as the statement was planned with, to be shown to it again.
    pub(crate) pinned: Option<SchemaRef>,
}

/// One execution of a statement.
pub(crate) struct Job {
    pub(crate) rows: Rows,
    pub(crate) params: Vec<ScalarValue>,
    pub(crate) formats: Vec<i16>,
    /// How the statement was described, if it was.
    pub(crate) described: Option<Described>,
    pub(crate) output: Output,
}

/// What becomes of the rows of a statement.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// They are sent as rows.
    Rows,
    /// They are sent as COPY.
    Copy(CopyFormat),
    /// They are stored, with these columns.
    Store(SchemaRef),
}

impl Output {
    /// The tag that ends the statement.
    pub(crate) fn tag(&self, rows: &Rows) -> &'static str {
        match self {
            Output::Rows if rows.explain => "EXPLAIN",
            Output::Rows => "SELECT",
            Output::Copy(_) => "COPY",
            Output::Store(_) => "INSERT 0",
        }
    }
}

/// The engine as one connection uses it.
pub(crate) struct Session {
    engine: Arc<Engine>,
    context: SessionContext,
    tables: Arc<Tables>,
    share: Arc<Share>,
    /// What its statements hold.
    running: Mutex<Vec<Weak<Held>>>,
}

impl Session {
    pub(crate) async fn parse(
        self: &Arc<Session>,
        text: String,
    ) -> Result<Vec<Statement>, SqlError> {
        let session = self.clone();
        run(self.engine.handle(), async move { parse(&session.engine.dialect, &text) }).await
    }

    /// Parses a text that must be one question.
    pub(crate) async fn parse_rows(self: &Arc<Session>, text: String) -> Result<Rows, SqlError> {
        let session = self.clone();
        run(self.engine.handle(), async move { parse_rows(&session.engine.dialect, &text) }).await
    }

    /// Parses the query of an INSERT into columns of these types.
    pub(crate) async fn parse_values(
        self: &Arc<Session>,
        text: String,
        types: Vec<&'static str>,
    ) -> Result<Rows, SqlError> {
        let session = self.clone();
        let parsing = async move { parse_values(&session.engine.dialect, &text, &types) };
        run(self.engine.handle(), parsing).await
    }

    /// What rows for these columns of a table must come with.
    pub(crate) fn target(&self, table: &str, columns: &[String]) -> Result<SchemaRef, SqlError> {
        if table != self.engine.source.table_name() {
            let text = format!("relation \"{table}\" does not exist, or cannot be written to");
            return Err(SqlError::new("42P01", text));
        }
        Ok(self.engine.source.target(columns)?)
    }

    fn sink(&self, schema: SchemaRef) -> Sink {
        Sink {
            source: self.engine.source.clone(),
            tenant: self.tables.tenant().to_owned(),
            runtime: self.engine.caller.clone(),
            schema,
        }
    }

    /// Starts to store what comes through the channel.
    pub(crate) fn load(
        &self,
        schema: SchemaRef,
        format: CopyFormat,
    ) -> (mpsc::Sender<Bytes>, Running) {
        let (data, mut pieces) = mpsc::channel(CHUNKS_AHEAD);
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let sink = self.sink(schema);
        let task = self.engine.handle().spawn(async move {
            let stored = sink.load(format, &mut pieces).await.map(Event::Stored);
            // The receiver may be gone, which is how statements are stopped.
            let _ = sender.send(stored).await;
        });
        (data, Running { events: receiver, task: Some(AbortOnDrop(task)) })
    }

    /// Waits for a turn to run a statement.
    pub(crate) async fn turn(&self) -> Result<Turn, SqlError> {
        self.engine.shares.turn(&self.share).await
    }

    /// What its statements use now.
    pub(crate) fn cost(&self) -> Cost {
        let mut cost = Cost { bytes: self.tables.bytes(), ..Cost::default() };
        let running = self.running.lock().expect("no code panics while it holds the statements");
        running.iter().filter_map(Weak::upgrade).for_each(|held| held.add_to(&mut cost));
        cost
    }

    /// What a statement runs with.
    fn task(&self, state: &SessionState) -> Result<Arc<TaskContext>, SqlError> {
        let (runtime, held) = self.engine.shares.statement(&self.share)?;
        let mut running =
            self.running.lock().expect("no code panics while it holds the statements");
        running.retain(|held| held.strong_count() > 0);
        running.push(Arc::downgrade(&held));
        Ok(Arc::new(TaskContext::from(state).with_runtime(runtime)))
    }

    /// Ends a statement: what the client is to be told of what it has read.
    pub(crate) async fn end(&self) -> Vec<Notice> {
        self.tables.end().await
    }

    /// Plans a statement to learn its parameters and columns.
    pub(crate) async fn describe(
        self: &Arc<Session>,
        rows: Rows,
        declared: Vec<Option<ParamType>>,
    ) -> Result<Described, SqlError> {
        let session = self.clone();
        run(self.engine.handle(), async move {
            session.tables.begin(None).await;
            let state = session.context.state();
            let plan = session.plan(&state, &rows).await?;
            let params = crate::infer::parameters(&plan, &declared)?;
            let nulls = params.iter().map(ParamType::null).collect::<Result<Vec<_>, _>>()?;
            let plan = plan.with_param_values(nulls)?;
            let options = state.config_options();
            let plan = state.analyzer().execute_and_check(plan, options, |_, _| {})?;
            let (schema, names) = shown(&rows, plan.schema().as_arrow());
            // Refuses columns that no client could read.
            fields(&schema, None, &[])?;
            let pinned = session.tables.schema().await;
            Ok(Described { params, schema, names, pinned })
        })
        .await
    }

    async fn plan(&self, state: &SessionState, rows: &Rows) -> Result<LogicalPlan, SqlError> {
        let expanded = Box::pin(whole_rows::expand(&rows.ast, state)).await?;
        let ast = expanded.map_or_else(|| rows.ast.clone(), Box::new);
        let statement = DfStatement::Statement(ast.clone());
        let plan = match state.statement_to_plan(statement).await {
            Ok(plan) => plan,
            Err(error) => {
                // Postgres lets columns of one name stand beside each other.
                let error = SqlError::from(error);
                if error.code != "42701" {
                    return Err(error);
                }
                let ast = Box::new(tell_apart(&ast));
                state.statement_to_plan(DfStatement::Statement(ast)).await?
            }
        };
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)?;
        let plan = catalog::show_names(lateral::flatten(plan)?, state)?;
        Ok(clock::complete(spans::read_texts(plan)?)?)
    }

    /// Starts a statement. The table is opened in here, after the statement has arrived.
    pub(crate) fn start(self: &Arc<Session>, job: Job) -> Running {
        let session = self.clone();
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let task = self.engine.handle().spawn(async move {
            if let Err(error) = session.produce(job, &sender).await {
                // The receiver may be gone, which is how statements are stopped.
                let _ = sender.send(Err(error)).await;
            }
        });
        Running { events: receiver, task: Some(AbortOnDrop(task)) }
    }

    async fn produce(
        &self,
        job: Job,
        sender: &mpsc::Sender<Result<Event, SqlError>>,
    ) -> Result<(), SqlError> {
        let pinned = job.described.as_ref().and_then(|described| described.pinned.clone());
        self.tables.begin(pinned).await;
        let state = self.context.state();
        let plan = self.plan(&state, &job.rows).await?;
        let plan = match crate::infer::parameters(&plan, &[])?.len() > job.params.len() {
            true => return Err(SqlError::new("42P02", "there is no parameter $1")),
            false => plan.with_param_values(job.params)?,
        };
        let physical = state.create_physical_plan(&plan).await?;
        let (schema, names) = match job.described {
            Some(described) => (described.schema, described.names),
            None => shown(&job.rows, &physical.schema()),
        };
        let copy = match &job.output {
            Output::Store(target) => return self.store(physical, &state, target, sender).await,
            Output::Copy(format) => Some(format),
            Output::Rows => None,
        };
        let formats = copy.map_or(job.formats, |format| vec![i16::from(format.binary())]);
        let fields = fields(&schema, Some(&names), &formats)?;
        let mut encoder = Encoder::new(fields.clone());
        let columns = fields.len();
        let mut first_row = true;
        let mut first = vec![Event::Columns(fields)];
        if let Some(format) = copy {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            first = vec![Event::CopyOut(columns, format.binary()), Event::Raw(format.head(&names))];
        }
        for event in first {
            if sender.send(Ok(event)).await.is_err() {
                return Ok(());
            }
        }
        let mut batches = execute_stream(physical, self.task(&state)?)?;
        while let Some(batch) = batches.next().await {
            let batch = if job.rows.explain { explained(&batch?)? } else { batch? };
            let columns = Columns::new(&conform(&batch, &schema)?)?;
            let mut next = 0;
            while next < columns.rows() {
                let (chunk, after) = encoder.encode(&columns, next)?;
                next = after;
                let chunk = match copy {
                    Some(format) => format.rows(&chunk, std::mem::take(&mut first_row)),
                    None => chunk,
                };
                if sender.send(Ok(Event::Rows(chunk))).await.is_err() {
                    return Ok(());
                }
            }
        }
        if let Some(format) = copy {
            // A receiver that is gone wants nothing more.
            let _ = sender.send(Ok(Event::Raw(format.tail(first_row)))).await;
        }
        Ok(())
    }

    async fn store(
        &self,
        physical: Arc<dyn ExecutionPlan>,
        state: &SessionState,
        target: &SchemaRef,
        sender: &mpsc::Sender<Result<Event, SqlError>>,
    ) -> Result<(), SqlError> {
        if physical.schema().fields().len() != target.fields().len() {
            let text = "INSERT has another number of expressions than target columns";
            return Err(SqlError::new("42601", text));
        }
        let sink = self.sink(target.clone());
        let mut batches = execute_stream(physical, self.task(state)?)?;
        while let Some(batch) = batches.next().await {
            let stored = sink.store(&batch?).await?;
            if sender.send(Ok(Event::Stored(stored))).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// The columns the client sees, and their names.
fn shown(rows: &Rows, schema: &Schema) -> (SchemaRef, Arc<Vec<String>>) {
    if rows.explain {
        let name = "QUERY PLAN".to_owned();
        let schema = Schema::new(vec![Field::new(&name, DataType::Utf8, false)]);
        return (Arc::new(schema), Arc::new(vec![name]));
    }
    // A column that stands beside a `*` with the same column has another name for the planner.
    let own = |name: &String| name.strip_prefix("__alias_").unwrap_or(name).to_owned();
    let mut names: Vec<String> = schema.fields().iter().map(|field| own(field.name())).collect();
    if names.len() == rows.names.len() {
        for (name, chosen) in names.iter_mut().zip(&rows.names) {
            if let Some(chosen) = chosen {
                name.clone_from(chosen);
            }
        }
    }
    // A column may turn out nullable when the statement is planned again.
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    (Arc::new(Schema::new(fields.collect::<Vec<_>>())), Arc::new(names))
}

/// The plans of EXPLAIN as lines, which is what Postgres clients show.
fn explained(batch: &RecordBatch) -> Result<RecordBatch, SqlError> {
    let plans = cast(batch.column(batch.num_columns() - 1), &DataType::Utf8)?;
    let plans = plans.as_string::<i32>();
    let lines: Vec<&str> = plans.iter().flatten().flat_map(str::lines).collect();
    let column = Arc::new(StringArray::from(lines));
    let schema = Schema::new(vec![Field::new("QUERY PLAN", DataType::Utf8, false)]);
    Ok(RecordBatch::try_new(Arc::new(schema), vec![column])?)
}

/// Makes a batch what was described. The types differ only if planning with values chose another
/// representation than planning with nulls.
fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, SqlError> {
    if batch.num_columns() != schema.fields().len() {
        return Err(SqlError::new("0A000", "cached plan must not change result type"));
    }
    let columns = batch.columns().iter().zip(schema.fields()).map(|(array, field)| {
        match array.data_type() == field.data_type() {
            true => Ok(array.clone()),
            false => cast(array, field.data_type()),
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// What a running statement yields.
#[derive(Debug)]
pub(crate) enum Event {
    /// Its columns, once and first.
    Columns(Arc<Vec<FieldInfo>>),
    /// Some of its rows.
    Rows(Chunk),
    /// The number of columns of a COPY, instead of the columns, and whether it is binary.
    CopyOut(usize, bool),
    /// Bytes to send as they are.
    Raw(Bytes),
    /// So many rows more were stored.
    Stored(usize),
}

/// A statement that runs until it is dropped.
pub(crate) struct Running {
    events: mpsc::Receiver<Result<Event, SqlError>>,
    task: Option<AbortOnDrop<()>>,
}

impl Running {
    /// The next event; `None` at the end. May be dropped at any time.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, SqlError> {
        match self.events.recv().await {
            Some(event) => event.map(Some),
            None => match self.task.take() {
                None => Ok(None),
                Some(task) => match task.join().await {
                    Some(()) => Ok(None),
                    None => Err(SqlError::panicked()),
                },
            },
        }
    }
}
