//! What a packet costs in the kernel program: the time of a `BPF_PROG_TEST_RUN`, as the difference to
//! a program that only returns `XDP_PASS`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use anyhow::{Context, Result};
use ftp_guard::{
    datapath::Hook,
    frame::{FrameSpec, TcpFlags, tcp_frame},
};
use ftp_guard_common::{
    address::FlowKey,
    allow::EntryKind,
    class::Family,
    config::{FLAG_ODD_PORTS, FLAG_TEXT},
    reason::Reason,
    session::{Flow, FlowKind, Traffic},
};
use ftp_guard_tests::{
    model,
    packet::{self, Ipv4, Ipv6, Macs, ethernet},
    policy::Policy,
    program::{Guard, now_s},
    sys,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use nix::time::{ClockId, clock_gettime};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    Options, Suite, cpus, load, machine, median,
    report::{Better, Plot, PlotKind, Ratio, Section, Table},
};

/// Entries of the allowlists that are measured, of each IP version.
const SIZES: [usize; 2] = [10, 1000];
/// Makes the lists and sources of every run the same.
const SEED: u64 = 21;

/// Measures all cases and prints them.
pub fn run(options: &Options) -> Result<()> {
    let mut suite = Packets::new(options, options.repeat, cpus::last()?)?;
    for round in 0..suite.rounds() {
        suite.round(round)?;
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&suite.as_json(options))?);
    } else {
        print!("{}", suite.as_markdown(options));
        print!("{}", suite.leaving_as_markdown());
    }
    Ok(())
}

/// The suite.
pub struct Packets {
    rounds: usize,
    repeat: u32,
    /// Of a whole round: a round is not split between two.
    cpu: usize,
    floor: OwnedFd,
    programs: Vec<Listed>,
    leaving: Leavings,
}

impl Packets {
    /// Of so many runs in a round, on this CPU.
    pub fn new(options: &Options, repeat: u32, cpu: usize) -> Result<Self> {
        let floor = sys::load_pass_program().context("cannot load a program (root is needed)")?;
        let programs = SIZES.map(Listed::new);
        Ok(Self {
            rounds: options.rounds(21),
            repeat,
            cpu,
            floor,
            programs: programs.into_iter().collect::<Result<_>>()?,
            leaving: Leavings::new()?,
        })
    }

    fn cases(&self) -> impl Iterator<Item = &Measured> {
        self.programs.iter().flat_map(|program| &program.cases)
    }
}

