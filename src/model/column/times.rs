//! Timestamps as packed differences, in units of what divides them all.
//!
//! Two forms: sorted, where no difference is negative (chunks), and in order of arrival (batches).
//! Arithmetic wraps, so that every sequence of timestamps comes back and no bytes panic; whether
//! what comes back is plausible is the caller's check.

use super::{Malformed, Reader, packed, put_varint};

/// Appends timestamps that never decrease. The reader must know the first.
pub(crate) fn pack_sorted(times: &[i64], out: &mut Vec<u8>) {
    let steps: Vec<u64> = times
        .windows(2)
        .map(|pair| {
            debug_assert!(pair[0] <= pair[1], "sorted timestamps");
            pair[1].wrapping_sub(pair[0]).cast_unsigned()
        })
        .collect();
    if !times.is_empty() {
        put_steps(&steps, |step| step, |step, unit| step / unit, out);
    }
}

/// Reads what [`pack_sorted`] wrote: `n` timestamps, of which the first is `first`. They are
/// sorted only if the last one is what the writer knows it to be and none overflowed.
pub(crate) fn unpack_sorted(
    reader: &mut Reader<'_>,
    n: usize,
    first: i64,
) -> Result<Vec<i64>, Malformed> {
    if n == 0 {
        return Ok(Vec::new());
    }
    let unit = get_unit(reader)?;
    let mut times = Vec::with_capacity(n);
    let mut time = first;
    times.push(time);
    times.extend(packed::unpack(reader, n - 1)?.into_iter().map(|step| {
        time = time.wrapping_add(step.wrapping_mul(unit).cast_signed());
        time
    }));
    Ok(times)
}

/// Appends timestamps in any order. The reader must know `start`, a time near the first.
pub(crate) fn pack_arrival(times: &[i64], start: i64, out: &mut Vec<u8>) {
    let mut before = start;
    let mut steps = Vec::with_capacity(times.len());
    for time in times {
        steps.push(time.wrapping_sub(before).cast_unsigned());
        before = *time;
    }
    let size = |step: u64| step.cast_signed().unsigned_abs();
    let in_units = |step: u64, unit: u64| match i64::try_from(unit) {
        Ok(unit) => zigzag(step.cast_signed() / unit),
        // Every step is 0 or i64::MIN, the only step with so great a divisor.
        Err(_) => zigzag(if step == 0 { 0 } else { -1 }),
    };
    if !times.is_empty() {
        put_steps(&steps, size, in_units, out);
    }
}

/// Reads what [`pack_arrival`] wrote.
pub(crate) fn unpack_arrival(
    reader: &mut Reader<'_>,
    n: usize,
    start: i64,
) -> Result<Vec<i64>, Malformed> {
    if n == 0 {
        return Ok(Vec::new());
    }
    let unit = get_unit(reader)?.cast_signed();
    let mut time = start;
    let time_of = |step: u64| {
        time = time.wrapping_add(unzigzag(step).wrapping_mul(unit));
        time
    };
    Ok(packed::unpack(reader, n)?.into_iter().map(time_of).collect())
}

/// Writes the unit and the steps in it.
fn put_steps(
    steps: &[u64],
    size: impl Fn(u64) -> u64,
    in_units: impl Fn(u64, u64) -> u64,
    out: &mut Vec<u8>,
) {
    let mut unit = 0;
    for step in steps {
        unit = gcd(unit, size(*step));
        // Timestamps with nanoseconds end here after a few rows.
        if unit == 1 {
            break;
        }
    }
    let unit = unit.max(1);
    put_varint(out, unit);
    // A constant divisor of 1 is no division, and most timestamps that applications write have it.
    let steps: Vec<u64> = match unit {
        1 => steps.iter().map(|step| in_units(*step, 1)).collect(),
        _ => steps.iter().map(|step| in_units(*step, unit)).collect(),
    };
    packed::pack(&steps, out);
}

fn get_unit(reader: &mut Reader<'_>) -> Result<u64, Malformed> {
    let unit = reader.varint("unit")?;
    reader.check(unit > 0, "unit")?;
    Ok(unit)
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Small numbers of either sign become small numbers without one.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_sorted(times: &[i64], n_bytes_max: usize) {
        let mut out = Vec::new();
        pack_sorted(times, &mut out);
        assert!(out.len() <= n_bytes_max, "{} bytes for {times:?}", out.len());
        let mut reader = Reader::new(&out);
        let first = times.first().copied().unwrap_or(0);
        assert_eq!(unpack_sorted(&mut reader, times.len(), first).as_deref(), Ok(times));
    }

    fn check_arrival(times: &[i64], start: i64, n_bytes_max: usize) {
        let mut out = Vec::new();
        pack_arrival(times, start, &mut out);
        assert!(out.len() <= n_bytes_max, "{} bytes for {times:?}", out.len());
        let mut reader = Reader::new(&out);
        assert_eq!(unpack_arrival(&mut reader, times.len(), start).as_deref(), Ok(times));
        for cut in 0..if times.is_empty() { 0 } else { out.len() } {
            let mut reader = Reader::new(&out[..cut]);
            assert!(unpack_arrival(&mut reader, times.len(), start).is_err());
        }
    }

    #[test]
    fn units_are_free() {
        let scrape: Vec<i64> =
            (0..1000).map(|i| 1_795_132_800_123_456_789 + i * 15_000_000_000).collect();
        check_sorted(&scrape, 10);
        let millis: Vec<i64> = (0..1000)
            .map(|i| 1_795_132_800_000_000_000 + (i * i % 16 + 16 * i) * 1_000_000)
            .collect();
        check_sorted(&millis, 1000 * 5 / 8 + 20);
        check_arrival(&millis, millis[0], 1000 * 6 / 8 + 20);
    }

    #[test]
    fn extremes() {
        check_sorted(&[], 1);
        check_sorted(&[i64::MIN], 1);
        check_sorted(&[i64::MIN, i64::MAX], 20);
        check_sorted(&[i64::MIN, i64::MIN, 0, i64::MAX], 40);
        check_arrival(&[], 5, 1);
        check_arrival(&[i64::MIN, 0, i64::MIN], 0, 40);
        check_arrival(&[i64::MIN, i64::MAX, -1, 1, 0], i64::MAX, 60);
    }

    proptest! {
        #[test]
        fn comes_back(
            mut times in prop::collection::vec(prop_oneof![any::<i64>(), -50..50_i64], 1..100),
            start: i64,
            unit in prop_oneof![Just(1_i64), Just(1_000_000_000)],
        ) {
            for time in &mut times {
                *time = time.wrapping_mul(unit);
            }
            check_arrival(&times, start, 10_000);
            times.sort_unstable();
            check_sorted(&times, 10_000);
        }
    }
}
