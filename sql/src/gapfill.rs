//! `time_bucket_gapfill`: a row for every bucket of a span of time, also for those without data.
//!
//! In goes the tree of a query that groups by it; out comes one that means the same to an engine
//! which does not know it:
//!
//! ```text
//! every bucket x every combination of the other keys, joined with the query itself
//! locf(x)         the last known value in the buckets before
//! interpolate(x)  on the line between the known values before and after
//! ```
//!
//! The span is the third and fourth argument, or follows from what WHERE says of the time. As in
//! TimescaleDB, the keys are those of which there are rows at all.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator,
    FunctionArguments, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, Value,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use crate::error::SqlError;

const NAME: &str = "time_bucket_gapfill";

/// Rewrites a query in place, if it asks for that.
pub(crate) fn fill(query: &mut Query) -> Result<(), SqlError> {
    let SetExpr::Select(select) = query.body.as_ref() else { return Ok(()) };
    let bucket = select
        .projection
        .iter()
        .position(|item| shown(item).is_some_and(|(expr, _)| call(expr, NAME).is_some()));
    let Some(bucket) = bucket else { return Ok(()) };
    let filled = Filled::read(select, bucket)?.text();
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(&filled);
    let filled = parser.and_then(|mut parser| parser.parse_query())?;
    query.body = filled.body;
    Ok(())
}

/// The expression of a column and the name that it was given.
fn shown(item: &SelectItem) -> Option<(&Expr, Option<&Ident>)> {
    match item {
        SelectItem::UnnamedExpr(expr) => Some((expr, None)),
        SelectItem::ExprWithAlias { expr, alias } => Some((expr, Some(alias))),
        _ => None,
    }
}

fn call<'a>(expr: &'a Expr, name: &str) -> Option<&'a Function> {
    match expr {
        Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case(name) => Some(call),
        _ => None,
    }
}

/// The arguments of a call by place, and those with a name.
type Arguments<'a> = (Vec<&'a Expr>, Vec<(String, &'a Expr)>);

fn arguments(call: &Function) -> Option<Arguments<'_>> {
    let FunctionArguments::List(list) = &call.args else { return None };
    let (mut placed, mut named) = (Vec::new(), Vec::new());
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => placed.push(expr),
            FunctionArg::Named {
                name,
                arg: FunctionArgExpr::Expr(expr),
                operator: FunctionArgOperator::RightArrow,
            } => named.push((name.value.to_lowercase(), expr)),
            _ => return None,
        }
    }
    Some((placed, named))
}

/// What a column of the query is.
enum Kind {
    Bucket,
    Key,
    /// An aggregate, as it is found in each bucket.
    Found,
    /// The last one that was found.
    Last,
    /// Between those that were found.
    Between,
}

struct Filled {
    /// Kind and name of each column.
    columns: Vec<(Kind, String)>,
    /// The query without filling, its columns called by their places.
    inner: String,
    width: String,
    /// The first time, and the last with whether it belongs in.
    start: String,
    finish: (String, bool),
}

