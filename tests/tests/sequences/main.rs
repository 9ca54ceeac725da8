//! Random sequences of segments of several clients through the three programs, beside the plain model of
//! [`ftp_guard_tests::sequence`]: after each segment reason and counter are the model's, after each
//! sequence the tables are.
//!
//! `FTP_GUARD_SEED` repeats a run; `FTP_GUARD_SEQUENCES` sets the number of sequences.

mod run;

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Context, Result, ensure};
use ftp_guard::datapath::CommandTable;
use ftp_guard_common::{
    address::{ListenKey, from_ip},
    config::Role,
    limits::{CommandKey, POLICY_COMMANDS, Profile, Rate},
    names::{STATS_CONTROL_MAP, STATS_EGRESS_MAP, STATS_MAP},
    reason::Reason,
    session::{Listener, Tls},
    stats::Counter,
};
use ftp_guard_tests::{
    policy::Policy,
    program::Guard,
    random::number_from_env,
    sequence::{Limits, Tables, World, compare},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use run::Run;

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
            Reason::CommandDenied,
        ],
    ),
];

/// A change of the model behind its back, to see that it shows.
type Twist = fn(&mut Tables);

/// Counters by table and index.
type Cells = BTreeMap<(&'static str, u32), Counter>;

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

/// DELE and SITE EXEC are refused to everybody.
fn denied() -> CommandTable {
    let key = |verb: &[u8; 8], word: &[u8; 8]| CommandKey {
        profile: 0,
        verb: *verb,
        word: *word,
    };
    let keys = [
        key(b"DELE\0\0\0\0", &[0; 8]),
        key(b"SITE\0\0\0\0", b"EXEC\0\0\0\0"),
    ];
    keys.map(|key| (key, Reason::CommandDenied as u8)).into()
}

fn profile(limits: Limits, denies: bool) -> Profile {
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
        policy: if denies { POLICY_COMMANDS } else { 0 },
        ..Profile::default()
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
        let denies = rng.random_bool(0.3);
        policy.commands = denied();
        policy.profiles.insert(0, profile(limits, denies));
        let ports: Vec<u16> = NEGOTIATED.chain([60_000]).collect();
        guard.state().clear(&ports)?;
        // Forgets the ports of active connections, and bans.
        guard.allow_generation = 0;
        guard.install(&policy)?;
        let mut world = World::new(role);
        world.has_bans = rng.random_bool(0.3);
        let mut model = Tables::new(role, world.listed());
        model.limits = limits;
        model.denies = denies;
        for end in world.listening() {
            let (address, family) = from_ip(end.ip());
            let key = ListenKey {
                address,
                port: end.port().to_be_bytes(),
                family: family as u8,
                reserved: 0,
            };
            let since_ns = if end.port() == 50_001 { 0 } else { u64::MAX };
            guard
                .state()
                .listeners()?
                .set(key, Listener::one(since_ns))?;
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
    let twists: [(&str, Twist); 15] = [
        ("no command is refused", |model| model.denies = false),
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
        let differs = (0..2000).any(|_| suite.sequence(&mut rng, Some(twist)).is_err());
        assert!(differs, "nobody notices that {what}");
    }
}
