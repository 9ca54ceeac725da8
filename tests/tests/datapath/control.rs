//! What is read of the client's commands.

use std::net::SocketAddr;

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{class::PortClass, reason::Reason};
use ftp_guard_tests::conversation::DATA;

use crate::{
    row::{Wanted, drop, pass},
    scene::{ANYWHERE, Scene, Story, active_command},
};

const SESSION: Wanted = pass(Reason::Session, PortClass::Control);
const GAP: Wanted = drop(Reason::ControlGap, PortClass::Control);

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("a command that is split anywhere", ANYWHERE, split),
        ("several commands in one segment", ANYWHERE, pipelined),
        ("a command that is sent again", ANYWHERE, again),
        ("a command that overlaps the last one", ANYWHERE, overlap),
        ("a command beyond a hole", ANYWHERE, gap),
        ("keep-alive probes of the client", ANYWHERE, keep_alive),
        ("a destination that cannot be read", ANYWHERE, unreadable),
        ("what no session is", ANYWHERE, beside),
    ])
}

fn split(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    let to = SocketAddr::new(scene.listed(7), 51_000);
    let text = active_command(to);
    for at in 1..text.len() {
        scene.guard.state().named().unwrap().clear().unwrap();
        scene.said(&mut control, &text.as_bytes()[..at]);
        assert_eq!(scene.named().len(), 0, "{at}");
        scene.said(&mut control, &text.as_bytes()[at..]);
        assert_eq!(scene.named()[0].0, to, "{at}");
        scene.reply(&mut control, "200 ok\r\n");
    }
    scene.guard.state().named().unwrap().clear().unwrap();
    for byte in text.bytes() {
        assert_eq!(scene.named().len(), 0);
        scene.said(&mut control, &[byte]);
    }
    assert_eq!(scene.named()[0].0, to);
}

fn pipelined(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    let to = SocketAddr::new(scene.listed(7), 51_000);
    let text = format!("TYPE I\r\n{}EPSV\r\nRETR x\r\n", active_command(to));
    scene.command(&mut control, &text);
    assert_eq!(scene.named()[0].0, to);
    let session = scene.session(&control).unwrap();
    assert_eq!((session.commands, session.passive_asked), (4, 1));
    scene.reply(&mut control, "200 a\r\n200 b\r\n229 (|||50005|)\r\n");
    assert_eq!(scene.open_ports(), [50_005]);
}

fn again(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    let at = control.client_next;
    scene.command(&mut control, "EPSV\r\n");
    let frame = control.client_at(at, DATA, b"EPSV\r\n");
    scene.xdp("EPSV again", &frame, SESSION);
    scene.control("EPSV again", &frame, SESSION);
    let session = scene.session(&control).unwrap();
    assert_eq!((session.commands, session.passive_asked), (1, 1));
    // Other bytes at an old number are not what the server reads.
    let to = SocketAddr::new(scene.listed(7), 51_000);
    let text = active_command(to);
    let frame = control.client_at(
        at.wrapping_sub(50),
        DATA,
        &text.as_bytes()[..text.len().min(50)],
    );
    scene.control("PORT at an old number", &frame, SESSION);
    assert_eq!(scene.named().len(), 0);
}

fn overlap(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    let at = control.client_next;
    scene.command(&mut control, "NOOP\r\nEP");
    let frame = control.client_at(at.wrapping_add(6), DATA, b"EPSV\r\nNOOP\r\n");
    scene.xdp("a segment that repeats a part", &frame, SESSION);
    scene.control("a segment that repeats a part", &frame, SESSION);
    let session = scene.session(&control).unwrap();
    assert_eq!((session.commands, session.passive_asked), (3, 1));
    assert_eq!(session.client_next, at.wrapping_add(18));
}

fn gap(scene: &mut Scene<'_>) {
    let control = scene.login();
    let at = control.client_next;
    for ahead in [1, 6, 1000] {
        let frame = control.client_at(at.wrapping_add(ahead), DATA, b"EPSV\r\n");
        scene.xdp("a command beyond a hole", &frame, SESSION);
        scene.control("a command beyond a hole", &frame, GAP);
    }
    let ack = control.client_at(at.wrapping_add(6), TcpFlags::ACK, b"");
    scene.control("an ACK beyond a hole", &ack, SESSION);
    assert_eq!(scene.session(&control).unwrap().commands, 0);
    let frame = control.client_at(at, DATA, b"NOOP\r\n");
    scene.control("what was missing", &frame, SESSION);
    let frame = control.client_at(at.wrapping_add(6), DATA, b"EPSV\r\n");
    scene.control("what was refused", &frame, SESSION);
    let session = scene.session(&control).unwrap();
    assert_eq!((session.commands, session.passive_asked), (2, 1));
}

fn keep_alive(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.command(&mut control, "EP");
    for payload in [&b""[..], b"\n"] {
        let frame = control.client_at(control.client_next.wrapping_sub(1), TcpFlags::ACK, payload);
        scene.xdp("a keep-alive probe", &frame, SESSION);
        scene.control("a keep-alive probe", &frame, SESSION);
    }
    scene.command(&mut control, "SV\r\n");
    assert_eq!(scene.session(&control).unwrap().passive_asked, 1);
}

fn unreadable(scene: &mut Scene<'_>) {
    let refused = drop(Reason::ActiveUnreadable, PortClass::Control);
    for text in [
        "PORT 1,2,3,4,256,6\r\n",
        "EPRT |1|x|50005|\r\n",
        "PORT\r\n",
        "NOOP\r\nLPRT 4\r\n",
    ] {
        let mut control = scene.login();
        let at = control.client_next;
        let frame = control.client(DATA, text.as_bytes());
        scene.xdp(text, &frame, SESSION);
        scene.control(text, &frame, refused);
        assert_eq!(scene.named().len(), 0);
        if scene.enforces() {
            scene.control("the same again", &frame, refused);
            let behind = control.client(DATA, b"NOOP\r\n");
            scene.control("what follows it", &behind, GAP);
            assert_eq!(scene.session(&control).unwrap().client_next, at);
        }
        // Another connection for the next text.
        scene.guard.state().clear(&[]).unwrap();
    }
    let mut control = scene.login();
    scene.said(&mut control, b"PORT 1,2,3,4,256,6\r");
    let frame = control.client(DATA, b"\n");
    scene.control("the byte that ends the line", &frame, refused);
}

fn beside(scene: &mut Scene<'_>) {
    let not_ftp = |class| pass(Reason::NotFtp, class);
    for (port, class) in [
        (22, PortClass::Other),
        (20, PortClass::ActiveData),
        (50_000, PortClass::PassiveData),
    ] {
        let data = scene.data(40_001, port);
        scene.control(
            "to no control port",
            &data.client_at(1, DATA, b"PASV\r\n"),
            not_ftp(class),
        );
    }
    let control = scene.data(40_001, 21);
    let frame = control.client_at(1, DATA, b"PASV\r\n");
    scene.control(
        "of no session",
        &frame,
        pass(Reason::Listed, PortClass::Control),
    );
    assert_eq!(scene.session(&control), None);
}
