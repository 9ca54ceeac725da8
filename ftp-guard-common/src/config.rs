//! The configuration block that the programs read.

use crate::limits::Rate;

/// What happens to a packet that the rules say to drop.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is dropped.
    #[default]
    Enforce = 0,
    /// It is counted as `would_drop` and passes.
    Monitor = 1,
}

impl Mode {
    /// The name in the configuration, metrics, JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Monitor => "monitor",
        }
    }

    /// The mode of a stored number. A number that is none of ours enforces: a guard that is not
    /// sure keeps the door shut.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Monitor,
            _ => Self::Enforce,
        }
    }
}

/// A mode, and until when it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModeSetting {
    /// The mode.
    pub mode: Mode,
    /// When (CLOCK_MONOTONIC, nanoseconds) enforce mode ends and monitor mode begins; 0: not at all. Means nothing
    /// beside monitor mode.
    pub confirm_until_ns: u64,
}

impl ModeSetting {
    /// A mode without end.
    #[must_use]
    pub const fn lasting(mode: Mode) -> Self {
        Self {
            mode,
            confirm_until_ns: 0,
        }
    }

    /// The mode that this comes to. The clock is only read where it decides.
    #[inline(always)]
    #[must_use]
    pub fn in_force(self, now_ns: impl FnOnce() -> u64) -> Mode {
        match self.mode {
            Mode::Enforce if self.confirm_until_ns == 0 => Mode::Enforce,
            Mode::Enforce if now_ns() < self.confirm_until_ns => Mode::Enforce,
            Mode::Enforce | Mode::Monitor => Mode::Monitor,
        }
    }

    /// When enforce mode ends, if it has an end.
    #[must_use]
    pub const fn deadline_ns(self) -> Option<u64> {
        match self.mode {
            Mode::Enforce if self.confirm_until_ns != 0 => Some(self.confirm_until_ns),
            Mode::Enforce | Mode::Monitor => None,
        }
    }
}

/// The single value of the configuration map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardConfig {
    /// Number of a [`Mode`].
    pub mode: u32,
    /// Number of a [`Role`].
    pub role: u32,
    /// Until when (CLOCK_MONOTONIC) the mode holds if it is [`Mode::Enforce`]; 0: without end.
    pub confirm_until_ns: u64,
    /// Nanoseconds by which CLOCK_TAI is ahead of CLOCK_REALTIME. The programs read TAI (kernel
    /// 6.1, `bpf_ktime_get_tai_ns`) and allowlist entries expire in Unix time.
    pub tai_offset_ns: i64,
    /// Raised after each change of the allowlist that may end a connection: every live one is then
    /// looked up again.
    pub allow_generation: u32,
    /// Sum of the `FLAG_*` constants.
    pub flags: u32,
    /// How long a pinhole or a named destination holds.
    pub pinhole_ns: u64,
    /// Time between two pinholes of a session that uses none of them, once its burst is used up.
    pub pinhole_interval_ns: u64,
    /// How far a session may be ahead of that: the burst less one, in the same unit.
    pub pinhole_burst_ns: u64,
    /// Until when (CLOCK_MONOTONIC) data connections that the guard has not seen begin are taken over.
    pub adopt_until_ns: u64,
    /// New control connections of one network (/24, /48).
    pub network: Rate,
    /// New control connections of all sources together.
    pub total: Rate,
    /// Segments on control ports that belong to no connection, of one source.
    pub strays: Rate,
    /// The same, of all sources together.
    pub strays_total: Rate,
    /// Handshakes to one passive port from one source.
    pub handshakes: Rate,
    /// Events of one reason, on each CPU.
    pub events: Rate,
    /// How many requests and strays in a window of
    /// [`ATTACK_WINDOW_NS`](crate::limits::ATTACK_WINDOW_NS) are an attack; 0: none is.
    pub attack_count: u64,
    /// How long no window may have been at half of that until the attack is over.
    pub attack_hold_ns: u64,
    /// Since when this host's stack takes cookies: the sysctls are set. 0: it does not, or it is a router.
    pub cookies_since_ns: u64,
    /// Secret of the hashes, other at each boot.
    pub secret: [u64; 2],
    /// Number of a [`Cookies`].
    pub cookies: u32,
    /// Length in bits of the IPv6 prefix that counts as one source.
    pub source_bits_v6: u32,
    /// Entries of the IPv4 ban table: 0 spares the look.
    pub bans_v4: u32,
    /// Entries of the IPv6 ban table.
    pub bans_v6: u32,
}

