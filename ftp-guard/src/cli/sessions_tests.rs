//! Sessions as lines.

use super::*;
use crate::engine::monitor::record::{SessionRecord, TransferRecord};

fn data() -> DataView {
    DataView {
        client: "192.0.2.7:40001".parse().unwrap(),
        server: "198.51.100.1:50003".parse().unwrap(),
        kind: "passive".to_owned(),
        established: true,
        age_seconds: 2.0,
        idle_seconds: 0.0,
        bytes_in: 10,
        bytes_out: 3 << 20,
    }
}

fn session() -> SessionView {
    SessionView {
        id: 17,
        client: "192.0.2.7:40000".parse().unwrap(),
        server: "198.51.100.1:21".parse().unwrap(),
        tls: "clear".to_owned(),
        age_seconds: 3_700.0,
        idle_seconds: 0.25,
        adopted: false,
        killed: false,
        bytes_in: 90,
        bytes_out: 0,
        profile: "partners".to_owned(),
        login: "yes".to_owned(),
        data: vec![data()],
        pinholes: Vec::new(),
        would_drop: None,
        record: None,
    }
}

fn record() -> RecordView {
    let mut record = SessionRecord::new(
        17,
        "192.0.2.7:40000".parse().unwrap(),
        "198.51.100.1:21".parse().unwrap(),
        "2026-11-22T08:00:00Z".parse().unwrap(),
    );
    record.user = Some("anna\u{1b}[2J with a long name".to_owned());
    record.login = LoginState::Accepted;
    record.tls.mode = TlsMode::Explicit;
    record.tls.version = Some("1.3".to_owned());
    record.tls.server_name = Some("ftp.example.net".to_owned());
    record.client_software = Some("FileZilla".to_owned());
    record.commands = 12;
    record.failed_logins = 1;
    record.transferring = Some(TransferRecord {
        began: record.began,
        direction: Direction::Download,
        command: Some("RETR".to_owned()),
        path: Some("/pub/\u{202e}gpj.exe\n".to_owned()),
        file_type: None,
        bytes: None,
        seconds: 0.0,
        code: None,
        mode: None,
        data_client: None,
        data_server: None,
        encrypted: Some(false),
        complete: false,
    });
    RecordView::of(&record, &[data()])
}

#[test]
fn a_session_is_a_line() {
    let listing = Listing {
        sessions: vec![session()],
        other_data: vec![data()],
    };
    assert_eq!(
        listing.text(false),
        "\
ID  CLIENT           USER         TLS    AGE    IDLE  IN     OUT
17  192.0.2.7:40000  (logged in)  clear  1h01m  0s    100 B  3.00 MiB
data connection of no live session: passive, 198.51.100.1:50003 with 192.0.2.7:40001, 10 B in, 3.00 MiB out
"
    );
    assert_eq!(Listing::default().text(false), "");
}

#[test]
fn what_the_monitor_knows_stands_beside_it() {
    let listing = Listing {
        sessions: vec![SessionView {
            record: Some(Box::new(record())),
            ..session()
        }],
        other_data: Vec::new(),
    };
    assert_eq!(
        listing.text(false),
        "\
ID  CLIENT           USER               TLS      AGE    IDLE  IN     OUT
17  192.0.2.7:40000  anna\\u{1b}[2J wi…  tls 1.3  1h01m  0s    100 B  3.00 MiB
    download /pub/\\u{202e}gpj.exe\\n: 3.00 MiB, 1.50 MiB/s
"
    );
    let wide = listing.text(true);
    assert!(wide.contains("198.51.100.1:21"), "{wide}");
    assert!(wide.contains("ftp.example.net"), "{wide}");
    assert!(wide.contains("FileZilla > -"), "{wide}");
    assert!(!wide.contains('\u{1b}'), "{wide}");
}

#[test]
fn who_would_be_dropped_is_marked() {
    let listing = Listing {
        sessions: vec![SessionView {
            would_drop: Some("not_listed".to_owned()),
            ..session()
        }],
        other_data: Vec::new(),
    };
    for wide in [false, true] {
        let text = listing.text(wide);
        assert_eq!(text.lines().last(), Some("    would drop: not_listed"));
    }
}

#[test]
fn a_user_is_shown_with_what_became_of_the_login() {
    let with = |user: Option<&str>, login| {
        let record = RecordView {
            user: user.map(str::to_owned),
            login,
            ..record()
        };
        who(&SessionView {
            record: Some(Box::new(record)),
            login: "unknown".to_owned(),
            ..session()
        })
    };
    assert_eq!(with(Some("anna"), LoginState::Accepted), "anna");
    assert_eq!(with(Some("anna"), LoginState::Failed), "(refused) anna");
    assert_eq!(with(Some("anna"), LoginState::Asked), "(asked) anna");
    assert_eq!(with(None, LoginState::Hidden), "(hidden)");
    assert_eq!(with(None, LoginState::None), "-");
}

#[test]
fn the_table_fits_into_100_columns() {
    let mut long = SessionView {
        id: 9_000_000 << 16,
        client: "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535"
            .parse()
            .unwrap(),
        bytes_in: u64::MAX,
        bytes_out: u64::MAX,
        idle_seconds: 1e5,
        age_seconds: 1e7,
        record: Some(Box::new(record())),
        ..session()
    };
    let widest = |session: &SessionView| {
        let listing = Listing {
            sessions: vec![session.clone()],
            other_data: Vec::new(),
        };
        let text = listing.text(false);
        text.lines().map(columns).max().unwrap_or(0)
    };
    long.client = "203.0.113.254:65535".parse().unwrap();
    assert!(widest(&long) <= 100, "{}", widest(&long));
}

#[test]
fn members_are_told_apart() {
    let mut listing = Listing::default();
    for member in [
        SessionMember::Session(session()),
        SessionMember::Data(data()),
    ] {
        let text = serde_json::to_string(&member).unwrap();
        listing.add(serde_json::from_str(&text).unwrap());
    }
    assert_eq!(listing.sessions, [session()]);
    assert_eq!(listing.other_data, [data()]);
}
