//! What the programs tell of control connections: each byte once, in order, and no password.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    config::{FLAG_TEXT, Mode, Role},
    session::Tls,
    text::{MOST_TEXT, TextHeader, TextKind},
};
use ftp_guard_tests::{
    conversation::{Conversation, DATA, SYN_ACK},
    policy::Policy,
    program::Guard,
    sys,
};

use crate::{cases, events::conversation, speed};

/// The programs with their ring buffer, and what passes through them.
pub(crate) struct Wire {
    pub(crate) guard: MutexGuard<'static, Guard>,
}

/// Loading takes longer than most of these tests.
static GUARD: LazyLock<Mutex<Guard>> = LazyLock::new(|| Mutex::new(Guard::load().unwrap()));

pub(crate) fn policy() -> Policy {
    cases::policy().with_flag(FLAG_TEXT)
}

/// The policies under which all is told in the same way.
pub(crate) fn policies() -> Vec<Policy> {
    let roles = [policy(), policy().on_a_router()].into_iter();
    let in_each_mode = |policy: Policy| {
        speed::modes().iter().map(move |mode| Policy {
            mode: *mode,
            ..policy.clone()
        })
    };
    roles.flat_map(in_each_mode).collect()
}

/// Those of a router.
pub(crate) fn router_policies() -> impl Iterator<Item = Policy> {
    let is_router = |policy: &Policy| policy.sessions.role == Role::Router;
    policies().into_iter().filter(is_router)
}

impl Wire {
    pub(crate) fn new(policy: &Policy) -> Self {
        // Records are made up in a CPU's room.
        sys::stay_on_this_cpu().unwrap();
        // A test that failed has left nothing that is not cleared here.
        let mut guard = GUARD.lock().unwrap_or_else(PoisonError::into_inner);
        guard.install(policy).unwrap();
        guard.state().clear(&[]).unwrap();
        guard.state().clear_texts().unwrap();
        Self { guard }
    }

    /// A segment of the client, to where it is read; whether it arrives.
    pub(crate) fn inbound(&self, frame: &[u8]) -> bool {
        self.guard.run(frame).unwrap() && self.guard.run_control(frame).unwrap()
    }

    pub(crate) fn outbound(&self, frame: &[u8]) -> bool {
        self.guard.run_egress(frame).unwrap()
    }

    /// The client says something that arrives.
    pub(crate) fn client(&self, control: &mut Conversation, bytes: &[u8]) {
        assert!(self.inbound(&control.client(DATA, bytes)));
    }

    /// The server says something that arrives.
    pub(crate) fn server(&self, control: &mut Conversation, bytes: &[u8]) {
        assert!(self.outbound(&control.server(DATA, bytes)));
    }

    pub(crate) fn handshake(&self, control: &mut Conversation) {
        assert!(self.inbound(&control.client(TcpFlags::SYN, b"")));
        assert!(self.outbound(&control.server(SYN_ACK, b"")));
        assert!(self.inbound(&control.client(TcpFlags::ACK, b"")));
    }

    /// A session of which nothing is left to be told.
    pub(crate) fn login(&mut self, client: &str) -> Conversation {
        let mut control = conversation(client, 21);
        self.guard.state().clear(&[]).unwrap();
        self.handshake(&mut control);
        self.server(&mut control, b"220 ready\r\n");
        self.texts();
        control
    }

    pub(crate) fn texts(&mut self) -> Vec<(TextHeader, Vec<u8>)> {
        self.guard.state().texts().unwrap()
    }

    /// What was told of one side, which must be without a gap and from `sequence` on.
    #[track_caller]
    pub(crate) fn said(&mut self, kind: TextKind, sequence: u32) -> Vec<u8> {
        let mut all = Vec::new();
        for (header, text) in self.texts() {
            assert_eq!(header.kind, kind as u8, "{header:?}");
            assert_eq!(header.length as usize, text.len());
            let next = sequence.wrapping_add(all.len() as u32);
            assert_eq!(header.sequence, next, "{header:?}");
            all.extend(text);
        }
        all
    }
}

const CLIENTS: [&str; 2] = ["198.51.100.7", "2001:db8:1::7"];
const CLIENT: &str = CLIENTS[0];

