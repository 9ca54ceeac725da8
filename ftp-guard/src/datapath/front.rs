//! What stands in front of the data connections, mapped into memory ([`ftp_guard_common::front`]).
//!
//! The programs write it meanwhile. From here only versions are raised and counts settled, each by one store: a process
//! that dies leaves nothing half done.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
    fence,
};

use aya::maps::MapData;
use ftp_guard_common::{
    address::FlowKey,
    front::{SLOTS, Slot, index},
    names::FRONT_MAP,
};

use super::{error::DatapathError, mapped::Mapped, pins::Pins};

/// The mapped slots.
pub struct Front(Mapped<Slot>);

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
        Mapped::of(map, FRONT_MAP, SLOTS).map(Self)
    }

    fn slot(&self, index: usize) -> *mut Slot {
        assert!(index < SLOTS);
        // SAFETY: the mapping is of this many slots, and lives as long as `self`.
        unsafe { self.0.as_ptr().add(index) }
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
