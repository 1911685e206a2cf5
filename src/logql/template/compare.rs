//! Comparing values and looking into them: `eq`, `lt`, `len`, `index`, `slice`.

use super::exec::Exec;
use super::functions::Answer;
use super::value::Value;

const INCOMPATIBLE: &str = "incompatible types for comparison";
const NOT_COMPARABLE: &str = "non-comparable type";

fn equal(a: &Value<'_>, b: &Value<'_>) -> Result<bool, String> {
    Ok(match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Nil, b) => matches!(b, Value::Nil),
        (_, Value::Nil) => false,
        (Value::List(_) | Value::Map(_) | Value::Labels, _) => return Err(NOT_COMPARABLE.into()),
        _ => return Err(INCOMPATIBLE.into()),
    })
}

/// Whether the first is equal to one of the others.
pub(super) fn eq<'v>(values: &[Value<'v>]) -> Answer<'v> {
    for other in &values[1..] {
        if equal(&values[0], other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// Whether both differ.
pub(super) fn ne<'v>(values: &[Value<'v>]) -> Answer<'v> {
    Ok(Value::Bool(!equal(&values[0], &values[1])?))
}

/// `lt`, `le`, `gt`, `ge`.
pub(super) fn ordered<'v>(values: &[Value<'v>], what: &str) -> Answer<'v> {
    let order = match (&values[0], &values[1]) {
        (Value::Int(a), Value::Int(b)) => a.partial_cmp(b),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => a.partial_cmp(b),
        (Value::Bool(_) | Value::List(_) | Value::Map(_) | Value::Nil | Value::Time(_), _) => {
            return Err("invalid type for comparison".into());
        }
        _ => return Err(INCOMPATIBLE.into()),
    };
    Ok(Value::Bool(order.is_some_and(|order| match what {
        "lt" => order.is_lt(),
        "le" => order.is_le(),
        "gt" => order.is_gt(),
        _ => order.is_ge(),
    })))
}

/// How long a text, list or map is.
pub(super) fn len<'v>(exec: &Exec<'v, '_, '_>, value: &Value<'v>) -> Answer<'v> {
    let n = match value {
        Value::Text(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Labels => exec.row.visible().count(),
        Value::Nil => return Err("len of nil pointer".into()),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(i64::try_from(n).expect("lengths fit")))
}

/// `index x 1 "a"` is `x[1]["a"]`.
pub(super) fn index<'v>(exec: &Exec<'v, '_, '_>, values: Vec<Value<'v>>) -> Answer<'v> {
    let mut values = values.into_iter();
    let mut value = values.next().expect("at least one argument");
    for at in values {
        value = match (value, at) {
            (Value::Labels, Value::Text(key)) => exec.label(&key),
            (Value::Map(mut map), Value::Text(key)) => map.remove(&*key).unwrap_or(Value::Nil),
            (Value::List(mut list), Value::Int(at)) => {
                let at = position(at, list.len(), false)?;
                list.swap_remove(at)
            }
            (Value::Text(text), Value::Int(at)) => {
                Value::Int(text.as_bytes()[position(at, text.len(), false)?].into())
            }
            (Value::Nil, _) => return Err("index of untyped nil".into()),
            (Value::List(_) | Value::Text(_), at) => {
                return Err(format!("cannot index slice/array with type {}", at.type_name()));
            }
            (Value::Map(_) | Value::Labels, at) => {
                return Err(format!("value has type {}; should be string", at.type_name()));
            }
            (other, _) => return Err(format!("can't index item of type {}", other.type_name())),
        };
    }
    Ok(value)
}

/// `slice x 1 2` is `x[1:2]`.
pub(super) fn slice<'v>(values: &[Value<'v>]) -> Answer<'v> {
    let length = match &values[0] {
        Value::Text(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Nil => return Err("slice of untyped nil".into()),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut bounds = [0, length];
    for (bound, value) in bounds.iter_mut().zip(&values[1..]) {
        let Value::Int(at) = value else {
            return Err(format!("cannot index slice/array with type {}", value.type_name()));
        };
        *bound = position(*at, length, true)?;
    }
    let [start, end] = bounds;
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}"));
    }
    Ok(match &values[0] {
        // A text cut inside a character shows the replacement character, as Go's JSON does.
        Value::Text(text) => {
            Value::Text(String::from_utf8_lossy(&text.as_bytes()[start..end]).into_owned().into())
        }
        Value::List(list) => Value::List(list[start..end].to_vec()),
        _ => unreachable!("its length was known"),
    })
}

fn position(at: i64, length: usize, end: bool) -> Result<usize, String> {
    let good = usize::try_from(at).ok().filter(|at| *at < length + usize::from(end));
    good.ok_or_else(|| format!("index out of range: {at}"))
}
