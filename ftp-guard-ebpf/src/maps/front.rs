//! What stands in front of the data connections: slots that say of a connection that its next segment only needs to be
//! counted, as [`ftp_guard_common::front`] tells. To look into an array takes no call; to look into the table does, and
//! a hash of the key.
//!
//! A version is read before the entry that is copied, and raised behind the change of an entry: a slot that was filled
//! from what is no longer so does not hold. Who writes a slot is alone, makes it hold for nothing first and for its
//! connection last; who reads asks before and after whether it holds. So keys of two connections never mix. All that
//! relies on a processor whose stores and loads are seen in their order; on others no slot is ever filled.

use core::sync::atomic::{Ordering::SeqCst, compiler_fence};

use aya_ebpf::{Global, btf_maps::Array, macros::btf_map};
use ftp_guard_common::{
    address::FlowKey,
    front::{FRONT_OFF, FRONT_ON, IDLE_NS, KEY_WORDS, Pending, SLOTS, Slot, index},
    session::Flow,
};

use super::{atomic, config, flows};

/// The daemon maps the slots into its memory (kernel 5.5).
const BPF_F_MMAPABLE: usize = 1 << 10;

#[btf_map]
static FTPG_FRONT: Array<[Slot; SLOTS], 1, BPF_F_MMAPABLE> = Array::new();

/// Set by the loader.
#[unsafe(no_mangle)]
static FRONT: Global<u32> = Global::new(FRONT_ON);

/// All slots.
#[derive(Clone, Copy)]
pub struct Slots(*mut Slot);

/// The slots; nothing only where the map is missing.
#[inline(always)]
pub fn slots() -> Option<Slots> {
    FTPG_FRONT.get_ptr_mut(0).map(|slots| Slots(slots.cast()))
}

impl Slots {
    /// The place of a connection.
    #[inline(always)]
    pub fn place(self, words: &[u64; KEY_WORDS]) -> Place {
        // SAFETY: the index is below the number of slots.
        Place(unsafe { self.0.add(index(words)) })
    }
}

/// The slot that a connection's key leads to.
#[derive(Clone, Copy)]
pub struct Place(*mut Slot);

#[inline(always)]
fn words_of(key: &FlowKey) -> [u64; KEY_WORDS] {
    // SAFETY: a key is five words, aligned as such.
    unsafe { (&raw const *key).cast::<[u64; KEY_WORDS]>().read() }
}

/// A word that others write meanwhile.
macro_rules! load {
    ($place:expr, $field:ident) => {
        // SAFETY: the slot is within the map's value; all of its fields are integers, read whole.
        unsafe { (&raw const (*$place.0).$field).read_volatile() }
    };
}

/// As `load`.
macro_rules! store {
    ($place:expr, $field:ident, $value:expr) => {{
        let value = $value;
        // SAFETY: as in `load`.
        unsafe { (&raw mut (*$place.0).$field).write_volatile(value) }
    }};
}

impl Place {
    /// How often what leads here has changed: to be asked before the entry is looked at that the slot is filled from.
    #[inline(always)]
    pub fn version(self) -> u64 {
        load!(self, version)
    }

    /// Counts a client's segment of the connection with this key, if the slot holds for it.
    #[inline(always)]
    pub fn count(self, words: &[u64; KEY_WORDS], generation: u32, bytes: u64) -> bool {
        let filled = load!(self, filled);
        if filled != self.version().wrapping_add(1)
            || !self.is_of(words)
            || load!(self, allow_generation) != generation
            || load!(self, filled) != filled
        {
            return false;
        }
        store!(self, packets, load!(self, packets).wrapping_add(1));
        store!(self, bytes, load!(self, bytes).wrapping_add(bytes));
        store!(self, seen_ns, config::now());
        true
    }

    /// Makes the slot hold for a connection whose entry is plain, unless it holds for another one that uses it.
    /// `version` was read before the entry was.
    #[inline(always)]
    pub fn offer(self, key: &FlowKey, flow: &Flow, version: u64) {
        let is_off = FRONT.load() == FRONT_OFF;
        if is_off || !self.is_free(&words_of(key), flow.traffic.allow_generation) {
            return;
        }
        // Who has added itself and then reads 1 is alone: whoever comes later reads more.
        // SAFETY: the slot is within the map's value.
        let claims = unsafe { &raw mut (*self.0).claims };
        atomic::add(claims);
        compiler_fence(SeqCst);
        if load!(self, claims) == 1 {
            self.take(key, flow, version);
        }
        compiler_fence(SeqCst);
        atomic::subtract(claims);
    }

