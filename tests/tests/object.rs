//! The object ring: what the loader names is in the built object, and its maps are as large as they
//! may be. Needs no privilege.

use std::{collections::BTreeSet, path::Path};

use aya_obj::{
    Map, Object, ProgramSection,
    generated::bpf_map_type::{
        BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LPM_TRIE, BPF_MAP_TYPE_PERCPU_ARRAY,
        BPF_MAP_TYPE_RINGBUF,
    },
};
use ftp_guard::datapath::{Fixed, object};
use ftp_guard_common::{
    address::{ClientKey, EndpointKey, FlowKey, ListenKey},
    allow::AllowCounts,
    ban::BanValue,
    config::{GuardConfig, Role},
    event::{EVENT_HOOKS, EVENTS_BYTES, EventBudget},
    front::{SLOTS, Slot},
    limits::{
        Attack, BUCKET_ROWS, BUCKET_SLOTS, COMMANDS, CommandKey, EXPECTED_SLOTS, Opening, PROFILES,
        Primed, Profile, Source, SourceKey, Sysctls,
    },
    lookup::{lines, outcome, v4, v6},
    names::{
        ABI_MAP, ALLOW_COUNTS_MAP, ALLOW_MAPS, ALLOW_ROWS_MAP, ALLOW_V4_BITS_MAP,
        ALLOW_V4_HEAD_MAP, ALLOW_V4_KNOWN_MAP, ALLOW_V4_LINES_MAP, ALLOW_V4_POOL_MAP,
        ALLOW_V4_ROOT_MAP, ALLOW_V6_FILTER_MAP, ALLOW_V6_HEAD_MAP, ALLOW_V6_LINES_MAP,
        ALLOW_V6_POOL_MAP, ALLOW_V6_ROOT_MAP, ATTACK_MAP, BAN_V4_MAP, BAN_V6_MAP, BUCKETS_MAP,
        CLIENTS_MAP, COMMANDS_MAP, CONFIG_MAP, CONTROL_PROGRAM, EGRESS_PROGRAM, EVENT_BUDGET_MAP,
        EVENTS_MAP, EXPECTED_MAP, FLOWS_MAP, FRONT_MAP, LISTEN_MAP, NAMED_MAP, NEGOTIATED_MAP,
        OPENING_MAP, PINHOLES_MAP, PINNED_MAPS, PORTS_MAP, PRIMED_MAP, PROFILES_MAP, PROGRAMS,
        SEQUENCE_MAP, SESSIONS_MAP, SOCKETS_PROGRAM, SOURCES_MAP, STATS_CONTROL_MAP,
        STATS_EGRESS_MAP, STATS_MAP, SYSCTLS_MAP, TEXT_LOSS_MAP, TEXT_MAP, XDP_PROGRAM,
    },
    ports::PortTable,
    reason::REASON_SLOTS,
    session::{Client, Flow, Listener, Named, Pinhole, Session},
    sockets::{INUM_OFFSET_GLOBAL, NET_OFFSET_GLOBAL, NETNS_GLOBAL, SPORT_OFFSET_GLOBAL},
    stats::{Counter, STATS_LEN},
    text::{TEXT_LOSS_SLOTS, TEXT_RING_BYTES},
};
use ftp_guard_tests::{report, stack};

/// aya-log's own map, which the loader does not pin. The log is off unless `run --trace-packets`
/// asks for it.
const LOG_MAP: &str = "AYA_LOGS";

/// Room for the programs to work in, which is nobody else's.
const SCRATCH_MAPS: [&str; 6] = [
    "FTPG_SCRATCH",
    "FTPG_PACKET",
    "FTPG_RECLAIM",
    "FTPG_ANSWER",
    "FTPG_CLOCK",
    "FTPG_ODD_PORTS",
];

/// What the arrays and ring buffers may take in the kernel, together and for each CPU: 14.5 MiB, of which the arrays
/// of the allowlist whose size does not depend on it are 7, what is told of sessions is 4, the token buckets are
/// 1, the times at which ports were negotiated and the acknowledgements that are expected half of one each, what
/// stands in front of the data connections half of one; and
/// 512 KiB, a table of counters for each of three hooks. Entries of allowlist and bans come on top, as long as
/// they are.
const SHARED_BUDGET: u64 = (14 << 20) + (512 << 10);
const PER_CPU_BUDGET: u64 = 512 << 10;