#[test]
fn what_both_sides_say_is_told_with_its_place() {
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        for client in CLIENTS {
            let mut control = conversation(client, 21);
            wire.handshake(&mut control);
            let (client_next, server_next) = (control.client_next, control.server_next);
            wire.server(&mut control, b"220 ready\r\n");
            wire.client(&mut control, b"USER anna\r\n");
            wire.server(&mut control, b"331 password\r\n");
            let key = control.key();
            let session = wire.guard.state().sessions().unwrap().get(key).unwrap();
            let header = TextHeader {
                session: session.unwrap().id,
                key,
                sequence: server_next,
                acknowledgement: client_next,
                detail: Tls::Clear as u8,
                ..TextHeader::default()
            };
            let of = |kind: TextKind, length: u32| TextHeader {
                kind: kind as u8,
                length,
                captured: length as u16,
                ..header
            };
            let wanted = [
                (of(TextKind::Began, 0), &b""[..]),
                (of(TextKind::Server, 11), b"220 ready\r\n"),
                (
                    TextHeader {
                        sequence: client_next,
                        acknowledgement: server_next.wrapping_add(11),
                        ..of(TextKind::Client, 11)
                    },
                    b"USER anna\r\n",
                ),
                (
                    TextHeader {
                        sequence: server_next.wrapping_add(11),
                        acknowledgement: client_next + 11,
                        ..of(TextKind::Server, 14)
                    },
                    b"331 password\r\n",
                ),
            ];
            let texts = wire.texts();
            assert_eq!(texts.len(), wanted.len(), "{texts:?}");
            for ((found, text), (wanted, bytes)) in texts.into_iter().zip(wanted) {
                assert!(monotonic_ns().abs_diff(found.time_ns) < 5_000_000_000);
                let found = TextHeader {
                    time_ns: 0,
                    ..found
                };
                assert_eq!((found, &text[..]), (wanted, bytes));
            }
        }
    }
}

#[test]
fn each_byte_is_told_once_whatever_the_splitting() {
    let text = b"USER anna\r\nCWD /a b\r\nPASV\r\nNOOP\r\n";
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        for size in (1..=text.len()).step_by(speed::stride()) {
            let mut control = wire.login(CLIENT);
            let (client_start, server_start) = (control.client_next, control.server_next);
            for piece in text.chunks(size) {
                let again = control.client_next;
                wire.client(&mut control, piece);
                // Sent again; and sent again with other bytes before new ones.
                assert!(wire.inbound(&control.client_at(again, DATA, piece)));
            }
            assert_eq!(wire.said(TextKind::Client, client_start), text, "{size}");
            for piece in text.chunks(size) {
                let again = control.server_next;
                wire.server(&mut control, piece);
                assert!(wire.outbound(&control.server_at(again, DATA, piece)));
            }
            assert_eq!(wire.said(TextKind::Server, server_start), text, "{size}");
        }
    }
}

#[test]
fn of_segments_that_overlap_only_what_is_new_is_told() {
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        let mut control = wire.login(CLIENT);
        let start = control.client_next;
        wire.client(&mut control, b"USER an");
        assert!(wire.inbound(&control.client_at(start + 5, DATA, b"XXna\r\n")));
        control.client_next = start + 11;
        assert!(wire.inbound(&control.client_at(start, DATA, b"PASS x\r\n")));
        assert_eq!(wire.said(TextKind::Client, start), b"USER anna\r\n");

        let start = control.server_next;
        wire.server(&mut control, b"331 na");
        assert!(wire.outbound(&control.server_at(start.wrapping_add(4), DATA, b"XXme\r\n")));
        assert_eq!(wire.said(TextKind::Server, start), b"331 name\r\n");
    }
}

#[test]
fn of_a_long_segment_the_beginning_is_told() {
    let mut wire = Wire::new(&policy());
    let mut control = wire.login(CLIENT);
    let line = vec![b'x'; 1400];
    for _ in 0..5 {
        wire.client(&mut control, &line);
    }
    let texts = wire.texts();
    assert!(texts.iter().all(|(_, text)| *text == line));
    // No test run takes a longer packet.
    const { assert!(1400 < MOST_TEXT) };
}

/// A password of letters that stand nowhere else.
const PASSWORD: &[u8] = b"Zq7!~Zq";

