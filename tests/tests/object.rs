//! The object ring: what the loader names is in the built object, and its maps are as large as they
//! may be. Needs no privilege.

use std::{collections::BTreeSet, path::Path};

use aya_obj::{
    Map, Object, ProgramSection,
    generated::bpf_map_type::{
        BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_LPM_TRIE, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_RINGBUF,
    },
};
use ftp_guard::datapath::object;
use ftp_guard_common::{
    allow::AllowValue,
    config::GuardConfig,
    names::{
        ABI_MAP, ALLOW_V4_MAP, ALLOW_V6_MAP, CONFIG_MAP, PINNED_MAPS, PORTS_MAP, STATS_MAP,
        XDP_PROGRAM,
    },
    ports::PortTable,
    stats::{Counter, STATS_LEN},
    trace::{TRACE_GLOBAL, TRACE_ON},
};

/// aya-log's own map, which the loader does not pin. The log is off unless `run --trace-packets`
/// asks for it.
const LOG_MAP: &str = "AYA_LOGS";

/// What the arrays may take in the kernel, together and for each CPU. The allowlists come on top,
/// as long as they are.
const SHARED_BUDGET: u64 = 512 << 10;
const PER_CPU_BUDGET: u64 = 256 << 10;

fn parsed() -> Object {
    Object::parse(object::bytes()).expect("the embedded object parses")
}

fn size_of<T>() -> u32 {
    u32::try_from(std::mem::size_of::<T>()).expect("a type of few bytes")
}

#[test]
fn the_programs_are_those_that_the_loader_names() {
    let object = parsed();
    let names: Vec<&str> = object.programs.keys().map(String::as_str).collect();
    assert_eq!(names, [XDP_PROGRAM]);
    let section = &object.programs[XDP_PROGRAM].section;
    assert!(
        matches!(section, ProgramSection::Xdp { frags: true, .. }),
        "{section:?} does not take packets of several buffers"
    );
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
    let wanted: BTreeSet<&str> = PINNED_MAPS.into_iter().chain([LOG_MAP]).collect();
    assert_eq!(maps, wanted);
}

#[test]
fn every_map_has_the_layout_of_the_shared_types() {
    let object = parsed();
    let lpm_v4 = 4 + 4;
    let lpm_v6 = 4 + 16;
    for (name, kind, key, value) in [
        (ABI_MAP, BPF_MAP_TYPE_ARRAY, 4, size_of::<u32>()),
        (CONFIG_MAP, BPF_MAP_TYPE_ARRAY, 4, size_of::<GuardConfig>()),
        (PORTS_MAP, BPF_MAP_TYPE_ARRAY, 4, size_of::<PortTable>()),
        (
            ALLOW_V4_MAP,
            BPF_MAP_TYPE_LPM_TRIE,
            lpm_v4,
            size_of::<AllowValue>(),
        ),
        (
            ALLOW_V6_MAP,
            BPF_MAP_TYPE_LPM_TRIE,
            lpm_v6,
            size_of::<AllowValue>(),
        ),
        (
            STATS_MAP,
            BPF_MAP_TYPE_PERCPU_ARRAY,
            4,
            size_of::<Counter>(),
        ),
    ] {
        let map = &object.maps[name];
        let found = (map.map_type(), map.key_size(), map.value_size());
        assert_eq!(found, (kind as u32, key, value), "{name}");
        assert!(
            matches!(map, Map::Btf(_)),
            "{name} has no BTF: bpftool could neither load nor show it"
        );
    }
    assert_eq!(object.maps[STATS_MAP].max_entries(), STATS_LEN);
    for name in [ABI_MAP, CONFIG_MAP, PORTS_MAP] {
        assert_eq!(object.maps[name].max_entries(), 1, "{name}");
    }
}

#[test]
fn the_allowlists_take_no_memory_before_they_are_filled() {
    // BPF_F_NO_PREALLOC; the kernel insists on it for tries.
    let object = parsed();
    for name in [ALLOW_V4_MAP, ALLOW_V6_MAP] {
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
        if kind == BPF_MAP_TYPE_LPM_TRIE as u32 {
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
fn the_packet_trace_can_be_switched() {
    let mut object = parsed();
    object
        .patch_map_data([(TRACE_GLOBAL, (&TRACE_ON.to_ne_bytes()[..], true))].into())
        .unwrap();
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
