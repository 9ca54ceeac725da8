//! What the programs tell beside clear text: how TLS begins, what comes before the greeting, when sessions and
//! data connections begin and end, and servers on other ports.

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{
    config::{FLAG_ODD_PORTS, FLAG_TEXT},
    session::{FlowKind, Tls, Traffic},
    text::{HELLO_BYTES, MOST_EARLY, MOST_ODD, TextHeader, TextKind},
};
use ftp_guard_tests::conversation::{Conversation, DATA, FIN_ACK, SYN_ACK};

use crate::{
    events::conversation,
    speed,
    text::{Wire, policies, policy, router_policies},
};

const CLIENT: &str = "198.51.100.7";

/// A record of a handshake with this many bytes.
fn hello(len: u16) -> Vec<u8> {
    let [high, low] = len.to_be_bytes();
    let mut record = vec![22, 3, 1, high, low];
    record.extend((0..len).map(|at| at as u8));
    record
}

const APPLICATION: &[u8] = b"\x17\x03\x03\x00\x04data";

/// What was told of one side, with the state and number of the session that all of it must have.
#[track_caller]
fn told(wire: &mut Wire, kind: TextKind, tls: Tls, session: u64) -> Vec<u8> {
    let mut all = Vec::new();
    for (header, text) in wire.texts() {
        if header.kind == kind as u8 {
            assert_eq!((header.detail, header.session), (tls as u8, session));
            all.extend(text);
        }
    }
    all
}

fn session(wire: &mut Wire, control: &Conversation) -> u64 {
    let mut state = wire.guard.state();
    let session = state.sessions().unwrap().get(control.key()).unwrap();
    session.unwrap().id
}

fn secure(wire: &mut Wire) -> Conversation {
    let mut control = wire.login(CLIENT);
    wire.client(&mut control, b"AUTH TLS\r\n");
    wire.server(&mut control, b"234 go on\r\n");
    let texts = wire.texts();
    assert!(
        texts
            .iter()
            .all(|(header, _)| header.detail == Tls::Clear as u8)
    );
    assert_eq!(texts.len(), 2);
    control
}

#[test]
fn of_tls_its_handshake_is_told() {
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        for size in [100, 1400, 4, 1].into_iter().step_by(speed::stride()) {
            let mut control = secure(&mut wire);
            let id = session(&mut wire, &control);
            let tls = Tls::Encrypted;
            let client = [hello(500), hello(30), APPLICATION.to_vec(), hello(9)].concat();
            for piece in client.chunks(size) {
                wire.client(&mut control, piece);
            }
            let found = told(&mut wire, TextKind::Client, tls, id);
            assert_eq!(found, [hello(500), hello(30)].concat(), "{size}");
            let server = [hello(700), APPLICATION.to_vec()].concat();
            for piece in server.chunks(size) {
                wire.server(&mut control, piece);
            }
            assert_eq!(told(&mut wire, TextKind::Server, tls, id), hello(700));
        }
        // No more than was promised.
        let mut control = secure(&mut wire);
        let id = session(&mut wire, &control);
        let long = hello(6000);
        for piece in long.chunks(1400) {
            wire.client(&mut control, piece);
        }
        let found = told(&mut wire, TextKind::Client, Tls::Encrypted, id);
        assert_eq!(found, long[..usize::from(HELLO_BYTES)]);
        for piece in long.chunks(1400) {
            wire.server(&mut control, piece);
        }
        let found = told(&mut wire, TextKind::Server, Tls::Encrypted, id);
        assert_eq!(found, long[..usize::from(HELLO_BYTES)]);
    }
}

#[test]
fn what_is_no_tls_behind_auth_is_not_told() {
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        for lines in [
            &[&b"PASS Zq7!~Zq\r\n"[..]][..],
            &[b"PASS Zq", b"7!~Zq\r\n"],
            &[b"P", b"A", b"S", b"S", b" ", b"Z", b"\n"],
            &[b"\x16PASS Zq7!~Zq\r\n"],
        ] {
            let mut control = secure(&mut wire);
            for line in lines {
                wire.client(&mut control, line);
            }
            let id = session(&mut wire, &control);
            let found = told(&mut wire, TextKind::Client, Tls::Encrypted, id);
            assert!(found.is_empty() || found == b"\x16", "{found:?}");
        }
    }
}

