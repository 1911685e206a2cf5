//! What connections see of each other and do to each other, and what ends them.

use std::time::Duration;

use drave_sql::State;

use crate::memory::{Server, connect};
use crate::sql::answer;

/// Longer than any of these tests.
const ENDLESS: &str = "select count(*) from generate_series(1, 1000000000000)";

/// Waits until a connection of `main` runs something that is like `text`: its number.
async fn running(server: &Server, text: &str) -> i32 {
    for _ in 0..1000 {
        let seen = server.activity.of("main").into_iter();
        let mut active = seen.filter(|seen| seen.state == State::Active);
        if let Some(seen) = active.find(|seen| seen.text == text) {
            return seen.pid;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{text} does not run");
}

#[tokio::test]
async fn a_statement_is_stopped_from_another_connection() {
    let server = Server::start().await;
    let (one, other) = (server.client().await, server.client().await);
    let endless = tokio::spawn(async move {
        let first = answer(&one, ENDLESS).await;
        (first, answer(&one, "select 1").await)
    });
    let pid = running(&server, ENDLESS).await;
    let stranger = connect(server.config().dbname("else")).await.unwrap();
    let cancel = format!("select pg_cancel_backend({pid})");
    assert_eq!(answer(&stranger, &cancel).await, ["f"], "another tenant's");
    assert!(!endless.is_finished());
    assert_eq!(answer(&other, &cancel).await, ["t"]);
    let (first, second) = endless.await.unwrap();
    assert_eq!((first, second), (vec!["57014".to_owned()], vec!["1".to_owned()]));
    assert_eq!(
        answer(&other, "select pg_cancel_backend(pid) from (values (0), (null)) t(pid)").await,
        ["f", "NULL"]
    );
}

#[tokio::test]
async fn connections_are_ended_from_another_one() {
    let server = Server::start().await;
    let (busy, idle, other) = (server.client().await, server.client().await, server.client().await);
    let pid = answer(&idle, "select pg_backend_pid()").await.remove(0);
    let end = |pid: String| format!("select pg_terminate_backend({pid})");
    assert_eq!(answer(&other, &end(pid)).await, ["t"]);
    let gone = idle.simple_query("select 1").await;
    assert!(gone.is_err() && idle.is_closed());
    let endless = tokio::spawn(async move { answer(&busy, ENDLESS).await });
    let pid = running(&server, ENDLESS).await;
    assert_eq!(answer(&other, &end(pid.to_string())).await, ["t"]);
    assert_eq!(endless.await.unwrap(), ["57P01"]);
    assert_eq!(server.activity.of("main").len(), 1, "what is gone is not seen");
}

#[tokio::test]
async fn a_cancel_request_reaches_its_own_connection_only() {
    let server = Server::start().await;
    let (one, two) = (server.client().await, server.client().await);
    let (first, second) = (one.cancel_token(), two.cancel_token());
    let mut endless = tokio::spawn(async move { answer(&one, ENDLESS).await });
    running(&server, ENDLESS).await;
    second.cancel_query(tokio_postgres::NoTls).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), &mut endless).await;
    assert!(early.is_err(), "it was not meant");
    assert_eq!(answer(&two, "select 1").await, ["1"], "an idle one goes on");
    first.cancel_query(tokio_postgres::NoTls).await.unwrap();
    assert_eq!(endless.await.unwrap(), ["57014"]);
}

#[tokio::test]
async fn what_a_connection_does_is_seen() {
    let server = Server::start().await;
    let client = server.client().await;
    assert_eq!(answer(&client, "set application_name = 'me'").await, Vec::<String>::new());
    assert_eq!(answer(&client, "begin").await, Vec::<String>::new());
    answer(&client, "select line from logs").await;
    let seen = server.activity.of("main").remove(0);
    assert_eq!((seen.user.as_str(), seen.database.as_str()), ("alice", "main"));
    assert_eq!((seen.application.as_str(), seen.state), ("me", State::InTransaction));
    assert_eq!((seen.text.as_str(), seen.cost.rows), ("select line from logs", 3000));
    assert!(seen.transaction.is_some() && seen.client.ip().is_loopback());
    assert_eq!(answer(&client, "selec").await, ["42601"]);
    assert_eq!(server.activity.of("main")[0].state, State::InFailedTransaction);
    assert!(server.activity.of("else").is_empty());
}

#[tokio::test]
async fn silent_clients_are_let_go_when_they_asked_for_it() {
    let server = Server::start().await;
    let ended = async |setting: &str, begin: bool| {
        let client = server.client().await;
        answer(&client, &format!("set {setting} = '50ms'")).await;
        if begin {
            answer(&client, "begin").await;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        client.is_closed()
    };
    assert!(ended("idle_session_timeout", false).await);
    assert!(!ended("idle_session_timeout", true).await, "it is in a transaction");
    assert!(ended("idle_in_transaction_session_timeout", true).await);
    assert!(!ended("idle_in_transaction_session_timeout", false).await);
}
