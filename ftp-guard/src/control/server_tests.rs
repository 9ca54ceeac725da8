//! The server and the client against each other, with a service that does no work.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream as StdStream,
    path::{Path, PathBuf},
    thread,
};

use super::*;
use crate::control::{
    client::{Client, ClientError},
    mode_view::ModeReport,
    protocol::EXIT_USAGE,
    socket::ControlSocket,
    view::{AddReport, ListReport},
};

/// Answers `allow-list` with as many entries as it was made with, imports with their size.
#[derive(Clone)]
struct Fake {
    entries: usize,
}

impl Service for Fake {
    async fn call(&self, request: Request) -> Result<Answer, Failure> {
        match request {
            Request::AllowList => Ok(Answer {
                members: Some(Members::Entries((0..self.entries).map(entry).collect())),
                result: serde_json::json!({ "entries": self.entries }),
            }),
            Request::AllowImport { text, .. } => Answer::of(&AddReport {
                added: text.lines().count() as u64,
                ..AddReport::default()
            }),
            Request::Mode { set: None } => Answer::of(&ModeReport {
                mode: crate::control::protocol::ModeName::Enforce,
                changed: false,
                deadline: None,
                fell_back: None,
            }),
            _ => Err(Failure::new(78, "bad file")),
        }
    }
}

fn entry(number: usize) -> EntryView {
    let address = std::net::Ipv4Addr::from(0x0a00_0000 + number as u32);
    EntryView {
        prefix: ipnet::IpNet::from(std::net::IpAddr::from(address)),
        kind: "allow".into(),
        profile: "default".into(),
        expires: None,
        label: Some(format!("partner {number}")),
        file: "/etc/ftp-guard/allow.d/partners.list".into(),
        line: number as u32 + 1,
        active: true,
        text: format!("{address} label=\"partner {number}\""),
        host: None,
    }
}

/// Runs `client` on a thread of its own against a server with `limits`.
async fn with_server<T: Send + 'static>(
    entries: usize,
    limits: Limits,
    client: impl FnOnce(&Path) -> T + Send + 'static,
) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("guard.sock");
    let mut socket = ControlSocket::bind(&path).unwrap();
    let listener = socket.listener().unwrap();
    let (stop, stopped) = watch::channel(false);
    let server = Server::new(
        Fake { entries },
        EventSink::default(),
        socket.group(),
        limits,
    );
    let server = tokio::spawn(server.run(listener, stopped));
    let result = tokio::task::spawn_blocking(move || client(&path))
        .await
        .unwrap();
    stop.send(true).unwrap();
    server.await.unwrap();
    result
}

fn exchange(path: &Path, bytes: &[u8]) -> (String, bool) {
    let mut stream = StdStream::connect(path).unwrap();
    stream.write_all(bytes).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    reader
        .get_ref()
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let closed = matches!(reader.read(&mut [0; 1]), Ok(0));
    (line, closed)
}

#[tokio::test]
async fn one_connection_carries_several_requests() {
    let modes = with_server(0, Limits::default(), |path| {
        let mut client = Client::connect(path).unwrap();
        (0..3)
            .map(|_| {
                client
                    .ask::<ModeReport>(&Request::Mode { set: None })
                    .unwrap()
                    .changed
            })
            .collect::<Vec<_>>()
    })
    .await;
    assert_eq!(modes, [false; 3]);
}

#[tokio::test]
async fn a_list_of_100_000_entries_arrives_whole_and_in_order() {
    let (report, received) = with_server(100_000, Limits::default(), |path| {
        let mut received = Vec::new();
        let report: ListReport = Client::connect(path)
            .unwrap()
            .call(&Request::AllowList, |entry: EntryView| received.push(entry))
            .unwrap();
        (report, received)
    })
    .await;
    assert_eq!(report.entries, 100_000);
    assert_eq!(received.len(), 100_000);
    assert!(received.iter().enumerate().all(|(i, got)| *got == entry(i)));
}

#[tokio::test]
async fn a_long_import_arrives_whole() {
    let report = with_server(0, Limits::default(), |path| {
        let text: String = (0..100_000).map(|i| format!("# é \" {i}\n")).collect();
        Client::connect(path)
            .unwrap()
            .import::<AddReport>(Path::new("partners.list"), &text)
            .unwrap()
    })
    .await;
    assert_eq!(report.added, 100_000);
}

#[tokio::test]
async fn a_failure_keeps_its_exit_code_and_the_connection() {
    let (error, mode) = with_server(0, Limits::default(), |path| {
        let mut client = Client::connect(path).unwrap();
        let error = client.ask::<ListReport>(&Request::Reload).unwrap_err();
        (
            error,
            client.ask::<ModeReport>(&Request::Mode { set: None }),
        )
    })
    .await;
    assert_eq!(error.exit_code(), 78);
    assert_eq!(error.to_string(), "bad file");
    assert!(mode.is_ok());
}

#[tokio::test]
async fn an_oversized_line_is_answered_and_the_connection_closed() {
    let (line, closed) = with_server(0, Limits::default(), |path| {
        let mut bytes = vec![b'x'; MAX_REQUEST_LINE + 100_000];
        bytes.push(b'\n');
        exchange(path, &bytes)
    })
    .await;
    assert!(line.contains("longer than"), "{line}");
    assert!(closed);
}

#[tokio::test]
async fn malformed_lines_are_answered_and_the_connection_closed() {
    for bytes in [
        &b"hello\n"[..],
        b"\xff\xfe\n",
        b"{\"version\":7,\"verb\":\"status\"}\n",
        b"{\"version\":1,\"verb\":\"dance\"}\n",
    ] {
        let (line, closed) =
            with_server(0, Limits::default(), move |path| exchange(path, bytes)).await;
        let reply = crate::control::protocol::decode_reply(&line).unwrap();
        let Reply::Error(failure) = reply else {
            panic!("{line}")
        };
        assert_eq!(failure.exit_code, EXIT_USAGE, "{line}");
        assert!(closed, "{line}");
    }
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let limits = Limits {
        idle: Duration::from_millis(50),
        ..Limits::default()
    };
    let read = with_server(0, limits, |path| {
        let mut stream = StdStream::connect(path).unwrap();
        stream.write_all(b"{\"version\":1,").unwrap();
        stream.read(&mut [0; 16]).unwrap()
    })
    .await;
    assert_eq!(read, 0);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let (error, after) = with_server(0, limits, |path| {
        let mut first = Client::connect(path).unwrap();
        first
            .ask::<ModeReport>(&Request::Mode { set: None })
            .unwrap();
        let error = Client::connect(path)
            .unwrap()
            .ask::<ModeReport>(&Request::Mode { set: None })
            .unwrap_err();
        drop(first);
        let after = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(20));
            Client::connect(path)
                .unwrap()
                .ask::<ModeReport>(&Request::Mode { set: None })
                .is_ok()
        });
        (error, after)
    })
    .await;
    assert!(
        error.to_string().contains("too many connections"),
        "{error}"
    );
    assert!(after, "the place is free again");
}

#[tokio::test]
async fn nobody_at_the_socket_is_told_apart_from_no_permission() {
    let folder = tempfile::tempdir().unwrap();
    let error = Client::connect(&folder.path().join("none.sock")).unwrap_err();
    assert!(matches!(error, ClientError::NoDaemon { .. }), "{error}");
    assert_eq!(error.exit_code(), 1);
}
