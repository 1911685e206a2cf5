//! Where the server is: the flags that all subcommands share.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use reqwest::header::{HeaderMap, HeaderValue};

/// How to reach the HTTP side of a server.
#[derive(Clone, Debug, clap::Args)]
pub struct Http {
    /// Address of the server
    #[arg(long, env = "DRAVE_SERVER", value_name = "URL", default_value = "http://127.0.0.1:3100")]
    pub server: String,
    /// Tenant to act for, where the server asks for one (`auth_enabled: true`)
    #[arg(long, env = "DRAVE_TENANT", value_name = "ID")]
    pub tenant: Option<String>,
}

/// How to reach the Postgres side of a server.
#[derive(Clone, Debug, clap::Args)]
pub struct Pg {
    /// Address of the server's Postgres listener
    #[arg(long, env = "DRAVE_PG", value_name = "HOST:PORT", default_value = "127.0.0.1:5433")]
    pub pg: String,
    /// Tenant to act for: it is the name of the database
    #[arg(long, env = "DRAVE_TENANT", value_name = "ID")]
    pub tenant: Option<String>,
    /// User to log in as; the password is asked for in PGPASSWORD
    #[arg(long, env = "PGUSER", value_name = "NAME", default_value = "drave")]
    pub user: String,
    /// Password, from the environment only: arguments are seen by everybody on the machine
    #[arg(skip = std::env::var("PGPASSWORD").ok())]
    pub password: Option<String>,
    /// Certificate of the authority that vouches for the server: encrypts the connection
    #[arg(long, env = "PGSSLROOTCERT", value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

impl Pg {
    /// A server that asks for no password.
    pub fn at(address: String, tenant: Option<String>) -> Pg {
        Pg { pg: address, tenant, user: "drave".to_owned(), password: None, ca: None }
    }
}

impl Http {
    /// The address of one endpoint.
    pub fn url(&self, path: &str) -> anyhow::Result<reqwest::Url> {
        let server = self.server.trim_end_matches('/');
        let full = match server.contains("://") {
            true => format!("{server}{path}"),
            false => format!("http://{server}{path}"),
        };
        let url = reqwest::Url::parse(&full)
            .with_context(|| format!("{} is no address of a server", self.server))?;
        if url.scheme() != "http" {
            bail!("{}: this client speaks plain http only", self.server);
        }
        Ok(url)
    }

    /// A client that names the tenant in every request.
    pub fn client(&self) -> anyhow::Result<reqwest::Client> {
        let mut headers = HeaderMap::new();
        if let Some(tenant) = &self.tenant {
            let value = HeaderValue::from_str(tenant)
                .with_context(|| format!("{tenant:?} is no name of a tenant"))?;
            headers.insert("X-Scope-OrgID", value);
        }
        reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("drave/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(std::time::Duration::from_secs(5))
            // A log store is local; a proxy of the environment is meant for the web.
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")
    }

    /// What to tell a user whose server does not answer.
    pub fn unreachable(&self, error: &reqwest::Error) -> String {
        if error.is_connect() {
            let server = &self.server;
            format!(
                "no server answers at {server}; start one with `drave`, or name it: --server URL"
            )
        } else {
            innermost(error)
        }
    }
}

/// The cause of an error that wraps others only to say that something failed.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