impl Suite for Packets {
    fn name(&self) -> &'static str {
        "packets"
    }

    fn rounds(&self) -> usize {
        self.rounds
    }

    fn round(&mut self, _: usize) -> Result<()> {
        let Self {
            repeat,
            floor,
            programs,
            leaving,
            ..
        } = self;
        cpus::on(self.cpu, || {
            for program in programs {
                program.round(floor, *repeat)?;
            }
            leaving.round(*repeat)
        })
    }

    fn section(&self) -> Result<Section> {
        let mut ratios = Vec::new();
        let mut table = Table::new(
            "",
            &[
                "packet",
                "IP",
                "entries",
                "ns over the floor",
                "lowest",
                "highest",
                "aim",
            ],
            "The aims are differences to the floor. The ratios are of the whole run to one of the floor: they do \
             not change with the processor's clock.",
        );
        let mut bars = Vec::new();
        for case in self.cases() {
            let (over, family) = (sorted(&case.over_floor_ns), case.family.as_str());
            let entries = case
                .entries
                .map_or("any".to_owned(), |entries| entries.to_string());
            let name = format!("{}, {family}", case.kind.name());
            let with = match case.entries {
                Some(entries) => format!("{name}, {entries} entries"),
                None => name,
            };
            let whole: Vec<f64> = case
                .over_floor_ns
                .iter()
                .zip(&case.floor_ns)
                .map(|(over, floor)| over + floor)
                .collect();
            let ratio = format!("packets/{with}: run to floor");
            ratios.push(Ratio::of(ratio, Better::Lower, &whole, &case.floor_ns));
            bars.push((with, median(&over).max(0.0)));
            table.rows.push(vec![
                case.kind.name().to_owned(),
                family.to_owned(),
                entries,
                format!("{:.1}", median(&over)),
                format!("{:.1}", over[0]),
                format!("{:.1}", over[over.len() - 1]),
                case.kind.target(),
            ]);
        }
        Ok(Section {
            name: "packets",
            title: "Single packets",
            about: format!(
                "What the program takes for a packet over one that only returns XDP_PASS: BPF_PROG_TEST_RUN, {} \
                 rounds of {} runs each, every round with another source, each after a run of the floor. Caches \
                 are warm: it is the path through the program that is measured, not the memory.",
                self.rounds, self.repeat
            ),
            ratios,
            tables: vec![table],
            plots: vec![Plot {
                file: "packets",
                title: "Nanoseconds over a program that does nothing".to_owned(),
                kind: PlotKind::Bars { unit: "ns", bars },
            }],
            data: self.data(),
        })
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// A packet that leaves from a port of no class, under the egress classifier: nanoseconds of a run without
/// `inspect.odd_ports`, and what it takes more with it, one of each round.
struct Leaving {
    name: &'static str,
    payload: Vec<u8>,
    flags: TcpFlags,
    without_ns: Vec<f64>,
    more_ns: Vec<f64>,
}

/// What looking for FTP on other ports costs what is none.
struct Leavings {
    off: OwnedFd,
    on: OwnedFd,
    cases: Vec<Leaving>,
    // Their maps.
    _guards: [Guard; 2],
}

impl Leavings {
    fn new() -> Result<Self> {
        let program = |flags: u32| -> Result<(Guard, OwnedFd)> {
            let mut guard = Guard::with(&Policy::new().with_flag(flags))?;
            let program = guard.classifier(Hook::Egress)?.fd()?.as_fd();
            let program = program.try_clone_to_owned()?;
            Ok((guard, program))
        };
        let (off_guard, off) = program(FLAG_TEXT)?;
        let (on_guard, on) = program(FLAG_TEXT | FLAG_ODD_PORTS)?;
        let data = TcpFlags(TcpFlags::PSH.0 | TcpFlags::ACK.0);
        let case = |name, flags, payload: &[u8]| Leaving {
            name,
            payload: payload.to_vec(),
            flags,
            without_ns: Vec::new(),
            more_ns: Vec::new(),
        };
        let cases = vec![
            case("small payload", data, &[b'x'; 100]),
            case("acknowledgement", TcpFlags::ACK, b""),
            case("bulk data", data, &[b'x'; 1400]),
            case(
                "greeting beyond the rate",
                data,
                b"220 ready for whatever it may be\r\n",
            ),
        ];
        Ok(Self {
            off,
            on,
            cases,
            _guards: [off_guard, on_guard],
        })
    }

    fn round(&mut self, repeat: u32) -> Result<()> {
        for case in &mut self.cases {
            let frame = tcp_frame(&FrameSpec {
                source: Ipv4Addr::new(192, 0, 2, 1).into(),
                destination: Ipv4Addr::new(198, 51, 100, 7).into(),
                source_port: 443,
                destination_port: 40_000,
                flags: case.flags,
                vlans: Vec::new(),
                payload: case.payload.clone(),
            });
            let without = time(self.off.as_fd(), &frame, repeat)?;
            let with = time(self.on.as_fd(), &frame, repeat)?;
            case.without_ns.push(without);
            case.more_ns.push(with - without);
        }
        Ok(())
    }
}

/// What a case sends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Arp,
    Udp,
    OtherTcp,
    UnlistedSyn,
    LiveData,
    ListedData,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Arp,
        Self::Udp,
        Self::OtherTcp,
        Self::UnlistedSyn,
        Self::LiveData,
        Self::ListedData,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Arp => "ARP",
            Self::Udp => "UDP",
            Self::OtherTcp => "TCP data to port 443",
            Self::UnlistedSyn => "unlisted SYN to port 21",
            Self::LiveData => "data of a live connection to port 50000",
            Self::ListedData => "listed data of no connection to port 50000",
        }
    }

    /// What the case should cost at the most, over the floor, in nanoseconds. Nobody has a right to be quick who sends
    /// data on no connection.
    fn target_ns(self) -> Option<f64> {
        match self {
            Self::Arp | Self::Udp | Self::OtherTcp => Some(8.0),
            Self::UnlistedSyn => Some(30.0),
            Self::LiveData => Some(40.0),
            Self::ListedData => None,
        }
    }

    /// The target as text.
    fn target(self) -> String {
        self.target_ns()
            .map_or_else(String::new, |ns| format!("{ns:.0}"))
    }

    /// Why it passes or not, by a program with empty tables.
    fn reason(self) -> Reason {
        match self {
            Self::Arp => Reason::NotIp,
            Self::Udp => Reason::NotTcp,
            Self::OtherTcp => Reason::NotFtp,
            Self::UnlistedSyn => Reason::NotListed,
            Self::LiveData | Self::ListedData => Reason::NoFlow,
        }
    }

    fn families(self) -> &'static [Family] {
        match self {
            Self::Arp => &[Family::Other],
            _ => &[Family::Ipv4, Family::Ipv6],
        }
    }

    /// Whether the allowlist is looked at.
    fn needs_list(self) -> bool {
        matches!(self, Self::UnlistedSyn | Self::LiveData | Self::ListedData)
    }
}

