//! What stands in front of the data connections, mapped into memory ([`ftp_guard_common::front`]).
//!
//! The programs write it meanwhile. From here only versions are raised and counts settled, each by one store: a process
//! that dies leaves nothing half done.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    ptr::NonNull,
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, SeqCst},
        fence,
    },
};

use aya::maps::MapData;
use ftp_guard_common::{
    address::FlowKey,
    front::{SLOTS, Slot, index},
    names::FRONT_MAP,
};

use super::{error::DatapathError, pins::Pins};

/// The mapped slots.
pub struct Front {
    slots: NonNull<Slot>,
}

// SAFETY: it is a pointer to memory of this process that only `drop` gives back; what others write meanwhile is read and
// written by whole words.
unsafe impl Send for Front {}
// SAFETY: as above.
unsafe impl Sync for Front {}

impl Front {
    /// Maps the pinned slots.
    pub(super) fn open(pins: &Pins) -> Result<Self, DatapathError> {
        let map = MapData::from_pin(pins.map(FRONT_MAP)).map_err(|error| {
            DatapathError::kernel(format!("open the pinned map {FRONT_MAP}"), error)
        })?;
        Self::of(&map)
    }

    /// Maps the slots of an object that is loaded.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn of(map: &MapData) -> Result<Self, DatapathError> {
        let failed = |error| DatapathError::kernel(format!("map {FRONT_MAP} into memory"), error);
        // SAFETY: a new mapping at a place of the kernel's choice; the kernel refuses to map more than there is.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                SLOTS * size_of::<Slot>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.fd().as_fd().as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(failed(io::Error::last_os_error()));
        }
        NonNull::new(address.cast())
            .map(|slots| Self { slots })
            .ok_or_else(|| failed(io::Error::other("mapped at nothing")))
    }

    fn slot(&self, index: usize) -> *mut Slot {
        assert!(index < SLOTS);
        // SAFETY: the mapping is of this many slots, and lives until `drop`.
        unsafe { self.slots.as_ptr().add(index) }
    }

    /// A copy of a slot, word by word.
    fn copy(&self, index: usize) -> Slot {
        let slot = self.slot(index);
        // SAFETY: the slot is within the mapping; its fields are integers, of which any bits are a value. No field is
        // read at once with another one, and no order matters: who needs one copies twice.
        unsafe { slot.read_volatile() }
    }

    /// Copies of all slots.
    pub(super) fn all(&self) -> Vec<Slot> {
        (0..SLOTS).map(|index| self.copy(index)).collect()
    }

    /// A copy of the slot that a key leads to.
    #[must_use]
    pub fn look(&self, key: &FlowKey) -> Slot {
        fence(SeqCst);
        let slot = self.copy(index(&key.words()));
        fence(SeqCst);
        slot
    }

    /// Makes the next segment of a connection be judged by its entry, which has just been changed, added or removed. What
    /// was counted in front of it so far is in the entry, or nobody's.
    pub fn settle(&self, key: &FlowKey) {
        let index = index(&key.words());
        let seen = self.copy(index);
        if seen.key == *key {
            let slot = self.slot(index);
            // SAFETY: the slot is within the mapping, and its words are aligned; programs write them whole.
            unsafe {
                AtomicU64::from_ptr(&raw mut (*slot).folded_packets).store(seen.packets, Relaxed);
                AtomicU64::from_ptr(&raw mut (*slot).folded_bytes).store(seen.bytes, Relaxed);
            }
        }
        self.raise(index);
    }

    /// Makes the next segment of every connection be judged by its entry.
    pub(super) fn raise_all(&self) {
        (0..SLOTS).for_each(|index| self.raise(index));
    }

    fn raise(&self, index: usize) {
        let slot = self.slot(index);
        // SAFETY: the slot is within the mapping, and its words are aligned; programs add to this one atomically.
        unsafe { AtomicU64::from_ptr(&raw mut (*slot).version) }.fetch_add(1, SeqCst);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // SAFETY: the mapping that `of` made; nobody has a reference into it.
        unsafe {
            libc::munmap(self.slots.as_ptr().cast(), SLOTS * size_of::<Slot>());
        }
    }
}
