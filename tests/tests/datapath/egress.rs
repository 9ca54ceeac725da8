//! What is read of the server's replies.

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{class::PortClass, config::Role, reason::Reason, session::Tls};
use ftp_guard_tests::conversation::DATA;

use crate::{
    row::{Wanted, drop, pass},
    scene::{ANYWHERE, HOST, ROUTER, Scene, Story, passive_reply},
};

const SESSION: Wanted = pass(Reason::Session, PortClass::Control);
const GAP: Wanted = drop(Reason::ControlGap, PortClass::Control);
const REPLY: &str = "227 Entering Passive Mode (192,0,2,1,195,85).\r\n";
const PORT: u16 = 50_005;

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("a reply that is split anywhere", ANYWHERE, split),
        ("several replies in one segment", ANYWHERE, pipelined),
        ("replies in other replies", ANYWHERE, nested),
        ("a reply that nobody asked for", ANYWHERE, unasked),
        ("what is sent again is not read again", ANYWHERE, again),
        ("a segment that overlaps the last one", ANYWHERE, overlap),
        ("keep-alive probes", ANYWHERE, keep_alive),
        ("AUTH and 234 make TLS of it", ANYWHERE, tls),
        ("TLS records over several segments", ANYWHERE, records),
        ("a segment beyond a hole, on a router", ROUTER, gap),
        ("a segment beyond a hole, on a host", HOST, gap_on_a_host),
    ])
}

fn split(scene: &mut Scene<'_>) {
    let bytes = REPLY.as_bytes();
    let named = REPLY.find(')').unwrap();
    scene.policy.sessions.pinhole_interval_ns = 1;
    scene.install();
    let mut control = scene.login();
    for at in 1..bytes.len() {
        scene.guard.state().pinholes().unwrap().clear().unwrap();
        scene.command(&mut control, "PASV\r\n");
        scene.reply_bytes(&mut control, &bytes[..at]);
        assert_eq!(scene.open_ports().len(), usize::from(at > named), "{at}");
        scene.reply_bytes(&mut control, &bytes[at..]);
        assert_eq!(scene.open_ports(), [PORT], "{at}");
    }
    scene.guard.state().pinholes().unwrap().clear().unwrap();
    scene.command(&mut control, "PASV\r\n");
    for byte in bytes {
        assert_eq!(scene.open_ports(), [0; 0]);
        scene.reply_bytes(&mut control, &[*byte]);
        if *byte == b')' {
            break;
        }
    }
    assert_eq!(scene.open_ports(), [PORT]);
}

fn pipelined(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.command(&mut control, "NOOP\r\nEPSV\r\nEPSV\r\n");
    let text = format!(
        "200 ok\r\n{}{}",
        passive_reply(50_001),
        passive_reply(50_002)
    );
    scene.reply(&mut control, &text);
    assert_eq!(scene.open_ports(), [50_001, 50_002]);
}

fn nested(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    for text in [
        "213-x\r\n227 (192,0,2,1,195,85)\r\n213 end\r\n".to_owned(),
        format!("250-{REPLY}227-{REPLY} {REPLY}250 end\r\n"),
        "550 227 (192,0,2,1,195,85)\r\n".to_owned(),
        "200 (|||50005|)\r\n".to_owned(),
    ] {
        scene.command(&mut control, "PASV\r\n");
        scene.reply(&mut control, &text);
        assert_eq!(scene.open_ports(), [0; 0], "{text}");
    }
    scene.command(&mut control, "PASV\r\n");
    scene.reply(
        &mut control,
        "227-a (192,0,2,1,195,85)\r\n 229 x\r\n227 b\r\n",
    );
    assert_eq!(scene.open_ports(), [PORT]);
}

fn unasked(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.reply(&mut control, REPLY);
    assert_eq!(scene.open_ports(), [0; 0]);
    scene.command(&mut control, "RNFR 227 (192,0,2,1,195,85)\r\n");
    scene.reply(&mut control, REPLY);
    assert_eq!(scene.open_ports(), [0; 0]);
    scene.command(&mut control, "PASV\r\n");
    scene.reply(&mut control, REPLY);
    assert_eq!(scene.open_ports(), [PORT]);
    // One question, one answer.
    scene.reply(&mut control, &passive_reply(50_006));
    assert_eq!(scene.open_ports(), [PORT]);
}

fn again(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.command(&mut control, "PASV\r\n");
    let at = control.server_next;
    scene.reply(&mut control, REPLY);
    scene.guard.state().pinholes().unwrap().clear().unwrap();
    let session = scene.session(&control).unwrap();
    let retransmission = control.server_at(at, DATA, REPLY.as_bytes());
    scene.egress("the reply again", &retransmission, SESSION);
    assert_eq!(scene.open_ports(), [0; 0]);
    // An adversary cannot hide a new reply behind an old number either.
    scene.command(&mut control, "EPSV\r\n");
    let text = passive_reply(50_006);
    let old = control.server_at(at, DATA, text.as_bytes());
    scene.egress("another reply at the old number", &old, SESSION);
    assert_eq!(scene.open_ports(), [0; 0]);
    let after = scene.session(&control).unwrap();
    assert_eq!(after.server_next, session.server_next);
    assert_eq!(after.replies, session.replies);
    assert_eq!(after.reply, session.reply);
}