impl Filled {
    fn read(select: &Select, bucket: usize) -> Result<Filled, SqlError> {
        if select.distinct.is_some() || select.qualify.is_some() {
            return Err(SqlError::unsupported(format_args!("{NAME} with DISTINCT")));
        }
        let expr = shown(&select.projection[bucket]).map(|(expr, _)| expr);
        let call = expr.and_then(|expr| call(expr, NAME)).expect("the caller found it here");
        let wrong = || SqlError::new("42883", format!("{NAME} takes a width and a time"));
        let (placed, named) = arguments(call).ok_or_else(wrong)?;
        let [width, time, span @ ..] = placed.as_slice() else { return Err(wrong()) };
        let of_name = |name: &str| named.iter().find(|(own, _)| own == name).map(|(_, expr)| *expr);
        let bounds = Bounds::read(select.selection.as_ref(), time);
        let start = span.first().copied().or(of_name("start")).or(bounds.start);
        let finish = match span.get(1).copied().or(of_name("finish")) {
            Some(finish) => Some((finish, false)),
            None => bounds.finish,
        };
        let infer = |what: &str| {
            let text = format!("missing {NAME} argument: could not infer {what} from WHERE clause");
            SqlError::new("22023", text)
        };
        let start = start.ok_or_else(|| infer("start"))?.to_string();
        let (finish, inclusive) = finish.ok_or_else(|| infer("finish"))?;
        let width = match width {
            Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)) => {
                format!("interval {width}")
            }
            width => width.to_string(),
        };
        let time = format!("time_bucket({width}, {time})");
        let (columns, inner) = without_filling(select, bucket, &time)?;
        Ok(Filled { columns, inner, width, start, finish: (finish.to_string(), inclusive) })
    }

    fn text(&self) -> String {
        let Filled { inner, width, start, finish: (finish, inclusive), .. } = self;
        let keys: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, (kind, _))| matches!(kind, Kind::Key))
            .map(|(place, _)| format!("\"fill {place}\""))
            .collect();
        let columns = self
            .columns
            .iter()
            .enumerate()
            .map(|(place, (kind, name))| format!("{} as {name}", column(place, kind, &keys)));
        let columns: Vec<String> = columns.collect();
        let end = if *inclusive { "" } else { " - interval '1 microsecond'" };
        let buckets = format!(
            "(select unnest(generate_series(\
             cast(time_bucket({width}, cast({start} as timestamptz)) as timestamp), \
             cast(cast({finish} as timestamptz){end} as timestamp), \
             {width}))::timestamptz as \"at\") as \"fill b\""
        );
        let combinations = match keys.as_slice() {
            [] => String::new(),
            keys => format!(
                " cross join (select distinct {} from ({inner}) as \"fill r\") as \"fill k\"",
                keys.join(", ")
            ),
        };
        let bucket = self.columns.iter().position(|(kind, _)| matches!(kind, Kind::Bucket));
        let mut on = format!(
            "\"fill q\".\"fill {}\" = \"fill b\".\"at\"",
            bucket.expect("a bucket was found")
        );
        for key in &keys {
            on.push_str(&format!(" and \"fill q\".{key} is not distinct from \"fill k\".{key}"));
        }
        format!(
            "select {} from {buckets}{combinations} left join ({inner}) as \"fill q\" on {on}",
            columns.join(", ")
        )
    }
}

/// What a column of the answer is computed from.
fn column(place: usize, kind: &Kind, keys: &[String]) -> String {
    let value = format!("\"fill q\".\"fill {place}\"");
    let at = "\"fill b\".\"at\"";
    let partition = match keys {
        [] => String::new(),
        keys => {
            let keys: Vec<String> = keys.iter().map(|key| format!("\"fill k\".{key}")).collect();
            format!("partition by {} ", keys.join(", "))
        }
    };
    let before = |value: &str| {
        format!(
            "last_value({value}) ignore nulls over ({partition}order by {at} \
             rows between unbounded preceding and current row)"
        )
    };
    let after = |value: &str| {
        format!(
            "first_value({value}) ignore nulls over ({partition}order by {at} \
             rows between current row and unbounded following)"
        )
    };
    match kind {
        Kind::Bucket => at.to_owned(),
        Kind::Key => format!("\"fill k\".\"fill {place}\""),
        Kind::Found => value,
        Kind::Last => before(&value),
        Kind::Between => {
            let number = format!("cast({value} as float8)");
            let seconds = format!("cast(date_part('epoch', {at}) as float8)");
            let known = format!("case when {value} is not null then {seconds} end");
            let (left, right) = (before(&number), after(&number));
            let (begin, end) = (before(&known), after(&known));
            format!(
                "coalesce({number}, {left} + ({right} - {left}) * (({seconds} - {begin}) \
                 / nullif({end} - {begin}, 0::float8)))"
            )
        }
    }
}

