//! Statements that are larger than their memory: they go to disk, or end, and harm nobody.

use std::path::Path;

use drave_sql::Options;

use crate::memory::{Server, options, rows};
use crate::sql::answer;

/// Rows of 128 bytes; they are more than twice what a statement may hold.
const TEXTS: &str = "select repeat(md5(n::text), 4) as text from generate_series(1, 300000) t(n)";

fn small(dir: Option<&Path>, spill_bytes: u64) -> Options {
    Options {
        statement_memory_bytes: 16 << 20,
        spill_dir: dir.map(Into::into),
        spill_bytes,
        ..options()
    }
}

fn files(dir: &Path) -> usize {
    let inner = std::fs::read_dir(dir).unwrap().flatten();
    inner.map(|inner| std::fs::read_dir(inner.path()).unwrap().count()).sum()
}

#[tokio::test]
async fn sorts_and_groups_go_to_disk() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::with(small(Some(dir.path()), 1 << 30), rows()).await;
    let client = server.client().await;
    let sorted = answer(&client, &format!("{TEXTS} order by 1")).await;
    assert_eq!(sorted.len(), 300_000, "{:?}", sorted.first());
    assert!(sorted.is_sorted());
    let groups =
        format!("select count(*) from (select text, count(*) from ({TEXTS}) t group by 1) t");
    assert_eq!(answer(&client, &groups).await, ["300000"]);
    assert_eq!(files(dir.path()), 0, "nothing is left");
}

#[tokio::test]
async fn what_is_on_disk_is_seen_while_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::with(small(Some(dir.path()), 1 << 30), rows()).await;
    let client = server.client().await;
    // A portal that was read a little of holds what it has sorted.
    answer(&client, "begin").await;
    answer(&client, &format!("declare c cursor for {TEXTS} order by 1")).await;
    assert_eq!(answer(&client, "fetch 5 from c").await.len(), 5);
    let cost = server.activity.of("main")[0].cost;
    assert!(cost.spilled > 8 << 20 && files(dir.path()) > 0, "{cost:?}");
    answer(&client, "commit").await;
    for _ in 0..100 {
        if files(dir.path()) == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(files(dir.path()), 0);
    assert_eq!(server.activity.of("main")[0].cost.spilled, 0);
}

#[tokio::test]
async fn without_room_a_statement_ends_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let sort = format!("{TEXTS} order by 1");
    for (options, expected) in
        [(small(None, 0), "53200"), (small(Some(dir.path()), 3 << 20), "53400")]
    {
        let server = Server::with(options, rows()).await;
        let (client, other) = (server.client().await, server.client().await);
        let (failed, fine) = tokio::join!(
            answer(&client, &sort),
            answer(&other, "select count(*), min(line) from logs"),
        );
        assert_eq!(failed, [expected]);
        assert!(fine[0].starts_with("3000"), "{fine:?}");
        assert_eq!(answer(&client, "select count(*) from logs").await, ["3000"]);
        assert_eq!(files(dir.path()), 0);
    }
}

#[tokio::test]
async fn a_panic_ends_its_own_statement() {
    let server = Server::start().await;
    let panics = crate::memory::connect(server.config().dbname("panics")).await.unwrap();
    let other = server.client().await;
    let (failed, fine) = tokio::join!(
        answer(&panics, "select * from logs"),
        answer(&other, "select count(*) from logs"),
    );
    assert_eq!((failed, fine), (vec!["XX000".to_owned()], vec!["3000".to_owned()]));
    assert_eq!(answer(&panics, "select 1").await, ["1"]);
}