/// The measurements of a case: nanoseconds over the floor, one of each round.
struct Measured {
    kind: Kind,
    family: Family,
    entries: Option<usize>,
    over_floor_ns: Vec<f64>,
    floor_ns: Vec<f64>,
}

/// The program with an allowlist of so many entries of each IP version, and its cases.
struct Listed {
    rng: StdRng,
    policy: Policy,
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
    program: OwnedFd,
    cases: Vec<Measured>,
    // The program's maps.
    guard: Guard,
}

impl Listed {
    fn new(size: usize) -> Result<Self> {
        let mut rng = StdRng::seed_from_u64(SEED);
        let (policy, v4, v6) = allowlist(&mut rng, size);
        let mut guard = Guard::with(&policy)?;
        let program = guard.program()?.fd()?.as_fd().try_clone_to_owned()?;
        let cases = Kind::ALL
            .into_iter()
            .filter(|kind| kind.needs_list() || size == SIZES[0])
            .flat_map(|kind| {
                kind.families().iter().map(move |family| Measured {
                    kind,
                    family: *family,
                    entries: kind.needs_list().then_some(size),
                    over_floor_ns: Vec::new(),
                    floor_ns: Vec::new(),
                })
            })
            .collect();
        Ok(Self {
            rng,
            policy,
            v4,
            v6,
            program,
            cases,
            guard,
        })
    }

    /// Every case follows a run of the floor, and has another source.
    fn round(&mut self, floor: &OwnedFd, repeat: u32) -> Result<()> {
        for case in &mut self.cases {
            let (frame, client) = loop {
                let (frame, client) =
                    frame(&mut self.rng, case.kind, case.family, &self.v4, &self.v6);
                // A random source may be listed by chance.
                if model::judge(&frame, &self.policy, now_s()).key.reason == case.kind.reason() {
                    break (frame, client);
                }
            };
            let server = SocketAddr::new(server(case.family), DATA_PORT);
            let key = FlowKey::new(SocketAddr::new(client, CLIENT_PORT), server);
            if case.kind == Kind::LiveData {
                let flow = Flow {
                    traffic: Traffic {
                        allow_generation: self.guard.allow_generation,
                        ..Traffic::default()
                    },
                    kind: FlowKind::Passive as u8,
                    established: 1,
                    ..Flow::default()
                };
                self.guard.state().flows()?.set(key, flow)?;
            }
            let floor = time(floor.as_fd(), &frame, repeat)?;
            let whole = time(self.program.as_fd(), &frame, repeat)?;
            if case.kind == Kind::LiveData {
                self.guard.state().flows()?.remove(key)?;
            }
            case.floor_ns.push(floor);
            case.over_floor_ns.push(whole - floor);
        }
        Ok(())
    }
}

