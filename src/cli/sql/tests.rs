//! Against a server that speaks just enough of the simple query protocol; rows as text.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What the server says to any statement: messages with their type, without their length.
type Script = Vec<(u8, Vec<u8>)>;

async fn serve(mut socket: TcpStream, script: Script) {
    let startup = socket.read_u32().await.unwrap();
    let mut parameters = vec![0; startup as usize - 4];
    socket.read_exact(&mut parameters).await.unwrap();
    let parameters = String::from_utf8_lossy(&parameters).into_owned();
    assert!(parameters.contains("user\0drave\0") && parameters.contains("database\0t1\0"));
    send(&mut socket, b'R', &[0; 4]).await;
    send(&mut socket, b'Z', b"I").await;
    assert_eq!(socket.read_u8().await.unwrap(), b'Q');
    for (kind, body) in script {
        send(&mut socket, kind, &body).await;
    }
    send(&mut socket, b'Z', b"I").await;
    // Until the client has gone.
    let _ = socket.read_to_end(&mut Vec::new()).await;
}

async fn send(socket: &mut TcpStream, kind: u8, body: &[u8]) {
    socket.write_u8(kind).await.unwrap();
    socket.write_i32(i32::try_from(body.len()).unwrap() + 4).await.unwrap();
    socket.write_all(body).await.unwrap();
}

fn columns(names: &[&str]) -> (u8, Vec<u8>) {
    let mut body = (names.len() as u16).to_be_bytes().to_vec();
    for name in names {
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&[0; 19]);
    }
    (b'T', body)
}

fn row(cells: &[Option<&str>]) -> (u8, Vec<u8>) {
    let mut body = (cells.len() as u16).to_be_bytes().to_vec();
    for cell in cells {
        match cell {
            Some(text) => {
                body.extend_from_slice(&(text.len() as i32).to_be_bytes());
                body.extend_from_slice(text.as_bytes());
            }
            None => body.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }
    (b'D', body)
}

fn error(fields: &[(char, &str)]) -> (u8, Vec<u8>) {
    let fields = fields.iter().map(|(kind, text)| format!("{kind}{text}\0"));
    (b'E', format!("{}\0", fields.collect::<String>()).into_bytes())
}

async fn answer(script: Script, statement: &str, output: Output) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pg = listener.local_addr().unwrap().to_string();
    let server =
        tokio::spawn(async move { serve(listener.accept().await.unwrap().0, script).await });
    let mut out = Vec::new();
    let pg = Pg::at(pg, Some("t1".to_owned()));
    let asked = ask(&pg, statement, output, &mut out).await;
    server.await.unwrap();
    asked.map(|()| String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn rows() {
    let script = vec![
        columns(&["app", "n"]),
        row(&[Some("api"), Some("12")]),
        row(&[None, Some("7")]),
        (b'C', b"SELECT 2\0".to_vec()),
    ];
    for (output, expected) in [
        (Output::Table, " app  | n\n------+----\n api  | 12\n NULL |  7\n(2 rows)\n\n"),
        (Output::Csv, "app,n\napi,12\n,7\n"),
        (Output::Jsonl, "{\"app\":\"api\",\"n\":\"12\"}\n{\"app\":null,\"n\":\"7\"}\n"),
    ] {
        assert_eq!(answer(script.clone(), "select", output).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn errors_point_at_their_place() {
    let fields = [
        ('S', "ERROR"),
        ('V', "ERROR"),
        ('C', "42703"),
        ('M', "column \"lin\" does not exist"),
        ('H', "did you mean \"line\"?"),
        ('P', "8"),
    ];
    let asked = answer(vec![error(&fields)], "select lin\nfrom logs", Output::Table).await;
    assert_eq!(
        asked.unwrap_err().to_string(),
        "column \"lin\" does not exist (SQLSTATE 42703)\n  select lin\n         ^\n\
         hint: did you mean \"line\"?"
    );
}

#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pg = Pg::at(listener.local_addr().unwrap().to_string(), None);
    drop(listener);
    let asked = ask(&pg, "select 1", Output::Table, &mut Vec::new()).await;
    assert!(asked.unwrap_err().to_string().starts_with("no server answers at 127.0.0.1:"));
}

#[test]
fn csv() {
    let mut out = Vec::new();
    write_csv([Some("a"), None, Some(""), Some("x\"y,z"), Some("l\nl")].into_iter(), &mut out)
        .unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "a,,\"\",\"x\"\"y,z\",\"l\nl\"\n");
}

#[test]
fn jsonl() {
    let mut out = Vec::new();
    write_jsonl([("b", Some("x\"\u{1b}")), ("a", None)].into_iter(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "{\"b\":\"x\\\"\\u001b\",\"a\":null}\n");
}

#[test]
fn places_in_statements() {
    assert_eq!(place("select x\nfrom y", 8), Some(("select x", 7)));
    assert_eq!(place("select x\nfrom y", 10), Some(("from y", 0)));
    assert_eq!(place("ü x", 3), Some(("ü x", 2)));
    assert_eq!(place("select", 0), None);
    assert_eq!(place("select", 100), None);
}
