//! `drave cert`: makes an authority, and certificates of nodes and servers that it signs.
//!
//! Everything is in one directory: `ca.crt` and `ca.key`, `node-3.crt` and `node-3.key`. Nothing
//! that is there is written over. A node needs its own two files and `ca.crt`; `ca.key` stays where
//! it was made. The certificate of a server is for the Postgres port: it proves a name to clients
//! that have `ca.crt`, and no node to other nodes.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use chrono::Datelike as _;
use drave_raft::{ANY_NODE_NAME, node_name};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

use crate::telemetry;

/// Make certificates for the peer port and the Postgres port
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    word: Word,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Word {
    /// Make an authority: ca.crt and ca.key
    Ca {
        /// How long it is good for
        #[arg(long, value_name = "DAYS", default_value_t = 3650)]
        days: u32,
        /// Where the files go
        #[command(flatten)]
        place: Place,
    },
    /// Make certificates of nodes: node-N.crt and node-N.key
    Node {
        /// Numbers of the nodes
        #[arg(required = true, value_name = "N")]
        ids: Vec<u64>,
        /// How long they are good for
        #[arg(long, value_name = "DAYS", default_value_t = 825)]
        days: u32,
        /// Where the authority's files are, and these go
        #[command(flatten)]
        place: Place,
    },
    /// Make a certificate of the Postgres port (`sql.tls`): server.crt and server.key
    Server {
        /// Names and addresses under which clients know it
        #[arg(required = true, value_name = "HOST")]
        hosts: Vec<String>,
        /// How long it is good for
        #[arg(long, value_name = "DAYS", default_value_t = 825)]
        days: u32,
        /// Where the authority's files are, and these go
        #[command(flatten)]
        place: Place,
    },
}

/// Where certificates are.
#[derive(Clone, Debug, clap::Args)]
struct Place {
    /// Directory of all files
    #[arg(long, value_name = "DIR", default_value = "drave-certs")]
    dir: PathBuf,
}

/// Longest time that may be asked for.
const DAYS_MAX: u32 = 36_500;

/// Runs one of the words.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.word {
        Word::Ca { days, place } => {
            make_authority(&place.dir, days)?;
            say(&format!(
                "made {0}/ca.crt and {0}/ca.key: keep the key away from the nodes\n",
                place.dir.display()
            ))
        }
        Word::Node { ids, days, place } => {
            for id in ids {
                make_node(&place.dir, id, days)?;
                let dir = place.dir.display();
                say(&format!(
                    "made {dir}/node-{id}.crt and {dir}/node-{id}.key; for node {id}:\n  peer:\n    \
                     tls: {{cert: {dir}/node-{id}.crt, key: {dir}/node-{id}.key, ca: {dir}/ca.crt}}\n"
                ))?;
            }
            Ok(())
        }
        Word::Server { hosts, days, place } => {
            make_server(&place.dir, hosts, days)?;
            let dir = place.dir.display();
            say(&format!(
                "made {dir}/server.crt and {dir}/server.key; for the nodes:\n  sql:\n    tls: \
                 {{cert: {dir}/server.crt, key: {dir}/server.key, require: true}}\n"
            ))
        }
    }
}

fn make_authority(dir: &Path, days: u32) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let key = KeyPair::generate().context("cannot make a key")?;
    let mut params = authority(&key)?;
    valid_for(&mut params, days)?;
    let certificate = params.self_signed(&key).context("cannot sign")?;
    write_new(&dir.join("ca.key"), &key.serialize_pem(), 0o600)?;
    write_new(&dir.join("ca.crt"), &certificate.pem(), 0o644)
}

/// What names an authority follows from its key: its key is all that is needed to sign.
fn authority(key: &KeyPair) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).context("no names are good names")?;
    let mark = xxhash_rust::xxh3::xxh3_64(key.public_key_raw());
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("drave authority {mark:016x}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn make_node(dir: &Path, id: u64, days: u32) -> anyhow::Result<()> {
    if id == 0 {
        bail!("0 is no number of a node");
    }
    let names = vec![node_name(id), ANY_NODE_NAME.to_owned()];
    let mut params = CertificateParams::new(names).context("names of nodes are good names")?;
    params.distinguished_name.push(DnType::CommonName, format!("drave node {id}"));
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    sign(dir, &format!("node-{id}"), params, days)
}

fn make_server(dir: &Path, hosts: Vec<String>, days: u32) -> anyhow::Result<()> {
    // One authority may sign both: what proves a host must not prove a node.
    let node = ANY_NODE_NAME.split_once('.').map_or(ANY_NODE_NAME, |(_, domain)| domain);
    if let Some(host) = hosts.iter().find(|host| {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        host.rsplit('.').next() == Some(node)
    }) {
        bail!("{host} would be the name of a node: name the host");
    }
    let common = hosts.first().cloned().unwrap_or_default();
    let mut params = CertificateParams::new(hosts).context("these are no names of hosts")?;
    params.distinguished_name.push(DnType::CommonName, common);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    sign(dir, "server", params, days)
}

