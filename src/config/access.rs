//! Who may log in over the Postgres protocol, and what proves the server: read, checked, followed.
//!
//! In: the users file and the files of `sql.tls`. Out: what the SQL server lets in, at start and
//! whenever a file changes. A file that cannot be used keeps what was in force and is complained
//! about once; at start it is an error.
//!
//! ```yaml
//! grafana:
//!   password: SCRAM-SHA-256$4096:...      # what `drave user` writes
//!   tenants: [acme]                       # with auth_enabled; ['*'] is all
//!   writes: false
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drave_sql::{Access, Databases, Tls, TlsError, User, Users, Verifier};
use serde::Deserialize;
use tokio::sync::watch;
use tracing::{info, warn};

use super::{Config, Error, SqlTls};
use crate::model::Tenant;

/// All tenants, where one is named.
const ALL: &str = "*";

/// The files, and what they mean here.
#[derive(Clone, Debug)]
pub struct Files {
    users: Option<PathBuf>,
    tls: Option<SqlTls>,
    auth_enabled: bool,
}

/// What is in the files.
#[derive(Clone, PartialEq, Eq)]
struct Texts {
    users: Option<Vec<u8>>,
    tls: Option<[Vec<u8>; 2]>,
}

/// A user as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    password: String,
    #[serde(default)]
    tenants: Vec<String>,
    #[serde(default)]
    writes: bool,
}

impl Config {
    /// The files that say who gets in.
    pub fn access(&self) -> Files {
        let (users, tls) = (self.sql.users_file.clone(), self.sql.tls.clone());
        Files { users, tls, auth_enabled: self.auth_enabled }
    }
}

impl Files {
    /// Reads and checks them.
    pub fn read(&self) -> Result<Access, Error> {
        self.understand(&self.texts()?)
    }

    fn texts(&self) -> Result<Texts, Error> {
        let read = |key, path: &Path| {
            let read = std::fs::read(path);
            read.map_err(|error| bad(key, path, error.to_string()))
        };
        let users = self.users.as_deref().map(|path| read("sql.users_file", path)).transpose()?;
        let tls = self
            .tls
            .as_ref()
            .map(|tls| Ok([read("sql.tls.cert", &tls.cert)?, read("sql.tls.key", &tls.key)?]));
        Ok(Texts { users, tls: tls.transpose()? })
    }

    fn understand(&self, texts: &Texts) -> Result<Access, Error> {
        let users = match (&texts.users, &self.users) {
            (Some(text), Some(path)) => {
                let users = users(text, self.auth_enabled);
                Some(Arc::new(users.map_err(|reason| bad("sql.users_file", path, reason))?))
            }
            _ => None,
        };
        let tls = match (&texts.tls, &self.tls) {
            (Some([cert, key]), Some(files)) => {
                let tls = Tls::from_pem(cert, key).map_err(|error| match error {
                    TlsError::Certificate(reason) => bad("sql.tls.cert", &files.cert, reason),
                    TlsError::Key(reason) => bad("sql.tls.key", &files.key, reason),
                });
                Some(tls?)
            }
            _ => None,
        };
        let tls_required = self.tls.as_ref().is_some_and(|tls| tls.require);
        Ok(Access { users, tls, tls_required })
    }

    /// Reads them again and again until `stop` says true, and tells `out` what changed.
    pub async fn follow(
        self,
        period: Duration,
        out: watch::Sender<Access>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut known = self.texts().ok();
        let mut seen = None;
        let mut complaint = String::new();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(period.max(Duration::from_millis(100))) => {}
            }
            // Files of a few kilobytes from a local disk: not worth a thread.
            let texts = self.texts();
            if known.is_some() && texts.as_ref().ok() == known.as_ref() {
                continue;
            }
            // Who writes may be in the middle of it, and a file that was just emptied would let nobody
            // in: what is there counts once it was there twice. A test ran into that, on a busy day.
            if let Ok(texts) = &texts
                && seen.as_ref() != Some(texts)
            {
                seen = Some(texts.clone());
                continue;
            }
            let taken = texts.and_then(|texts| {
                let taken = self.understand(&texts);
                known = Some(texts);
                taken
            });
            match taken {
                Ok(access) => {
                    out.send_replace(access);
                    complaint.clear();
                    info!("took the users and the certificate of the Postgres port");
                }
                Err(error) if error.to_string() != complaint => {
                    complaint = error.to_string();
                    warn!(%error, "kept the users and the certificate of the Postgres port");
                }
                Err(_) => {}
            }
        }
    }
}

