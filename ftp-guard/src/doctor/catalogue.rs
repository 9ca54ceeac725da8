//! All checks: their names, which are append-only, and why what they look at matters.

use super::finding::Severity;

/// A check. One of them may have several findings, each about another thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The kernel's release.
    KernelVersion,
    /// What the programs use of the kernel.
    KernelFeature,
    /// The kernel's description of its types.
    KernelTypes,
    /// The compiler of programs.
    BpfJit,
    /// The capabilities of the daemon, or of whoever asks.
    Capabilities,
    /// Whether bpf(2) is permitted.
    BpfRefused,
    /// Who else may load programs.
    UnprivilegedBpf,
    /// The folder of the pins.
    PinPath,
    /// The configuration file.
    Configuration,
    /// The daemon.
    Daemon,
    /// The mode.
    Mode,
    /// Configured interfaces that are not there.
    InterfaceMissing,
    /// Configured interfaces without the guard.
    InterfaceUnguarded,
    /// Interfaces that hold an address and are not configured.
    InterfaceUncovered,
    /// Frames without an Ethernet header.
    InterfaceNotEthernet,
    /// Whether the driver runs programs.
    NativeXdp,
    /// Packets longer than programs take.
    Mtu,
    /// Large receive offload.
    OffloadLro,
    /// GRO in hardware.
    OffloadHwGro,
    /// VLAN tags taken out of frames.
    OffloadRxVlan,
    /// Whether programs can answer packets.
    XdpAnswers,
    /// Whether SYN cookies can be used.
    SynCookies,
    /// XDP programs of others.
    ForeignXdp,
    /// Classifiers of others.
    ForeignTc,
    /// `net.ipv4.tcp_syncookies`
    SysctlSyncookies,
    /// `net.ipv4.tcp_timestamps`
    SysctlTimestamps,
    /// `net.ipv4.conf.*.rp_filter`
    SysctlRpFilter,
    /// FTP servers on ports that are not guarded.
    FtpPort,
    /// FTP servers on the guarded ports.
    FtpServer,
    /// The FTP helper of connection tracking.
    ConntrackFtp,
    /// fail2ban.
    Fail2ban,
}

/// What is known of a check.
struct Row {
    id: &'static str,
    worst: Severity,
    about: &'static str,
    why: &'static str,
}

const fn row(id: &'static str, worst: Severity, about: &'static str, why: &'static str) -> Row {
    Row {
        id,
        worst,
        about,
        why,
    }
}

