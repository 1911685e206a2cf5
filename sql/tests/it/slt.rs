//! Statements with the answers of Postgres 15: `tests/slt/*.slt`, made by `tests/slt/record`.

use crate::memory::Server;
use crate::sql::answer;

#[tokio::test]
async fn answers_as_postgres() {
    let server = Server::start().await;
    let client = server.client().await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/slt/expressions.slt");
    let text = std::fs::read_to_string(path).unwrap();
    let (mut wrong, mut n) = (Vec::new(), 0);
    for case in text.split("\n\n").filter(|case| case.starts_with("query")) {
        let (sql, expected) = case.split_once("\n----").unwrap();
        let sql = sql.trim_start_matches("query\n");
        let expected: Vec<&str> = expected.trim_start_matches('\n').lines().collect();
        let got = answer(&client, sql).await.join("\n");
        let got: Vec<&str> = got.lines().collect();
        n += 1;
        if got != expected {
            wrong.push(format!("{sql}: {got:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty() && n > 50, "{} of {n}:\n{}", wrong.len(), wrong.join("\n"));
}
