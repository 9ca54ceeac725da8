//! Random sequences of segments of several clients through the three programs, beside the plain model of
//! [`ftp_guard_tests::sequence`]: after each segment reason and counter are the model's, after each
//! sequence the tables are.
//!
//! `FTP_GUARD_SEED` repeats a run; `FTP_GUARD_SEQUENCES` sets the number of sequences.

use std::{collections::BTreeMap, fmt::Write as _, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use ftp_guard::datapath::monotonic_ns;
use ftp_guard_common::{
    address::{FlowKey, ListenKey, from_ip},
    ban::BanKind,
    class::Family,
    config::Role,
    limits::{Profile, Rate, Source, SourceKey},
    names::{STATS_CONTROL_MAP, STATS_EGRESS_MAP, STATS_MAP},
    reason::{Reason, Verdict},
    session::{Flow, FlowKind, Listener, Tls},
    stats::{Counter, StatsKey},
};
use ftp_guard_tests::{
    policy::Policy,
    program::Guard,
    random::number_from_env,
    sequence::{Ends, Event, Judged, Limits, Step, Tables, World, compare},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

const SEQUENCES: u64 = 20_000;
/// Things that happen in a sequence.
const LENGTHS: std::ops::RangeInclusive<usize> = 10..=80;
/// Ports that sequences negotiate.
const NEGOTIATED: std::ops::RangeInclusive<u16> = 50_000..=50_010;
const PROGRAMS: [&str; 3] = [STATS_MAP, STATS_EGRESS_MAP, STATS_CONTROL_MAP];

/// Reasons that sequences lead to, by program. Tables are never full here, nothing expires, and each
/// session has as many pinholes as it likes: `datapath` has rows for those.
const REASONS: [(&str, &[Reason]); 3] = [
    (
        STATS_MAP,
        &[
            Reason::NotFtp,
            Reason::Listed,
            Reason::Session,
            Reason::DataFlow,
            Reason::Pinhole,
            Reason::TlsListening,
            Reason::Outgoing,
            Reason::NotListed,
            Reason::ActiveDataSyn,
            Reason::NoPinhole,
            Reason::PasvTheft,
            Reason::NotListening,
            Reason::NoFlow,
            Reason::Killed,
            Reason::NoSession,
            Reason::Banned,
            Reason::SessionLimit,
            Reason::DataLimit,
            Reason::ControlRate,
        ],
    ),
    (
        STATS_EGRESS_MAP,
        &[
            Reason::NotFtp,
            Reason::Session,
            Reason::DataFlow,
            Reason::Outgoing,
            Reason::ActiveNamed,
            Reason::ActiveClient,
            Reason::ServerAnswer,
            Reason::Killed,
            Reason::Bounce,
            Reason::ActiveLowPort,
            Reason::ControlGap,
            Reason::OutsideRange,
            Reason::DataLimit,
        ],
    ),
    (
        STATS_CONTROL_MAP,
        &[
            Reason::NotFtp,
            Reason::Listed,
            Reason::Session,
            Reason::ControlGap,
            Reason::ActiveUnreadable,
        ],
    ),
];

/// A change of the model behind its back, to see that it shows.
type Twist = fn(&mut Tables);

/// Counters by table and index.
type Cells = BTreeMap<(&'static str, u32), Counter>;

struct Run<'a> {
    guard: &'a mut Guard,
    policy: &'a mut Policy,
    model: Tables,
    expected: &'a mut Cells,
    told: &'a mut BTreeMap<(&'static str, Reason), u64>,
    log: String,
}

impl Run<'_> {
    fn event(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Segment(step, frame) => self.segment(step, frame),
            Event::Established(ends) => self.established(*ends),
            Event::Closed(ends) => self.closed(*ends),
            Event::Killed(ends) => self.killed(*ends),
            Event::Banned(client, begins) => self.banned(*client, *begins),
        }
    }

    fn banned(&mut self, client: std::net::IpAddr, begins: bool) -> Result<()> {
        let is = if begins { "is" } else { "is not" };
        writeln!(self.log, "  {client} {is} banned")?;
        if begins {
            self.policy.ban(client.into(), BanKind::Ban, 0);
            self.model.banned.insert(client);
        } else {
            self.policy.bans.remove(&client.into());
            self.model.banned.remove(&client);
        }
        self.guard.allow_generation += 1;
        self.model.generation = self.guard.allow_generation;
        self.guard.install_bans(self.policy)
    }

    /// Counts a connection that begins or ends, as the program on sockets does.
    fn count(&mut self, key: &FlowKey, change: impl FnOnce(&mut Source)) -> Result<()> {
        let bits = self.policy.limits.source_bits_v6;
        let key = SourceKey::of(key.client, key.family, bits);
        let mut state = self.guard.state();
        let mut sources = state.sources()?;
        let mut source = sources.get(key)?.unwrap_or_default();
        change(&mut source);
        sources.set(key, source)
    }

    fn segment(&mut self, step: &Step, frame: &[u8]) -> Result<()> {
        let (client, server) = step.ends;
        let arrow = if step.from_client { "->" } else { "<-" };
        writeln!(
            self.log,
            "  {client} {arrow} {server} {} seq {} ack {} \"{}\"",
            step.flags,
            step.sequence,
            step.acknowledgement,
            step.payload.escape_ascii()
        )?;
        if !step.from_client {
            let wanted = self.model.egress(step);
            return self.program(STATS_EGRESS_MAP, frame, client.is_ipv6(), wanted);
        }
        let wanted = self.model.xdp(step);
        self.program(STATS_MAP, frame, client.is_ipv6(), wanted)?;
        if wanted.0.verdict() == Verdict::Drop {
            return Ok(());
        }
        let wanted = self.model.control(step);
        self.program(STATS_CONTROL_MAP, frame, client.is_ipv6(), wanted)
    }

    fn program(
        &mut self,
        name: &'static str,
        frame: &[u8],
        is_v6: bool,
        (reason, class): Judged,
    ) -> Result<()> {
        let key = StatsKey {
            verdict: reason.verdict(),
            reason,
            class,
            family: if is_v6 { Family::Ipv6 } else { Family::Ipv4 },
        };
        let passed = match name {
            STATS_MAP => self.guard.run(frame)?,
            STATS_EGRESS_MAP => self.guard.run_egress(frame)?,
            _ => self.guard.run_control(frame)?,
        };
        let cell = self.expected.entry((name, key.index())).or_default();
        cell.packets += 1;
        cell.bytes += frame.len() as u64;
        if self.guard.cell_of(name, key)? != *cell {
            bail!(
                "{name}: wanted {} ({class:?}); the frame {} as {}",
                reason.as_str(),
                if passed { "passed" } else { "was dropped" },
                self.moved(name)?
            );
        }
        ensure!(
            passed == (reason.verdict() == Verdict::Pass),
            "{name}: counted as {}, and yet passed: {passed}",
            reason.as_str()
        );
        *self.told.entry((name, reason)).or_default() += 1;
        Ok(())
    }

    /// What the programs counted otherwise than wanted.
    fn moved(&self, name: &'static str) -> Result<String> {
        let table = self.guard.table_of(name)?;
        let moved = StatsKey::all().filter(|key| {
            let wanted = self.expected.get(&(name, key.index()));
            table[key.index() as usize].packets > wanted.map_or(0, |cell| cell.packets)
        });
        let moved = moved.map(|key| format!("{} ({:?})", key.reason.as_str(), key.class));
        Ok(moved.collect::<Vec<_>>().join(", "))
    }

    /// As the program on sockets does, which has no test run.
    fn established(&mut self, ends: Ends) -> Result<()> {
        let key = FlowKey::new(ends.0, ends.1);
        let mut state = self.guard.state();
        let mut pinholes = state.pinholes()?;
        let pinhole = key.pinhole_key([0; 16]);
        let has_pinhole = pinholes.get(pinhole)?.is_some();
        let (_, encrypted) = self.model.client(ends.0.ip(), ends.1.ip());
        let may = has_pinhole || encrypted != 0 && self.model.listening.contains(&ends.1);
        let client = ends.0.ip();
        if !may || self.model.admit(client).is_err() || !self.model.has_room_for_data(client) {
            // Its handshake has not passed.
            return Ok(());
        }
        writeln!(self.log, "  {} {} is established", ends.0, ends.1)?;
        if has_pinhole {
            pinholes.remove(pinhole)?;
            state.set_negotiated(ends.1.port(), 0)?;
        }
        let mut flow = Flow {
            kind: FlowKind::Passive as u8,
            established: 1,
            ..Flow::default()
        };
        flow.traffic.created_ns = monotonic_ns();
        flow.traffic.seen_ns = flow.traffic.created_ns;
        flow.traffic.allow_generation = self.model.generation;
        state.flows()?.set(key, flow)?;
        self.model.establish(ends);
        self.count(&key, |source| source.data += 1)
    }

    fn closed(&mut self, ends: Ends) -> Result<()> {
        writeln!(self.log, "  {} {} is closed", ends.0, ends.1)?;
        let key = FlowKey::new(ends.0, ends.1);
        let mut state = self.guard.state();
        let mut ended: Option<fn(&mut Source)> = None;
        if let Some(mut flow) = state.flows()?.get(key)? {
            if flow.kind != FlowKind::Outgoing as u8 && flow.traffic.closed_ns == 0 {
                ended = Some(|source| source.data -= 1);
            }
            flow.traffic.closed_ns = monotonic_ns();
            state.flows()?.set(key, flow)?;
        }
        if state.opening()?.get(key)?.is_some() {
            state.opening()?.remove(key)?;
            ended = Some(|source| source.opening -= 1);
        }
        if let Some(mut session) = state.sessions()?.get(key)? {
            ended = Some(|source| source.sessions -= 1);
            session.traffic.closed_ns = monotonic_ns();
            state.sessions()?.set(key, session)?;
            let mut clients = state.clients()?;
            let of = key.client_key([0; 16]);
            let mut client = clients.get(of)?.context("a session without its client")?;
            client.sessions -= 1;
            client.encrypted -= u32::from(session.tls != Tls::Clear as u8);
            clients.set(of, client)?;
        }
        if let Some(flow) = self.model.flows.get_mut(&ends) {
            flow.life.is_closed = true;
        }
        if let Some(session) = self.model.sessions.get_mut(&ends) {
            session.life.is_closed = true;
        }
        self.model.openings.remove(&ends);
        match ended {
            Some(ended) => self.count(&key, ended),
            None => Ok(()),
        }
    }

    fn killed(&mut self, ends: Ends) -> Result<()> {
        writeln!(self.log, "  {} {} is killed", ends.0, ends.1)?;
        let key = FlowKey::new(ends.0, ends.1);
        let mut state = self.guard.state();
        if let Some(mut flow) = state.flows()?.get(key)? {
            flow.traffic.killed = 1;
            state.flows()?.set(key, flow)?;
        }
        if let Some(mut session) = state.sessions()?.get(key)? {
            session.traffic.killed = 1;
            state.sessions()?.set(key, session)?;
        }
        if let Some(flow) = self.model.flows.get_mut(&ends) {
            flow.life.is_killed = true;
        }
        if let Some(session) = self.model.sessions.get_mut(&ends) {
            session.life.is_killed = true;
        }
        Ok(())
    }
}

