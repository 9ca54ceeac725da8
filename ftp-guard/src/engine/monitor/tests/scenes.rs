//! Sessions as they happen.

use super::{
    super::{
        observation::Seen,
        record::{Direction, LoginState, TlsMode},
        told::{Segment, Side, Told, Totals, What},
        *,
    },
    stage::{SESSION, Stage, client, data, server},
};

/// A ClientHello for `ftp.example` that offers TLS 1.3, and a ServerHello that chooses it.
pub(super) fn hellos() -> (Vec<u8>, Vec<u8>) {
    let record = |kind: u8, body: &[u8]| {
        let length = (body.len() as u16).to_be_bytes();
        let long = ((body.len() + 4) as u16).to_be_bytes();
        [&[22, 3, 1][..], &long, &[kind, 0], &length, body].concat()
    };
    let name = b"\0\0\0\x10\0\x0e\0\0\x0bftp.example\0\x2b\0\x03\x02\x03\x04";
    let client = [
        &[3, 3][..],
        &[9; 32],
        &[0, 0, 2, 0x13, 1, 1, 0],
        &[0, name.len() as u8],
        name,
    ]
    .concat();
    let server = [
        &[3, 3][..],
        &[8; 32],
        &[0, 0x13, 1, 0, 0, 6],
        b"\0\x2b\0\x02\x03\x04",
    ]
    .concat();
    (record(1, &client), record(2, &server))
}

#[test]
fn a_session_from_its_beginning_to_its_end() {
    let mut stage = Stage::begun();
    stage.play("> 220 (vsFTPd 3.0.3)\n< USER bob\n> 331 Please\n< PASS hidden\n> 230 ok\n< CLNT nc 1\n> 500 x");
    assert_eq!(
        stage.short(),
        "began, is vsftpd, 220 to -, USER bob, 331 to USER, PASS, 230 to PASS, login bob true 230, CLNT nc 1, \
         client nc 1, 500 to CLNT"
    );
    stage.play("< PASV\n> 227 x (1,2,3,4,5,6)\n+4001\n< RETR d/a.txt\n> 150 x");
    let under_way = stage.record().transferring.clone().unwrap();
    assert_eq!(under_way.path.as_deref(), Some("d/a.txt"));
    assert_eq!(under_way.data_client, Some(data(4001).0));
    stage.play("-4001 77\n> 226 x\n< FOO secret\n> 500 x\n< QUIT\n> 221 x");
    assert!(
        stage
            .short()
            .contains("download d/a.txt Some(226) Some(77), unknown, 500 to unknown")
    );
    let record = stage.end();
    assert_eq!(
        (record.commands, record.unknown_commands, record.replies),
        (7, 1, 8)
    );
    assert_eq!(
        (record.user.as_deref(), record.login),
        (Some("bob"), LoginState::Accepted)
    );
    assert_eq!(
        (record.bytes_up, record.bytes_down, record.data_connections),
        (0, 77, 1)
    );
    assert_eq!((record.transfer_count, record.transfers.len()), (1, 1));
    assert_eq!(record.transfers[0].file_type.as_deref(), Some("txt"));
    assert_eq!(record.transfers[0].encrypted, Some(false));
    assert_eq!(
        record.server_software.unwrap().version.as_deref(),
        Some("3.0.3")
    );
    assert!(!record.partial && !record.anonymous && record.logged_in.is_some());
    assert_eq!(stage.monitor.live().count(), 0);
}

#[test]
fn refused_logins_are_counted() {
    let mut stage = Stage::begun();
    stage.play(
        "> 220 x\n< USER a\n> 331 x\n< PASS b\n> 530 x\n< USER ftp\n> 331 x\n< PASS b\n> 530 x",
    );
    let short = stage.short();
    assert!(
        short.contains("login a false 530") && short.contains("login ftp false 530"),
        "{short}"
    );
    let record = stage.end();
    assert_eq!(
        (record.failed_logins, record.login, record.anonymous),
        (2, LoginState::Failed, true)
    );
}

