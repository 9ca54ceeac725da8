//! The port table.

use core::hint::black_box;

use aya_ebpf::{btf_maps::Array, macros::btf_map};
use ftp_guard_common::{
    class::PortClass,
    ports::{ACTIVE_BIT, CLASS_MASK, OUTSIDE_BIT, PORTS, PortTable},
};

use crate::wire::Port;

/// The daemon maps the table into its memory: both sides change single entries (kernel 5.5).
const BPF_F_MMAPABLE: usize = 1 << 10;

/// One value of 64 KiB and not 64 Ki values: array values take up at least 8 bytes each.
#[btf_map]
static FTPG_PORTS: Array<PortTable, 1, BPF_F_MMAPABLE> = Array::new();

/// What the table says of a port.
#[derive(Clone, Copy)]
pub struct Entry(u8);

impl Entry {
    /// The class, a port outside the ranges that is guarded for now included.
    #[inline(always)]
    pub fn class(self) -> PortClass {
        match PortClass::from_number(self.0 & CLASS_MASK) {
            PortClass::Other if self.0 & OUTSIDE_BIT != 0 => PortClass::PassiveData,
            class => class,
        }
    }

    /// Whether this host has opened active data connections from the port, which has no class.
    #[inline(always)]
    pub fn is_active_source(self) -> bool {
        self.0 & ACTIVE_BIT != 0
    }

    /// Whether no packet of the port concerns the guard.
    #[inline(always)]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// What the table says of a port.
#[inline(always)]
pub fn lookup(port: Port) -> Entry {
    match FTPG_PORTS.get(0) {
        Some(table) => Entry(table[index(port)]),
        None => Entry(0),
    }
}

/// Marks a port that this host opens an active data connection from.
#[inline(always)]
pub fn mark_active(port: Port) {
    mark(port, ACTIVE_BIT);
}

/// Marks a port outside the ranges that a session has negotiated.
#[inline(always)]
pub fn mark_outside(port: Port) {
    mark(port, OUTSIDE_BIT);
}

#[inline(always)]
fn mark(port: Port, bit: u8) {
    if let Some(table) = FTPG_PORTS.get_ptr_mut(0) {
        // SAFETY: the index is below the table's length, and an entry is one byte.
        unsafe { (*table)[index(port)] |= bit };
    }
}

/// The index of a port. The mask survives the optimiser, which knows that it changes nothing: before
/// kernel 6.3 the verifier forgets the bounds of a number whose bytes were swapped.
#[inline(always)]
fn index(port: Port) -> usize {
    black_box(usize::from(port.0)) & (PORTS - 1)
}
