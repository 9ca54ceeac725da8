//! Sessions and who they belong to. Of fixed size, allocated when made, never evicting: full refuses.

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_NOEXIST},
    btf_maps::{HashMap, PerCpuArray},
    helpers::bpf_get_smp_processor_id,
    macros::btf_map,
};
use ftp_guard_common::{
    address::{ClientKey, FlowKey},
    session::{Client, Session, Tls},
};

use super::{
    atomic::{add, subtract},
    reclaim::{self, Mortal, Table},
};

/// The loader sets the real size.
const MAX_ENTRIES: usize = 1024;

#[btf_map]
static FTPG_SESSIONS: HashMap<FlowKey, Session, MAX_ENTRIES> = HashMap::new();

#[btf_map]
static FTPG_CLIENTS: HashMap<ClientKey, Client, MAX_ENTRIES> = HashMap::new();

#[btf_map]
static FTPG_SEQUENCE: PerCpuArray<u64, 1> = PerCpuArray::new();

/// The session of a control connection, living or lingering.
#[inline(always)]
pub fn get(key: &FlowKey) -> Option<&'static mut Session> {
    // SAFETY: entries of a preallocated table stay readable while the program runs; the fields that
    // both directions write are single words, whose loss by a race costs at most a count.
    FTPG_SESSIONS
        .get_ptr_mut(key)
        .map(|session| unsafe { &mut *session })
}

/// Puts a session into the table, in place of an old one of the same connection; whether it fits.
#[inline(always)]
pub fn insert(key: &FlowKey, session: &Session) -> bool {
    let attempt = || {
        FTPG_SESSIONS
            .insert(key, session, u64::from(BPF_ANY))
            .is_ok()
    };
    let map = (&raw const FTPG_SESSIONS).cast();
    // SAFETY: the table has these keys and values.
    unsafe { reclaim::insert::<FlowKey, Session>(map, Table::Sessions, attempt) }
}

impl Mortal<FlowKey> for Session {
    #[inline(always)]
    fn is_dead(&self, now: u64) -> bool {
        self.is_over(now)
    }
}

/// A number that no session had before.
#[inline(always)]
pub fn next_id() -> u64 {
    let Some(count) = FTPG_SEQUENCE.get_ptr_mut(0) else {
        return 1;
    };
    // SAFETY: the slot belongs to this CPU, and the egress hook does not nest.
    let count = unsafe {
        *count += 1;
        *count
    };
    // SAFETY: the helper takes nothing.
    count << 16 | (u64::from(unsafe { bpf_get_smp_processor_id() }) + 1)
}

/// What the sessions of a client amount to.
#[inline(always)]
pub fn client(key: &ClientKey) -> Option<&'static mut Client> {
    // SAFETY: as for `get`; the counts change by atomic additions only.
    FTPG_CLIENTS
        .get_ptr_mut(key)
        .map(|client| unsafe { &mut *client })
}

impl Mortal<ClientKey> for Client {
    #[inline(always)]
    fn is_dead(&self, _now: u64) -> bool {
        self.sessions == 0
    }
}

/// Counts a new session of a client; whether the table had room.
#[inline(always)]
pub fn count_opened(key: &ClientKey, tls: Tls) -> bool {
    if client(key).is_none() {
        let attempt = || {
            FTPG_CLIENTS
                .insert(key, Client::default(), u64::from(BPF_NOEXIST))
                .is_ok()
        };
        let map = (&raw const FTPG_CLIENTS).cast();
        // Another CPU may have been faster; then its entry stays.
        // SAFETY: the table has these keys and values.
        let _ = unsafe { reclaim::insert::<ClientKey, Client>(map, Table::Clients, attempt) };
    }
    let Some(client) = client(key) else {
        return false;
    };
    add(&raw mut client.sessions);
    if tls != Tls::Clear {
        add(&raw mut client.encrypted);
    }
    true
}

/// Counts the end of a session.
#[inline(always)]
pub fn count_closed(key: &ClientKey, tls: Tls) {
    if let Some(client) = client(key) {
        subtract(&raw mut client.sessions);
        if tls != Tls::Clear {
            subtract(&raw mut client.encrypted);
        }
    }
}

/// Counts a session that is encrypted from now on, or no more.
#[inline(always)]
pub fn count_encrypted(key: &ClientKey, encrypted: bool) {
    if let Some(client) = client(key) {
        if encrypted {
            add(&raw mut client.encrypted);
        } else {
            subtract(&raw mut client.encrypted);
        }
    }
}