/// Lines with the password in them, and what is told of each.
fn secrets() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut lines = Vec::new();
    for (before, after) in [
        (&b"PASS "[..], &b"\r\n"[..]),
        (b"pass ", b"\r\n"),
        (b"pAsS ", b"\n"),
        (b"  PASS\t", b"\r\n"),
        (b"PASS\r", b"\r\n"),
        (b"ACCT ", b"\r\n"),
        (b"acct ", b"\r\n"),
        // Telnet sequences in the verb, behind it, before it.
        (b"P\xff\xf1ASS ", b"\r\n"),
        (b"PA\xff\xfb\x01S\xff\xfe\x1fS ", b"\r\n"),
        (b"\xff\xf4\xff\xf2PASS\xff\xf1 ", b"\r\n"),
        // What a server may take for rubbish before the verb.
        (b"\0PASS ", b"\r\n"),
        (b"xPASS ", b"\r\n"),
        (b"USER anna\r\nPASS ", b"\r\nNOOP\r\n"),
        (b"\r\n\r\nPASS ", b"\r\n"),
    ] {
        let told = [before, &[b'*'; 7], after].concat();
        lines.push(([before, PASSWORD, after].concat(), told));
    }
    // Blanks and telnet sequences in the password.
    let odd = [
        b"PASS  Zq ",
        PASSWORD,
        b"\xff\xf1",
        PASSWORD,
        b" \r\nNOOP\r\n",
    ]
    .concat();
    let hidden = odd.len() - b"PASS \r\nNOOP\r\n".len();
    let told = [&b"PASS "[..], &vec![b'*'; hidden], b"\r\nNOOP\r\n"].concat();
    lines.push((odd, told));
    lines
}

#[test]
fn a_password_is_never_told_whatever_the_splitting() {
    let mut wire = Wire::new(&policy());
    let mut told = 0;
    for (line, wanted) in secrets() {
        let shown = String::from_utf8_lossy(&line).into_owned();
        // In two pieces at each place, and in pieces of each size.
        let splits = (0..=line.len()).map(|at| vec![&line[..at], &line[at..]]);
        let sizes = (1..8).map(|size| line.chunks(size).collect());
        for pieces in splits.chain(sizes).step_by(speed::stride()) {
            let mut control = wire.login(CLIENT);
            let start = control.client_next;
            for piece in pieces {
                let again = control.client_next;
                wire.client(&mut control, piece);
                wire.inbound(&control.client_at(again, DATA, piece));
            }
            assert_eq!(wire.said(TextKind::Client, start), wanted, "{shown}");
            told += 1;
        }
    }
    ftp_guard_tests::report!("datapath: {told} ways to send a password");
}

#[test]
fn other_lines_are_told_as_they_are() {
    let mut wire = Wire::new(&policy());
    for line in [
        &b"PASSIVE x\r\n"[..],
        b"PAS S x\r\n",
        b"USER PASS x\r\n",
        b"SITE ACCT x\r\n",
        b"PASS\r\n",
        b"\xff\xf4\xff\xf2ABOR\r\n",
        b"\x80\x00\x01binary\r\n",
    ] {
        let mut control = wire.login(CLIENT);
        let start = control.client_next;
        wire.client(&mut control, line);
        assert_eq!(wire.said(TextKind::Client, start), line);
    }
}

/// The middle of a line must not be taken for the beginning of one: it may be the end of PASS.
#[test]
fn where_no_line_begins_nothing_is_told() {
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        let after = b"Zq7!~Zq\r\nNOOP\r\n";

        // What came before the greeting was not read.
        let mut control = conversation(CLIENT, 21);
        wire.handshake(&mut control);
        wire.client(&mut control, b"PASS ");
        assert!(wire.texts().is_empty());
        wire.server(&mut control, b"220 ready\r\n");
        wire.texts();
        let start = control.client_next + 9;
        wire.client(&mut control, after);
        assert_eq!(wire.said(TextKind::Client, start), b"NOOP\r\n");

        // A session whose beginning nobody saw.
        wire.guard.state().clear(&[]).unwrap();
        let mut control = conversation(CLIENT, 21);
        wire.server(&mut control, b"220 ready\r\n");
        wire.texts();
        let start = control.client_next + 9;
        wire.client(&mut control, after);
        assert_eq!(wire.said(TextKind::Client, start), b"NOOP\r\n");

        // The server acknowledges what did not pass here.
        let mut control = wire.login(CLIENT);
        control.client_next += 5;
        wire.server(&mut control, b"200 go on\r\n");
        wire.texts();
        let start = control.client_next + 9;
        for byte in after {
            wire.client(&mut control, &[*byte]);
        }
        assert_eq!(wire.said(TextKind::Client, start), b"NOOP\r\n");
    }
}

