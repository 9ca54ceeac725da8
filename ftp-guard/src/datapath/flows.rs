//! The table of data connections together with what stands in front of it: entries are read with what was counted
//! there, and whoever changes one here makes the programs look at it.

use ftp_guard_common::{
    address::FlowKey,
    front::{Slot, index},
    names::FLOWS_MAP,
    session::Flow,
};

use super::{error::DatapathError, front::Front, pins::Pins, state::Table};

/// How often an entry is read again while a program moves counts into it, which takes as long as a packet.
const TRIES: u32 = 8;

/// The data connections.
pub struct Flows {
    table: Table<FlowKey, Flow>,
    front: Front,
}

impl Flows {
    pub(super) fn open(pins: &Pins) -> Result<Self, DatapathError> {
        Ok(Self {
            table: Table::open(pins, FLOWS_MAP)?,
            front: Front::open(pins)?,
        })
    }

    /// Entries that the table takes.
    pub(super) fn capacity(&self) -> u32 {
        self.table.capacity()
    }

    /// Every entry, each key once.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn entries(&self) -> Result<Vec<(FlowKey, Flow)>, DatapathError> {
        let before = self.front.all();
        let mut entries = self.table.entries()?;
        for (key, flow) in &mut entries {
            let slot = self.front.look(key);
            if is_settled_as(&before[index(&key.words())], &slot) {
                flow.traffic.add(slot.pending(key, flow.traffic.created_ns));
            } else if let Some(read) = self.get(key)? {
                *flow = read;
            }
        }
        Ok(entries)
    }

    /// The entry of one key.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn get(&self, key: &FlowKey) -> Result<Option<Flow>, DatapathError> {
        let mut tries = TRIES;
        loop {
            let before = self.front.look(key);
            let Some(mut flow) = self.table.get(key)? else {
                return Ok(None);
            };
            let slot = self.front.look(key);
            tries -= 1;
            if tries == 0 || is_settled_as(&before, &slot) {
                flow.traffic.add(slot.pending(key, flow.traffic.created_ns));
                return Ok(Some(flow));
            }
        }
    }

    /// Adds an entry; false: there is one of that key, which stays.
    ///
    /// # Errors
    ///
    /// [`DatapathError::StateFull`]; the kernel refuses.
    pub fn insert(&mut self, key: &FlowKey, value: &Flow) -> Result<bool, DatapathError> {
        let done = self.table.insert(key, value)?;
        Ok(self.settle_if(done, key))
    }

    /// Replaces an entry, with all that was counted for it; false: there is none of that key.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn update(&mut self, key: &FlowKey, value: &Flow) -> Result<bool, DatapathError> {
        let done = self.table.update(key, value)?;
        Ok(self.settle_if(done, key))
    }

    /// Removes an entry; false: there was none of that key.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn remove(&mut self, key: &FlowKey) -> Result<bool, DatapathError> {
        let done = self.table.remove(key)?;
        Ok(self.settle_if(done, key))
    }

    /// Makes the next segment of every connection be judged by its entry.
    pub(super) fn look_again(&self) {
        self.front.raise_all();
    }

    fn settle_if(&self, changed: bool, key: &FlowKey) -> bool {
        if changed {
            self.front.settle(key);
        }
        changed
    }
}

/// Whether no program has moved counts from a slot into an entry between two looks.
fn is_settled_as(before: &Slot, after: &Slot) -> bool {
    let what = |slot: &Slot| {
        (
            slot.key,
            slot.created_ns,
            slot.folded_packets,
            slot.folded_bytes,
        )
    };
    before.claims == 0 && after.claims == 0 && what(before) == what(after)
}