/// The query as it would be without filling, and what its columns are.
fn without_filling(
    select: &Select,
    bucket: usize,
    time: &str,
) -> Result<(Vec<(Kind, String)>, String), SqlError> {
    let keys = keys(select)?;
    if !keys.contains(&bucket) {
        let text = format!("{NAME} must be in the GROUP BY clause");
        return Err(SqlError::new("42803", text));
    }
    let (mut columns, mut items) = (Vec::new(), Vec::new());
    for (place, item) in select.projection.iter().enumerate() {
        let wildcard = || SqlError::unsupported(format_args!("{NAME} with *"));
        let (expr, alias) = shown(item).ok_or_else(wildcard)?;
        let (kind, text) = if place == bucket {
            (Kind::Bucket, time.to_owned())
        } else if keys.contains(&place) {
            (Kind::Key, expr.to_string())
        } else if let Some(inner) = filled_with(expr, "locf")? {
            (Kind::Last, inner.to_string())
        } else if let Some(inner) = filled_with(expr, "interpolate")? {
            (Kind::Between, inner.to_string())
        } else {
            (Kind::Found, expr.to_string())
        };
        let name = match (alias, expr) {
            (Some(alias), _) => alias.to_string(),
            (None, Expr::Identifier(name)) => name.to_string(),
            (None, Expr::CompoundIdentifier(names)) => {
                names.last().map(ToString::to_string).unwrap_or_default()
            }
            (None, _) if place == bucket => NAME.to_owned(),
            (None, _) => format!("\"fill {place}\""),
        };
        columns.push((kind, name));
        items.push(format!("{text} as \"fill {place}\""));
    }
    let places: Vec<String> = keys.iter().map(|place| (place + 1).to_string()).collect();
    let mut inner = select.clone();
    inner.projection = vec![SelectItem::UnnamedExpr(Expr::Value(Value::Null.into()))];
    inner.group_by =
        GroupByExpr::Expressions(vec![Expr::Identifier(Ident::new(places.join(", ")))], Vec::new());
    // The columns take the place of the one that stands for them.
    let inner = inner.to_string().replacen("NULL", &items.join(", "), 1);
    Ok((columns, inner))
}

/// The places of the columns that are grouped by.
fn keys(select: &Select) -> Result<Vec<usize>, SqlError> {
    let refused = |expr: &dyn std::fmt::Display| {
        SqlError::unsupported(format_args!("{NAME} with GROUP BY {expr}, which is no column"))
    };
    let GroupByExpr::Expressions(expressions, modifiers) = &select.group_by else {
        return Err(refused(&"ALL"));
    };
    if !modifiers.is_empty() {
        return Err(refused(&"ROLLUP or CUBE"));
    }
    let place = |expr: &Expr| {
        if let Expr::Value(value) = expr
            && let Value::Number(number, _) = &value.value
        {
            let place = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            return place.filter(|place| *place < select.projection.len());
        }
        select.projection.iter().position(|item| {
            shown(item).is_some_and(|(own, alias)| {
                own == expr
                    || matches!(expr, Expr::Identifier(name)
                        if alias.is_some_and(|alias| alias.value == name.value))
            })
        })
    };
    expressions.iter().map(|expr| place(expr).ok_or_else(|| refused(expr))).collect()
}

fn filled_with<'a>(expr: &'a Expr, name: &str) -> Result<Option<&'a Expr>, SqlError> {
    let Some(call) = call(expr, name) else { return Ok(None) };
    match arguments(call) {
        Some((placed, named)) if placed.len() == 1 && named.is_empty() => Ok(Some(placed[0])),
        _ => Err(SqlError::unsupported(format_args!("{name} with more than one argument"))),
    }
}

/// What WHERE says of a time.
#[derive(Default)]
struct Bounds<'a> {
    start: Option<&'a Expr>,
    /// With whether it belongs in.
    finish: Option<(&'a Expr, bool)>,
}

impl<'a> Bounds<'a> {
    fn read(condition: Option<&'a Expr>, time: &Expr) -> Bounds<'a> {
        let mut bounds = Bounds::default();
        if let Some(condition) = condition {
            bounds.add(condition, time);
        }
        bounds
    }

    fn add(&mut self, condition: &'a Expr, time: &Expr) {
        use BinaryOperator::{And, Gt, GtEq, Lt, LtEq};
        match condition {
            Expr::Nested(inner) => self.add(inner, time),
            Expr::BinaryOp { left, op: And, right } => {
                self.add(left, time);
                self.add(right, time);
            }
            Expr::Between { expr, negated: false, low, high } if **expr == *time => {
                self.start = Some(low);
                self.finish = Some((high, true));
            }
            Expr::BinaryOp { left, op, right } => match (**left == *time, **right == *time, op) {
                (true, _, Gt | GtEq) => self.start = Some(right),
                (_, true, Lt | LtEq) => self.start = Some(left),
                (true, _, Lt) => self.finish = Some((right, false)),
                (true, _, LtEq) => self.finish = Some((right, true)),
                (_, true, Gt) => self.finish = Some((left, false)),
                (_, true, GtEq) => self.finish = Some((left, true)),
                _ => {}
            },
            _ => {}
        }
    }
}