/// What the state tables may take of their default size, 16,384 sessions and 32,768 data connections: all
/// of it is taken when they are made.
const STATE_BUDGET: u64 = 26 << 20;
const STATE_MAPS: [&str; 8] = [
    SESSIONS_MAP,
    FLOWS_MAP,
    PINHOLES_MAP,
    NAMED_MAP,
    CLIENTS_MAP,
    LISTEN_MAP,
    SOURCES_MAP,
    OPENING_MAP,
];
const SESSIONS: u64 = 16_384;
const FLOWS: u64 = 32_768;

/// What the kernel adds to an entry of a hash table (kernel/bpf/hashtab.c, `struct htab_elem`), and its
/// bucket.
const ENTRY_OVERHEAD: u64 = 48 + 16;

fn parsed() -> Object {
    Object::parse(object::bytes()).expect("the embedded object parses")
}

fn size_of<T>() -> u32 {
    u32::try_from(std::mem::size_of::<T>()).expect("a type of few bytes")
}

#[test]
fn the_programs_are_those_that_the_loader_names() {
    let object = parsed();
    let names: BTreeSet<&str> = object.programs.keys().map(String::as_str).collect();
    assert_eq!(names, PROGRAMS.into());
    let section = |name: &str| &object.programs[name].section;
    assert!(
        matches!(
            section(XDP_PROGRAM),
            ProgramSection::Xdp { frags: true, .. }
        ),
        "{:?} does not take packets of several buffers",
        section(XDP_PROGRAM)
    );
    for name in [EGRESS_PROGRAM, CONTROL_PROGRAM] {
        let section = section(name);
        assert!(
            matches!(section, ProgramSection::SchedClassifier),
            "{name}: {section:?}"
        );
    }
    assert!(matches!(
        section(SOCKETS_PROGRAM),
        ProgramSection::BtfTracePoint
    ));
}

#[test]
fn the_licence_lets_the_programs_call_every_helper() {
    assert_eq!(parsed().license.to_bytes(), b"Dual MIT/GPL");
}

#[test]
fn the_maps_are_those_that_the_loader_names() {
    let object = parsed();
    let maps: BTreeSet<&str> = object
        .maps
        .keys()
        .map(String::as_str)
        .filter(|name| !name.starts_with('.'))
        .collect();
    let wanted: BTreeSet<&str> = PINNED_MAPS
        .into_iter()
        .chain([LOG_MAP])
        .chain(SCRATCH_MAPS)
        .collect();
    assert_eq!(maps, wanted);
}

