//! The verdict table: every reason for which a hook passes or drops a packet.

/// What a hook does with a packet.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The packet goes on to the stack.
    Pass = 0,
    /// The packet is discarded.
    Drop = 1,
    /// Monitor mode: enforce mode would have discarded the packet; it went on to the stack.
    WouldDrop = 2,
}

impl Verdict {
    /// All verdicts, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Pass, Self::Drop, Self::WouldDrop];

    /// The name in metrics, JSON and text: `pass`, `drop` or `would_drop`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Drop => "drop",
            Self::WouldDrop => "would_drop",
        }
    }
}

/// Declares [`Reason`] as one table of number, name and verdict, so that a rule's consequence is
/// read and changed in one place.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $name:literal, $verdict:ident;)+) => {
        /// Why a packet got its verdict. Numbers and names are append-only: a retired one is
        /// never used again.
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant = $number,)+
        }

        impl Reason {
            /// All reasons, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in metrics, JSON and text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What enforce mode does with a packet of this reason: [`Verdict::Pass`] or
            /// [`Verdict::Drop`].
            #[inline(always)]
            #[must_use]
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$variant => Verdict::$verdict,)+ }
            }

            /// The explanation of the reason, one paragraph.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+),)+ }
            }

            /// The reason of a number as the kernel counted it.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

reasons! {
    /// Neither IPv4 nor IPv6: ARP, LLDP, MPLS and so on.
    NotIp = 0, "not_ip", Pass;
    /// IP, but not TCP (tunnels and encrypted payload included).
    NotTcp = 1, "not_tcp", Pass;
    /// TCP to a port that is no FTP port of this guard.
    NotFtp = 2, "not_ftp", Pass;
    /// A fragment that does not begin the packet. Nothing reassembles without an accepted first one.
    LaterFragment = 3, "later_fragment", Pass;
    /// The frame or the IP packet ends before the headers do; the stack discards it.
    Truncated = 4, "truncated", Pass;
    /// Impossible IP version, header length or total length; the stack discards it.
    BadIpHeader = 5, "bad_ip_header", Pass;
    /// The source is on the allowlist.
    Listed = 6, "listed", Pass;

    /// The source is not on the allowlist.
    NotListed = 16, "not_listed", Drop;
    /// The most specific allowlist entry that covers the source is an exclusion (`!`).
    Excluded = 17, "excluded", Drop;
    /// The allowlist entry that covered the source has expired, and no other one covers it.
    Expired = 18, "expired", Drop;
    /// A SYN from outside to an active data port, where only the server opens connections.
    ActiveDataSyn = 19, "active_data_syn", Drop;
    /// More VLAN tags than the guard looks behind.
    VlanTooDeep = 20, "vlan_too_deep", Drop;
    /// More IPv6 extension headers than the guard follows.
    ExtensionsTooDeep = 21, "extensions_too_deep", Drop;
    /// A first fragment that ends before its TCP header does, towards an FTP port or one that is
    /// hidden (RFC 1858, RFC 7112).
    FragmentedHeader = 22, "fragmented_header", Drop;
    /// An unfragmented packet to an FTP port that ends before its TCP header does.
    TcpTruncated = 23, "tcp_truncated", Drop;
    /// A TCP data offset below five words or beyond the end of the packet.
    TcpBadOffset = 24, "tcp_bad_offset", Drop;
    /// A TCP segment with none of the six flags of RFC 793.
    TcpNull = 25, "tcp_null", Drop;
    /// A TCP segment with FIN, PSH and URG together.
    TcpXmas = 26, "tcp_xmas", Drop;
    /// A TCP segment with SYN and FIN together.
    TcpSynFin = 27, "tcp_syn_fin", Drop;
    /// A TCP segment with SYN and RST together.
    TcpSynRst = 28, "tcp_syn_rst", Drop;
    /// A connection request (SYN without ACK) that carries payload.
    TcpSynData = 29, "tcp_syn_data", Drop;
}

/// Room for reason numbers in the counter table: numbers are below this.
pub const REASON_SLOTS: u32 = 64;

const _: () = {
    let mut i = 0;
    while i < Reason::ALL.len() {
        assert!((Reason::ALL[i] as u32) < REASON_SLOTS);
        assert!(i == 0 || (Reason::ALL[i - 1] as u8) < Reason::ALL[i] as u8);
        i += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for number in 0..=u8::MAX {
            match Reason::from_number(number) {
                Some(reason) => assert_eq!(reason as u8, number),
                None => assert!(Reason::ALL.iter().all(|r| *r as u8 != number)),
            }
        }
    }

    #[test]
    fn published_numbers_and_names_do_not_move() {
        for (number, name) in [
            (0, "not_ip"),
            (1, "not_tcp"),
            (2, "not_ftp"),
            (3, "later_fragment"),
            (4, "truncated"),
            (5, "bad_ip_header"),
            (6, "listed"),
            (16, "not_listed"),
            (17, "excluded"),
            (18, "expired"),
            (19, "active_data_syn"),
            (20, "vlan_too_deep"),
            (21, "extensions_too_deep"),
            (22, "fragmented_header"),
            (23, "tcp_truncated"),
            (24, "tcp_bad_offset"),
            (25, "tcp_null"),
            (26, "tcp_xmas"),
            (27, "tcp_syn_fin"),
            (28, "tcp_syn_rst"),
            (29, "tcp_syn_data"),
        ] {
            assert_eq!(Reason::from_number(number).map(Reason::as_str), Some(name));
        }
    }
}