#[test]
fn what_is_dropped_is_not_told() {
    for mut policy in policies() {
        // One pinhole, then none for long.
        policy.sessions.pinhole_interval_ns = 3600 * 1_000_000_000;
        policy.sessions.pinhole_burst_ns = 0;
        let enforces = policy.mode == Mode::Enforce;
        let mut wire = Wire::new(&policy);
        let mut control = wire.login(CLIENT);

        // A PORT that cannot be read: monitor mode lets it pass.
        let start = control.client_next;
        let bad = control.client_at(start, DATA, b"PORT 1,2\r\n");
        assert_eq!(wire.inbound(&bad), !enforces);
        if enforces {
            assert!(wire.texts().is_empty());
        } else {
            assert_eq!(wire.said(TextKind::Client, start), b"PORT 1,2\r\n");
            control.client_next += 10;
        }

        // Behind a gap: the engine sees the gap, and the bytes when they come again.
        let start = control.client_next;
        let ahead = control.client_at(start + 6, DATA, b"TYPE I\r\n");
        assert_eq!(wire.inbound(&ahead), !enforces);
        assert!(wire.texts().is_empty());
        wire.client(&mut control, b"NOOP\r\n");
        wire.client(&mut control, b"TYPE I\r\n");
        assert_eq!(wire.said(TextKind::Client, start), b"NOOP\r\nTYPE I\r\n");

        for allowed in [true, false] {
            wire.client(&mut control, b"EPSV\r\n");
            wire.texts();
            let start = control.server_next;
            let port = 50_001 + u16::from(allowed);
            let reply = format!("229 go (|||{port}|)\r\n");
            let passes = wire.outbound(&control.server_at(start, DATA, reply.as_bytes()));
            assert_eq!(passes, allowed || !enforces);
            if passes {
                control.server_next = start.wrapping_add(reply.len() as u32);
                assert_eq!(wire.said(TextKind::Server, start), reply.as_bytes());
            } else {
                assert!(wire.texts().is_empty());
            }
        }
    }
}

#[test]
fn behind_a_gap_of_the_server_a_host_reads_on() {
    let mut wire = Wire::new(&policy());
    let control = wire.login(CLIENT);
    let start = control.server_next.wrapping_add(7);
    assert!(wire.outbound(&control.server_at(start, DATA, b"200 ok\r\n")));
    assert_eq!(wire.said(TextKind::Server, start), b"200 ok\r\n");
    drop(wire);
    let mut wire = Wire::new(&policy().on_a_router());
    let control = wire.login(CLIENT);
    assert!(!wire.outbound(&control.server_at(start, DATA, b"200 ok\r\n")));
    assert!(wire.texts().is_empty());
}

#[test]
fn without_the_flag_nothing_is_told() {
    for role in [Role::Host, Role::Router] {
        let mut policy = cases::policy();
        policy.sessions.role = role;
        let mut wire = Wire::new(&policy);
        let mut control = conversation(CLIENT, 21);
        wire.handshake(&mut control);
        wire.server(&mut control, b"220 ready\r\n");
        wire.client(&mut control, b"USER anna\r\n");
        wire.client(&mut control, b"AUTH TLS\r\n");
        wire.server(&mut control, b"234 go on\r\n");
        wire.client(&mut control, b"\x16\x03\x01\x00\x05hello");
        wire.server(&mut control, b"\x16\x03\x01\x00\x05hello");
        let mut early = conversation("198.51.100.8", 990);
        wire.handshake(&mut early);
        wire.client(&mut early, b"\x16\x03\x01\x00\x05hello");
        let mut odd = conversation(CLIENT, 2121);
        wire.server(&mut odd, b"220 ready for whatever\r\n");
        assert!(wire.texts().is_empty());
    }
}

#[test]
fn a_full_ring_buffer_costs_text_and_nothing_else() {
    let mut wire = Wire::new(&policy());
    let mut control = wire.login(CLIENT);
    let line = vec![b'x'; 1400];
    let mut sent = 0;
    while wire.guard.state().text_losses(TextKind::Server).unwrap() == 0 {
        wire.server(&mut control, &line);
        sent += 1;
        assert!(sent < 4000);
    }
    // The programs go on to read.
    wire.client(&mut control, b"EPSV\r\n");
    assert_eq!(wire.guard.state().text_losses(TextKind::Client).unwrap(), 0);
    wire.client(&mut control, &line);
    assert_eq!(wire.guard.state().text_losses(TextKind::Client).unwrap(), 1);
    wire.server(&mut control, b"\r\n229 go (|||50007|)\r\n");
    let pinholes = wire.guard.state().pinholes().unwrap().entries().unwrap();
    assert_eq!(pinholes.len(), 1);
    assert_eq!(wire.guard.state().text_losses(TextKind::Server).unwrap(), 1);
    let texts = wire.texts();
    // The last one was lost; what is short has found room.
    assert_eq!(texts.len(), sent - 1 + 2);
    // Once it has been read, there is room again.
    let start = control.server_next;
    wire.server(&mut control, b"200 ok\r\n");
    assert_eq!(wire.said(TextKind::Server, start), b"200 ok\r\n");
}
