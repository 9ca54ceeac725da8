//! The port table.

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ftp_guard_common::{
    class::PortClass,
    ports::{CLASS_MASK, PortTable},
};

use crate::wire::Port;

/// The daemon maps the table into its memory: both sides change single entries (kernel 5.5).
const BPF_F_MMAPABLE: usize = 1 << 10;

/// One value of 64 KiB and not 64 Ki values: array values take up at least 8 bytes each.
#[btf_map]
static FTPG_PORTS: Array<PortTable, 1, BPF_F_MMAPABLE> = Array::new();

/// The class of a destination port.
#[inline(always)]
pub fn class(port: Port) -> PortClass {
    match FTPG_PORTS.get(0) {
        Some(table) => PortClass::from_number(table[port.0 as usize] & CLASS_MASK),
        None => PortClass::Other,
    }
}
