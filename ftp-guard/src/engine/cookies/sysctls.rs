//! The two sysctls that SYN cookies need.

use ftp_guard_common::limits::Sysctls;

/// Values of `net.ipv4.tcp_syncookies` and `net.ipv4.tcp_timestamps`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpSysctls {
    /// 0: no cookies, 1: when a listener's queue is full, 2: always. With 0 and 1 the stack refuses the
    /// answer to a cookie that it does not remember having sent.
    pub tcp_syncookies: u32,
    /// 0: none, 1: with a random offset for each pair of addresses, 2: without. With 1 the stack cannot
    /// read the options that a cookie has put into its timestamp.
    pub tcp_timestamps: u32,
}

/// What the stack needs to take cookies that it has not sent (net/ipv4/syncookies.c).
pub const NEEDED: TcpSysctls = TcpSysctls {
    tcp_syncookies: 2,
    tcp_timestamps: 2,
};

impl From<Sysctls> for TcpSysctls {
    fn from(saved: Sysctls) -> Self {
        Self {
            tcp_syncookies: saved.tcp_syncookies,
            tcp_timestamps: saved.tcp_timestamps,
        }
    }
}

impl TcpSysctls {
    /// These values as they are remembered.
    #[must_use]
    pub fn saved(self) -> Sysctls {
        Sysctls {
            changed: 1,
            tcp_syncookies: self.tcp_syncookies,
            tcp_timestamps: self.tcp_timestamps,
        }
    }

    /// The sysctls that are not as cookies need them, for people.
    #[must_use]
    pub fn differences(self) -> Option<String> {
        let pairs = [
            ("tcp_syncookies", self.tcp_syncookies, NEEDED.tcp_syncookies),
            ("tcp_timestamps", self.tcp_timestamps, NEEDED.tcp_timestamps),
        ];
        let wrong: Vec<String> = pairs
            .into_iter()
            .filter(|(_, found, needed)| found != needed)
            .map(|(name, found, needed)| format!("net.ipv4.{name} is {found} instead of {needed}"))
            .collect();
        (!wrong.is_empty()).then(|| wrong.join(", "))
    }
}

/// What the sysctls are to be when the guard lets go of them: as they were, except for one that somebody
/// has changed in the meantime.
#[must_use]
pub fn restored(before: TcpSysctls, now: TcpSysctls) -> TcpSysctls {
    let pick = |before, now, ours| if now == ours { before } else { now };
    TcpSysctls {
        tcp_syncookies: pick(
            before.tcp_syncookies,
            now.tcp_syncookies,
            NEEDED.tcp_syncookies,
        ),
        tcp_timestamps: pick(
            before.tcp_timestamps,
            now.tcp_timestamps,
            NEEDED.tcp_timestamps,
        ),
    }
}
