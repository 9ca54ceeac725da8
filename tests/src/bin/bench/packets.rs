//! What a packet costs in the kernel program: the time of a `BPF_PROG_TEST_RUN`, as the difference to
//! a program that only returns `XDP_PASS`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use anyhow::{Context, Result};
use ftp_guard::{
    datapath::Hook,
    frame::{FrameSpec, TcpFlags, tcp_frame},
};
use ftp_guard_common::{
    allow::EntryKind,
    class::Family,
    config::{FLAG_ODD_PORTS, FLAG_TEXT},
    reason::Reason,
};
use ftp_guard_tests::{
    model,
    packet::{self, Ipv4, Ipv6, Macs, ethernet},
    policy::Policy,
    program::{Guard, now_s},
    sys,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
    unistd::Pid,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::{Options, load, machine, median};

/// Entries of the allowlists that are measured, of each IP version.
const SIZES: [usize; 2] = [10, 1000];
/// Makes the lists and sources of every run the same.
const SEED: u64 = 21;

/// Measures all cases and prints them.
pub fn run(options: &Options) -> Result<()> {
    stay_on_one_cpu()?;
    let floor = sys::load_pass_program().context("cannot load a program (root is needed)")?;
    let mut results = Vec::new();
    for size in SIZES {
        results.extend(measure(&floor, size, options)?);
    }
    let leaving = measure_leaving(options)?;
    if options.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&as_json(&results, &leaving, options))?
        );
    } else {
        print!("{}", as_markdown(&results, options));
        print!("{}", leaving_as_markdown(&leaving));
    }
    Ok(())
}

/// A packet that leaves from a port of no class, under the egress classifier: nanoseconds of a run without
/// `inspect.odd_ports`, and what it takes more with it, sorted, one of each round.
struct Leaving {
    name: &'static str,
    payload: Vec<u8>,
    flags: TcpFlags,
    without_ns: Vec<f64>,
    more_ns: Vec<f64>,
}

/// Measures what looking for FTP on other ports costs what is none.
fn measure_leaving(options: &Options) -> Result<Vec<Leaving>> {
    let program = |flags: u32| -> Result<(Guard, OwnedFd)> {
        let mut guard = Guard::with(&Policy::new().with_flag(flags))?;
        let program = guard.classifier(Hook::Egress)?.fd()?.as_fd();
        let program = program.try_clone_to_owned()?;
        Ok((guard, program))
    };
    let (_off_guard, off) = program(FLAG_TEXT)?;
    let (_on_guard, on) = program(FLAG_TEXT | FLAG_ODD_PORTS)?;
    let data = TcpFlags(TcpFlags::PSH.0 | TcpFlags::ACK.0);
    let case = |name, flags, payload: &[u8]| Leaving {
        name,
        payload: payload.to_vec(),
        flags,
        without_ns: Vec::new(),
        more_ns: Vec::new(),
    };
    let mut cases = vec![
        case("small payload", data, &[b'x'; 100]),
        case("acknowledgement", TcpFlags::ACK, b""),
        case("bulk data", data, &[b'x'; 1400]),
        case(
            "greeting beyond the rate",
            data,
            b"220 ready for whatever it may be\r\n",
        ),
    ];
    for _ in 0..options.rounds(21) {
        for case in &mut cases {
            let frame = tcp_frame(&FrameSpec {
                source: Ipv4Addr::new(192, 0, 2, 1).into(),
                destination: Ipv4Addr::new(198, 51, 100, 7).into(),
                source_port: 443,
                destination_port: 40_000,
                flags: case.flags,
                vlans: Vec::new(),
                payload: case.payload.clone(),
            });
            let without = time(off.as_fd(), &frame, options.repeat)?;
            let with = time(on.as_fd(), &frame, options.repeat)?;
            case.without_ns.push(without);
            case.more_ns.push(with - without);
        }
    }
    for case in &mut cases {
        case.without_ns.sort_by(f64::total_cmp);
        case.more_ns.sort_by(f64::total_cmp);
    }
    Ok(cases)
}