fn bad(key: &'static str, path: &Path, reason: String) -> Error {
    Error::Value { key, reason: format!("{}: {reason}", path.display()) }
}

fn users(text: &[u8], auth_enabled: bool) -> Result<Users, String> {
    // A mapping of its own kind says so where a name is there twice.
    let entries: serde_norway::Mapping = match serde_norway::from_slice(text) {
        Ok(serde_norway::Value::Mapping(entries)) => entries,
        Ok(serde_norway::Value::Null) => serde_norway::Mapping::new(),
        Ok(_) => return Err("expected names of users".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let mut users = HashMap::new();
    for (name, entry) in entries {
        let serde_norway::Value::String(name) = name else {
            return Err("the name of a user must be a text".to_owned());
        };
        let user = user(entry, auth_enabled).map_err(|reason| format!("user {name}: {reason}"))?;
        users.insert(name, user);
    }
    Ok(Users::new(users))
}

fn user(entry: serde_norway::Value, auth_enabled: bool) -> Result<User, String> {
    let entry: Entry = serde_norway::from_value(entry).map_err(|error| error.to_string())?;
    let password = Verifier::parse(&entry.password).map_err(|reason| {
        format!("password: {reason}: write what 'drave user' says, not the password itself")
    })?;
    let databases = match (auth_enabled, entry.tenants) {
        (false, tenants) if tenants.is_empty() => Databases::Any,
        (false, _) => return Err("tenants: there are none without auth_enabled: true".to_owned()),
        (true, tenants) if tenants.is_empty() => {
            return Err("tenants: name those it may read, or '*' for all".to_owned());
        }
        (true, tenants) if tenants == [ALL] => Databases::Any,
        (true, tenants) => {
            for tenant in &tenants {
                Tenant::parse(tenant).map_err(|error| format!("tenants: {error}"))?;
            }
            Databases::These(tenants)
        }
    };
    Ok(User { password, databases, writes: entry.writes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn entry(name: &str, tenants: &[&str], writes: bool) -> String {
        let tenants: Vec<String> = tenants.iter().map(|tenant| (*tenant).to_owned()).collect();
        cli::user::entry(name, "secret", &tenants, writes).expect("an entry")
    }

    #[test]
    fn what_the_command_writes_is_taken() {
        let text = entry("ann", &["a", "b"], true) + &entry("bob: #", &["*"], false);
        assert!(users(text.as_bytes(), true).is_ok(), "{text}");
        assert!(!text.contains("secret"));
        let text = entry("ann", &[], false);
        assert!(users(text.as_bytes(), false).is_ok(), "{text}");
        assert!(users(b"", true).is_ok(), "nobody may");
    }

    #[test]
    fn what_is_wrong_says_where() {
        let check = |text: &str, auth_enabled: bool, expected: &str| {
            let complaint = users(text.as_bytes(), auth_enabled).expect_err(text);
            assert!(complaint.contains(expected) && !complaint.contains('\n'), "{complaint}");
        };
        let ann = entry("ann", &[], false);
        check(&ann, true, "user ann: tenants: name those");
        check(&entry("ann", &["a"], false), false, "user ann: tenants: there are none");
        check(&entry("ann", &["a/b"], false), true, "user ann: tenants: tenant ID 'a/b'");
        check("ann: {password: hunter2, tenants: [a]}", true, "not the password itself");
        check("ann: {tenants: [a]}", true, "missing field `password`");
        check("ann: {password: x, admin: true}", true, "unknown field `admin`");
        check(&(ann.clone() + &ann), false, "duplicate entry");
        check("- ann", true, "expected names");
        check("7: {password: x}", true, "must be a text");
    }
}
