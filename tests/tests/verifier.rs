//! The programs before the kernel's verifier: every combination of the options that a start sets loads, and
//! what it has to look at stays within a budget. Needs root.

#![expect(clippy::unwrap_used, reason = "a suite fails by panicking")]

use std::{collections::BTreeMap, env, fs};

use aya::{
    Btf, Ebpf, EbpfLoader,
    programs::{BtfTracePoint, ProgramInfo, SchedClassifier, Xdp},
};
use ftp_guard::datapath::{Fixed, object};
use ftp_guard_common::{
    config::Role,
    names::{CONTROL_PROGRAM, EGRESS_PROGRAM, SOCKETS_PROGRAM, XDP_PROGRAM},
    sockets::{INUM_OFFSET_GLOBAL, NET_OFFSET_GLOBAL, NETNS_GLOBAL, SPORT_OFFSET_GLOBAL},
};
use ftp_guard_tests::report;

/// Instructions that the verifier may look at, of a million that it grants: a quarter more than it did when
/// the number was last set, on the kernel below. A change that passes a budget has made a program harder to
/// prove, and is to be understood before the number is raised.
const BUDGETS: [(&str, u32); 4] = [
    (XDP_PROGRAM, 360_000),
    (EGRESS_PROGRAM, 145_000),
    (CONTROL_PROGRAM, 255_000),
    (SOCKETS_PROGRAM, 195_000),
];

/// The kernel that the budgets are of. Older ones follow other ways (6.1 half as many); that they load the programs is
/// enough.
const MEASURED_ON: (u32, u32) = (6, 18);

const GRANTED: u32 = 1_000_000;

/// All combinations; or where the processor is emulated, a sample in which each value of each option comes once at
/// least: a load takes most of a minute there, and the budgets are not of those kernels.
fn combinations() -> Vec<Fixed> {
    let roles = [None, Some(Role::Host), Some(Role::Router)];
    let all = roles
        .into_iter()
        .flat_map(|role| [false, true].map(|trace| Fixed { trace, role }));
    match env::var_os("FTP_GUARD_EMULATED") {
        None => all.collect(),
        Some(_) => all
            .filter(|fixed| fixed.trace == (fixed.role == Some(Role::Host)))
            .collect(),
    }
}

#[test]
fn every_combination_of_what_a_start_sets_loads_within_the_budgets() {
    let mut most: BTreeMap<&str, u32> = BTreeMap::new();
    let combinations = combinations();
    for fixed in &combinations {
        for (program, count) in load(*fixed) {
            report!("{program}, {fixed:?}: {count} instructions verified");
            let most = most.entry(program).or_default();
            *most = count.max(*most);
        }
    }
    report!("verifier: {} of 6 combinations", combinations.len());
    let measured = kernel() >= MEASURED_ON;
    for (program, budget) in BUDGETS {
        let budget = if measured { budget } else { GRANTED };
        let most = most[program];
        assert!(
            most <= budget,
            "{program}: {most} instructions, of {budget}"
        );
    }
}

/// Loads all programs; how many instructions the verifier has looked at for each.
fn load(fixed: Fixed) -> [(&'static str, u32); 4] {
    let mut loader = EbpfLoader::new();
    for (name, value) in fixed.globals() {
        loader.override_global(name, value, true);
    }
    // Any values will do: nothing runs.
    for name in [
        NETNS_GLOBAL,
        NET_OFFSET_GLOBAL,
        INUM_OFFSET_GLOBAL,
        SPORT_OFFSET_GLOBAL,
    ] {
        loader.override_global(name, &16_u32, true);
    }
    let mut ebpf = loader.load(object::bytes()).expect("root is needed");
    let xdp: &mut Xdp = program(&mut ebpf, XDP_PROGRAM);
    xdp.load()
        .unwrap_or_else(|error| panic!("{fixed:?}: {error}"));
    let xdp = verified(xdp.info().unwrap());
    let [egress, control] = [EGRESS_PROGRAM, CONTROL_PROGRAM].map(|name| {
        let classifier: &mut SchedClassifier = program(&mut ebpf, name);
        let loaded = classifier.load();
        loaded.unwrap_or_else(|error| panic!("{name}, {fixed:?}: {error}"));
        verified(classifier.info().unwrap())
    });
    let types = Btf::from_sys_fs().unwrap();
    let sockets: &mut BtfTracePoint = program(&mut ebpf, SOCKETS_PROGRAM);
    let loaded = sockets.load("inet_sock_set_state", &types);
    loaded.unwrap_or_else(|error| panic!("{SOCKETS_PROGRAM}, {fixed:?}: {error}"));
    let sockets = verified(sockets.info().unwrap());
    [
        (XDP_PROGRAM, xdp),
        (EGRESS_PROGRAM, egress),
        (CONTROL_PROGRAM, control),
        (SOCKETS_PROGRAM, sockets),
    ]
}

fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> &'a mut P
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = aya::programs::ProgramError>,
{
    ebpf.program_mut(name).unwrap().try_into().unwrap()
}

fn verified(info: ProgramInfo) -> u32 {
    info.verified_instruction_count()
        .expect("kernels from 5.16 on tell")
}

/// The version of the running kernel.
fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
