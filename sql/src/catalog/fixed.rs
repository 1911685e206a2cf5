//! What is the same in every Postgres: its types, functions, operators and the like.
//!
//! In go the rows that datafusion-pg-catalog brings, where functions are named and arrays are texts;
//! out come batches of the shapes of `shapes.txt`, where functions are oids and arrays are lists, so
//! that `pg_proc.oid = typreceive` and `x = any(proargtypes)` mean what they mean in Postgres.
//!
//! - What belongs to one server's own relations (indexes, dependencies, statistics) is left out.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, RecordBatch, StringArray,
};
use datafusion::arrow::compute::{cast, concat_batches, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion_pg_catalog::pg_catalog::{ArrowTable, PgCatalogStaticTables};

use super::shapes::{self, OID_KEY, Shape};
use super::values::{Value, batch};

/// The schema that all of them are in.
pub(crate) const PG_CATALOG: i32 = 11;

/// A type, as columns and functions refer to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) length: i16,
    pub(crate) by_value: bool,
    pub(crate) align: String,
    pub(crate) storage: String,
    pub(crate) collation: i32,
    /// Of the items, where it is an array.
    pub(crate) item: i32,
    pub(crate) is_array: bool,
}

/// A function, as its description needs it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) result: i32,
    pub(crate) returns_set: bool,
    pub(crate) arguments: Vec<i32>,
    /// Of all arguments, those that are returned included; empty if they all go in.
    pub(crate) all_arguments: Vec<i32>,
    pub(crate) modes: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) is_strict: bool,
    pub(crate) volatility: String,
    pub(crate) parallel: String,
}

/// The rows, and what is looked up in them.
#[derive(Debug)]
pub(crate) struct Fixed {
    tables: HashMap<&'static str, RecordBatch>,
    /// The words of the language, which are a function's rows.
    pub(crate) keywords: RecordBatch,
    pub(crate) types: HashMap<i32, Type>,
    pub(crate) type_oids: HashMap<String, i32>,
    pub(crate) functions: HashMap<i32, Function>,
    pub(crate) function_oids: HashMap<String, Vec<i32>>,
    /// By object and class.
    pub(crate) descriptions: HashMap<(i32, i32), String>,
}

type Keep = fn(&RecordBatch) -> Result<BooleanArray>;