fn leaving_as_markdown(results: &[Leaving]) -> String {
    let mut text = String::from(
        "\nWhat leaves from a port of no class: a run of the egress classifier without \
         `inspect.odd_ports`, and how much longer it takes with it.\n\n\
         | packet | without, median ns | more, median ns | min | max |\n\
         | --- | ---: | ---: | ---: | ---: |\n",
    );
    for case in results {
        text += &format!(
            "| {} | {:.1} | {:.1} | {:.1} | {:.1} |\n",
            case.name,
            median(&case.without_ns),
            median(&case.more_ns),
            case.more_ns[0],
            case.more_ns[case.more_ns.len() - 1],
        );
    }
    text
}

/// What a case sends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Arp,
    Udp,
    OtherTcp,
    UnlistedSyn,
    ListedData,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Arp,
        Self::Udp,
        Self::OtherTcp,
        Self::UnlistedSyn,
        Self::ListedData,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Arp => "ARP",
            Self::Udp => "UDP",
            Self::OtherTcp => "TCP data to port 443",
            Self::UnlistedSyn => "unlisted SYN to port 21",
            Self::ListedData => "listed data of no connection to port 50000",
        }
    }

    /// What the case should cost at the most, over the floor, in nanoseconds.
    fn target_ns(self) -> f64 {
        match self {
            Self::Arp | Self::Udp | Self::OtherTcp => 10.0,
            Self::UnlistedSyn | Self::ListedData => 40.0,
        }
    }

    fn reason(self) -> Reason {
        match self {
            Self::Arp => Reason::NotIp,
            Self::Udp => Reason::NotTcp,
            Self::OtherTcp => Reason::NotFtp,
            Self::UnlistedSyn => Reason::NotListed,
            Self::ListedData => Reason::NoFlow,
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
        matches!(self, Self::UnlistedSyn | Self::ListedData)
    }
}

/// The measurements of a case: nanoseconds over the floor, sorted, one of each round.
struct Measured {
    kind: Kind,
    family: Family,
    entries: Option<usize>,
    over_floor_ns: Vec<f64>,
    floor_ns: Vec<f64>,
}