#[test]
fn explicit_tls_hides_what_follows() {
    let (client, server) = hellos();
    let mut stage = Stage::begun();
    stage.play("> 220 x\n< AUTH TLS\n> 234 go");
    stage.short();
    stage.tls = Tls::Encrypted;
    for byte in client {
        stage.say(Side::Client, &[byte]);
    }
    stage.say(Side::Server, &server);
    assert_eq!(
        stage.short(),
        "tls explicit ftp.example 1.3, tls explicit ftp.example 1.3"
    );
    stage.say(Side::Client, b"\x17\x03\x03\0\x05USER ");
    stage.play("+4001");
    assert_eq!(
        stage
            .record()
            .transferring
            .as_ref()
            .map(|one| one.direction),
        Some(Direction::Hidden)
    );
    stage.play("-4001 5");
    assert_eq!(stage.short(), "hidden - None Some(5)");
    let record = stage.end();
    assert_eq!((record.login, record.commands), (LoginState::Hidden, 1));
    assert_eq!(record.tls.server_name.as_deref(), Some("ftp.example"));
    assert_eq!(
        (record.lost_bytes, record.transfers[0].encrypted),
        (0, None)
    );
}

#[test]
fn auth_that_is_refused_changes_nothing() {
    let mut stage = Stage::begun();
    stage.play("> 220 x\n< AUTH SSL\n> 504 x\n< AUTH TLS\n> 534 x\n< USER a\n> 331 x");
    assert!(stage.short().ends_with("USER a, 331 to USER"));
    assert_eq!(stage.record().tls.mode, TlsMode::Clear);
    // Whoever does not wait for the answer is read again from the next line on.
    stage.play("< AUTH TLS");
    stage.say(Side::Client, &hellos().0);
    stage.play("> 502 x\n< rest of the hello\n< PWD\n> 257 x");
    assert!(stage.short().ends_with("PWD, 257 to PWD"));
}

#[test]
fn commands_behind_auth_in_clear_text_are_read_until_the_server_agrees() {
    let mut stage = Stage::begun();
    stage.play("> 220 x\n< AUTH TLS\n< USER injected\n> 234 x");
    assert!(stage.short().contains("USER injected"));
    stage.say(Side::Client, b"NOOP\r\n");
    assert_eq!(stage.short(), "");
    assert_eq!(stage.record().tls.mode, TlsMode::Explicit);
}

#[test]
fn the_programs_may_know_of_tls_before_the_monitor() {
    let (client, _) = hellos();
    let mut stage = Stage::begun();
    stage.play("> 220 x\n< AUTH TLS");
    stage.lose(Side::Server, 20);
    stage.short();
    stage.tls = Tls::Encrypted;
    stage.say(Side::Client, &client);
    assert!(stage.short().ends_with("tls explicit ftp.example 1.3"));
}

#[test]
fn back_to_clear_text() {
    let mut stage = Stage::begun();
    stage.play("> 220 x\n< AUTH TLS\n> 234 go");
    stage.tls = Tls::Encrypted;
    stage.say(Side::Client, &hellos().0);
    stage.say(Side::Server, &hellos().1);
    stage.short();
    stage.lose(Side::Client, 9000);
    stage.lose(Side::Server, 9000);
    stage.tls = Tls::Clear;
    stage.play("> 227 x (1,2,3,4,5,6)\n< RETR a\n> 150 x\n+4001\n-4001 9\n> 226 x");
    assert_eq!(
        stage.short(),
        "tls explicit ftp.example 1.3 cleared, 227 to -, RETR a, 150 to RETR, 226 to RETR, download a Some(226) Some(9)"
    );
    let record = stage.end();
    assert_eq!((record.tls.cleared, record.lost_bytes), (true, 0));
}

