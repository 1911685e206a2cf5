//! Times without seconds in conditions: `timestamp > '2026-01-02 03:04'`.
//!
//! Postgres reads them and Arrow does not. Here they get their seconds, where a time is compared
//! with them, before DataFusion turns them into times; a text that is compared with a text stays
//! as it is.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

/// Completes the times in all conditions of `plan`.
pub(crate) fn complete(plan: LogicalPlan) -> Result<LogicalPlan> {
    let completed = plan.transform_down_with_subqueries(|node| {
        if matches!(node, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) {
            return Ok(Transformed::no(node));
        }
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let completed = expr.transform_down(|expr| complete_in(expr, &schema))?;
            Ok(completed.update_data(|expr| name.restore(expr)))
        })
    })?;
    Ok(completed.data)
}

fn complete_in(mut expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_time = |expr: &Expr| {
        matches!(expr, Expr::Column(_) | Expr::Cast(_) | Expr::ScalarFunction(_))
            && expr.get_type(schema).is_ok_and(|kind| kind.is_temporal())
    };
    let changed = match &mut expr {
        Expr::BinaryExpr(binary) if is_time(&binary.left) => with_seconds(&mut binary.right),
        Expr::BinaryExpr(binary) if is_time(&binary.right) => with_seconds(&mut binary.left),
        Expr::Between(between) if is_time(&between.expr) => {
            with_seconds(&mut between.low) | with_seconds(&mut between.high)
        }
        Expr::Cast(cast) if cast.field.data_type().is_temporal() => with_seconds(&mut cast.expr),
        _ => false,
    };
    Ok(if changed { Transformed::yes(expr) } else { Transformed::no(expr) })
}

/// A time as text, in nanoseconds since 1970. Without a zone it is in UTC.
pub(crate) fn time(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = completed(text).unwrap_or_else(|| text.to_owned());
    let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    match ScalarValue::Utf8(Some(text)).cast_to(&utc) {
        Ok(ScalarValue::TimestampNanosecond(at, _)) => at,
        _ => None,
    }
}

fn with_seconds(expr: &mut Expr) -> bool {
    let Expr::Literal(ScalarValue::Utf8(Some(text)), _) = expr else { return false };
    match completed(text) {
        Some(longer) => {
            *text = longer;
            true
        }
        None => false,
    }
}

/// `2026-01-02 03:04` and what may follow, with seconds; `None` if it is something else.
fn completed(text: &str) -> Option<String> {
    const SHAPE: &[u8] = b"0000-00-00 00:00";
    let (time, zone) = text.split_at_checked(SHAPE.len())?;
    let fits = SHAPE.iter().zip(time.bytes()).all(|(shape, byte)| match shape {
        b'0' => byte.is_ascii_digit(),
        b' ' => matches!(byte, b' ' | b'T'),
        shape => byte == *shape,
    });
    let is_zone = !zone.starts_with(|char: char| char == ':' || char.is_ascii_digit());
    (fits && is_zone).then(|| format!("{time}:00{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(completed(text).as_deref(), expected, "{text}");
        };
        check("2026-01-02 03:04", Some("2026-01-02 03:04:00"));
        check("2026-01-02T03:04Z", Some("2026-01-02T03:04:00Z"));
        check("2026-01-02 03:04+01:00", Some("2026-01-02 03:04:00+01:00"));
        check("2026-01-02 03:04:05", None);
        check("2026-01-02", None);
        check("2026-01-02 03-04", None);
        check("2026-01-02 03:0é", None);
        check("", None);
    }
}
