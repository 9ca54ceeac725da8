//! What stands in front of the table of data connections: an array of slots, each for one connection of which nothing is
//! to be asked but whether its next segment belongs to it.
//!
//! The table stays the truth. A slot only says that a connection's entry was
//! [plain](crate::session::Flow::is_plain) when it was last looked at, and holds until anybody changes an entry whose
//! key leads to the slot: whoever does changes the entry first, and then raises the slot's version. What a slot has
//! counted is not in the entry: who reads an entry adds it, and who takes a slot over first puts it there.

use crate::address::FlowKey;

/// Number of slots, a power of two.
pub const SLOTS: usize = 1 << SLOT_BITS;

const SLOT_BITS: u32 = 12;

/// How long a connection keeps its slot without a segment, when another one wants it, in nanoseconds.
pub const IDLE_NS: u64 = 1_000_000_000;

/// Name of the read-only global that says whether slots are filled.
pub const FRONT_GLOBAL: &str = "FRONT";
/// They are. Not zero, as [`TRACE_OFF`](crate::trace::TRACE_OFF).
pub const FRONT_ON: u32 = 0x0f20_0f20;
/// They are not: the processor lets others see stores in another order than they were made in.
pub const FRONT_OFF: u32 = 0x0f10_0f10;

/// Number of words of a key.
pub const KEY_WORDS: usize = size_of::<FlowKey>() / 8;

/// The front of one connection at most. What a segment touches comes first.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The connection.
    pub key: FlowKey,
    /// How often an entry whose key leads here has changed.
    pub version: u64,
    /// One more than what `version` was when the connection's entry was looked at; 0: the slot is being written.
    pub filled: u64,
    /// Segments from clients of all connections that have had the slot.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// When the last of them passed, as [`Traffic::seen_ns`](crate::session::Traffic::seen_ns).
    pub seen_ns: u64,
    /// The connection's own, as of its entry: tells it from an earlier one of the same key.
    pub created_ns: u64,
    /// How many of `packets` are in the entries of their connections.
    pub folded_packets: u64,
    /// How many of `bytes` are.
    pub folded_bytes: u64,
    /// Generation of the allowlist that the connection's entry had.
    pub allow_generation: u32,
    /// How many programs are about to write the slot: the one that finds itself alone does.
    pub claims: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// What a slot has counted of a connection and its entry does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Segments from the client.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// When the last of them passed; 0: nothing is known.
    pub seen_ns: u64,
}

impl Pending {
    /// What is in a slot and not in entries. Less than nothing is nothing: a program that is interrupted while it counts
    /// writes what it read before others counted.
    #[inline(always)]
    #[must_use]
    pub const fn behind(packets: u64, bytes: u64, seen_ns: u64) -> Self {
        if packets as i64 <= 0 {
            return Self {
                packets: 0,
                bytes: 0,
                seen_ns: 0,
            };
        }
        Self {
            packets,
            bytes: if (bytes as i64) < 0 { 0 } else { bytes },
            seen_ns,
        }
    }
}

/// The slot that a key leads to, by its words. Two connections that meet in one only go the longer way, so there is no
/// secret in it.
#[inline(always)]
#[must_use]
pub const fn index(words: &[u64; KEY_WORDS]) -> usize {
    // Odd numbers with no pattern in them: the fractions of the golden ratio and of square roots.
    let sum = words[0]
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(words[1].wrapping_mul(0x6a09_e667_f3bc_c909))
        .wrapping_add(words[2].wrapping_mul(0xbb67_ae85_84ca_a73b))
        .wrapping_add(words[3].wrapping_mul(0x3c6e_f372_fe94_f82b))
        .wrapping_add(words[4].wrapping_mul(0xa54f_f53a_5f1d_36f1));
    let mixed = (sum ^ sum >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (u64::BITS - SLOT_BITS)) as usize
}