/// Signs what `params` says of a new key, and writes both down.
fn sign(dir: &Path, name: &str, mut params: CertificateParams, days: u32) -> anyhow::Result<()> {
    let path = dir.join("ca.key");
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("cannot read {}: make it with 'drave cert ca' first", path.display())
    })?;
    let ca_key = KeyPair::from_pem(&text)
        .with_context(|| format!("{} is no private key", path.display()))?;
    let issuer = authority(&ca_key)?;
    let key = KeyPair::generate().context("cannot make a key")?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    valid_for(&mut params, days)?;
    let issuer = Issuer::from_params(&issuer, &ca_key);
    let certificate = params.signed_by(&key, &issuer).context("cannot sign")?;
    write_new(&dir.join(format!("{name}.key")), &key.serialize_pem(), 0o600)?;
    write_new(&dir.join(format!("{name}.crt")), &certificate.pem(), 0o644)
}

/// From yesterday, since clocks differ, for so many days.
fn valid_for(params: &mut CertificateParams, days: u32) -> anyhow::Result<()> {
    if days == 0 || days > DAYS_MAX {
        bail!("--days: from 1 to {DAYS_MAX}");
    }
    let today = chrono::DateTime::from_timestamp_nanos(telemetry::now().0).date_naive();
    let day = |offset: i64| {
        let day = today + chrono::Duration::days(offset);
        let [month, of_month] = [day.month(), day.day()].map(|n| u8::try_from(n).unwrap_or(1));
        rcgen::date_time_ymd(day.year(), month, of_month)
    };
    params.not_before = day(-1);
    params.not_after = day(i64::from(days));
    Ok(())
}

fn write_new(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = file.with_context(|| format!("{}: not written", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("{}", path.display()))
}

fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write the answer")
}

#[cfg(test)]
mod tests {
    use drave_raft::{Tls, TlsOptions};

    use super::*;

    fn files(cert: &Path, ca: &Path, id: u64) -> TlsOptions {
        let name = |end: &str| cert.join(format!("node-{id}.{end}"));
        TlsOptions { cert: name("crt"), key: name("key"), ca: ca.join("ca.crt") }
    }

    #[test]
    fn what_is_made_is_taken() {
        let dir = tempfile::tempdir().expect("a directory");
        let [one, other] = ["one", "other"].map(|name| dir.path().join(name));
        for place in [&one, &other] {
            make_authority(place, 10).expect("makes");
        }
        for id in [1, 2] {
            make_node(&one, id, 10).expect("makes");
        }
        assert!(Tls::read(&files(&one, &one, 1), 1).is_ok());
        let check = |options: &TlsOptions, id: u64, expected: &str| {
            let said = Tls::read(options, id).expect_err("it is refused").to_string();
            assert!(said.contains(expected) && !said.contains('\n'), "{said}");
        };
        check(&files(&one, &one, 2), 1, "it names node 2, and this is node 1");
        check(&files(&one, &other, 1), 1, "it is not of the authority in peer.tls.ca");
        check(&files(&one, &dir.path().join("nowhere"), 1), 1, "peer.tls.ca: ");
        let swapped = TlsOptions { key: one.join("node-2.key"), ..files(&one, &one, 1) };
        check(&swapped, 1, "peer.tls.key: ");
        let no_node = TlsOptions { cert: one.join("ca.crt"), ..files(&one, &one, 1) };
        check(&no_node, 1, "names no node");
        std::fs::write(one.join("node-1.crt"), "nonsense").expect("writes");
        check(&files(&one, &one, 1), 1, "there is no certificate in it");
    }

    #[test]
    fn certificates_of_servers() {
        let dir = tempfile::tempdir().expect("a directory");
        make_authority(dir.path(), 10).expect("makes");
        let make = |hosts: &[&str]| {
            make_server(dir.path(), hosts.iter().map(|host| (*host).to_owned()).collect(), 10)
        };
        for host in ["node.drave", "node-1.drave", "NODE-1.DRAVE.", "drave"] {
            assert!(make(&["db.example.com", host]).is_err(), "{host}");
        }
        make(&["db.example.com", "10.0.0.5"]).expect("makes");
        let read = |name| std::fs::read(dir.path().join(name)).expect("a file");
        assert!(drave_sql::Tls::from_pem(&read("server.crt"), &read("server.key")).is_ok());
    }

    #[test]
    fn nothing_is_written_over() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a directory");
        assert!(make_node(dir.path(), 1, 10).is_err(), "no authority");
        make_authority(dir.path(), 10).expect("makes");
        let error = make_authority(dir.path(), 10).expect_err("it is there");
        assert!(format!("{error:#}").contains("ca.key: not written"), "{error:#}");
        let mode = std::fs::metadata(dir.path().join("ca.key")).expect("a file").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert!(make_node(dir.path(), 0, 10).is_err() && make_node(dir.path(), 1, 0).is_err());
    }
}