#[test]
fn behind_ccc_lines_are_told_from_the_servers_answer_on() {
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        let mut control = secure(&mut wire);
        let id = session(&mut wire, &control);
        for _ in 0..2 {
            wire.client(&mut control, &hello(20));
            wire.client(&mut control, APPLICATION);
            wire.server(&mut control, &hello(20));
            wire.server(&mut control, APPLICATION);
        }
        wire.texts();
        // The end of a PASS that began where it could not be read.
        wire.client(&mut control, b"ASS Zq7!~Zq\r\n");
        assert!(wire.texts().is_empty());
        wire.server(&mut control, b"530 no\r\n");
        assert_eq!(
            told(&mut wire, TextKind::Server, Tls::Clear, id),
            b"530 no\r\n"
        );
        wire.client(&mut control, b"NOOP\r\nPASS Zq7!~Zq\r\n");
        assert_eq!(
            told(&mut wire, TextKind::Client, Tls::Clear, id),
            b"NOOP\r\nPASS *******\r\n"
        );
        // TLS once more.
        wire.client(&mut control, b"AUTH TLS\r\n");
        wire.server(&mut control, b"234 go on\r\n");
        wire.texts();
        wire.client(&mut control, &hello(20));
        assert_eq!(
            told(&mut wire, TextKind::Client, Tls::Encrypted, id),
            hello(20)
        );
    }
}

#[test]
fn the_client_hello_before_a_session_is_told() {
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        for size in [7, 1, 1400].into_iter().step_by(speed::stride()) {
            wire.guard.state().clear(&[]).unwrap();
            let mut control = conversation(CLIENT, 990);
            wire.handshake(&mut control);
            let hello = hello(300);
            let start = control.client_next;
            for piece in hello[..200].chunks(size) {
                let again = control.client_next;
                wire.client(&mut control, piece);
                wire.inbound(&control.client_at(again, DATA, piece));
            }
            let texts = wire.texts();
            let (first, _) = &texts[0];
            assert_eq!(first.sequence, start);
            assert_eq!(first.key, control.key());
            let all: Vec<u8> = texts.iter().flat_map(|(_, text)| text.clone()).collect();
            assert_eq!(all, hello[..200]);
            assert!(texts.iter().all(|(header, _)| header.session == 0
                && header.kind == TextKind::Client as u8
                && header.detail == Tls::Encrypted as u8));

            wire.server(&mut control, &hello);
            let id = session(&mut wire, &control);
            let texts = wire.texts();
            assert_eq!(texts[0].0.kind, TextKind::Began as u8);
            assert_eq!(texts[0].0.detail, Tls::Encrypted as u8);
            assert_eq!((texts[1].0.session, &texts[1].1), (id, &hello));
            // It goes on where it stood.
            wire.client(&mut control, &hello[200..]);
            wire.client(&mut control, APPLICATION);
            let found = told(&mut wire, TextKind::Client, Tls::Encrypted, id);
            assert_eq!(found, hello[200..]);
        }
    }
}

#[test]
fn other_protocols_are_told_of_before_the_greeting() {
    let long = [&b"GET /"[..], &[b'x'; 200]].concat();
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        for first in [
            &b"SSH-2.0-x\r\n"[..],
            b"GET / HTTP/1.1\r\n",
            b"EHLO a\r\n",
            b"\0\0\0\x85\xffSMB",
            b"\0\0\0\x85\xfeSMB",
            &long,
        ] {
            wire.guard.state().clear(&[]).unwrap();
            let mut control = conversation(CLIENT, 21);
            wire.handshake(&mut control);
            wire.client(&mut control, first);
            wire.client(&mut control, b"Authorization: Zq7!~Zq\r\n");
            let texts = wire.texts();
            assert_eq!(texts.len(), 1);
            let (header, text) = &texts[0];
            assert_eq!(*text, first[..first.len().min(MOST_EARLY)]);
            assert_eq!((header.session, header.length), (0, first.len() as u32));
            assert_eq!(header.detail, Tls::Clear as u8);
        }
    }
}

