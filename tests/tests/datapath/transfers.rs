//! How many data connections a listed source may have, and how many handshakes it may begin.

use std::net::{IpAddr, SocketAddr};

use ftp_guard::frame::TcpFlags;
use ftp_guard_common::{
    class::PortClass,
    config::Role,
    limits::{Profile, Source},
    reason::Reason,
    session::FlowKind,
};
use ftp_guard_tests::conversation::{Conversation, DATA, FIN_ACK, SYN_ACK};

use crate::{
    numbers::limited,
    passive::{ANSWER as DATA_ANSWER, DATA_PORT, FLOW, NOT_LISTED, PINHOLE},
    row::{Wanted, drop, pass},
    scene::{ANYWHERE, ROUTER, Scene, Story, active_command, passive_reply},
    sources::{HOUR, LISTED, SESSION, rate},
};

const DATA_LIMIT: Wanted = drop(Reason::DataLimit, DATA_PORT);
const HANDSHAKES: Wanted = drop(Reason::SourceRate, DATA_PORT);

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        ("data connections on passive ports", ANYWHERE, passive),
        (
            "data connections come and go on a router",
            ROUTER,
            come_and_go,
        ),
        (
            "data connections of several sessions",
            ANYWHERE,
            of_sessions,
        ),
        ("data connections under TLS", ANYWHERE, under_tls),
        ("data connections that the server opens", ANYWHERE, active),
        (
            "a connection of the server's that becomes another kind",
            ANYWHERE,
            another_kind,
        ),
        ("handshakes to one passive port", ANYWHERE, handshakes),
    ])
}

/// A connection to a passive port that the server has accepted, in the tables of host or router.
fn connect(scene: &mut Scene<'_>, client: IpAddr, client_port: u16, port: u16) -> Conversation {
    let mut data = scene.connection(client, client_port, port);
    let syn = data.client(TcpFlags::SYN, b"");
    scene.twice("the SYN of a data connection", &syn, PINHOLE);
    if scene.role() == Role::Router {
        scene.egress("its SYN+ACK", &data.server(SYN_ACK, b""), DATA_ANSWER);
        let ack = data.client(TcpFlags::ACK, b"");
        scene.xdp("its ACK", &ack, PINHOLE);
        scene.egress("data", &data.server(DATA, b"x"), FLOW);
    } else {
        // As the program on sockets does.
        scene.set_flow(&data, FlowKind::Passive);
        let (sessions, opening, others) = scene.counts(client).unwrap();
        let source = Source {
            sessions,
            opening,
            data: others + 1,
            reserved: 0,
        };
        scene.set_source(client, source);
        let key = data.key().pinhole_key([0; 16]);
        let mut state = scene.guard.state();
        state.pinholes().unwrap().remove(key).unwrap();
        state.set_negotiated(port, 0).unwrap();
    }
    data
}

fn knock(scene: &mut Scene<'_>, client: IpAddr, port: u16, wanted: Wanted) {
    let data = scene.connection(client, 39_001, port);
    let syn = data.client_at(1, TcpFlags::SYN, b"");
    scene.twice("the SYN of one more data connection", &syn, wanted);
}

fn passive(scene: &mut Scene<'_>) {
    scene.profile(limited(0, 2));
    let source = scene.source(1, 1);
    let mut control = scene.greet(source, 30_000);
    for number in 0..2 {
        scene.negotiate(&mut control, 50_010 + number);
        let data = connect(scene, source, 31_000 + number, 50_010 + number);
        assert_eq!(scene.counts(source), Some((1, 0, u32::from(number) + 1)));
        let ack = data.client_at(data.client_next, TcpFlags::ACK, b"");
        scene.twice("a data connection goes on", &ack, FLOW);
    }
    scene.negotiate(&mut control, 50_013);
    knock(scene, source, 50_013, DATA_LIMIT);
    let stranger = scene.unlisted(7);
    knock(scene, stranger, 50_013, NOT_LISTED);
    knock(scene, source, 50_014, drop(Reason::NoPinhole, DATA_PORT));
    knock(scene, source, 22, crate::cases::not_ftp());
    // The pinhole is still there: when a connection ends, the next one passes.
    let source_now = Source {
        sessions: 1,
        data: 1,
        ..Source::default()
    };
    scene.set_source(source, source_now);
    knock(scene, source, 50_013, PINHOLE);
    // A number of zero is no limit.
    let many = Source {
        data: 1000,
        ..source_now
    };
    scene.set_source(source, many);
    knock(scene, source, 50_013, DATA_LIMIT);
    scene.policy.profiles.insert(0, Profile::default());
    scene.install();
    knock(scene, source, 50_013, PINHOLE);
}

