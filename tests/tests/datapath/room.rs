//! How many pinholes a session may leave unused, and tables that are full.

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{class::PortClass, reason::Reason, session::FlowKind};
use ftp_guard_tests::conversation::{DATA, SYN_ACK};

use crate::{
    passive::{ANSWER, DATA_PORT, FLOW, NO_PINHOLE, PINHOLE, SECOND, connect},
    row::{Wanted, drop, pass},
    scene::{ANYWHERE, ROUTER, Scene, Story, passive_reply},
};

const SESSION: Wanted = pass(Reason::Session, PortClass::Control);

pub(crate) fn stories() -> Vec<Story> {
    Story::list([
        (
            "used pinholes do not count to the limit",
            // On a host the program on sockets takes pinholes, which has no test run.
            ROUTER,
            limit_counts_unused,
        ),
        ("a session that leaves its pinholes unused", ANYWHERE, limit),
        ("a full table of pinholes", ANYWHERE, pinholes_full),
        ("a full table of data connections", ROUTER, flows_full),
    ])
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
    strict(scene);
    let mut control = scene.login();
    for port in 50_001..50_020 {
        scene.negotiate(&mut control, port);
        connect(scene, port, PINHOLE);
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