/// Measures all cases over an allowlist of `size` entries of each IP version. In each round every
/// case follows a run of the floor, and has another source.
fn measure(floor: &OwnedFd, size: usize, options: &Options) -> Result<Vec<Measured>> {
    let mut rng = StdRng::seed_from_u64(SEED);
    let (policy, v4, v6) = allowlist(&mut rng, size);
    let mut guard = Guard::with(&policy)?;
    let program = guard.program()?.fd()?.as_fd().try_clone_to_owned()?;

    let mut cases: Vec<Measured> = Kind::ALL
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
    for _ in 0..options.rounds(21) {
        for case in &mut cases {
            let frame = loop {
                let frame = frame(&mut rng, case.kind, case.family, &v4, &v6);
                // A random source may be listed by chance.
                if model::judge(&frame, &policy, now_s()).key.reason == case.kind.reason() {
                    break frame;
                }
            };
            let floor = time(floor.as_fd(), &frame, options.repeat)?;
            let whole = time(program.as_fd(), &frame, options.repeat)?;
            case.floor_ns.push(floor);
            case.over_floor_ns.push(whole - floor);
        }
    }
    for case in &mut cases {
        case.over_floor_ns.sort_by(f64::total_cmp);
        case.floor_ns.sort_by(f64::total_cmp);
    }
    Ok(cases)
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

fn frame(rng: &mut StdRng, kind: Kind, family: Family, v4: &[Ipv4Net], v6: &[Ipv6Net]) -> Vec<u8> {
    let (listed4, listed6) = (rng.random_range(0..v4.len()), rng.random_range(0..v6.len()));
    let source: IpAddr = match (kind, family) {
        (Kind::ListedData, Family::Ipv6) => v6[listed6].addr().into(),
        (Kind::ListedData, _) => v4[listed4].addr().into(),
        (_, Family::Ipv6) => Ipv6Addr::from(rng.random::<u128>() >> 3 | 1 << 125).into(),
        _ => Ipv4Addr::from(rng.random::<u32>()).into(),
    };
    let destination: IpAddr = match family {
        Family::Ipv6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        _ => Ipv4Addr::new(192, 0, 2, 1).into(),
    };
    let data = vec![0; 1400];
    let tcp = |port, flags, payload| {
        tcp_frame(&FrameSpec {
            source,
            destination,
            source_port: 40_000,
            destination_port: port,
            flags,
            vlans: Vec::new(),
            payload,
        })
    };
    match (kind, source, destination) {
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
        (Kind::ListedData, ..) => tcp(50_000, TcpFlags::ACK, data),
    }
}

/// Keeps the process on one CPU, so that a round is not split between two.
fn stay_on_one_cpu() -> Result<()> {
    let this_thread = Pid::from_raw(0);
    let allowed = sched_getaffinity(this_thread)?;
    let mut one = CpuSet::new();
    // The last one: the first serves most interrupts.
    let last = (0..CpuSet::count())
        .rev()
        .find(|cpu| allowed.is_set(*cpu) == Ok(true));
    one.set(last.context("no CPU to run on")?)?;
    Ok(sched_setaffinity(this_thread, &one)?)
}

fn as_markdown(results: &[Measured], options: &Options) -> String {
    let (processor, kernel) = machine();
    let mut floors: Vec<f64> = results
        .iter()
        .flat_map(|case| case.floor_ns.clone())
        .collect();
    floors.sort_by(f64::total_cmp);
    let mut text = format!(
        "Cost of a packet over a program that only returns XDP_PASS (floor: median {:.1} ns).\n\n\
         {processor}; Linux {kernel}; load {}. BPF_PROG_TEST_RUN, {} rounds of {} runs, each round with \
         another source, warm caches.\n\n\
         | packet | IP | entries | median ns | min | max | target |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: |\n",
        median(&floors),
        load(),
        options.rounds(21),
        options.repeat
    );
    for case in results {
        let entries = case
            .entries
            .map_or("any".to_owned(), |entries| entries.to_string());
        text += &format!(
            "| {} | {} | {entries} | {:.1} | {:.1} | {:.1} | {:.0} |\n",
            case.kind.name(),
            case.family.as_str(),
            median(&case.over_floor_ns),
            case.over_floor_ns[0],
            case.over_floor_ns[case.over_floor_ns.len() - 1],
            case.kind.target_ns()
        );
    }
    text
}

fn as_json(results: &[Measured], leaving: &[Leaving], options: &Options) -> serde_json::Value {
    let (processor, kernel) = machine();
    let cases: Vec<_> = results
        .iter()
        .map(|case| {
            json!({
                "packet": case.kind.name(),
                "family": case.family.as_str(),
                "entries": case.entries,
                "median_ns": median(&case.over_floor_ns),
                "min_ns": case.over_floor_ns[0],
                "max_ns": case.over_floor_ns[case.over_floor_ns.len() - 1],
                "floor_median_ns": median(&case.floor_ns),
                "target_ns": case.kind.target_ns(),
            })
        })
        .collect();
    let leaving: Vec<_> = leaving
        .iter()
        .map(|case| {
            json!({
                "packet": case.name,
                "without_median_ns": median(&case.without_ns),
                "more_median_ns": median(&case.more_ns),
            })
        })
        .collect();
    json!({
        "processor": processor,
        "kernel": kernel,
        "load": load(),
        "rounds": options.rounds(21),
        "repeat": options.repeat,
        "cases": cases,
        "leaving": leaving,
    })
}