fn come_and_go(scene: &mut Scene<'_>) {
    scene.profile(limited(0, 1));
    let source = scene.source(1, 1);
    let mut control = scene.greet(source, 30_000);
    for number in 0..4 {
        scene.negotiate(&mut control, 50_010 + number);
        let mut data = connect(scene, source, 31_000 + number, 50_010 + number);
        assert_eq!(scene.counts(source), Some((1, 0, 1)));
        scene.egress("the server's FIN", &data.server(FIN_ACK, b""), FLOW);
        let fin = data.client(FIN_ACK, b"");
        scene.xdp("the client's FIN", &fin, FLOW);
        assert_eq!(scene.counts(source), Some((1, 0, 0)));
        scene.xdp("the client's FIN again", &fin, FLOW);
        let ack = data.server(TcpFlags::ACK, b"");
        scene.egress("the last ACK", &ack, FLOW);
        assert_eq!(scene.counts(source), Some((1, 0, 0)), "counted once");
    }
}

/// The number is of one session, and counts for all of a source together.
fn of_sessions(scene: &mut Scene<'_>) {
    scene.profile(limited(0, 2));
    let source = scene.source(1, 1);
    let mut control = scene.greet(source, 30_000);
    scene.greet(source, 30_001);
    scene.negotiate(&mut control, 50_010);
    for (sessions, data, wanted) in [
        (2, 3, PINHOLE),
        (2, 4, DATA_LIMIT),
        (1, 1, PINHOLE),
        (1, 2, DATA_LIMIT),
        // What the daemon has not corrected yet: a source has at least one session here.
        (0, 1, PINHOLE),
        (0, 2, DATA_LIMIT),
        (3, 1_000_000, DATA_LIMIT),
        (1_000_000, 5, PINHOLE),
    ] {
        let counts = Source {
            sessions,
            data,
            ..Source::default()
        };
        scene.set_source(source, counts);
        knock(scene, source, 50_010, wanted);
    }
}

fn under_tls(scene: &mut Scene<'_>) {
    if scene.role() == Role::Host {
        // Without a listening socket no port is open under TLS; `tls` has stories with one.
        return;
    }
    scene.profile(limited(0, 1));
    let source = scene.source(1, 1);
    let mut control = scene.connection(source, 30_000, 990);
    scene.prove(&mut control, LISTED);
    let hello = control.client(DATA, b"\x16\x03\x01hello");
    scene.xdp("the client's hello", &hello, LISTED);
    scene.reply_bytes(&mut control, b"\x16\x03\x03hello");
    knock(scene, source, 50_010, pass(Reason::TlsListening, DATA_PORT));
    let counts = Source {
        sessions: 1,
        data: 1,
        ..Source::default()
    };
    scene.set_source(source, counts);
    knock(scene, source, 50_010, DATA_LIMIT);
}

