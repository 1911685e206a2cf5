//! Metric queries: each range aggregation is one scan, the operators above them are computed at the
//! end.
//!
//! Every task accumulates for itself and the results are merged. Where an aggregation needs neither
//! lines nor metadata, blocks that fall between two edges of windows are counted by their metadata.

pub(super) mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drave_proto::scan as proto;
use tokio::sync::mpsc;

use super::{Error, PARTIALS_MAX, StopsWhenDropped, needles};
use crate::logql::ast;
use crate::logql::metric::{self, Accumulator, Evaluated, Leaf, Plan, Steps};
use crate::model::{Labels, Lines, Rows, Sight, Timestamp};
use crate::scan::remote::Work;
use crate::scan::{
    BlockMeta, Columns, Gathered, Needles, Order, Request, Scanner, Selection, Snapshot, Stats,
    Visit,
};

/// Bytes that the samples and series of one aggregation may take.
const SAMPLE_BYTES_MAX: usize = 256 << 20;
/// Series of one aggregation below the top of a query, where `max` or `count` may still make few of
/// them.
const INNER_SERIES_MAX: usize = 100_000;

/// When to evaluate, and how much may come of it.
#[derive(Clone, Debug)]
pub struct Params {
    /// The first step.
    pub start: Timestamp,
    /// No step is after this.
    pub end: Timestamp,
    /// From one step to the next.
    pub step: Duration,
    /// One step, answered as a vector.
    pub instant: bool,
    /// Series of an answer.
    pub series_max: usize,
    /// Where there are more: the first of them instead of an error.
    pub partial: bool,
    /// The time of the query, for templates that ask for it.
    pub now: Timestamp,
}

/// A series and its values.
#[derive(Clone, Debug)]
pub struct Series {
    /// Sorted by name.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// In the order of time, at least one.
    pub points: Vec<(Timestamp, f64)>,
}

/// Numbers in one of the three shapes of the API.
#[derive(Clone, Debug)]
pub enum MetricAnswer {
    /// A range query.
    Matrix(Vec<Series>),
    /// An instant query: one value per series.
    Vector(Vec<Series>),
    /// An instant query for a number that needs no data.
    Scalar(Timestamp, f64),
}

/// Runs a metric query. Also says what it read.
pub async fn run(
    scanner: &Scanner,
    sight: &Sight,
    query: &ast::Metric,
    params: &Params,
) -> Result<(MetricAnswer, Arc<Stats>), Error> {
    let plan = Plan::compile(query, params.now.nanos());
    let plan = plan.map_err(|error| Error::BadQuery(error.to_string()))?;
    if plan.leaves().iter().any(|leaf| leaf.range() == 0) {
        return Err(Error::BadQuery("the range of a window must be longer than 0".into()));
    }
    let steps = if params.instant {
        Steps::instant(params.start.nanos())
    } else {
        let step = i64::try_from(params.step.as_nanos()).unwrap_or(i64::MAX);
        Steps::range(params.start.nanos(), params.end.nanos(), step)
    };
    let stats = Arc::new(Stats::default());
    let mut leaves = Vec::with_capacity(plan.leaves().len());
    if !plan.leaves().is_empty() {
        // One snapshot for all: both sides of an operator see the same entries.
        let snapshot = scanner.snapshot(sight).await?;
        for (number, leaf) in plan.leaves().iter().enumerate() {
            let series_max = INNER_SERIES_MAX;
            let asked = wire::asked(query, number, steps, params.now.nanos(), series_max);
            let (leaf, room) = (Arc::new(leaf.clone()), scanner.clone());
            let aggregate = Aggregate { leaf, steps, series_max, asked, room };
            leaves.push(aggregate.run(scanner, &snapshot, &stats).await?);
        }
    }
    let series_max = if params.partial { INNER_SERIES_MAX } else { params.series_max };
    let evaluated = plan.evaluate(leaves, steps, series_max)?;
    Ok((answer(evaluated, steps, params), stats))
}

impl MetricAnswer {
    /// Leaves out series beyond a number; whether there were any.
    pub fn cut(&mut self, series_max: usize) -> bool {
        match self {
            MetricAnswer::Matrix(series) | MetricAnswer::Vector(series) => {
                let is_longer = series.len() > series_max;
                series.truncate(series_max);
                is_longer
            }
            MetricAnswer::Scalar(..) => false,
        }
    }
}

