//! The bits of the filter, some of which stand for more than one unit.

use std::collections::HashMap;

use ftp_guard_common::lookup::v6::Memory;

use super::arrays::Arrays;

/// Sets bits, and clears those that no unit has any more.
#[derive(Default)]
pub struct Filter {
    /// Bits of more than one unit, and of how many.
    shared: HashMap<u32, u32>,
}

impl Filter {
    /// Counts a unit for a bit. `watch` is told of a store.
    pub fn set(&mut self, arrays: &Arrays, bit: u32, watch: &mut dyn FnMut(&Arrays)) {
        if arrays.filter(bit / 64) >> (bit % 64) & 1 != 0 {
            *self.shared.entry(bit).or_insert(1) += 1;
        } else {
            arrays.set_bit(bit, true);
            watch(arrays);
        }
    }

    /// Counts a unit for a bit no more. `watch` is told of a store.
    pub fn clear(&mut self, arrays: &Arrays, bit: u32, watch: &mut dyn FnMut(&Arrays)) {
        match self.shared.get_mut(&bit) {
            None => {
                arrays.set_bit(bit, false);
                watch(arrays);
            }
            Some(2) => {
                self.shared.remove(&bit);
            }
            Some(count) => *count -= 1,
        }
    }
}