#[test]
fn every_map_has_the_layout_of_the_shared_types() {
    let object = parsed();
    let lpm_v4 = 4 + 4;
    let lpm_v6 = 4 + 16;
    let array = BPF_MAP_TYPE_ARRAY;
    let per_cpu = BPF_MAP_TYPE_PERCPU_ARRAY;
    let trie = BPF_MAP_TYPE_LPM_TRIE;
    let hash = BPF_MAP_TYPE_HASH;
    let counter = size_of::<Counter>();
    let flow_key = size_of::<FlowKey>();
    let endpoint = size_of::<EndpointKey>();
    let line = size_of::<[u64; lines::LANES]>();
    let layouts = [
        (ABI_MAP, array, 4, size_of::<u32>()),
        (CONFIG_MAP, array, 4, size_of::<GuardConfig>()),
        (PORTS_MAP, array, 4, size_of::<PortTable>()),
        (ALLOW_ROWS_MAP, array, 4, outcome::ROWS * 8),
        (ALLOW_COUNTS_MAP, array, 4, size_of::<AllowCounts>()),
        (ALLOW_V4_KNOWN_MAP, array, 4, v4::KNOWN_WORDS * 8),
        (ALLOW_V4_ROOT_MAP, array, 4, v4::ROOTS * 4),
        (ALLOW_V4_BITS_MAP, array, 4, v4::GROUPS * 8),
        (ALLOW_V4_LINES_MAP, array, 4, line),
        (ALLOW_V4_POOL_MAP, array, 4, 8),
        (ALLOW_V4_HEAD_MAP, array, 4, size_of::<lines::Lines>()),
        (ALLOW_V6_ROOT_MAP, array, 4, v6::ROOTS * 8),
        (ALLOW_V6_FILTER_MAP, array, 4, v6::FILTER_WORDS * 8),
        (ALLOW_V6_LINES_MAP, array, 4, line),
        (ALLOW_V6_POOL_MAP, array, 4, 8),
        (ALLOW_V6_HEAD_MAP, array, 4, size_of::<v6::Head>()),
        (STATS_MAP, per_cpu, 4, counter),
        (STATS_EGRESS_MAP, per_cpu, 4, counter),
        (STATS_CONTROL_MAP, per_cpu, 4, counter),
        (SESSIONS_MAP, hash, flow_key, size_of::<Session>()),
        (FLOWS_MAP, hash, flow_key, size_of::<Flow>()),
        (FRONT_MAP, array, 4, size_of::<[Slot; SLOTS]>()),
        (PINHOLES_MAP, hash, endpoint, size_of::<Pinhole>()),
        (NAMED_MAP, hash, endpoint, size_of::<Named>()),
        (
            CLIENTS_MAP,
            hash,
            size_of::<ClientKey>(),
            size_of::<Client>(),
        ),
        (
            LISTEN_MAP,
            hash,
            size_of::<ListenKey>(),
            size_of::<Listener>(),
        ),
        (NEGOTIATED_MAP, array, 4, size_of::<u64>()),
        (SEQUENCE_MAP, per_cpu, 4, size_of::<u64>()),
        (PROFILES_MAP, array, 4, size_of::<Profile>()),
        (COMMANDS_MAP, hash, size_of::<CommandKey>(), 1),
        (BAN_V4_MAP, trie, lpm_v4, size_of::<BanValue>()),
        (BAN_V6_MAP, trie, lpm_v6, size_of::<BanValue>()),
        (BUCKETS_MAP, array, 4, size_of::<u64>()),
        (
            SOURCES_MAP,
            hash,
            size_of::<SourceKey>(),
            size_of::<Source>(),
        ),
        (OPENING_MAP, hash, flow_key, size_of::<Opening>()),
        (EXPECTED_MAP, array, 4, size_of::<u64>()),
        (
            PRIMED_MAP,
            hash,
            size_of::<ListenKey>(),
            size_of::<Primed>(),
        ),
        (ATTACK_MAP, array, 4, size_of::<Attack>()),
        (SYSCTLS_MAP, array, 4, size_of::<Sysctls>()),
        (EVENTS_MAP, BPF_MAP_TYPE_RINGBUF, 0, 0),
        (EVENT_BUDGET_MAP, per_cpu, 4, size_of::<EventBudget>()),
        (TEXT_MAP, BPF_MAP_TYPE_RINGBUF, 0, 0),
        (TEXT_LOSS_MAP, per_cpu, 4, size_of::<u64>()),
    ];
    assert_eq!(
        layouts
            .map(|(name, ..)| name)
            .into_iter()
            .collect::<BTreeSet<_>>(),
        PINNED_MAPS.into()
    );
    for (name, kind, key, value) in layouts {
        let map = &object.maps[name];
        let found = (map.map_type(), map.key_size(), map.value_size());
        assert_eq!(found, (kind as u32, key, value), "{name}");
        assert!(
            matches!(map, Map::Btf(_)),
            "{name} has no BTF: bpftool could neither load nor show it"
        );
    }
    for name in [STATS_MAP, STATS_EGRESS_MAP, STATS_CONTROL_MAP] {
        assert_eq!(object.maps[name].max_entries(), STATS_LEN, "{name}");
    }
    for name in [
        ABI_MAP,
        CONFIG_MAP,
        PORTS_MAP,
        FRONT_MAP,
        SEQUENCE_MAP,
        ATTACK_MAP,
        SYSCTLS_MAP,
    ] {
        assert_eq!(object.maps[name].max_entries(), 1, "{name}");
    }
    for (name, entries) in [
        (NEGOTIATED_MAP, 1 << 16),
        (PROFILES_MAP, PROFILES),
        (COMMANDS_MAP, COMMANDS),
        (BUCKETS_MAP, BUCKET_ROWS * BUCKET_SLOTS),
        (EXPECTED_MAP, EXPECTED_SLOTS),
        (EVENTS_MAP, EVENTS_BYTES),
        (EVENT_BUDGET_MAP, EVENT_HOOKS * REASON_SLOTS),
        (TEXT_MAP, TEXT_RING_BYTES),
        (TEXT_LOSS_MAP, TEXT_LOSS_SLOTS),
    ] {
        assert_eq!(object.maps[name].max_entries(), entries, "{name}");
    }
}

#[test]
fn the_daemon_can_map_what_it_writes_by_words() {
    // BPF_F_MMAPABLE.
    let object = parsed();
    for name in [PORTS_MAP, FRONT_MAP].into_iter().chain(ALLOW_MAPS) {
        assert_eq!(object.maps[name].map_flags(), 1 << 10, "{name}");
    }
}

