//! Control connections between the end of their handshake and the server's greeting, and the
//! acknowledgements that end a handshake.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::{Array, HashMap},
    macros::btf_map,
};
use ftp_guard_common::{
    address::FlowKey,
    limits::{EXPECTED_S, EXPECTED_SLOTS, OPENING_NS, Opening, SourceKey},
};

use super::{
    buckets,
    reclaim::{self, Mortal, Table},
    sources,
};

/// The loader sets the real size.
const MAX_ENTRIES: usize = 1024;

#[btf_map]
static FTPG_OPENING: HashMap<FlowKey, Opening, MAX_ENTRIES> = HashMap::new();

#[btf_map]
static FTPG_EXPECTED: Array<u64, { EXPECTED_SLOTS as usize }> = Array::new();

impl Mortal<FlowKey> for Opening {
    #[inline(always)]
    fn is_dead(&self, now: u64) -> bool {
        now > self.since_ns.saturating_add(OPENING_NS)
    }

    #[inline(always)]
    fn buried(&self, key: &FlowKey) {
        if self.witnessed != 0 {
            return;
        }
        let mut source = SourceKey::default();
        sources::name(&mut source, key);
        sources::opening_ends(&source);
    }
}

/// A connection whose handshake is proven, and that the server has not greeted.
#[inline(always)]
pub fn get(key: &FlowKey) -> Option<&'static mut Opening> {
    // SAFETY: entries of a preallocated table stay readable while the program runs; a race between CPUs
    // costs a count.
    FTPG_OPENING
        .get_ptr_mut(key)
        .map(|opening| unsafe { &mut *opening })
}

/// Takes a connection in; whether the table had room. Its source must have been counted before.
#[inline(always)]
pub fn insert(key: &FlowKey, opening: &Opening) -> bool {
    let attempt = || {
        FTPG_OPENING
            .insert(key, opening, u64::from(BPF_NOEXIST))
            .is_ok()
    };
    let map = (&raw const FTPG_OPENING).cast();
    // SAFETY: the table has these keys and values.
    unsafe { reclaim::insert::<FlowKey, Opening>(map, Table::Opening, attempt) }
}

/// The connection is greeted, or it has ended.
#[inline(always)]
pub fn remove(key: &FlowKey, source: &SourceKey) {
    let counts = get(key).is_some_and(|opening| opening.witnessed == 0);
    if FTPG_OPENING.remove(key).is_ok() && counts {
        sources::opening_ends(source);
    }
}

/// Notes the acknowledgement that is to end a handshake, in the place of another one's if it must be:
/// the slot is one of a fixed number.
#[inline(always)]
pub fn expect(key: &FlowKey, acknowledgement: u32, now: u64) {
    if let Some(slot) = FTPG_EXPECTED.get_ptr_mut(slot(key)) {
        // SAFETY: a word in a map value, which no reader can see torn.
        unsafe { *slot = u64::from(seconds(now)) << 32 | u64::from(acknowledgement) };
    }
}

/// Whether a segment acknowledges what the server has sent to end the handshake.
#[inline(always)]
pub fn is_expected(key: &FlowKey, acknowledgement: u32, now: u64) -> bool {
    let Some(slot) = FTPG_EXPECTED.get(slot(key)).copied() else {
        return false;
    };
    // A slot that was never written is from second 0.
    slot != 0
        && slot as u32 == acknowledgement
        && seconds(now).wrapping_sub((slot >> 32) as u32) <= EXPECTED_S
}

/// A subprogram: its stack is free again when the slot is used.
#[inline(never)]
fn slot(key: &FlowKey) -> u32 {
    let ports = u32::from_ne_bytes([
        key.client_port[0],
        key.client_port[1],
        key.server_port[0],
        key.server_port[1],
    ]);
    let [a, b] = buckets::halves(&key.client);
    let [c, d] = buckets::halves(&key.server);
    let mut hash = buckets::begin(u64::from(ports) << 8 | u64::from(key.family));
    hash = buckets::absorb(hash, a);
    hash = buckets::absorb(hash, b);
    hash = buckets::absorb(hash, c);
    hash = buckets::absorb(hash, d);
    hash as u32 & (EXPECTED_SLOTS - 1)
}

#[inline(always)]
fn seconds(now: u64) -> u32 {
    (now / 1_000_000_000) as u32
}