fn overlap(scene: &mut Scene<'_>) {
    let bytes = REPLY.as_bytes();
    let mut control = scene.login();
    for start in 0..20 {
        scene.guard.state().pinholes().unwrap().clear().unwrap();
        scene.change_session(&control, |session| session.pinholes_ns = 0);
        scene.command(&mut control, "PASV\r\n");
        let first = control.server_next;
        scene.reply_bytes(&mut control, &bytes[..20]);
        let frame = control.server_at(first.wrapping_add(start), DATA, &bytes[start as usize..]);
        scene.egress("a segment that repeats a part", &frame, SESSION);
        assert_eq!(scene.open_ports(), [PORT], "{start}");
        control.server_next = first.wrapping_add(bytes.len() as u32);
    }
    scene.negotiate(&mut control, 50_006);
    assert_eq!(scene.open_ports(), [PORT, 50_006]);
}

fn keep_alive(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    let before = scene.session(&control).unwrap();
    for payload in [&b""[..], b"\n"] {
        let last = control.server_next.wrapping_sub(1);
        let frame = control.server_at(last, TcpFlags::ACK, payload);
        scene.egress("a keep-alive probe", &frame, SESSION);
    }
    let after = scene.session(&control).unwrap();
    assert_eq!(before.server_next, after.server_next);
    assert_eq!(before.replies, after.replies);
    scene.negotiate(&mut control, PORT);
    assert_eq!(scene.open_ports(), [PORT]);
}

fn tls(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    // 234 that answers no AUTH changes nothing, nor does a refused AUTH.
    scene.reply(&mut control, "234 for nothing\r\n");
    scene.command(&mut control, "AUTH TLS\r\n");
    scene.reply(&mut control, "530 no\r\n");
    scene.negotiate(&mut control, 50_001);
    assert_eq!(scene.open_ports(), [50_001]);
    let session = scene.session(&control).unwrap();
    assert_eq!(session.tls, Tls::Clear as u8);
    scene.command(&mut control, "AUTH TLS\r\n");
    scene.reply(&mut control, "234 go on\r\n");
    assert_eq!(scene.session(&control).unwrap().tls, Tls::Encrypted as u8);
    scene.said(&mut control, b"\x16\x03\x01\x00\x05hello");
    scene.reply_bytes(&mut control, b"\x16\x03\x03\x00\x05hello");
    // Cipher text that happens to look like a reply.
    scene.reply_bytes(&mut control, b"\x17\x03\x03\r\n229 (|||50002|)\r\n");
    assert_eq!(scene.open_ports(), [50_001]);
    assert_eq!(scene.session(&control).unwrap().tls, Tls::Encrypted as u8);
}

/// A segment in the middle of a record begins with any byte; it is no clear text for that.
fn records(scene: &mut Scene<'_>) {
    let mut control = scene.login_tls();
    scene.said(&mut control, b"\x17\x03\x03\x00\x20begins");
    scene.said(&mut control, b"EPSV\r\n and goes on, 26 by");
    scene.reply_bytes(&mut control, b"\x17\x03\x03\x00\x40begins");
    scene.reply_bytes(
        &mut control,
        b"229 (|||50005|)\r\n and so on, and on, and on, and on until 64",
    );
    assert_eq!(scene.session(&control).unwrap().tls, Tls::Encrypted as u8);
    assert_eq!(scene.open_ports(), [0; 0]);
}

fn gap(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.command(&mut control, "PASV\r\n");
    let (first, second) = REPLY.as_bytes().split_at(10);
    let at = control.server_next;
    let late = control.server_at(at.wrapping_add(10), DATA, second);
    scene.egress("the second half first", &late, GAP);
    let one_off = control.server_at(at.wrapping_add(1), DATA, b"x");
    scene.egress("one byte too far", &one_off, GAP);
    let empty = control.server_at(at.wrapping_add(100), TcpFlags::ACK, b"");
    scene.egress("an ACK beyond the hole", &empty, SESSION);
    scene.egress(
        "the first half",
        &control.server_at(at, DATA, first),
        SESSION,
    );
    scene.egress("the second half", &late, SESSION);
    assert_eq!(scene.open_ports(), [PORT]);
    let behind = control.server_at(
        at.wrapping_add(REPLY.len() as u32 + 5),
        DATA,
        b"226 done\r\n",
    );
    scene.egress("beyond another hole", &behind, GAP);
}

fn gap_on_a_host(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    assert_eq!(scene.role(), Role::Host);
    let ahead = control.server_next.wrapping_add(10);
    let frame = control.server_at(ahead, DATA, b"226 done\r\n");
    scene.egress("a segment beyond a hole", &frame, SESSION);
    control.server_next = ahead.wrapping_add(10);
    scene.negotiate(&mut control, PORT);
    assert_eq!(scene.open_ports(), [PORT]);
}
