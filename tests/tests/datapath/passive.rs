//! Passive data connections: pinholes in clear text, listening ports under TLS, and what happens
//! without either.

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    address::from_ip,
    class::PortClass,
    config::{FLAG_GUARD_OUTSIDE, Role},
    reason::Reason,
    session::{FlowKind, HALF_CLOSED_LINGER_NS, LINGER_NS},
};
use ftp_guard_tests::conversation::{Conversation, DATA, FIN_ACK, RST_ACK, SYN_ACK};

use crate::{
    row::{Wanted, drop, pass},
    scene::{ANYWHERE, ROUTER, Scene, Story, passive_reply},
    sources::wait_for_age,
};

pub(crate) const DATA_PORT: PortClass = PortClass::PassiveData;
pub(crate) const PINHOLE: Wanted = pass(Reason::Pinhole, DATA_PORT);
pub(crate) const FLOW: Wanted = pass(Reason::DataFlow, DATA_PORT);
pub(crate) const ANSWER: Wanted = pass(Reason::ServerAnswer, DATA_PORT);
const THEFT: Wanted = drop(Reason::PasvTheft, DATA_PORT);
pub(crate) const NO_PINHOLE: Wanted = drop(Reason::NoPinhole, DATA_PORT);
pub(crate) const NO_SESSION: Wanted = drop(Reason::NoSession, DATA_PORT);
pub(crate) const NO_FLOW: Wanted = drop(Reason::NoFlow, DATA_PORT);
pub(crate) const NOT_LISTED: Wanted = drop(Reason::NotListed, DATA_PORT);
pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        (
            "a pinhole is for one client and one port",
            ANYWHERE,
            one_client,
        ),
        (
            "a pinhole that has expired counts no more",
            ANYWHERE,
            expired,
        ),
        (
            "a pinhole becomes a data connection, once",
            ANYWHERE,
            becomes_a_flow,
        ),
        (
            "what is sent before the server has seen the handshake's end is counted",
            ANYWHERE,
            counted_early,
        ),
        ("a refused connection leaves the pinhole", ANYWHERE, refused),
        ("several clients on one port", ANYWHERE, shared_port),
        ("a data connection of a session", ANYWHERE, flow),
        (
            "a data connection lingers when it has ended",
            ANYWHERE,
            lingers,
        ),
        ("kill ends a data connection both ways", ANYWHERE, killed),
        ("a removed entry ends a data connection", ANYWHERE, removed),
        (
            "the server's address is part of a pinhole on a router alone",
            ANYWHERE,
            scope,
        ),
        (
            "data connections from before the guard came",
            ANYWHERE,
            adopted,
        ),
        ("a port outside the ranges", ANYWHERE, outside),
        (
            "a port outside the ranges, guarded",
            ANYWHERE,
            outside_guarded,
        ),
        (
            "on a router a data connection ends by FIN both ways or RST",
            ROUTER,
            ends,
        ),
    ])
}

