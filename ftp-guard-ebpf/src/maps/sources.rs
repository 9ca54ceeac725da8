//! What the proven connections of each source amount to. Of fixed size, never evicting: full refuses.

use aya_ebpf::{bindings::BPF_NOEXIST, btf_maps::HashMap, macros::btf_map};
use ftp_guard_common::{
    address::FlowKey,
    limits::{Source, SourceKey},
};

use super::{
    atomic::{add, subtract},
    config,
    reclaim::{self, Mortal, Table},
};

/// The loader sets the real size.
const MAX_ENTRIES: usize = 1024;

#[btf_map]
static FTPG_SOURCES: HashMap<SourceKey, Source, MAX_ENTRIES> = HashMap::new();

impl Mortal<SourceKey> for Source {
    #[inline(always)]
    fn is_dead(&self, _now: u64) -> bool {
        self.sessions == 0 && self.opening == 0 && self.data == 0
    }
}

/// Fills in the source of a connection's client. A subprogram: its stack is free again when the key is used.
#[inline(never)]
pub fn name(source: &mut SourceKey, key: &FlowKey) {
    *source = SourceKey::of(key.client, key.family, config::source_bits_v6());
}

/// Fills in the network of a connection's client, as [`name`] does.
#[inline(never)]
pub fn name_network(network: &mut SourceKey, key: &FlowKey) {
    *network = SourceKey::network(key.client, key.family);
}

/// What is known of a source.
#[inline(always)]
pub fn get(source: &SourceKey) -> Option<&'static mut Source> {
    // SAFETY: entries of a preallocated table stay readable while the program runs; counts change by
    // atomic additions only.
    FTPG_SOURCES
        .get_ptr_mut(source)
        .map(|source| unsafe { &mut *source })
}

/// What is known of a source, which is taken into the table if it is not there; nothing when the table is
/// full.
#[inline(always)]
pub fn get_or_insert(source: &SourceKey) -> Option<&'static mut Source> {
    if get(source).is_none() {
        let attempt = || {
            FTPG_SOURCES
                .insert(source, Source::default(), u64::from(BPF_NOEXIST))
                .is_ok()
        };
        let map = (&raw const FTPG_SOURCES).cast();
        // Another CPU may have been faster; then its entry stays.
        // SAFETY: the table has these keys and values.
        let _ = unsafe { reclaim::insert::<SourceKey, Source>(map, Table::Sources, attempt) };
    }
    get(source)
}

/// Counts a session that begins; where its source cannot be counted, it goes on.
#[inline(always)]
pub fn session_begins(source: &SourceKey) {
    if let Some(source) = get_or_insert(source) {
        add(&raw mut source.sessions);
    }
}

/// Counts the end of a session.
#[inline(always)]
pub fn session_ends(source: &SourceKey) {
    if let Some(source) = get(source) {
        subtract(&raw mut source.sessions);
    }
}

/// Counts a connection that has its greeting, or has ended without one.
#[inline(always)]
pub fn opening_ends(source: &SourceKey) {
    if let Some(source) = get(source) {
        subtract(&raw mut source.opening);
    }
}

/// Counts a data connection that begins, as [`session_begins`] does.
#[inline(always)]
pub fn data_begins(source: &SourceKey) {
    if let Some(source) = get_or_insert(source) {
        add(&raw mut source.data);
    }
}

/// Counts the end of a data connection.
#[inline(always)]
pub fn data_ends(source: &SourceKey) {
    if let Some(source) = get(source) {
        subtract(&raw mut source.data);
    }
}
