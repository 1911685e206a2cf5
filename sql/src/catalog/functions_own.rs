//! What this server has beside the functions of Postgres, as `\df` lists it.

use super::relations::own_oid;
use super::values::{Row, Value};
use super::world::{OWNER, World};

/// A function of ours.
pub(crate) struct Own {
    pub(crate) name: &'static str,
    /// What goes in: names and types.
    pub(crate) arguments: &'static [(&'static str, &'static str)],
    pub(crate) result: &'static str,
    pub(crate) returns_set: bool,
    pub(crate) is_aggregate: bool,
    pub(crate) comment: &'static str,
}

const fn own(
    name: &'static str,
    arguments: &'static [(&'static str, &'static str)],
    result: &'static str,
    comment: &'static str,
) -> Own {
    Own { name, arguments, result, returns_set: false, is_aggregate: false, comment }
}

const fn aggregate(
    name: &'static str,
    arguments: &'static [(&'static str, &'static str)],
    result: &'static str,
    comment: &'static str,
) -> Own {
    Own { is_aggregate: true, ..own(name, arguments, result, comment) }
}

/// They live in the schema `public`, where their names are found without it.
pub(crate) const OWN: &[Own] = &[
    Own {
        returns_set: true,
        ..own(
            "logql",
            &[("query", "text"), ("start", "text"), ("end", "text"), ("step", "text")],
            "record",
            "asks in LogQL; only as a table, with constants",
        )
    },
    own("logfmt", &[("line", "text")], "text", "the pairs of a logfmt line as JSON"),
    own("pattern", &[("line", "text"), ("pattern", "text")], "text", "the captures as JSON"),
    own(
        "time_bucket",
        &[("width", "interval"), ("time", "timestamptz")],
        "timestamptz",
        "the start of the bucket that a time is in",
    ),
    aggregate(
        "approx_percentile",
        &[("value", "float8"), ("share", "float8")],
        "float8",
        "an estimate of a percentile",
    ),
    aggregate(
        "approx_count_distinct",
        &[("value", "text")],
        "int8",
        "an estimate of the number of different values",
    ),
];

impl Own {
    pub(crate) fn oid(&self) -> i32 {
        own_oid(self.name)
    }

    /// The row of `pg_proc`.
    pub(crate) fn row(&self, world: &World) -> Row {
        let oid = |name: &str| world.fixed.type_oids.get(name).copied().unwrap_or(25);
        let arguments = self.arguments.iter().map(|(_, kind)| i64::from(oid(kind)));
        let names = self.arguments.iter().map(|(name, _)| (*name).to_owned());
        let public = super::relations::namespace_oid(world, super::SCHEMA).unwrap_or_default();
        vec![
            ("oid", self.oid().into()),
            ("proname", self.name.into()),
            ("pronamespace", public.into()),
            ("proowner", OWNER.into()),
            ("prolang", 12.into()),
            ("procost", Value::Float(1.0)),
            ("prokind", if self.is_aggregate { "a" } else { "f" }.into()),
            ("proretset", self.returns_set.into()),
            ("provolatile", "s".into()),
            ("proparallel", "s".into()),
            ("pronargs", Value::Int(self.arguments.len() as i64)),
            ("prorettype", oid(self.result).into()),
            ("proargtypes", Value::Ints(arguments.collect())),
            ("proargnames", Value::Texts(names.collect())),
            ("prosrc", self.name.into()),
        ]
    }
}
