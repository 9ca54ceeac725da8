//! Passive data connections: pinholes in clear text, listening ports under TLS, and what happens
//! without either.

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    address::{ListenKey, from_ip},
    class::PortClass,
    config::{FLAG_GUARD_OUTSIDE, Role},
    reason::Reason,
    session::{FlowKind, LINGER_NS, Listener},
};
use ftp_guard_tests::conversation::{Conversation, DATA, FIN_ACK, RST_ACK, SYN_ACK};

use crate::{
    row::{Wanted, drop, pass},
    scene::{ANYWHERE, HOST, ROUTER, Scene, Story, passive_reply},
};

const DATA_PORT: PortClass = PortClass::PassiveData;
const PINHOLE: Wanted = pass(Reason::Pinhole, DATA_PORT);
const FLOW: Wanted = pass(Reason::DataFlow, DATA_PORT);
const ANSWER: Wanted = pass(Reason::ServerAnswer, DATA_PORT);
const TLS: Wanted = pass(Reason::TlsListening, DATA_PORT);
const THEFT: Wanted = drop(Reason::PasvTheft, DATA_PORT);
const NO_PINHOLE: Wanted = drop(Reason::NoPinhole, DATA_PORT);
const NO_SESSION: Wanted = drop(Reason::NoSession, DATA_PORT);
const NO_FLOW: Wanted = drop(Reason::NoFlow, DATA_PORT);
const NOT_LISTENING: Wanted = drop(Reason::NotListening, DATA_PORT);
const NOT_LISTED: Wanted = drop(Reason::NotListed, DATA_PORT);
const SESSION: Wanted = pass(Reason::Session, PortClass::Control);
const SECOND: u64 = 1_000_000_000;