#[test]
fn implicit_tls_begins_before_the_session_has_a_number() {
    let (client, server) = hellos();
    let mut stage = Stage::new();
    stage.session = 0;
    let (first, second) = client.split_at(50);
    stage.say(Side::Client, first);
    stage.say(Side::Client, second);
    stage.session = SESSION;
    stage.tell(What::Began(Tls::Encrypted, None));
    stage.tls = Tls::Encrypted;
    stage.say(Side::Server, &server);
    assert_eq!(
        stage.short(),
        "began, tls implicit - -, tls implicit ftp.example 1.3, tls implicit ftp.example 1.3"
    );
}

#[test]
fn implicit_tls_that_the_programs_have_not_noticed() {
    let (client, server) = hellos();
    let mut stage = Stage::begun();
    stage.say(Side::Client, &client);
    stage.say(Side::Server, &server);
    assert!(stage.short().ends_with("tls implicit ftp.example 1.3"));
}

#[test]
fn what_is_not_greeted_is_forgotten() {
    let mut stage = Stage::new();
    stage.session = 0;
    stage.say(Side::Client, &hellos().0);
    stage.second += 100;
    let now = stage.now();
    stage.monitor.sweep(now, &|_| true, &mut stage.seen);
    stage.session = SESSION;
    stage.tell(What::Began(Tls::Encrypted, None));
    assert_eq!(stage.short(), "began, tls implicit - -");
}

#[test]
fn tls_where_clear_text_belongs() {
    let mut stage = Stage::begun();
    stage.say(Side::Client, &hellos().0);
    assert_eq!(stage.short(), "began");
    stage.play("> 220 x");
    assert_eq!(stage.short(), "Client speaks tls, 220 to -");
}

#[test]
fn other_protocols_are_named_once() {
    let mut stage = Stage::begun();
    stage.say(Side::Client, b"SS");
    stage.say(Side::Client, b"H-2.0-x\r\nmore\r\n");
    stage.say(Side::Server, b"SSH-2.0-y\r\n");
    assert_eq!(stage.short(), "began, Client speaks ssh, Server speaks ssh");
    let mut stage = Stage::new();
    stage.session = 0;
    stage.say(Side::Client, b"GET / HTTP/1.1\r\nAuthorization: x\r\n");
    stage.session = SESSION;
    stage.tell(What::Began(Tls::Clear, None));
    stage.play("> 220 x\n> 500 x");
    assert_eq!(
        stage.short(),
        "Client speaks http, began, 220 to -, 500 to -"
    );
}

#[test]
fn junk_is_told_and_reading_goes_on() {
    let mut stage = Stage::begun();
    stage.play("> 220 x");
    stage.say(Side::Client, b"\0\x01\x02\x03\x04\x05\x06\x07\r\nNOOP\r\n");
    stage.say(Side::Server, b"\x01\x02\r\n500 x\r\n200 x\r\n");
    assert_eq!(
        stage.short(),
        "began, 220 to -, Client speaks binary, Client binary, unknown, NOOP, Server binary, 500 to unknown, 200 to NOOP"
    );
}

#[test]
fn lines_that_are_too_long_are_told_and_answered_in_order() {
    let mut stage = Stage::logged_in();
    stage.say(
        Side::Client,
        &[b"RETR ".as_slice(), &[b'a'; 5000], b"\r\nNOOP\r\n"].concat(),
    );
    stage.play("> 550 x");
    stage.say(
        Side::Server,
        &[b"200 ".as_slice(), &[b'a'; 9000], b"\r\n"].concat(),
    );
    assert_eq!(
        stage.short(),
        "Client overlong, NOOP, 550 to RETR, Server overlong, 200 to NOOP"
    );
}