/// What sources may in a sequence: mostly all they like.
fn limits(rng: &mut StdRng) -> Limits {
    let mut limits = Limits::default();
    if rng.random_bool(0.2) {
        limits.sessions = rng.random_range(1..=3);
    }
    if rng.random_bool(0.2) {
        limits.data = rng.random_range(1..=2);
    }
    if rng.random_bool(0.1) {
        limits.packets = rng.random_range(2..=20);
    }
    limits
}

fn profile(limits: Limits) -> Profile {
    const HOUR: u64 = 3_600_000_000_000;
    Profile {
        connections: Rate::UNLIMITED,
        packets: match limits.packets {
            0 => Rate::UNLIMITED,
            most => Rate {
                interval_ns: HOUR,
                burst_ns: (most - 1) * HOUR,
            },
        },
        sessions: limits.sessions,
        data: limits.data,
    }
}

/// Guards of both roles, and what they have counted.
struct Suite {
    guards: Vec<(Policy, Guard, Cells)>,
    told: BTreeMap<(&'static str, Reason), u64>,
}

impl Suite {
    fn new() -> Result<Self> {
        let base = Policy::new()
            .allowing("198.51.100.0/24")
            .allowing("2001:db8:1::/64");
        let mut guards = Vec::new();
        for mut policy in [base.clone(), base.on_a_router()] {
            policy.sessions.pinhole_interval_ns = 1;
            // Nothing expires while a sequence runs.
            policy.sessions.pinhole_ns = 3_600_000_000_000;
            let guard = Guard::with(&policy)?;
            guards.push((policy, guard, Cells::new()));
        }
        Ok(Self {
            guards,
            told: BTreeMap::new(),
        })
    }

