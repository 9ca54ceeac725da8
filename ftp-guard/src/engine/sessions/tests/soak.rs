//! Connections that come and go at random, while the programs miss some of it.

use ftp_guard_common::{
    address::FlowKey,
    limits::Source,
    session::{FlowKind, HALF_CLOSED_LINGER_NS, Tls},
};
use proptest::prelude::*;

use super::world::{SECOND, World, key};
use crate::engine::sessions::{Command, TcpBytes};

/// What happens; `missed` says that the programs did not notice.
#[derive(Clone, Debug)]
enum Event {
    Open { client: u8, port: u8, missed: bool },
    Data { client: u8, port: u8, missed: bool },
    Close { which: usize, missed: bool },
    Figures { client: u8, sessions: u32 },
    Connect { client: u8, port: u8 },
    Greet { which: usize },
    Source { client: u8, figures: [u8; 3] },
    NoSource { client: u8 },
    Pass,
}

fn event() -> impl Strategy<Value = Event> {
    let missed = || prop::bool::weighted(0.3);
    prop_oneof![
        (1..5_u8, 0..40_u8, missed()).prop_map(|(client, port, missed)| Event::Open {
            client,
            port,
            missed
        }),
        (1..5_u8, 0..40_u8, missed()).prop_map(|(client, port, missed)| Event::Data {
            client,
            port,
            missed
        }),
        (any::<usize>(), missed()).prop_map(|(which, missed)| Event::Close { which, missed }),
        (1..5_u8, 0..4_u32).prop_map(|(client, sessions)| Event::Figures { client, sessions }),
        (1..5_u8, 0..40_u8).prop_map(|(client, port)| Event::Connect { client, port }),
        any::<usize>().prop_map(|which| Event::Greet { which }),
        (1..5_u8, [0..4_u8, 0..4, 0..4])
            .prop_map(|(client, figures)| Event::Source { client, figures }),
        (1..5_u8).prop_map(|client| Event::NoSource { client }),
        Just(Event::Pass),
    ]
}

fn happen(world: &mut World, event: &Event, number: u64) {
    match event {
        Event::Open {
            client,
            port,
            missed,
        } => {
            let remote = format!("198.51.100.{client}:{}", 1000 + u16::from(*port));
            if world.sessions.contains_key(&key(21, &remote)) {
                return;
            }
            world.close(21, &remote);
            world.socket(21, &remote);
            if !missed {
                world.session(number << 16 | 1, &remote, Tls::Clear);
            }
        }
        Event::Data {
            client,
            port,
            missed,
        } => {
            let remote = format!("198.51.100.{client}:{}", 2000 + u16::from(*port));
            let local = 50000 + u16::from(port % 10);
            let prefix = format!("198.51.100.{client}:");
            let known = world
                .sessions
                .keys()
                .any(|key| key.client().to_string().starts_with(&prefix));
            if !known || world.flows.contains_key(&key(local, &remote)) {
                return;
            }
            world.close(local, &remote);
            world.socket(local, &remote);
            if !missed {
                world.flow(local, &remote, FlowKind::Passive, 0);
            }
        }
        Event::Close { which, missed } => {
            if world.sockets.is_empty() {
                return;
            }
            let socket = world.sockets.remove(which % world.sockets.len());
            if !missed {
                world.closed(&socket.key());
            }
        }
        Event::Figures { client, sessions } => {
            let client = world.client(&format!("198.51.100.{client}:1"));
            if let Some(figures) = world.clients.get_mut(&client) {
                figures.sessions = *sessions;
            }
        }
        Event::Connect { client, port } => {
            let remote = format!("198.51.100.{client}:{}", 3000 + u16::from(*port));
            if world.sessions.contains_key(&key(21, &remote)) {
                return;
            }
            world.close(21, &remote);
            world.socket(21, &remote).bytes = Some(TcpBytes::default());
            world.open(&remote);
        }
        Event::Greet { which } => {
            let waiting: Vec<_> = world.opening.keys().copied().collect();
            if waiting.is_empty() {
                return;
            }
            let key = waiting[which % waiting.len()];
            let socket = world.sockets.iter_mut().find(|socket| socket.key() == key);
            // Nobody greets where the socket has gone.
            if let Some(socket) = socket {
                socket.bytes = Some(TcpBytes {
                    received: 0,
                    acked: 20,
                });
                world.greet(number << 16 | 2, &key.client().to_string());
            }
        }
        Event::Source { client, figures } => {
            let source = world.source_key(&format!("198.51.100.{client}:1"));
            let [sessions, opening, data] = figures.map(u32::from);
            let wrong = Source {
                sessions,
                opening,
                data,
                reserved: 0,
            };
            world.sources.insert(source, wrong);
        }
        Event::NoSource { client } => {
            let source = world.source_key(&format!("198.51.100.{client}:1"));
            world.sources.remove(&source);
        }
        Event::Pass => check(world),
    }
}

