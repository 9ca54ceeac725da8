//! Sources, networks and rates of the stories about limits, and time that goes by in buckets.

use std::net::IpAddr;

use ftp_guard::{datapath::monotonic_ns, frame::TcpFlags};
use ftp_guard_common::{
    address::from_ip,
    class::{Family, PortClass},
    limits::{Profile, Rate, Source, SourceKey},
    reason::Reason,
};
use ftp_guard_tests::{
    conversation::{Conversation, SYN_ACK},
    packet::C_TAG,
    policy::Policy,
};

use crate::{
    passive::SECOND,
    row::{Wanted, drop, pass},
    scene::Scene,
};

pub(crate) const CONTROL: PortClass = PortClass::Control;
pub(crate) const LISTED: Wanted = pass(Reason::Listed, CONTROL);
pub(crate) const SESSION: Wanted = pass(Reason::Session, CONTROL);
pub(crate) const ANSWER: Wanted = pass(Reason::ServerAnswer, CONTROL);
pub(crate) const SOURCE_RATE: Wanted = drop(Reason::SourceRate, CONTROL);
pub(crate) const NETWORK_RATE: Wanted = drop(Reason::NetworkRate, CONTROL);
pub(crate) const TOTAL_RATE: Wanted = drop(Reason::TotalRate, CONTROL);
pub(crate) const HOUR: u64 = 3600 * SECOND;

/// So long before `now`, or as long as the clock goes back: a machine may have been started just before.
pub(crate) fn ago(now: u64, ns: u64) -> u64 {
    now.saturating_sub(ns).max(1)
}

/// Waits until the machine is old enough for something to have happened so long ago. A virtual machine
/// has just been started.
pub(crate) fn wait_for_age(ns: u64) {
    let missing = (ns + SECOND).saturating_sub(monotonic_ns());
    std::thread::sleep(std::time::Duration::from_nanos(missing));
}

/// So many at once, and one an hour: no story sees time go by, but by [`Scene::elapse`].
pub(crate) const fn rate(burst: u64) -> Rate {
    Rate {
        interval_ns: HOUR,
        burst_ns: (burst - 1) * HOUR,
    }
}

/// A profile that limits new connections alone.
pub(crate) fn connections(burst: u64) -> Profile {
    Profile {
        connections: rate(burst),
        ..Profile::default()
    }
}

