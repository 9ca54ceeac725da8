//! The layout number that a daemon checks before it adopts pinned maps.

use aya_ebpf::{btf_maps::Array, macros::btf_map};

/// Written by the daemon that makes the maps; no program reads it.
#[btf_map]
static FTPG_ABI: Array<u32, 1> = Array::new();