impl Slot {
    /// What it has counted of the connection of this key that began then. A slot that is being written may say
    /// anything.
    #[inline(always)]
    #[must_use]
    pub fn pending(&self, key: &FlowKey, created_ns: u64) -> Pending {
        if self.key != *key || self.created_ns != created_ns {
            return Pending::default();
        }
        Pending::behind(
            self.packets.wrapping_sub(self.folded_packets),
            self.bytes.wrapping_sub(self.folded_bytes),
            self.seen_ns,
        )
    }
}

#[cfg(feature = "user")]
impl FlowKey {
    /// The key as the programs see it: words in native order.
    #[must_use]
    pub fn words(&self) -> [u64; KEY_WORDS] {
        let word = |bytes: &[u8]| {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            u64::from_ne_bytes(word)
        };
        let ([a, b], [c, d]) = (self.client_port, self.server_port);
        let [e, f, g] = self.reserved;
        [
            word(&self.client[..8]),
            word(&self.client[8..]),
            word(&self.server[..8]),
            word(&self.server[8..]),
            u64::from_ne_bytes([a, b, c, d, self.family, e, f, g]),
        ]
    }
}

#[cfg(test)]
#[cfg(feature = "user")]
mod tests {
    extern crate std;
    use std::{collections::BTreeMap, net::SocketAddr};

    use super::*;

    fn spread(keys: impl Iterator<Item = FlowKey>) -> (usize, usize) {
        let mut slots: BTreeMap<usize, usize> = BTreeMap::new();
        for key in keys {
            let index = index(&key.words());
            assert!(index < SLOTS);
            *slots.entry(index).or_default() += 1;
        }
        (slots.len(), slots.values().copied().max().unwrap_or(0))
    }

    fn key(client: (&str, u16), server: (&str, u16)) -> FlowKey {
        let at = |(address, port): (&str, u16)| SocketAddr::new(address.parse().unwrap(), port);
        FlowKey::new(at(client), at(server))
    }

    /// Thrown at random, 1,024 keys meet 907 slots, and hardly ever six one of them.
    #[test]
    fn what_differs_little_is_spread() {
        let port = |n: u16| key(("198.51.100.7", 40_000 + n), ("192.0.2.1", 50_000));
        let both = |n: u16| key(("2001:db8::7", 40_000 + n), ("2001:db8::1", 50_000 + n));
        let host = |n: u16| {
            let client = std::format!("10.0.{}.{}", n >> 8, n & 0xff);
            key((&client, 40_000), ("192.0.2.1", 20))
        };
        let host_v6 = |n: u16| {
            let client = std::format!("2001:db8:{n:x}::1");
            key((&client, 40_000), ("2001:db8::1", 20))
        };
        for of in [&port as &dyn Fn(u16) -> FlowKey, &both, &host, &host_v6] {
            let (slots, most) = spread((0..1024).map(of));
            assert!(slots > 800 && most < 7, "{slots} slots, {most} in one");
        }
    }

    #[test]
    fn a_slot_counts_for_its_connection_alone() {
        let mine = key(("198.51.100.7", 40_000), ("192.0.2.1", 50_000));
        let other = key(("198.51.100.7", 40_001), ("192.0.2.1", 50_000));
        let slot = Slot {
            key: mine,
            created_ns: 5,
            packets: 10,
            bytes: 1000,
            seen_ns: 9,
            folded_packets: 7,
            folded_bytes: 600,
            ..Slot::default()
        };
        let wanted = Pending {
            packets: 3,
            bytes: 400,
            seen_ns: 9,
        };
        assert_eq!(slot.pending(&mine, 5), wanted);
        let settled = Slot {
            folded_packets: 10,
            folded_bytes: 1000,
            ..slot
        };
        assert_eq!(settled.pending(&mine, 5), Pending::default());
        let behind = Slot {
            folded_packets: 11,
            ..slot
        };
        assert_eq!(behind.pending(&mine, 5), Pending::default());
        let short = Slot {
            folded_bytes: 1001,
            ..slot
        };
        assert_eq!(short.pending(&mine, 5), Pending { bytes: 0, ..wanted });
        assert_eq!(slot.pending(&mine, 6), Pending::default());
        assert_eq!(slot.pending(&other, 5), Pending::default());
    }
}
