//! Which members a column of JSON objects must have: `structured_metadata->>'trace_id' = 'x'`.
//!
//! In goes a conjunct of a filter; out come groups of members, of each of which a row that is kept has
//! one. That is less than the conjunct says: the scan leaves out blocks by it, and the conjunct is
//! asked of the rows that are left.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator};

use crate::pushdown::{comparison, string};

/// A name and its value, a text.
pub(crate) type Member = (String, String);

/// The groups that a conjunct asks of the column; none if it may hold without any.
pub(crate) fn members(expr: &Expr, column: &str) -> Vec<Vec<Member>> {
    match expr {
        Expr::BinaryExpr(binary) if binary.op == Operator::And => {
            let mut groups = members(&binary.left, column);
            groups.extend(members(&binary.right, column));
            groups
        }
        // Of each side, the first group is enough.
        Expr::BinaryExpr(binary) if binary.op == Operator::Or => {
            let sides = [&binary.left, &binary.right];
            let sides = sides.map(|side| members(side, column).into_iter().next());
            let [Some(left), Some(right)] = sides else { return Vec::new() };
            vec![left.into_iter().chain(right).collect()]
        }
        Expr::BinaryExpr(binary) => match comparison(binary) {
            Some((left, Operator::Eq, value)) => {
                let member = name(left, column).and_then(|name| member(name, value));
                member.map(|member| vec![member]).into_iter().collect()
            }
            _ => Vec::new(),
        },
        Expr::InList(list) if !list.negated => {
            let Some(name) = name(&list.expr, column) else { return Vec::new() };
            let values = list.list.iter().map(|item| match item {
                Expr::Literal(value, _) => member(name.clone(), value),
                _ => None,
            });
            values.collect::<Option<Vec<Member>>>().into_iter().collect()
        }
        Expr::ScalarFunction(call) if call.name() == "jsonb_contains" => {
            match call.args.as_slice() {
                [whole, Expr::Literal(part, _)] if is_column(whole, column) => {
                    string(part).map(texts_of).unwrap_or_default()
                }
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// The name of the member that an expression is the text of.
fn name(expr: &Expr, column: &str) -> Option<String> {
    let call = match expr {
        Expr::Cast(cast) if cast.field.data_type().is_string() => return name(&cast.expr, column),
        Expr::ScalarFunction(call) => call,
        _ => return None,
    };
    let [object, Expr::Literal(key, _)] = call.args.as_slice() else { return None };
    if !is_column(object, column) {
        return None;
    }
    match call.name() {
        "json_as_text" | "json_extract_path_text" => string(key).map(str::to_owned),
        "json_text_at" => {
            let keys = crate::array_text::elements(string(key)?).ok()?;
            match keys.as_slice() {
                [Some(key)] => Some(key.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A member that an object with this text has. That of no text is left alone.
fn member(name: String, value: &ScalarValue) -> Option<Member> {
    let value = string(value).filter(|value| !value.is_empty())?;
    Some((name, value.to_owned()))
}

/// The members of an object that are texts.
fn texts_of(json: &str) -> Vec<Vec<Member>> {
    let Ok(serde_json::Value::Object(all)) = serde_json::from_str(json) else { return Vec::new() };
    let texts = all.into_iter().filter_map(|(name, value)| match value {
        serde_json::Value::String(value) if !value.is_empty() => Some(vec![(name, value)]),
        _ => None,
    });
    texts.collect()
}

fn is_column(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Column(column) => column.name == name,
        Expr::Cast(cast) if cast.field.data_type().is_string() => is_column(&cast.expr, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};
    use datafusion_functions_json::udfs::json_as_text_udf;

    use super::*;

    #[test]
    fn what_rows_must_have() {
        let text = |key: &str| json_as_text_udf().call(vec![col("m"), lit(key)]);
        let check = |expr: Expr, expected: &str| {
            let groups = members(&expr, "m").into_iter().map(|group| {
                let pairs = group.iter().map(|(name, value)| format!("{name}={value}"));
                pairs.collect::<Vec<_>>().join("|")
            });
            assert_eq!(groups.collect::<Vec<_>>().join(" "), expected, "{expr}");
        };
        check(text("k").eq(lit("v")), "k=v");
        check(lit("v").eq(text("k")), "k=v");
        check(text("k").in_list(vec![lit("v"), lit("w")], false), "k=v|k=w");
        check(text("k").eq(lit("v")).or(text("l").eq(lit("w"))), "k=v|l=w");
        check(text("k").eq(lit("v")).and(text("l").eq(lit("w"))), "k=v l=w");
        check(text("k").eq(lit("v")).and(text("l").gt(lit("w"))), "k=v");
        // Rows without these may be kept.
        check(text("k").eq(lit("v")).or(text("l").gt(lit("w"))), "");
        check(text("k").not_eq(lit("v")), "");
        check(text("k").in_list(vec![lit("v")], true), "");
        check(text("k").eq(lit("")), "");
        check(json_as_text_udf().call(vec![col("other"), lit("k")]).eq(lit("v")), "");
        assert_eq!(texts_of(r#"{"k":"v","n":1,"e":""}"#), [[("k".into(), "v".into())]]);
        assert_eq!(texts_of("[1]"), Vec::<Vec<Member>>::new());
    }
}