fn answer(evaluated: Evaluated, steps: Steps, params: &Params) -> MetricAnswer {
    let series = match evaluated {
        Evaluated::Scalar(value) if params.instant => {
            return MetricAnswer::Scalar(params.start, value);
        }
        Evaluated::Scalar(value) => {
            let points = (0..steps.n).map(|step| (Timestamp(steps.time(step)), value));
            return MetricAnswer::Matrix(vec![Series {
                labels: Vec::new(),
                points: points.collect(),
            }]);
        }
        Evaluated::Series { series, .. } => series,
    };
    let series = series.into_iter().map(|series| Series {
        labels: series.labels.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        points: series
            .points
            .iter()
            .map(|(step, value)| (Timestamp(steps.time(step)), value))
            .collect(),
    });
    let series = series.collect();
    if params.instant { MetricAnswer::Vector(series) } else { MetricAnswer::Matrix(series) }
}

impl From<metric::Error> for Error {
    fn from(error: metric::Error) -> Error {
        match error {
            metric::Error::Matching(message) => Error::Matching(message),
            other => Error::BadQuery(other.to_string()),
        }
    }
}

/// One range aggregation over a scan.
struct Aggregate {
    leaf: Arc<Leaf>,
    steps: Steps,
    series_max: usize,
    /// What other nodes are told.
    asked: Option<proto::Aggregate>,
    /// Where memory for samples comes from.
    room: Scanner,
}

/// What one task, or all of them, have gathered.
struct Part {
    accumulator: Accumulator,
    held: Gathered,
}

impl Part {
    fn hold(&mut self) -> Result<(), Error> {
        let bytes = self.accumulator.bytes();
        if bytes > SAMPLE_BYTES_MAX {
            let (what, bytes_max) = ("its samples", SAMPLE_BYTES_MAX);
            return Err(Error::TooLarge { what, bytes_max });
        }
        Ok(self.held.reach(bytes)?)
    }
}

impl Aggregate {
    async fn run(
        self,
        scanner: &Scanner,
        snapshot: &Snapshot,
        stats: &Arc<Stats>,
    ) -> Result<Vec<metric::Series>, Error> {
        let (after, until) = self.leaf.times(self.steps);
        let request = Request {
            selection: Selection::Selector(self.leaf.selector.clone()),
            range: Timestamp(after.saturating_add(1))..Timestamp(until.saturating_add(1)),
            order: Order::Any,
            above: None,
        };
        Ok(self.gather(scanner, snapshot, &request, stats).await?.finish())
    }

    /// What the rows of a request leave of each series.
    async fn gather(
        self,
        scanner: &Scanner,
        snapshot: &Snapshot,
        request: &Request,
        stats: &Arc<Stats>,
    ) -> Result<Accumulator, Error> {
        let mut total = self.start();
        let _running = StopsWhenDropped(self.leaf.pipeline().stop());
        let (out, mut parts) = mpsc::channel(PARTIALS_MAX);
        let scan = scanner.run(snapshot, request, Arc::new(self), stats, out);
        let join = async {
            while let Some(part) = parts.recv().await {
                total.accumulator.merge(part.accumulator)?;
                total.hold()?;
            }
            Ok(total)
        };
        let ((), total) = futures::try_join!(scan, join)?;
        Ok(total.accumulator)
    }
}

impl Visit for Aggregate {
    type Partial = Part;
    type Error = Error;

    fn start(&self) -> Part {
        let accumulator = Accumulator::new(Arc::clone(&self.leaf), self.steps, self.series_max);
        Part { accumulator, held: self.room.gathered() }
    }

    fn columns(&self, stream: &Labels) -> Columns {
        let needs = self.leaf.needs_for(stream);
        Columns { lines: needs.lines, metadata: needs.metadata }
    }

    fn needles(&self) -> Needles {
        needles(self.leaf.pipeline().line_filters())
    }

    fn matches(&self, lines: &Lines) -> bool {
        let filters = self.leaf.pipeline().line_filters();
        filters.is_empty() || !filters.select(lines).is_empty()
    }

    fn block(&self, total: &mut Part, stream: &Labels, block: &BlockMeta) -> bool {
        let span = block.min_timestamp..=block.max_timestamp;
        total.accumulator.add_block(stream, span, u64::from(block.n_rows))
    }

    fn work(&self) -> Option<Work> {
        self.asked.clone().map(Work::Aggregate)
    }

    fn part(&self, total: &mut Part, part: Bytes) -> Result<(), Error> {
        wire::add(&mut total.accumulator, part)?;
        total.hold()
    }

    fn rows(&self, total: &mut Part, stream: &Labels, rows: Rows) -> Result<(), Error> {
        total.accumulator.add_rows(stream, &rows)?;
        total.hold()
    }
}