pub(crate) fn stories() -> Vec<Story> {
    let anywhere: [(&str, fn(&mut Scene<'_>)); 15] = [
        ("a pinhole is for one client and one port", one_client),
        ("a pinhole that has expired counts no more", expired),
        ("a pinhole becomes a data connection, once", becomes_a_flow),
        ("a refused connection leaves the pinhole", refused),
        ("several clients on one port", shared_port),
        ("a data connection of a session", flow),
        ("a data connection lingers when it has ended", lingers),
        ("kill ends a data connection both ways", killed),
        ("a removed entry ends a data connection", removed),
        (
            "the server's address is part of a pinhole on a router alone",
            scope,
        ),
        ("data connections from before the guard came", adopted),
        ("a port outside the ranges", outside),
        ("a port outside the ranges, guarded", outside_guarded),
        (
            "used pinholes do not count to the limit",
            limit_counts_unused,
        ),
        ("a session that leaves its pinholes unused", limit),
    ];
    let mut stories: Vec<_> = anywhere
        .into_iter()
        .map(|(name, tell)| Story {
            name,
            roles: ANYWHERE,
            tell,
        })
        .collect();
    for (name, roles, tell) in [
        (
            "under TLS on a host the port must listen",
            HOST,
            tls_on_a_host as fn(&mut Scene<'_>),
        ),
        (
            "under TLS on a router the session counts",
            ROUTER,
            tls_on_a_router,
        ),
        (
            "on a router a data connection ends by FIN both ways or RST",
            ROUTER,
            ends,
        ),
        ("a full table of pinholes", ANYWHERE, pinholes_full),
        ("a full table of data connections", ROUTER, flows_full),
    ] {
        stories.push(Story { name, roles, tell });
    }
    stories
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
    let mut state = scene.guard.state();
    let mut pinholes = state.pinholes().unwrap();
    for (key, mut pinhole) in pinholes.entries().unwrap() {
        pinhole.expires_ns = monotonic_ns() - SECOND;
        pinholes.set(key, pinhole).unwrap();
        let port = u16::from_be_bytes(key.port);
        scene
            .guard
            .state()
            .set_negotiated(port, pinhole.expires_ns)
            .unwrap();
        break;
    }
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
fn connect(scene: &mut Scene<'_>, port: u16, wanted: Wanted) -> Conversation {
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
        }
    }
    scene.egress("the server's first data", &data.server(DATA, b"data"), FLOW);
    data
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
    // The port is known to be negotiated, and this client has no pinhole any more.
    scene.xdp(
        "a second SYN",
        &second.client_at(1, TcpFlags::SYN, b""),
        THEFT,
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
    assert!(traffic.bytes_out >= 4);
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
    scene.change_flow(&data, |flow| flow.traffic.closed_ns = now - LINGER_NS);
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

fn strict(scene: &mut Scene<'_>) {
    scene.policy.sessions.pinhole_interval_ns = 3600 * SECOND;
    scene.policy.sessions.pinhole_burst_ns = 2 * 3600 * SECOND;
    scene.install();
}

fn limit(scene: &mut Scene<'_>) {
    strict(scene);
    let mut control = scene.login();
    for port in [50_001, 50_002, 50_003] {
        scene.negotiate(&mut control, port);
    }
    scene.command(&mut control, "EPSV\r\n");
    let reply = control.server_at(control.server_next, DATA, passive_reply(50_004).as_bytes());
    let refused = drop(Reason::PinholeLimit, PortClass::Control);
    scene.egress("a fourth port", &reply, refused);
    scene.knock(scene.listed(7), 50_004, NO_PINHOLE);
    if scene.enforces() {
        // The server sends it again, and again in vain; time would help.
        scene.egress("the fourth port again", &reply, refused);
        scene.change_session(&control, |session| session.pinholes_ns = 0);
        scene.egress("the fourth port, later", &reply, SESSION);
        assert_eq!(scene.open_ports(), [50_001, 50_002, 50_003, 50_004]);
        scene.knock(scene.listed(7), 50_004, PINHOLE);
    }
    // Each session has a bucket of its own.
    let mut other = scene.login_of(scene.listed(8));
    scene.negotiate(&mut other, 50_010);
}

fn limit_counts_unused(scene: &mut Scene<'_>) {
    if scene.role() == Role::Host {
        // There the program on sockets takes pinholes, which has no test run.
        return;
    }
    strict(scene);
    let mut control = scene.login();
    for port in 50_001..50_020 {
        scene.negotiate(&mut control, port);
        connect(scene, port, PINHOLE);
    }
}

fn listen(scene: &mut Scene<'_>, address: Option<std::net::IpAddr>, port: u16, since_ns: u64) {
    let (wildcard, family) = from_ip(scene.server(1));
    let key = ListenKey {
        address: address.map_or([0; 16], |address| from_ip(address).0),
        port: port.to_be_bytes(),
        family: family as u8,
        reserved: 0,
    };
    assert_ne!(wildcard, [0; 16]);
    let listener = Listener { since_ns };
    scene
        .guard
        .state()
        .listeners()
        .unwrap()
        .set(key, listener)
        .unwrap();
}

fn last_reply(scene: &mut Scene<'_>) -> u64 {
    scene.guard.state().clients().unwrap().entries().unwrap()[0]
        .1
        .encrypted_reply_ns
}

fn tls_on_a_host(scene: &mut Scene<'_>) {
    let (client, server) = (scene.listed(7), scene.server(1));
    let mut control = scene.login_tls();
    let replied = last_reply(scene);
    assert_ne!(replied, 0);
    scene.knock(client, 50_005, NOT_LISTENING);
    let data = scene.data(40_001, 50_005);
    let ack = data.client_at(1, TcpFlags::ACK, b"");
    scene.xdp("an ACK without a listener", &ack, NO_FLOW);
    for (port, since) in [(50_005, 0), (50_006, replied), (50_007, replied + 1)] {
        listen(scene, Some(server), port, since);
    }
    scene.knock(client, 50_005, TLS);
    scene.xdp("the ACK of a handshake", &ack, TLS);
    scene.knock(client, 50_006, TLS);
    scene.knock(client, 50_007, NOT_LISTENING);
    scene.knock(client, 50_008, NOT_LISTENING);
    listen(scene, None, 50_008, replied);
    listen(scene, None, 50_009, replied + 1);
    scene.knock(client, 50_008, TLS);
    scene.knock(client, 50_009, NOT_LISTENING);
    // Later the server says something: now these listeners are old enough.
    let later = monotonic_ns() + SECOND;
    listen(scene, Some(server), 50_010, later);
    scene.knock(client, 50_010, NOT_LISTENING);
    std::thread::sleep(std::time::Duration::from_millis(10));
    scene.reply_bytes(&mut control, b"\x17\x03\x03\x00\x05....3");
    assert!(last_reply(scene) > replied);
    scene.knock(client, 50_007, TLS);
    scene.knock(client, 50_009, TLS);
    scene.knock(client, 50_010, NOT_LISTENING);

    let mut elsewhere = scene.data(40_001, 50_005);
    elsewhere.server.set_ip(scene.server(2));
    let syn = elsewhere.client(TcpFlags::SYN, b"");
    scene.xdp(
        "a SYN to an address that does not listen",
        &syn,
        NOT_LISTENING,
    );
    scene.knock(scene.listed(8), 50_005, NO_SESSION);
    scene.knock(scene.unlisted(7), 50_005, NOT_LISTED);
    scene.login_of(scene.listed(8));
    scene.knock(scene.listed(8), 50_005, NO_PINHOLE);
    let data = connect(scene, 50_005, TLS);
    scene.xdp("an ACK of it", &data.client_at(1, TcpFlags::ACK, b""), FLOW);
}

fn tls_on_a_router(scene: &mut Scene<'_>) {
    let client = scene.listed(7);
    scene.knock(client, 50_005, NO_SESSION);
    scene.login_tls();
    scene.knock(client, 50_005, TLS);
    scene.knock(scene.listed(8), 50_005, NO_SESSION);
    scene.knock(client, 49_999, pass(Reason::NotFtp, PortClass::Other));
    let mut elsewhere = scene.data(40_001, 50_005);
    elsewhere.server.set_ip(scene.server(2));
    let syn = elsewhere.client(TcpFlags::SYN, b"");
    scene.xdp("a SYN to another server", &syn, NO_SESSION);
    let data = connect(scene, 50_005, TLS);
    assert_eq!(scene.flow(&data).unwrap().kind, FlowKind::Passive as u8);
    scene.xdp("an ACK of it", &data.client_at(1, TcpFlags::ACK, b""), FLOW);
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

/// Fills the table of pinholes with some that hold for an hour.
fn pinholes_full(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    let (key, mut pinhole) = scene.guard.state().pinholes().unwrap().entries().unwrap()[0];
    pinhole.expires_ns = monotonic_ns() + 3600 * SECOND;
    for port in 1..=1023_u16 {
        let mut key = key;
        key.port = port.to_be_bytes();
        scene
            .guard
            .state()
            .pinholes()
            .unwrap()
            .set(key, pinhole)
            .unwrap();
    }
    scene.command(&mut control, "EPSV\r\n");
    let reply = control.server_at(control.server_next, DATA, passive_reply(50_006).as_bytes());
    let full = drop(Reason::PinholeTableFull, PortClass::Control);
    scene.egress("a reply for which there is no room", &reply, full);
    scene.knock(scene.listed(7), 50_005, PINHOLE);
    scene.knock(scene.listed(7), 50_006, NO_PINHOLE);
}

fn flows_full(scene: &mut Scene<'_>) {
    let mut control = scene.login();
    scene.negotiate(&mut control, 50_005);
    for number in 0..1024_u16 {
        let data = scene.data(10_000 + number, 50_001);
        scene.set_flow(&data, FlowKind::Passive);
    }
    let mut data = scene.knock(scene.listed(7), 50_005, PINHOLE);
    scene.egress("the SYN+ACK", &data.server(SYN_ACK, b""), ANSWER);
    let full = drop(Reason::FlowTableFull, DATA_PORT);
    scene.egress(
        "data for which there is no room",
        &data.server_at(1, DATA, b"x"),
        full,
    );
    let old = scene.data(10_000, 50_001);
    scene.xdp(
        "an old connection goes on",
        &old.client_at(1, TcpFlags::ACK, b""),
        FLOW,
    );
}
