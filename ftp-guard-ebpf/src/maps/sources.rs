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

impl Mortal for Source {
    type Key = SourceKey;

    #[inline(always)]
    fn is_dead(&self, _now: u64) -> bool {
        self.sessions == 0 && self.opening == 0 && self.data == 0
    }
}

/// The source of a connection's client.
#[inline(always)]
pub fn key(key: &FlowKey) -> SourceKey {
    SourceKey::of(key.client, key.family, config::source_bits_v6())
}

/// What is known of the source of a connection's client.
#[inline(always)]
pub fn get(connection: &FlowKey) -> Option<&'static mut Source> {
    // SAFETY: entries of a preallocated table stay readable while the program runs; counts change by
    // atomic additions only.
    FTPG_SOURCES
        .get_ptr_mut(key(connection))
        .map(|source| unsafe { &mut *source })
}

/// What is known of the source, which is taken into the table if it is not there; nothing when the
/// table is full.
#[inline(always)]
pub fn get_or_insert(connection: &FlowKey) -> Option<&'static mut Source> {
    if get(connection).is_none() {
        let key = key(connection);
        let attempt = || {
            FTPG_SOURCES
                .insert(&key, Source::default(), u64::from(BPF_NOEXIST))
                .is_ok()
        };
        let map = (&raw const FTPG_SOURCES).cast();
        // Another CPU may have been faster; then its entry stays.
        // SAFETY: the table has these keys and values.
        let _ = unsafe { reclaim::insert::<Source>(map, Table::Sources, attempt) };
    }
    get(connection)
}

/// Counts a session that begins or ends; where the source cannot be counted, its session goes on.
#[inline(always)]
pub fn count_session(connection: &FlowKey, begins: bool) {
    count(connection, begins, |source| &raw mut source.sessions);
}

/// Counts a connection before its greeting.
#[inline(always)]
pub fn count_opening(connection: &FlowKey, begins: bool) {
    count(connection, begins, |source| &raw mut source.opening);
}

/// Counts a data connection.
#[inline(always)]
pub fn count_data(connection: &FlowKey, begins: bool) {
    count(connection, begins, |source| &raw mut source.data);
}

#[inline(always)]
fn count(connection: &FlowKey, begins: bool, field: impl Fn(&mut Source) -> *mut u32) {
    if begins {
        if let Some(source) = get_or_insert(connection) {
            add(field(source));
        }
    } else if let Some(source) = get(connection) {
        subtract(field(source));
    }
}