impl GuardConfig {
    /// The mode, and until when it holds.
    #[inline(always)]
    #[must_use]
    pub const fn mode_setting(&self) -> ModeSetting {
        ModeSetting {
            mode: Mode::from_number(self.mode),
            confirm_until_ns: self.confirm_until_ns,
        }
    }
}

/// When connection requests are answered with SYN cookies.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cookies {
    /// Never.
    #[default]
    Off = 0,
    /// During an attack, and where a limit would refuse.
    Auto = 1,
    /// Always.
    Always = 2,
}

impl Cookies {
    /// The name in the configuration, JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Auto => "auto",
            Self::Always => "always",
        }
    }

    /// The setting of a stored number.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Auto,
            2 => Self::Always,
            _ => Self::Off,
        }
    }
}

/// FXP: data connections with a third host are permitted when it is on the allowlist.
pub const FLAG_FXP: u32 = 1;
/// A passive port outside the configured ranges is guarded as long as a pinhole or a data connection
/// uses it.
pub const FLAG_GUARD_OUTSIDE: u32 = 2;
/// What passes on control connections is told to the daemon.
pub const FLAG_TEXT: u32 = 4;
/// What looks like FTP on a port of no class is told, too.
pub const FLAG_ODD_PORTS: u32 = 8;

/// Name of the read-only global that says the role, which only a start changes: the verifier then removes
/// what the other role would do.
pub const ROLE_GLOBAL: &str = "ROLE";
/// The global says nothing, the configuration block does. Not zero, as
/// [`TRACE_OFF`](crate::trace::TRACE_OFF).
pub const ROLE_UNSAID: u32 = 0x0e1f_0e1f;

/// Where the guarded FTP servers are.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// On this host: its sockets are the truth about connections.
    #[default]
    Host = 0,
    /// Behind this router: only packets tell.
    Router = 1,
}

impl Role {
    /// The name in the configuration, JSON and text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Router => "router",
        }
    }

    /// The role of a stored number.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Router,
            _ => Self::Host,
        }
    }

    /// The server's address as keys of [`EndpointKey`](crate::address::EndpointKey) and
    /// [`ClientKey`](crate::address::ClientKey) have it. A host's addresses are all its own, whichever
    /// the client connects to; behind a router they are of different servers.
    #[inline(always)]
    #[must_use]
    pub const fn scope(self, server: crate::address::Address) -> crate::address::Address {
        match self {
            Self::Host => [0; 16],
            Self::Router => server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enforce_mode_ends_at_its_deadline_and_not_before() {
        let pending = ModeSetting {
            mode: Mode::Enforce,
            confirm_until_ns: 1_000,
        };
        for (now, mode) in [
            (0, Mode::Enforce),
            (999, Mode::Enforce),
            (1_000, Mode::Monitor),
            (u64::MAX, Mode::Monitor),
        ] {
            assert_eq!(pending.in_force(|| now), mode, "{now}");
        }
        assert_eq!(pending.deadline_ns(), Some(1_000));
    }

    #[test]
    fn a_mode_without_a_deadline_reads_no_clock() {
        let never = || -> u64 { panic!("the clock was read") };
        for mode in [Mode::Enforce, Mode::Monitor] {
            assert_eq!(ModeSetting::lasting(mode).in_force(never), mode);
            assert_eq!(ModeSetting::lasting(mode).deadline_ns(), None);
        }
        let left_over = ModeSetting {
            mode: Mode::Monitor,
            confirm_until_ns: 1_000,
        };
        assert_eq!(left_over.in_force(never), Mode::Monitor);
        assert_eq!(left_over.deadline_ns(), None);
    }
}
