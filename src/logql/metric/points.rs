//! Values over the points in time of a query: one per step, or none.

use crate::model::Labels;

/// A value or none for each step. "None" is a bit pattern that no arithmetic makes, so that a
/// point takes eight bytes; it cannot be seen from outside.
#[derive(Clone, Debug)]
pub struct Points(Vec<f64>);

/// A NaN that is nobody's result: results of arithmetic are quiet.
const ABSENT: u64 = 0x7ff0_0000_dead_0002;

impl Points {
    /// No value at any of `n` steps.
    pub fn none(n: usize) -> Points {
        Points(vec![f64::from_bits(ABSENT); n])
    }

    /// One value at all of `n` steps.
    pub fn constant(n: usize, value: f64) -> Points {
        let mut points = Points::none(n);
        (0..n).for_each(|step| points.set(step, value));
        points
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The value at a step.
    pub fn get(&self, step: usize) -> Option<f64> {
        let value = self.0[step];
        (value.to_bits() != ABSENT).then_some(value)
    }

    /// Sets the value at a step.
    pub fn set(&mut self, step: usize, value: f64) {
        // A NaN keeps its payload on some machines: make it the common one.
        self.0[step] = if value.is_nan() { f64::NAN } else { value };
    }

    /// Steps and values, where there are values.
    pub fn iter(&self) -> impl Iterator<Item = (usize, f64)> {
        (0..self.len()).filter_map(|step| Some((step, self.get(step)?)))
    }

    /// The same with every value changed; `None` takes a value away.
    pub fn map(&self, change: impl Fn(f64) -> Option<f64>) -> Points {
        let mut points = Points::none(self.len());
        for (step, value) in self.iter() {
            if let Some(value) = change(value) {
                points.set(step, value);
            }
        }
        points
    }
}

/// Equal where both have the same values at the same steps; NaN is equal to NaN.
impl PartialEq for Points {
    fn eq(&self, other: &Points) -> bool {
        let bits = |points: &Points| points.0.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        bits(self) == bits(other)
    }
}

/// A label set and its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What tells it from the others.
    pub labels: Labels,
    /// One value or none for each step.
    pub points: Points,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_a_value() {
        let mut points = Points::none(3);
        assert!(points.is_empty());
        points.set(1, f64::from_bits(ABSENT));
        points.set(2, 5.0);
        assert_eq!(points.iter().map(|(step, _)| step).collect::<Vec<_>>(), [1, 2]);
        assert!(points.get(1).is_some_and(f64::is_nan));
        assert_eq!(points.map(|v| (v > 1.0).then_some(v * 2.0)).get(2), Some(10.0));
        assert_eq!(points.get(0), None);
    }
}
