//! Room in a full table, by throwing out what is dead.
//!
//! The daemon does that every second. This is for when there is none: the guard goes on for weeks without
//! it. A table that is full of the living stays full.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_ANY, btf_maps::Array, helpers::bpf_for_each_map_elem, macros::btf_map,
};

use super::config;

/// Time between two searches of one table, in nanoseconds: a search costs up to some milliseconds.
const PAUSE_NS: u64 = 1_000_000_000;

/// The tables that are searched.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Table {
    Sessions = 0,
    Flows = 1,
    Pinholes = 2,
    Named = 3,
    Clients = 4,
    Sources = 5,
    Opening = 6,
}

/// When each table was searched last.
#[btf_map]
static FTPG_RECLAIM: Array<u64, 7> = Array::new();

/// A value, stored under a `K`, that can be dead.
pub trait Mortal<K> {
    /// Whether nothing will ask for it after `now`.
    fn is_dead(&self, now: u64) -> bool;

    /// What follows from its removal.
    #[inline(always)]
    fn buried(&self, _key: &K) {}
}

/// Tries to insert into a hash table with keys `K` and values `V`, and once more where the dead have made
/// room; whether it succeeded.
///
/// # Safety
///
/// `map` is such a table.
#[inline(always)]
pub unsafe fn insert<K, V: Mortal<K>>(
    map: *const c_void,
    table: Table,
    attempt: impl Fn() -> bool,
) -> bool {
    // SAFETY: the caller's promise is that of `search`.
    attempt() || (unsafe { search::<K, V>(map, table) } && attempt())
}

/// Removes the dead; whether the table was searched.
///
/// # Safety
///
/// As for [`insert`].
#[inline(always)]
unsafe fn search<K, V: Mortal<K>>(map: *const c_void, table: Table) -> bool {
    let now = config::precise_now();
    let Some(last) = FTPG_RECLAIM.get(table as u32) else {
        return false;
    };
    if now < *last + PAUSE_NS {
        return false;
    }
    let _ = FTPG_RECLAIM.set(table as u32, now, u64::from(BPF_ANY));
    // SAFETY: the callback has the signature that the kernel documents for hash tables (kernel 5.13).
    unsafe {
        bpf_for_each_map_elem(
            map.cast_mut(),
            bury::<K, V> as *mut c_void,
            core::ptr::null_mut(),
            0,
        ) > 0
    }
}

unsafe extern "C" fn bury<K, V: Mortal<K>>(
    map: *mut c_void,
    key: *const K,
    value: *const V,
    _context: *mut c_void,
) -> i64 {
    // SAFETY: the kernel hands an entry of the table, which stays while the program runs.
    let value = unsafe { &*value };
    if value.is_dead(config::precise_now()) {
        // SAFETY: the kernel hands the entry's key.
        value.buried(unsafe { &*key });
        // SAFETY: the kernel lets a callback remove the entry that it was called for.
        let _ = unsafe { aya_ebpf::helpers::bpf_map_delete_elem(map, key.cast()) };
    }
    0
}
