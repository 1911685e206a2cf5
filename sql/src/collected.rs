//! Aggregates that need all values of a group: `json_agg`, `json_object_agg`, `mode`,
//! `percentile_disc`.
//!
//! In goes a call; out comes a function of `array_agg`, which keeps values in order, with DISTINCT,
//! FILTER and OVER, and draws what it keeps from the memory of the statement.
//!
//! ```text
//! json_agg(x order by y) filter (where z)   json_array_of(array_agg(to_json(x) order by y) filter (where z))
//! json_object_agg(k, v)                     json_object_of(array_agg(json_pair(k, v)))
//! mode() within group (order by x)          mode_of(array_agg(x order by x) filter (where x is not null))
//! ```

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName,
};

use crate::error::SqlError;
use crate::json_build::{
    ARRAY_OF, JSONB_ARRAY_OF, JSONB_OBJECT_OF, JSONB_VALUES_OF, OBJECT_OF, PAIR, VALUES_OF,
};
use crate::ordered::{MODE, PERCENTILE};
use crate::rewrite::parsed;

/// The function of `array_agg` that a call is; nothing if it is of no such aggregate.
pub(crate) fn rewrite(call: &Function) -> Result<Option<Expr>, SqlError> {
    let name = call.name.0.last().map(ToString::to_string).unwrap_or_default().to_lowercase();
    let (of, form) = match name.as_str() {
        "json_agg" => (ARRAY_OF, "to_json"),
        "jsonb_agg" => (JSONB_ARRAY_OF, "to_jsonb"),
        "json_object_agg" => (OBJECT_OF, PAIR),
        "jsonb_object_agg" => (JSONB_OBJECT_OF, PAIR),
        "mode" | "percentile_disc" => return in_order(&name, call).map(Some),
        _ => return Ok(None),
    };
    let FunctionArguments::List(list) = &call.args else { return Err(wrong(&name)) };
    let wanted = if form == PAIR { 2 } else { 1 };
    if list.args.len() != wanted {
        return Err(wrong(&name));
    }
    let args = arguments(list).ok_or_else(|| wrong(&name))?;
    // What must differ is the value, which may be what is ordered by, too.
    let is_distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    let mut list = list.clone();
    let of = match (of, is_distinct) {
        (ARRAY_OF, true) => VALUES_OF,
        (JSONB_ARRAY_OF, true) => JSONB_VALUES_OF,
        (of, _) => {
            list.args = vec![unnamed(parsed(&format!("{form}({})", args.join(", ")))?)];
            of
        }
    };
    let collected = Function { args: FunctionArguments::List(list), ..array_agg(call) };
    parsed(&format!("{of}({collected})")).map(Some)
}

fn in_order(name: &str, call: &Function) -> Result<Expr, SqlError> {
    let FunctionArguments::List(list) = &call.args else { return Err(wrong(name)) };
    let args = arguments(list).ok_or_else(|| wrong(name))?;
    let of = match (name, args.as_slice()) {
        ("mode", []) => MODE,
        ("percentile_disc", [_]) => PERCENTILE,
        _ => return Err(wrong(name)),
    };
    let [key] = call.within_group.as_slice() else {
        let text = format!("WITHIN GROUP is required for ordered-set aggregate {name}");
        return Err(SqlError::new("42809", text));
    };
    if call.over.is_some() {
        let text = format!("OVER is not supported for ordered-set aggregate {name}");
        return Err(SqlError::unsupported(text));
    }
    let filter = call.filter.as_ref().map(|filter| format!(" and ({filter})"));
    let filter = format!("({}) is not null{}", key.expr, filter.unwrap_or_default());
    let mut list = list.clone();
    list.args = vec![unnamed(key.expr.clone())];
    list.clauses.push(FunctionArgumentClause::OrderBy(vec![key.clone()]));
    let collected = Function {
        args: FunctionArguments::List(list),
        filter: Some(Box::new(parsed(&filter)?)),
        within_group: Vec::new(),
        ..array_agg(call)
    };
    let share = args.first().map(|share| format!(", {share}")).unwrap_or_default();
    parsed(&format!("{of}({collected}{share})"))
}

fn array_agg(call: &Function) -> Function {
    Function { name: ObjectName::from(vec![Ident::new("array_agg")]), ..call.clone() }
}

fn arguments(list: &FunctionArgumentList) -> Option<Vec<String>> {
    let text = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.to_string()),
        _ => None,
    };
    list.args.iter().map(text).collect()
}

fn unnamed(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

fn wrong(name: &str) -> SqlError {
    SqlError::new("42883", format!("function {name} does not exist with these arguments"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let Expr::Function(call) = parsed(text).unwrap() else { panic!("{text}") };
            let got = rewrite(&call).map(|made| made.map(|made| made.to_string()).unwrap());
            assert_eq!(got.as_deref().map_err(|error| error.code), expected, "{text}");
        };
        check("json_agg(x)", Ok("json_array_of(array_agg(to_json(x)))"));
        check(
            "jsonb_agg(distinct x order by x desc) filter (where y > 1)",
            Ok("jsonb_values_of(array_agg(DISTINCT x ORDER BY x DESC) FILTER (WHERE y > 1))"),
        );
        check(
            "json_object_agg(k, v order by k)",
            Ok("json_object_of(array_agg(json_pair(k, v) ORDER BY k))"),
        );
        check(
            "mode() within group (order by x desc)",
            Ok("mode_of(array_agg(x ORDER BY x DESC) FILTER (WHERE (x) IS NOT NULL))"),
        );
        check(
            "percentile_disc(array[0.5, 1]) within group (order by x) filter (where y)",
            Ok(
                "percentile_disc_of(array_agg(x ORDER BY x) FILTER (WHERE (x) IS NOT NULL AND (y)), \
                ARRAY[0.5, 1])",
            ),
        );
        check("percentile_disc(0.5)", Err("42809"));
        check("mode(1) within group (order by x)", Err("42883"));
        check("json_agg()", Err("42883"));
        check("json_object_agg(a)", Err("42883"));
    }
}
