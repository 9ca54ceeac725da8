//! A second instance of the XDP program, to ask what the guard would do with a packet.
//!
//! It shares what only the daemon and other programs write: configuration, ports, allowlists, listening
//! sockets, negotiated ports, bans, profiles. What the XDP program itself writes is the instance's own: the
//! counters, the events, what is told of sessions, and the tables of connections, of what was negotiated and of sources, into which
//! goes a copy of what the program would look up for the packet at hand. So a question neither moves a
//! counter nor touches a connection, and is answered as the packet would be. Only what others have used of
//! the rates it does not know: the instance has buckets of its own.

use std::net::{IpAddr, SocketAddr};

use aya::{
    Ebpf, Pod, TestRun, TestRunOptions,
    maps::{Array, HashMap, Map, MapData, PerCpuArray},
    programs::Xdp,
};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use ftp_guard_common::{
    address::{FlowKey, ListenKey},
    class::{Family, PortClass},
    config::{GuardConfig, Role},
    limits::{Attack, SourceKey},
    names::{
        ATTACK_MAP, BUCKETS_MAP, CLIENTS_MAP, EVENT_BUDGET_MAP, EVENTS_MAP, EXPECTED_MAP,
        FLOWS_MAP, FRONT_MAP, NAMED_MAP, OPENING_MAP, PINHOLES_MAP, PINNED_MAPS, PRIMED_MAP,
        SEQUENCE_MAP, SESSIONS_MAP, SOURCES_MAP, STATS_CONTROL_MAP, STATS_EGRESS_MAP, STATS_MAP,
        TEXT_LOSS_MAP, TEXT_MAP, XDP_PROGRAM,
    },
    reason::{Reason, Verdict},
    stats::{Counter, StatsKey},
};

use super::{
    error::DatapathError,
    front::Front,
    load,
    pins::Pins,
    state::{State, Table},
    tables::read_counters,
};

/// The maps of the instance's own, and how many entries they need: one packet's.
const OWN: [(&str, Option<u32>); 20] = [
    (SESSIONS_MAP, Some(ROOM)),
    (FLOWS_MAP, Some(ROOM)),
    (FRONT_MAP, None),
    (PINHOLES_MAP, Some(ROOM)),
    (NAMED_MAP, Some(ROOM)),
    (CLIENTS_MAP, Some(ROOM)),
    (SEQUENCE_MAP, None),
    (STATS_MAP, None),
    (STATS_EGRESS_MAP, None),
    (STATS_CONTROL_MAP, None),
    (BUCKETS_MAP, None),
    (SOURCES_MAP, Some(ROOM)),
    (OPENING_MAP, Some(ROOM)),
    (EXPECTED_MAP, None),
    (ATTACK_MAP, None),
    (PRIMED_MAP, Some(ROOM)),
    (EVENTS_MAP, None),
    (EVENT_BUDGET_MAP, None),
    (TEXT_MAP, Some(TEXT_BYTES)),
    (TEXT_LOSS_MAP, None),
];
const ROOM: u32 = 16;
/// The smallest ring buffer: nobody reads it.
const TEXT_BYTES: u32 = 4096;

/// What the program decided about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What it did.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Class of the destination port.
    pub class: PortClass,
    /// IP version.
    pub family: Family,
}

/// The second instance.
pub struct Explainer {
    ebpf: Ebpf,
    front: Front,
}

impl Explainer {
    /// Loads the program over the pinned tables.
    pub fn open(pins: &Pins) -> Result<Self, DatapathError> {
        let shared = PINNED_MAPS
            .into_iter()
            .filter(|name| OWN.iter().all(|(own, _)| own != name));
        let sizes: Vec<_> = OWN
            .into_iter()
            .filter_map(|(name, room)| Some((name, room?)))
            .collect();
        let mut ebpf = load::object(pins, shared, load::Fixed::default(), &sizes, None)?;
        load::program(&mut ebpf)?;
        let Some(Map::Array(front)) = ebpf.map(FRONT_MAP) else {
            return Err(load::missing(FRONT_MAP));
        };
        let front = Front::of(front)?;
        Ok(Self { ebpf, front })
    }

    /// Runs the program over one frame of at least 14 bytes, which no interface sees
    /// (`BPF_PROG_TEST_RUN`, kernel 4.12), as if its connection's entries in the live tables were alone.
    pub fn judge(
        &mut self,
        frame: &[u8],
        state: &State,
        config: &GuardConfig,
        attack: Attack,
    ) -> Result<Judgement, DatapathError> {
        let Some(key) = connection(frame) else {
            return self.run(frame);
        };
        let scope = Role::from_number(config.role).scope(key.server);
        self.lend(&state.sessions, SESSIONS_MAP, &key)?;
        self.lend_value(state.flows.get(&key)?, FLOWS_MAP, &key)?;
        self.front.settle(&key);
        self.lend(&state.pinholes, PINHOLES_MAP, &key.pinhole_key(scope))?;
        self.lend(&state.clients, CLIENTS_MAP, &key.client_key(scope))?;
        self.lend(&state.opening, OPENING_MAP, &key)?;
        let source = SourceKey::of(key.client, key.family, config.source_bits_v6);
        self.lend(&state.sources, SOURCES_MAP, &source)?;
        let listener = ListenKey {
            address: key.server,
            port: key.server_port,
            family: key.family,
            reserved: 0,
        };
        self.lend(&state.primed, PRIMED_MAP, &listener)?;
        self.lend_attack(attack)?;
        self.run(frame)
    }

