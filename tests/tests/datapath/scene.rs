//! Sequences of frames through the three programs, each with its verdict.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    class::{Family, PortClass},
    config::{Mode, Role},
    names::{STATS_CONTROL_MAP, STATS_EGRESS_MAP, STATS_MAP},
    reason::Reason,
    session::{Flow, Named, Pinhole, Session},
};
use ftp_guard_tests::{
    conversation::{Conversation, DATA, SYN_ACK},
    policy::Policy,
    program::Guard,
};

use crate::{
    row::{Wanted, pass},
    tally::Tally,
};

/// The program that a frame runs through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    /// Where clients' frames come in.
    Xdp,
    /// Where the server's frames go out.
    Egress,
    /// Where clients' commands are read, behind XDP.
    Control,
}

impl At {
    pub(crate) const ALL: [Self; 3] = [Self::Xdp, Self::Egress, Self::Control];

    pub(crate) fn counters(self) -> &'static str {
        match self {
            Self::Xdp => STATS_MAP,
            Self::Egress => STATS_EGRESS_MAP,
            Self::Control => STATS_CONTROL_MAP,
        }
    }
}

/// A sequence of frames. It runs in each mode, family and role, from empty tables.
pub(crate) struct Story {
    /// What happens in it.
    pub(crate) name: &'static str,
    pub(crate) roles: &'static [Role],
    pub(crate) tell: Tell,
}

/// Runs the frames of a story.
pub(crate) type Tell = fn(&mut Scene<'_>);

/// A host and a router.
pub(crate) const ANYWHERE: &[Role] = &[Role::Host, Role::Router];
/// A host alone.
pub(crate) const HOST: &[Role] = &[Role::Host];
/// A router alone.
pub(crate) const ROUTER: &[Role] = &[Role::Router];

/// What all stories have led to.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) reasons: BTreeSet<(At, Reason)>,
    pub(crate) rows: usize,
}

/// One telling of a story.
pub(crate) struct Scene<'a> {
    pub(crate) guard: &'a mut Guard,
    pub(crate) policy: Policy,
    pub(crate) family: Family,
    pub(crate) name: &'static str,
    pub(crate) told: &'a mut Told,
    pub(crate) counted: Tally,
}

/// A client's network and host part. Only the first network is listed.
const NETWORKS: [(&str, &str); 2] = [
    ("198.51.100.", "2001:db8:1::"),
    ("203.0.113.", "2001:db8:2::"),
];

/// Room for these many sequences of a port; a story uses few.
const NEGOTIATED: std::ops::RangeInclusive<u16> = 50_000..=50_100;

impl Story {
    /// Stories: what happens in each, for which roles, and who tells it.
    pub(crate) fn list<const COUNT: usize>(
        stories: [(&'static str, &'static [Role], Tell); COUNT],
    ) -> Vec<Self> {
        let stories = stories.into_iter();
        stories
            .map(|(name, roles, tell)| Self { name, roles, tell })
            .collect()
    }

    /// Tells the story in all its forms.
    pub(crate) fn run(&self, guard: &mut Guard, told: &mut Told) {
        for role in crate::speed::roles(self.name, self.roles) {
            for mode in crate::speed::modes() {
                for family in crate::speed::families(self.name, *role) {
                    let mut policy = crate::cases::policy();
                    policy.mode = *mode;
                    policy.sessions.role = *role;
                    let ports: Vec<u16> = NEGOTIATED.chain([60_000]).collect();
                    guard.state().clear(&ports).unwrap();
                    guard.allow_generation = 0;
                    guard.adopt_until_ns = 0;
                    guard.install(&policy).unwrap();
                    let mut scene = Scene {
                        guard: &mut *guard,
                        policy,
                        family: *family,
                        name: self.name,
                        told: &mut *told,
                        counted: [const { Vec::new() }; 3],
                    };
                    scene.recount();
                    (self.tell)(&mut scene);
                    scene.settle();
                }
            }
        }
    }
}