/// One pass, which must not remove what lives.
fn check(world: &mut World) {
    let alive: Vec<_> = world.sockets.iter().map(|socket| socket.key()).collect();
    let closed = |world: &World, key| {
        let session = world.sessions.get(key).map(|entry| entry.traffic);
        let flow = world.flows.get(key).map(|entry| entry.traffic);
        session
            .or(flow)
            .is_some_and(|traffic| traffic.closed_ns != 0)
    };
    let ended: Vec<_> = alive.iter().map(|key| closed(world, key)).collect();
    for command in world.pass() {
        let removed = match &command {
            Command::RemoveSession(key, _)
            | Command::CloseFlow(key, ..)
            | Command::RemoveFlow(key, _) => *key,
            Command::KillSession(..) | Command::KillFlow(..) | Command::Destroy(_) => {
                panic!("nobody asked for {command:?}")
            }
            _ => continue,
        };
        let place = alive.iter().position(|key| *key == removed);
        assert!(place.is_none_or(|place| ended[place]), "{removed:?} lives");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_tables_come_to_what_the_sockets_say(events in prop::collection::vec(event(), 1..120)) {
        let mut world = World::host();
        for (number, event) in (1..).zip(&events) {
            happen(&mut world, event, number);
        }
        for _ in 0..HALF_CLOSED_LINGER_NS / SECOND + 4 {
            check(&mut world);
        }
        let mut expected: Vec<_> = world
            .sockets
            .iter()
            .filter(|socket| {
                let spoken = socket.bytes.is_some_and(|bytes| bytes.acked > 0);
                socket.local.port() == 21 && spoken
            })
            .map(|socket| socket.key())
            .collect();
        expected.sort();
        prop_assert_eq!(world.sessions.keys().copied().collect::<Vec<_>>(), expected);
        for client in 1..5 {
            let remote = format!("198.51.100.{client}:1");
            let prefix = format!("198.51.100.{client}:");
            let live = world
                .sessions
                .keys()
                .filter(|key| key.client().to_string().starts_with(&prefix))
                .count();
            prop_assert_eq!(world.figures(&remote).0 as usize, live);
            let of = |keys: Vec<FlowKey>| {
                let own = keys.iter().filter(|key| key.client().to_string().starts_with(&prefix));
                own.count() as u32
            };
            let opening = of(world.opening.keys().copied().collect());
            let data = of(world.flows.keys().copied().collect());
            prop_assert_eq!(world.source(&remote), (live as u32, opening, data));
        }
        // Data connections: each entry has its socket; each socket of a client with a session its
        // entry.
        let sockets: Vec<_> = world.sockets.iter().map(|socket| socket.key()).collect();
        prop_assert!(world.flows.keys().all(|key| sockets.contains(key)));
        for key in sockets {
            let controls = world.sessions.keys().any(|other| other.client == key.client);
            if key.server_port != 21_u16.to_be_bytes() && controls {
                prop_assert!(world.flows.contains_key(&key));
            }
        }
        // A source that has nothing is forgotten a minute later, whenever that is.
        let mut steps = world.passes(3);
        steps.retain(|step| !matches!(step, Command::RemoveSource(_)));
        prop_assert_eq!(steps, []);

        world.sockets.clear();
        world.passes(HALF_CLOSED_LINGER_NS / SECOND + 4);
        let left = (world.sessions.len(), world.flows.len(), world.clients.len());
        prop_assert_eq!(left, (0, 0, 0));
        world.passes(60);
        prop_assert_eq!((world.opening.len(), world.sources.len()), (0, 0));
    }
}
