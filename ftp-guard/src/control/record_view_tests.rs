//! What the monitor knows, beside what the kernel has.

use super::*;

fn flow(port: u16, age_seconds: f64, established: bool) -> DataView {
    DataView {
        client: "192.0.2.7:41000".parse().unwrap(),
        server: format!("198.51.100.1:{port}").parse().unwrap(),
        kind: "passive".to_owned(),
        established,
        age_seconds,
        idle_seconds: 0.0,
        bytes_in: 100,
        bytes_out: u64::from(port),
    }
}

fn session(id: u64) -> SessionView {
    SessionView {
        id,
        client: "192.0.2.7:40000".parse().unwrap(),
        server: "198.51.100.1:21".parse().unwrap(),
        tls: "clear".to_owned(),
        age_seconds: 9.0,
        idle_seconds: 0.0,
        adopted: false,
        killed: false,
        bytes_in: 1,
        bytes_out: 2,
        profile: "default".to_owned(),
        login: "yes".to_owned(),
        data: vec![
            flow(50_001, 8.0, true),
            flow(50_002, 2.0, true),
            flow(50_003, 0.01, false),
        ],
        pinholes: Vec::new(),
        would_drop: None,
        record: None,
    }
}

fn record(id: u64) -> SessionRecord {
    let mut record = SessionRecord::new(
        id,
        "192.0.2.7:40000".parse().unwrap(),
        "198.51.100.1:21".parse().unwrap(),
        "2026-11-22T12:00:00Z".parse().unwrap(),
    );
    record.user = Some("anna".to_owned());
    record.transferring = Some(TransferRecord {
        began: record.began,
        direction: Direction::Upload,
        command: Some("STOR".to_owned()),
        path: Some("/in/a.csv".to_owned()),
        file_type: Some("csv".to_owned()),
        bytes: None,
        seconds: 0.0,
        code: None,
        mode: None,
        data_client: None,
        data_server: None,
        encrypted: Some(false),
        complete: false,
    });
    record
}

#[test]
fn records_find_their_sessions() {
    let mut sessions = [session(3), session(7), session(9)];
    join(&mut sessions, &record(7));
    join(&mut sessions, &record(8));
    let mut other = record(9);
    other.client = "192.0.2.8:40000".parse().unwrap();
    join(&mut sessions, &other);
    let found: Vec<bool> = sessions
        .iter()
        .map(|session| session.record.is_some())
        .collect();
    assert_eq!(found, [false, true, false], "and no number alone is enough");
    let record = sessions[1].record.as_ref().unwrap();
    assert_eq!(record.user.as_deref(), Some("anna"));
}

#[test]
fn a_transfer_has_the_bytes_of_its_data_connection() {
    let transfer = |record: &SessionRecord| {
        RecordView::of(record, &session(7).data)
            .transferring
            .unwrap()
    };
    // Not told which: the last one that is established.
    let guessed = transfer(&record(7));
    assert_eq!(guessed.bytes, Some(50_102));
    assert_eq!(guessed.bytes_per_second, Some(25_051.0));
    assert_eq!(guessed.mode.as_deref(), Some("passive"));

    let mut known = record(7);
    let own = known.transferring.as_mut().unwrap();
    own.data_client = Some("192.0.2.7:41000".parse().unwrap());
    own.data_server = Some("198.51.100.1:50001".parse().unwrap());
    assert_eq!(transfer(&known).bytes, Some(50_101));

    // Its data connection has ended: what the monitor has counted, and no speed.
    let own = known.transferring.as_mut().unwrap();
    own.data_server = Some("198.51.100.1:50099".parse().unwrap());
    own.bytes = Some(5);
    let ended = transfer(&known);
    assert_eq!((ended.bytes, ended.bytes_per_second), (Some(5), None));

    // None yet.
    let waiting = RecordView::of(&record(7), &[]).transferring.unwrap();
    assert_eq!((waiting.bytes, waiting.bytes_per_second), (None, None));
    // No rate of the first moment.
    let mut first = flow(50_001, 0.01, true);
    first.bytes_out = 1 << 30;
    let begun = RecordView::of(&record(7), &[first]).transferring.unwrap();
    assert_eq!(begun.bytes_per_second, None);
}

#[test]
fn a_session_of_an_older_daemon_has_no_record() {
    let mut value = serde_json::to_value(session(7)).unwrap();
    value.as_object_mut().unwrap().remove("record");
    let read: SessionView = serde_json::from_value(value).unwrap();
    assert_eq!(read, session(7));
}