fn active(scene: &mut Scene<'_>) {
    const ACTIVE: PortClass = PortClass::ActiveData;
    scene.profile(limited(0, 1));
    let source = scene.source(1, 1);
    let mut control = scene.greet(source, 30_000);
    let one = Source {
        sessions: 1,
        data: 1,
        ..Source::default()
    };
    for (number, is_named) in [(0, true), (1, false)] {
        let port = 35_000 + number;
        if is_named {
            let command = active_command(SocketAddr::new(source, port));
            scene.command(&mut control, &command);
            scene.reply(&mut control, "200 ok\r\n");
        }
        let mut data = scene.connection(source, port, 20);
        let syn = data.server(TcpFlags::SYN, b"");
        scene.set_source(source, one);
        scene.egress(
            "the server opens one too many",
            &syn,
            drop(Reason::DataLimit, ACTIVE),
        );
        scene.set_source(source, Source { data: 0, ..one });
        let reason = if is_named {
            Reason::ActiveNamed
        } else {
            Reason::ActiveClient
        };
        scene.egress("the server opens one", &syn, pass(reason, ACTIVE));
        assert_eq!(
            scene.counts(source),
            Some((1, 0, 1)),
            "it counts from then on"
        );
        scene.egress("its SYN again", &syn, pass(reason, ACTIVE));
        assert_eq!(scene.counts(source), Some((1, 0, 1)), "once");
    }
}

fn handshakes(scene: &mut Scene<'_>) {
    scene.limit(|policy| policy.limits.handshakes = rate(4));
    let (source, other) = (scene.source(1, 1), scene.source(1, 2));
    let mut control = scene.greet(source, 30_000);
    let mut of_other = scene.greet(other, 30_000);
    scene.negotiate(&mut control, 50_010);
    scene.negotiate(&mut control, 50_011);
    scene.negotiate(&mut of_other, 50_010);
    knock(scene, source, 50_010, PINHOLE);
    knock(scene, source, 50_010, PINHOLE);
    knock(scene, source, 50_010, HANDSHAKES);
    knock(scene, source, 50_011, PINHOLE);
    knock(scene, other, 50_010, PINHOLE);
    // Those that are refused for what they are charge nothing.
    for _ in 0..4 {
        knock(scene, other, 50_012, drop(Reason::NoPinhole, DATA_PORT));
    }
    let reply = of_other.server_at(of_other.server_next, DATA, passive_reply(50_012).as_bytes());
    let question = of_other.client(DATA, b"EPSV\r\n");
    scene.xdp("EPSV", &question, SESSION);
    scene.control("EPSV", &question, SESSION);
    scene.egress("its answer", &reply, SESSION);
    knock(scene, other, 50_012, PINHOLE);
    knock(scene, other, 50_012, PINHOLE);
    knock(scene, other, 50_012, HANDSHAKES);
    scene.elapse(HOUR);
    let syn = scene
        .connection(source, 39_001, 50_010)
        .client_at(1, TcpFlags::SYN, b"");
    scene.xdp("later", &syn, PINHOLE);
    scene.xdp("later, once more", &syn, HANDSHAKES);
}

/// A request that is sent again after the server refused the PORT, and once more after it took another:
/// the connection counts while it is the session's, and not while it is the host's own.
fn another_kind(scene: &mut Scene<'_>) {
    scene.profile(limited(0, 2));
    let source = scene.source(1, 1);
    let to = SocketAddr::new(source, 35_000);
    let mut control = scene.greet(source, 30_000);
    let mut data = scene.connection(source, to.port(), 50_010);
    let syn = data.server(TcpFlags::SYN, b"");
    let named = pass(Reason::ActiveNamed, DATA_PORT);
    let outgoing = pass(Reason::Outgoing, DATA_PORT);
    for _ in 0..2 {
        scene.command(&mut control, &active_command(to));
        scene.egress("a request", &syn, named);
        assert_eq!(scene.counts(source), Some((1, 0, 1)));
        scene.egress("the same again", &syn, named);
        assert_eq!(scene.counts(source), Some((1, 0, 1)));
        scene.reply(&mut control, "500 no\r\n");
        scene.egress("again, after the refusal", &syn, outgoing);
        assert_eq!(scene.counts(source), Some((1, 0, 0)));
        scene.egress("and again", &syn, outgoing);
        assert_eq!(scene.counts(source), Some((1, 0, 0)));
    }
}