fn one_client(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    let other = scene.login_of(scene.listed(8));
    let (client, neighbour) = (scene.listed(7), scene.listed(8));
    scene.knock(client, 50_005, NO_PINHOLE);
    scene.knock(scene.listed(9), 50_005, NO_SESSION);
    let before = monotonic_ns();
    scene.negotiate(&mut control, 50_005);
    let pinholes = scene.pinholes();
    let [(address, port, pinhole)] = pinholes[..] else {
        panic!("{pinholes:?}")
    };
    assert_eq!((address, port), (client, 50_005));
    assert_eq!(pinhole.session, scene.session(&control).unwrap().id);
    assert_eq!(pinhole.control, control.key());
    // The programs' clock has a resolution of some milliseconds.
    assert!(pinhole.expires_ns.abs_diff(before + 30 * SECOND) < SECOND);
    assert_eq!(
        scene.guard.state().negotiated(50_005).unwrap(),
        pinhole.expires_ns
    );

    scene.knock(neighbour, 50_005, THEFT);
    scene.knock(scene.listed(9), 50_005, THEFT);
    scene.knock(scene.unlisted(7), 50_005, NOT_LISTED);
    scene.knock(client, 50_006, NO_PINHOLE);
    scene.knock(neighbour, 50_006, NO_PINHOLE);
    scene.knock(scene.listed(9), 50_006, NO_SESSION);
    scene.knock(client, 22, pass(Reason::NotFtp, PortClass::Other));
    scene.knock(
        client,
        20,
        drop(Reason::ActiveDataSyn, PortClass::ActiveData),
    );
    for client_port in [40_001, 65_535] {
        let mut data = scene.data(client_port, 50_005);
        let syn = data.client(TcpFlags::SYN, b"");
        scene.xdp("the SYN", &syn, PINHOLE);
        scene.xdp("the SYN again", &syn, PINHOLE);
        let ack = data.client(TcpFlags::ACK, b"");
        scene.xdp("an ACK while the pinhole holds", &ack, PINHOLE);
        let stolen = scene.connection(neighbour, client_port, 50_005);
        scene.xdp(
            "another's ACK",
            &stolen.client_at(1, TcpFlags::ACK, b""),
            NO_FLOW,
        );
    }
    assert_eq!(scene.open_ports(), [50_005]);
    assert!(scene.session(&other).is_some());
}

fn expire(scene: &mut Scene<'_>) {
    let past = monotonic_ns() - SECOND;
    let mut state = scene.guard.state();
    let (key, mut pinhole) = state.pinholes().unwrap().entries().unwrap()[0];
    pinhole.expires_ns = past;
    state.pinholes().unwrap().set(key, pinhole).unwrap();
    let port = u16::from_be_bytes(key.port);
    state.set_negotiated(port, past).unwrap();
}

fn expired(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    scene.knock(scene.listed(7), 50_005, PINHOLE);
    expire(scene);
    let data = scene.knock(scene.listed(7), 50_005, NO_PINHOLE);
    scene.knock(scene.listed(9), 50_005, NO_SESSION);
    let ack = data.client_at(1, TcpFlags::ACK, b"");
    scene.xdp("an ACK after it", &ack, NO_FLOW);
    scene.negotiate(&mut control, 50_005);
    scene.knock(scene.listed(7), 50_005, PINHOLE);
}

/// The handshake, and the server's first segment behind it.
pub(crate) fn connect(scene: &mut Scene<'_>, port: u16, wanted: Wanted) -> Conversation {
    let mut data = scene.knock(scene.listed(7), port, wanted);
    scene.egress("the SYN+ACK", &data.server(SYN_ACK, b""), ANSWER);
    scene.xdp("the ACK", &data.client(TcpFlags::ACK, b""), wanted);
    if scene.role() == Role::Host {
        // What the program on sockets does then.
        scene.set_flow(&data, FlowKind::Passive);
        let mut state = scene.guard.state();
        let mut pinholes = state.pinholes().unwrap();
        let key = data.key().pinhole_key([0; 16]);
        if pinholes.get(key).unwrap().is_some() {
            pinholes.remove(key).unwrap();
            state.set_negotiated(port, 0).unwrap();
        }
    }
    scene.egress("the server's first data", &data.server(DATA, b"data"), FLOW);
    data
}

/// A driver hands over a batch of frames before the stack sees the first one.
fn counted_early(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    let mut data = scene.knock(scene.listed(7), 50_005, PINHOLE);
    scene.egress("the SYN+ACK", &data.server(SYN_ACK, b""), ANSWER);
    scene.xdp("the ACK", &data.client(TcpFlags::ACK, b""), PINHOLE);
    scene.xdp("data", &data.client(DATA, b"upload"), PINHOLE);
    let other = scene.data(40_002, 50_005);
    let unproven = other.client_at(1, DATA, b"of no handshake");
    scene.xdp("of no handshake", &unproven, PINHOLE);
    scene.xdp("more data", &data.client(DATA, b"ed"), PINHOLE);
    scene.egress("the server's", &data.server(TcpFlags::ACK, b""), FLOW);
    let traffic = scene.flow(&data).unwrap().traffic;
    assert_eq!((traffic.packets_in, traffic.bytes_in), (2, 8));
}

