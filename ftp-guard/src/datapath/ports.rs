//! The port table, mapped into memory.
//!
//! Two sides write it: the daemon the classes, the egress program its own bits
//! ([`ACTIVE_BIT`](ftp_guard_common::ports::ACTIVE_BIT)). To write all of it by `bpf(2)` would take back
//! what a program did since it was read; here each byte changes alone.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    ptr::NonNull,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use aya::maps::MapData;
use ftp_guard_common::{
    names::PORTS_MAP,
    ports::{CLASS_MASK, PORTS, PortTable},
};

use super::{error::DatapathError, pins::Pins};

/// The mapped table.
pub struct Ports {
    entries: NonNull<[AtomicU8; PORTS]>,
}

// SAFETY: it is a pointer to memory of this process that only `drop` gives back; access is by atomics.
unsafe impl Send for Ports {}
// SAFETY: as above.
unsafe impl Sync for Ports {}

impl Ports {
    /// Maps the pinned table.
    pub fn open(pins: &Pins) -> Result<Self, DatapathError> {
        let what = || format!("open the pinned map {PORTS_MAP}");
        let map = MapData::from_pin(pins.map(PORTS_MAP))
            .map_err(|error| DatapathError::kernel(what(), error))?;
        // SAFETY: a new mapping at a place of the kernel's choice; the map's single value is as long as
        // `PortTable`, and the kernel refuses to map more than there is.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<PortTable>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.fd().as_fd().as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(DatapathError::kernel(what(), io::Error::last_os_error()));
        }
        NonNull::new(address.cast())
            .map(|entries| Self { entries })
            .ok_or_else(|| DatapathError::kernel(what(), io::Error::other("mapped at nothing")))
    }

    fn entries(&self) -> &[AtomicU8; PORTS] {
        // SAFETY: the mapping is of this length, readable and writable, and lives until `drop`.
        unsafe { self.entries.as_ref() }
    }

    /// Gives each port its class and keeps the programs' bits.
    pub fn set_classes(&self, classes: &PortTable) {
        for (entry, class) in self.entries().iter().zip(classes) {
            change(entry, |old| old & !CLASS_MASK | class & CLASS_MASK);
        }
    }

    /// The ports that carry bits of the programs' own, and those bits.
    pub fn bits(&self) -> Vec<(u16, u8)> {
        (0..=u16::MAX)
            .zip(self.entries())
            .map(|(port, entry)| (port, entry.load(Relaxed) & !CLASS_MASK))
            .filter(|(_, bits)| *bits != 0)
            .collect()
    }

    /// Clears the programs' bits of some ports.
    pub fn clear_bits(&self, ports: &[u16]) {
        for port in ports {
            change(&self.entries()[usize::from(*port)], |old| old & CLASS_MASK);
        }
    }
}

/// Changes one entry, and writes only what differs: the table is in every CPU's cache.
fn change(entry: &AtomicU8, new: impl Fn(u8) -> u8) {
    let differs = |old| Some(new(old)).filter(|new| *new != old);
    // `Err` says that nothing differs.
    let _unchanged = entry.fetch_update(Relaxed, Relaxed, differs);
}

impl Drop for Ports {
    fn drop(&mut self) {
        // SAFETY: the mapping that `open` made; nobody has a reference into it.
        unsafe {
            libc::munmap(self.entries.as_ptr().cast(), size_of::<PortTable>());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_changes_only_where_it_must() {
        let entry = AtomicU8::new(0x82);
        change(&entry, |old| old & !CLASS_MASK | 3);
        assert_eq!(entry.load(Relaxed), 0x83);
        change(&entry, |old| old & CLASS_MASK);
        assert_eq!(entry.load(Relaxed), 3);
        change(&entry, |old| old & CLASS_MASK);
        assert_eq!(entry.load(Relaxed), 3);
    }
}
