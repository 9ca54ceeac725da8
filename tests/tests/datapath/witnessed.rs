//! Clients that may not be here, as monitor mode follows them: what they do is seen, and changes nothing for others.

use std::net::SocketAddr;

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    allow::EntryKind,
    class::PortClass,
    config::Mode,
    reason::Reason,
    session::{Flow, FlowKind},
};
use ftp_guard_tests::conversation::{Conversation, DATA, SYN_ACK};

use crate::{
    active::open,
    passive::{self, DATA_PORT, FLOW, NO_SESSION, SECOND},
    row::{Wanted, drop, pass},
    scene::{ANYWHERE, Scene, Story, active_command, passive_reply},
    sources::{ANSWER, CONTROL, SESSION},
};

const NOT_LISTED: Wanted = drop(Reason::NotListed, CONTROL);
const BOUNCE: Wanted = drop(Reason::Bounce, PortClass::ActiveData);

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        (
            "a client that may not be here is followed",
            ANYWHERE,
            followed,
        ),
        ("what it negotiates is nobody else's", ANYWHERE, negotiates),
        (
            "its passive data connections are followed",
            ANYWHERE,
            transfers,
        ),
        ("its active data connections are followed", ANYWHERE, active),
        (
            "a client that is listed meanwhile",
            ANYWHERE,
            listed_meanwhile,
        ),
        (
            "enforce mode ends what was only followed",
            ANYWHERE,
            enforced,
        ),
    ])
}

/// The session of a client that is not listed; `None` in enforce mode, where there is none.
fn greeted(scene: &mut Scene<'_>) -> Option<Conversation> {
    let client = scene.unlisted(7);
    let mut control = scene.connection(client, 40_000, 21);
    let syn = control.client(TcpFlags::SYN, b"");
    scene.xdp("a SYN", &syn, NOT_LISTED);
    scene.egress("its SYN+ACK", &control.server(SYN_ACK, b""), ANSWER);
    let ack = control.client(TcpFlags::ACK, b"");
    scene.xdp("its ACK", &ack, NOT_LISTED);
    let follows = !scene.enforces();
    assert_eq!(scene.openings(), usize::from(follows));
    let greeting = control.server(DATA, b"220 ready\r\n");
    let wanted = if follows { SESSION } else { ANSWER };
    scene.egress("a greeting", &greeting, wanted);
    assert_eq!(scene.openings(), 0);
    assert_eq!(scene.session(&control).is_some(), follows);
    assert_eq!(scene.counts(client), None, "no limit counts it");
    follows.then_some(control)
}

/// A line of the client, and what the server says to it.
fn says(scene: &mut Scene<'_>, control: &mut Conversation, line: &str, reply: &str) {
    let frame = control.client(DATA, line.as_bytes());
    scene.xdp(line, &frame, NOT_LISTED);
    scene.control(line, &frame, SESSION);
    scene.reply(control, reply);
}

fn followed(scene: &mut Scene<'_>) {
    let Some(mut control) = greeted(scene) else {
        return;
    };
    says(scene, &mut control, "USER printer\r\n", "331 password\r\n");
    says(scene, &mut control, "PASS secret\r\n", "230 welcome\r\n");
    let session = scene.session(&control).unwrap();
    assert_eq!(session.traffic.witnessed, Reason::NotListed as u8);
    assert_eq!((session.logged_in, session.adopted), (1, 0));
    assert_eq!(session.traffic.bytes_in, 27);
    assert_eq!((session.commands, session.replies), (2, 2));
    // A gap, that a session which counts would be stopped by.
    let ahead = control.client_at(control.client_next + 100, DATA, b"NOOP\r\n");
    scene.xdp("a line behind a gap", &ahead, NOT_LISTED);
    scene.control("a line behind a gap", &ahead, SESSION);
    let client = scene.unlisted(7);
    assert_eq!(scene.counts(client), None);
    // Another reason: it is the present one that counts.
    let now = u32::try_from(jiff::Timestamp::now().as_second()).unwrap();
    scene
        .policy
        .entry(client.into(), EntryKind::Allow, now - 10);
    scene.install();
    let expired = drop(Reason::Expired, CONTROL);
    let noop = control.client(DATA, b"NOOP\r\n");
    scene.xdp("a line, the entry having expired", &noop, expired);
    let session = scene.session(&control).unwrap();
    assert_eq!(session.traffic.witnessed, Reason::Expired as u8);
}

fn negotiates(scene: &mut Scene<'_>) {
    let Some(mut control) = greeted(scene) else {
        return;
    };
    says(scene, &mut control, "EPSV\r\n", &passive_reply(50_010));
    assert_eq!(scene.open_ports(), [50_010]);
    // Without it there would be no session either, and nothing to be stolen.
    scene.knock(scene.listed(7), 50_010, NO_SESSION);
    scene.knock(scene.unlisted(7), 50_010, passive::NOT_LISTED);
    // A destination that is not its own stays unnamed.
    let third = SocketAddr::new(scene.listed(8), 51_000);
    let low = SocketAddr::new(scene.unlisted(7), 1023);
    for to in [third, low] {
        says(scene, &mut control, &active_command(to), "200 ok\r\n");
    }
    assert!(scene.named().is_empty());
    // Too many ports: the server's answer passes, for in enforce mode it had nobody to answer.
    let mut most = 0;
    while scene.open_ports().len() > most {
        most = scene.open_ports().len();
        let port = 50_011 + u16::try_from(most).unwrap();
        says(scene, &mut control, "EPSV\r\n", &passive_reply(port));
    }
    assert!(most > 1);
}