fn becomes_a_flow(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    let data = connect(scene, 50_005, PINHOLE);
    assert_eq!(scene.open_ports(), [0; 0]);
    let flow = scene.flow(&data).unwrap();
    assert_eq!((flow.kind, flow.established), (FlowKind::Passive as u8, 1));
    if scene.role() == Role::Router {
        assert_eq!(flow.session, scene.session(&control).unwrap().id);
    }
    let second = scene.data(40_002, 50_005);
    scene.xdp(
        "a second SYN",
        &second.client_at(1, TcpFlags::SYN, b""),
        NO_PINHOLE,
    );
    scene.xdp(
        "a second ACK",
        &second.client_at(1, TcpFlags::ACK, b""),
        NO_FLOW,
    );
}

fn refused(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    let mut data = scene.knock(scene.listed(7), 50_005, PINHOLE);
    scene.egress(
        "the RST of a closed port",
        &data.server(RST_ACK, b""),
        ANSWER,
    );
    assert_eq!(scene.flow(&data), None);
    assert_eq!(scene.open_ports(), [50_005]);
    scene.knock(scene.listed(7), 50_005, PINHOLE);
}

fn shared_port(scene: &mut Scene<'_>) {
    for host in [7, 8] {
        let mut control = scene.login_of(scene.listed(host));
        scene.negotiate(&mut control, 50_005);
    }
    assert_eq!(scene.open_ports(), [50_005; 2]);
    scene.knock(scene.listed(7), 50_005, PINHOLE);
    scene.knock(scene.listed(8), 50_005, PINHOLE);
    scene.knock(scene.listed(9), 50_005, THEFT);
    connect(scene, 50_005, PINHOLE);
    scene.knock(scene.listed(8), 50_005, PINHOLE);
}

fn flow(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    let mut data = connect(scene, 50_005, PINHOLE);
    for payload in [&b""[..], b"more"] {
        scene.xdp("from the client", &data.client(DATA, payload), FLOW);
        scene.egress("from the server", &data.server(DATA, payload), FLOW);
        scene.control(
            "from the client, behind XDP",
            &data.client_at(1, DATA, payload),
            pass(Reason::NotFtp, DATA_PORT),
        );
    }
    let traffic = scene.flow(&data).unwrap().traffic;
    assert_eq!((traffic.packets_in, traffic.bytes_in), (2, 4));
    assert_eq!((traffic.packets_out, traffic.bytes_out), (3, 8));
    assert_eq!((traffic.fin_client, traffic.fin_server), (0, 0));
    let beside = scene.data(data.client.port() + 1, 50_005);
    let ack = beside.client_at(1, TcpFlags::ACK, b"");
    scene.xdp("an ACK of another port of the client", &ack, NO_FLOW);
    let beside = scene.data(data.client.port(), 50_006);
    let ack = beside.client_at(1, TcpFlags::ACK, b"");
    scene.xdp("an ACK to another port of the server", &ack, NO_FLOW);
    let beside = scene.connection(scene.listed(8), data.client.port(), 50_005);
    let ack = beside.client_at(1, TcpFlags::ACK, b"");
    scene.xdp("an ACK of another client", &ack, NO_FLOW);
    scene.egress(
        "an ACK to another client",
        &beside.server_at(1, TcpFlags::ACK, b""),
        ANSWER,
    );
}