/// Nothing says here where a line begins.
#[test]
fn ftp_before_the_greeting_is_not_told() {
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        for lines in [
            &[&b"PASS Zq7!~Zq\r\n"[..]][..],
            &[b"USER anna\r\nPASS Zq7!~Zq\r\n"],
            &[b"PA", b"SS Zq7!~Zq\r\n"],
            &[b"P\xff\xf1ASS ", b"Zq7!~Zq\r\n"],
            &[b"Zq7!~Zq\r\n"],
            &[b"\x16PASS Zq7!~Zq\r\n"],
            &[b"\x16", b"PASS Zq7!~Zq\r\n"],
        ] {
            wire.guard.state().clear(&[]).unwrap();
            let mut control = conversation(CLIENT, 21);
            wire.handshake(&mut control);
            for line in lines {
                wire.client(&mut control, line);
            }
            let texts = wire.texts();
            let all: Vec<u8> = texts.into_iter().flat_map(|(_, text)| text).collect();
            assert!(all.is_empty() || all == b"\x16", "{all:?}");
        }
    }
}

fn traffic(text: &[u8]) -> Traffic {
    assert_eq!(text.len(), size_of::<Traffic>());
    // SAFETY: the bytes are as many, and the type takes any.
    unsafe { text.as_ptr().cast::<Traffic>().read_unaligned() }
}

/// On a host the program on sockets tells of ends, which has no test run.
#[test]
fn the_end_of_a_session_is_told_on_a_router() {
    for policy in router_policies() {
        let mut wire = Wire::new(&policy);
        let mut control = wire.login(CLIENT);
        let id = session(&mut wire, &control);
        wire.client(&mut control, b"QUIT\r\n");
        wire.server(&mut control, b"221 bye\r\n");
        wire.texts();
        assert!(wire.outbound(&control.server(FIN_ACK, b"")));
        assert!(wire.texts().is_empty());
        assert!(wire.inbound(&control.client(FIN_ACK, b"")));
        let texts = wire.texts();
        assert_eq!(texts.len(), 1);
        let (header, text) = &texts[0];
        assert_eq!(header.kind, TextKind::Ended as u8);
        assert_eq!((header.session, header.key), (id, control.key()));
        let traffic = traffic(text);
        assert_eq!((traffic.bytes_in, traffic.bytes_out), (6, 20));
        assert!(traffic.closed_ns >= traffic.created_ns && traffic.created_ns > 0);
        // Once.
        assert!(wire.outbound(&control.server(TcpFlags::ACK, b"")));
        assert!(wire.texts().is_empty());
    }
}

fn data_header(kind: TextKind, flow: FlowKind, session: u64, data: &Conversation) -> TextHeader {
    TextHeader {
        session,
        key: data.key(),
        kind: kind as u8,
        detail: flow as u8,
        ..TextHeader::default()
    }
}

fn only_data(wire: &mut Wire) -> (TextHeader, Vec<u8>) {
    let texts = wire.texts();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let (header, text) = texts.into_iter().next().unwrap();
    let header = TextHeader {
        time_ns: 0,
        captured: 0,
        ..header
    };
    (header, text)
}

#[test]
fn passive_data_connections_are_told_of() {
    // On a host the program on sockets makes them.
    for policy in router_policies() {
        let mut wire = Wire::new(&policy);
        let mut control = wire.login(CLIENT);
        let id = session(&mut wire, &control);
        wire.client(&mut control, b"EPSV\r\n");
        wire.server(&mut control, b"229 go (|||50001|)\r\n");
        wire.texts();
        let mut data = conversation(CLIENT, 50_001);
        wire.handshake(&mut data);
        assert!(wire.texts().is_empty());
        wire.server(&mut data, b"0123456789");
        let wanted = data_header(TextKind::DataBegan, FlowKind::Passive, id, &data);
        assert_eq!(only_data(&mut wire), (wanted, Vec::new()));
        for _ in 0..5 {
            assert!(wire.inbound(&data.client(DATA, b"abc")));
        }
        assert!(wire.outbound(&data.server(FIN_ACK, b"")));
        assert!(wire.texts().is_empty());
        assert!(wire.inbound(&data.client(FIN_ACK, b"")));
        let (header, text) = only_data(&mut wire);
        let wanted = data_header(TextKind::DataEnded, FlowKind::Passive, id, &data);
        assert_eq!(header, wanted);
        let traffic = traffic(&text);
        assert_eq!((traffic.bytes_in, traffic.bytes_out), (15, 10));
        assert_eq!(traffic.packets_in, 6);
    }
}