#[test]
fn the_state_tables_never_evict_nor_allocate_under_load() {
    // Plain hash tables without BPF_F_NO_PREALLOC.
    let object = parsed();
    for name in STATE_MAPS {
        let map = &object.maps[name];
        assert_eq!(map.map_type(), BPF_MAP_TYPE_HASH as u32, "{name}");
        assert_eq!(map.map_flags(), 0, "{name}");
    }
}

#[test]
fn the_state_tables_stay_within_their_memory_budget() {
    let object = parsed();
    let entries = |name| match name {
        FLOWS_MAP | LISTEN_MAP => FLOWS,
        _ => SESSIONS,
    };
    let bytes: u64 = STATE_MAPS
        .into_iter()
        .map(|name| {
            let map = &object.maps[name];
            let pair = map.key_size().next_multiple_of(8) + map.value_size().next_multiple_of(8);
            (u64::from(pair) + ENTRY_OVERHEAD) * entries(name)
        })
        .sum();
    assert!(bytes <= STATE_BUDGET, "{bytes} bytes");
}

#[test]
fn the_bans_take_no_memory_before_they_are_filled() {
    // BPF_F_NO_PREALLOC; the kernel insists on it for tries.
    let object = parsed();
    for name in [BAN_V4_MAP, BAN_V6_MAP] {
        assert_eq!(object.maps[name].map_flags(), 1, "{name}");
    }
}

#[test]
fn the_arrays_stay_within_their_memory_budget() {
    let mut shared = 0;
    let mut per_cpu = 0;
    for (name, map) in parsed().maps {
        // The kernel rounds values of arrays up to 8 bytes.
        let values = u64::from(map.value_size().next_multiple_of(8)) * u64::from(map.max_entries());
        let kind = map.map_type();
        if kind == BPF_MAP_TYPE_LPM_TRIE as u32 || kind == BPF_MAP_TYPE_HASH as u32 {
            continue;
        } else if kind == BPF_MAP_TYPE_PERCPU_ARRAY as u32 {
            per_cpu += values;
        } else if kind == BPF_MAP_TYPE_RINGBUF as u32 {
            shared += u64::from(map.max_entries());
        } else if kind == BPF_MAP_TYPE_ARRAY as u32 {
            shared += values;
        } else {
            panic!("{name}: no budget for maps of type {kind}");
        }
    }
    assert!(shared <= SHARED_BUDGET, "{shared} bytes");
    assert!(per_cpu <= PER_CPU_BUDGET, "{per_cpu} bytes for each CPU");
}

#[test]
fn no_chain_of_calls_needs_more_stack_than_any_kernel_grants() {
    let depths = stack::depths(object::bytes()).unwrap();
    let names: BTreeSet<&str> = depths.keys().map(String::as_str).collect();
    assert_eq!(names, PROGRAMS.into());
    for (program, depth) in depths {
        report!("{program}: {depth} bytes of stack");
        assert!(depth <= stack::MAX_STACK, "{program}: {depth} bytes");
    }
}

#[test]
fn what_a_start_sets_can_be_set() {
    let fixed = Fixed {
        trace: true,
        role: Some(Role::Router),
    };
    let values = fixed
        .globals()
        .map(|(name, value)| (name, value.to_ne_bytes()));
    let values = values
        .iter()
        .map(|(name, value)| (*name, (&value[..], true)));
    parsed().patch_map_data(values.collect()).unwrap();
}

#[test]
fn the_socket_program_can_be_told_of_the_kernel() {
    let value = 7_u32.to_ne_bytes();
    let globals = [
        NETNS_GLOBAL,
        NET_OFFSET_GLOBAL,
        INUM_OFFSET_GLOBAL,
        SPORT_OFFSET_GLOBAL,
    ];
    let values = globals.map(|name| (name, (&value[..], true)));
    parsed().patch_map_data(values.into()).unwrap();
}

#[test]
fn the_object_tells_nothing_of_the_machine_that_built_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for place in [folder.to_str(), option_env!("HOME")].into_iter().flatten() {
        let place = place.as_bytes();
        if place.len() < 3 {
            continue;
        }
        let found = object::bytes()
            .windows(place.len())
            .any(|window| window == place);
        assert!(
            !found,
            "{} is in the object",
            String::from_utf8_lossy(place)
        );
    }
}
