//! Listening control ports as their own SYN-ACKs show them.

use aya_ebpf::{
    btf_maps::{Array, HashMap},
    macros::btf_map,
};
use ftp_guard_common::{
    address::ListenKey,
    limits::{Primed, Sysctls},
};

/// Enough for every address and port of a host; one that does not fit has no cookies.
const MAX_ENTRIES: usize = 1024;

#[btf_map]
static FTPG_PRIMED: HashMap<ListenKey, Primed, MAX_ENTRIES> = HashMap::new();

/// The daemon's alone: what the sysctls were.
#[btf_map]
static FTPG_SYSCTLS: Array<Sysctls, 1> = Array::new();