#[test]
fn what_is_lost_is_told_and_reading_goes_on_with_the_next_line() {
    let mut stage = Stage::logged_in();
    stage.play("< PWD");
    stage.lose(Side::Server, 30);
    stage.play("< NOOP\n> 257 tail\n> 200 x\n< TYPE I\n> 200 x");
    assert_eq!(
        stage.short(),
        "PWD, Server lost 30, NOOP, 200 to NOOP, TYPE I, 200 to TYPE"
    );
    assert_eq!(
        (
            stage.record().lost_bytes,
            stage.monitor.losses().server_bytes
        ),
        (30, 30)
    );
    stage.say(Side::Client, b"RETR a");
    stage.lose(Side::Client, 10);
    stage.play("> 200 x\n< USER no\n< NOOP\n> 200 x");
    assert_eq!(stage.short(), "Client lost 10, 200 to -, NOOP, 200 to NOOP");
}

#[test]
fn a_transfer_whose_reply_is_lost_ends_with_its_data() {
    let mut stage = Stage::logged_in();
    stage.play("< RETR a\n> 150 x\n+4001");
    stage.lose(Side::Server, 10);
    stage.play("< NOOP\n-4001 8");
    assert_eq!(
        stage.short(),
        "RETR a, 150 to RETR, Server lost 10, NOOP, download a None Some(8)"
    );
}

#[test]
fn the_parts_of_a_listing_a_store_and_an_abort() {
    let mut stage = Stage::logged_in();
    stage.play("< MLSD\n+4001\n> 150 x\n-4001 10\n> 226 x\n< STOU\n+4002\n> 150 FILE: new.bin\n-4002 3\n> 226 x");
    stage.play("< RETR big\n> 150 x\n+4003\n< ABOR\n-4003 999\n> 426 x\n> 226 x");
    let found: Vec<_> = stage
        .transfers()
        .iter()
        .map(|one| {
            (
                one.direction,
                one.path.clone(),
                one.file_type.clone(),
                one.code,
                one.complete,
            )
        })
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        found,
        [
            (Direction::Listing, None, None, Some(226), true),
            (
                Direction::Upload,
                text("new.bin"),
                text("bin"),
                Some(226),
                true
            ),
            (Direction::Download, text("big"), None, Some(426), false),
        ]
    );
}

#[test]
fn the_protection_of_data_is_that_of_the_last_prot() {
    let mut stage = Stage::logged_in();
    stage.play("< PROT P\n> 200 x\n< RETR a\n> 550 x\n< PROT C\n> 200 x\n< RETR a\n> 550 x\n< PROT P\n> 536 x\n< RETR a\n> 550 x");
    let found: Vec<_> = stage.transfers().iter().map(|one| one.encrypted).collect();
    assert_eq!(found, [Some(true), Some(false), Some(false)]);
}

#[test]
fn a_session_waits_for_the_end_of_its_data_but_not_for_ever() {
    let mut stage = Stage::logged_in();
    stage.play("< RETR a\n+4001\n> 150 x\n> 226 x");
    stage.short();
    stage.tell(What::Ended(Totals {
        killed: true,
        ..Totals::default()
    }));
    assert_eq!(
        (stage.short().as_str(), stage.monitor.live().count()),
        ("", 0)
    );
    stage.play("-4001 8");
    assert_eq!(stage.short(), "download a Some(226) Some(8), ended");
    let mut stage = Stage::logged_in();
    stage.play("< RETR a\n+4001\n> 150 x\n> 226 x");
    let record = stage.end();
    assert_eq!(
        (record.transfers[0].code, record.transfers[0].bytes),
        (Some(226), None)
    );
    assert_eq!(record.ended, Timestamp::from_second(1_000_000).ok());
}