    /// Gives the instance's own table the entry of a live one, and nothing else.
    fn lend<K: Pod, V: Pod>(
        &mut self,
        live: &Table<K, V>,
        name: &'static str,
        key: &K,
    ) -> Result<(), DatapathError> {
        self.lend_value(live.get(key)?, name, key)
    }

    /// Gives the instance's own table this entry, and nothing else.
    fn lend_value<K: Pod, V: Pod>(
        &mut self,
        live: Option<V>,
        name: &'static str,
        key: &K,
    ) -> Result<(), DatapathError> {
        let failed = |error| DatapathError::kernel(format!("prepare the map {name}"), error);
        let map = self.ebpf.map_mut(name).ok_or_else(|| load::missing(name))?;
        let mut own: HashMap<&mut MapData, K, V> = map.try_into().map_err(failed)?;
        let old: Vec<K> = own.keys().collect::<Result<_, _>>().map_err(failed)?;
        for key in &old {
            own.remove(key).map_err(failed)?;
        }
        if let Some(value) = live {
            own.insert(key, value, 0).map_err(failed)?;
        }
        Ok(())
    }

    /// Gives the instance what is known of attacks, but for the buckets of all sources: a question is not
    /// refused for what others ask.
    fn lend_attack(&mut self, attack: Attack) -> Result<(), DatapathError> {
        let failed = |error| DatapathError::kernel(format!("prepare the map {ATTACK_MAP}"), error);
        let map = self
            .ebpf
            .map_mut(ATTACK_MAP)
            .ok_or_else(|| load::missing(ATTACK_MAP))?;
        let mut own: Array<&mut MapData, Attack> = map.try_into().map_err(failed)?;
        let attack = Attack {
            requests_due_ns: 0,
            proven_due_ns: 0,
            strays_due_ns: 0,
            ..attack
        };
        own.set(0, attack, 0).map_err(failed)
    }

    fn run(&self, frame: &[u8]) -> Result<Judgement, DatapathError> {
        let failed = |error| DatapathError::kernel("run the program over a test packet", error);
        let before = self.counters()?;
        let program: &Xdp = self
            .ebpf
            .program(XDP_PROGRAM)
            .ok_or_else(|| load::missing(XDP_PROGRAM))?
            .try_into()
            .map_err(failed)?;
        program
            .test_run(TestRunOptions {
                data_in: Some(frame),
                ..TestRunOptions::default()
            })
            .map_err(failed)?;
        let moved = self
            .counters()?
            .into_iter()
            .find(|counter| !before.contains(counter));
        let Some((
            StatsKey {
                verdict,
                reason,
                class,
                family,
            },
            _,
        )) = moved
        else {
            let silent = std::io::Error::other("it counted nothing");
            return Err(DatapathError::kernel("read the program's answer", silent));
        };
        Ok(Judgement {
            verdict,
            reason,
            class,
            family,
        })
    }

    fn counters(&self) -> Result<Vec<(StatsKey, Counter)>, DatapathError> {
        let map = self
            .ebpf
            .map(STATS_MAP)
            .ok_or_else(|| load::missing(STATS_MAP))?;
        let stats: PerCpuArray<&MapData, Counter> =
            map.try_into().map_err(|error: aya::maps::MapError| {
                DatapathError::kernel("open the counters", error)
            })?;
        read_counters(&stats)
    }
}

/// The connection of a frame that arrives, if it is one of TCP.
fn connection(frame: &[u8]) -> Option<FlowKey> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
        return None;
    };
    let (source, destination): (IpAddr, IpAddr) = match packet.net? {
        NetSlice::Ipv4(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Ipv6(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Arp(_) => return None,
    };
    Some(FlowKey::new(
        SocketAddr::new(source, tcp.source_port()),
        SocketAddr::new(destination, tcp.destination_port()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameSpec, TcpFlags, tcp_frame};

    #[test]
    fn the_connection_of_a_frame_is_found_behind_its_tags() {
        for (source, destination) in [
            ("192.0.2.1", "198.51.100.2"),
            ("2001:db8::1", "2001:db8::2"),
        ] {
            let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
            let frame = tcp_frame(&FrameSpec {
                source,
                destination,
                source_port: 40_000,
                destination_port: 50_000,
                flags: TcpFlags::SYN,
                vlans: vec![7],
                payload: Vec::new(),
            });
            let key = FlowKey::new((source, 40_000).into(), (destination, 50_000).into());
            assert_eq!(connection(&frame), Some(key));
        }
        assert_eq!(connection(&[0; 60]), None);
    }
}
