//! Sockets of this host that listen on passive ports.

use aya_ebpf::{bindings::BPF_ANY, btf_maps::HashMap, macros::btf_map};
use ftp_guard_common::{address::ListenKey, session::Listener};

/// The loader sets the real size.
const MAX_ENTRIES: usize = 1024;

#[btf_map]
static FTPG_LISTEN: HashMap<ListenKey, Listener, MAX_ENTRIES> = HashMap::new();

/// Since when a socket listens (CLOCK_MONOTONIC, nanoseconds), if one does: on the address of the key
/// or on its family's wildcard.
#[inline(always)]
pub fn since(key: &ListenKey) -> Option<u64> {
    // SAFETY: entries of a preallocated table stay readable while the program runs.
    if let Some(listener) = unsafe { FTPG_LISTEN.get(key) } {
        return Some(listener.since_ns);
    }
    let wildcard = ListenKey {
        address: [0; 16],
        ..*key
    };
    // SAFETY: as above.
    unsafe { FTPG_LISTEN.get(wildcard) }.map(|listener| listener.since_ns)
}

/// Notes a socket that begins to listen. When the table is full the daemon adds it in its next look.
#[inline(always)]
pub fn opened(key: &ListenKey, since_ns: u64) {
    let _ = FTPG_LISTEN.insert(key, Listener { since_ns }, u64::from(BPF_ANY));
}

/// Notes a socket that listens no more.
#[inline(always)]
pub fn closed(key: &ListenKey) {
    let _ = FTPG_LISTEN.remove(key);
}
