//! The schemas `pg_catalog` and `information_schema` as DataFusion finds them.
//!
//! - Rows are made when a statement runs, from what there is then.
//! - Only relations that show columns open the source's table.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{
    MemTable, SchemaProvider, Session, TableFunctionArgs, TableFunctionImpl, TableProvider,
};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::shapes::{SHAPES, Shape, find};
use super::world::shown;
use super::{Tables, information, instance, relations, values};

/// One of the two schemas.
#[derive(Debug)]
pub(crate) struct CatalogSchema {
    name: &'static str,
    tables: Arc<Tables>,
}

impl CatalogSchema {
    pub(crate) fn new(name: &'static str, tables: Arc<Tables>) -> CatalogSchema {
        CatalogSchema { name, tables }
    }
}

#[async_trait]
impl SchemaProvider for CatalogSchema {
    fn table_names(&self) -> Vec<String> {
        let own = SHAPES.iter().filter(|shape| shape.namespace == self.name);
        own.map(|shape| shape.name.to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(find(self.name, name).map(|shape| {
            let tables = self.tables.clone();
            Arc::new(CatalogTable { shape, tables }) as Arc<dyn TableProvider>
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        find(self.name, name).is_some()
    }
}

struct CatalogTable {
    shape: &'static Shape,
    tables: Arc<Tables>,
}

impl fmt::Debug for CatalogTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogTable").field("name", &self.shape.name).finish_non_exhaustive()
    }
}

/// The relations that show columns of other relations.
fn shows_columns(shape: &Shape) -> bool {
    match shape.namespace {
        "pg_catalog" => ["pg_attribute", "pg_class", "pg_description"].contains(&shape.name),
        _ => ["columns", "column_privileges", "role_column_grants"].contains(&shape.name),
    }
}

impl CatalogTable {
    async fn rows(&self) -> Result<RecordBatch> {
        let shape = self.shape;
        let world = match shows_columns(shape) {
            true => self.tables.world().await?,
            false => self.tables.world.as_ref().clone(),
        };
        let mut rows = None;
        if shape.namespace == "pg_catalog" {
            let settings = shown(&self.tables.settings());
            let seen = match shape.name {
                "pg_stat_activity" => self.tables.activity.of(self.tables.tenant()),
                _ => Vec::new(),
            };
            rows = instance::rows(&world, shape.name, &settings, &seen)
                .or_else(|| relations::rows(&world, shape.name));
        } else {
            rows = rows.or_else(|| information::rows(&world, shape.name));
        }
        let made = values::batch(shape, &rows.unwrap_or_default())?;
        match world.fixed.rows(shape.name).filter(|_| shape.namespace == "pg_catalog") {
            Some(fixed) if made.num_rows() == 0 => Ok(fixed.clone()),
            Some(fixed) => Ok(concat_batches(&shape.schema, [fixed, &made])?),
            None => Ok(made),
        }
    }
}

#[async_trait]
impl TableProvider for CatalogTable {
    fn schema(&self) -> SchemaRef {
        self.shape.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batch = self.rows().await?;
        let table = MemTable::try_new(self.shape.schema.clone(), vec![vec![batch]])?;
        table.scan(state, projection, filters, limit).await
    }
}

/// Functions that are asked as tables.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    /// `pg_get_keywords()`
    Keywords,
    /// `pg_show_all_settings()`
    Settings,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct CatalogCall {
    pub(crate) call: Call,
    pub(crate) tables: Arc<Tables>,
}

impl TableFunctionImpl for CatalogCall {
    fn call_with_args(&self, _: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        match (self.call, find("pg_catalog", "pg_settings")) {
            (Call::Settings, Some(shape)) => {
                Ok(Arc::new(CatalogTable { shape, tables: self.tables.clone() }))
            }
            _ => {
                let words = self.tables.world.fixed.keywords.clone();
                Ok(Arc::new(MemTable::try_new(words.schema(), vec![vec![words]])?))
            }
        }
    }
}