    /// Whether the slot holds for nobody, or for another connection than that of these words which has not used it for
    /// a while.
    #[inline(always)]
    fn is_free(self, words: &[u64; KEY_WORDS], generation: u32) -> bool {
        load!(self, filled) != self.version().wrapping_add(1)
            || load!(self, allow_generation) != generation
            || (!self.is_of(words)
                && config::now().wrapping_sub(load!(self, seen_ns)) as i64 > IDLE_NS as i64)
    }

    #[inline(always)]
    fn is_of(self, words: &[u64; KEY_WORDS]) -> bool {
        // SAFETY: the slot is within the map's value.
        let key = unsafe { &raw const (*self.0).key }.cast::<u64>();
        let mut i = 0;
        while i < KEY_WORDS {
            // SAFETY: a key is five words, aligned as such.
            if unsafe { key.add(i).read_volatile() } != words[i] {
                return false;
            }
            i += 1;
        }
        true
    }

    /// As [`Slot::pending`], of the slot's connection.
    #[inline(always)]
    fn pending(self) -> Pending {
        Pending::behind(
            load!(self, packets).wrapping_sub(load!(self, folded_packets)),
            load!(self, bytes).wrapping_sub(load!(self, folded_bytes)),
            load!(self, seen_ns),
        )
    }

    /// Notes that what the slot has counted so far is in an entry, or nobody's.
    #[inline(always)]
    fn settle(self) {
        store!(self, folded_packets, load!(self, packets));
        store!(self, folded_bytes, load!(self, bytes));
    }

    /// Raises the version: what the slot was filled from has changed.
    #[inline(always)]
    fn raise(self) {
        compiler_fence(SeqCst);
        // SAFETY: the slot is within the map's value.
        atomic::add_long(unsafe { &raw mut (*self.0).version }, 1);
    }

    /// Gives the slot to a connection. The caller is alone.
    #[inline(always)]
    fn take(self, key: &FlowKey, flow: &Flow, version: u64) {
        let words = words_of(key);
        let traffic = &flow.traffic;
        // Others may have filled it, or changed the entry, since the caller looked.
        if version != self.version() || !self.is_free(&words, traffic.allow_generation) {
            return;
        }
        store!(self, filled, 0);
        if !self.is_of(&words) || load!(self, created_ns) != traffic.created_ns {
            self.fold();
            self.settle();
            store!(self, key, *key);
            store!(self, created_ns, traffic.created_ns);
        }
        store!(self, seen_ns, traffic.seen_ns);
        store!(self, allow_generation, traffic.allow_generation);
        store!(self, filled, version.wrapping_add(1));
    }

    /// Puts what the slot has counted into the entry of its connection, if that is still there.
    #[inline(always)]
    fn fold(self) {
        let pending = self.pending();
        if pending.packets == 0 {
            return;
        }
        // SAFETY: the key is within the map's value, and nobody else writes it.
        let Some(flow) = flows::get(unsafe { &(*self.0).key }) else {
            return;
        };
        if flow.traffic.created_ns == load!(self, created_ns) {
            atomic::count(&mut flow.traffic, pending);
        }
    }
}

/// The place of a connection by its key.
#[inline(always)]
pub fn place(key: &FlowKey) -> Option<Place> {
    slots().map(|slots| slots.place(&words_of(key)))
}

/// Makes the next segment of a connection be judged by its entry, which has just been changed. A subprogram.
#[inline(never)]
pub fn changed(key: &FlowKey) {
    if let Some(place) = place(key) {
        place.raise();
    }
}

/// As [`changed`], for an entry that has taken the place of another: what was counted of that is nobody's. A subprogram.
#[inline(never)]
pub fn began(key: &FlowKey) {
    if let Some(place) = place(key) {
        if place.is_of(&words_of(key)) {
            place.settle();
        }
        place.raise();
    }
}

/// What is counted of a connection besides its entry.
#[inline(always)]
pub fn pending(key: &FlowKey, flow: &Flow) -> Pending {
    match place(key) {
        Some(place)
            if place.is_of(&words_of(key))
                && load!(place, created_ns) == flow.traffic.created_ns =>
        {
            place.pending()
        }
        _ => Pending::default(),
    }
}