fn lingers(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    let data = connect(scene, 50_005, PINHOLE);
    let now = monotonic_ns();
    scene.change_flow(&data, |flow| flow.traffic.closed_ns = now);
    let (ack, answer) = (
        data.client_at(data.client_next, TcpFlags::ACK, b""),
        data.server_at(data.server_next, TcpFlags::ACK, b""),
    );
    scene.xdp("an ACK while it lingers", &ack, FLOW);
    scene.egress("an ACK while it lingers", &answer, FLOW);
    wait_for_age(HALF_CLOSED_LINGER_NS + SECOND);
    let now = monotonic_ns();
    let past = now - LINGER_NS - SECOND;
    scene.change_flow(&data, |flow| flow.traffic.closed_ns = past);
    // The server has closed, and its kernel waits for the client's FIN.
    scene.xdp("an ACK of a client that is not done", &ack, FLOW);
    scene.change_flow(&data, |flow| {
        flow.traffic.closed_ns = now - HALF_CLOSED_LINGER_NS - SECOND;
    });
    scene.xdp("an ACK of a client that is never done", &ack, NO_FLOW);
    scene.change_flow(&data, |flow| {
        flow.traffic.closed_ns = past;
        flow.traffic.fin_client = 1;
    });
    scene.xdp("an ACK after it has lingered", &ack, NO_FLOW);
    scene.egress("an ACK after it has lingered", &answer, ANSWER);
}

fn killed(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    let data = connect(scene, 50_005, PINHOLE);
    scene.change_flow(&data, |flow| flow.traffic.killed = 1);
    let killed = drop(Reason::Killed, DATA_PORT);
    for flags in [TcpFlags::ACK, FIN_ACK, DATA] {
        scene.xdp(
            "from the client",
            &data.client_at(data.client_next, flags, b""),
            killed,
        );
        scene.egress(
            "from the server",
            &data.server_at(data.server_next, flags, b""),
            killed,
        );
    }
    scene.reply(&mut control, "226 its session goes on\r\n");
}

fn removed(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    let data = connect(scene, 50_005, PINHOLE);
    scene.negotiate(&mut control, 50_006);
    let ack = data.client_at(data.client_next, TcpFlags::ACK, b"");
    scene.policy.allow.clear();
    scene.install();
    scene.xdp("an ACK, the generation being as it was", &ack, FLOW);
    scene.knock(scene.listed(7), 50_006, NOT_LISTED);
    scene.guard.allow_generation += 1;
    scene.install();
    scene.xdp("an ACK, the generation raised", &ack, NOT_LISTED);
}

fn scope(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    let key = scene.guard.state().pinholes().unwrap().entries().unwrap()[0].0;
    let server = from_ip(scene.server(1)).0;
    let mut elsewhere = scene.data(40_001, 50_005);
    elsewhere.server.set_ip(scene.server(2));
    let (scope, wanted) = match scene.role() {
        Role::Host => ([0; 16], PINHOLE),
        Role::Router => (server, THEFT),
    };
    assert_eq!(key.server, scope);
    let syn = elsewhere.client(TcpFlags::SYN, b"");
    scene.xdp("a SYN to another address of the server", &syn, wanted);
    let mut other = scene.data(40_001, 50_006);
    other.server.set_ip(scene.server(2));
    let wanted = match scene.role() {
        Role::Host => NO_PINHOLE,
        Role::Router => NO_SESSION,
    };
    let syn = other.client(TcpFlags::SYN, b"");
    scene.xdp("a SYN to another address and port", &syn, wanted);
}

