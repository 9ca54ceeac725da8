//! Active data connections: which ones the server may open, and what comes back on them.

use std::net::SocketAddr;

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{class::PortClass, config::FLAG_FXP, reason::Reason, session::FlowKind};
use ftp_guard_tests::conversation::{Conversation, DATA, SYN_ACK};

use crate::{
    row::{Wanted, drop, pass},
    scene::{ANYWHERE, Scene, Story},
};

/// Source ports of a server, and their classes: its own, the one of implicit TLS, one as Pure-FTPd takes
/// it, an ephemeral one.
const SOURCES: [(u16, PortClass); 4] = [
    (20, PortClass::ActiveData),
    (989, PortClass::ActiveData),
    (6, PortClass::Other),
    (33_333, PortClass::Other),
];

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("PORT names a destination", ANYWHERE, named),
        ("a named destination holds for some time", ANYWHERE, expires),
        (
            "a refusal takes a named destination back",
            ANYWHERE,
            revoked,
        ),
        ("PORT to another host is a bounce", ANYWHERE, bounce),
        ("FXP by option", ANYWHERE, fxp),
        ("ports below 1024 are refused", ANYWHERE, low_ports),
        (
            "from an active data port to a client with a session",
            ANYWHERE,
            active_client,
        ),
        ("from an active data port under TLS", ANYWHERE, under_tls),
        ("this host's own connections", ANYWHERE, outgoing),
        ("a full table of data connections", ANYWHERE, full),
    ])
}

pub(crate) fn open(
    scene: &mut Scene<'_>,
    source: u16,
    to: SocketAddr,
    wanted: Wanted,
) -> Conversation {
    let mut data = scene.connection(to.ip(), to.port(), source);
    let syn = data.server(TcpFlags::SYN, b"");
    scene.egress(&format!("a SYN from {source} to {to}"), &syn, wanted);
    data
}

/// What follows a SYN that has passed.
fn goes_on(scene: &mut Scene<'_>, data: &mut Conversation, reason: Reason, class: PortClass) {
    let wanted = pass(reason, class);
    scene.xdp("the SYN+ACK", &data.client(SYN_ACK, b""), wanted);
    scene.egress("the ACK", &data.server(TcpFlags::ACK, b""), wanted);
    scene.egress("data of the server", &data.server(DATA, b"x"), wanted);
    scene.xdp("data of the client", &data.client(DATA, b"x"), wanted);
}

fn named(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    let client = scene.listed(7);
    for (number, (source, class)) in (0..).zip(SOURCES) {
        let to = SocketAddr::new(client, 51_000 + number);
        if class == PortClass::Other {
            open(scene, source, to, pass(Reason::NotFtp, class));
        }
        let before = monotonic_ns();
        scene.name(&mut control, to);
        let list = scene.named();
        let entry = list.iter().find(|(place, _)| *place == to).unwrap().1;
        assert_eq!(entry.reason, Reason::ActiveNamed as u8);
        assert_eq!(entry.session, scene.session(&control).unwrap().id);
        assert!(entry.expires_ns.abs_diff(before + 30_000_000_000) < 1_000_000_000);
        let mut data = open(scene, source, to, pass(Reason::ActiveNamed, class));
        let flow = scene.flow(&data).unwrap();
        assert_eq!(flow.kind, FlowKind::Active as u8);
        assert_eq!(flow.session, scene.session(&control).unwrap().id);
        goes_on(scene, &mut data, Reason::DataFlow, PortClass::ActiveData);
        scene.reply(&mut control, "200 ok\r\n");
        // Neighbours: another port of the client, another client.
        let mut beside = data.clone();
        beside.client.set_port(52_000);
        let stranger = scene.connection(scene.unlisted(7), 51_000, source);
        let strange = stranger.client_at(1, TcpFlags::ACK, b"");
        let ack = beside.client_at(1, TcpFlags::ACK, b"");
        let syn = beside.client_at(1, TcpFlags::SYN, b"");
        if class == PortClass::Other {
            let not_ftp = pass(Reason::NotFtp, class);
            for frame in [ack, syn, strange] {
                scene.xdp("beside the data connection", &frame, not_ftp);
            }
        } else {
            scene.xdp("an ACK beside it", &ack, drop(Reason::NoFlow, class));
            scene.xdp("a SYN", &syn, drop(Reason::ActiveDataSyn, class));
            scene.xdp("a stranger's ACK", &strange, drop(Reason::NotListed, class));
        }
    }
}

