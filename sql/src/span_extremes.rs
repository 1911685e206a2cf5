//! `min` and `max` of spans of time, by how long they are.
//!
//! In go spans; out comes one of them. Of equal ones the last is taken, as Postgres does it. Where the
//! rows of a window leave again, all spans that are in it are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, IntervalMonthDayNano, IntervalMonthDayNanoType,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use crate::spans::{SPAN, nanos_of};

/// What is to be called with spans in the place of `min` or `max`.
pub(crate) fn extreme(name: &str) -> Option<AggregateUDF> {
    let max = match name {
        "max" => true,
        "min" => false,
        _ => return None,
    };
    let signature = Signature::any(1, Volatility::Immutable);
    Some(AggregateUDF::from(Extreme { max, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    max: bool,
    signature: Signature,
}

impl AggregateUDFImpl for Extreme {
    fn name(&self) -> &str {
        if self.max { "max_span" } else { "min_span" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(SPAN)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, self.name());
        Ok(vec![Arc::new(Field::new(name, SPAN, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Best { max: self.max, best: None }))
    }

    fn create_sliding_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Sliding { max: self.max, spans: BTreeMap::new() }))
    }
}

fn spans(values: &[ArrayRef]) -> impl Iterator<Item = IntervalMonthDayNano> + '_ {
    values[0].as_primitive::<IntervalMonthDayNanoType>().iter().flatten()
}

/// Of rows that stay.
#[derive(Debug)]
struct Best {
    max: bool,
    best: Option<IntervalMonthDayNano>,
}

impl Accumulator for Best {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for span in spans(values) {
            let is_better = self.best.is_none_or(|best| match self.max {
                true => nanos_of(span) >= nanos_of(best),
                false => nanos_of(span) <= nanos_of(best),
            });
            if is_better {
                self.best = Some(span);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::IntervalMonthDayNano(self.best))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// A span by its length, then by its fields.
type Key = (i128, i32, i32, i64);

/// Of the rows of a frame, which leave again.
#[derive(Debug)]
struct Sliding {
    max: bool,
    /// How many rows have each.
    spans: BTreeMap<Key, usize>,
}

fn key(span: IntervalMonthDayNano) -> Key {
    (nanos_of(span), span.months, span.days, span.nanoseconds)
}

impl Accumulator for Sliding {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        spans(values).for_each(|span| *self.spans.entry(key(span)).or_default() += 1);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for span in spans(values) {
            if let Some(n) = self.spans.get_mut(&key(span)) {
                *n -= 1;
                if *n == 0 {
                    self.spans.remove(&key(span));
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let best = match self.max {
            true => self.spans.last_key_value(),
            false => self.spans.first_key_value(),
        };
        let span = best
            .map(|((_, months, days, nanos), _)| IntervalMonthDayNano::new(*months, *days, *nanos));
        Ok(ScalarValue::IntervalMonthDayNano(span))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.spans.len() * size_of::<(Key, usize)>() * 2
    }
}
