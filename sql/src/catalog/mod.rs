//! The names a statement can use: one database with the table, pg_catalog and information_schema.
//!
//! The table is opened when a statement first names it and then stays the same for that statement,
//! however often it is named: a self-join reads one snapshot. The next statement opens it anew.

pub(crate) mod aggregates;
mod casts;
mod fixed;
pub(crate) mod functions;
mod functions_own;
mod information;
mod instance;
mod names;
mod provider;
mod prune;
mod relations;
mod rewrite;
mod shapes;
mod values;
mod world;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    SchemaProvider, TableProvider,
};
use datafusion::common::Result;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

pub(crate) use casts::{CatalogCasts, show_names};
pub(crate) use names::Kind;
use provider::CatalogSchema;
pub(crate) use rewrite::{call, name_columns, rewrite};
pub(crate) use shapes::tag;
pub(crate) use world::{Base, World};

use crate::activity::{Activity, Backend};
use crate::error::SqlError;
use crate::scan::Provider;
use crate::settings::Settings;
use crate::system::{Asker, System};
use crate::table::{Notice, Source};

/// The schema that holds the table.
pub(crate) const SCHEMA: &str = "public";

/// The table of one connection, as the running statement sees it.
pub(crate) struct Tables {
    source: Arc<dyn Source>,
    tenant: String,
    settings: Arc<Mutex<Settings>>,
    /// The runtime that `Source::open` runs on.
    runtime: Handle,
    world: Arc<World>,
    activity: Arc<Activity>,
    /// The lock is held while opening, so that a statement opens once.
    current: tokio::sync::Mutex<Current>,
}

#[derive(Default)]
struct Current {
    pinned: Option<SchemaRef>,
    provider: Option<Arc<Provider>>,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Tables {
    /// Who asks.
    pub(crate) fn asker(&self) -> Asker {
        Asker {
            source: self.source.clone(),
            tenant: self.tenant.clone(),
            runtime: self.runtime.clone(),
        }
    }

    pub(crate) fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Begins a statement. It sees the table with the columns of `pinned`, or with its own.
    pub(crate) async fn begin(&self, pinned: Option<SchemaRef>) {
        *self.current.lock().await = Current { pinned, provider: None };
    }

    /// The schema of the table, if the statement named it.
    pub(crate) async fn schema(&self) -> Option<SchemaRef> {
        self.current.lock().await.provider.as_ref().map(|provider| provider.schema())
    }

    /// Ends a statement: what the client is to be told of the table, if it named that. A table that
    /// nothing runs on any more is not kept open by a client that does nothing.
    pub(crate) async fn end(&self) -> Vec<Notice> {
        let provider = self.current.lock().await.provider.take();
        provider.map_or_else(Vec::new, |provider| provider.notices())
    }

    /// What the connection can name, with the columns as the running statement sees them.
    async fn world(&self) -> Result<World> {
        let schema = self.provider().await?.schema();
        Ok(self.world.as_ref().clone().with_columns(self.source.as_ref(), &schema))
    }

    /// Bytes that were read of the table so far.
    pub(crate) fn bytes(&self) -> u64 {
        // While it is being opened, nothing was.
        let current = self.current.try_lock();
        let provider = current.ok().and_then(|current| current.provider.clone());
        provider.map_or(0, |provider| provider.bytes())
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().expect("no code panics while it holds settings")
    }

    async fn provider(&self) -> Result<Arc<Provider>> {
        let mut current = self.current.lock().await;
        if let Some(provider) = &current.provider {
            return Ok(provider.clone());
        }
        let (source, tenant) = (self.source.clone(), self.tenant.clone());
        let reading = self.settings().reading();
        // A set, so that opening does not outlive a statement that was cancelled meanwhile.
        let mut opening = JoinSet::new();
        opening.spawn_on(async move { source.open_as(&tenant, &reading).await }, &self.runtime);
        let table = match opening.join_next().await {
            Some(Ok(table)) => table.map_err(SqlError::from)?,
            Some(Err(_)) | None => return Err(SqlError::panicked().into()),
        };
        let name = self.source.table_name();
        let provider = Arc::new(Provider::new(name, table, current.pinned.clone()));
        current.provider = Some(provider.clone());
        Ok(provider)
    }
}

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        vec![self.source.table_name().to_owned()]
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.table_exist(name) {
            true => Ok(Some(self.provider().await?)),
            false => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        name == self.source.table_name()
    }
}

/// Builds the catalog of one connection.
pub(crate) fn catalog(
    source: Arc<dyn Source>,
    backend: &Backend,
    activity: Arc<Activity>,
    settings: Arc<Mutex<Settings>>,
    runtime: Handle,
    base: &Base,
) -> Result<(Arc<dyn CatalogProviderList>, Arc<Tables>)> {
    let who = &backend.who;
    let world = Arc::new(World::new(base, who, backend.pid));
    let tables = Arc::new(Tables {
        source,
        world,
        activity,
        tenant: who.tenant.clone(),
        settings,
        runtime,
        current: tokio::sync::Mutex::default(),
    });
    let asker = tables.asker();
    let database = Arc::new(MemoryCatalogProvider::new());
    database.register_schema(SCHEMA, tables.clone())?;
    let system = Arc::new(System { asker: asker.clone() });
    database.register_schema(asker.source.system_schema(), system)?;
    let list = Arc::new(MemoryCatalogProviderList::new());
    list.register_catalog(who.database.clone(), database.clone());
    for name in ["pg_catalog", "information_schema"] {
        database.register_schema(name, Arc::new(CatalogSchema::new(name, tables.clone())))?;
    }
    Ok((list, tables))
}
