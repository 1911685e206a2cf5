//! Rows in the order of time, however many: one band of time after the other, each sorted by itself.
//!
//! ```text
//!   rest of the time
//!   |--------------------------------------------------------|
//!                                     |-- band --|-- band --| returned    (newest first)
//!                                      read, sorted, returned
//! ```
//!
//! In go a scan and an order; out come its rows. Bands are as wide as what they hold makes them: few
//! bytes at first, so that the first rows come early, then as many as a statement may hold, so that
//! blocks that reach over an edge are seldom read twice. Where there is nothing, the nearest row is
//! asked for.
//!
//! - Bands do not overlap and leave nothing out, so rows of one time are in one band.
//! - Rows of one time are in the order that the table has for them, so a statement that is asked again
//!   returns them in the same one, whatever its limit and its bands are.
//! - Nothing of a band is returned before all of it was read: one that turns out too full is left, and
//!   begun again narrower.
//! - What a band holds is drawn from the memory of the statement, and goes to disk like any sort.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::SortOptions;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use futures::{Stream, StreamExt, stream};

use crate::scan::ScanExec;

/// What the first band is meant to hold, in bytes.
const FIRST_BYTES: u64 = 1 << 20;
/// How much more each next one is meant to hold: few bands, for each reads again what reaches over
/// its edges, and the block of a stream that says little reaches far.
const GROWTH: u64 = 64;
/// How much narrower the next one may be.
const NARROWER_MAX: u64 = 8;
/// How much wider it may be.
const WIDER_MAX: u64 = 1 << 14;
/// A band with so many times what it is meant to hold is left and begun again.
const FULL: u64 = 4;
/// How wide the first band is: a second.
const FIRST_WIDTH: i64 = 1_000_000_000;
/// What bands are meant to hold at most, where nothing says how much memory there is.
const BYTES_MAX: usize = 64 << 20;

/// The rows of `scan`, which is in no order, in an order of its time.
pub(crate) fn in_order(
    scan: ScanExec,
    order: SortOptions,
    limit: Option<usize>,
    context: Arc<TaskContext>,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    let bands = Bands {
        rest: scan.time(),
        scan,
        order,
        left: limit.unwrap_or(usize::MAX),
        width: FIRST_WIDTH,
        bytes: FIRST_BYTES,
        bytes_max: bytes_max(&context),
        context,
        is_near: false,
        open: None,
    };
    stream::unfold(bands, |mut bands| async move {
        let batch = bands.next().await.transpose()?;
        Some((batch, bands))
    })
}

/// What a band is meant to hold at most: where sorts can go to disk, all that a statement may hold.
fn bytes_max(context: &TaskContext) -> u64 {
    let bytes = match context.memory_pool().memory_limit() {
        MemoryLimit::Finite(bytes) => bytes,
        _ => BYTES_MAX,
    };
    let goes_to_disk = context.runtime_env().disk_manager.tmp_files_enabled();
    // Without a disk, room for the band, for its sorted copy, and as much for a band that is full.
    let bytes = if goes_to_disk { bytes } else { bytes / (2 * FULL as usize) };
    (bytes as u64).max(1)
}

struct Bands {
    scan: ScanExec,
    order: SortOptions,
    context: Arc<TaskContext>,
    /// Times whose rows are not in a band yet.
    rest: Range<i64>,
    /// Rows that may still be returned.
    left: usize,
    /// How wide the next band is.
    width: i64,
    /// What it is meant to hold.
    bytes: u64,
    bytes_max: u64,
    /// Whether there are rows where the rest begins, as far as is known.
    is_near: bool,
    open: Option<Open>,
}

/// A band that is read or returned.
struct Open {
    time: Range<i64>,
    rows: SendableRecordBatchStream,
    held: Arc<Held>,
}

/// What was read of a band.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: AtomicU64,
    bytes_max: u64,
    is_full: AtomicBool,
}

