//! `drave user NAME`: makes an entry of the users file of the Postgres port.
//!
//! In: a password, typed twice at a terminal or on stdin. Out: the entry, with what checks the
//! password and from which nobody gets it back. The password is no argument, for arguments are seen
//! by everybody on the machine.
//!
//! ```sh
//! drave user grafana --tenant acme >> users.yaml
//! ```

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, bail};
use serde::Serialize;

/// Make an entry of a users file, which says who may log in for SQL
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Name of the user
    pub name: String,
    /// A tenant whose rows it may read, once for each; '*' is all (with `auth_enabled: true`)
    #[arg(long = "tenant", value_name = "ID")]
    pub tenants: Vec<String>,
    /// It may store rows, too
    #[arg(long)]
    pub write: bool,
}

/// Reads a password and writes the entry to stdout.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let password = match std::io::stdin().is_terminal() {
        true => ask(&args.name)?,
        false => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read stdin")?;
            // One line, as `echo` and editors end it.
            let line = text.strip_suffix('\n').unwrap_or(&text);
            line.strip_suffix('\r').unwrap_or(line).to_owned()
        }
    };
    let entry = entry(&args.name, &password, &args.tenants, args.write)?;
    std::io::stdout().write_all(entry.as_bytes()).context("cannot write the entry")
}

/// Asks for a password that is not shown, twice.
fn ask(name: &str) -> anyhow::Result<String> {
    let terminal = console::Term::stderr();
    let read = |prompt: String| {
        terminal.write_str(&prompt)?;
        terminal.read_secure_line()
    };
    let password = read(format!("password for {name}: ")).context("cannot read the password")?;
    if password != read("once more: ".to_owned()).context("cannot read the password")? {
        bail!("the two are not the same");
    }
    Ok(password)
}

#[derive(Serialize)]
struct Entry<'a> {
    password: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tenants: &'a [String],
    writes: bool,
}

/// The entry of a user.
pub fn entry(
    name: &str,
    password: &str,
    tenants: &[String],
    writes: bool,
) -> anyhow::Result<String> {
    if name.is_empty() || password.is_empty() {
        bail!("a user has a name and a password");
    }
    if password.contains(['\0', '\n']) {
        bail!("a password is one line");
    }
    let password = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let entry = BTreeMap::from([(name, Entry { password, tenants, writes })]);
    serde_norway::to_string(&entry).context("cannot write the entry")
}
