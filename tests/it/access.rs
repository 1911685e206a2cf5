//! Who gets in over the Postgres protocol, on a real server: users, tenants, encryption, changes.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::node::Node;

/// Makes an authority and a certificate for this machine.
pub(crate) fn certificate(dir: &Path) {
    let dir = dir.display().to_string();
    for words in [&["ca"][..], &["server", "localhost", "127.0.0.1"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drave"));
        let made = command.arg("cert").args(words).args(["--dir", &dir]).output().expect("runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

/// Runs the program with something on its stdin.
fn drave(arguments: &[&str], stdin: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drave"));
    command.args(arguments).envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    use std::io::Write as _;
    child.stdin.take().expect("a pipe").write_all(stdin.as_bytes()).expect("takes it");
    child.wait_with_output().expect("ends")
}

/// An entry as the command writes it.
fn entry(arguments: &[&str], password: &str) -> String {
    let output = drave(&[&["user"], arguments].concat(), &format!("{password}\n"), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

async fn push(node: &Node, tenant: &str, line: &str) {
    let values = json!([["1700000000000000000", line]]);
    let body = json!({"streams": [{"stream": {"app": "a"}, "values": values}]});
    let request = reqwest::Client::new().post(node.url("/loki/api/v1/push"));
    let request =
        request.header("X-Scope-OrgID", tenant).header("Content-Type", "application/json");
    let answer = request.body(body.to_string()).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 204);
}

/// A node with users, encryption and two tenants; and asking it as the command line does.
struct Guarded {
    node: Node,
    dir: tempfile::TempDir,
}

impl Guarded {
    async fn start() -> Guarded {
        let dir = tempfile::tempdir().expect("a directory");
        certificate(dir.path());
        let users = entry(&["ann", "--tenant", "a", "--write"], "secret")
            + &entry(&["both", "--tenant", "a", "--tenant", "b"], "other");
        std::fs::write(dir.path().join("users.yaml"), users).expect("a file");
        let files = dir.path().display();
        let config = format!(
            "auth_enabled: true\nruntime_config: {{period: 100ms}}\nsql:\n  users_file: \
             {files}/users.yaml\n  tls: {{cert: {files}/server.crt, key: {files}/server.key, \
             require: true}}\n"
        );
        let node = Node::with_config(&config).await;
        for tenant in ["a", "b"] {
            push(&node, tenant, &format!("line of {tenant}")).await;
        }
        Guarded { node, dir }
    }

    /// What `drave sql` prints, or what it complains of.
    fn ask(&self, user: &str, password: &str, more: &[&str], sql: &str) -> String {
        let ca = self.dir.path().join("ca.crt").display().to_string();
        let pg = self.node.pg().replace("127.0.0.1", "localhost");
        let arguments = ["sql", "-o", "csv", "--pg", &pg, "--user", user, "--ca", &ca];
        let environment = [("PGPASSWORD", password)];
        let output = drave(&[&arguments, more, &[sql]].concat(), "", &environment);
        let said = if output.status.success() { output.stdout } else { output.stderr };
        String::from_utf8(said).expect("text").trim().replace('\n', " ")
    }
}

#[tokio::test]
async fn a_user_reads_its_tenants_and_no_others() {
    let guarded = Guarded::start().await;
    let lines = "select line from logs";
    assert_eq!(guarded.ask("ann", "secret", &[], lines), "line line of a");
    assert_eq!(guarded.ask("both", "other", &[], lines), "line line of a");
    assert_eq!(guarded.ask("both", "other", &["--tenant", "b"], lines), "line line of b");
    let check = |user, password, more: &[&str], sql, expected: &str| {
        let said = guarded.ask(user, password, more, sql);
        assert!(said.contains(expected), "{said}");
    };
    check("ann", "secret", &["--tenant", "b"], lines, "SQLSTATE 42501");
    check("ann", "wrong", &[], lines, "SQLSTATE 28P01");
    check("eve", "secret", &[], lines, "SQLSTATE 28P01");
    let insert = "insert into logs (line, app) values ('x', 'y')";
    check("both", "other", &[], insert, "SQLSTATE 42501");
    check("ann", "secret", &[], insert, "");
    check("ann", "secret", &[], "select count(*) from logs", "count 2");
    let tenants = "select tenant from drave.tenants union select text from drave.queries";
    let said = guarded.ask("ann", "secret", &[], tenants);
    assert!(said.contains(" a ") && said.contains("from drave.queries"), "{said}");
}

#[tokio::test]
async fn only_encrypted_and_as_the_files_say_now() {
    let guarded = Guarded::start().await;
    let pg = guarded.node.pg();
    let plain = drave(&["sql", "--pg", pg, "select 1"], "", &[]);
    let said = String::from_utf8_lossy(&plain.stderr);
    assert!(said.contains("encrypted connections only"), "{said}");
    let other = tempfile::tempdir().expect("a directory");
    certificate(other.path());
    let ask = |user, password| guarded.ask(user, password, &[], "select 1 as one");
    assert_eq!(ask("ann", "secret"), "one 1");

    // A file that cannot be used changes nothing.
    let users = guarded.dir.path().join("users.yaml");
    std::fs::write(&users, "ann: {password: hunter2, tenants: [a]}").expect("a file");
    let said = guarded.node.says("kept the users").await;
    assert!(said.contains("user ann: password") && !said.contains("hunter2"), "{said}");
    assert_eq!(ask("ann", "secret"), "one 1");
    std::fs::write(&users, entry(&["bob", "--tenant", "a"], "new")).expect("a file");
    guarded.node.says("took the users").await;
    assert_eq!(ask("bob", "new"), "one 1");
    assert!(ask("ann", "secret").contains("28P01"));

    // A certificate of another authority: our own client does not take it.
    for file in ["server.key", "server.crt"] {
        std::fs::copy(other.path().join(file), guarded.dir.path().join(file)).expect("a copy");
    }
    for _ in 0..200 {
        if ask("bob", "new") != "one 1" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(ask("bob", "new").contains("no server answers"), "{}", ask("bob", "new"));
    let log = guarded.node.log();
    assert!(!log.contains("SCRAM-SHA-256$"), "verifiers are secret");
}

/// libpq binds the password to the certificate where it can.
#[tokio::test]
async fn psql_logs_in() {
    if Command::new("psql").arg("--version").output().is_err() {
        eprintln!("SKIPPED: psql is not installed");
        return;
    }
    let guarded = Guarded::start().await;
    let ca = guarded.dir.path().join("ca.crt").display().to_string();
    let port = guarded.node.pg().rsplit(':').next().expect("a port").to_owned();
    let psql = |password: &str, settings: &[(&str, &str)]| {
        let mut command = Command::new("psql");
        command.args(["-h", "localhost", "-p", &port, "-U", "ann", "-At"]);
        command.args(["-c", "select line from logs"]).env("PGPASSWORD", password);
        command.env("PGSSLROOTCERT", &ca).envs(settings.iter().copied());
        let output = command.output().expect("psql runs");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() { said } else { String::from_utf8_lossy(&output.stderr).into() }
    };
    let full = [("PGSSLMODE", "verify-full"), ("PGCHANNELBINDING", "require")];
    assert_eq!(psql("secret", &full), "line of a");
    assert_eq!(psql("secret", &[("PGSSLMODE", "require")]), "line of a");
    assert!(psql("wrong", &full).contains("password authentication failed"));
    assert!(psql("secret", &[("PGSSLMODE", "disable")]).contains("encrypted connections only"));
}

#[tokio::test]
async fn what_cannot_be_used_stops_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    certificate(dir.path());
    let file = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(dir.path().join("users.yaml"), "ann: {password: x}").expect("a file");
    for (config, expected) in [
        (format!("sql: {{users_file: {}}}", file("users.yaml")), "user ann: password"),
        (format!("sql: {{users_file: {}}}", file("nowhere")), "sql.users_file"),
        (
            format!("sql: {{tls: {{cert: {}, key: {}}}}}", file("server.crt"), file("ca.key")),
            "sql.tls.key",
        ),
        (format!("sql: {{tls: {{cert: {0}, key: {0}}}}}", file("server.key")), "sql.tls.cert"),
    ] {
        let path = dir.path().join("drave.yaml");
        std::fs::write(&path, &config).expect("a file");
        let data = dir.path().join("data").display().to_string();
        let mut arguments =
            vec!["serve", "--config", path.to_str().expect("text"), "--data", &data];
        for flag in ["--http-listen", "--pg-listen", "--peer-listen"] {
            arguments.extend([flag, "127.0.0.1:0"]);
        }
        let output = drave(&arguments, "", &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(expected), "{config}: {said}");
    }
}