    /// A sequence, under another secret when it fails: handshakes that are under way at one time may share
    /// a place among the expected acknowledgements, of which the model knows nothing.
    fn sequence(&mut self, rng: &mut StdRng, twist: Option<Twist>) -> Result<()> {
        let before = rng.clone();
        for _ in 0..2 {
            if self.attempt(rng, twist).is_ok() {
                return Ok(());
            }
            self.recount()?;
            rng.clone_from(&before);
        }
        self.attempt(rng, twist)
    }

    /// Takes for right what the programs have counted.
    fn recount(&mut self) -> Result<()> {
        for (_, guard, expected) in &mut self.guards {
            expected.clear();
            for name in PROGRAMS {
                let cells = (0..).zip(guard.table_of(name)?);
                let counted = cells.filter(|(_, cell)| cell.packets != 0);
                expected.extend(counted.map(|(index, cell)| ((name, index), cell)));
            }
        }
        Ok(())
    }

    fn attempt(&mut self, rng: &mut StdRng, twist: Option<Twist>) -> Result<()> {
        let role = if rng.random() {
            Role::Host
        } else {
            Role::Router
        };
        let (policy, guard, expected) = &mut self.guards[role as usize];
        let mut policy = policy.clone();
        policy.limits.secret = rand::random();
        let limits = limits(rng);
        policy.profiles.insert(0, profile(limits));
        let ports: Vec<u16> = NEGOTIATED.chain([60_000]).collect();
        guard.state().clear(&ports)?;
        // Forgets the ports of active connections, and bans.
        guard.allow_generation = 0;
        guard.install(&policy)?;
        let mut world = World::new(role);
        world.has_bans = rng.random_bool(0.3);
        let mut model = Tables::new(role, world.listed());
        model.limits = limits;
        for end in world.listening() {
            let (address, family) = from_ip(end.ip());
            let key = ListenKey {
                address,
                port: end.port().to_be_bytes(),
                family: family as u8,
                reserved: 0,
            };
            let since_ns = if end.port() == 50_001 { 0 } else { u64::MAX };
            guard.state().listeners()?.set(key, Listener { since_ns })?;
            if since_ns == 0 {
                model.listening.insert(end);
            }
        }
        let mut run = Run {
            guard,
            policy: &mut policy,
            model,
            expected,
            told: &mut self.told,
            log: format!("{role:?}\n"),
        };
        let result = (|| {
            for _ in 0..rng.random_range(LENGTHS) {
                for event in world.step(rng) {
                    run.event(&event)?;
                    if let Some(twist) = twist {
                        twist(&mut run.model);
                    }
                }
            }
            compare(&run.model, run.guard)
        })();
        result.with_context(|| format!("sequence:\n{}", run.log))
    }