#[test]
fn active_data_connections_are_told_of() {
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        let mut control = wire.login(CLIENT);
        let id = session(&mut wire, &control);
        wire.client(&mut control, b"PORT 198,51,100,7,200,0\r\n");
        wire.texts();
        for port in [20, 33_333] {
            wire.client(&mut control, b"PORT 198,51,100,7,200,0\r\n");
            wire.texts();
            let mut data = conversation(CLIENT, port);
            data.client.set_port(51_200);
            assert!(wire.outbound(&data.server(TcpFlags::SYN, b"")));
            assert!(wire.texts().is_empty());
            assert!(wire.guard.run(&data.client(SYN_ACK, b"")).unwrap());
            let wanted = data_header(TextKind::DataBegan, FlowKind::Active, id, &data);
            assert_eq!(only_data(&mut wire), (wanted, Vec::new()));
            assert!(wire.outbound(&data.server(TcpFlags::ACK, b"")));
            assert!(wire.texts().is_empty());
        }
    }
}

#[test]
fn connections_of_the_host_itself_are_not_told_of() {
    for policy in policies() {
        let mut wire = Wire::new(&policy);
        let mut data = conversation("203.0.113.80", 50_050);
        assert!(wire.outbound(&data.server(TcpFlags::SYN, b"")));
        assert!(wire.guard.run(&data.client(SYN_ACK, b"")).unwrap());
        assert!(wire.outbound(&data.server(FIN_ACK, b"")));
        assert!(wire.guard.run(&data.client(FIN_ACK, b"")).unwrap());
        assert!(wire.texts().is_empty());
    }
}

#[test]
fn servers_on_other_ports_are_told_of() {
    for mut policy in policies() {
        policy.sessions.flags |= FLAG_ODD_PORTS;
        let mut wire = Wire::new(&policy);
        for (client, text) in [
            (CLIENT, &b"220 ProFTPD\r\n"[..]),
            ("203.0.113.7", b"220-Welcome\r\n"),
            ("2001:db8:2::7", b"331 Please specify the password.\r\n"),
            (CLIENT, b"530 Login incorrect.\r\n"),
        ] {
            let mut odd = conversation(client, 2121);
            let sequence = odd.server_next;
            wire.server(&mut odd, text);
            let texts = wire.texts();
            assert_eq!(texts.len(), 1, "{}", String::from_utf8_lossy(text));
            let (header, told) = &texts[0];
            assert_eq!(told, text);
            assert_eq!(header.kind, TextKind::OddPort as u8);
            assert_eq!((header.session, header.key), (0, odd.key()));
            assert_eq!(header.sequence, sequence);
        }
        // Of more, the beginning.
        let mut odd = conversation(CLIENT, 2121);
        let long = [&b"220 "[..], &[b'x'; 530]].concat();
        wire.server(&mut odd, &long);
        let texts = wire.texts();
        assert_eq!(texts[0].1, long[..MOST_ODD]);
        assert_eq!(texts[0].0.length as usize, long.len());

        let quiet = |wire: &mut Wire, port, flags, text: &[u8]| {
            let mut odd = conversation(CLIENT, port);
            wire.outbound(&odd.server(flags, text));
            let texts = wire.texts();
            assert!(texts.is_empty(), "{texts:?}");
        };
        quiet(&mut wire, 2121, DATA, b"200 hello to you\r\n");
        quiet(&mut wire, 2121, DATA, b"220");
        quiet(&mut wire, 2121, TcpFlags::ACK, b"220 hello to you\r\n");
        quiet(
            &mut wire,
            2121,
            DATA,
            &[&b"220 "[..], &[b'x'; 900]].concat(),
        );
        quiet(&mut wire, 50_001, DATA, b"220 hello to you\r\n");
        // Inbound: this host is the client.
        let mut other = conversation(CLIENT, 2121);
        assert!(wire.inbound(&other.client(DATA, b"220 hello to you\r\n")));
        assert!(wire.texts().is_empty());
    }
}

#[test]
fn servers_on_other_ports_are_told_of_at_a_rate() {
    let mut wire = Wire::new(&policy().with_flag(FLAG_ODD_PORTS));
    let mut odd = conversation(CLIENT, 2121);
    for _ in 0..200 {
        wire.server(&mut odd, b"220 hello to you\r\n");
    }
    let told = wire.texts().len();
    // A burst of 16, and 4 a second.
    assert!((16..=24).contains(&told), "{told}");
    drop(wire);
    let mut wire = Wire::new(&policy());
    assert_eq!(policy().sessions.flags, FLAG_TEXT);
    wire.server(&mut odd, b"220 hello to you\r\n");
    assert!(wire.texts().is_empty());
}