#[test]
fn sessions_that_were_taken_over_are_partial() {
    let mut stage = Stage::new();
    stage.tell(What::Began(Tls::Unknown, None));
    assert_eq!(stage.record().login, LoginState::Hidden);
    stage.tls = Tls::Unknown;
    stage.play("> 226 x");
    stage.tls = Tls::Clear;
    stage.play("< USER a\n> 331 x");
    assert_eq!(
        stage.short(),
        "began, tls unknown - -, tls clear - -, 226 to -, USER a, 331 to USER"
    );
    assert!(stage.end().partial);
    let mut stage = Stage::new();
    stage.play("< RETR a\n> 150 x");
    assert_eq!(stage.short(), "began, RETR a, 150 to RETR");
    assert!(stage.end().partial);
    stage.seen.clear();
    stage.play("< RETR a");
    assert_eq!(stage.short(), "", "it has ended");
}

#[test]
fn what_ended_unseen_is_swept() {
    let mut stage = Stage::begun();
    stage.second += 5;
    let now = stage.now();
    stage.monitor.sweep(now, &|_| false, &mut stage.seen);
    assert_eq!(stage.short(), "began", "it is young");
    stage.second += 10;
    let now = stage.now();
    stage.monitor.note_end(SESSION, "require_tls");
    stage.monitor.sweep(now, &|_| false, &mut stage.seen);
    let Some(Seen::Ended(record)) = stage.seen.last().map(|observation| &observation.seen) else {
        panic!("{:?}", stage.seen);
    };
    assert_eq!(record.end_reason.as_deref(), Some("require_tls"));
}

#[test]
fn ftp_on_another_port() {
    let mut stage = Stage::new();
    stage.session = 0;
    stage.tell(What::OddPort(b"220 ProFTPD 1.3.5 Server\x1b[2J\r\n"));
    stage.tell(What::OddPort(b"220 mx ESMTP\r\n"));
    stage.tell(What::OddPort(b"220 welcome\r\n"));
    stage.tell(What::OddPort(b"331 Password\r\n"));
    assert_eq!(
        stage.short(),
        "odd: 220 ProFTPD 1.3.5 Server[2J, is proftpd, odd: 331 Password"
    );
}

#[test]
fn names_in_a_status_are_no_software() {
    let mut stage = Stage::logged_in();
    stage.play("< STAT /pub\n> 211-x\n> -rw-r--r-- 1 0 0 1 Jan 1 vsftpd 3.0.3\n> 211 x");
    assert_eq!(stage.short(), "STAT /pub, 211 to STAT");
    stage.play("< STAT\n> 211-x\n>      vsFTPd 3.0.3 - secure\n> 211 x");
    assert_eq!(stage.short(), "STAT, is vsftpd, 211 to STAT");
}

#[test]
fn sessions_are_bounded() {
    let mut monitor = Monitor::default();
    let mut seen = Vec::new();
    let told = |session: u64, what| Told {
        time: Timestamp::UNIX_EPOCH,
        session,
        client: client(),
        server: server(),
        what,
    };
    let most = Monitor::MOST_SESSIONS as u64;
    for number in 1..=most + 2 {
        monitor.take(&told(number, What::Began(Tls::Clear, None)), &mut seen);
        seen.clear();
    }
    assert_eq!(monitor.live().count(), Monitor::MOST_SESSIONS);
    assert_eq!(monitor.losses().sessions, 2);
    let text = Segment {
        side: Side::Client,
        tls: Tls::Clear,
        sequence: 1,
        acknowledgement: 1,
        length: 6,
        bytes: b"NOOP\r\n",
    };
    monitor.take(&told(most + 2, What::Said(text)), &mut seen);
    assert!(seen.is_empty());
    monitor.take(&told(1, What::Ended(Totals::default())), &mut seen);
    monitor.take(&told(most + 3, What::Began(Tls::Clear, None)), &mut seen);
    assert!(monitor.record(most + 3).is_some());
}

#[test]
fn records_of_many_transfers_keep_the_last() {
    let mut stage = Stage::logged_in();
    for number in 0..300 {
        stage.play(&format!("< RETR {number}\n> 550 x"));
    }
    let record = stage.end();
    assert_eq!((record.transfer_count, record.transfers.len()), (300, 256));
    assert_eq!(record.transfers[255].path.as_deref(), Some("299"));
}