/// Time of one run in nanoseconds of this thread's processor time, which other processes do not
/// lengthen. (The kernel's own mean is cut to whole nanoseconds.) What the system call costs besides
/// is spread over all runs, and is in the floor too.
fn time(program: BorrowedFd<'_>, frame: &[u8], repeat: u32) -> Result<f64> {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    let start = Duration::from(clock_gettime(clock)?);
    sys::run_many(program, frame, repeat)?;
    let spent = Duration::from(clock_gettime(clock)?) - start;
    Ok(spent.as_nanos() as f64 / f64::from(repeat))
}

/// Random entries: IPv4 prefixes of /24 to /32, IPv6 ones of /48 to /64 and hosts.
fn allowlist(rng: &mut StdRng, size: usize) -> (Policy, Vec<Ipv4Net>, Vec<Ipv6Net>) {
    let mut policy = Policy::new();
    let mut v4 = Vec::new();
    let mut v6 = Vec::new();
    for _ in 0..size {
        let prefix = Ipv4Net::new_assert(rng.random::<u32>().into(), rng.random_range(24..=32));
        v4.push(prefix.trunc());
        // 2000::/3, where addresses are given out.
        let address = rng.random::<u128>() >> 3 | 1 << 125;
        let length = if rng.random_bool(0.5) {
            rng.random_range(48..=64)
        } else {
            128
        };
        v6.push(Ipv6Net::new_assert(address.into(), length).trunc());
    }
    let nets = v4.iter().copied().map(IpNet::V4);
    for prefix in nets.chain(v6.iter().copied().map(IpNet::V6)) {
        policy.entry(prefix, EntryKind::Allow, 0);
    }
    (policy, v4, v6)
}

const CLIENT_PORT: u16 = 40_000;
const DATA_PORT: u16 = 50_000;

fn server(family: Family) -> IpAddr {
    match family {
        Family::Ipv6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        _ => Ipv4Addr::new(192, 0, 2, 1).into(),
    }
}

/// A frame of a case, and the address it comes from.
fn frame(
    rng: &mut StdRng,
    kind: Kind,
    family: Family,
    v4: &[Ipv4Net],
    v6: &[Ipv6Net],
) -> (Vec<u8>, IpAddr) {
    let (listed4, listed6) = (rng.random_range(0..v4.len()), rng.random_range(0..v6.len()));
    let source: IpAddr = match (kind, family) {
        (Kind::LiveData | Kind::ListedData, Family::Ipv6) => v6[listed6].addr().into(),
        (Kind::LiveData | Kind::ListedData, _) => v4[listed4].addr().into(),
        (_, Family::Ipv6) => Ipv6Addr::from(rng.random::<u128>() >> 3 | 1 << 125).into(),
        _ => Ipv4Addr::from(rng.random::<u32>()).into(),
    };
    let destination = server(family);
    let data = vec![0; 1400];
    let tcp = |port, flags, payload| {
        tcp_frame(&FrameSpec {
            source,
            destination,
            source_port: CLIENT_PORT,
            destination_port: port,
            flags,
            vlans: Vec::new(),
            payload,
        })
    };
    let frame = match (kind, source, destination) {
        (Kind::Arp, ..) => ethernet(Macs::default(), &[], 0x0806, &[0; 46]),
        (Kind::Udp, IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut packet = Ipv4::new(source, destination, data);
            packet.protocol = packet::UDP;
            ethernet(Macs::default(), &[], packet::IPV4, &packet.to_bytes())
        }
        (Kind::Udp, source, destination) => {
            let [source, destination] = [source, destination].map(|address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped(),
                IpAddr::V6(address) => address,
            });
            let mut packet = Ipv6::new(source, destination, data);
            packet.protocol = packet::UDP;
            ethernet(Macs::default(), &[], packet::IPV6, &packet.to_bytes())
        }
        (Kind::OtherTcp, ..) => tcp(443, TcpFlags::ACK, data),
        (Kind::UnlistedSyn, ..) => tcp(21, TcpFlags::SYN, Vec::new()),
        (Kind::LiveData | Kind::ListedData, ..) => tcp(DATA_PORT, TcpFlags::ACK, data),
    };
    (frame, source)
}

