//! Limits: token buckets, profiles, and what the programs remember of floods.
//!
//! A bucket is one number, when the next event is due (GCRA, ITU-T I.371 annex A): in the past when the
//! bucket is full. All times are nanoseconds of CLOCK_MONOTONIC.

use crate::{address::Address, ftp::hello::HelloReader};

/// A rate and a burst.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Time between two events, in nanoseconds; 0: no limit.
    pub interval_ns: u64,
    /// How far the bucket may be ahead of the time: the burst less one, in units of the interval.
    pub burst_ns: u64,
}

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self {
        interval_ns: 0,
        burst_ns: 0,
    };

    /// So many events a second, never more, and `burst` at once; 0 a second: no limit. A burst of 0
    /// counts as 1.
    #[must_use]
    pub const fn per_second(events: u32, burst: u32) -> Self {
        if events == 0 {
            return Self::UNLIMITED;
        }
        let interval_ns = 1_000_000_000_u64.div_ceil(events as u64);
        Self {
            interval_ns,
            burst_ns: interval_ns * burst.saturating_sub(1) as u64,
        }
    }

    /// Whether an event at `now` fits into a bucket that stands at `due`.
    #[inline(always)]
    #[must_use]
    pub const fn allows(&self, due: u64, now: u64) -> bool {
        self.interval_ns == 0 || due <= now.saturating_add(self.burst_ns)
    }

    /// Where the bucket stands after the event.
    #[inline(always)]
    #[must_use]
    pub const fn after(&self, due: u64, now: u64) -> u64 {
        let from = if due > now { due } else { now };
        from.saturating_add(self.interval_ns)
    }
}

/// Number of profiles: 0 is the default one.
pub const PROFILES: u32 = 256;

/// What a source of a profile may. Value of the profile table, by the number in
/// [`AllowValue::profile`](crate::allow::AllowValue::profile).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// New control connections of a source.
    pub connections: Rate,
    /// Segments of one control connection from its client.
    pub packets: Rate,
    /// Control connections of a source at one time; 0: no limit.
    pub sessions: u32,
    /// Data connections of a source at one time, for each of its sessions; 0: no limit.
    pub data: u32,
    /// What its commands in clear text may not be: `POLICY_*` bits.
    pub policy: u32,
    /// Zero.
    pub reserved: u32,
    /// Stands for its name, so that a daemon finds the number that its predecessor gave it; 0: no profile
    /// has this number. The programs do not read it.
    pub name_tag: u64,
}

/// USER, PASS and ACCT are refused in clear text.
pub const POLICY_REQUIRE_TLS: u32 = 1;
/// USER anonymous and USER ftp are refused.
pub const POLICY_NO_ANONYMOUS: u32 = 1 << 1;
/// What changes files is refused: the commands under [`READ_ONLY_COMMANDS`], and MDTM with a time.
pub const POLICY_READ_ONLY: u32 = 1 << 2;
/// The table of commands has entries under the profile's own number.
pub const POLICY_COMMANDS: u32 = 1 << 3;

/// Stands for a profile in the table of commands: what all profiles refuse that are read-only.
pub const READ_ONLY_COMMANDS: u32 = u32::MAX;

/// Entries in the table of commands.
pub const COMMANDS: u32 = 4096;

/// A command that is refused. Key of the table of commands; the value is the number of the
/// [`Reason`](crate::reason::Reason).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandKey {
    /// Number of the profile, or [`READ_ONLY_COMMANDS`].
    pub profile: u32,
    /// The verb in capital letters, and zeros.
    pub verb: [u8; 8],
    /// The first word of the argument of SITE, in the same form; zeros: whatever it is.
    pub word: [u8; 8],
}

/// A source as limits count: an IPv4 address, or an IPv6 prefix of the configured length. Key of
/// the table of sources.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    /// The prefix, bits behind it zero.
    pub prefix: Address,
    /// Number of a [`Family`](crate::class::Family).
    pub family: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

impl SourceKey {
    /// The source of a client's address; IPv6 is cut to `v6_bits` (0 to 128).
    #[inline(always)]
    #[must_use]
    pub const fn of(client: Address, family: u8, v6_bits: u32) -> Self {
        let prefix = if family == crate::class::Family::Ipv6 as u8 {
            cut(client, v6_bits)
        } else {
            client
        };
        Self {
            prefix,
            family,
            reserved: [0; 3],
        }
    }

    /// The network that aggregates count: the /24 of IPv4, the /48 of IPv6.
    #[inline(always)]
    #[must_use]
    pub const fn network(client: Address, family: u8) -> Self {
        let bits = if family == crate::class::Family::Ipv6 as u8 {
            48
        } else {
            96 + 24
        };
        Self {
            prefix: cut(client, bits),
            family,
            reserved: [0; 3],
        }
    }
}

/// The address with the bits behind the first `bits` cleared. In two words: BPF has no longer ones.
#[inline(always)]
const fn cut(address: Address, bits: u32) -> Address {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = address;
    let high = u64::from_be_bytes([a, b, c, d, e, f, g, h]) & mask(bits);
    let low = u64::from_be_bytes([i, j, k, l, m, n, o, p]) & mask(bits.saturating_sub(64));
    let [a, b, c, d, e, f, g, h] = high.to_be_bytes();
    let [i, j, k, l, m, n, o, p] = low.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// The first `bits` bits of a word; all of them from 64 on.
#[inline(always)]
const fn mask(bits: u32) -> u64 {
    match bits {
        0 => 0,
        1..=63 => u64::MAX << (64 - bits),
        _ => u64::MAX,
    }
}

/// What the proven connections of a source amount to. Value of the table of sources.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Live sessions.
    pub sessions: u32,
    /// Control connections whose handshake is proven and that the server has not greeted.
    pub opening: u32,
    /// Live data connections of passive and active mode.
    pub data: u32,
    /// Zero.
    pub reserved: u32,
}