impl Held {
    /// Notes what was read; an error ends the band.
    pub(crate) fn add(&self, batch: &RecordBatch) -> Result<()> {
        // What the rows say, and not what their buffers have room for: few rows of many blocks would
        // make a band look full.
        let columns = batch.columns().iter();
        let bytes = columns.map(|column| column.to_data().get_slice_memory_size());
        let bytes = bytes.sum::<Result<usize, _>>()? as u64;
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if held <= self.bytes_max {
            return Ok(());
        }
        self.is_full.store(true, Ordering::Relaxed);
        Err(DataFusionError::ResourcesExhausted("a band of time that is full".to_owned()))
    }
}

impl Bands {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while self.left > 0 {
            let Some(open) = &mut self.open else {
                if !self.is_near && !self.approach().await? || self.rest.is_empty() {
                    return Ok(None);
                }
                self.open = Some(self.open()?);
                continue;
            };
            match open.rows.next().await {
                Some(Ok(batch)) => {
                    let n_rows = batch.num_rows().min(self.left);
                    self.left -= n_rows;
                    // Without the columns that it was sorted by besides.
                    let columns: Vec<usize> = (0..self.scan.schema().fields().len()).collect();
                    return Ok(Some(batch.slice(0, n_rows).project(&columns)?));
                }
                Some(Err(_)) if open.held.is_full.load(Ordering::Relaxed) => {
                    self.open = None;
                    self.width = (self.width / NARROWER_MAX as i64).max(1);
                }
                Some(Err(error)) => return Err(error),
                None => self.close(),
            }
        }
        Ok(None)
    }

    /// Goes to the nearest row; `false` where there is none.
    async fn approach(&mut self) -> Result<bool> {
        let nearest = self.scan.nearest(self.rest.clone(), self.order.descending).await?;
        let Some(at) = nearest else { return Ok(false) };
        match self.order.descending {
            true => self.rest.end = at.saturating_add(1),
            // An end of `i64::MAX` is none, so the last time of all is behind this one.
            false => self.rest.start = at.min(i64::MAX - 1),
        }
        self.is_near = true;
        Ok(true)
    }

    fn open(&self) -> Result<Open> {
        let Range { start, end } = self.rest;
        let time = match self.order.descending {
            true => end.saturating_sub(self.width).max(start)..end,
            false => start..start.saturating_add(self.width).min(end),
        };
        // Rows of one time cannot be told apart into more bands.
        let one_time = self.width == 1;
        let bytes_max = if one_time { u64::MAX } else { self.bytes.saturating_mul(FULL) };
        let (bytes, is_full) = (AtomicU64::new(0), AtomicBool::new(false));
        let held = Arc::new(Held { bytes, bytes_max, is_full });
        let (scan, by) = self.scan.of_band(time.clone(), held.clone())?;
        let scan: Arc<dyn ExecutionPlan> = Arc::new(scan);
        let by = by.into_iter().map(|column| PhysicalSortExpr::new(column, self.order));
        let plan: Arc<dyn ExecutionPlan> = match LexOrdering::new(by) {
            Some(order) => Arc::new(SortExec::new(order, scan)),
            None => scan,
        };
        Ok(Open { time, rows: plan.execute(0, self.context.clone())?, held })
    }

    /// Leaves a band whose rows were returned, and learns from it.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        match self.order.descending {
            true => self.rest.end = open.time.start,
            false => self.rest.start = open.time.end,
        }
        let held = open.held.bytes.load(Ordering::Relaxed);
        self.is_near = held > 0;
        self.bytes = self.bytes.saturating_mul(GROWTH).min(self.bytes_max);
        let factor = |n: u64, most: u64| i64::try_from(n.clamp(1, most)).unwrap_or(1);
        self.width = match held <= self.bytes {
            true => self.width.saturating_mul(factor(self.bytes / held.max(1), WIDER_MAX)),
            false => self.width / factor(held / self.bytes, NARROWER_MAX),
        };
        self.width = self.width.max(1);
    }
}
