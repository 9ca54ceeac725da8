//! What sessions have negotiated: pinholes and named destinations. Of fixed size, never evicting.

use aya_ebpf::{
    bindings::BPF_ANY,
    btf_maps::{Array, HashMap},
    macros::btf_map,
};
use ftp_guard_common::{
    address::EndpointKey,
    session::{Named, Pinhole},
};

use super::reclaim::{self, Mortal, Table};
use crate::wire::Port;

/// The loader sets the real size.
const MAX_ENTRIES: usize = 1024;

#[btf_map]
static FTPG_PINHOLES: HashMap<EndpointKey, Pinhole, MAX_ENTRIES> = HashMap::new();

#[btf_map]
static FTPG_NAMED: HashMap<EndpointKey, Named, MAX_ENTRIES> = HashMap::new();

#[btf_map]
static FTPG_NEGOTIATED: Array<u64, 65536> = Array::new();

/// The pinhole for a client and a port that holds at `now`.
#[inline(always)]
pub fn pinhole(key: &EndpointKey, now: u64) -> Option<&'static Pinhole> {
    // SAFETY: entries of a preallocated table stay readable while the program runs.
    let pinhole = unsafe { FTPG_PINHOLES.get(key) }?;
    (pinhole.expires_ns > now).then_some(pinhole)
}

/// As [`pinhole`], to count what passes.
#[inline(always)]
pub fn pinhole_mut(key: &EndpointKey, now: u64) -> Option<&'static mut Pinhole> {
    // SAFETY: as for `pinhole`; a race between CPUs costs a count.
    let pinhole = FTPG_PINHOLES
        .get_ptr_mut(key)
        .map(|pinhole| unsafe { &mut *pinhole })?;
    (pinhole.expires_ns > now).then_some(pinhole)
}

/// Opens a pinhole; whether the table had room. `marks`: that its port is negotiated concerns other clients.
#[inline(always)]
pub fn open_pinhole(key: &EndpointKey, pinhole: &Pinhole, marks: bool) -> bool {
    let attempt = || {
        FTPG_PINHOLES
            .insert(key, pinhole, u64::from(BPF_ANY))
            .is_ok()
    };
    let map = (&raw const FTPG_PINHOLES).cast();
    // SAFETY: the table has these keys and values.
    if !unsafe { reclaim::insert::<EndpointKey, Pinhole>(map, Table::Pinholes, attempt) } {
        return false;
    }
    if marks {
        let port = u32::from(u16::from_be_bytes(key.port));
        let _ = FTPG_NEGOTIATED.set(port, pinhole.expires_ns, u64::from(BPF_ANY));
    }
    true
}

/// Closes a pinhole: its data connection is there. Who comes now steals from nobody.
#[inline(always)]
pub fn close_pinhole(key: &EndpointKey) {
    let _ = FTPG_PINHOLES.remove(key);
    let port = u32::from(u16::from_be_bytes(key.port));
    let _ = FTPG_NEGOTIATED.set(port, 0, u64::from(BPF_ANY));
}

/// Whether anyone has negotiated a port, and still may use it at `now`.
#[inline(always)]
pub fn is_negotiated(port: Port, now: u64) -> bool {
    FTPG_NEGOTIATED
        .get(u32::from(port.0))
        .is_some_and(|until| *until > now)
}

/// What a connection to this destination gets at `now`, if PORT or EPRT named it.
#[inline(always)]
pub fn named(key: &EndpointKey, now: u64) -> Option<&'static Named> {
    // SAFETY: as for `pinhole`.
    let named = unsafe { FTPG_NAMED.get(key) }?;
    (named.expires_ns > now).then_some(named)
}

/// Notes a named destination; whether the table had room.
#[inline(always)]
pub fn name(key: &EndpointKey, named: &Named) -> bool {
    let attempt = || FTPG_NAMED.insert(key, named, u64::from(BPF_ANY)).is_ok();
    let map = (&raw const FTPG_NAMED).cast();
    // SAFETY: the table has these keys and values.
    unsafe { reclaim::insert::<EndpointKey, Named>(map, Table::Named, attempt) }
}

impl Mortal<EndpointKey> for Pinhole {
    #[inline(always)]
    fn is_dead(&self, now: u64) -> bool {
        self.expires_ns <= now
    }
}

impl Mortal<EndpointKey> for Named {
    #[inline(always)]
    fn is_dead(&self, now: u64) -> bool {
        self.expires_ns <= now
    }
}

/// Forgets a named destination: the server has refused it.
#[inline(always)]
pub fn revoke(key: &EndpointKey) {
    let _ = FTPG_NAMED.remove(key);
}