impl Check {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 31] = [
        Self::KernelVersion,
        Self::KernelFeature,
        Self::KernelTypes,
        Self::BpfJit,
        Self::Capabilities,
        Self::BpfRefused,
        Self::UnprivilegedBpf,
        Self::PinPath,
        Self::Configuration,
        Self::Daemon,
        Self::Mode,
        Self::InterfaceMissing,
        Self::InterfaceUnguarded,
        Self::InterfaceUncovered,
        Self::InterfaceNotEthernet,
        Self::NativeXdp,
        Self::Mtu,
        Self::OffloadLro,
        Self::OffloadHwGro,
        Self::OffloadRxVlan,
        Self::XdpAnswers,
        Self::SynCookies,
        Self::ForeignXdp,
        Self::ForeignTc,
        Self::SysctlSyncookies,
        Self::SysctlTimestamps,
        Self::SysctlRpFilter,
        Self::FtpPort,
        Self::FtpServer,
        Self::ConntrackFtp,
        Self::Fail2ban,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().id
    }

    /// The severity of its worst finding.
    #[must_use]
    pub const fn worst(self) -> Severity {
        self.row().worst
    }

    /// What it looks at.
    #[must_use]
    pub const fn about(self) -> &'static str {
        self.row().about
    }

    /// Why a finding matters.
    #[must_use]
    pub const fn why(self) -> &'static str {
        self.row().why
    }

    const fn row(self) -> Row {
        use Severity::{Error, Info, Warning};
        match self {
            Self::KernelVersion => row(
                "kernel_version",
                Warning,
                "The kernel is at least 6.1, the oldest that the suites run on.",
                "older kernels lack helpers that the programs call; `kernel_feature` says which",
            ),
            Self::KernelFeature => row(
                "kernel_feature",
                Error,
                "What the programs use of the kernel, each tried with a program of two instructions or a \
                 small table: XDP, classifiers, frames of several buffers, tables of prefixes, ring \
                 buffers, helpers, tcx. Each that is missing is named with the kernel that has it; without \
                 tcx (6.6) a clsact qdisc does the same work.",
                "the programs do not load without it",
            ),
            Self::KernelTypes => row(
                "kernel_types",
                Error,
                "The kernel describes its types (/sys/kernel/btf/vmlinux) and has the tracepoint \
                 inet_sock_set_state. Not needed with role = \"router\".",
                "the socket program follows the servers' sockets by them; without it sessions of this host \
                 cannot be told from what only looks like one",
            ),
            Self::BpfJit => row(
                "bpf_jit",
                Warning,
                "Programs are compiled (net.core.bpf_jit_enable).",
                "an interpreted program costs several times as much for each packet",
            ),
            Self::Capabilities => row(
                "capabilities",
                Error,
                "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: of the daemon if one runs, else of doctor itself.",
                "the kernel loads and attaches the programs for nobody without them",
            ),
            Self::BpfRefused => row(
                "bpf_refused",
                Error,
                "bpf(2) is permitted. If not, who forbids it: capabilities, a user namespace, a filter of \
                 system calls (seccomp), lockdown, a security module.",
                "without bpf(2) nothing can be loaded, read or changed",
            ),
            Self::UnprivilegedBpf => row(
                "unprivileged_bpf",
                Warning,
                "Nobody without CAP_BPF may load programs (kernel.unprivileged_bpf_disabled).",
                "every local user may load programs of simple types, a way into many kernels; the guard does \
                 not need it",
            ),
            Self::PinPath => row(
                "pin_path",
                Error,
                "bpf.pin_path is on a bpf file system that can be written.",
                "maps and links are pinned there, so that enforcement outlives the daemon; without it the \
                 daemon does not start",
            ),
            Self::Configuration => row(
                "configuration",
                Error,
                "The configuration file has no mistakes. Without one the defaults are taken for the other \
                 checks.",
                "the daemon does not start, or keeps its old settings, until it is mended",
            ),
            Self::Daemon => row(
                "daemon",
                Warning,
                "A daemon answers on the control socket.",
                "the kernel goes on with what is loaded, but lists do not change, sessions are not followed \
                 and nothing is reported",
            ),
            Self::Mode => row(
                "mode",
                Info,
                "The mode, as the kernel has it.",
                "monitor mode counts what it would drop, and drops nothing",
            ),
            Self::InterfaceMissing => row(
                "interface_missing",
                Error,
                "Every configured interface exists.",
                "the daemon does not start without it",
            ),
            Self::InterfaceUnguarded => row(
                "interface_unguarded",
                Error,
                "Every configured interface carries the guard's programs, once there are any in the kernel.",
                "FTP is open to everyone on it",
            ),
            Self::InterfaceUncovered => row(
                "interface_uncovered",
                Warning,
                "Interfaces that hold an address and are not configured.",
                "whoever reaches the host over it uses FTP past the guard",
            ),
            Self::InterfaceNotEthernet => row(
                "interface_not_ethernet",
                Error,
                "Every configured interface carries Ethernet frames.",
                "the programs read packets behind an Ethernet header, and the daemon refuses interfaces that \
                 have none (PPP, tun, WireGuard)",
            ),
            Self::NativeXdp => row(
                "native_xdp",
                Error,
                "The driver of each interface runs XDP programs itself. Drivers tell since kernel 6.3; \
                 before that it is judged by name.",
                "in generic mode packets are dropped after the kernel has made an skb of each, at a \
                 fraction of the speed",
            ),
            Self::Mtu => row(
                "mtu",
                Error,
                "Packets fit into what native programs take: one page, unless the driver passes frames of \
                 several buffers.",
                "the driver refuses native programs at this MTU, and the guard falls back to generic mode",
            ),
            Self::OffloadLro => row(
                "offload_lro",
                Warning,
                "Large receive offload is off.",
                "many drivers refuse native programs while it is on, and joined segments cannot be judged \
                 one by one",
            ),
            Self::OffloadHwGro => row(
                "offload_hw_gro",
                Warning,
                "GRO in hardware is off.",
                "many drivers refuse native programs while it is on",
            ),
            Self::OffloadRxVlan => row(
                "offload_rx_vlan",
                Warning,
                "The card leaves VLAN tags in frames.",
                "a native program sees no tag that the card has taken out, so that its answers (SYN \
                 cookies, refusals) leave without one and get lost; what is dropped is not affected",
            ),
            Self::XdpAnswers => row(
                "xdp_answers",
                Warning,
                "Programs can answer packets on each interface (XDP_TX).",
                "SYN cookies and refusals in the protocol need it; without it what is not welcome is only \
                 dropped",
            ),
            Self::SynCookies => row(
                "syn_cookies",
                Warning,
                "SYN cookies can be used when an attack comes, if limits.syn_cookies is not \"off\".",
                "a flood with forged addresses of listed sources then reaches the server",
            ),
            Self::ForeignXdp => row(
                "foreign_xdp",
                Error,
                "XDP programs that are not this guard's.",
                "an interface takes one program, and the guard does not replace that of others",
            ),
            Self::ForeignTc => row(
                "foreign_tc",
                Warning,
                "Classifiers (tcx, clsact) that are not this guard's, and whether they run before it.",
                "a classifier before the guard's may end the way of a packet, and the guard does not see \
                 what a server replied",
            ),
            Self::SysctlSyncookies => row(
                "sysctl_syncookies",
                Warning,
                "net.ipv4.tcp_syncookies is not 0.",
                "the host itself has no answer to a flood of connection requests while the guard uses no \
                 cookies: in monitor mode, with limits.syn_cookies = \"off\", and for other services",
            ),
            Self::SysctlTimestamps => row(
                "sysctl_timestamps",
                Info,
                "net.ipv4.tcp_timestamps is not 0.",
                "options of a connection that began with a SYN cookie travel in its timestamps; the guard \
                 sets it while it uses cookies",
            ),
            Self::SysctlRpFilter => row(
                "sysctl_rp_filter",
                Warning,
                "Reverse path filtering (net.ipv4.conf.IFACE.rp_filter) on each guarded interface.",
                "without it packets with a forged address of another network of this host are taken, a \
                 listed address included",
            ),
            Self::FtpPort => row(
                "ftp_port",
                Error,
                "FTP servers that listen on ports that are no ftp.control_ports.",
                "the guard does not look at this port: it is open to everyone",
            ),
            Self::FtpServer => row(
                "ftp_server",
                Info,
                "Something listens on the control ports.",
                "there is nothing to guard, or the server listens elsewhere",
            ),
            Self::ConntrackFtp => row(
                "conntrack_ftp",
                Warning,
                "The FTP helper of connection tracking (nf_conntrack_ftp) and rules that use it.",
                "it opens data ports by what it reads on control connections, and sees nothing under TLS; \
                 the guard does the same for all sessions, and what rules accept by the helper (ct state \
                 related) is judged twice",
            ),
            Self::Fail2ban => row(
                "fail2ban",
                Warning,
                "fail2ban and its rules for FTP.",
                "its bans stop new connections to a few ports, not sessions that are open and not the \
                 passive ports, and the guard does not know of them; bans through the guard do all of it",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_the_order_of_the_report() {
        for (number, check) in Check::ALL.iter().enumerate() {
            assert_eq!(*check as usize, number, "{check:?}");
            let same = Check::ALL.iter().filter(|it| it.as_str() == check.as_str());
            assert_eq!(same.count(), 1, "{}", check.as_str());
        }
    }
}