    /// Nothing else was counted.
    fn settle(&self) -> Result<()> {
        for (_, guard, expected) in &self.guards {
            for name in PROGRAMS {
                for (index, cell) in (0..).zip(guard.table_of(name)?) {
                    let wanted = expected.get(&(name, index)).copied().unwrap_or_default();
                    ensure!(
                        cell == wanted,
                        "{name}: cell {index} is {cell:?}, not {wanted:?}"
                    );
                }
            }
        }
        Ok(())
    }
}

#[test]
fn model_and_programs_agree_on_sequences() {
    let seed = number_from_env("FTP_GUARD_SEED", rand::random()).unwrap();
    let sequences = number_from_env("FTP_GUARD_SEQUENCES", SEQUENCES).unwrap();
    ftp_guard_tests::report!("sequences: FTP_GUARD_SEED={seed} FTP_GUARD_SEQUENCES={sequences}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut suite = Suite::new().unwrap();
    let started = Instant::now();
    for number in 0..sequences {
        suite
            .sequence(&mut rng, None)
            .unwrap_or_else(|error| panic!("FTP_GUARD_SEED={seed}, number {number}: {error:#}"));
    }
    suite.settle().unwrap();
    let frames: u64 = suite.told.values().sum();
    ftp_guard_tests::report!(
        "sequences: {sequences} sequences of {frames} verdicts agree, in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    for (name, reasons) in REASONS {
        for reason in reasons {
            let count = suite.told.get(&(name, *reason)).copied().unwrap_or(0);
            ftp_guard_tests::report!("  {name:<16} {:<16} {count}", reason.as_str());
            assert!(
                count >= 20 || sequences < SEQUENCES,
                "the sequences hardly ever lead to {} in {name}",
                reason.as_str()
            );
        }
    }
}

/// A model that is wrong in one rule does not go unnoticed.
#[test]
fn a_wrong_rule_is_noticed() {
    let twists: [(&str, Twist); 14] = [
        ("no pinhole holds", |model| model.pinholes.clear()),
        ("no port is known to be negotiated", |model| {
            model.negotiated.clear();
        }),
        ("no destination is named", |model| model.named.clear()),
        ("no data connection is known", |model| model.flows.clear()),
        ("no session is known", |model| model.sessions.clear()),
        ("everybody is listed", |model| {
            model.listed.extend(
                ["203.0.113.7", "2001:db8:2::7"]
                    .map(|text| text.parse::<std::net::IpAddr>().expect("an address")),
            );
        }),
        ("nothing listens, nothing is encrypted", |model| {
            for session in model.sessions.values_mut() {
                session.tls = Tls::Clear;
            }
        }),
        ("no acknowledgement is expected", |model| {
            model.expected.clear();
        }),
        ("no opening is known", |model| model.openings.clear()),
        ("nobody is banned", |model| model.banned.clear()),
        ("bans leave connections alone", |model| model.generation = 0),
        ("sources have as many connections as they like", |model| {
            model.limits.sessions = 0;
            model.limits.data = 0;
        }),
        ("no rate holds on control connections", |model| {
            model.limits.packets = 0;
        }),
        ("no connection ends", |model| {
            for session in model.sessions.values_mut() {
                session.life.is_closed = false;
            }
        }),
    ];
    let mut rng = StdRng::seed_from_u64(7);
    for (what, twist) in twists {
        let mut suite = Suite::new().unwrap();
        let differs = (0..200).any(|_| suite.sequence(&mut rng, Some(twist)).is_err());
        assert!(differs, "nobody notices that {what}");
    }
}