impl Fixed {
    pub(crate) fn new() -> Result<Fixed> {
        let all = PgCatalogStaticTables::try_new()?;
        let everything: Keep = |batch| Ok(BooleanArray::from(vec![true; batch.num_rows()]));
        let sources: [(&'static str, &ArrowTable, Keep); 20] = [
            ("pg_proc", &all.pg_proc, |batch| in_pg_catalog(batch, "pronamespace")),
            ("pg_type", &all.pg_type, plain_types),
            ("pg_aggregate", &all.pg_aggregate, everything),
            ("pg_am", &all.pg_am, everything),
            ("pg_amop", &all.pg_amop, everything),
            ("pg_amproc", &all.pg_amproc, everything),
            ("pg_cast", &all.pg_cast, everything),
            ("pg_collation", &all.pg_collation, |batch| {
                named(batch, "collname", &["default", "C", "POSIX", "ucs_basic"])
            }),
            ("pg_conversion", &all.pg_conversion, everything),
            ("pg_language", &all.pg_language, |batch| {
                named(batch, "lanname", &["internal", "c", "sql"])
            }),
            ("pg_opclass", &all.pg_opclass, everything),
            ("pg_operator", &all.pg_operator, everything),
            ("pg_opfamily", &all.pg_opfamily, everything),
            ("pg_range", &all.pg_range, everything),
            ("pg_tablespace", &all.pg_tablespace, everything),
            ("pg_ts_config", &all.pg_ts_config, everything),
            ("pg_ts_dict", &all.pg_ts_dict, everything),
            ("pg_ts_parser", &all.pg_ts_parser, everything),
            ("pg_ts_template", &all.pg_ts_template, everything),
            ("pg_description", &all.pg_description, |batch| {
                // Those of relations are of the ones that the rows were taken from.
                let classes = batch.column(1).as_primitive::<Int32Type>();
                Ok(classes.iter().map(|class| Some(class != Some(1259))).collect())
            }),
        ];
        let mut fixed = Fixed {
            tables: HashMap::new(),
            keywords: concat_batches(&all.pg_get_keywords.schema(), all.pg_get_keywords.data())?,
            types: HashMap::new(),
            type_oids: HashMap::new(),
            functions: HashMap::new(),
            function_oids: HashMap::new(),
            descriptions: HashMap::new(),
        };
        for (name, table, keep) in sources {
            let shape = shapes::find("pg_catalog", name)
                .ok_or_else(|| exec_datafusion_err!("{name} has no shape"))?;
            let found = concat_batches(&table.schema(), table.data())?;
            if name == "pg_proc" {
                fixed.name_functions(&found);
            }
            let kept = filter_record_batch(&found, &keep(&found)?)?;
            let shaped = fixed.shaped(shape, &kept)?;
            fixed.tables.insert(name, shaped);
        }
        fixed.index()?;
        Ok(fixed)
    }

    /// The rows of a relation, if it is one of these.
    pub(crate) fn rows(&self, name: &str) -> Option<&RecordBatch> {
        self.tables.get(name)
    }

    fn name_functions(&mut self, procs: &RecordBatch) {
        let oids = procs["oid"].as_primitive::<Int32Type>();
        for (oid, name) in oids.values().iter().zip(&strings(&procs["proname"])) {
            self.function_oids.entry(name.clone()).or_default().push(*oid);
        }
    }

    fn shaped(&self, shape: &Shape, found: &RecordBatch) -> Result<RecordBatch> {
        // What a later version calls otherwise.
        const RENAMED: &[(&str, &str)] = &[("colliculocale", "colllocale")];
        let absent = batch(shape, &vec![Vec::new(); found.num_rows()])?;
        let columns = shape.schema.fields().iter().enumerate().map(|(at, field)| {
            let name = field.name().as_str();
            let old = RENAMED.iter().find(|(new, _)| *new == name).map_or(name, |(_, old)| old);
            match found.column_by_name(old) {
                Some(column) => self.column(field, column),
                None => Ok(absent.column(at).clone()),
            }
        });
        Ok(RecordBatch::try_new(shape.schema.clone(), columns.collect::<Result<_>>()?)?)
    }

    fn column(&self, field: &Arc<Field>, found: &ArrayRef) -> Result<ArrayRef> {
        let is_text = found.data_type().is_string();
        Ok(match field.data_type() {
            DataType::Int32
                if is_text && field.metadata().get(OID_KEY).is_some_and(|k| k == "regproc") =>
            {
                self.function_column(&strings(found))
            }
            DataType::List(item) if is_text => list_column(item, found)?,
            kind => cast(found, kind)?,
        })
    }

    /// Names of functions as oids. Where several have one name, the first to be named is the first
    /// of them: rows about functions are in the order of the functions.
    fn function_column(&self, names: &[String]) -> ArrayRef {
        let mut seen = HashMap::<&str, usize>::new();
        let oids = names.iter().map(|name| {
            let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
            let Some(oids) = self.function_oids.get(name) else { return 0 };
            let nth = seen.entry(name).or_default();
            let oid = oids[(*nth).min(oids.len() - 1)];
            *nth += 1;
            oid
        });
        Arc::new(Int32Array::from_iter_values(oids.collect::<Vec<_>>()))
    }

    fn index(&mut self) -> Result<()> {
        let types = &self.tables["pg_type"];
        let oids = ints(types, "oid")?;
        let (names, aligns) = (strings(&types["typname"]), strings(&types["typalign"]));
        let (storages, lengths) = (strings(&types["typstorage"]), ints(types, "typlen")?);
        let (collations, items) = (ints(types, "typcollation")?, ints(types, "typelem")?);
        let (categories, by_values) =
            (strings(&types["typcategory"]), types["typbyval"].as_boolean().clone());
        for (at, oid) in oids.iter().enumerate() {
            let kind = Type {
                name: names[at].clone(),
                length: i16::try_from(lengths[at]).unwrap_or(-1),
                by_value: by_values.value(at),
                align: aligns[at].clone(),
                storage: storages[at].clone(),
                collation: collations[at],
                item: items[at],
                is_array: categories[at] == "A",
            };
            self.type_oids.insert(kind.name.clone(), *oid);
            self.types.insert(*oid, kind);
        }
        self.index_functions()?;
        let described = &self.tables["pg_description"];
        let (objects, classes) = (ints(described, "objoid")?, ints(described, "classoid")?);
        let (parts, texts) = (ints(described, "objsubid")?, strings(&described["description"]));
        for (at, text) in texts.into_iter().enumerate().filter(|(at, _)| parts[*at] == 0) {
            self.descriptions.insert((objects[at], classes[at]), text);
        }
        Ok(())
    }

    fn index_functions(&mut self) -> Result<()> {
        let procs = &self.tables["pg_proc"];
        let (oids, names) = (ints(procs, "oid")?, strings(&procs["proname"]));
        let (results, kinds) = (ints(procs, "prorettype")?, strings(&procs["prokind"]));
        let (sources, volatilities) = (strings(&procs["prosrc"]), strings(&procs["provolatile"]));
        let parallels = strings(&procs["proparallel"]);
        let (sets, stricts) = (procs["proretset"].as_boolean(), procs["proisstrict"].as_boolean());
        let int_list = |column: &str, at: usize| -> Vec<i32> {
            let lists = procs[column].as_list::<i32>();
            if lists.is_null(at) {
                return Vec::new();
            }
            lists.value(at).as_primitive::<Int32Type>().values().to_vec()
        };
        let text_list = |column: &str, at: usize| -> Vec<String> {
            let lists = procs[column].as_list::<i32>();
            if lists.is_null(at) { Vec::new() } else { strings(&lists.value(at)) }
        };
        let mut functions = HashMap::new();
        for (at, oid) in oids.iter().enumerate() {
            let function = Function {
                name: names[at].clone(),
                result: results[at],
                returns_set: sets.value(at),
                arguments: int_list("proargtypes", at),
                all_arguments: int_list("proallargtypes", at),
                modes: text_list("proargmodes", at),
                names: text_list("proargnames", at),
                kind: kinds[at].clone(),
                source: sources[at].clone(),
                is_strict: stricts.value(at),
                volatility: volatilities[at].clone(),
                parallel: parallels[at].clone(),
            };
            functions.insert(*oid, function);
        }
        self.functions = functions;
        Ok(())
    }
}

/// A column of texts, with nothing for null.
pub(crate) fn strings(column: &ArrayRef) -> Vec<String> {
    match cast(column, &DataType::Utf8) {
        Ok(texts) => {
            texts.as_string::<i32>().iter().map(|text| text.unwrap_or_default().into()).collect()
        }
        Err(_) => vec![String::new(); column.len()],
    }
}

fn ints(batch: &RecordBatch, column: &str) -> Result<Vec<i32>> {
    let ints = cast(&batch[column], &DataType::Int32)?;
    Ok(ints.as_primitive::<Int32Type>().values().to_vec())
}

fn in_pg_catalog(batch: &RecordBatch, column: &str) -> Result<BooleanArray> {
    let ours = |oid: Option<i32>| Some(oid == Some(PG_CATALOG));
    Ok(batch[column].as_primitive::<Int32Type>().iter().map(ours).collect())
}

fn named(batch: &RecordBatch, column: &str, names: &[&str]) -> Result<BooleanArray> {
    let names = strings(&batch[column]).into_iter().map(|name| names.contains(&name.as_str()));
    Ok(names.map(Some).collect())
}

/// Types that are no relation's rows, and no arrays of those.
fn plain_types(batch: &RecordBatch) -> Result<BooleanArray> {
    let (oids, namespaces) = (ints(batch, "oid")?, ints(batch, "typnamespace")?);
    let (kinds, items) = (strings(&batch["typtype"]), ints(batch, "typelem")?);
    let plain: HashMap<i32, bool> = oids
        .iter()
        .enumerate()
        .map(|(at, oid)| (*oid, namespaces[at] == PG_CATALOG && kinds[at] != "c"))
        .collect();
    let keep = |at: usize| plain[&oids[at]] && plain.get(&items[at]).is_none_or(|plain| *plain);
    Ok((0..oids.len()).map(|at| Some(keep(at))).collect())
}

/// `{1,2}` and `1 2` as lists.
fn list_column(item: &Arc<Field>, found: &ArrayRef) -> Result<ArrayRef> {
    let texts = cast(found, &DataType::Utf8)?;
    let texts: &StringArray = texts.as_string::<i32>();
    let is_number = item.data_type().is_integer();
    let values: Vec<Value> = texts
        .iter()
        .map(|text| {
            let Some(text) = text else { return Value::Null };
            let items = text.trim_start_matches('{').trim_end_matches('}').split([',', ' ']);
            let items = items.map(|item| item.trim_matches('"')).filter(|item| !item.is_empty());
            match is_number {
                true => Value::Ints(items.filter_map(|item| item.parse().ok()).collect()),
                false => Value::Texts(items.map(str::to_owned).collect()),
            }
        })
        .collect();
    Ok(super::values::array(&DataType::List(item.clone()), &values.iter().collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_types_are_oids() {
        let fixed = Fixed::new().unwrap();
        let types = fixed.rows("pg_type").unwrap();
        let at = strings(&types["typname"]).iter().position(|name| name == "bool").unwrap();
        let receive = types["typreceive"].as_primitive::<Int32Type>().value(at);
        assert_eq!(fixed.functions[&receive].name, "boolrecv");
        assert_eq!(fixed.types[&1009].item, 25);
        assert!(!fixed.type_oids.contains_key("_pg_class"), "{:?}", fixed.type_oids["_text"]);
    }
}