fn expires(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    let to = SocketAddr::new(scene.listed(7), 51_000);
    scene.name(&mut control, to);
    let mut state = scene.guard.state();
    let mut table = state.named().unwrap();
    let (key, mut entry) = table.entries().unwrap()[0];
    entry.expires_ns = monotonic_ns() - 1_000_000_000;
    table.set(key, entry).unwrap();
    open(scene, 33_333, to, pass(Reason::NotFtp, PortClass::Other));
    open(
        scene,
        20,
        to,
        pass(Reason::ActiveClient, PortClass::ActiveData),
    );
}

fn revoked(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    let to = SocketAddr::new(scene.listed(7), 51_000);
    for (reply, holds) in [
        ("200 ok\r\n", true),
        ("399 ok\r\n", true),
        ("400 no\r\n", false),
        ("500 no\r\n", false),
        ("500-no\r\n500 no\r\n", false),
        ("200-ok\r\n500 no\r\n200 ok\r\n", true),
    ] {
        scene.name(&mut control, to);
        assert_eq!(scene.named().len(), 1, "permitted at once");
        scene.reply(&mut control, reply);
        assert_eq!(scene.named().len(), usize::from(holds), "{reply}");
    }
    // The reply to another command says nothing of it.
    scene.command(&mut control, "NOOP\r\n");
    scene.name(&mut control, to);
    scene.reply(&mut control, "500 not to NOOP\r\n");
    assert_eq!(scene.named().len(), 1);
    scene.reply(&mut control, "200 ok\r\n");
    scene.command(&mut control, "RETR x\r\n");
    scene.reply(&mut control, "550 no such file\r\n");
    assert_eq!(scene.named().len(), 1);
    // 150 is no final reply.
    scene.name(&mut control, to);
    scene.reply(&mut control, "150 wait\r\n");
    scene.reply(&mut control, "501 no\r\n");
    assert_eq!(scene.named().len(), 0);
    open(scene, 33_333, to, pass(Reason::NotFtp, PortClass::Other));
}

fn bounce(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    for victim in [scene.listed(8), scene.unlisted(7), scene.server(1)] {
        let to = SocketAddr::new(victim, 51_000);
        scene.name(&mut control, to);
        for (source, class) in SOURCES {
            let data = open(scene, source, to, drop(Reason::Bounce, class));
            assert_eq!(scene.flow(&data), None);
        }
        open(
            scene,
            50_001,
            to,
            drop(Reason::Bounce, PortClass::PassiveData),
        );
        let beside = SocketAddr::new(victim, 51_001);
        open(
            scene,
            33_333,
            beside,
            pass(Reason::NotFtp, PortClass::Other),
        );
        open(
            scene,
            20,
            beside,
            drop(Reason::Bounce, PortClass::ActiveData),
        );
    }
    // Also of another client with a session: it is not this session's client.
    scene.login_of(scene.listed(8));
    let to = SocketAddr::new(scene.listed(8), 51_000);
    scene.name(&mut control, to);
    open(scene, 33_333, to, drop(Reason::Bounce, PortClass::Other));
}

fn fxp(scene: &mut Scene<'_>) {
    scene.policy.sessions.flags = FLAG_FXP;
    scene.install();
    let mut control = scene.login();
    let third = SocketAddr::new(scene.listed(8), 51_000);
    let stranger = SocketAddr::new(scene.unlisted(7), 51_000);
    let low = SocketAddr::new(scene.listed(8), 1023);
    for (to, reason, passes) in [
        (third, Reason::ActiveNamed, true),
        (stranger, Reason::Bounce, false),
        (low, Reason::ActiveLowPort, false),
    ] {
        scene.name(&mut control, to);
        for (source, class) in SOURCES {
            let wanted = Wanted {
                passes,
                reason,
                class,
            };
            open(scene, source, to, wanted);
        }
    }
}

