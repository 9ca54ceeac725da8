//! Sockets of this host that listen on passive ports.

use aya_ebpf::{bindings::BPF_NOEXIST, btf_maps::HashMap, macros::btf_map};
use ftp_guard_common::{address::ListenKey, session::Listener};

use super::atomic;

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

/// Notes a socket that begins to listen. When the table is full the daemon adds it in its next looks.
///
/// The kernel tells of it before it knows whether the port is free (`inet_csk_listen_start`): of two sockets that both have
/// bound a port, the one that asks later is refused, and is told of as closed. It must not take the other's entry along.
#[inline(always)]
pub fn opened(key: &ListenKey, since_ns: u64) {
    let first = Listener::one(since_ns);
    if FTPG_LISTEN
        .insert(key, first, u64::from(BPF_NOEXIST))
        .is_err()
        && let Some(listener) = FTPG_LISTEN.get_ptr_mut(key)
    {
        // SAFETY: entries of a preallocated table stay writable while the program runs.
        atomic::add(unsafe { &raw mut (*listener).sockets });
    }
}

/// Notes a socket that listens no more. An entry that another processor takes up while it goes is one that the daemon finds missing.
#[inline(always)]
pub fn closed(key: &ListenKey) {
    let Some(listener) = FTPG_LISTEN.get_ptr_mut(key) else {
        return;
    };
    // SAFETY: as in `opened`.
    let sockets = unsafe { &raw mut (*listener).sockets };
    atomic::subtract(sockets);
    // SAFETY: as in `opened`.
    if unsafe { sockets.read_volatile() } == 0 {
        let _ = FTPG_LISTEN.remove(key);
    }
}
