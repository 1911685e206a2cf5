//! The relations of `pg_catalog` and `information_schema`: names, oids, columns and types.
//!
//! In goes `shapes.txt`, which `shapes.sql` makes from a real Postgres 15, one
//! relation a line:
//!
//! ```text
//! pg_catalog.pg_am 2601 r oid:oid! amname:name! amhandler:regproc! amtype:char!
//! ```
//!
//! Every relation of the list can be asked, whether it has rows here or not: a tool that looks for
//! triggers finds that there are none.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};

/// Field metadata that arrow-pg knows an oid by; its value is the type: `oid`, `regproc`.
pub(crate) const OID_KEY: &str = "pg.oid_alias";
/// Field metadata that arrow-pg knows a `"char"` by.
const CHAR_KEY: &str = "pg.char";

/// Field metadata that says that a list is an `oidvector` or `int2vector`, which look otherwise.
const VECTOR_KEY: &str = "drave.vector";

/// A relation of the system.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    pub(crate) oid: i32,
    /// `r` for a table, `v` for a view.
    pub(crate) kind: &'static str,
    pub(crate) columns: Vec<ShapeColumn>,
    pub(crate) schema: SchemaRef,
}

/// One of its columns.
#[derive(Debug)]
pub(crate) struct ShapeColumn {
    pub(crate) name: &'static str,
    /// The name of its type, as in `pg_type.typname`.
    pub(crate) kind: &'static str,
    pub(crate) not_null: bool,
}

/// All of them, in the order of the file.
pub(crate) static SHAPES: LazyLock<Vec<Shape>> =
    LazyLock::new(|| include_str!("shapes.txt").lines().map(shape).collect());

static BY_NAME: LazyLock<HashMap<(&'static str, &'static str), usize>> = LazyLock::new(|| {
    let shapes = SHAPES.iter().enumerate();
    shapes.map(|(at, shape)| ((shape.namespace, shape.name), at)).collect()
});

/// A relation by its schema and name.
pub(crate) fn find(namespace: &str, name: &str) -> Option<&'static Shape> {
    BY_NAME.get(&(namespace, name)).map(|at| &SHAPES[*at])
}

fn shape(line: &'static str) -> Shape {
    const COMPLETE: &str = "every line of the list has all its parts";
    let mut words = line.split(' ');
    let mut next = || words.next().expect(COMPLETE);
    let (namespace, name) = next().split_once('.').expect(COMPLETE);
    let (oid, kind) = (next().parse().expect(COMPLETE), next());
    let columns: Vec<ShapeColumn> = words.map(column).collect();
    let fields: Vec<Field> = columns.iter().map(ShapeColumn::field).collect();
    Shape { namespace, name, oid, kind, columns, schema: Arc::new(Schema::new(fields)) }
}

fn column(word: &'static str) -> ShapeColumn {
    let (name, kind) = word.split_once(':').expect("a column is a name and a type");
    let not_null = kind.ends_with('!');
    ShapeColumn { name, kind: kind.trim_end_matches('!'), not_null }
}

impl ShapeColumn {
    fn field(&self) -> Field {
        // Nullable whatever Postgres says: an outer join makes any column so, and DataFusion takes
        // the word for it.
        let field = Field::new(self.name, arrow_type(self.kind), true);
        match self.kind {
            "oid" | "regproc" | "regtype" => tagged(field, OID_KEY, self.kind),
            "char" => tagged(field, CHAR_KEY, "char"),
            "oidvector" | "int2vector" => tagged(field, VECTOR_KEY, self.kind),
            _ => field,
        }
    }
}

fn tagged(field: Field, key: &str, value: &str) -> Field {
    field.with_metadata(HashMap::from([(key.to_owned(), value.to_owned())]))
}

/// What kind of oid a field is of, or that it is a `"char"` or a vector.
pub(crate) fn tag(field: &Field) -> Option<&str> {
    let metadata = field.metadata();
    let keys = [OID_KEY, CHAR_KEY, VECTOR_KEY];
    keys.iter().find_map(|key| metadata.get(*key)).map(String::as_str)
}

/// A field that is an oid of this type.
pub(crate) fn oid_field(name: &str, kind: &str) -> Field {
    tagged(Field::new(name, DataType::Int32, true), OID_KEY, kind)
}

fn arrow_type(kind: &str) -> DataType {
    let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
    let time = |zone: Option<&str>| DataType::Timestamp(TimeUnit::Nanosecond, zone.map(Into::into));
    match kind {
        "bool" => DataType::Boolean,
        "int2" => DataType::Int16,
        "int4" | "oid" | "regproc" | "regtype" | "xid" => DataType::Int32,
        "int8" => DataType::Int64,
        "float4" => DataType::Float32,
        "float8" | "numeric" => DataType::Float64,
        "timestamptz" => time(Some("UTC")),
        "timestamp" => time(None),
        "interval" => DataType::Interval(IntervalUnit::MonthDayNano),
        "bytea" => DataType::Binary,
        "_int2" | "int2vector" => list(DataType::Int16),
        "_oid" | "oidvector" => list(DataType::Int32),
        "_float4" => list(DataType::Float32),
        "_float8" => list(DataType::Float64),
        "_bool" => list(DataType::Boolean),
        array if array.starts_with('_') => list(DataType::Utf8),
        _ => DataType::Utf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_complete() {
        let class = find("pg_catalog", "pg_class").unwrap();
        assert_eq!((class.oid, class.kind, class.columns.len()), (1259, "r", 33));
        assert_eq!(class.schema.field(0).metadata()[OID_KEY], "oid");
        let tables = find("information_schema", "tables").unwrap();
        assert_eq!((tables.kind, tables.columns[2].name), ("v", "table_name"));
        assert!(find("pg_catalog", "nope").is_none());
    }

    #[test]
    fn oids_are_distinct() {
        let mut oids: Vec<i32> = SHAPES.iter().map(|shape| shape.oid).collect();
        oids.sort_unstable();
        oids.dedup();
        assert_eq!(oids.len(), SHAPES.len());
    }
}