fn low_ports(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    for (port, reason, passes) in [
        (1, Reason::ActiveLowPort, false),
        (22, Reason::ActiveLowPort, false),
        (1023, Reason::ActiveLowPort, false),
        (1024, Reason::ActiveNamed, true),
    ] {
        let to = SocketAddr::new(scene.listed(7), port);
        scene.name(&mut control, to);
        for (source, class) in SOURCES {
            let wanted = Wanted {
                passes,
                reason,
                class,
            };
            open(scene, source, to, wanted);
        }
    }
    let unnamed = SocketAddr::new(scene.listed(7), 80);
    let low = drop(Reason::ActiveLowPort, PortClass::ActiveData);
    open(scene, 20, unnamed, low);
    open(
        scene,
        33_333,
        unnamed,
        pass(Reason::NotFtp, PortClass::Other),
    );
}

fn active_client(scene: &mut Scene<'_>) {
    let class = PortClass::ActiveData;
    let to = SocketAddr::new(scene.listed(7), 51_000);
    let answer = pass(Reason::ServerAnswer, class);
    open(scene, 20, to, drop(Reason::Bounce, class));
    let control = scene.login();
    let mut data = open(scene, 20, to, pass(Reason::ActiveClient, class));
    goes_on(scene, &mut data, Reason::DataFlow, class);
    open(scene, 989, to, pass(Reason::ActiveClient, class));
    for other in [scene.listed(8), scene.unlisted(7)] {
        open(
            scene,
            20,
            SocketAddr::new(other, 51_000),
            drop(Reason::Bounce, class),
        );
    }
    let beside = scene.data(52_000, 20);
    scene.egress(
        "an ACK of no connection",
        &beside.server_at(1, TcpFlags::ACK, b""),
        answer,
    );
    scene.egress(
        "a RST of no connection",
        &beside.server_at(1, TcpFlags::RST, b""),
        answer,
    );
    assert!(scene.session(&control).is_some());
}

fn under_tls(scene: &mut Scene<'_>) {
    let class = PortClass::ActiveData;
    scene.login_tls();
    let to = SocketAddr::new(scene.listed(7), 51_000);
    let mut data = open(scene, 20, to, pass(Reason::ActiveClient, class));
    goes_on(scene, &mut data, Reason::DataFlow, class);
    let other = SocketAddr::new(scene.listed(8), 51_000);
    open(scene, 20, other, drop(Reason::Bounce, class));
}

fn outgoing(scene: &mut Scene<'_>) {
    let class = PortClass::PassiveData;
    for client in [scene.listed(7), scene.unlisted(7)] {
        for port in [80, 443, 51_000] {
            let to = SocketAddr::new(client, port);
            let mut data = open(scene, 50_002, to, pass(Reason::Outgoing, class));
            assert_eq!(scene.flow(&data).unwrap().kind, FlowKind::Outgoing as u8);
            goes_on(scene, &mut data, Reason::Outgoing, class);
            let mut beside = data.clone();
            beside.client.set_port(port + 1);
            let (ack, wanted) = (
                beside.client_at(1, TcpFlags::ACK, b""),
                if client == scene.listed(7) {
                    drop(Reason::NoFlow, class)
                } else {
                    drop(Reason::NotListed, class)
                },
            );
            scene.xdp("an ACK beside it", &ack, wanted);
        }
    }
}

fn full(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    for number in 0..1024_u16 {
        let data = scene.data(10_000 + number, 50_001);
        scene.set_flow(&data, FlowKind::Passive);
    }
    let to = SocketAddr::new(scene.listed(7), 51_000);
    scene.name(&mut control, to);
    for (source, class) in SOURCES {
        open(scene, source, to, drop(Reason::FlowTableFull, class));
    }
}