impl Packets {
    fn as_markdown(&self, options: &Options) -> String {
        let (processor, kernel) = machine();
        let floors: Vec<f64> = self
            .cases()
            .flat_map(|case| case.floor_ns.clone())
            .collect();
        let mut text = format!(
            "Cost of a packet over a program that only returns XDP_PASS (floor: median {:.1} ns).\n\n\
             {processor}; Linux {kernel}; load {}. BPF_PROG_TEST_RUN, {} rounds of {} runs, each round with \
             another source, warm caches.\n\n\
             | packet | IP | entries | median ns | min | max | target |\n\
             | --- | --- | ---: | ---: | ---: | ---: | ---: |\n",
            median(&sorted(&floors)),
            load(),
            self.rounds,
            options.repeat
        );
        for case in self.cases() {
            let entries = case
                .entries
                .map_or("any".to_owned(), |entries| entries.to_string());
            let over = sorted(&case.over_floor_ns);
            text += &format!(
                "| {} | {} | {entries} | {:.1} | {:.1} | {:.1} | {} |\n",
                case.kind.name(),
                case.family.as_str(),
                median(&over),
                over[0],
                over[over.len() - 1],
                case.kind.target()
            );
        }
        text
    }

    fn leaving_as_markdown(&self) -> String {
        let mut text = String::from(
            "\nWhat leaves from a port of no class: a run of the egress classifier without \
             `inspect.odd_ports`, and how much longer it takes with it.\n\n\
             | packet | without, median ns | more, median ns | min | max |\n\
             | --- | ---: | ---: | ---: | ---: |\n",
        );
        for case in &self.leaving.cases {
            let more = sorted(&case.more_ns);
            text += &format!(
                "| {} | {:.1} | {:.1} | {:.1} | {:.1} |\n",
                case.name,
                median(&sorted(&case.without_ns)),
                median(&more),
                more[0],
                more[more.len() - 1],
            );
        }
        text
    }

    fn as_json(&self, options: &Options) -> Value {
        let (processor, kernel) = machine();
        let data = self.data();
        json!({
            "processor": processor,
            "kernel": kernel,
            "load": load(),
            "rounds": self.rounds,
            "repeat": options.repeat,
            "cases": data["cases"],
            "leaving": data["leaving"],
        })
    }

    fn data(&self) -> Value {
        let cases: Vec<_> = self
            .cases()
            .map(|case| {
                let over = sorted(&case.over_floor_ns);
                json!({
                    "packet": case.kind.name(),
                    "family": case.family.as_str(),
                    "entries": case.entries,
                    "median_ns": median(&over),
                    "min_ns": over[0],
                    "max_ns": over[over.len() - 1],
                    "floor_median_ns": median(&sorted(&case.floor_ns)),
                    "target_ns": case.kind.target_ns(),
                })
            })
            .collect();
        let leaving: Vec<_> = self
            .leaving
            .cases
            .iter()
            .map(|case| {
                json!({
                    "packet": case.name,
                    "without_median_ns": median(&sorted(&case.without_ns)),
                    "more_median_ns": median(&sorted(&case.more_ns)),
                })
            })
            .collect();
        json!({ "cases": cases, "leaving": leaving })
    }
}