fn adopted(scene: &mut Scene<'_>) {
    let mut data = scene.data(40_001, 50_005);
    let ack = data.client_at(7, TcpFlags::ACK, b"");
    scene.xdp("an ACK, before the grace", &ack, NO_FLOW);
    scene.guard.adopt_until_ns = monotonic_ns() + 3600 * SECOND;
    scene.install();
    let adopting = pass(Reason::Adopting, DATA_PORT);
    scene.xdp("an ACK in the grace", &ack, adopting);
    scene.xdp(
        "data in the grace",
        &data.client_at(7, DATA, b"x"),
        adopting,
    );
    scene.knock(scene.listed(7), 50_005, NO_SESSION);
    let stranger = scene.connection(scene.unlisted(7), 40_001, 50_005);
    let theirs = stranger.client_at(7, TcpFlags::ACK, b"");
    scene.xdp("a stranger's ACK in the grace", &theirs, NOT_LISTED);
    assert_eq!(
        scene.flow(&data),
        None,
        "what a client sends proves nothing"
    );
    scene.egress(
        "the server's data in the grace",
        &data.server(DATA, b"x"),
        FLOW,
    );
    assert_eq!(scene.flow(&data).unwrap().kind, FlowKind::Passive as u8);
    scene.xdp("an ACK of what was taken over", &ack, FLOW);
    scene.guard.adopt_until_ns = monotonic_ns() - SECOND;
    scene.install();
    scene.xdp("an ACK of what was taken over, later", &ack, FLOW);
    let other = scene.data(40_009, 50_005);
    scene.xdp(
        "another ACK, later",
        &other.client_at(7, TcpFlags::ACK, b""),
        NO_FLOW,
    );
    scene.egress("data to it, later", &other.server_at(7, DATA, b"x"), ANSWER);
    assert_eq!(scene.flow(&other), None);
}

fn outside(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.command(&mut control, "EPSV\r\n");
    let wanted = pass(Reason::OutsideRange, PortClass::Control);
    scene.reply_as(&mut control, passive_reply(60_000).as_bytes(), wanted);
    let not_ftp = pass(Reason::NotFtp, PortClass::Other);
    for client in [scene.listed(7), scene.listed(8), scene.unlisted(7)] {
        scene.knock(client, 60_000, not_ftp);
    }
}

fn outside_guarded(scene: &mut Scene<'_>) {
    scene.policy.sessions.flags = FLAG_GUARD_OUTSIDE;
    scene.install();
    let mut control = scene.login();
    let not_ftp = pass(Reason::NotFtp, PortClass::Other);
    scene.knock(scene.unlisted(7), 60_000, not_ftp);
    scene.command(&mut control, "EPSV\r\n");
    let wanted = pass(Reason::OutsideRange, PortClass::Control);
    scene.reply_as(&mut control, passive_reply(60_000).as_bytes(), wanted);
    assert_eq!(scene.open_ports(), [60_000]);
    scene.knock(
        scene.listed(8),
        60_000,
        drop(Reason::PasvTheft, PortClass::PassiveData),
    );
    scene.knock(scene.unlisted(7), 60_000, NOT_LISTED);
    scene.knock(scene.listed(7), 60_000, PINHOLE);
    scene.knock(scene.unlisted(7), 60_001, not_ftp);
}

fn ends(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    let mut data = connect(scene, 50_005, PINHOLE);
    scene.xdp("the client's FIN", &data.client(FIN_ACK, b""), FLOW);
    assert_eq!(scene.flow(&data).unwrap().traffic.closed_ns, 0);
    scene.egress("the server's FIN", &data.server(FIN_ACK, b""), FLOW);
    assert_ne!(scene.flow(&data).unwrap().traffic.closed_ns, 0);
    scene.xdp("the last ACK", &data.client(TcpFlags::ACK, b""), FLOW);
    for from_server in [false, true] {
        let port = 50_006 + u16::from(from_server);
        scene.negotiate(&mut control, port);
        let mut data = connect(scene, port, PINHOLE);
        let ack = data.server(TcpFlags::ACK, b"");
        scene.egress("an ACK of the server", &ack, FLOW);
        // A RST that the server would not take (RFC 5961) ends nothing.
        let blind = data.client_at(data.client_next.wrapping_add(9), TcpFlags::RST, b"");
        scene.xdp("a RST beside the window", &blind, FLOW);
        assert_eq!(scene.flow(&data).unwrap().traffic.closed_ns, 0);
        if from_server {
            scene.egress(
                "a RST of the server",
                &data.server(TcpFlags::RST, b""),
                FLOW,
            );
        } else {
            scene.xdp(
                "a RST of the client",
                &data.client(TcpFlags::RST, b""),
                FLOW,
            );
        }
        assert_ne!(scene.flow(&data).unwrap().traffic.closed_ns, 0);
    }
}