impl Scene<'_> {
    /// Changes the policy, with all buckets full of tokens. Many networks are listed.
    pub(crate) fn limit(&mut self, change: impl FnOnce(&mut Policy)) {
        let policy = self.policy.clone();
        self.policy = policy.allowing("198.51.0.0/16").allowing("2001:db9::/32");
        change(&mut self.policy);
        self.guard.state().clear_limits().unwrap();
        self.install();
    }

    /// As [`Self::limit`], of the default profile.
    pub(crate) fn profile(&mut self, profile: Profile) {
        self.limit(|policy| {
            policy.profiles.insert(0, profile);
        });
    }

    /// A listed source: one of IPv4 by address, one of IPv6 by its /64. Networks are /24 and /48.
    pub(crate) fn source(&self, network: u8, number: u8) -> IpAddr {
        self.host(network, number, 7)
    }

    /// As [`Self::source`], with one of the hosts that are a single source in IPv6.
    pub(crate) fn host(&self, network: u8, number: u8, host: u16) -> IpAddr {
        let text = match self.family {
            Family::Ipv6 => format!("2001:db9:{network:x}:{number:x}::{host:x}"),
            _ => format!("198.51.{network}.{number}"),
        };
        text.parse().unwrap()
    }

    /// As if this time had gone by, for everything that fills up again.
    pub(crate) fn elapse(&mut self, time_ns: u64) {
        let mut state = self.guard.state();
        let buckets = state.buckets().unwrap();
        let later: Vec<u64> = buckets
            .iter()
            .map(|due| due.saturating_sub(time_ns))
            .collect();
        state.change_buckets(&buckets, &later).unwrap();
        let mut attack = state.attack().unwrap();
        for due in [
            &mut attack.requests_due_ns,
            &mut attack.proven_due_ns,
            &mut attack.strays_due_ns,
        ] {
            *due = due.saturating_sub(time_ns);
        }
        state.set_attack(attack).unwrap();
    }

    /// A frame at the XDP program, and again behind a VLAN tag.
    pub(crate) fn twice(&mut self, what: &str, frame: &[u8], wanted: Wanted) {
        self.xdp(what, frame, wanted);
        self.xdp(&format!("{what}, tagged"), &tagged(frame), wanted);
    }

    /// SYNs of a client to port 21, each from a port of its own.
    pub(crate) fn syns(&mut self, client: IpAddr, count: u16, wanted: Wanted) {
        for number in 0..count {
            let mut control = self.connection(client, 30_000 + number, 21);
            let syn = control.client(TcpFlags::SYN, b"");
            let frame = if number % 2 == 0 { syn } else { tagged(&syn) };
            let what = format!("SYN {} of {count} of {client}", number + 1);
            self.xdp(&what, &frame, wanted);
        }
    }

    /// A SYN that passes, its SYN+ACK, and the ACK that proves the client.
    pub(crate) fn prove(&mut self, control: &mut Conversation, wanted: Wanted) {
        self.request(control);
        let ack = control.client(TcpFlags::ACK, b"");
        self.xdp("the ACK that proves the client", &ack, wanted);
    }

    /// A SYN that passes, and its SYN+ACK.
    pub(crate) fn request(&mut self, control: &mut Conversation) {
        let syn = control.client(TcpFlags::SYN, b"");
        self.xdp("a SYN", &syn, LISTED);
        let answer = control.server(SYN_ACK, b"");
        self.egress("its SYN+ACK", &answer, ANSWER);
    }

    /// A session on port 21.
    pub(crate) fn greet(&mut self, client: IpAddr, client_port: u16) -> Conversation {
        let mut control = self.connection(client, client_port, 21);
        self.prove(&mut control, LISTED);
        self.reply(&mut control, "220 ready\r\n");
        control
    }

    /// What the table says of a client's source: sessions, openings, data connections.
    pub(crate) fn counts(&mut self, client: IpAddr) -> Option<(u32, u32, u32)> {
        let key = self.source_key(client);
        let mut state = self.guard.state();
        let source = state.sources().unwrap().get(key).unwrap();
        source.map(|source| (source.sessions, source.opening, source.data))
    }

    pub(crate) fn set_source(&mut self, client: IpAddr, source: Source) {
        let key = self.source_key(client);
        let mut state = self.guard.state();
        state.sources().unwrap().set(key, source).unwrap();
    }

    fn source_key(&self, client: IpAddr) -> SourceKey {
        let (address, family) = from_ip(client);
        SourceKey::of(address, family as u8, self.policy.limits.source_bits_v6)
    }

    /// The connections before their greeting.
    pub(crate) fn openings(&mut self) -> usize {
        let mut state = self.guard.state();
        state.opening().unwrap().entries().unwrap().len()
    }

    /// Ends a session as the program on sockets does, which has no test run.
    pub(crate) fn close(&mut self, control: &Conversation) {
        let now = monotonic_ns();
        self.change_session(control, |session| session.traffic.closed_ns = now);
        let key = control.key();
        let key = key.client_key(self.role().scope(key.server));
        let mut state = self.guard.state();
        let mut clients = state.clients().unwrap();
        let mut client = clients.get(key).unwrap().unwrap();
        client.sessions -= 1;
        clients.set(key, client).unwrap();
        let key = self.source_key(control.client.ip());
        let mut state = self.guard.state();
        let mut sources = state.sources().unwrap();
        let mut source = sources.get(key).unwrap().unwrap();
        source.sessions -= 1;
        sources.set(key, source).unwrap();
    }
}

/// An untagged frame behind a VLAN tag.
pub(crate) fn tagged(frame: &[u8]) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    let tag = [C_TAG.to_be_bytes(), 7_u16.to_be_bytes()].concat();
    [addresses, &tag, rest].concat()
}