fn transfers(scene: &mut Scene<'_>) {
    let Some(mut control) = greeted(scene) else {
        return;
    };
    let client = scene.unlisted(7);
    says(scene, &mut control, "EPSV\r\n", &passive_reply(50_010));
    let mut data = scene.knock(client, 50_010, passive::NOT_LISTED);
    scene.egress("its SYN+ACK", &data.server(SYN_ACK, b""), passive::ANSWER);
    let ack = data.client(TcpFlags::ACK, b"");
    scene.xdp("its ACK", &ack, passive::NOT_LISTED);
    scene.xdp(
        "what is sent before the server has seen that",
        &data.client(DATA, b"early"),
        passive::NOT_LISTED,
    );
    scene.egress("data", &data.server(DATA, b"0123456789"), FLOW);
    scene.xdp("more", &data.client(DATA, b"more"), passive::NOT_LISTED);
    let flow = scene.flow(&data).unwrap();
    assert_eq!(flow.traffic.witnessed, Reason::NotListed as u8);
    assert_eq!((flow.traffic.bytes_in, flow.traffic.bytes_out), (9, 10));
    assert_eq!(flow.session, scene.session(&control).unwrap().id);
    assert!(scene.open_ports().is_empty());
    assert_eq!(scene.counts(client), None);
}

fn active(scene: &mut Scene<'_>) {
    let client = scene.unlisted(7);
    let to = SocketAddr::new(client, 51_000);
    let Some(mut control) = greeted(scene) else {
        open(scene, 20, to, BOUNCE);
        open(scene, 33_333, to, pass(Reason::NotFtp, PortClass::Other));
        return;
    };
    says(scene, &mut control, &active_command(to), "200 ok\r\n");
    // The same is said of it as in enforce mode.
    let other = open(scene, 33_333, to, pass(Reason::NotFtp, PortClass::Other));
    assert_eq!(scene.flow(&other), None);
    let mut data = open(scene, 20, to, BOUNCE);
    let refused = drop(Reason::NotListed, PortClass::ActiveData);
    scene.xdp("its SYN+ACK", &data.client(SYN_ACK, b""), refused);
    let sent = data.server(DATA, b"0123456789");
    let wanted = pass(Reason::DataFlow, PortClass::ActiveData);
    scene.egress("data", &sent, wanted);
    let flow = scene.flow(&data).unwrap();
    assert_eq!(flow.traffic.witnessed, Reason::NotListed as u8);
    assert_eq!((flow.kind, flow.established), (FlowKind::Active as u8, 1));
    assert_eq!(flow.traffic.bytes_out, 10);
    // A session is enough where nothing was named.
    let elsewhere = SocketAddr::new(client, 52_000);
    open(scene, 20, elsewhere, BOUNCE);
    open(scene, 20, SocketAddr::new(client, 1023), BOUNCE);
    assert_eq!(scene.counts(client), None);
}

fn listed_meanwhile(scene: &mut Scene<'_>) {
    let Some(mut control) = greeted(scene) else {
        return;
    };
    let client = scene.unlisted(7);
    let data = scene.connection(client, 40_001, 50_010);
    let mut state = scene.guard.state();
    let now = monotonic_ns();
    let mut flow = Flow {
        kind: FlowKind::Passive as u8,
        established: 1,
        ..Flow::default()
    };
    flow.traffic.created_ns = now;
    flow.traffic.seen_ns = now.saturating_sub(SECOND);
    flow.traffic.witnessed = Reason::NotListed as u8;
    state.flows().unwrap().set(data.key(), flow).unwrap();

    scene.policy.entry(client.into(), EntryKind::Allow, 0);
    scene.install();
    let noop = control.client(DATA, b"NOOP\r\n");
    scene.xdp("a line of a client that may be here now", &noop, SESSION);
    assert_eq!(scene.session(&control).unwrap().traffic.witnessed, 0);
    assert_eq!(scene.counts(client), Some((1, 0, 0)));
    let ack = data.client_at(data.client_next, TcpFlags::ACK, b"");
    scene.xdp("its data connection", &ack, FLOW);
    assert_eq!(scene.flow(&data).unwrap().traffic.witnessed, 0);
    assert_eq!(scene.counts(client), Some((1, 0, 1)));
}

fn enforced(scene: &mut Scene<'_>) {
    let Some(mut control) = greeted(scene) else {
        return;
    };
    says(scene, &mut control, "EPSV\r\n", &passive_reply(50_010));
    let before = scene.session(&control).unwrap().traffic;
    scene.settle();
    scene.policy.mode = Mode::Enforce;
    scene.install();
    scene.recount();
    let noop = control.client(DATA, b"NOOP\r\n");
    scene.xdp("a line in enforce mode", &noop, NOT_LISTED);
    let after = scene.session(&control).unwrap().traffic;
    assert_eq!(after.packets_in, before.packets_in, "it has not passed");
    scene.knock(scene.unlisted(7), 50_010, passive::NOT_LISTED);
    scene.knock(scene.listed(7), 50_010, drop(Reason::NoSession, DATA_PORT));
}