/// A control connection whose handshake is proven and that the server has not greeted. Stored under its
/// [`FlowKey`](crate::address::FlowKey).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Since when.
    pub since_ns: u64,
    /// The token bucket of segments from the client.
    pub packets_ns: u64,
    /// How much of the client's side of TLS has been told.
    pub hello: HelloReader,
    /// Sequence number of the next byte from the client that has not been looked at.
    pub client_next: u32,
    /// Not 0 once bytes of the client have passed that nobody has read: of TLS, or so they looked.
    pub said: u32,
    /// 1 once the client has said something.
    pub spoke: u8,
    /// 1 where monitor mode only follows it, as [`Traffic::witnessed`](crate::session::Traffic::witnessed) says.
    pub witnessed: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

/// How long an [`Opening`] counts: longer than any server takes to greet or give up.
pub const OPENING_NS: u64 = 300_000_000_000;

/// Rows of the bucket table. An event fits when it fits into one of its buckets, one in each row.
pub const BUCKET_ROWS: u32 = 2;
/// Buckets in a row. A power of two.
pub const BUCKET_SLOTS: u32 = 1 << 16;

/// Slots of the table of expected acknowledgements. A power of two.
pub const EXPECTED_SLOTS: u32 = 1 << 16;
/// How many seconds an acknowledgement is expected.
pub const EXPECTED_S: u32 = 60;

/// What the programs remember of attacks. The single value of its table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attack {
    /// When the window began in which `count` counts; a window lasts [`ATTACK_WINDOW_NS`].
    pub window_ns: u64,
    /// Connection requests from listed sources, and segments of no connection, in this window.
    pub count: u64,
    /// What `count` was at the end of the last window.
    pub last_count: u64,
    /// When a window last was at the threshold.
    pub over_ns: u64,
    /// Since when it is under way; 0: none is.
    pub since_ns: u64,
    /// How many there have been.
    pub attacks: u64,
    /// The bucket of connection requests of all sources together.
    pub requests_due_ns: u64,
    /// The bucket of proven connections of all sources together.
    pub proven_due_ns: u64,
    /// The bucket of segments of no connection, of all sources together.
    pub strays_due_ns: u64,
}

/// Length of the window in which an attack is looked for.
pub const ATTACK_WINDOW_NS: u64 = 100_000_000;

/// A listening control port as its SYN-ACKs show it. Stored under a
/// [`ListenKey`](crate::address::ListenKey) with the address that clients use.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Primed {
    /// When a SYN was last let through for it to answer; 0: never.
    pub primed_ns: u64,
    /// When a SYN-ACK of it was last read.
    pub learned_ns: u64,
    /// When it last sent a cookie itself; 0: never.
    pub cookie_ns: u64,
    /// Its maximum segment size, host order.
    pub mss: u16,
    /// Its window, host order.
    pub window: u16,
    /// Its window scale, if `scaled`.
    pub scale: u8,
    /// 1 once a SYN-ACK carried a window scale.
    pub scaled: u8,
    /// 1 once a SYN-ACK permitted selective acknowledgements.
    pub sack: u8,
    /// Zero.
    pub reserved: u8,
}

/// How long a cookie's ACK is accepted after the listener itself has sent one: half of what the kernel
/// has (TCP_SYNCOOKIE_VALID, include/net/tcp.h: 2 minutes).
pub const PRIMED_NS: u64 = 60_000_000_000;
/// Time between two SYNs that are let through to keep a listener primed.
pub const PRIME_EVERY_NS: u64 = 1_000_000_000;

/// The two sysctls that cookies need, as they were before the daemon changed them. The single value of
/// its table; no program reads it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sysctls {
    /// 1 when the daemon has changed them and not put them back.
    pub changed: u32,
    /// net.ipv4.tcp_syncookies.
    pub tcp_syncookies: u32,
    /// net.ipv4.tcp_timestamps.
    pub tcp_timestamps: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{address::v4, class::Family};

    #[test]
    fn a_bucket_takes_its_burst_and_then_its_rate() {
        let rate = Rate::per_second(10, 5);
        let now = 1_000_000_000_000;
        let mut due = 0;
        for _ in 0..5 {
            assert!(rate.allows(due, now));
            due = rate.after(due, now);
        }
        assert!(!rate.allows(due, now));
        assert!(!rate.allows(due, now + 99_999_999));
        assert!(rate.allows(due, now + 100_000_000));
    }

    #[test]
    fn no_rate_is_no_limit() {
        assert_eq!(Rate::per_second(0, 7), Rate::UNLIMITED);
        assert!(Rate::UNLIMITED.allows(u64::MAX, 0));
    }

    #[test]
    fn sources_are_cut_as_their_family_is() {
        let v6 = [0xfd, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
        let key = SourceKey::of(v6, Family::Ipv6 as u8, 64);
        assert_eq!(key.prefix[..9], [0xfd, 0, 1, 2, 3, 4, 5, 6, 0]);
        assert_eq!(SourceKey::of(v6, Family::Ipv6 as u8, 128).prefix, v6);
        assert_eq!(SourceKey::of(v6, Family::Ipv6 as u8, 0).prefix, [0; 16]);
        let four = v4([10, 1, 2, 3]);
        assert_eq!(SourceKey::of(four, Family::Ipv4 as u8, 64).prefix, four);
        let network = SourceKey::network(four, Family::Ipv4 as u8);
        assert_eq!(network.prefix, v4([10, 1, 2, 0]));
        let network = SourceKey::network(v6, Family::Ipv6 as u8);
        assert_eq!(network.prefix[..7], [0xfd, 0, 1, 2, 3, 4, 0]);
    }
}
