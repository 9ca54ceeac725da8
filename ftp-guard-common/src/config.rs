//! The configuration block that the programs read.

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

/// The single value of the configuration map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardConfig {
    /// Number of a [`Mode`].
    pub mode: u32,
    /// Zero.
    pub reserved: u32,
    /// Nanoseconds by which CLOCK_TAI is ahead of CLOCK_REALTIME. The programs read TAI (kernel
    /// 6.1, `bpf_ktime_get_tai_ns`) and allowlist entries expire in Unix time.
    pub tai_offset_ns: i64,
}
