//! Data connections. Of fixed size, allocated when made, never evicting: full refuses.

use aya_ebpf::{bindings::BPF_ANY, btf_maps::HashMap, macros::btf_map};
use ftp_guard_common::{address::FlowKey, session::Flow};

use super::{
    front,
    reclaim::{self, Mortal, Table},
};

/// The loader sets the real size.
const MAX_ENTRIES: usize = 1024;

#[btf_map]
static FTPG_FLOWS: HashMap<FlowKey, Flow, MAX_ENTRIES> = HashMap::new();

/// A data connection, living or lingering.
#[inline(always)]
pub fn get(key: &FlowKey) -> Option<&'static mut Flow> {
    // SAFETY: entries of a preallocated table stay readable while the program runs; the fields that
    // both directions write are single words, whose loss by a race costs at most a count.
    FTPG_FLOWS
        .get_ptr_mut(key)
        .map(|flow| unsafe { &mut *flow })
}

/// Puts a data connection into the table, in place of an old one; whether it fits.
#[inline(always)]
pub fn insert(key: &FlowKey, flow: &Flow) -> bool {
    let attempt = || FTPG_FLOWS.insert(key, flow, u64::from(BPF_ANY)).is_ok();
    let map = (&raw const FTPG_FLOWS).cast();
    // SAFETY: the table has these keys and values.
    let fits = unsafe { reclaim::insert::<FlowKey, Flow>(map, Table::Flows, attempt) };
    if fits {
        front::began(key);
    }
    fits
}

impl Mortal<FlowKey> for Flow {
    #[inline(always)]
    fn is_dead(&self, now: u64) -> bool {
        // It was closed before, and what stands in front of it knows.
        self.is_over(now)
    }
}
