//! Passive data connections of clients whose negotiation cannot be read.

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    address::{ListenKey, from_ip},
    class::PortClass,
    reason::Reason,
    session::{FlowKind, Listener},
};

use crate::{
    passive::{DATA_PORT, FLOW, NO_FLOW, NO_PINHOLE, NO_SESSION, NOT_LISTED, SECOND, connect},
    row::{Wanted, drop, pass},
    scene::{HOST, ROUTER, Scene, Story},
};

const NOT_LISTENING: Wanted = drop(Reason::NotListening, DATA_PORT);
const TLS: Wanted = pass(Reason::TlsListening, DATA_PORT);

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        (
            "under TLS on a host the port must listen",
            HOST,
            tls_on_a_host,
        ),
        (
            "under TLS on a router the session counts",
            ROUTER,
            tls_on_a_router,
        ),
    ])
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
    let listener = Listener::one(since_ns);
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
