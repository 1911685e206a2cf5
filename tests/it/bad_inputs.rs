//! The list of bad inputs: each gets its status, and none harms what was there before.

use std::path::Path;
use std::process::Command;

use crate::access::certificate;
use crate::node::Node;

/// The inputs name their tenants, the worst statements are to end before the test does, what is sorted
/// as a whole is more than a statement may hold, and who asks proves who it is.
fn config(dir: &Path) -> String {
    let entry = |user: &str| {
        drave::cli::user::entry(user, "correct horse", &["*".to_owned()], true).expect("an entry")
    };
    std::fs::write(dir.join("users.yaml"), entry("bad") + &entry("test")).expect("a file");
    certificate(dir);
    let dir = dir.display();
    format!(
        "auth_enabled: true\nsql:\n  statement_timeout: 5s\n  memory_per_query: 8MB\n  \
         spill: 4MB\n  users_file: {dir}/users.yaml\n  \
         tls: {{cert: {dir}/server.crt, key: {dir}/server.key}}\n"
    )
}

#[tokio::test]
async fn bad_inputs_do_no_harm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = root.join("tests/golden/bad_inputs.jsonl");
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: the bad inputs: python3 is not installed");
        return;
    }
    let files = tempfile::tempdir().expect("a directory");
    let node = Node::with_config(&config(files.path())).await;
    let mut command = Command::new("python3");
    command.arg(root.join("tests/clients/bad_inputs.py")).arg(node.http()).arg(node.pg());
    command.arg(list).args(["--pid", &node.pid().to_string()]);
    // A server that was not optimized shares its cores with other tests: more patience than the
    // ten seconds that the list allows.
    command.args(["--seconds", "60"]);
    let output = tokio::task::spawn_blocking(move || command.output().expect("runs"));
    let output = output.await.expect("no panic");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    println!("{text}");
}