impl Scene<'_> {
    pub(crate) fn role(&self) -> Role {
        self.policy.sessions.role
    }

    pub(crate) fn enforces(&self) -> bool {
        self.policy.mode == Mode::Enforce
    }

    /// Makes the guard follow `policy` after a change of it.
    pub(crate) fn install(&mut self) {
        self.guard.install(&self.policy).unwrap();
    }

    fn address(&self, network: usize, host: u8) -> IpAddr {
        let (v4, v6) = NETWORKS[network];
        let text = match self.family {
            Family::Ipv6 => format!("{v6}{host:x}"),
            _ => format!("{v4}{host}"),
        };
        text.parse().unwrap()
    }

    /// A listed client.
    pub(crate) fn listed(&self, host: u8) -> IpAddr {
        self.address(0, host)
    }

    /// A client that is not listed.
    pub(crate) fn unlisted(&self, host: u8) -> IpAddr {
        self.address(1, host)
    }

    /// An address of a server; a host has many.
    pub(crate) fn server(&self, number: u8) -> IpAddr {
        let text = match self.family {
            Family::Ipv6 => format!("2001:db8::{number:x}"),
            _ => format!("192.0.2.{number}"),
        };
        text.parse().unwrap()
    }

    /// A connection between a client and the first server, of which nothing has been sent.
    pub(crate) fn connection(&self, client: IpAddr, client_port: u16, port: u16) -> Conversation {
        Conversation::new(
            SocketAddr::new(client, client_port),
            SocketAddr::new(self.server(1), port),
        )
    }

    /// A connection of the first listed client.
    pub(crate) fn data(&self, client_port: u16, port: u16) -> Conversation {
        self.connection(self.listed(7), client_port, port)
    }

    pub(crate) fn xdp(&mut self, what: &str, frame: &[u8], wanted: Wanted) {
        self.row(At::Xdp, what, frame, wanted);
    }

    pub(crate) fn egress(&mut self, what: &str, frame: &[u8], wanted: Wanted) {
        self.row(At::Egress, what, frame, wanted);
    }

    pub(crate) fn control(&mut self, what: &str, frame: &[u8], wanted: Wanted) {
        self.row(At::Control, what, frame, wanted);
    }

    /// The three segments that open a control connection.
    pub(crate) fn handshake(&mut self, control: &mut Conversation) {
        let listed = pass(Reason::Listed, PortClass::Control);
        let syn = control.client(TcpFlags::SYN, b"");
        self.xdp("the SYN of the control connection", &syn, listed);
        self.control("the SYN of the control connection", &syn, listed);
        let answer = control.server(SYN_ACK, b"");
        let wanted = pass(Reason::ServerAnswer, PortClass::Control);
        self.egress("its SYN+ACK", &answer, wanted);
        let ack = control.client(TcpFlags::ACK, b"");
        self.xdp("the ACK of the control connection", &ack, listed);
        self.control("the ACK of the control connection", &ack, listed);
    }

    /// A session of this client on port 21.
    pub(crate) fn login_of(&mut self, client: IpAddr) -> Conversation {
        let mut control = self.connection(client, 40_000, 21);
        self.handshake(&mut control);
        self.reply(&mut control, "220 ready\r\n");
        control
    }

    /// A session of the first listed client.
    pub(crate) fn login(&mut self) -> Conversation {
        self.login_of(self.listed(7))
    }

    /// A session that has gone over to TLS, whose server has said something since.
    pub(crate) fn login_tls(&mut self) -> Conversation {
        let mut control = self.login();
        self.command(&mut control, "AUTH TLS\r\n");
        self.reply(&mut control, "234 go on\r\n");
        self.said(&mut control, b"\x16\x03\x01\x00\x05hello");
        self.reply_bytes(&mut control, b"\x16\x03\x03\x00\x05hello");
        control
    }

    /// Bytes of the client on a session, in a segment of their own.
    pub(crate) fn said(&mut self, control: &mut Conversation, bytes: &[u8]) {
        let frame = control.client(DATA, bytes);
        let what = String::from_utf8_lossy(bytes).into_owned();
        let session = pass(Reason::Session, PortClass::Control);
        self.xdp(&what, &frame, session);
        self.control(&what, &frame, session);
    }

    pub(crate) fn command(&mut self, control: &mut Conversation, text: &str) {
        self.said(control, text.as_bytes());
    }

    /// Bytes of the server on a session, in a segment of their own.
    pub(crate) fn reply_bytes(&mut self, control: &mut Conversation, bytes: &[u8]) {
        let session = pass(Reason::Session, PortClass::Control);
        self.reply_as(control, bytes, session);
    }

    pub(crate) fn reply_as(&mut self, control: &mut Conversation, bytes: &[u8], wanted: Wanted) {
        let frame = control.server(DATA, bytes);
        self.egress(&String::from_utf8_lossy(bytes), &frame, wanted);
    }

    pub(crate) fn reply(&mut self, control: &mut Conversation, text: &str) {
        self.reply_bytes(control, text.as_bytes());
    }

    /// Asks for a passive port and gets this one.
    pub(crate) fn negotiate(&mut self, control: &mut Conversation, port: u16) {
        self.command(control, "EPSV\r\n");
        self.reply(control, &passive_reply(port));
    }

    /// PORT or EPRT to an address.
    pub(crate) fn name(&mut self, control: &mut Conversation, destination: SocketAddr) {
        self.command(control, &active_command(destination));
    }

    /// A SYN to a passive port, from one of the first listed client's ports.
    pub(crate) fn knock(&mut self, client: IpAddr, port: u16, wanted: Wanted) -> Conversation {
        let mut data = self.connection(client, 40_001, port);
        let syn = data.client(TcpFlags::SYN, b"");
        self.xdp(&format!("a SYN of {client} to {port}"), &syn, wanted);
        data
    }

    pub(crate) fn pinholes(&mut self) -> Vec<(IpAddr, u16, Pinhole)> {
        let entries = self.guard.state().pinholes().unwrap().entries().unwrap();
        let peer = |(key, value): (ftp_guard_common::address::EndpointKey, Pinhole)| {
            let address = ftp_guard_common::address::to_ip(key.address, key.family);
            (address, u16::from_be_bytes(key.port), value)
        };
        entries.into_iter().map(peer).collect()
    }

    /// The ports of all pinholes.
    pub(crate) fn open_ports(&mut self) -> Vec<u16> {
        self.pinholes()
            .into_iter()
            .map(|(_, port, _)| port)
            .collect()
    }

    pub(crate) fn named(&mut self) -> Vec<(SocketAddr, Named)> {
        let entries = self.guard.state().named().unwrap().entries().unwrap();
        let peer = |(key, value): (ftp_guard_common::address::EndpointKey, Named)| {
            let address = ftp_guard_common::address::to_ip(key.address, key.family);
            let port = u16::from_be_bytes(key.port);
            (SocketAddr::new(address, port), value)
        };
        entries.into_iter().map(peer).collect()
    }

    /// Changes the session of a control connection in its table.
    pub(crate) fn change_session(
        &mut self,
        control: &Conversation,
        change: impl FnOnce(&mut Session),
    ) {
        let mut state = self.guard.state();
        let mut sessions = state.sessions().unwrap();
        let mut session = sessions.get(control.key()).unwrap().unwrap();
        change(&mut session);
        sessions.set(control.key(), session).unwrap();
    }

    pub(crate) fn session(&mut self, control: &Conversation) -> Option<Session> {
        self.guard
            .state()
            .sessions()
            .unwrap()
            .get(control.key())
            .unwrap()
    }

    pub(crate) fn flow(&mut self, data: &Conversation) -> Option<Flow> {
        self.guard.state().flows().unwrap().get(data.key()).unwrap()
    }

    /// Changes a data connection in its table.
    pub(crate) fn change_flow(&mut self, data: &Conversation, change: impl FnOnce(&mut Flow)) {
        let mut state = self.guard.state();
        let mut flows = state.flows().unwrap();
        let mut flow = flows.get(data.key()).unwrap().unwrap();
        change(&mut flow);
        flows.set(data.key(), flow).unwrap();
    }

    /// Puts an established passive data connection into the table, as the program on sockets does.
    pub(crate) fn set_flow(
        &mut self,
        data: &Conversation,
        kind: ftp_guard_common::session::FlowKind,
    ) {
        let now = monotonic_ns();
        let mut flow = Flow {
            kind: kind as u8,
            established: 1,
            ..Flow::default()
        };
        flow.traffic.created_ns = now;
        flow.traffic.seen_ns = now;
        flow.traffic.allow_generation = self.guard.allow_generation;
        self.guard
            .state()
            .flows()
            .unwrap()
            .set(data.key(), flow)
            .unwrap();
    }
}

/// A 229 reply.
pub(crate) fn passive_reply(port: u16) -> String {
    format!("229 Extended passive mode (|||{port}|)\r\n")
}

/// The EPRT command for a destination.
pub(crate) fn active_command(destination: SocketAddr) -> String {
    let family = if destination.is_ipv6() { 2 } else { 1 };
    format!(
        "EPRT |{family}|{}|{}|\r\n",
        destination.ip(),
        destination.port()
    )
}
